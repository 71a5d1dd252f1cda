/*
 * mvdir.c -- a folder gets another path: its directory is renamed, with all that is in it, in one instant.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mvdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "lock.h"
#include "residue.h"

static int failed(const char *from, const char *to, struct err *err)
{
	return err_errno(err, "cannot rename folder '%s' to '%s'", from, to);
}

static bool has_part(int fd, const char *part)
{
	struct stat st;

	return !fstatat(fd, part, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

/* Servers know a folder by its cur/; mail in a new/ alone is mail, too. */
static bool is_folder(int fd)
{
	return has_part(fd, "cur") || has_part(fd, "new");
}

/* What is at the new path: MVDIR_DONE if nothing, MVDIR_GONE if a folder, MVDIR_TAKEN if anything else, or -1 with errno. */
static int look_at_target(const struct disk *d, const char *to)
{
	const char *base;
	struct stat st;
	int rc, fd, parent = file_open_parent(d, to, &base);

	/* A parent that is missing can be made. */
	if (parent < 0)
		return errno == ENOENT ? MVDIR_DONE : errno == ENOTDIR || errno == ELOOP ? MVDIR_TAKEN : -1;
	rc = !fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) ? MVDIR_TAKEN : errno == ENOENT ? MVDIR_DONE : -1;
	if (rc == MVDIR_TAKEN && S_ISDIR(st.st_mode)) {
		fd = openat(parent, base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && is_folder(fd))
			rc = MVDIR_GONE;
		if (fd >= 0)
			close(fd);
	}
	close(parent);
	return rc;
}

/*
 * The folder that is to be renamed, opened; fd is -1 unless the result is MVDIR_DONE. A file system that is mounted there is
 * seen by its device.
 */
static int open_source(const struct disk *d, const char *from, const char *to, int *fd, struct err *err)
{
	const char *base;
	struct stat st, above;
	size_t len = strlen(from);
	int rc, parent;

	*fd = -1;
	/* Into itself. */
	if (!strncmp(to, from, len) && (to[len] == '/' || !to[len]))
		return MVDIR_CANNOT;
	*fd = file_open_dir(d, from);
	if (*fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
		return failed(from, to, err);
	if (*fd < 0 && errno != ENOENT)
		return MVDIR_CANNOT;
	rc = look_at_target(d, to);
	if (*fd >= 0 && !is_folder(*fd)) {
		close(*fd);
		*fd = -1;
	}
	if (*fd < 0)
		return rc < 0 ? failed(from, to, err) : rc == MVDIR_GONE ? MVDIR_GONE : MVDIR_ABSENT;
	parent = file_open_parent(d, from, &base);
	if (rc < 0 || parent < 0 || fstat(*fd, &st) || fstat(parent, &above))
		rc = failed(from, to, err);
	else if (st.st_dev != above.st_dev)
		rc = MVDIR_CANNOT;
	else if (rc != MVDIR_DONE)
		rc = MVDIR_TAKEN;
	if (parent >= 0)
		close(parent);
	if (rc == MVDIR_DONE) {
		rc = residue_find_child(*fd, from);
		rc = rc < 0 ? failed(from, to, err) : rc ? MVDIR_HOLDS : MVDIR_DONE;
	}
	if (rc != MVDIR_DONE) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int mvdir_look(const struct disk *d, const char *from, const char *to, struct err *err)
{
	int fd, rc = open_source(d, from, to, &fd, err);

	if (fd >= 0)
		close(fd);
	return rc;
}

/*
 * Without replacing. Where a file system cannot tell, the plain rename does: a directory replaces nothing but an empty
 * directory, which is no folder.
 */
static int rename_dir(int fromfd, const char *from, int tofd, const char *to)
{
	if (!renameat2(fromfd, from, tofd, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return renameat(fromfd, from, tofd, to);
}

/* Under the lock of the folder that is open at fd. */
static int move_locked(const struct disk *d, int fd, const char *from, const char *to, struct err *err)
{
	const char *from_base, *to_base;
	int rc, parent, toparent = file_make_parent(d, to, &to_base, err);
	struct stat st, now;

	if (toparent < 0)
		return toparent;
	parent = file_open_parent(d, from, &from_base);
	if (parent < 0 || fstat(fd, &st)) {
		rc = failed(from, to, err);
	} else if (fstatat(parent, from_base, &now, AT_SYMLINK_NOFOLLOW) || now.st_dev != st.st_dev || now.st_ino != st.st_ino) {
		/* Somebody renamed it, and perhaps made another one, before we had the lock. */
		rc = MVDIR_ABSENT;
	} else if ((rc = residue_find_child(fd, from)) != 0) {
		rc = rc < 0 ? failed(from, to, err) : MVDIR_HOLDS;
	} else if (rename_dir(parent, from_base, toparent, to_base)) {
		rc = errno == ENOENT				    ? MVDIR_ABSENT
		     : errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ? MVDIR_TAKEN
		     : errno == EXDEV || errno == EBUSY || errno == EPERM || errno == EACCES || errno == EINVAL
			     ? MVDIR_CANNOT
			     : failed(from, to, err);
	} else if (file_sync_dir(toparent) || file_sync_dir(parent)) {
		rc = failed(from, to, err);
	} else {
		rc = MVDIR_DONE;
	}
	if (parent >= 0)
		close(parent);
	close(toparent);
	return rc;
}

int mvdir_move(const struct disk *d, const char *from, const char *to, struct err *err)
{
	struct lock l = { .dirfd = -1 };
	int fd, rc = open_source(d, from, to, &fd, err);

	if (rc != MVDIR_DONE)
		return rc;
	rc = lock_folder(&l, d, fd, from, err);
	if (!rc)
		rc = move_locked(d, fd, from, to, err);
	else if (rc == ERR_NOTFOUND)
		rc = MVDIR_ABSENT;
	/* It is in the directory, wherever that is now. */
	lock_release(&l);
	close(fd);
	return rc;
}
