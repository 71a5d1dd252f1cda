/*
 * subdirs.c -- reads cur/ and new/ of one folder for a scan.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "subdirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lock.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/*
 * Kernels before 6.13 stamp files with the time of the last timer tick, at most 10 ms ago: two changes within
 * a tick look like one.
 */
#define TICK_NS (20 * NS_PER_MS)
/* For how long to wait for that at most. */
#define SETTLE_NS (30 * NS_PER_MS)

static const char *const sub_name[2] = { [NAME_NEW] = "new", [NAME_CUR] = "cur" };

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_SEC + t->tv_nsec;
}

int64_t subdirs_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	return ns_of(&t);
}

struct scan_stamp subdirs_stamp(const struct stat *st)
{
	return (struct scan_stamp){ .dev = st->st_dev,
				    .ino = st->st_ino,
				    .mtime_ns = ns_of(&st->st_mtim),
				    .ctime_ns = ns_of(&st->st_ctim) };
}

bool subdirs_same_stamp(const struct scan_stamp *a, const struct scan_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

int64_t subdirs_fresh(const struct scan_stamp *stamp, int64_t now_ns)
{
	/*
	 * No fraction: either somebody set it (then waiting costs little and harms nobody), or the file
	 * system has none.
	 */
	int64_t grain = stamp->mtime_ns % NS_PER_SEC ? TICK_NS : NS_PER_SEC + TICK_NS;
	int64_t age = now_ns - stamp->mtime_ns;

	/* A time that is far in the future is safe as well: a change would bring it back to now. */
	if (age >= grain || age <= -grain)
		return 0;
	return grain - age;
}

const char *subdirs_type_odd(unsigned char type)
{
	switch (type) {
	case DT_LNK:
		return "is a symbolic link";
	case DT_SOCK:
		return "is a socket";
	case DT_FIFO:
		return "is a fifo";
	case DT_CHR:
	case DT_BLK:
		return "is a device";
	default:
		return "is neither a file nor a directory";
	}
}

void subdirs_odd(struct scan *s, const char *folder, const char *sub, const char *name, const char *why)
{
	const char *path = arena_printf(&s->arena, "%s%s%s%s%s", folder, *folder ? "/" : "", sub ? sub : "",
					sub ? "/" : "", name);

	MEM_GROW(s->odds, s->nodds, s->odds_cap);
	s->odds[s->nodds++] = (struct scan_odd){ .path = path, .why = why };
}

/* Why name_is_message() refuses a name. */
static const char *why_no_message(const char *name, size_t len)
{
	const char *why = path_unsafe(name, len);

	if (why)
		return why;
	return name[0] == ':' ? "has nothing before the first ':' in its name" :
				"has the name of a mail server's own file";
}

/* A folder of 100,000 messages is read for each change in it: no stat, no sort, no second copy of a name. */
static int read_names(struct scan *s, const struct scan_folder *f, enum name_sub sub, struct scan_dir *out,
		      struct listing *l)
{
	struct listing_entry e;
	int r;

	while ((r = listing_next(l, &e)) > 0) {
		/*
		 * Dotfiles are temporary files of other programs, or editors'; a directory is no message to
		 * any of them.
		 */
		if (e.name[0] == '.' || e.type == DT_DIR)
			continue;
		if (e.type != DT_REG) {
			subdirs_odd(s, f->path, sub_name[sub], e.name, subdirs_type_odd(e.type));
		} else if (!name_is_message(e.name, e.len)) {
			subdirs_odd(s, f->path, sub_name[sub], e.name, why_no_message(e.name, e.len));
		} else {
			MEM_GROW(out->v, out->n, out->cap);
			out->v[out->n++] = (struct scan_entry){ .name = arena_strn(&s->arena, e.name, e.len),
								.ino = e.ino,
								.len = (uint8_t)e.len };
		}
	}
	return r;
}

static int open_sub(int dirfd, enum name_sub sub)
{
	return openat(dirfd, sub_name[sub], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Not there, or something in its place that is no directory (which the walk has noted as odd). */
static bool is_absence(int e)
{
	return e == ENOENT || e == ENOTDIR || e == ELOOP;
}

/* Whether the directory is as it was when dir->stamp was taken: there, or not there. -1 with errno. */
static int still_same(int dirfd, enum name_sub sub, const struct scan_dir *dir)
{
	struct scan_stamp now;
	struct stat st;

	if (fstatat(dirfd, sub_name[sub], &st, AT_SYMLINK_NOFOLLOW))
		return is_absence(errno) ? !dir->present : -1;
	if (!S_ISDIR(st.st_mode) || !dir->present)
		return !S_ISDIR(st.st_mode) && !dir->present;
	now = subdirs_stamp(&st);
	return subdirs_same_stamp(&now, &dir->stamp);
}

/*
 * Takes the stamp of one directory and asks whether it is known. A directory that is unchanged needs no lock:
 * stamps that are equal are a fact about the past that no race can undo.
 */
static int look(struct scan_folder *f, enum name_sub sub, int dirfd, const struct subdirs_how *how)
{
	struct scan_dir *dir = &f->sub[sub];
	struct stat st;

	dir->present = dir->unchanged = dir->stable = false;
	dir->stamp = (struct scan_stamp){ 0 };
	dir->n = 0;
	if (fstatat(dirfd, sub_name[sub], &st, AT_SYMLINK_NOFOLLOW))
		return is_absence(errno) ? 0 : -1;
	if (!S_ISDIR(st.st_mode))
		return 0;
	dir->present = true;
	dir->stamp = subdirs_stamp(&st);
	dir->unchanged = how->opts && how->opts->unchanged &&
			 how->opts->unchanged(how->opts->ctx, f->path, sub, &dir->stamp);
	return 0;
}

/* new/ first: who is moved from there to cur/ between the two looks has changed cur/ by the second. */
static int look_both(struct scan_folder *f, int dirfd, const struct subdirs_how *how)
{
	return look(f, NAME_NEW, dirfd, how) || look(f, NAME_CUR, dirfd, how) ? -1 : 0;
}

static bool needs_reading(const struct scan_folder *f)
{
	return (f->sub[NAME_NEW].present && !f->sub[NAME_NEW].unchanged) ||
	       (f->sub[NAME_CUR].present && !f->sub[NAME_CUR].unchanged);
}

static int64_t fresh_for(const struct scan_folder *f, int64_t now)
{
	int64_t wait = 0;
	int i;

	for (i = 0; i < 2; i++) {
		int64_t w = f->sub[i].present ? subdirs_fresh(&f->sub[i].stamp, now) : 0;

		wait = w > wait ? w : wait;
	}
	return wait;
}

static int settle(struct scan_folder *f, int dirfd, const struct subdirs_how *how)
{
	int64_t left = SETTLE_NS, wait = fresh_for(f, subdirs_now());

	if (!wait)
		return 0;
	/* The clock that files are stamped with stands still between two ticks: to sleep for what is left of one can be too little. */
	while (wait && left > 0) {
		struct timespec t = { .tv_nsec = (wait < left ? wait : left) + NS_PER_MS };

		nanosleep(&t, NULL);
		left -= t.tv_nsec;
		wait = fresh_for(f, subdirs_now());
	}
	return look_both(f, dirfd, how);
}

/*
 * Reads what is not unchanged. Both stamps are compared only when both directories have been read: somebody
 * who moves a message from one to the other between the two readings has disturbed both.
 */
static int read_both(struct scan *s, struct scan_folder *f, int dirfd, const struct subdirs_how *how)
{
	int64_t start = subdirs_now();
	int i, fd, r = 0, same;

	for (i = 0; i < 2 && r >= 0; i++) {
		struct scan_dir *dir = &f->sub[i];

		if (!dir->present || dir->unchanged)
			continue;
		fd = open_sub(dirfd, i);
		if (fd < 0) {
			/* Removed since: then the stamp will not be the same either. */
			if (!is_absence(errno))
				r = -1;
			continue;
		}
		r = listing_rewind(how->listing, fd);
		if (!r)
			r = read_names(s, f, i, dir, how->listing);
		same = errno;
		close(fd);
		errno = same;
	}
	for (i = 0; i < 2 && r >= 0; i++) {
		struct scan_dir *dir = &f->sub[i];

		same = still_same(dirfd, i, dir);
		if (same < 0)
			return -1;
		dir->stable = same && (!dir->present || dir->unchanged || !subdirs_fresh(&dir->stamp, start));
	}
	return r < 0 ? -1 : 0;
}

int subdirs_read(struct scan *s, struct scan_folder *f, int dirfd, const struct subdirs_how *how,
		 struct err *err)
{
	struct lock lock = { .dirfd = -1 };
	char folder[256];
	int rc;

	path_show(folder, sizeof(folder), f->path);
	f->locked = false;
	if (look_both(f, dirfd, how))
		goto fail;
	if (needs_reading(f)) {
		/*
		 * First without the lock, so that nobody waits for our waiting; once more with it, if
		 * somebody was busy here meanwhile.
		 */
		if (how->settle && settle(f, dirfd, how))
			goto fail;
		rc = lock_folder(&lock, how->disk, dirfd, f->path, NULL);
		if (rc == ERR_NOTFOUND)
			return err_set(err, rc, "folder '%s' is gone", folder);
		/*
		 * No write permission, no space, no patience: read without, and who asks is told by .locked
		 * and .stable.
		 */
		f->locked = !rc;
		if (look_both(f, dirfd, how) || (how->settle && settle(f, dirfd, how)))
			goto fail;
	}
	if (read_both(s, f, dirfd, how))
		goto fail;
	lock_release(&lock);
	return 0;
fail:
	rc = err_errno(err, "cannot read folder '%s'", folder);
	lock_release(&lock);
	return rc;
}
