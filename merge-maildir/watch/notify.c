/*
 * notify.c -- in which directories something changed: inotify(7) by libinotifytools, and a look now and then.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inotifytools/inotify.h>
#include <inotifytools/inotifytools.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A message that is delivered or renamed, and a file that is written to its end. Not IN_MODIFY: a list of UIDs that is being appended to is of interest when it is complete.
 */
#define EVENTS                                                                                                            \
	(IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | \
	 IN_DONT_FOLLOW)

static int instance = -1;
/* Events that were read and not looked at so far. */
static char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
static size_t at, len;

/*
 * The library keeps its descriptor to itself, and we have more to wait for than its events. It is the lowest that is free when the instance is made; that it is an
 * inotify instance is checked.
 */
static int find_instance(int expected)
{
	char link[64], target[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", expected);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return strstr(target, "inotify") ? expected : -1;
}

int notify_open(struct err *err)
{
	int lowest;

	if (instance >= 0)
		return 0;
	lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (lowest < 0)
		return err_errno(err, "cannot open '/dev/null'");
	close(lowest);
	if (!inotifytools_initialize()) {
		errno = inotifytools_error();
		if (errno == EMFILE || errno == ENOSPC)
			return err_set(err, ERR_ENV, "the limit of inotify instances is reached: raise it with 'sysctl fs.inotify.max_user_instances=%d'",
				       2 * (inotifytools_get_max_user_instances() > 64 ? inotifytools_get_max_user_instances() : 64));
		return err_errno(err, "cannot use inotify");
	}
	instance = find_instance(lowest);
	if (instance < 0) {
		inotifytools_cleanup();
		return err_set(err, ERR_ENV, "cannot find the inotify instance among our descriptors: is /proc mounted?");
	}
	fcntl(instance, F_SETFD, FD_CLOEXEC);
	fcntl(instance, F_SETFL, O_NONBLOCK);
	return 0;
}

void notify_close(void)
{
	if (instance >= 0)
		inotifytools_cleanup();
	instance = -1;
	at = len = 0;
}

int notify_fd(void)
{
	return instance;
}

int notify_add(const char *dir, struct err *err)
{
	if (instance < 0)
		return err_set(err, ERR_ENV, "there is no inotify instance");
	if (inotifytools_watch_file(dir, EVENTS))
		return 0;
	errno = inotifytools_error();
	if (errno == ENOSPC)
		return err_set(err, ERR_ENV, "the limit of inotify watches is reached: raise it with 'sysctl fs.inotify.max_user_watches=%d'",
			       2 * (inotifytools_get_max_user_watches() > 8192 ? inotifytools_get_max_user_watches() : 8192));
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_NOTFOUND, "'%s' is no directory", dir);
	return err_errno(err, "cannot watch '%s'", dir);
}

/*
 * Read here, because the library waits when there is nothing to read. Nothing is ever taken out of it: of a directory that is gone it would complain on standard error,
 * and keep it all the same. What it keeps of one is some 250 bytes.
 */
int notify_next(struct notify_event *e, struct err *err)
{
	memset(e, 0, sizeof(*e));
	for (;;) {
		const struct inotify_event *ev = (const void *)(buf + at);

		if (instance < 0)
			return 0;
		if (at >= len) {
			ssize_t n = read(instance, buf, sizeof(buf));

			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return err_errno(err, "cannot read from inotify");
			if (n <= 0)
				return 0;
			len = (size_t)n;
			at = 0;
			continue;
		}
		at += sizeof(*ev) + ev->len;
		if (ev->mask & IN_Q_OVERFLOW)
			return 1;
		e->dir = inotifytools_filename_from_wd(ev->wd);
		if (!e->dir || !*e->dir || (ev->mask & IN_IGNORED))
			continue;
		e->is_dir = (ev->mask & IN_ISDIR) != 0;
		e->name = ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT) ? NULL : ev->len ? ev->name : "";
		return 1;
	}
}

bool notify_look(const char *dir, struct notify_stamp *last)
{
	struct notify_stamp now = { 0, 0 };
	struct stat st;
	bool changed;

	if (lstat(dir, &st) == 0) {
		now.mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		now.ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
	}
	changed = now.mtime_ns != last->mtime_ns || now.ctime_ns != last->ctime_ns;
	*last = now;
	return changed;
}
