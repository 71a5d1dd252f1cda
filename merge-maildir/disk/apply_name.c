/*
 * apply_name.c -- the three-way merge of a message's place: what the plan expected, what is on disk, what the
 * plan wants.
 *
 * The same rules as between members (core/merge.c), with the tail taken from the disk: whoever wrote it there
 * is using it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "../core/name.h"
#include "apply_step.h"

static bool same_place(const struct apply_name *a, const struct apply_name *b)
{
	return a->sub == b->sub && !strcmp(a->name, b->name);
}

/* A piece of a name. */
struct piece {
	const char *s;
	size_t len;
};

static int compare(struct piece a, struct piece b)
{
	int c = memcmp(a.s, b.s, a.len < b.len ? a.len : b.len);

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static struct piece three_way(struct piece base, struct piece a, struct piece b)
{
	if (!compare(a, base))
		return b;
	if (!compare(b, base))
		return a;
	return compare(a, b) <= 0 ? a : b;
}

static struct piece key_of(const struct name *n)
{
	return (struct piece){ n->s, n->keylen };
}

/* From the ':' on. */
static struct piece info_of(const struct name *n)
{
	return (struct piece){ n->s + n->keylen, n->len - n->keylen };
}

static bool is_opaque(const struct name *n)
{
	return n->has_info && !n->has_flags;
}

static size_t join(char *out, struct piece key, struct piece info)
{
	if (key.len + info.len > NAME_LONGEST)
		return 0;
	memcpy(out, key.s, key.len);
	memcpy(out + key.len, info.s, info.len);
	out[key.len + info.len] = '\0';
	return key.len + info.len;
}

unsigned apply_name_merge(char *out, const struct apply_name *base, const struct apply_name *found,
			  const struct apply_name *want)
{
	struct name b, f, w;
	struct piece key;
	size_t len;

	name_parse(&b, base->name, strlen(base->name));
	name_parse(&f, found->name, strlen(found->name));
	name_parse(&w, want->name, strlen(want->name));
	if (same_place(found, base)) {
		memcpy(out, w.s, w.len + 1);
		return want->sub;
	}
	key = three_way(key_of(&b), key_of(&f), key_of(&w));
	if (is_opaque(&f) || is_opaque(&w)) {
		len = join(out, key, three_way(info_of(&b), info_of(&f), info_of(&w)));
	} else if (!f.has_info && !w.has_info) {
		len = join(out, key, (struct piece){ "", 0 });
	} else {
		name_flags changed = (f.flags ^ b.flags) | (w.flags ^ b.flags);

		len = name_join(out, key.s, key.len, b.flags ^ changed, f.tail, f.taillen);
	}
	/* Too long for a file name: what is there stays. */
	if (!len)
		memcpy(out, f.s, f.len + 1);
	return found->sub == NAME_CUR || want->sub == NAME_CUR ? NAME_CUR : NAME_NEW;
}
