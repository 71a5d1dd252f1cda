/*
 * label.c -- the name of a message that two sides named differently: key, flags and the rest, each three-way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "label.h"

#include <string.h>

#include "match.h"

struct slice {
	const char *s;
	size_t len;
};

static int cmp(struct slice a, struct slice b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int d = len ? memcmp(a.s, b.s, len) : 0;

	return d ? d : (a.len > b.len) - (a.len < b.len);
}

static struct slice smaller(struct slice a, struct slice b)
{
	return cmp(a, b) <= 0 ? a : b;
}

/* What one side changed; of two different changes the smaller. */
static struct slice three_way(struct slice base, struct slice a, struct slice b)
{
	if (!cmp(a, base))
		return b;
	return !cmp(b, base) ? a : smaller(a, b);
}

static struct slice key_of(const struct msg *m)
{
	return (struct slice){ m->name, m->keylen };
}

/* With its ':'; empty if there is none. */
static struct slice info_of(const struct msg *m)
{
	return (struct slice){ m->name + m->keylen, (size_t)(m->len - m->keylen) };
}

static struct slice tail_of(const struct name *n)
{
	return n->has_flags ? (struct slice){ n->tail, n->taillen } : (struct slice){ "", 0 };
}

static struct msg with_name(const struct msg *like, const char *name, size_t len, size_t keylen)
{
	struct msg m = *like;

	m.name = name;
	m.len = (uint8_t)len;
	m.keylen = (uint8_t)keylen;
	return m;
}

/* The info of the merged name, in buf where it is a new one. */
static struct slice merge_info(char *buf, const struct msg *base, const struct msg *a, const struct msg *b)
{
	struct slice io = base ? info_of(base) : (struct slice){ "", 0 }, ia = info_of(a), ib = info_of(b), tail;
	struct name no = { 0 }, na, nb;
	name_flags flags;

	if (!cmp(ia, io) || !cmp(ia, ib))
		return ib;
	if (!cmp(ib, io))
		return ia;
	if (base)
		name_parse(&no, base->name, base->len);
	name_parse(&na, a->name, a->len);
	name_parse(&nb, b->name, b->len);
	if ((na.has_info && !na.has_flags) || (nb.has_info && !nb.has_flags))
		return smaller(ia, ib);
	/* A flag that a changed has a's value; if b changed it too, that is the same one. */
	flags = (na.flags & (na.flags ^ no.flags)) | (nb.flags & ~(na.flags ^ no.flags));
	tail = three_way(tail_of(&no), tail_of(&na), tail_of(&nb));
	return (struct slice){ buf, name_join(buf, "", 0, flags, tail.s, tail.len) };
}

static struct msg join(struct arena *arena, const struct msg *like, struct slice key, struct slice info)
{
	char *name = arena_alloc(arena, key.len + info.len + 1);

	memcpy(name, key.s, key.len);
	if (info.len)
		memcpy(name + key.len, info.s, info.len);
	name[key.len + info.len] = '\0';
	return with_name(like, name, key.len + info.len, key.len);
}

/* One of the names, in the directory of like. */
static struct msg verbatim(const struct msg *like, const struct msg *name)
{
	return with_name(like, name->name, name->len, name->keylen);
}

/* Both sides changed name or directory, and not to the same. */
static struct msg rebuild(struct arena *arena, const struct msg *base, const struct msg *a, const struct msg *b,
			  const struct msg *keyof)
{
	struct slice key = base ? three_way(key_of(base), key_of(a), key_of(b)) : smaller(key_of(a), key_of(b));
	char buf[NAME_LONGEST + 1];
	struct slice info = merge_info(buf, base, a, b), name_a = { a->name, a->len }, name_b = { b->name, b->len };
	const struct msg *like = a->sub == NAME_CUR ? a : b;

	if (keyof)
		key = key_of(keyof);
	if (key.len + info.len <= NAME_LONGEST)
		return join(arena, like, key, info);
	if (keyof)
		return verbatim(like, keyof);
	return verbatim(like, cmp(name_a, name_b) <= 0 ? a : b);
}

struct msg label_merge(struct arena *arena, const struct msg *base, const struct msg *a, const struct msg *b,
		       const struct msg *keyof)
{
	const struct msg *m;

	if (match_same_path(a, b) || (base && match_same_path(b, base)))
		m = a;
	else if (base && match_same_path(a, base))
		m = b;
	else
		return rebuild(arena, base, a, b, keyof);
	if (!keyof || match_same_key(m, keyof))
		return *m;
	if (keyof->keylen + info_of(m).len > NAME_LONGEST)
		return verbatim(m, keyof);
	return join(arena, m, key_of(keyof), info_of(m));
}

struct msg label_rekey(struct arena *arena, const struct msg *m, const char *key, size_t keylen)
{
	struct slice new = { key, keylen }, info = info_of(m);
	char buf[NAME_LONGEST + 1];
	struct name n;

	if (keylen + info.len > NAME_LONGEST) {
		name_parse(&n, m->name, m->len);
		info = (struct slice){ buf, n.has_flags ? name_join(buf, "", 0, n.flags, "", 0) : 0 };
		if (keylen + info.len > NAME_LONGEST)
			info.len = 0;
	}
	return join(arena, m, new, info);
}
