/*
 * apply_uidvalidity.c -- the last UIDVALIDITY that was given out, raised beside a server that gives out the next.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>
#include <unistd.h>

#include "../core/uidvalidity.h"
#include "apply_step.h"
#include "validity.h"

int apply_uidvalidity_raise(struct disk *d, const char *path, const struct bytes *target, struct err *err)
{
	uint32_t want = uidvalidity_parse(target->buf, target->len), here, marker = 0;
	char digits[UIDVALIDITY_DIGITS + 1];
	struct bytes text = { 0 };
	const char *base;
	int rc, moved = 0, dirfd = file_make_parent(d, path, &base, err);

	if (dirfd < 0)
		return dirfd;
	rc = file_read(d, path, &text, NULL, err);
	here = uidvalidity_parse(text.buf, text.len);
	bytes_release(&text);
	if (!rc || rc == ERR_NOTFOUND)
		rc = moved = validity_raise(dirfd, here, want, &marker, err);
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
