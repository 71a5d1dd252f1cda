/*
 * watcher.h -- whether somebody looks after a member already: a "git maildir watch", or a sync that is waiting for its turn.
 *
 * Both are locks (fcntl(2), F_OFD_SETLK) on files in <gitdir>/maildir/, so that they go with the process that holds them. A process that is started with the descriptor has the lock
 * as well, until all of them have closed it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCHER_H
#define WATCHER_H

#include <stdbool.h>

#include "../core/err.h"

/* watcher_take: from now on this process watches. The descriptor, which the caller closes to give it up, or an err_code; ERR_BUSY when another process does. */
int watcher_take(const char *gitdir, struct err *err);
/* watcher_is_there: whether a process watches: it sees by itself what changes on disk, and what peers push. */
bool watcher_is_there(const char *gitdir);

/*
 * watcher_queue: takes the one place of those who wait for their turn to sync. False when another process has it: it will see all that is there now. Else *fd is to be closed before
 * anything is looked at, so that whoever comes later can queue; it is -1 where there can be no lock file, and then nobody else is kept from coming.
 */
bool watcher_queue(const char *gitdir, int *fd);
/* watcher_is_queued: whether a process has that place. */
bool watcher_is_queued(const char *gitdir);

#endif
