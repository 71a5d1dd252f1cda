/*
 * disk.c -- a live Maildir: its root, its modes, and who we are towards its other users.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"
#include "listing.h"

#define DEFAULT_LOCK_WAIT 30

/* As Dovecot's hostpid_init() gets it, or our locks would look like another host's to it, and its to us. */
static void get_host(char *host, size_t size)
{
	if (gethostname(host, size - 1))
		snprintf(host, size, "unknown");
	host[size - 1] = '\0';
}

int disk_open(struct disk *d, const char *path, struct err *err)
{
	struct stat st;

	memset(d, 0, sizeof(*d));
	d->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->root < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(err, ERR_NOTMEMBER, "'%s' is not a directory: %s", path,
				       strerror(errno));
		return err_errno(err, "cannot open '%s'", path);
	}
	if (fstat(d->root, &st)) {
		err_errno(err, "cannot stat '%s'", path);
		close(d->root);
		memset(d, 0, sizeof(*d));
		return ERR_FAIL;
	}
	d->path = mem_alloc(strlen(path) + 1);
	memcpy(d->path, path, strlen(path) + 1);
	/* The owner always gets what a mail server needs, whatever the root looks like at the moment. */
	d->dir_mode = (st.st_mode & 0777) | 0700;
	d->file_mode = (st.st_mode & 0666) | 0600;
	d->pid = getpid();
	get_host(d->host, sizeof(d->host));
	d->lock_wait = DEFAULT_LOCK_WAIT;
	return 0;
}

void disk_close(struct disk *d)
{
	/* path tells a zeroed disk from one that has descriptor 0. */
	if (d->path)
		close(d->root);
	free(d->path);
	memset(d, 0, sizeof(*d));
}

static bool has_cur(int dirfd, const char *name)
{
	char sub[NAME_MAX + sizeof("/cur")];
	struct stat st;

	snprintf(sub, sizeof(sub), "%s/cur", name);
	return !fstatat(dirfd, sub, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

int disk_is_maildir(const struct disk *d)
{
	struct listing l = { 0 };
	struct listing_entry e;
	bool found = has_cur(d->root, ".");
	int fd;

	if (found)
		return 1;
	/* Not the root's own descriptor: its read position is shared by everybody who has it. */
	fd = openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	l.fd = fd;
	while (!found && listing_next(&l, &e) > 0)
		found = e.type == DT_DIR && has_cur(d->root, e.name);
	listing_release(&l);
	close(fd);
	return found;
}
