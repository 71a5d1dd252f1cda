/*
 * labels.h -- infos, keys and dates as the rules of the merge combine them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LABELS_H
#define LABELS_H

#include "cases.h"

/* The smaller of two dates. -1 where only one of them is in a marker: a line that is not there is no date that
 * could be the smaller. */
static inline int64_t two_mtimes(const char *xname, int64_t x, const char *yname, int64_t y)
{
	if (x == y)
		return x;
	if (x < 0 || y < 0 || x == name_seconds(xname, key_len(xname)) ||
	    y == name_seconds(yname, key_len(yname)))
		return -1;
	return x < y ? x : y;
}

/*
 * The date of what came on both sides: what a marker says counts against a name, of two alike the smaller. Without a
 * base what both sides have may be left out, and the markers are all that is merged then: members must agree on the
 * date whatever else is loaded.
 */
static inline int64_t came_mtime(const char *xname, int64_t x, const char *yname, int64_t y)
{
	int64_t xsays = name_seconds(xname, key_len(xname)), ysays = name_seconds(yname, key_len(yname));
	bool xline = x >= 0 && x != xsays, yline = y >= 0 && y != ysays;

	if (!xline)
		x = xsays;
	if (!yline)
		y = ysays;
	if (xline != yline)
		return xline ? x : y;
	if (x < 0 || y < 0)
		return x < 0 ? y : x;
	return x < y ? x : y;
}

static inline int64_t three_way_mtime(const struct inst *b, const struct inst *x, const struct inst *y)
{
	if (b->mtime < 0 || x->mtime < 0 || y->mtime < 0)
		return -1;
	if (x->mtime == b->mtime || x->mtime == y->mtime)
		return y->mtime;
	if (y->mtime == b->mtime)
		return x->mtime;
	return two_mtimes(x->name, x->mtime, y->name, y->mtime);
}

static inline struct name parsed(const char *s)
{
	struct name n;

	name_parse(&n, s, strlen(s));
	return n;
}

static inline const char *info_of(const char *name)
{
	return name + key_len(name);
}

static inline bool opaque(const struct name *n)
{
	return n->has_info && !n->has_flags;
}

/* The info of a name that both sides changed. Returns false where the rules leave it open. */
static inline bool three_way_info(char *out, size_t size, const char *bname, const char *xname,
				  const char *yname)
{
	struct name b = parsed(bname), x = parsed(xname), y = parsed(yname);
	name_flags flags = (b.flags & x.flags & y.flags) | (~b.flags & (x.flags | y.flags));
	char letters[53];
	const char *tail;

	if (strcmp(info_of(xname), info_of(bname)) == 0 || strcmp(info_of(xname), info_of(yname)) == 0)
		return snprintf(out, size, "%s", info_of(yname)) >= 0;
	if (strcmp(info_of(yname), info_of(bname)) == 0)
		return snprintf(out, size, "%s", info_of(xname)) >= 0;
	if (opaque(&x) || opaque(&y)) {
		if (!x.has_info || !y.has_info)
			return false;
		return snprintf(out, size, "%s",
				strcmp(info_of(xname), info_of(yname)) < 0 ? info_of(xname) : info_of(yname)) >=
		       0;
	}
	if (strcmp(x.tail, y.tail) == 0)
		tail = x.tail;
	else if (opaque(&b))
		return false;
	else if (strcmp(x.tail, b.tail) == 0)
		tail = y.tail;
	else if (strcmp(y.tail, b.tail) == 0 || strcmp(x.tail, y.tail) < 0)
		tail = x.tail;
	else
		tail = y.tail;
	name_flag_letters(flags, letters);
	snprintf(out, size, ":2,%s%s", letters, tail);
	return true;
}

static inline const char *smaller_key(const char *a, const char *b)
{
	return span_cmp(a, key_len(a), b, key_len(b)) <= 0 ? a : b;
}

#endif
