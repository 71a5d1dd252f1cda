/*
 * notify.h -- in which directories something changed: inotify(7) by libinotifytools, and a look now and then where the kernel has no room for another watch.
 *
 * libinotifytools has one inotify instance for the process, and so there is one of everything here. Which directory a watch is for is kept here and not by the library: there a directory
 * that is renamed goes on under its first name, whatever it is watched as later, and one that is gone is kept for ever.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/err.h"

struct notify_event {
	const char *dir;  /* the directory, as it was given to the last notify_add() of it; valid until the next call. NULL: events were lost, everything may have changed, and which directories are still watched is not known */
	const char *name; /* of what changed in it, likewise; NULL: the directory itself is gone, or elsewhere */
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
 * notify_add: watches a directory from now on, until it is gone, and returns the number of that watch: the one that it has already, if it is watched, under this name or another; then it goes on under
 * this one. ERR_ENV: there is no room for it, naming the sysctl. ERR_NOTFOUND: it is no directory (any more).
 * notify_has: whether this watch is there, and for a directory of this name. notify_drop: gives it up if so.
 */
int notify_add(const char *dir, struct err *err);
bool notify_has(int wd, const char *dir);
void notify_drop(int wd, const char *dir);

/* notify_next: 1 and the next event; 0 when there is none at present; ERR_FAIL when the instance is broken: close it, open it, and start again. */
int notify_next(struct notify_event *e, struct err *err);

/*
 * What a directory without a watch looked like. notify_look: whether names in it may have changed since the last time. now_ns: the time of day; a change of the last moment may be followed by one that
 * leaves no other trace, and so counts as one the next time, too.
 */
struct notify_stamp {
	int64_t mtime_ns, ctime_ns;
};
bool notify_look(const char *dir, int64_t now_ns, struct notify_stamp *last);

#endif
