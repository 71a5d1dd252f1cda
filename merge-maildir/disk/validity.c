/*
 * validity.c -- dovecot-uidvalidity: the last UIDVALIDITY that was given to a folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "validity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/mem.h"
#include "../core/uidvalidity.h"
#include "file.h"
#include "listing.h"

#define MARK UIDVALIDITY_NAME "."
/* Somebody else took the number that we wanted: as often as there can be others. */
#define TRIES 100

/* The largest number of which there is a marker. */
static int scan_marks(const struct disk *d, uint32_t *out, struct err *err)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, fd = openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "cannot open '%s'", d->path);
	l.fd = fd;
	while ((rc = listing_next(&l, &e)) > 0) {
		uint32_t v = strncmp(e.name, MARK, strlen(MARK)) ? 0 : uidvalidity_parse(e.name + strlen(MARK), e.len - strlen(MARK));

		if (v > *out)
			*out = v;
	}
	if (rc < 0)
		rc = err_errno(err, "cannot read '%s'", d->path);
	listing_release(&l);
	close(fd);
	return rc;
}

int validity_last(const struct disk *d, uint32_t *out, struct err *err)
{
	struct bytes text = { 0 };
	uint32_t v;
	int rc;

	*out = 0;
	rc = scan_marks(d, out, err);
	if (!rc) {
		rc = file_read(d, UIDVALIDITY_NAME, &text, NULL, err);
		rc = rc == ERR_NOTFOUND ? 0 : rc;
	}
	v = uidvalidity_parse(text.buf, text.len);
	if (!rc && v > *out)
		*out = v;
	bytes_release(&text);
	return rc;
}

static void mark_of(char out[sizeof(MARK) + 8], uint32_t v)
{
	snprintf(out, sizeof(MARK) + 8, MARK "%08x", v);
}

/* Moves the marker: 1 done, 0 somebody else did it, or an err_code. */
static int move_mark(const struct disk *d, uint32_t from, uint32_t to, struct err *err)
{
	char old[sizeof(MARK) + 8], new[sizeof(MARK) + 8];
	struct stat st;
	int fd;

	mark_of(old, from);
	mark_of(new, to);
	if (!fstatat(d->root, old, &st, AT_SYMLINK_NOFOLLOW)) {
		if (!renameat(d->root, old, d->root, new))
			return 1;
		return errno == ENOENT ? 0 : err_errno(err, "cannot rename '%s' to '%s'", old, new);
	}
	/* There is none for the last number: it was never made, or somebody removed it. */
	fd = openat(d->root, new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_errno(err, "cannot make '%s'", new);
	close(fd);
	return 1;
}

static int write_last(struct disk *d, uint32_t v, struct err *err)
{
	char text[9];

	snprintf(text, sizeof(text), "%08x", v);
	return file_replace(d, UIDVALIDITY_NAME, text, 8, false, err);
}

static int take(struct disk *d, uint32_t from, uint32_t to, struct err *err)
{
	int rc = move_mark(d, from, to, err), wrote;

	if (rc <= 0)
		return rc;
	wrote = write_last(d, to, err);
	return wrote ? wrote : 1;
}

int validity_next(struct disk *d, uint32_t *out, struct err *err)
{
	uint32_t last;
	int rc = 0;

	for (int i = 0; i < TRIES && !rc; i++) {
		rc = validity_last(d, &last, err);
		if (rc)
			return rc;
		*out = last ? last + 1 : (uint32_t)time(NULL);
		if (!*out)
			*out = 1;
		rc = take(d, last, *out, err);
	}
	if (!rc)
		return err_set(err, ERR_BUSY, "cannot take a UIDVALIDITY in '%s': others take one all the time", d->path);
	return rc < 0 ? rc : 0;
}

int validity_raise(struct disk *d, uint32_t to, struct err *err)
{
	uint32_t last;
	int rc = 0;

	for (int i = 0; i < TRIES && !rc; i++) {
		rc = validity_last(d, &last, err);
		if (rc || last >= to)
			return rc;
		rc = take(d, last, to, err);
	}
	return rc ? rc : err_set(err, ERR_BUSY, "cannot raise the UIDVALIDITY of '%s': others take one all the time", d->path);
}

void validity_new_guid(char out[UIDLIST_GUID_HEX + 1])
{
	unsigned char raw[UIDLIST_GUID_HEX / 2];

	while (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		continue;
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}
