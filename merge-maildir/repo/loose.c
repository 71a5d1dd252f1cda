/*
 * loose.c -- writes objects into files of their own.
 *
 * The file is made as git makes it (tmp_obj_* beside its place, mode 0444, then a hard link), so that
 * what a kill leaves behind is removed by git gc. core.sharedRepository is not looked at: a member's
 * repository belongs to one user.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "loose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

static char *fan_dir(const char *objdir, unsigned char first)
{
	char hex[3];

	snprintf(hex, sizeof(hex), "%02x", first);
	return io_join(objdir, hex);
}

static int open_temp(const char *objdir, const char *dir, char **tmp, struct err *err)
{
	int fd = io_temp(dir, "tmp_obj_", 0444, tmp), ret;

	/* A repack at the same time removes directories that have become empty, also the one just made. */
	for (int tries = 0; fd < 0 && errno == ENOENT && tries < 10; tries++) {
		if (mkdir(dir, 0777) < 0 && errno != EEXIST)
			return err_errno(err, "cannot make directory '%s'", dir);
		ret = io_sync_dir(objdir, err);
		if (ret)
			return ret;
		fd = io_temp(dir, "tmp_obj_", 0444, tmp);
	}
	return fd < 0 ? err_errno(err, "cannot make a file in '%s'", dir) : fd;
}

/* Gives the file its name. When somebody else has written the same object meanwhile, theirs is as good. */
static int install(const char *tmp, const char *final, struct err *err)
{
	if (link(tmp, final) == 0 || errno == EEXIST) {
		unlink(tmp);
		return 0;
	}
	/* No hard links here. */
	if (rename(tmp, final) == 0)
		return 0;
	return err_errno(err, "cannot make object '%s'", final);
}

int loose_write(const char *objdir, enum objects_type type, const struct oid *oid, const void *buf,
		size_t len, struct zip *z, struct err *err)
{
	static const char *const names[] = {
		[OBJECTS_COMMIT] = "commit",
		[OBJECTS_TREE] = "tree",
		[OBJECTS_BLOB] = "blob",
	};
	char hex[OID_HEX + 1], head[64];
	char *dir = fan_dir(objdir, oid->h[0]), *final = io_join(dir, oid_hex(oid, hex) + 2), *tmp = NULL;
	int headlen = snprintf(head, sizeof(head), "%s %zu", names[type], len) + 1;
	int ret = 0, fd = open_temp(objdir, dir, &tmp, err);

	if (fd < 0) {
		ret = fd;
		goto out;
	}
	zip_run(z, zip_level(type, len), NULL, 0, head, (size_t)headlen, buf, len);
	if (io_write(fd, z->out, z->outlen) < 0 || fsync(fd) < 0)
		ret = err_errno(err, "cannot write object '%s'", final);
	if (close(fd) < 0 && !ret)
		ret = err_errno(err, "cannot write object '%s'", final);
	if (!ret)
		ret = install(tmp, final, err);
	if (ret)
		unlink(tmp);
out:
	free(tmp);
	free(final);
	free(dir);
	return ret;
}

int loose_sync(const char *objdir, unsigned char first, struct err *err)
{
	char *dir = fan_dir(objdir, first);
	int ret = io_sync_dir(dir, err);

	free(dir);
	return ret;
}
