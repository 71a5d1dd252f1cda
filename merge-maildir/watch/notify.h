/*
 * notify.h -- in which directories something changed: inotify(7) by libinotifytools, and a look now and then where the kernel has no room for another watch.
 *
 * libinotifytools has one inotify instance for the process, and so there is one of everything here.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/err.h"

struct notify_event {
	const char *dir;  /* of the directory that was given to notify_add(), with a '/' at the end; valid until the next call. NULL: events were lost, everything may have changed */
	const char *name; /* of what changed in it, likewise; NULL: the directory itself is gone, or elsewhere, and perhaps no longer watched */
	bool is_dir;	  /* what changed is a directory */
};

/*
 * notify_open: ERR_ENV when the kernel has no instance for us, naming the sysctl: then everything has to be looked at. Calling it again tries again, or
 * does nothing. notify_close: gives up all watches.
 */
int notify_open(struct err *err);
void notify_close(void);
/* notify_fd: to poll for reading, or -1. */
int notify_fd(void);

/*
 * notify_add: watches a directory from now on, until it is gone. Doing so twice costs the library a little memory. ERR_ENV: there is no room for it, naming the sysctl. ERR_NOTFOUND: it is no
 * directory (any more). A directory that is renamed goes on under its old name, and so do those in it.
 */
int notify_add(const char *dir, struct err *err);

/* notify_next: 1 and the next event; 0 when there is none at present; ERR_FAIL when the instance is broken: close it, open it, and start again. */
int notify_next(struct notify_event *e, struct err *err);

/* What a directory without a watch looked like. notify_look: whether names in it changed since the last time. */
struct notify_stamp {
	int64_t mtime_ns, ctime_ns;
};
bool notify_look(const char *dir, struct notify_stamp *last);

#endif
