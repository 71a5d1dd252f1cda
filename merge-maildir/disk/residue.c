/*
 * residue.c -- what is in a folder that is to be removed: whether anything would be lost with it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "residue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/name.h"
#include "../core/path.h"
#include "listing.h"

/* Opened anew for each reading: a read position is shared by all who have the descriptor. */
static int open_at(int fd, const char *name)
{
	return openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool residue_is_part(const char *name)
{
	return !strcmp(name, "cur") || !strcmp(name, "new") || !strcmp(name, "tmp");
}

bool residue_is_harmless(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return name[0] == '.' || (name[0] != ':' && !name_is_message(name, len));
}

static int inspect_part(int fd, const char *part, unsigned *has)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, sub = open_at(fd, part);

	if (sub < 0)
		return errno == ENOENT ? 0 : -1;
	l.fd = sub;
	while ((rc = listing_next(&l, &e)) > 0)
		if (e.type == DT_DIR || !residue_is_harmless(e.name, e.len))
			*has |= RESIDUE_MESSAGE;
	listing_release(&l);
	close(sub);
	return rc;
}

/* A directory in a folder that is not one of its parts. */
static int inspect_child(int fd, const char *path, const struct listing_entry *e, unsigned *has)
{
	char sub_path[PATH_MAX];
	unsigned sub_has = 0;
	int sub, rc;

	/* What nobody would look into, like another repository, is nobody's to remove. */
	if (path_skip_dir(e->name, e->len) ||
	    snprintf(sub_path, sizeof(sub_path), "%s/%s", path, e->name) >= (int)sizeof(sub_path)) {
		*has |= RESIDUE_CHILD;
		return 0;
	}
	sub = open_at(fd, e->name);
	if (sub < 0)
		return errno == ENOENT ? 0 : -1;
	rc = residue_find(sub, sub_path, &sub_has);
	close(sub);
	if (sub_has)
		*has |= RESIDUE_CHILD;
	return rc;
}

void residue_of_file(const char *path, const char *name, unsigned *has)
{
	char file[PATH_MAX];
	struct path p;
	int len = snprintf(file, sizeof(file), "%s/%s", path, name);

	if (len >= (int)sizeof(file) || path_unsafe(file, (size_t)len)) {
		*has |= RESIDUE_FILE;
		return;
	}
	path_parse(&p, file, (size_t)len);
	if (p.class == PATH_MARKER)
		*has |= RESIDUE_PARTS;
	/* The messages are what a list of UIDs and keywords is about, and the folder what a UIDVALIDITY is. */
	else if (p.class != PATH_IGNORED && p.class != PATH_UIDLIST && p.class != PATH_KEYWORDS &&
		 p.class != PATH_UIDVALIDITY)
		*has |= RESIDUE_FILE;
}

int residue_find(int fd, const char *path, unsigned *has)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, own = open_at(fd, ".");

	if (own < 0)
		return -1;
	l.fd = own;
	while ((rc = listing_next(&l, &e)) > 0) {
		int failed = 0;

		if (e.type == DT_DIR && residue_is_part(e.name)) {
			*has |= RESIDUE_PARTS;
			if (strcmp(e.name, "tmp"))
				failed = inspect_part(fd, e.name, has);
		} else if (e.type == DT_DIR) {
			failed = inspect_child(fd, path, &e, has);
		} else {
			residue_of_file(path, e.name, has);
		}
		if (failed) {
			rc = -1;
			break;
		}
	}
	listing_release(&l);
	close(own);
	return rc;
}

int residue_find_child(int fd, const char *path)
{
	struct listing l = { 0 };
	struct listing_entry e;
	unsigned has = 0;
	int rc = 0, own = open_at(fd, ".");

	if (own < 0)
		return -1;
	l.fd = own;
	while (!has && (rc = listing_next(&l, &e)) > 0)
		if (e.type == DT_DIR && !residue_is_part(e.name) && inspect_child(fd, path, &e, &has)) {
			rc = -1;
			break;
		}
	listing_release(&l);
	close(own);
	return has ? 1 : rc;
}
