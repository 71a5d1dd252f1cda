/*
 * validity.c -- the last UIDVALIDITY that was given out, raised beside a server that gives out the next.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "validity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../core/mem.h"
#include "../core/uidvalidity.h"
#include "file.h"
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

/* From the marker of the number before (0: there is none) to the one of the new. -1 with errno, ENOENT and EEXIST: somebody was faster. */
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

int validity_raise(int dirfd, uint32_t here, uint32_t want, uint32_t *marker, struct err *err)
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

/* The last number, by the file and by its marker. */
static int last(const struct disk *d, uint32_t *here, uint32_t *marker, struct err *err)
{
	struct bytes text = { 0 };
	int rc = file_read(d, UIDVALIDITY_NAME, &text, NULL, err);

	*here = uidvalidity_parse(text.buf, text.len);
	bytes_release(&text);
	if (rc && rc != ERR_NOTFOUND)
		return rc;
	return find_marker(d->root, marker) ? err_errno(err, "cannot look for the marker of '" UIDVALIDITY_NAME "'") : 0;
}

int validity_next(struct disk *d, uint32_t *out, struct err *err)
{
	char digits[UIDVALIDITY_DIGITS + 1];
	uint32_t here, marker;
	int try;

	for (try = 0; try < TRIES; try++) {
		int rc = last(d, &here, &marker, err);

		if (rc)
			return rc;
		*out = here > marker ? here : marker;
		*out = *out ? *out + 1 : (uint32_t)time(NULL);
		if (!move_marker(d->root, marker, *out))
			return file_replace(d, UIDVALIDITY_NAME, uidvalidity_format(digits, *out), UIDVALIDITY_DIGITS, false, err);
		if (errno != ENOENT && errno != EEXIST)
			return err_errno(err, "cannot move the marker of '" UIDVALIDITY_NAME "'");
	}
	return err_set(err, ERR_AGAIN, "the marker of '" UIDVALIDITY_NAME "' is moved all the time");
}

void validity_new_guid(char out[UIDLIST_GUID_HEX + 1])
{
	unsigned char raw[UIDLIST_GUID_HEX / 2];

	while (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		continue;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}
