/*
 * lock.h -- dovecot-uidlist.lock: the lock of a folder that Dovecot honours.
 *
 * Without it Dovecot's readdir() misses files that we rename, reports them as expunged, and gives them new
 * UIDs later; and ours misses files that Dovecot renames. Protocol of Dovecot 2.3 (dotlock_use_excl=yes):
 * created with O_EXCL, holds "<pid>:<host>", removed by unlink. A lock whose process on this host is dead is
 * taken over after 2 s; one of another host, or empty, after 120 s without change; one of a live local
 * process never.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdint.h>
#include <sys/types.h>

#include "disk.h"

#define LOCK_NAME "dovecot-uidlist.lock"

struct lock {
	int dirfd; /* the folder; borrowed; -1: not held */
	/* Of our lock file. We never remove another's, and inode numbers alone do not tell: they are used again at once. */
	ino_t ino;
	dev_t dev;
	int64_t mtime_ns;
};

/*
 * lock_folder: takes the lock of the folder open at dirfd, waiting at most d->lock_wait seconds (pauses 1 ms
 * growing to 50 ms). path is for messages. ERR_BUSY with the holder's pid and host in the message;
 * ERR_NOTFOUND if the folder is gone; ERR_NOSPACE. Never two folders at once.
 */
int lock_folder(struct lock *l, const struct disk *d, int dirfd, const char *path, struct err *err);
/* lock_release: gives it back; fine when not held. A lock that was taken over from us is not touched. */
void lock_release(struct lock *l);

#endif
