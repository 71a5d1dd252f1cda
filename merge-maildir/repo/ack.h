/*
 * ack.h -- until when everything on disk is recorded, and is on a peer: what a delivery waits for.
 *
 * A moment is a point in the time that runs since this host was booted, the same for all its processes; setting the clock does not move it. Whoever records takes the moment before
 * it looks at the disk: what was there then is in HEAD afterwards. Whoever pushes HEAD passes on, for that peer, the moment that was recorded. So a delivery knows
 * by one comparison, without git, that its message is on a peer.
 *
 * Kept in <gitdir>/maildir/recorded and <gitdir>/maildir/acked/<peer>. After a boot all of it is void, and nothing has to survive a crash: a file that is missing or broken reads as never.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ACK_H
#define ACK_H

#include <stdbool.h>
#include <stdint.h>

struct moment {
	char boot[40]; /* /proc/sys/kernel/random/boot_id; "" is never */
	int64_t ns;    /* CLOCK_BOOTTIME */
};

/* moment_now: -1 with errno, and never in *now, where the kernel does not tell. */
int moment_now(struct moment *now);
/* moment_reached: whether known is wanted or later, in the same boot. False if one of them is never. */
bool moment_reached(const struct moment *known, const struct moment *wanted);

/*
 * ack_set_recorded, ack_set_peer: what is known now; an earlier moment than the one that is there does not replace it. As far as
 * they can: where nothing can be written deliveries wait in vain until their time limit.
 * ack_recorded, ack_peer: read it.
 */
void ack_set_recorded(const char *gitdir, const struct moment *m);
void ack_recorded(const char *gitdir, struct moment *m);
void ack_set_peer(const char *gitdir, const char *peer, const struct moment *m);
void ack_peer(const char *gitdir, const char *peer, struct moment *m);
/* ack_remove_peer: forgets a peer. */
void ack_remove_peer(const char *gitdir, const char *peer);

#endif
