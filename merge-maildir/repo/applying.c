/*
 * applying.c -- remembers what an apply is about to make of the Maildir, until HEAD says it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io.h"
#include "objects.h"

#define LINE (2 * (OID_HEX + 1))

static int write_line(const char *path, const char *line, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;

	if (fd < 0)
		return err_errno(err, "cannot create '%s'", path);
	if (io_write(fd, line, LINE) < 0 || fsync(fd) < 0)
		rc = err_errno(err, "cannot write '%s'", path);
	if (close(fd) < 0 && !rc)
		rc = err_errno(err, "cannot write '%s'", path);
	return rc;
}

int applying_begin(const struct repo *r, const struct oid *from, const struct oid *to, struct err *err)
{
	char *path = repo_state_path(r, "applying"), *tmp = repo_state_path(r, "applying.tmp"), *dir = io_join(r->gitdir, "maildir");
	char line[LINE + 1];
	int rc;

	oid_hex(from, line);
	line[OID_HEX] = ' ';
	oid_hex(to, line + OID_HEX + 1);
	line[LINE - 1] = '\n';
	rc = write_line(tmp, line, err);
	if (!rc && rename(tmp, path) < 0)
		rc = err_errno(err, "cannot rename '%s' to '%s'", tmp, path);
	if (!rc)
		rc = io_sync_dir(dir, err);
	if (rc)
		unlink(tmp);
	free(path);
	free(tmp);
	free(dir);
	return rc;
}

int applying_find(struct repo *r, struct oid *from, struct oid *to, struct err *err)
{
	char *path = repo_state_path(r, "applying");
	struct bytes b = { 0 };
	struct oid head;
	int rc = 0;

	if (io_read(path, &b) < 0) {
		rc = errno == ENOENT ? 0 : err_errno(err, "cannot read '%s'", path);
	} else {
		rc = b.len == LINE && oid_parse(from, b.buf) && oid_parse(to, b.buf + OID_HEX + 1) && repo_head(r, &head, NULL) == 0 && oid_eq(&head, from) &&
		     objects_has(r, to);
		if (!rc)
			unlink(path);
	}
	bytes_release(&b);
	free(path);
	return rc;
}

void applying_end(const struct repo *r)
{
	char *path = repo_state_path(r, "applying");

	unlink(path);
	free(path);
}
