/*
 * marker.c -- the marker file ".gitmaildir" of a folder: that it exists, which folder it is, and odd dates.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "marker.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

#define HEADER "git-maildir folder 1\n"
/* As far as name_seconds() goes: the year 36812. */
#define DATE_LIMIT ((int64_t)1 << 40)

static int cmp_key(const char *a, size_t alen, const char *b, size_t blen)
{
	int d = memcmp(a, b, alen < blen ? alen : blen);

	return d ? d : (alen > blen) - (alen < blen);
}

static int cmp_date(const void *a, const void *b)
{
	const struct marker_date *x = a, *y = b;
	int d = cmp_key(x->key, x->keylen, y->key, y->keylen);

	return d ? d : (x->mtime > y->mtime) - (x->mtime < y->mtime);
}

/* The place of the first date whose key is not before this one. */
static size_t place(const struct marker *m, const char *key, size_t keylen)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_key(m->v[mid].key, m->v[mid].keylen, key, keylen) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_at(const struct marker *m, size_t i, const char *key, size_t keylen)
{
	return i < m->n && cmp_key(m->v[i].key, m->v[i].keylen, key, keylen) == 0;
}

/* Whether a date is worth a line: it is known, the name does not say it already, and the key fits in a line. */
static bool wants_line(const char *key, size_t keylen, int64_t mtime)
{
	return mtime >= 0 && mtime < DATE_LIMIT && mtime != name_seconds(key, keylen) &&
	       name_is_message(key, keylen) && !memchr(key, ':', keylen);
}

static void parse_id(struct marker *m, const char *s, size_t len)
{
	size_t i;

	if (m->id[0] || len != MARKER_ID_HEX)
		return;
	for (i = 0; i < len; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return;
	memcpy(m->id, s, len);
	m->id[len] = '\0';
}

static void parse_date(struct marker *m, const char *s, size_t len)
{
	const char *space = memchr(s, ' ', len);
	size_t digits, i;
	int64_t t;

	if (!space)
		return;
	digits = (size_t)(space - s);
	for (i = 0; i < digits; i++)
		if (s[i] < '0' || s[i] > '9')
			return;
	t = name_seconds(s, digits);
	if (t >= 0)
		marker_add(m, space + 1, len - digits - 1, t);
}

static bool begins(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len > n && memcmp(s, word, n) == 0;
}

void marker_parse(struct marker *m, const char *buf, size_t len)
{
	const char *s = buf, *end = buf + len, *nl;

	/* What follows the last newline is a torn line, and half a number or key would be a wrong one. */
	for (; s < end && (nl = memchr(s, '\n', (size_t)(end - s))); s = nl + 1) {
		size_t n = (size_t)(nl - s);

		if (begins(s, n, "id "))
			parse_id(m, s + 3, n - 3);
		else if (begins(s, n, "date "))
			parse_date(m, s + 5, n - 5);
	}
	marker_sort(m);
}

void marker_format(const struct marker *m, struct bytes *out)
{
	size_t i;

	bytes_addstr(out, HEADER);
	if (m->id[0])
		bytes_addf(out, "id %s\n", m->id);
	for (i = 0; i < m->n; i++)
		bytes_addf(out, "date %lld %s\n", (long long)m->v[i].mtime, m->v[i].key);
}

int64_t marker_mtime(const struct marker *m, const char *key, size_t keylen)
{
	size_t i = place(m, key, keylen);

	return is_at(m, i, key, keylen) ? m->v[i].mtime : name_seconds(key, keylen);
}

void marker_add(struct marker *m, const char *key, size_t keylen, int64_t mtime)
{
	struct marker_date *d;

	if (!wants_line(key, keylen, mtime))
		return;
	MEM_GROW(m->v, m->n, m->cap);
	d = &m->v[m->n++];
	d->key = arena_strn(&m->arena, key, keylen);
	d->keylen = keylen;
	d->mtime = mtime;
}

void marker_sort(struct marker *m)
{
	size_t i, n;

	for (i = 1; i < m->n; i++)
		if (cmp_date(&m->v[i - 1], &m->v[i]) > 0)
			break;
	if (i < m->n)
		qsort(m->v, m->n, sizeof(*m->v), cmp_date);
	for (i = n = 0; i < m->n; i++)
		if (!n || cmp_key(m->v[n - 1].key, m->v[n - 1].keylen, m->v[i].key, m->v[i].keylen))
			m->v[n++] = m->v[i];
	m->n = n;
}

void marker_set(struct marker *m, const char *key, size_t keylen, int64_t mtime)
{
	size_t i = place(m, key, keylen);
	struct marker_date d;

	if (!wants_line(key, keylen, mtime)) {
		marker_forget(m, key, keylen);
		return;
	}
	if (is_at(m, i, key, keylen)) {
		m->v[i].mtime = mtime;
		return;
	}
	marker_add(m, key, keylen, mtime);
	d = m->v[m->n - 1];
	memmove(&m->v[i + 1], &m->v[i], (m->n - 1 - i) * sizeof(*m->v));
	m->v[i] = d;
}

void marker_forget(struct marker *m, const char *key, size_t keylen)
{
	size_t i = place(m, key, keylen);

	if (!is_at(m, i, key, keylen))
		return;
	memmove(&m->v[i], &m->v[i + 1], (m->n - i - 1) * sizeof(*m->v));
	m->n--;
}

/* An id that is not there is not a change: a folder does not lose what it is because a file was torn. */
static const char *merge_id(const char *base, const char *a, const char *b)
{
	if (!*a && !*b)
		return base;
	if (!*a || !strcmp(a, base))
		return *b ? b : a;
	if (!*b || !strcmp(b, base))
		return a;
	return strcmp(a, b) < 0 ? a : b;
}

/* Dates of one key, -1 for no line. */
static int64_t merge_mtime(int64_t base, int64_t a, int64_t b)
{
	if (a == b || b == base)
		return a;
	if (a == base)
		return b;
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/* Takes the date of this key off the front of a sorted list, which is at *i: -1 if it is not there. */
static int64_t take(const struct marker *m, size_t *i, const struct marker_date *key)
{
	while (*i < m->n && cmp_key(m->v[*i].key, m->v[*i].keylen, key->key, key->keylen) < 0)
		++*i;
	return is_at(m, *i, key->key, key->keylen) ? m->v[(*i)++].mtime : -1;
}

void marker_merge(struct marker *out, const struct marker *base, const struct marker *a,
		  const struct marker *b)
{
	static const struct marker none;
	size_t ib = 0, i = 0, j = 0;

	if (!base)
		base = &none;
	memcpy(out->id, merge_id(base->id, a->id, b->id), sizeof(out->id));
	while (i < a->n || j < b->n) {
		const struct marker_date *key;
		int64_t o, x, y, t;

		if (i == a->n ||
		    (j < b->n && cmp_key(b->v[j].key, b->v[j].keylen, a->v[i].key, a->v[i].keylen) < 0))
			key = &b->v[j];
		else
			key = &a->v[i];
		o = take(base, &ib, key);
		x = take(a, &i, key);
		y = take(b, &j, key);
		t = merge_mtime(o, x, y);
		if (t >= 0)
			marker_add(out, key->key, key->keylen, t);
	}
}

void marker_release(struct marker *m)
{
	free(m->v);
	arena_release(&m->arena);
	memset(m, 0, sizeof(*m));
}
