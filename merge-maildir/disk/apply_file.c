/*
 * apply_file.c -- files that are no messages: put, merged with what was changed here meanwhile, unlinked.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/merge.h"
#include "../core/path.h"
#include "apply_step.h"

/* Steps are checked before: no path is longer. A derived one can be by a few bytes. */
#define PATH_ROOM (PATH_MAX + 64)

/* The directory of a path, as a path. */
static void dir_of(char out[PATH_ROOM], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(out, path, len);
	out[len] = '\0';
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static enum path_class class_of(const char *path)
{
	struct path p;

	path_parse(&p, path, strlen(path));
	return p.class;
}

/* 1 a regular file, 0 nothing there, 2 a directory, or a negative code. */
static int what_is_there(struct disk *d, const char *path, struct stat *st, struct err *err)
{
	char dir[PATH_ROOM];
	int fd, rc;

	dir_of(dir, path);
	fd = file_open_dir(d, dir);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open directory '%s'", dir);
	rc = fstatat(fd, base_of(path), st, AT_SYMLINK_NOFOLLOW);
	close(fd);
	if (rc)
		return errno == ENOENT ? 0 : err_errno(err, "cannot stat '%s'", path);
	if (S_ISREG(st->st_mode))
		return 1;
	/*
	 * Whoever made a link or a device there meant something by it; going on would record the file as
	 * deleted.
	 */
	return S_ISDIR(st->st_mode) ? 2
				    : err_set(err, ERR_UNSAFE, "cannot write '%s': it is not a regular file", path);
}

static bool is_dir(struct disk *d, const char *path)
{
	int fd = file_open_dir(d, path);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != ENOENT;
}

static int put_new(struct apply *a, const struct plan_step *s, const struct bytes *ours, struct err *err)
{
	char dir[PATH_ROOM];
	int rc = 0;

	dir_of(dir, s->folder);
	if (class_of(s->folder) == PATH_MARKER) {
		/* The folder was removed here: its marker alone would bring it back, empty. */
		if (!oid_is_zero(&s->from_oid) && !is_dir(a->d, dir))
			return APPLY_DIFFERS;
		rc = apply_folder_make(a->d, dir, err);
	} else if (*dir) {
		rc = file_mkdirs(a->d, dir, err);
	}
	if (rc >= 0)
		rc = file_replace(a->d, s->folder, ours->buf, ours->len, s->mode & 0100, err);
	return rc < 0 ? rc : APPLY_DONE;
}

/* "<path>.<the first digits of oid>". */
static void derive_path(char out[PATH_ROOM], const char *path, const struct oid *oid, int digits)
{
	const char *base = base_of(path);
	int head = (int)(base - path), len = (int)strlen(base);
	char hex[OID_HEX + 1];

	oid_hex(oid, hex);
	if (len > NAME_MAX - 1 - digits)
		len = NAME_MAX - 1 - digits;
	snprintf(out, PATH_ROOM, "%.*s%.*s.%.*s", head, path, len, base, digits, hex);
}

/* What is there stays, and ours goes beside it. */
static int put_beside(struct apply *a, const struct plan_step *s, const struct bytes *ours, struct err *err)
{
	static const int digits[] = { 12, OID_HEX };
	char path[PATH_ROOM];
	struct bytes there = { 0 };
	struct stat st;
	int i, rc = 0;
	bool same;

	for (i = 0; i < 2; i++) {
		derive_path(path, s->folder, &s->oid, digits[i]);
		rc = what_is_there(a->d, path, &st, err);
		if (rc < 0)
			return rc;
		if (!rc) {
			rc = file_replace(a->d, path, ours->buf, ours->len, s->mode & 0100, err);
			return rc ? rc : APPLY_DIFFERS;
		}
		if (rc == 2)
			continue;
		rc = file_read(a->d, path, &there, NULL, err);
		same = !rc && there.len == ours->len && (!ours->len || !memcmp(there.buf, ours->buf, ours->len));
		bytes_release(&there);
		if (rc || same)
			return rc ? rc : APPLY_DIFFERS;
	}
	return err_set(err, ERR_AGAIN, "cannot write '%s': it and every name beside it are taken", s->folder);
}

/* The file was changed here since: a three-way merge of its content. */
static int put_merged(struct apply *a, const struct plan_step *s, const struct bytes *here,
		      const struct bytes *ours, struct err *err)
{
	struct bytes base = { 0 }, merged = { 0 };
	bool has_base = !oid_is_zero(&s->from_oid);
	int rc = has_base ? a->ops->read(a->ops->ctx, &s->from_oid, &base, err) : 0;

	if (rc)
		goto out;
	if (merge_file_content(class_of(s->folder), has_base ? &base : NULL, here, ours, NULL, NULL, &merged)) {
		rc = put_beside(a, s, ours, err);
		goto out;
	}
	rc = APPLY_DIFFERS;
	if (merged.len == here->len && (!here->len || !memcmp(merged.buf, here->buf, here->len)))
		goto out;
	rc = file_replace(a->d, s->folder, merged.buf, merged.len, s->mode & 0100, err);
	if (!rc)
		rc = merged.len == ours->len && (!ours->len || !memcmp(merged.buf, ours->buf, ours->len))
			     ? APPLY_DONE
			     : APPLY_DIFFERS;
out:
	bytes_release(&base);
	bytes_release(&merged);
	return rc;
}

/* A regular file is there. */
static int put_over(struct apply *a, const struct plan_step *s, const struct stat *st, const struct bytes *ours,
		    struct err *err)
{
	struct bytes here = { 0 };
	struct oid is;
	int rc = file_read(a->d, s->folder, &here, NULL, err);

	if (rc)
		goto out;
	a->ops->hash(a->ops->ctx, here.buf, here.len, &is);
	if (oid_eq(&is, &s->oid) && (st->st_mode & 0100) == (s->mode & 0100)) {
		rc = APPLY_ALREADY;
	} else if (oid_eq(&is, &s->oid) || (oid_eq(&is, &s->from_oid) && !oid_is_zero(&s->from_oid))) {
		rc = file_replace(a->d, s->folder, ours->buf, ours->len, s->mode & 0100, err);
		if (!rc)
			rc = APPLY_DONE;
	} else {
		rc = put_merged(a, s, &here, ours, err);
	}
out:
	bytes_release(&here);
	/* Removed or renamed between two looks. */
	return rc == ERR_NOTFOUND ? ERR_AGAIN : rc;
}

int apply_file_put(struct apply *a, const struct plan_step *s, struct err *err)
{
	struct bytes ours = { 0 };
	struct stat st;
	int rc = a->ops->read(a->ops->ctx, &s->oid, &ours, err);

	if (!rc && class_of(s->folder) == PATH_UIDVALIDITY) {
		rc = apply_uidvalidity_raise(a->d, s->folder, &ours, err);
	} else if (!rc) {
		rc = what_is_there(a->d, s->folder, &st, err);
		if (rc == 0)
			rc = put_new(a, s, &ours, err);
		else if (rc == 1)
			rc = put_over(a, s, &st, &ours, err);
		else if (rc == 2)
			rc = put_beside(a, s, &ours, err);
	}
	bytes_release(&ours);
	return rc;
}

/* Directories that are empty now go, as git has it; one with cur/ in it never is. */
static int remove_empty_dirs(struct disk *d, const char *path, struct err *err)
{
	char dir[PATH_ROOM], up[PATH_ROOM];
	int fd, gone = 1;

	for (dir_of(dir, path); gone && *dir; strcpy(dir, up)) {
		dir_of(up, dir);
		fd = file_open_dir(d, up);
		if (fd < 0)
			return errno == ENOENT ? 0 : err_errno(err, "cannot open directory '%s'", up);
		gone = !unlinkat(fd, base_of(dir), AT_REMOVEDIR);
		if (gone && fsync(fd) && errno != EINVAL) {
			err_errno(err, "cannot sync directory '%s'", up);
			close(fd);
			return err ? err->code : ERR_FAIL;
		}
		close(fd);
	}
	return 0;
}

int apply_file_unlink(struct apply *a, const struct plan_step *s, struct err *err)
{
	char dir[PATH_ROOM];
	int fd, rc;

	/* Without it a UIDVALIDITY would be given out a second time. */
	if (class_of(s->folder) == PATH_UIDVALIDITY)
		return APPLY_DIFFERS;
	dir_of(dir, s->folder);
	fd = file_open_dir(a->d, dir);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return APPLY_ALREADY;
		return err_errno(err, "cannot open directory '%s'", dir);
	}
	rc = apply_content_is(a, fd, base_of(s->folder), &s->from_oid);
	if (rc == 1) {
		rc = unlinkat(fd, base_of(s->folder), 0);
		if (!rc && fsync(fd) && errno != EINVAL)
			rc = -1;
		rc = rc ? -1 : APPLY_DONE;
	} else if (!rc) {
		rc = APPLY_DIFFERS;
	}
	if (rc < 0)
		rc = errno == ENOENT ? APPLY_ALREADY : err_errno(err, "cannot delete '%s'", s->folder);
	close(fd);
	if (rc == APPLY_DONE && remove_empty_dirs(a->d, s->folder, err))
		return err ? err->code : ERR_FAIL;
	return rc;
}
