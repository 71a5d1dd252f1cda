/*
 * keywords.c -- dovecot-keywords: which keyword each letter a to z in the names of a folder's messages means.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keywords.h"

#include <stdlib.h>
#include <string.h>

static int fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* Without the locale, which may differ between members. */
static bool same_name(const char *a, const char *b)
{
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

static bool is_name(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return len > 0;
}

int keywords_find(const struct keywords *k, const char *name)
{
	int i;

	for (i = 0; i < KEYWORDS_MOST; i++)
		if (k->name[i] && same_name(k->name[i], name))
			return i;
	return -1;
}

static int first_free(const struct keywords *k)
{
	int i;

	for (i = 0; i < KEYWORDS_MOST; i++)
		if (!k->name[i])
			return i;
	return -1;
}

int keywords_add(struct keywords *k, const char *name, int wish)
{
	size_t len = strlen(name);
	int at = keywords_find(k, name);

	if (at >= 0 || !is_name(name, len))
		return at;
	if (wish >= 0 && wish < KEYWORDS_MOST && !k->name[wish])
		at = wish;
	else
		at = first_free(k);
	if (at >= 0)
		k->name[at] = arena_strn(&k->arena, name, len);
	return at;
}

/* The index at *s, which is moved behind its digits; -1 if there is none, KEYWORDS_MOST if it is too large. */
static int parse_index(const char **s, const char *end)
{
	const char *from = *s;
	int n = 0;

	for (; *s < end && **s >= '0' && **s <= '9'; ++*s)
		if (n < KEYWORDS_MOST)
			n = n * 10 + (**s - '0');
	if (*s == from)
		return -1;
	return n < KEYWORDS_MOST ? n : KEYWORDS_MOST;
}

static unsigned parse_line(struct keywords *k, const char *s, const char *end)
{
	int at = parse_index(&s, end);
	const char *name;

	if (at < 0 || s == end || *s++ != ' ' || !is_name(s, (size_t)(end - s)))
		return KEYWORDS_BAD_LINE;
	if (at == KEYWORDS_MOST)
		return KEYWORDS_TOO_MANY;
	if (k->name[at])
		return KEYWORDS_TWICE;
	name = arena_strn(&k->arena, s, (size_t)(end - s));
	if (keywords_find(k, name) >= 0)
		return KEYWORDS_TWICE;
	k->name[at] = name;
	return 0;
}

void keywords_parse(struct keywords *k, const char *buf, size_t len)
{
	const char *s = buf, *end = len ? buf + len : buf, *nl;

	for (; s < end && (nl = memchr(s, '\n', (size_t)(end - s))); s = nl + 1)
		k->trouble |= parse_line(k, s, nl);
	/* Half a name would be another name. */
	if (s < end)
		k->trouble |= KEYWORDS_BAD_LINE;
}

void keywords_format(const struct keywords *k, struct bytes *out)
{
	int i;

	for (i = 0; i < KEYWORDS_MOST; i++)
		if (k->name[i])
			bytes_addf(out, "%d %s\n", i, k->name[i]);
}

void keywords_release(struct keywords *k)
{
	arena_release(&k->arena);
	memset(k, 0, sizeof(*k));
}

/* A name that a side added. */
struct wish {
	const char *name;
	int at;
	bool agreed; /* both sides have it there */
};

struct wishes {
	struct wish v[2 * KEYWORDS_MOST];
	size_t n;
};

static int cmp_wish(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* The names that a side added, and the other side, whose spelling counts if it is the smaller. */
static void gather(struct wishes *w, const struct keywords *out, const struct keywords *side, const struct keywords *other, bool both)
{
	int i, j;

	for (i = 0; i < KEYWORDS_MOST; i++) {
		const char *name = side->name[i];

		if (!name || keywords_find(out, name) >= 0)
			continue;
		j = keywords_find(other, name);
		if (j >= 0 && !both)
			continue;
		if (j >= 0 && strcmp(other->name[j], name) < 0)
			name = other->name[j];
		w->v[w->n++] = (struct wish){ name, j >= 0 && j < i ? j : i, j == i };
	}
}

/* Gives the names that are still without an index the one that they want. */
static void grant(struct keywords *out, const struct wishes *w, bool agreed)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->v[i].agreed == agreed && !out->name[w->v[i].at])
			keywords_add(out, w->v[i].name, w->v[i].at);
}

void keywords_merge(struct keywords *out, const struct keywords *base, const struct keywords *a, const struct keywords *b,
		    void (*full)(void *ctx, const char *name), void *ctx)
{
	static const struct keywords none;
	struct wishes w = { .n = 0 };
	size_t i;

	base = base ? base : &none;
	a = a ? a : &none;
	b = b ? b : &none;
	for (i = 0; i < KEYWORDS_MOST; i++)
		if (base->name[i])
			keywords_add(out, base->name[i], (int)i);
	gather(&w, out, a, b, true);
	gather(&w, out, b, a, false);
	qsort(w.v, w.n, sizeof(w.v[0]), cmp_wish);
	grant(out, &w, true);
	grant(out, &w, false);
	for (i = 0; i < w.n; i++)
		if (keywords_add(out, w.v[i].name, -1) < 0 && full)
			full(ctx, w.v[i].name);
}

void keywords_map(struct keywords_map *m, const struct keywords *from, const struct keywords *to)
{
	int i;

	m->same = true;
	for (i = 0; i < KEYWORDS_MOST; i++) {
		if (from->name[i])
			m->to[i] = (int8_t)keywords_find(to, from->name[i]);
		else
			m->to[i] = (int8_t)(to->name[i] ? -1 : i);
		m->same = m->same && m->to[i] == i;
	}
}

name_flags keywords_translate(const struct keywords_map *m, name_flags flags)
{
	name_flags out = flags & (name_flag('a') - 1);
	int i;

	if (m->same)
		return flags;
	for (i = 0; i < KEYWORDS_MOST; i++)
		if (flags & name_flag((char)('a' + i)) && m->to[i] >= 0)
			out |= name_flag((char)('a' + m->to[i]));
	return out;
}

size_t keywords_rename(char *out, const struct keywords_map *m, const char *name, size_t len)
{
	name_flags flags;
	struct name n;

	if (len > NAME_LONGEST)
		return 0;
	name_parse(&n, name, len);
	flags = keywords_translate(m, n.flags);
	if (flags != n.flags)
		return name_join(out, n.s, n.keylen, flags, n.tail, n.taillen);
	if (len)
		memcpy(out, name, len);
	out[len] = '\0';
	return len;
}
