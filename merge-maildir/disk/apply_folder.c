/*
 * apply_folder.c -- folders for apply: opened for work, made whole.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "apply_step.h"
#include "build.h"
#include "file.h"
#include "repair.h"

static const char *const parts[] = { "new", "cur", "tmp" };

static int open_parts(struct apply_folder *f)
{
	int *fds[] = { &f->sub[NAME_NEW], &f->sub[NAME_CUR], &f->tmp };
	int i;

	for (i = 0; i < 3; i++) {
		if (*fds[i] < 0)
			*fds[i] = openat(f->fd, parts[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (*fds[i] < 0)
			return -1;
	}
	return 0;
}

int apply_folder_open(struct apply_folder *f, struct disk *d, const char *path, enum apply_open how, struct err *err)
{
	int rc = 0;

	*f = (struct apply_folder){ .path = path, .fd = -1, .sub = { -1, -1 }, .tmp = -1 };
	f->fd = file_open_dir(d, path);
	if (f->fd < 0) {
		rc = err_errno(err, "cannot open folder '%s'", path);
		goto out;
	}
	rc = open_parts(f);
	if (rc && errno == ENOENT && how != APPLY_LOOK) {
		rc = repair_folder_dirs(d, path, err);
		if (rc)
			goto out;
		rc = open_parts(f);
	}
	if (rc)
		rc = err_errno(err, "cannot open folder '%s'", path);
out:
	if (rc < 0)
		apply_folder_close(f);
	return rc < 0 ? rc : 0;
}

void apply_folder_came(struct apply_folder *f, unsigned sub, const char *name)
{
	f->dirty[sub] = true;
	lookup_came(&f->look, sub, name);
}

void apply_folder_left(struct apply_folder *f, unsigned sub, const char *name)
{
	f->dirty[sub] = true;
	lookup_left(&f->look, sub, name);
}

int apply_folder_sync(struct apply_folder *f, struct err *err)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (!f->dirty[i])
			continue;
		/* EINVAL: a file system whose directories have no fsync. */
		if (fsync(f->sub[i]) && errno != EINVAL)
			return err_errno(err, "cannot sync '%s' of folder '%s'", parts[i], f->path);
		f->dirty[i] = false;
	}
	return 0;
}

void apply_folder_close(struct apply_folder *f)
{
	if (!f->path)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->sub[NAME_NEW] >= 0)
		close(f->sub[NAME_NEW]);
	if (f->sub[NAME_CUR] >= 0)
		close(f->sub[NAME_CUR]);
	if (f->tmp >= 0)
		close(f->tmp);
	lookup_clear(&f->look);
	apply_letters_release(&f->letters);
	f->path = NULL;
}

/* 1 if it is a directory with all it needs, 0 if something is missing, or a negative code. */
static int is_whole(struct disk *d, const char *path, struct err *err)
{
	struct apply_folder f;
	int rc = apply_folder_open(&f, d, path, APPLY_LOOK, err);

	if (!rc)
		apply_folder_close(&f);
	return rc == ERR_NOTFOUND ? 0 : rc ? rc : 1;
}

bool apply_folder_is_there(const struct disk *d, const char *path)
{
	int fd = file_open_dir(d, path);
	struct stat st;
	bool there;

	if (fd < 0)
		return errno != ENOENT;
	there = !fstatat(fd, "cur", &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT ||
		!fstatat(fd, "new", &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT ||
		!fstatat(fd, PATH_MARKER_NAME, &st, AT_SYMLINK_NOFOLLOW) || errno != ENOENT;
	close(fd);
	return there;
}

int apply_folder_make(struct disk *d, const char *path, struct err *err)
{
	int rc = is_whole(d, path, err), fd;

	if (rc)
		return rc < 0 ? rc : APPLY_ALREADY;
	fd = file_open_dir(d, path);
	if (fd < 0) {
		rc = build_new_folder(d, path, err);
		if (rc <= 0)
			return rc ? rc : APPLY_DONE;
	} else {
		close(fd);
	}
	rc = repair_folder_dirs(d, path, err);
	return rc ? rc : APPLY_DONE;
}
