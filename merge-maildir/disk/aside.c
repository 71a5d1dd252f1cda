/*
 * aside.c -- whole folders in the root's tmp/: taken there before they are removed, and cleared away after a kill.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "aside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/path.h"
#include "build.h"
#include "file.h"
#include "listing.h"
#include "lock.h"
#include "repair.h"
#include "residue.h"
#include "rmtree.h"

#define GONE ".gone"
#define ORIGIN ".lock" /* what file_write_tmp()'s names end in */

/* Opened anew for each reading: a read position is shared by all who have the descriptor. */
static int open_at(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_tmp(const struct disk *d, int *fd, struct err *err)
{
	int rc = file_mkdirs(d, "tmp", err);

	*fd = rc ? -1 : file_open_dir(d, "tmp");
	return rc ? rc : *fd < 0 ? err_errno(err, "cannot open directory 'tmp'") : 0;
}

/* --- removing */

/*
 * Removes a cur/ or new/ by rmdir, which refuses when a message has come meanwhile, from whoever still delivers
 * through an open directory. 0, 1 if there is something in it, -1 with errno.
 */
static int strip_part(int fd, const char *part)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, sub = open_at(fd, part);

	if (sub < 0)
		return errno == ENOENT ? 0 : -1;
	l.fd = sub;
	while ((rc = listing_next(&l, &e)) > 0)
		if (e.type != DT_DIR && residue_is_harmless(e.name, e.len))
			unlinkat(sub, e.name, 0);
	listing_release(&l);
	close(sub);
	if (rc)
		return -1;
	if (!unlinkat(fd, part, AT_REMOVEDIR) || errno == ENOENT)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -1;
}

/* Both or none. */
static int strip(const struct disk *d, int fd)
{
	int rc = strip_part(fd, "new");

	if (!rc) {
		rc = strip_part(fd, "cur");
		if (rc)
			mkdirat(fd, "new", d->dir_mode);
	}
	return rc;
}

/*
 * What makes the directory open at fd a folder, but for cur/ and new/: its tmp/, marker, caches. What is
 * replicated, and other folders, stay.
 */
static int remove_own_files(int fd, const char *path)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, own = open_at(fd, ".");

	if (own < 0)
		return -1;
	l.fd = own;
	while ((rc = listing_next(&l, &e)) > 0) {
		unsigned has = 0;

		if (e.type == DT_DIR || !strcmp(e.name, LOCK_NAME))
			continue;
		residue_of_file(path, e.name, &has);
		if (!(has & RESIDUE_FILE) && unlinkat(fd, e.name, 0) && errno != ENOENT) {
			rc = -1;
			break;
		}
	}
	listing_release(&l);
	close(own);
	return rc ? -1 : rmtree(fd, "tmp");
}

static int failed(const char *path, struct err *err)
{
	return err_errno(err, "cannot remove folder '%s'", path);
}

/* Under the lock: the folder stays a directory, because there are others below it. */
static int remove_in_place(const struct disk *d, int fd, const char *path, struct err *err)
{
	int rc = strip(d, fd);

	if (rc > 0)
		return ASIDE_KEPT;
	if (rc || remove_own_files(fd, path) || file_sync_dir(fd))
		return failed(path, err);
	return ASIDE_REMOVED;
}

/* --- taking aside and putting back */

static bool change_end(char *out, size_t size, const char *name, const char *from, const char *to)
{
	size_t len = strlen(name), cut = strlen(from);

	if (len <= cut || strcmp(name + len - cut, from))
		return false;
	return snprintf(out, size, "%.*s%s", (int)(len - cut), name, to) < (int)size;
}

bool aside_origin(char *out, size_t size, const char *gone)
{
	return change_end(out, size, gone, GONE, ORIGIN);
}

bool aside_gone(char *out, size_t size, const char *origin)
{
	return change_end(out, size, origin, ORIGIN, GONE);
}

/* Whether an entry of a folder's directory is more than a part or a cache. */
static bool is_worth_moving(const char *path, const struct listing_entry *e)
{
	unsigned has = 0;

	if (e->type == DT_DIR)
		return !residue_is_part(e->name);
	residue_of_file(path, e->name, &has);
	return has & RESIDUE_FILE;
}

/*
 * Moves what matters from one directory to another: mail, or, when path is set, what else is in the folder of
 * that path. 0, 1 if something could not be moved, -1 with errno.
 */
static int pour(int from, int to, const char *path)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, left = 0, own = open_at(from, ".");

	if (own < 0)
		return -1;
	l.fd = own;
	while ((rc = listing_next(&l, &e)) > 0) {
		if (path ? !is_worth_moving(path, &e) : residue_is_harmless(e.name, e.len))
			continue;
		if (file_rename_new(from, e.name, to, e.name) && errno != ENOENT)
			left = 1;
	}
	listing_release(&l);
	close(own);
	return rc ? -1 : left;
}

static int pour_part(int from, int to, const char *part)
{
	int a = open_at(from, part), b = open_at(to, part), rc = 0;

	if (a >= 0)
		rc = b < 0 ? -1 : pour(a, b, NULL);
	if (b >= 0 && !rc && file_sync_dir(b))
		rc = -1;
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return rc;
}

/* Somebody made the folder again: what is in the one that was taken aside goes there. */
static int pour_back(const struct disk *d, int tmpfd, const char *gone, const char *path, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	int from = open_at(tmpfd, gone), to = -1;
	int rc = repair_folder_dirs(d, path, err);

	if (rc)
		goto out;
	to = file_open_dir(d, path);
	if (from < 0 || to < 0) {
		rc = err_errno(err, "cannot put back folder '%s'", path);
		goto out;
	}
	rc = lock_folder(&l, d, to, path, err);
	if (rc)
		goto out;
	if (pour_part(from, to, "new") || pour_part(from, to, "cur") || strip(d, from) || pour(from, to, path))
		rc = err_set(err, ERR_FAIL, "cannot put back all of folder '%s': the rest is in 'tmp/%s'", path,
			     gone);
out:
	lock_release(&l);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	if (!rc && rmtree(tmpfd, gone))
		rc = failed(gone, err);
	return rc;
}

static int put_back(const struct disk *d, int tmpfd, const char *gone, const char *path, struct err *err)
{
	const char *base;
	int rc = 0, parent = file_make_parent(d, path, &base, err);

	if (parent < 0)
		return parent;
	if (!file_rename_new(tmpfd, gone, parent, base))
		rc = file_sync_dir(parent) ? err_errno(err, "cannot sync the directory of '%s'", path) : 0;
	else if (errno == EEXIST)
		rc = pour_back(d, tmpfd, gone, path, err);
	else
		rc = err_errno(err, "cannot put back folder '%s', which is in 'tmp/%s'", path, gone);
	close(parent);
	return rc;
}

/*
 * Looks once more at what was taken aside, where nobody finds it by its path any more, and removes it or puts
 * it back. A result.
 */
static int settle(const struct disk *d, int tmpfd, const char *gone, const char *path, struct lock *l,
		  struct err *err)
{
	unsigned has = 0;
	int rc, fd = open_at(tmpfd, gone);

	if (fd < 0)
		return failed(path, err);
	rc = residue_find(fd, path, &has);
	if (!rc && !(has & ~RESIDUE_PARTS))
		rc = strip(d, fd);
	else
		rc = rc ? rc : 1;
	close(fd);
	if (rc < 0)
		failed(path, err);
	lock_release(l);
	if (rc) {
		int back = put_back(d, tmpfd, gone, path, rc < 0 ? NULL : err);

		return rc < 0 ? ERR_FAIL : back ? back : ASIDE_KEPT;
	}
	if (rmtree(tmpfd, gone))
		return failed(path, err);
	return ASIDE_REMOVED;
}

static bool is_there(int dirfd, const char *name)
{
	struct stat st;

	return !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT;
}

/* Under the lock, which goes with the folder. A result, or 100 if the folder cannot be moved. */
#define CANNOT_MOVE 100
static int remove_aside(struct disk *d, const char *path, struct lock *l, struct err *err)
{
	char origin[FILE_TMP_NAME] = "", gone[FILE_TMP_NAME];
	const char *base;
	int tmpfd, parent = -1;
	int rc = open_tmp(d, &tmpfd, err);

	if (rc)
		return rc;
	parent = file_open_parent(d, path, &base);
	if (parent < 0) {
		rc = failed(path, err);
		goto out;
	}
	rc = file_write_tmp(d, tmpfd, origin, path, strlen(path), -1, true, err);
	if (rc) {
		origin[0] = '\0';
		goto out;
	}
	if (!aside_gone(gone, sizeof(gone), origin) || file_sync_dir(tmpfd)) {
		rc = failed(path, err);
	} else if (file_rename_new(parent, base, tmpfd, gone)) {
		rc = errno == ENOENT					  ? ASIDE_ABSENT
		     : errno == EXDEV || errno == EBUSY || errno == EPERM ? CANNOT_MOVE
									  : failed(path, err);
	} else {
		rc = settle(d, tmpfd, gone, path, l, err);
		if (rc >= 0 && file_sync_dir(parent))
			rc = failed(path, err);
		/* Still needed where it could be neither removed nor put back. */
		if (rc < 0 && is_there(tmpfd, gone))
			origin[0] = '\0';
	}
out:
	if (origin[0])
		unlinkat(tmpfd, origin, 0);
	if (parent >= 0)
		close(parent);
	close(tmpfd);
	return rc;
}

/* A folder that could not be moved is an empty directory now; one with others below it is not. */
static void remove_if_empty(const struct disk *d, const char *path)
{
	const char *base;
	int fd = file_open_parent(d, path, &base);

	if (fd >= 0) {
		unlinkat(fd, base, AT_REMOVEDIR);
		close(fd);
	}
}

int aside_remove_folder(struct disk *d, const char *path, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	unsigned has = 0;
	int rc, fd = file_open_dir(d, path);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ASIDE_ABSENT : failed(path, err);
	if (residue_find(fd, path, &has)) {
		rc = failed(path, err);
	} else if (!(has & RESIDUE_PARTS) && (has & (RESIDUE_FILE | RESIDUE_CHILD))) {
		rc = ASIDE_ABSENT;
	} else if ((has & RESIDUE_MESSAGE) || ((has & RESIDUE_FILE) && !(has & RESIDUE_CHILD))) {
		rc = ASIDE_KEPT;
	} else {
		rc = lock_folder(&l, d, fd, path, err);
		if (!rc)
			rc = has & RESIDUE_CHILD ? CANNOT_MOVE : remove_aside(d, path, &l, err);
		if (rc == CANNOT_MOVE)
			rc = remove_in_place(d, fd, path, err);
	}
	lock_release(&l);
	close(fd);
	if (rc == ASIDE_REMOVED)
		remove_if_empty(d, path);
	return rc;
}

/* Where the folder was that is "tmp/<gone>" now: 1, 0 if nothing says so, or a negative code. */
static int read_origin(const struct disk *d, const char *gone, struct bytes *path, struct err *err)
{
	char origin[FILE_TMP_NAME], file[FILE_TMP_NAME + 8];
	int rc;

	if (!aside_origin(origin, sizeof(origin), gone))
		return 0;
	snprintf(file, sizeof(file), "tmp/%s", origin);
	rc = file_read(d, file, path, NULL, err);
	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	if (!path->len || strlen(path->buf) != path->len || path_unsafe(path->buf, path->len))
		return err_set(err, ERR_UNSAFE, "'%s' does not say where a folder was", file);
	return 1;
}

/* A folder without a place: one whose origin is lost. */
static int discard(const struct disk *d, int tmpfd, const char *name, struct err *err)
{
	unsigned has = 0;
	int rc, fd = open_at(tmpfd, name);

	if (fd < 0)
		return failed(name, err);
	rc = residue_find(fd, "folder", &has);
	if (!rc)
		rc = has & ~RESIDUE_PARTS ? 1 : strip(d, fd);
	close(fd);
	if (rc > 0)
		return err_set(err, ERR_FAIL, "there is mail in 'tmp/%s', and nothing says from which folder", name);
	if (rc || rmtree(tmpfd, name))
		return failed(name, err);
	return ASIDE_REMOVED;
}

int aside_finish(const struct disk *d, const char *name, struct err *err)
{
	struct lock none = { .dirfd = -1 };
	char origin[FILE_TMP_NAME];
	struct bytes path = { 0 };
	int tmpfd, fd, rc = open_tmp(d, &tmpfd, err);

	if (rc)
		return rc;
	if (build_origin(origin, sizeof(origin), name)) {
		rc = rmtree(tmpfd, name) ? failed(name, err) : ASIDE_REMOVED;
		goto out;
	}
	rc = read_origin(d, name, &path, err);
	if (rc < 0)
		goto out;
	/* The lock in it is that of the process that is dead. */
	fd = open_at(tmpfd, name);
	if (fd >= 0) {
		unlinkat(fd, LOCK_NAME, 0);
		close(fd);
	}
	rc = rc ? settle(d, tmpfd, name, path.buf, &none, err) : discard(d, tmpfd, name, err);
	if (rc >= 0 && aside_origin(origin, sizeof(origin), name))
		unlinkat(tmpfd, origin, 0);
out:
	bytes_release(&path);
	close(tmpfd);
	return rc;
}
