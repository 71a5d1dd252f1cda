/*
 * delivery.h -- one message into the Maildir of a member, or of several, and onto their peers.
 *
 *     delivery_add for each, delivery_read (or delivery_begin, delivery_write ...), delivery_place, delivery_wait, delivery_release
 *
 * All or nothing: when one of them cannot have it, nothing is left in the others, unless a client has read it meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <limits.h>
#include <stdbool.h>

#include "../core/mem.h"
#include "../disk/arrival.h"
#include "../disk/disk.h"
#include "../repo/await.h"
#include "../repo/policy.h"

/* What the command line asks for; what it does not say comes from the configuration of each member. */
struct wishes {
	const char *folder;
	long ack, timeout; /* -1: not given */
	bool defer, defer_given;
};

/* One Maildir that gets the message. */
struct target {
	char *maildir, *gitdir, *program;
	struct disk disk;
	struct policy policy; /* with the wishes in it */
	char folder[PATH_MAX];
	struct arrival arrival;
	struct await await;
	struct bytes head; /* lines that are put in front of the message here */
	bool few;	   /* too few peers have it */
};

/* RFC 5321 wants at least 100 recipients. Each has four descriptors open. */
#define DELIVERY_MOST 100

/* Zero-initialise to start one. One at a time: signals have to find it. */
struct delivery {
	struct target *targets[DELIVERY_MOST];
	size_t n;
};

/*
 * delivery_catch: from now on a signal that ends a program, and comes before the message has its place, leaves nothing of it, writes these last words to fd, and ends with EX_TEMPFAIL; one that comes later
 * only ends the waiting, and delivery_stopped() is true.
 */
void delivery_catch(int fd, const char *last_words);
bool delivery_stopped(void);

/*
 * delivery_add: the member whose Maildir this is, an absolute path without symbolic links; NULL with err: there is none, or it cannot take mail now. ERR_NOSPACE: there are DELIVERY_MOST. The same
 * Maildir again is the same target. With what the folder is called in w->folder; it is made if it is not there.
 */
struct target *delivery_add(struct delivery *dl, const char *maildir, const struct wishes *w, struct err *err);

/* delivery_read: all that fd gives, to the only target: see arrival_read(). */
int delivery_read(struct delivery *dl, int fd, struct err *err);
/* delivery_begin, delivery_write: bit by bit, to all. errno is that of the write that failed. */
int delivery_begin(struct delivery *dl, struct err *err);
int delivery_write(struct delivery *dl, const char *buf, size_t len, struct err *err);
/* delivery_place: it appears, in all. */
int delivery_place(struct delivery *dl, struct err *err);
/* delivery_wait: until it is on enough peers. EX_OK, or EX_TEMPFAIL: it was withdrawn. It says why. */
int delivery_wait(struct delivery *dl);
/* delivery_release: what has no place is removed. The delivery can be used for the next message. */
void delivery_release(struct delivery *dl);

#endif
