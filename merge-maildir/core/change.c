/*
 * change.c -- what happened between two stores, in words of mail.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"

/* A message that is at its place on one side only, or has other content there. */
struct item {
	const struct msg *msg;
	struct item *mate; /* on the other side */
	uint32_t folder;   /* index into finder.paths */
};

struct items {
	struct item *v;
	size_t n, cap;
};

/* What the two sides of a pair must have in common. */
enum { BY_FOLDER = 1, BY_KEY = 2, BY_SHORT_KEY = 4, BY_OID = 8 };

/*
 * Better pairs first. After a pass by folder and something, a pass by that something alone finds only pairs
 * in two folders.
 */
static const unsigned passes[] = {
	BY_FOLDER | BY_KEY | BY_OID,
	BY_FOLDER | BY_KEY,
	BY_FOLDER | BY_SHORT_KEY | BY_OID,
	BY_KEY | BY_OID,
	BY_FOLDER | BY_OID,
	BY_OID,
};

struct finder {
	const char **paths; /* of all folders of both sides, sorted */
	size_t npaths, paths_cap;
	struct items gone, came; /* each sorted by folder, new/ before cur/, and name */
};

static int compare_names(const struct msg *a, const struct msg *b)
{
	int c = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);

	return c ? c : a->len - b->len;
}

/*
 * add_item: notes the i-th message of a list. A name that a list holds twice (a tree made by hand can)
 * counts once: else its second entry would find no equal on the other side, and read as a deletion of the
 * file that the first one stands for.
 */
static void add_item(struct items *items, const struct msgs *l, size_t i, uint32_t folder)
{
	if (i > 0 && compare_names(&l->v[i - 1], &l->v[i]) == 0)
		return;
	MEM_GROW(items->v, items->n, items->cap);
	items->v[items->n++] = (struct item){ .msg = &l->v[i], .folder = folder };
}

static void diff_msgs(struct finder *f, const struct msgs *a, const struct msgs *b, uint32_t folder)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		int c = i == a->n ? 1 : j == b->n ? -1 : compare_names(&a->v[i], &b->v[j]);

		if (c == 0 && oid_eq(&a->v[i].oid, &b->v[j].oid)) {
			i++;
			j++;
			continue;
		}
		if (c <= 0)
			add_item(&f->gone, a, i++, folder);
		if (c >= 0)
			add_item(&f->came, b, j++, folder);
	}
}

static void diff_folders(struct finder *f, const struct store *from, const struct store *to)
{
	static const struct folder empty;
	size_t i = 0, j = 0;

	while (i < from->nfolders || j < to->nfolders) {
		int c = i == from->nfolders ? 1
			: j == to->nfolders ? -1
					    : strcmp(from->folders[i].path, to->folders[j].path);
		const struct folder *a = c <= 0 ? &from->folders[i++] : &empty;
		const struct folder *b = c >= 0 ? &to->folders[j++] : &empty;

		MEM_GROW(f->paths, f->npaths, f->paths_cap);
		f->paths[f->npaths] = c <= 0 ? a->path : b->path;
		diff_msgs(f, &a->sub[NAME_NEW], &b->sub[NAME_NEW], (uint32_t)f->npaths);
		diff_msgs(f, &a->sub[NAME_CUR], &b->sub[NAME_CUR], (uint32_t)f->npaths);
		f->npaths++;
	}
}

/*
 * pair_in_place: one path with two contents is one message whose content changed, even if another message
 * of the folder has its old content now. Any other reading has steps that want a path which is still taken.
 */
static void pair_in_place(struct finder *f)
{
	struct item *a = f->gone.v, *b = f->came.v;
	struct item *aend = a + f->gone.n, *bend = b + f->came.n;

	while (a < aend && b < bend) {
		int c = a->folder != b->folder ? (a->folder < b->folder ? -1 : 1)
			: a->msg->sub != b->msg->sub ? a->msg->sub - b->msg->sub
						     : compare_names(a->msg, b->msg);

		if (c == 0) {
			a->mate = b;
			b->mate = a;
		}
		if (c <= 0)
			a++;
		if (c >= 0)
			b++;
	}
}

/* An item in a pass, with a hash of what is compared in it, so that sorting seldom looks at the names. */
struct probe {
	uint64_t hash;
	struct item *item;
	uint8_t keylen; /* of the part of the name that is compared */
	bool by_folder, by_oid;
};

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len-- > 0)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static struct probe make_probe(struct item *it, unsigned by)
{
	struct probe p = { .item = it, .by_folder = by & BY_FOLDER, .by_oid = by & BY_OID };
	uint64_t h = 0xcbf29ce484222325u;

	if (by & (BY_KEY | BY_SHORT_KEY)) {
		const char *comma = by & BY_SHORT_KEY ? memchr(it->msg->name, ',', it->msg->keylen) : NULL;

		p.keylen = comma ? (uint8_t)(comma - it->msg->name) : it->msg->keylen;
		h = mix(h, it->msg->name, p.keylen);
	}
	if (by & BY_FOLDER)
		h = mix(h, &it->folder, sizeof(it->folder));
	if (by & BY_OID)
		h = mix(h, it->msg->oid.h, OID_RAW);
	p.hash = h;
	return p;
}

static int compare_probes(const struct probe *a, const struct probe *b)
{
	const struct item *x = a->item, *y = b->item;
	int c = 0;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->by_folder && x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	if (a->by_oid)
		c = oid_cmp(&x->msg->oid, &y->msg->oid);
	if (c == 0)
		c = a->keylen - b->keylen;
	return c ? c : memcmp(x->msg->name, y->msg->name, a->keylen);
}

/* Among equals the items' own order: the first of one side is paired with the first of the other. */
static int compare_probes_in_order(const void *va, const void *vb)
{
	const struct probe *a = va, *b = vb;
	int c = compare_probes(a, b);

	return c ? c : (a->item > b->item) - (a->item < b->item);
}

/* What a folder has without a mate. */
enum { LOST = 1, GOT = 2 };

static void mark_folders(const struct items *items, unsigned char *marks, unsigned char mark)
{
	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].mate)
			marks[items->v[i].folder] |= mark;
}

/*
 * collect_probes: the items without a mate; in a pass by folder only those of folders that both lost and
 * got some.
 */
static size_t collect_probes(const struct items *items, unsigned by, const unsigned char *marks,
			     struct probe **out)
{
	struct probe *v = mem_alloc((items->n + 1) * sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < items->n; i++)
		if (!items->v[i].mate && (!(by & BY_FOLDER) || marks[items->v[i].folder] == (LOST | GOT)))
			v[n++] = make_probe(&items->v[i], by);
	*out = v;
	return n;
}

/*
 * pair: one pass. Sorting instead of a hash table, because the names come from other machines, and no
 * choice of names makes this quadratic.
 */
static void pair(struct finder *f, unsigned by)
{
	unsigned char *marks = mem_zalloc(f->npaths + 1);
	struct probe *a, *b;
	size_t an, bn;

	mark_folders(&f->gone, marks, LOST);
	mark_folders(&f->came, marks, GOT);
	an = collect_probes(&f->gone, by, marks, &a);
	bn = collect_probes(&f->came, by, marks, &b);
	if (an > 0 && bn > 0) {
		size_t i = 0, j = 0;

		qsort(a, an, sizeof(*a), compare_probes_in_order);
		qsort(b, bn, sizeof(*b), compare_probes_in_order);
		while (i < an && j < bn) {
			int c = compare_probes(&a[i], &b[j]);

			if (c == 0) {
				a[i].item->mate = b[j].item;
				b[j].item->mate = a[i].item;
			}
			if (c <= 0)
				i++;
			if (c >= 0)
				j++;
		}
	}
	free(a);
	free(b);
	free(marks);
}

static enum change_kind kind_of(const struct item *gone)
{
	if (!gone->mate)
		return CHANGE_DELETE;
	if (gone->mate->folder != gone->folder)
		return CHANGE_MOVE;
	return oid_eq(&gone->mate->msg->oid, &gone->msg->oid) ? CHANGE_RENAME : CHANGE_CONTENT;
}

static void add_change(struct changes *out, const struct change *c)
{
	MEM_GROW(out->v, out->n, out->cap);
	out->v[out->n++] = *c;
}

static void add_messages(struct changes *out, const struct finder *f, enum change_kind kind)
{
	const struct items *items = kind == CHANGE_ADD ? &f->came : &f->gone;

	for (size_t i = 0; i < items->n; i++) {
		const struct item *it = &items->v[i];
		struct change c = { .kind = kind, .folder = f->paths[it->folder] };

		if (kind == CHANGE_ADD ? it->mate != NULL : kind_of(it) != kind)
			continue;
		c.to_folder = it->mate ? f->paths[it->mate->folder] : c.folder;
		if (kind == CHANGE_ADD) {
			c.to = it->msg;
		} else {
			c.from = it->msg;
			c.to = it->mate ? it->mate->msg : NULL;
		}
		add_change(out, &c);
	}
}

/* Whether a file that is so on the two sides (NULL: not there) is a change of this kind. */
static bool file_is(enum change_kind kind, const struct file *a, const struct file *b)
{
	switch (kind) {
	case CHANGE_FOLDER_ADD:
		return !a && b->class == PATH_MARKER;
	case CHANGE_FOLDER_GONE:
		return !b && a->class == PATH_MARKER;
	case CHANGE_FILE_PUT:
		return b && (!a || !oid_eq(&a->oid, &b->oid) || a->mode != b->mode);
	default:
		return !b;
	}
}

/* As in add_item(). */
static bool listed_twice(const struct store *s, size_t i)
{
	return i > 0 && strcmp(s->files[i - 1].path, s->files[i].path) == 0;
}

static int compare_file_changes(const void *va, const void *vb)
{
	const struct change *a = va, *b = vb;
	int c = strcmp(a->folder, b->folder);

	return c ? c : strcmp((a->fto ? a->fto : a->ffrom)->path, (b->fto ? b->fto : b->ffrom)->path);
}

static void add_files(struct changes *out, enum change_kind kind)
{
	const struct store *from = out->from, *to = out->to;
	size_t i = 0, j = 0, first = out->n;

	while (i < from->nfiles || j < to->nfiles) {
		int c = i == from->nfiles ? 1
			: j == to->nfiles ? -1
					  : strcmp(from->files[i].path, to->files[j].path);
		const struct file *a = c <= 0 ? &from->files[i++] : NULL;
		const struct file *b = c >= 0 ? &to->files[j++] : NULL;
		struct change change = { .kind = kind, .ffrom = a, .fto = b };
		const char *path = a ? a->path : b->path;
		const char *slash = strrchr(path, '/');

		if ((c < 0 && listed_twice(from, i - 1)) || (c > 0 && listed_twice(to, j - 1)))
			continue;
		if (!file_is(kind, a, b))
			continue;
		change.folder = arena_strn(&out->arena, path, slash ? (size_t)(slash - path) : 0);
		change.to_folder = change.folder;
		add_change(out, &change);
	}
	if (out->n > first)
		qsort(out->v + first, out->n - first, sizeof(*out->v), compare_file_changes);
}

void change_find(struct changes *out, const struct store *from, const struct store *to)
{
	struct finder f = { 0 };

	*out = (struct changes){ .from = from, .to = to };
	diff_folders(&f, from, to);
	pair_in_place(&f);
	for (size_t i = 0; f.gone.n > 0 && f.came.n > 0 && i < sizeof(passes) / sizeof(passes[0]); i++)
		pair(&f, passes[i]);
	add_files(out, CHANGE_FOLDER_ADD);
	for (enum change_kind kind = CHANGE_ADD; kind <= CHANGE_DELETE; kind++)
		add_messages(out, &f, kind);
	add_files(out, CHANGE_FILE_PUT);
	add_files(out, CHANGE_FILE_GONE);
	add_files(out, CHANGE_FOLDER_GONE);
	free(f.paths);
	free(f.gone.v);
	free(f.came.v);
}

void changes_release(struct changes *c)
{
	free(c->v);
	arena_release(&c->arena);
	*c = (struct changes){ 0 };
}
