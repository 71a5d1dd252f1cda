/*
 * build.c -- a folder that is built in the root's tmp/, and appears with all that is in it in one instant.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/keywords.h"
#include "../core/uidlist.h"
#include "lock.h"
#include "rmtree.h"

#define NEW ".new"
#define ORIGIN ".lock" /* what file_write_tmp()'s names end in */

static int sync_dir(int fd)
{
	/* EINVAL: a file system whose directories have no fsync. */
	return fsync(fd) && errno != EINVAL ? -1 : 0;
}

static int open_at(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int cannot(const char *path, struct err *err)
{
	return err_errno(err, "cannot make folder '%s'", path);
}

bool build_origin(char *out, size_t size, const char *name)
{
	size_t len = strlen(name), cut = sizeof(NEW) - 1;

	if (len <= cut || strcmp(name + len - cut, NEW))
		return false;
	return snprintf(out, size, "%.*s" ORIGIN, (int)(len - cut), name) < (int)size;
}

int build_begin(struct disk *d, char name[FILE_TMP_NAME], struct err *err)
{
	static const char *const parts[] = { "cur", "new", "tmp" };
	char unique[FILE_TMP_NAME], part[FILE_TMP_NAME + 16];
	int i, tmpfd, rc = file_mkdirs(d, "tmp", err);

	if (rc)
		return rc;
	tmpfd = file_open_dir(d, "tmp");
	if (tmpfd < 0)
		return err_errno(err, "cannot open directory 'tmp'");
	/* A unique name, from those who know how. */
	rc = file_write_tmp(d, tmpfd, unique, "", 0, -1, false, err);
	if (!rc)
		unlinkat(tmpfd, unique, 0);
	close(tmpfd);
	if (rc)
		return rc;
	snprintf(name, FILE_TMP_NAME, "%.*s" NEW, (int)(strlen(unique) - (sizeof(ORIGIN) - 1)), unique);
	for (i = 0; !rc && i < 3; i++) {
		snprintf(part, sizeof(part), "tmp/%s/%s", name, parts[i]);
		rc = file_mkdirs(d, part, err);
	}
	if (rc)
		build_drop(d, name);
	return rc;
}

int build_drop(const struct disk *d, const char *name)
{
	int rc, tmpfd = file_open_dir(d, "tmp");

	if (tmpfd < 0)
		return errno == ENOENT ? 0 : -1;
	rc = rmtree(tmpfd, name);
	close(tmpfd);
	return rc;
}

static bool is_there(int fd, const char *name)
{
	struct stat st;

	return !fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT;
}

/*
 * Moves the parts of a folder into the directory open at to, which is none yet. Servers know a folder by its cur/. 0,
 * 1 if somebody else has made a part meanwhile, -1 with errno.
 */
static int pour(int from, int to)
{
	static const char *const parts[] = { KEYWORDS_NAME, UIDLIST_NAME, "tmp", "new", "cur" };
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!renameat2(from, parts[i], to, parts[i], RENAME_NOREPLACE))
			continue;
		/* There need be no list, and the root has its tmp/, in which all of this is done. */
		if (errno == ENOENT || (errno == EEXIST && !strcmp(parts[i], "tmp")))
			continue;
		return errno == EEXIST || errno == EXDEV || errno == EINVAL || errno == ENOSYS ? 1 : -1;
	}
	return sync_dir(to);
}

/* There is a directory at path. 0, 1 or an err_code. */
static int place_into(struct disk *d, int from, const char *path, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	int rc, to = file_open_dir(d, path);

	if (to < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 1 : cannot(path, err);
	rc = lock_folder(&l, d, to, path, err);
	if (!rc) {
		rc = is_there(to, "cur") || is_there(to, "new") ? 1 : pour(from, to);
		if (rc < 0)
			rc = cannot(path, err);
	}
	lock_release(&l);
	close(to);
	return rc == ERR_NOTFOUND ? ERR_AGAIN : rc;
}

/* Nothing is at path: 0, 1 if there is now, 2 if there is no way, or an err_code. */
static int place_whole(struct disk *d, int tmpfd, const char *name, const char *path, struct err *err)
{
	const char *base;
	int rc = 0, parent = file_make_parent(d, path, &base, err);

	if (parent < 0)
		return parent;
	if (renameat2(tmpfd, name, parent, base, RENAME_NOREPLACE))
		rc = errno == EEXIST					  ? 1
		     : errno == EXDEV || errno == EINVAL || errno == ENOSYS ? 2
									  : cannot(path, err);
	else if (sync_dir(parent))
		rc = cannot(path, err);
	close(parent);
	return rc;
}

int build_place(struct disk *d, const char *name, const char *path, struct err *err)
{
	int tmpfd = file_open_dir(d, "tmp"), from, rc = 1;

	if (tmpfd < 0)
		return err_errno(err, "cannot open directory 'tmp'");
	if (*path)
		rc = place_whole(d, tmpfd, name, path, err);
	if (rc == 1) {
		from = open_at(tmpfd, name);
		rc = from < 0 ? cannot(path, err) : place_into(d, from, path, err);
		if (from >= 0)
			close(from);
		if (!rc && rmtree(tmpfd, name))
			rc = cannot(path, err);
	}
	close(tmpfd);
	return rc > 0 ? 1 : rc;
}

int build_new_folder(struct disk *d, const char *path, struct err *err)
{
	char name[FILE_TMP_NAME];
	int rc = build_begin(d, name, err);

	if (rc)
		return rc;
	rc = build_place(d, name, path, err);
	if (rc)
		build_drop(d, name);
	return rc;
}
