/*
 * repair.c -- puts right what stock git breaks in a Maildir, and removes what a killed apply left.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "repair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/marker.h"
#include "../core/path.h"
#include "aside.h"
#include "build.h"
#include "file.h"
#include "listing.h"

/* As a scan: deeper than any mail server goes. */
#define DEEPEST 64
/* What temporary files have in common whatever process made them (file.c). */
#define TMP_PREFIX "git-maildir."
/* After this time Dovecot and others remove anything from tmp/, so nobody can be waiting for it. */
#define TMP_OLDEST ((time_t)36 * 3600)

static const char *const parts[] = { "cur", "new", "tmp" };

struct repair {
	const struct disk *d;
	const struct repair_ops *ops;
	int64_t since;
	bool check_only;
	bool tmp_only; /* repair_tmp() rather than repair_store() */
};

static void join(char out[PATH_MAX], const char *dir, const char *name)
{
	/* The walk goes no deeper than fits. */
	snprintf(out, PATH_MAX, "%.3000s%s%.255s", dir, *dir ? "/" : "", name);
}

__attribute__((format(printf, 4, 5))) static void note(const struct repair *r, const char *dir, const char *name,
						       const char *fmt, ...)
{
	char path[PATH_MAX], what[256];
	va_list ap;

	if (!r->ops || !r->ops->note)
		return;
	join(path, dir, name);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	r->ops->note(r->ops->ctx, path, what);
}

static int open_at(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int repair_folder_dirs(const struct disk *d, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < 3; i++) {
		if (snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", parts[i]) >= (int)sizeof(path))
			return err_set(err, ERR_UNSAFE, "the path of a folder is too long");
		rc = file_mkdirs(d, path, err);
	}
	return rc;
}

/* --- modes and dates */

/* Takes away what the root's mode does not let in. fd is open, or -1: then dirfd/name is opened for it. */
static int fix_mode(const struct repair *r, int dirfd, const char *dir, const char *name, int fd,
		    const struct stat *st, mode_t most)
{
	mode_t mode = st->st_mode & 07777 & ~(0777 & ~most);
	int own = fd, rc;

	if (mode == (st->st_mode & 07777))
		return 0;
	note(r, dir, name, "its mode is %04o, not %04o", (unsigned)st->st_mode & 07777, (unsigned)mode);
	if (r->check_only)
		return 0;
	if (fd < 0)
		own = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return errno == ENOENT ? 0 : -1;
	rc = fchmod(own, mode);
	if (fd < 0)
		close(own);
	return rc;
}

static void show_time(char out[32], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(out, 32, "%lld", (long long)seconds);
}

static int fix_date(const struct repair *r, int dirfd, const char *dir, const char *name, const struct stat *st,
		    const struct marker *m)
{
	const char *colon = strchr(name, ':');
	int64_t want = marker_mtime(m, name, colon ? (size_t)(colon - name) : strlen(name));
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)want } };
	char is[32], should[32];

	/*
	 * A file that was made before since has the date its server gave it, which the marker need not know
	 * yet.
	 */
	if (want < 0 || st->st_mtim.tv_sec == want || st->st_ctim.tv_sec < r->since)
		return 0;
	if (r->ops && r->ops->dated) {
		char path[PATH_MAX];

		join(path, dir, name);
		if (!r->ops->dated(r->ops->ctx, path))
			return 0;
	}
	show_time(is, st->st_mtim.tv_sec);
	show_time(should, want);
	note(r, dir, name, "its date is %s, not %s", is, should);
	if (r->check_only || !utimensat(dirfd, name, times, AT_SYMLINK_NOFOLLOW) || errno == ENOENT)
		return 0;
	return -1;
}

/* All messages of a cur/ or new/ that is open at fd. */
static int fix_messages(const struct repair *r, int fd, const char *dir, const struct marker *m, struct err *err)
{
	struct listing l = { .fd = fd };
	struct listing_entry e;
	struct stat st;
	int more = 0, rc = 0;

	while (!rc && (more = listing_next(&l, &e)) > 0) {
		if (e.type != DT_REG || !name_is_message(e.name, e.len))
			continue;
		/* Renamed or deleted meanwhile: somebody is using it, so it cannot be far wrong. */
		if (fstatat(fd, e.name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		if (fix_mode(r, fd, dir, e.name, -1, &st, r->d->file_mode) || fix_date(r, fd, dir, e.name, &st, m))
			rc = err_errno(err, "cannot repair '%s/%s'", dir, e.name);
	}
	if (!rc && more < 0)
		rc = err_errno(err, "cannot read '%s'", dir);
	listing_release(&l);
	return rc;
}

static void read_marker(const struct repair *r, const char *folder, struct marker *m)
{
	struct bytes text = { 0 };
	char path[PATH_MAX];

	join(path, folder, PATH_MARKER_NAME);
	if (!file_read(r->d, path, &text, NULL, NULL))
		marker_parse(m, text.buf, text.len);
	bytes_release(&text);
}

static int fix_folder(const struct repair *r, int fd, const char *folder, struct err *err)
{
	struct marker m = { 0 };
	char dir[PATH_MAX];
	struct stat st;
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < 3; i++) {
		if (!fstatat(fd, parts[i], &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT)
			continue;
		note(r, folder, parts[i], "is missing");
		join(dir, folder, parts[i]);
		if (!r->check_only)
			rc = file_mkdirs(r->d, dir, err);
	}
	if (rc)
		return rc;
	read_marker(r, folder, &m);
	for (i = 0; !rc && i < 3; i++) {
		int sub = open_at(fd, parts[i]);

		if (sub < 0)
			continue;
		join(dir, folder, parts[i]);
		if (fstat(sub, &st) || fix_mode(r, -1, folder, parts[i], sub, &st, r->d->dir_mode))
			rc = err_errno(err, "cannot repair '%s'", dir);
		else if (strcmp(parts[i], "tmp"))
			rc = fix_messages(r, sub, dir, &m, err);
		close(sub);
	}
	marker_release(&m);
	return rc;
}

/* --- leftovers */

static bool is_left(const struct repair *r, int fd, const struct listing_entry *e)
{
	char file[FILE_TMP_NAME];
	struct stat st;

	if (strncmp(e->name, TMP_PREFIX, strlen(TMP_PREFIX)))
		return false;
	if (file_tmp_is_left(r->d, aside_origin(file, sizeof(file), e->name) || build_origin(file, sizeof(file), e->name)
					   ? file
					   : e->name))
		return true;
	/* Not the mtime: that of a message is its date. */
	return !fstatat(fd, e->name, &st, AT_SYMLINK_NOFOLLOW) && time(NULL) - st.st_ctim.tv_sec > TMP_OLDEST;
}

/* Whether a file says where a folder was that still waits to be put back or removed. */
static bool is_needed(int fd, const char *name)
{
	char gone[FILE_TMP_NAME];
	struct stat st;

	return aside_gone(gone, sizeof(gone), name) && !fstatat(fd, gone, &st, AT_SYMLINK_NOFOLLOW);
}

/* A directory: only apply makes them, and only in the root's tmp/. */
static void finish_aside(const struct repair *r, const char *dir, const char *name)
{
	struct err why;
	int rc;

	if (r->check_only) {
		note(r, dir, name, "was left by a process that is dead");
		return;
	}
	rc = aside_finish(r->d, name, &why);
	if (rc < 0)
		note(r, dir, name, "cannot be cleared away: %.200s", why.msg);
	else
		note(r, dir, name,
		     rc == ASIDE_KEPT ? "was left by a process that is dead, and has mail in it: put back"
				      : "was left by a process that is dead");
}

static int clear_one(const struct repair *r, int fd, const char *dir, const struct listing_entry *e, struct err *err)
{
	if (!is_left(r, fd, e))
		return 0;
	if (e->type == DT_DIR) {
		if (!strcmp(dir, "tmp"))
			finish_aside(r, dir, e->name);
		return 0;
	}
	if (is_needed(fd, e->name))
		return 0;
	note(r, dir, e->name, "was left by a process that is dead");
	if (!r->check_only && unlinkat(fd, e->name, 0) && errno != ENOENT)
		return err_errno(err, "cannot delete '%s/%s'", dir, e->name);
	return 0;
}

/* The directory open at fd: a folder's tmp/, or one in which there was no tmp/ to work in. */
static int clear_left(const struct repair *r, int fd, const char *dir, struct err *err)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int more = 0, rc = 0, own = open_at(fd, ".");

	if (own < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot read '%s'", dir);
	l.fd = own;
	while (!rc && (more = listing_next(&l, &e)) > 0)
		rc = clear_one(r, fd, dir, &e, err);
	if (!rc && more < 0)
		rc = err_errno(err, "cannot read '%s'", dir);
	listing_release(&l);
	close(own);
	return rc;
}

static int clear_folder(const struct repair *r, int fd, const char *folder, struct err *err)
{
	char dir[PATH_MAX];
	int sub, rc = clear_left(r, fd, folder, err);

	if (rc)
		return rc;
	sub = open_at(fd, "tmp");
	if (sub < 0)
		return 0;
	join(dir, folder, "tmp");
	rc = clear_left(r, sub, dir, err);
	close(sub);
	return rc;
}

/* --- the walk over all folders */

struct names {
	const char **v;
	size_t n, cap;
	bool folder; /* there is a cur/, a new/ or a marker */
	struct arena arena;
};

/* First the names, then the work: the work changes the directory. */
static int list(int fd, struct names *out)
{
	struct listing l = { .fd = fd };
	struct listing_entry e;
	int rc;

	while ((rc = listing_next(&l, &e)) > 0) {
		if (e.type == DT_DIR && (!strcmp(e.name, "cur") || !strcmp(e.name, "new")))
			out->folder = true;
		if (e.type == DT_REG && !strcmp(e.name, PATH_MARKER_NAME))
			out->folder = true;
		if (e.type == DT_DIR && !path_skip_dir(e.name, e.len)) {
			MEM_GROW(out->v, out->n, out->cap);
			out->v[out->n++] = arena_strn(&out->arena, e.name, e.len);
		}
	}
	listing_release(&l);
	return rc;
}

static int walk(const struct repair *r, int fd, const char *path, unsigned depth, struct err *err);

static int walk_below(const struct repair *r, int fd, const char *path, const char *name, unsigned depth,
		      struct err *err)
{
	char below[PATH_MAX];
	struct stat st;
	int sub, rc = 0;

	if (depth == DEEPEST || strlen(path) + strlen(name) >= 3000)
		return 0;
	join(below, path, name);
	sub = open_at(fd, name);
	if (sub < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_errno(err, "cannot open directory '%s'", below);
	if (!r->tmp_only && (fstat(sub, &st) || fix_mode(r, -1, path, name, sub, &st, r->d->dir_mode)))
		rc = err_errno(err, "cannot repair '%s'", below);
	if (!rc)
		rc = walk(r, sub, below, depth + 1, err);
	close(sub);
	return rc;
}

static int walk(const struct repair *r, int fd, const char *path, unsigned depth, struct err *err)
{
	struct names names = { 0 };
	size_t i;
	int rc = list(fd, &names);

	if (rc)
		rc = err_errno(err, "cannot read directory '%s'", path);
	else if (r->tmp_only)
		rc = clear_folder(r, fd, path, err);
	else if (names.folder)
		rc = fix_folder(r, fd, path, err);
	for (i = 0; !rc && i < names.n; i++)
		rc = walk_below(r, fd, path, names.v[i], depth, err);
	free(names.v);
	arena_release(&names.arena);
	return rc;
}

static int walk_all(const struct repair *r, struct err *err)
{
	int rc, fd = file_open_dir(r->d, "");

	if (fd < 0)
		return err_errno(err, "cannot open '%s'", r->d->path);
	rc = walk(r, fd, "", 0, err);
	close(fd);
	return rc;
}

int repair_store(struct disk *d, int64_t since, bool check_only, const struct repair_ops *ops, struct err *err)
{
	const struct repair r = { .d = d, .ops = ops, .since = since, .check_only = check_only };

	return walk_all(&r, err);
}

int repair_tmp(const struct disk *d, bool check_only, const struct repair_ops *ops, struct err *err)
{
	const struct repair r = { .d = d, .ops = ops, .check_only = check_only, .tmp_only = true };

	return walk_all(&r, err);
}
