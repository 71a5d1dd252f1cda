/*
 * apply_build.c -- a new folder appears with its UIDs, its keywords and all its messages in one instant.
 *
 * Otherwise a server would find it while messages are still coming, and give it a UIDVALIDITY, and them UIDs, of its own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "apply_step.h"
#include "build.h"

int apply_build(struct apply *a, const char *path, const struct plan_step *s, size_t n, struct err *err)
{
	const struct apply_result before = *a->res;
	char name[FILE_TMP_NAME], place[FILE_TMP_NAME + 8];
	int rc = build_begin(a->d, name, err);

	if (rc)
		return rc;
	snprintf(place, sizeof(place), "tmp/%s", name);
	rc = apply_group_fill(a, place, path, s, n, err);
	if (!rc)
		rc = build_place(a->d, name, path, err);
	if (!rc)
		return 1;
	build_drop(a->d, name);
	if (rc < 0)
		return rc;
	/* Somebody made it meanwhile: then it is filled as any other. */
	*a->res = before;
	return 0;
}
