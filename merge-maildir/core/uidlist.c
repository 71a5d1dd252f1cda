/*
 * uidlist.c -- dovecot-uidlist: which IMAP UID each message of a folder has.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "uidlist.h"

#include <stdlib.h>
#include <string.h>

#include "name.h"

void uidlist_release(struct uidlist *l)
{
	free(l->v);
	hash_release(&l->by_key);
	arena_release(&l->arena);
	memset(l, 0, sizeof(*l));
}

static bool same_key(const struct uidlist_line *line, const char *key, size_t keylen)
{
	return line->keylen == keylen && memcmp(line->key, key, keylen) == 0;
}

static void drop_index(struct uidlist *l)
{
	hash_release(&l->by_key);
	l->indexed = false;
}

/* How many lines the index holds before it is more than half full. */
static size_t index_room(const struct uidlist *l)
{
	return (l->by_key.mask + 1) / 2;
}

/* Lines with UID 0 are no lines any more. */
static void drop_lines(struct uidlist *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].uid)
			l->v[n++] = l->v[i];
	if (n < l->n)
		drop_index(l);
	l->n = n;
}

bool uidlist_index(struct uidlist *l)
{
	bool twice = false;
	size_t i, it, old;

	drop_index(l);
	/* Room for what is delivered meanwhile: a member that runs on numbers one message at a time. */
	hash_init(&l->by_key, l->n + l->n / 8 + 8);
	for (i = 0; i < l->n; i++) {
		const struct uidlist_line *line = &l->v[i];
		uint32_t hash = hash_bytes(line->key, line->keylen);

		for (it = 0; hash_next(&l->by_key, hash, &it, &old);)
			if (same_key(&l->v[old], line->key, line->keylen)) {
				l->v[old].uid = 0;
				twice = true;
			}
		hash_add(&l->by_key, hash, i);
	}
	l->indexed = true;
	if (twice)
		drop_lines(l);
	return twice;
}

const struct uidlist_line *uidlist_find(struct uidlist *l, const char *key, size_t keylen)
{
	uint32_t hash;
	size_t it = 0, at;

	if (!l->n)
		return NULL;
	if (!l->indexed)
		uidlist_index(l);
	hash = hash_bytes(key, keylen);
	while (hash_next(&l->by_key, hash, &it, &at))
		if (same_key(&l->v[at], key, keylen))
			return &l->v[at];
	return NULL;
}

const struct uidlist_line *uidlist_partner(struct uidlist *l, size_t *at, const struct uidlist_line *line)
{
	while (*at < l->n && l->v[*at].uid < line->uid)
		++*at;
	/* What most messages are: the same in all lists. They need no index. */
	if (*at < l->n && l->v[*at].uid == line->uid && same_key(&l->v[*at], line->key, line->keylen))
		return &l->v[*at];
	return uidlist_find(l, line->key, line->keylen);
}

void uidlist_append(struct uidlist *l, const struct uidlist_line *line)
{
	if (l->indexed && l->n < index_room(l))
		hash_add(&l->by_key, hash_bytes(line->key, line->keylen), l->n);
	else
		drop_index(l);
	MEM_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = *line;
}

void uidlist_keep(struct uidlist *l, bool (*has)(void *ctx, const char *key, size_t keylen), void *ctx)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!has(ctx, l->v[i].key, l->v[i].keylen))
			l->v[i].uid = 0;
	drop_lines(l);
}

static bool is_cache(const char *field)
{
	return *field == 'S' || *field == 'W';
}

/* The fields but for those, in out. Returns their length. */
static size_t copy_fields(char *out, const char *ext, size_t len)
{
	const char *end = ext + len, *next;
	size_t n = 0;

	for (; ext < end; ext = next) {
		const char *space = memchr(ext, ' ', (size_t)(end - ext));

		next = space ? space + 1 : end;
		if (is_cache(ext))
			continue;
		if (n)
			out[n++] = ' ';
		memcpy(out + n, ext, (size_t)((space ? space : end) - ext));
		n += (size_t)((space ? space : end) - ext);
	}
	return n;
}

void uidlist_uncache(struct uidlist *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct uidlist_line *line = &l->v[i];
		char *kept;

		if (!line->extlen)
			continue;
		kept = arena_alloc(&l->arena, line->extlen);
		line->extlen = (uint16_t)copy_fields(kept, line->ext, line->extlen);
		line->ext = kept;
	}
}

/* What a line cannot hold, or what would be another key when it is read again. */
static bool fits_line(const struct uidlist_key *k)
{
	static const char no[] = { '\n', '\r', '/', ':', '\0' };
	size_t i;

	for (i = 0; i < sizeof(no); i++)
		if (k->keylen && memchr(k->key, no[i], k->keylen))
			return false;
	return k->keylen > 0;
}

struct timed_key {
	int64_t time;
	struct uidlist_key k;
};

int uidlist_cmp_keys(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t least = alen < blen ? alen : blen;
	int d = least ? memcmp(a, b, least) : 0;

	return d ? d : (alen > blen) - (alen < blen);
}

static int cmp_timed(const void *a, const void *b)
{
	const struct timed_key *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return uidlist_cmp_keys(x->k.key, x->k.keylen, y->k.key, y->k.keylen);
}

static void sort_by_time(struct uidlist_key *keys, size_t n)
{
	struct timed_key *v = mem_alloc(n * sizeof(*v));
	bool sorted = true;
	size_t i;

	for (i = 0; i < n; i++) {
		v[i] = (struct timed_key){ name_seconds(keys[i].key, keys[i].keylen), keys[i] };
		sorted = sorted && (!i || cmp_timed(&v[i - 1], &v[i]) <= 0);
	}
	if (!sorted) {
		qsort(v, n, sizeof(*v), cmp_timed);
		for (i = 0; i < n; i++)
			keys[i] = v[i].k;
	}
	free(v);
}

size_t uidlist_number(struct uidlist *l, struct uidlist_key *keys, size_t n)
{
	size_t i, given = 0;

	if (!l->known || !n)
		return 0;
	sort_by_time(keys, n);
	for (i = 0; i < n && l->next <= UIDLIST_MOST; i++) {
		struct uidlist_line line = { .uid = l->next, .key = keys[i].key, .keylen = keys[i].keylen };

		if (!fits_line(&keys[i]) || uidlist_find(l, line.key, line.keylen))
			continue;
		uidlist_append(l, &line);
		l->next++;
		given++;
	}
	return given;
}
