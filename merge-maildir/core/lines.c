/*
 * lines.c -- a file that is a set of lines (subscriptions), merged three-way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Dovecot's second format: TAB between the parts of a folder's name; before, it was the namespace's separator. */
#define HEADER "V\t2\n\n"

struct line {
	const char *s;
	size_t len;
};

struct set {
	struct line *v;
	size_t n, cap;
};

static int cmp(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	int d = memcmp(x->s, y->s, x->len < y->len ? x->len : y->len);

	return d ? d : (x->len > y->len) - (x->len < y->len);
}

static bool has_header(const char *buf, size_t len)
{
	return len >= strlen(HEADER) && memcmp(buf, HEADER, strlen(HEADER)) == 0;
}

/* The lines of a file, sorted, each once, without header and empty lines. A last line needs no newline. */
static void set_read(struct set *set, const char *buf, size_t len)
{
	const char *s = buf, *end, *nl;
	size_t i, n = 0;

	if (!len)
		return;
	end = buf + len;
	if (has_header(buf, len))
		s += strlen(HEADER);
	for (; s < end; s = nl + 1) {
		nl = memchr(s, '\n', (size_t)(end - s));
		if (!nl)
			nl = end;
		if (nl == s)
			continue;
		MEM_GROW(set->v, set->n, set->cap);
		set->v[set->n++] = (struct line){ s, (size_t)(nl - s) };
	}
	if (set->n)
		qsort(set->v, set->n, sizeof(*set->v), cmp);
	for (i = 0; i < set->n; i++)
		if (!n || cmp(&set->v[n - 1], &set->v[i]))
			set->v[n++] = set->v[i];
	set->n = n;
}

/* Takes this line off the front of a sorted set, which is at *i: false if it is not there. */
static bool take(const struct set *set, size_t *i, const struct line *line)
{
	while (*i < set->n && cmp(&set->v[*i], line) < 0)
		++*i;
	if (*i == set->n || cmp(&set->v[*i], line))
		return false;
	++*i;
	return true;
}

static void merge_sets(struct bytes *out, const struct set *base, const struct set *a, const struct set *b)
{
	size_t ib = 0, i = 0, j = 0;

	while (i < a->n || j < b->n) {
		const struct line *pick =
			i == a->n || (j < b->n && cmp(&b->v[j], &a->v[i]) < 0) ? &b->v[j] : &a->v[i];
		bool in_base = take(base, &ib, pick);
		bool in_a = take(a, &i, pick);
		bool in_b = take(b, &j, pick);

		if ((in_a && in_b) || !in_base) {
			bytes_add(out, pick->s, pick->len);
			bytes_add(out, "\n", 1);
		}
	}
}

static bool same(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && (!alen || memcmp(a, b, alen) == 0);
}

void lines_merge(struct bytes *out, const char *base, size_t baselen, const char *a, size_t alen,
		 const char *b, size_t blen)
{
	struct set sb = { 0 }, sa = { 0 }, st = { 0 };

	if (same(a, alen, b, blen) || (base && same(b, blen, base, baselen))) {
		bytes_add(out, a, alen);
		return;
	}
	if (base && same(a, alen, base, baselen)) {
		bytes_add(out, b, blen);
		return;
	}
	set_read(&sb, base, baselen);
	set_read(&sa, a, alen);
	set_read(&st, b, blen);
	if (has_header(a, alen) || has_header(b, blen))
		bytes_addstr(out, HEADER);
	merge_sets(out, &sb, &sa, &st);
	free(sb.v);
	free(sa.v);
	free(st.v);
}
