/*
 * disk.h -- a live Maildir: its root, its modes, and who we are towards its other users.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>
#include <sys/types.h>

#include "../core/err.h"

/*
 * What a live Maildir is worked on with. Filled once by disk_open(); the environment is an argument, for
 * tests.
 */
struct disk {
	int root;	  /* O_PATH or O_DIRECTORY descriptor of the store's root */
	char *path;	  /* its path, for messages */
	mode_t file_mode; /* of new files: 0600, or what of 0666 the root's mode allows */
	mode_t dir_mode;  /* of new directories: 0700, or the root's mode & 0777 */
	pid_t pid;	  /* for lock files */
	char host[256];	  /* likewise: as gethostname(2) says, because Dovecot compares it */
	int lock_wait;	  /* seconds to wait for a folder's lock before ERR_BUSY; default 30 */
	unsigned seq;	  /* for unique names in tmp/ */
};

/* disk_open: opens the root. ERR_NOTMEMBER if it is no directory. disk_close() frees; fine on a zeroed disk. */
int disk_open(struct disk *d, const char *path, struct err *err);
void disk_close(struct disk *d);

/* disk_is_maildir: whether the root itself or a directory in it (fs layout, Maildir++) has a cur/. */
int disk_is_maildir(const struct disk *d);

#endif
