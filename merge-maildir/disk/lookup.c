/*
 * lookup.c -- finds a message of one folder by its key, when it is not under the name that was expected.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lookup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/name.h"
#include "listing.h"

/* For what comes after the directories were read. */
#define LOOKUP_SPARE 2048
#define LOOKUP_TRIES 3

static void add(struct lookup *l, unsigned sub, const char *s, size_t len)
{
	struct lookup_entry *e;
	struct name n;

	name_parse(&n, s, len);
	MEM_GROW(l->v, l->n, l->cap);
	e = &l->v[l->n++];
	e->name = arena_strn(&l->arena, s, len);
	e->len = (uint8_t)len;
	e->keylen = (uint8_t)n.keylen;
	e->shortlen = (uint8_t)n.shortlen;
	e->sub = (uint8_t)sub;
	e->gone = false;
}

static void index_entry(struct lookup *l, size_t i)
{
	const struct lookup_entry *e = &l->v[i];

	hash_add(&l->bykey, hash_bytes(e->name, e->keylen), i);
	hash_add(&l->byshort, hash_bytes(e->name, e->shortlen), i);
}

static int read_sub(struct lookup *l, int dirfd, unsigned sub)
{
	struct listing list = { 0 };
	struct listing_entry e;
	/* A descriptor of its own: a read position is shared by all who have the descriptor. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	list.fd = fd;
	while ((rc = listing_next(&list, &e)) > 0)
		if (name_is_message(e.name, e.len))
			add(l, sub, e.name, e.len);
	listing_release(&list);
	close(fd);
	return rc;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* 1 if nothing changed while it was read, 0 if something did, -1 with errno. */
static int read_both(struct lookup *l, const int sub[2])
{
	struct stat before[2], after[2];
	int i;

	for (i = 0; i < 2; i++)
		if (fstat(sub[i], &before[i]))
			return -1;
	/* new/ first: a file that goes to cur/ meanwhile is then seen twice rather than not at all. */
	if (read_sub(l, sub[NAME_NEW], NAME_NEW) || read_sub(l, sub[NAME_CUR], NAME_CUR))
		return -1;
	for (i = 0; i < 2; i++)
		if (fstat(sub[i], &after[i]))
			return -1;
	return same_state(&before[0], &after[0]) && same_state(&before[1], &after[1]);
}

int lookup_read(struct lookup *l, const int sub[2])
{
	size_t i;
	int try, rc = 0;

	if (l->read)
		return 0;
	for (try = 0; !rc && try < LOOKUP_TRIES; try++) {
		lookup_clear(l);
		rc = read_both(l, sub);
	}
	if (rc < 0)
		return -1;
	l->room = l->n + LOOKUP_SPARE;
	hash_init(&l->bykey, l->room);
	hash_init(&l->byshort, l->room);
	for (i = 0; i < l->n; i++)
		index_entry(l, i);
	l->read = true;
	return 0;
}

void lookup_clear(struct lookup *l)
{
	free(l->v);
	arena_release(&l->arena);
	hash_release(&l->bykey);
	hash_release(&l->byshort);
	memset(l, 0, sizeof(*l));
}

struct lookup_entry *lookup_next(struct lookup *l, const char *key, size_t keylen, size_t *it)
{
	size_t i;

	if (!l->read)
		return NULL;
	while (hash_next(&l->bykey, hash_bytes(key, keylen), it, &i)) {
		struct lookup_entry *e = &l->v[i];

		if (!e->gone && e->keylen == keylen && !memcmp(e->name, key, keylen))
			return e;
	}
	return NULL;
}

struct lookup_entry *lookup_short(struct lookup *l, const char *key, size_t shortlen)
{
	struct lookup_entry *found = NULL;
	size_t it = 0, i;

	if (!l->read)
		return NULL;
	while (hash_next(&l->byshort, hash_bytes(key, shortlen), &it, &i)) {
		struct lookup_entry *e = &l->v[i];

		if (e->gone || e->shortlen != shortlen || memcmp(e->name, key, shortlen))
			continue;
		if (found)
			return NULL;
		found = e;
	}
	return found;
}

void lookup_came(struct lookup *l, unsigned sub, const char *name)
{
	if (!l->read)
		return;
	if (l->n == l->room) {
		lookup_clear(l);
		return;
	}
	add(l, sub, name, strlen(name));
	index_entry(l, l->n - 1);
}

void lookup_left(struct lookup *l, unsigned sub, const char *name)
{
	struct lookup_entry *e;
	struct name n;
	size_t it = 0;

	if (!l->read)
		return;
	name_parse(&n, name, strlen(name));
	while ((e = lookup_next(l, n.s, n.keylen, &it)))
		if (e->sub == sub && e->len == n.len && !memcmp(e->name, name, n.len))
			e->gone = true;
}
