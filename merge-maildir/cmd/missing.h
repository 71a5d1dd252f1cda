/*
 * missing.h -- what was there once and is not there now.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MISSING_H
#define MISSING_H

#include "../repo/trail.h"
#include "record.h"
#include "which.h"

/* More than this are counted, not listed. */
#define MISSING_LISTED_MOST 20

struct missing {
	/* Asked for. */
	struct repo *repo;
	const struct record_result *rec; /* HEAD, its tree and its index */
	struct which *which; /* NULL: all of the folder */
	const char *folder; /* as a person names it; NULL: any */
	int64_t at; /* as it was at this time; -1: before it was deleted the last time */

	/* Found. Strings live until missing_release(). */
	struct missing_item {
		const char *folder;
		struct msg msg;
		int64_t mtime; /* that it had */
	} *v; /* sorted by folder; no key of a folder twice */
	size_t n, cap;
	const char **folders; /* that are gone */
	size_t nfolders, folders_cap;
	size_t there; /* messages that were asked for and are there; the first few are named on standard output */

	struct trail trail;
	struct oids from; /* the commits whose trees tell the dates */
	struct arena arena;
};

/*
 * missing_find: looks for it. ERR_NOTFOUND: no such message or folder is known to have been there, or history does not go back so far. The caller
 * has set what is asked for and zeroed the rest; missing_release() frees in any case.
 */
int missing_find(struct missing *x, struct err *err);
void missing_release(struct missing *x);

#endif
