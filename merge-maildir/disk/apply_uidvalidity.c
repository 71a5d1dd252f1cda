/*
 * apply_uidvalidity.c -- the last UIDVALIDITY that was given out, raised beside a server that gives out the next.
 *
 * Dovecot 2.3 (mailbox-uidvalidity.c) takes the next number by renaming an empty file "dovecot-uidvalidity.<8 hex>"
 * to that of the next, so that of two processes one loses and looks again; only then is dovecot-uidvalidity written,
 * for the case that the empty file is lost. Therefore both are looked at here, and the rename comes first here as
 * well.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/uidvalidity.h"
#include "apply_step.h"
#include "listing.h"

#define MARKER UIDVALIDITY_NAME "."
#define MARKER_NAME (sizeof(MARKER) + UIDVALIDITY_DIGITS)
/* Others rename it only when a folder is made. */
#define TRIES 10

/* The number of the largest marker; 0: there is none. -1 with errno. */
static int find_marker(int dirfd, uint32_t *value)
{
	struct listing l = { 0 };
	struct listing_entry e;
	/* A descriptor of its own: a read position is shared by all who have the descriptor. */
	int rc, own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*value = 0;
	if (own < 0)
		return -1;
	l.fd = own;
	while ((rc = listing_next(&l, &e)) > 0) {
		uint32_t v = 0;

		if (e.len == MARKER_NAME - 1 && !memcmp(e.name, MARKER, sizeof(MARKER) - 1))
			v = uidvalidity_parse(e.name + sizeof(MARKER) - 1, UIDVALIDITY_DIGITS);
		if (v > *value)
			*value = v;
	}
	listing_release(&l);
	close(own);
	return rc;
}

static const char *marker_name(char out[MARKER_NAME], uint32_t value)
{
	char digits[UIDVALIDITY_DIGITS + 1];

	snprintf(out, MARKER_NAME, MARKER "%s", uidvalidity_format(digits, value));
	return out;
}

/*
 * From the marker of the number before (0: there is none) to the one of the new. -1 with errno, ENOENT and EEXIST:
 * somebody was faster.
 */
static int move_marker(int dirfd, uint32_t from, uint32_t to)
{
	char old[MARKER_NAME], new[MARKER_NAME];
	int fd;

	marker_name(new, to);
	if (from)
		return file_rename_new(dirfd, marker_name(old, from), dirfd, new);
	/* The mode is Dovecot's: nobody has anything to write into it. */
	fd = openat(dirfd, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	return fd < 0 ? -1 : close(fd);
}

/*
 * Raises the marker to want, unless the marker or the file (which says here) are beyond it. 1 raised, 0 nothing to
 * do, or a negative code.
 */
static int raise_marker(int dirfd, uint32_t here, uint32_t want, uint32_t *marker, struct err *err)
{
	int try;

	for (try = 0; try < TRIES; try++) {
		if (find_marker(dirfd, marker))
			return err_errno(err, "cannot look for the marker of '" UIDVALIDITY_NAME "'");
		if (*marker >= want || here > want)
			return 0;
		if (!move_marker(dirfd, *marker, want))
			return 1;
		if (errno != ENOENT && errno != EEXIST)
			return err_errno(err, "cannot move the marker of '" UIDVALIDITY_NAME "'");
	}
	return err_set(err, ERR_AGAIN, "the marker of '" UIDVALIDITY_NAME "' is moved all the time");
}

/* The directory of the file, made if it is not there. */
static int open_dir(struct disk *d, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int fd, rc;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	rc = file_mkdirs(d, dir, err);
	if (rc)
		return rc;
	fd = file_open_dir(d, dir);
	return fd < 0 ? err_errno(err, "cannot open directory '%s'", dir) : fd;
}

int apply_uidvalidity_raise(struct disk *d, const char *path, const struct bytes *target, struct err *err)
{
	uint32_t want = uidvalidity_parse(target->buf, target->len), here, marker = 0;
	char digits[UIDVALIDITY_DIGITS + 1];
	struct bytes text = { 0 };
	int rc, moved = 0, dirfd = open_dir(d, path, err);

	if (dirfd < 0)
		return dirfd;
	rc = file_read(d, path, &text, NULL, err);
	here = uidvalidity_parse(text.buf, text.len);
	bytes_release(&text);
	if (!rc || rc == ERR_NOTFOUND)
		rc = moved = raise_marker(dirfd, here, want, &marker, err);
	close(dirfd);
	if (rc < 0)
		return rc;
	if (here > want || marker > want || !want)
		return APPLY_DIFFERS;
	if (here == want)
		return moved ? APPLY_DONE : APPLY_ALREADY;
	/* After a kill between the two only this is left to do. */
	rc = file_replace(d, path, uidvalidity_format(digits, want), UIDVALIDITY_DIGITS, false, err);
	return rc ? rc : APPLY_DONE;
}
