/*
 * itree.c -- the ids of the trees of an index: git's TREE extension.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "itree.h"

#include <stdlib.h>
#include <string.h>

#include "rawtree.h"

/* No path of the index is longer than 4,095 bytes, so honest trees are not deeper. */
#define DEPTH_MOST 2048

struct itree *itree_new(struct arena *a, const char *name, size_t len)
{
	struct itree *t = arena_alloc(a, sizeof(*t));

	memset(t, 0, sizeof(*t));
	t->name = arena_strn(a, name, len);
	t->len = (uint32_t)len;
	return t;
}

void itree_append(struct arena *a, struct itree *t, struct itree *sub)
{
	if (t->nsub == t->cap) {
		struct itree **v;

		t->cap = t->cap ? t->cap * 2 : 4;
		v = arena_alloc(a, t->cap * sizeof(*v));
		if (t->nsub)
			memcpy(v, t->sub, t->nsub * sizeof(*v));
		t->sub = v;
	}
	t->sub[t->nsub++] = sub;
}

static int cmp_name(const struct itree *t, const char *name, size_t len)
{
	struct rawtree_entry a = { .name = t->name, .len = t->len, .kind = RAWTREE_DIR };
	struct rawtree_entry b = { .name = name, .len = len, .kind = RAWTREE_DIR };

	return rawtree_cmp(&a, &b);
}

static int by_name(const void *a, const void *b)
{
	const struct itree *x = *(struct itree *const *)a, *y = *(struct itree *const *)b;

	return cmp_name(x, y->name, y->len);
}

/*
 * A decimal number up to the byte stop; false if it is none. A minus is git's mark of a node that is not
 * valid.
 */
static bool parse_number(const unsigned char **p, const unsigned char *end, char stop, bool *minus, size_t *out)
{
	const unsigned char *s = *p;
	size_t x = 0, digits = 0;

	*minus = s < end && *s == '-';
	if (*minus)
		s++;
	for (; s < end && *s >= '0' && *s <= '9' && digits < 10; s++, digits++)
		x = x * 10 + (*s - '0');
	if (!digits || s == end || *s != (unsigned char)stop)
		return false;
	*p = s + 1;
	*out = x;
	return true;
}

static struct itree *parse(struct arena *a, const unsigned char **p, const unsigned char *end, unsigned depth)
{
	const unsigned char *nul = *p < end ? memchr(*p, '\0', (size_t)(end - *p)) : NULL;
	struct itree *t;
	bool minus, odd;
	size_t subs;

	if (!nul || depth > DEPTH_MOST || nul - *p > 0xffff)
		return NULL;
	t = itree_new(a, (const char *)*p, (size_t)(nul - *p));
	*p = nul + 1;
	if (!parse_number(p, end, ' ', &minus, &t->n) || !parse_number(p, end, '\n', &odd, &subs) || odd)
		return NULL;
	t->valid = !minus;
	if (t->valid) {
		if (end - *p < OID_RAW)
			return NULL;
		memcpy(t->oid.h, *p, OID_RAW);
		*p += OID_RAW;
	}
	while (subs--) {
		struct itree *sub = parse(a, p, end, depth + 1);

		if (!sub || !sub->len)
			return NULL;
		itree_append(a, t, sub);
	}
	/* git writes shorter names first. */
	if (t->nsub > 1)
		qsort(t->sub, t->nsub, sizeof(*t->sub), by_name);
	for (size_t i = 1; i < t->nsub; i++)
		if (!by_name(&t->sub[i - 1], &t->sub[i]))
			return NULL;
	return t;
}

struct itree *itree_parse(struct arena *a, const unsigned char *buf, size_t len)
{
	const unsigned char *p = buf, *end = buf + len;
	struct itree *t = parse(a, &p, end, 0);

	return t && p == end && !t->len ? t : NULL;
}

void itree_format(const struct itree *t, struct bytes *out)
{
	bytes_add(out, t->name, t->len + 1);
	if (t->valid)
		bytes_addf(out, "%zu %zu\n", t->n, t->nsub);
	else
		bytes_addf(out, "-1 %zu\n", t->nsub);
	if (t->valid)
		bytes_add(out, t->oid.h, OID_RAW);
	for (size_t i = 0; i < t->nsub; i++)
		itree_format(t->sub[i], out);
}

bool itree_whole(const struct itree *t, size_t n)
{
	size_t below = 0;

	if (!t->valid || t->n != n)
		return false;
	for (size_t i = 0; i < t->nsub; i++) {
		if (t->sub[i]->n > n - below || !itree_whole(t->sub[i], t->sub[i]->n))
			return false;
		below += t->sub[i]->n;
	}
	return true;
}

static struct itree *find_sub(const struct itree *t, const char *name, size_t len)
{
	size_t lo = 0, hi = t->nsub;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = cmp_name(t->sub[mid], name, len);

		if (!d)
			return t->sub[mid];
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void itree_invalidate(struct itree *t, const char *path, size_t len)
{
	while (t) {
		const char *slash = memchr(path, '/', len);

		t->valid = false;
		if (!slash)
			return;
		t = find_sub(t, path, (size_t)(slash - path));
		len -= (size_t)(slash - path) + 1;
		path = slash + 1;
	}
}

struct writer {
	struct arena *arena;
	const struct index_entry *v;
	struct objects_batch *batch;
	struct err *err;
};

/*
 * The first entry from lo up to hi that is not below the directory that the first len bytes (with the
 * '/') of entry lo name.
 */
static size_t dir_end(const struct writer *w, size_t lo, size_t hi, size_t len)
{
	const char *dir = w->v[lo].path;
	size_t step = 1;

	/* Most directories are small compared with what follows: look near before looking far. */
	while (step < hi - lo && strncmp(w->v[lo + step].path, dir, len) == 0) {
		lo += step;
		step *= 2;
	}
	if (step < hi - lo)
		hi = lo + step;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (strncmp(w->v[mid].path, dir, len) == 0)
			lo = mid;
		else
			hi = mid;
	}
	return hi;
}

/* Whether one of the entries from lo up to hi is the file of this path. */
static bool is_file(const struct writer *w, size_t lo, size_t hi, const char *path, size_t len)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strncmp(w->v[mid].path, path, len);

		if (!d && w->v[mid].len == len)
			return true;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/*
 * Writes the tree of the directory whose entries are those from lo up to hi, the first prefix bytes of
 * whose paths name it, if it is not valid.
 */
static int write_dir(struct writer *w, struct itree *t, size_t lo, size_t hi, size_t prefix)
{
	struct itree **old = t->sub;
	size_t nold = t->nsub, o = 0, i = lo, end;
	struct bytes tree = { 0 };
	int ret = 0;

	if (t->valid)
		return 0;
	t->sub = NULL;
	t->nsub = t->cap = 0;
	for (; i < hi && !ret; i = end) {
		const struct index_entry *e = &w->v[i];
		const char *name = e->path + prefix, *slash = memchr(name, '/', e->len - prefix);
		size_t len = slash ? (size_t)(slash - name) : e->len - prefix;
		struct itree *sub;

		end = i + 1;
		if (!len) {
			ret = err_set(w->err, ERR_FAIL, "path '%s' has an empty component", e->path);
			break;
		}
		if (!slash) {
			rawtree_add(&tree, e->mode, name, len, &e->oid);
			continue;
		}
		if (is_file(w, lo, i, e->path, prefix + len)) {
			ret = err_set(w->err, ERR_FAIL, "'%.*s' is a file and a directory",
					(int)(prefix + len), e->path);
			break;
		}
		while (o < nold && cmp_name(old[o], name, len) < 0)
			o++;
		sub = o < nold && cmp_name(old[o], name, len) == 0 ? old[o] : itree_new(w->arena, name, len);
		itree_append(w->arena, t, sub);
		end = dir_end(w, i, hi, prefix + len + 1);
		ret = write_dir(w, sub, i, end, prefix + len + 1);
		if (!ret)
			rawtree_add(&tree, 0040000, name, len, &sub->oid);
	}
	if (!ret)
		ret = objects_give(w->batch, OBJECTS_TREE, &tree, &t->oid, w->err);
	t->valid = !ret;
	t->n = hi - lo;
	bytes_release(&tree);
	return ret;
}

int itree_write(struct itree *t, struct arena *a, const struct index_entry *v, size_t n,
		struct objects_batch *b, struct err *err)
{
	struct writer w = { a, v, b, err };

	return write_dir(&w, t, 0, n, 0);
}
