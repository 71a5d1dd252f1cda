/*
 * folder.c -- the folder of a live Maildir that a person means, and a new one where there is none.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/path.h"
#include "build.h"
#include "file.h"
#include "listing.h"
#include "repair.h"

/* Dovecot marks the folders of the Maildir++ layout so. */
#define MAILDIRFOLDER "maildirfolder"

static bool has_dir(int fd, const char *name)
{
	struct stat st;

	return !fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

/* By one of its directories: one that has lost the other is no place to make a new folder. */
static bool is_there(const struct disk *d, const char *path)
{
	int fd = file_open_dir(d, path);
	bool there = fd >= 0 && (has_dir(fd, "cur") || has_dir(fd, "new"));

	if (fd >= 0)
		close(fd);
	return there;
}

/* Whether below the directory path there is a folder, not deeper than depth, whose first component does not begin with a dot. */
static bool has_plain_folder(const struct disk *d, const char *path, int depth)
{
	struct listing l = { .fd = file_open_dir(d, path) };
	struct listing_entry e;
	char below[PATH_MAX];
	bool found = false;

	while (l.fd >= 0 && !found && listing_next(&l, &e) > 0) {
		if (e.type != DT_DIR || e.name[0] == '.' || path_skip_dir(e.name, e.len))
			continue;
		snprintf(below, sizeof(below), "%.3000s%s%.255s", path, *path ? "/" : "", e.name);
		found = is_there(d, below) || (depth > 1 && has_plain_folder(d, below, depth - 1));
	}
	listing_release(&l);
	if (l.fd >= 0)
		close(l.fd);
	return found;
}

static bool has_dotted_folder(const struct disk *d)
{
	struct listing l = { .fd = file_open_dir(d, "") };
	struct listing_entry e;
	bool found = false;

	while (l.fd >= 0 && !found && listing_next(&l, &e) > 0)
		found = e.type == DT_DIR && e.name[0] == '.' && !path_skip_dir(e.name, e.len) && is_there(d, e.name);
	listing_release(&l);
	if (l.fd >= 0)
		close(l.fd);
	return found;
}

/* Whether a scan would look for a folder at this path. */
static bool is_looked_at(const char *path)
{
	size_t len;

	for (; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		if (path_skip_dir(path, len))
			return false;
	}
	return true;
}

/* ".Work.Projects" for "Work/Projects". */
static void dotted_path(char out[PATH_MAX], const char *meant)
{
	snprintf(out, PATH_MAX, "%s%.3600s", *meant == '.' ? "" : ".", meant);
	for (char *s = out; *s; s++)
		if (*s == '/')
			*s = '.';
}

static int no_folder(const char *meant, const char *why, struct err *err)
{
	return err_set(err, ERR_UNSAFE, "there can be no folder '%s': %s", meant, why);
}

int folder_find(const struct disk *d, const char *meant, char path[PATH_MAX], struct err *err)
{
	char dotted[PATH_MAX];
	const char *why;

	*path = '\0';
	if (!*meant || !strcasecmp(meant, "INBOX"))
		return 1;
	if ((why = path_unsafe(meant, strlen(meant))))
		return err_set(err, ERR_UNSAFE, "there can be no folder '%s': its name %s", meant, why);
	if (!is_looked_at(meant))
		return no_folder(meant, "the name is in use for something else", err);
	snprintf(path, PATH_MAX, "%s", meant);
	if (is_there(d, meant))
		return 1;
	dotted_path(dotted, meant);
	if (!path_unsafe(dotted, strlen(dotted)) && is_looked_at(dotted) && is_there(d, dotted)) {
		memcpy(path, dotted, strlen(dotted) + 1);
		return 1;
	}
	for (const char *s = meant; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return no_folder(meant, "there is none, and the name of a new one must be as on disk, in modified UTF-7", err);
	if (!has_dotted_folder(d) && has_plain_folder(d, "", 2))
		return *meant == '.' || strstr(meant, "/.") ? no_folder(meant, "a component begins with a dot", err) : 0;
	if (strstr(dotted, "..") || dotted[strlen(dotted) - 1] == '.')
		return no_folder(meant, "a component is empty", err);
	if ((why = path_unsafe(dotted, strlen(dotted))))
		return err_set(err, ERR_UNSAFE, "there can be no folder '%s': '%s' %s", meant, dotted, why);
	if (!is_looked_at(dotted))
		return no_folder(meant, "the name is in use for something else", err);
	memcpy(path, dotted, strlen(dotted) + 1);
	return 0;
}

static int add_maildirfolder(const struct disk *d, const char *name, struct err *err)
{
	char path[FILE_TMP_NAME + 32];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "tmp/%s/" MAILDIRFOLDER, name);
	fd = openat(d->root, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, d->file_mode);
	if (fd < 0 || fchmod(fd, d->file_mode) || fsync(fd))
		rc = err_errno(err, "cannot make '%s'", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

int folder_make(struct disk *d, const char *path, struct err *err)
{
	char name[FILE_TMP_NAME];
	int rc = build_begin(d, name, err);

	if (rc)
		return rc;
	if (*path == '.')
		rc = add_maildirfolder(d, name, err);
	if (!rc)
		rc = build_place(d, name, path, err);
	if (rc)
		build_drop(d, name);
	/* Somebody was faster, or it cannot appear in one instant here. */
	return rc > 0 ? repair_folder_dirs(d, path, err) : rc;
}
