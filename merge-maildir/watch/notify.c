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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"

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

/* What each watch is for, by its number. The kernel counts up, and so a new one comes at the end. */
static struct watch {
	int wd;
	char *dir; /* NULL: it is gone */
} *watches;
static size_t nwatches, watches_cap, ngone;

/* Within this time a directory can change without another mtime: the clock of a file system has ticks of up to 10 ms, and some only know even seconds. */
#define TICK_NS 20000000
#define SECOND_NS 1000000000

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
	for (size_t i = 0; i < nwatches; i++)
		free(watches[i].dir);
	nwatches = ngone = 0;
}

int notify_fd(void)
{
	return instance;
}

/* Where the watch of this number is, or would be. */
static size_t place_of(int wd)
{
	size_t low = 0, high = nwatches;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (watches[mid].wd < wd)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct watch *watch_of(int wd)
{
	size_t i = place_of(wd);

	return i < nwatches && watches[i].wd == wd && watches[i].dir ? &watches[i] : NULL;
}

static void remember(int wd, const char *dir)
{
	size_t i = place_of(wd), size = strlen(dir) + 1;

	if (i < nwatches && watches[i].wd == wd) {
		ngone -= !watches[i].dir;
		if (watches[i].dir && !strcmp(watches[i].dir, dir))
			return;
		free(watches[i].dir);
	} else {
		MEM_GROW(watches, nwatches, watches_cap);
		memmove(watches + i + 1, watches + i, (nwatches - i) * sizeof(*watches));
		nwatches++;
		watches[i].wd = wd;
	}
	watches[i].dir = memcpy(mem_alloc(size), dir, size);
}

static void forget(struct watch *w)
{
	size_t n = 0;

	free(w->dir);
	w->dir = NULL;
	if (++ngone < 64 || ngone < nwatches / 2)
		return;
	for (size_t i = 0; i < nwatches; i++)
		if (watches[i].dir)
			watches[n++] = watches[i];
	nwatches = n;
	ngone = 0;
}

int notify_add(const char *dir, struct err *err)
{
	int wd;

	if (instance < 0)
		return err_set(err, ERR_ENV, "there is no inotify instance");
	wd = inotify_add_watch(instance, dir, EVENTS);
	if (wd >= 0) {
		remember(wd, dir);
		return wd;
	}
	if (errno == ENOSPC)
		return err_set(err, ERR_ENV, "the limit of inotify watches is reached: raise it with 'sysctl fs.inotify.max_user_watches=%d'",
			       2 * (inotifytools_get_max_user_watches() > 8192 ? inotifytools_get_max_user_watches() : 8192));
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_NOTFOUND, "'%s' is no directory", dir);
	return err_errno(err, "cannot watch '%s'", dir);
}

bool notify_has(int wd, const char *dir)
{
	const struct watch *w = watch_of(wd);

	return w && !strcmp(w->dir, dir);
}

void notify_drop(int wd, const char *dir)
{
	if (instance < 0 || !notify_has(wd, dir))
		return;
	inotify_rm_watch(instance, wd);
	forget(watch_of(wd));
}

/* Read here, because the library waits when there is nothing to read. */
int notify_next(struct notify_event *e, struct err *err)
{
	/* The directory of the last event, which was gone with it. */
	static char *gone;

	memset(e, 0, sizeof(*e));
	for (;;) {
		const struct inotify_event *ev = (const void *)(buf + at);
		struct watch *w;

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
		w = watch_of(ev->wd);
		if (!w)
			continue;
		e->dir = w->dir;
		e->is_dir = (ev->mask & IN_ISDIR) != 0;
		e->name = ev->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED) ? NULL : ev->len ? ev->name : "";
		if (ev->mask & IN_IGNORED) {
			free(gone);
			e->dir = gone = w->dir;
			w->dir = NULL;
			forget(w);
		}
		return 1;
	}
}

bool notify_look(const char *dir, int64_t now_ns, struct notify_stamp *last)
{
	struct notify_stamp now = { 0, 0 };
	struct stat st;
	bool changed;

	if (lstat(dir, &st) == 0) {
		now.mtime_ns = (int64_t)st.st_mtim.tv_sec * SECOND_NS + st.st_mtim.tv_nsec;
		now.ctime_ns = (int64_t)st.st_ctim.tv_sec * SECOND_NS + st.st_ctim.tv_nsec;
	}
	changed = now.mtime_ns != last->mtime_ns || now.ctime_ns != last->ctime_ns;
	*last = now;
	if (now.ctime_ns <= now_ns && now_ns - now.ctime_ns < (now.ctime_ns % SECOND_NS ? TICK_NS : 2 * (int64_t)SECOND_NS))
		*last = (struct notify_stamp){ -1, -1 };
	return changed;
}
