/*
 * merge.c -- the three-way merge of stores: pure, deterministic, symmetric, never a conflict.
 *
 * A message is followed from the base to each side by its key, or else by its content (match.c), wherever it is there. What
 * becomes of it (combine.c) is decided by these rows; the code cites their numbers. "One side" is either of them.
 *
 *      base     one side          other side          result
 *   1  there    unchanged         unchanged           unchanged
 *   2  there    flags changed     flags changed too   each flag has the value of the side that changed it: on one bit two sides
 *                                                     that both changed it agree
 *   3  there    new/ to cur/      anything in place   cur/; and if both sides renamed it, cur/ if it is there on either
 *   4  there    deleted           in its folder with  deleted; with maildir.deleteVsFlag = keep, a message whose name the other
 *                                 the same content    side changed stays as that has it; so it always does under another key
 *   5  there    deleted           deleted             deleted
 *   6  there    moved to F        not moved           in F, with the other side's flag changes
 *   7  there    moved to F        deleted             in F: a move survives a deletion
 *   8  there    moved to F        moved to F          one in F, flags merged; of two new keys the smaller
 *   9  there    moved to F        moved to G          a copy in F and a copy in G, both with the merged flags: nothing that a
 *                                                     user did is undone
 *  10  there    content changed   content unchanged   the changed content
 *  11  there    content changed   deleted             the changed content stays
 *  12  there    content changed   changed otherwise   both: the smaller id keeps the key, the other gets a derived one
 *  13  none     added             none                added
 *  14  none     added             same key, content   one, flags united
 *  15  none     added             same key, other     both: the smaller id keeps the key, the other gets a derived one
 *                                 content
 *  16  none     added             other key, same     paired off in order of their names, each pair is one under the smaller
 *                                 folder and content  key: as many stay as the side with more of them has
 *  17  folder   renamed F to G    puts mail into F    that mail is in G (rename.c)
 *  18  two results with one key   in one folder       as they are if one side has both; else as rows 14 and 15 (clash.c)
 *
 * Before all that each list gets the letters for keywords of its merged folder (merge_words.c), and when it is clear which messages there are,
 * each gets its UID (merge_uids.c).
 *
 * Where the name was changed by one side only, it is taken as it is; label.c mixes two changed ones. Without a base nothing can be
 * deleted, and rows 13 to 16 do it all.
 *
 * Nearly all of a large store is equal on all three sides: it goes from the sorted lists straight to the result. Only what differs
 * takes part in anything else, so that the cost is a comparison for each message and some sorting for each difference.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "clash.h"
#include "combine.h"
#include "lines.h"
#include "match.h"
#include "merge_files.h"
#include "merge_markers.h"
#include "merge_uids.h"
#include "merge_words.h"
#include "rename.h"
#include "trio.h"
#include "uidvalidity.h"

struct merge {
	const struct store *in[SIDES];
	struct store *out; /* one folder for each trio, with what is unchanged, and then with everything */
	struct trios trios;
	struct origins origins;	   /* messages of the base that are not equal everywhere */
	struct insts came[SIDES];  /* messages of A and B that are not in the base, or changed */
	bool no_base;		   /* the base has no message at all */
	bool differ[SIDES][SIDES]; /* whether these two stores do (in what was looked at) */
};

static bool equal(const struct msg *a, const struct msg *b)
{
	return oid_eq(&a->oid, &b->oid) && a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

static int cmp_name(const struct msg *a, const struct msg *b)
{
	int d = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);

	return d ? d : (int)a->len - (int)b->len;
}

static void reserve(struct msgs *l, size_t n)
{
	if (n <= l->cap)
		return;
	l->v = mem_realloc(l->v, n * sizeof(*l->v));
	l->cap = n;
}

static void pass(struct msgs *unchanged, const struct msg *m)
{
	MEM_GROW(unchanged->v, unchanged->n, unchanged->cap);
	unchanged->v[unchanged->n++] = *m;
}

static void note_differences(struct merge *m, bool a_as_base, bool b_as_base, bool a_as_b)
{
	m->differ[SIDE_BASE][SIDE_A] |= !a_as_base;
	m->differ[SIDE_BASE][SIDE_B] |= !b_as_base;
	m->differ[SIDE_A][SIDE_B] |= !a_as_b;
}

/* Sorts out one path, which is not equal everywhere: at[] is what the three stores have there, or NULL. */
static void join_path(struct merge *m, uint32_t folder, const struct msg *const at[SIDES], struct msgs *unchanged)
{
	const struct msg *base = at[SIDE_BASE], *a = at[SIDE_A], *b = at[SIDE_B];
	bool a_as_base = a && base ? equal(a, base) : a == base;
	bool b_as_base = b && base ? equal(b, base) : b == base;
	bool a_as_b = a && b ? equal(a, b) : a == b;
	struct origin *o;

	note_differences(m, a_as_base, b_as_base, a_as_b);
	/* What two stores that never met both have is the same message. */
	if (a && a_as_b && (a_as_base || m->no_base)) {
		pass(unchanged, a);
		return;
	}
	if (base) {
		o = match_origin(&m->origins);
		o->at[SIDE_BASE] = (struct inst){ base, folder, folder };
		if (a_as_base)
			o->at[SIDE_A] = (struct inst){ a, folder, folder };
		if (b_as_base)
			o->at[SIDE_B] = (struct inst){ b, folder, folder };
	}
	if (a && !a_as_base)
		match_add(&m->came[SIDE_A], &(struct inst){ a, folder, folder });
	if (b && !b_as_base)
		match_add(&m->came[SIDE_B], &(struct inst){ b, folder, folder });
}

/* Goes through cur/ or new/ of a folder in all three stores at once. */
static void join_sub(struct merge *m, uint32_t folder, enum name_sub sub)
{
	struct msgs *unchanged = &m->out->folders[folder].sub[sub];
	const struct msg *p[SIDES], *end[SIDES], *at[SIDES], *first;
	size_t shortest = SIZE_MAX;

	for (int s = 0; s < SIDES; s++) {
		const struct folder *f = m->trios.v[folder].mail[s];

		p[s] = f ? f->sub[sub].v : NULL;
		end[s] = f && f->sub[sub].n ? p[s] + f->sub[sub].n : p[s];
		if ((size_t)(end[s] - p[s]) < shortest)
			shortest = (size_t)(end[s] - p[s]);
	}
	reserve(unchanged, shortest);
	for (;;) {
		while (p[0] < end[0] && p[1] < end[1] && p[2] < end[2] && equal(p[0], p[1]) && equal(p[0], p[2])) {
			pass(unchanged, p[0]);
			p[0]++;
			p[1]++;
			p[2]++;
		}
		first = NULL;
		for (int s = 0; s < SIDES; s++)
			if (p[s] < end[s] && (!first || cmp_name(p[s], first) < 0))
				first = p[s];
		if (!first)
			return;
		for (int s = 0; s < SIDES; s++)
			at[s] = p[s] < end[s] && !cmp_name(p[s], first) ? p[s]++ : NULL;
		join_path(m, folder, at, unchanged);
	}
}

static int cmp_origin(const void *a, const void *b)
{
	const struct origin *x = a, *y = b;

	return match_cmp(x->at[SIDE_BASE].msg, y->at[SIDE_BASE].msg);
}

static int cmp_inst(const void *a, const void *b)
{
	const struct inst *x = a, *y = b;

	return match_cmp(x->msg, y->msg);
}

static void join_folder(struct merge *m, uint32_t folder)
{
	size_t origins = m->origins.n, came_a = m->came[SIDE_A].n, came_b = m->came[SIDE_B].n;

	join_sub(m, folder, NAME_NEW);
	join_sub(m, folder, NAME_CUR);
	/* new/ came before cur/, but candidates are taken by name. */
	if (m->origins.n > origins)
		qsort(m->origins.v + origins, m->origins.n - origins, sizeof(*m->origins.v), cmp_origin);
	if (m->came[SIDE_A].n > came_a)
		qsort(m->came[SIDE_A].v + came_a, m->came[SIDE_A].n - came_a, sizeof(struct inst), cmp_inst);
	if (m->came[SIDE_B].n > came_b)
		qsort(m->came[SIDE_B].v + came_b, m->came[SIDE_B].n - came_b, sizeof(struct inst), cmp_inst);
}

static bool same_files(const struct store *a, const struct store *b)
{
	if (a->nfiles != b->nfiles)
		return false;
	for (size_t i = 0; i < a->nfiles; i++)
		if (strcmp(a->files[i].path, b->files[i].path) || !oid_eq(&a->files[i].oid, &b->files[i].oid) ||
		    a->files[i].mode != b->files[i].mode)
			return false;
	return true;
}

static int join(struct merge *m, const struct merge_ops *ops, struct err *err)
{
	int r;

	trio_list(&m->trios, m->in, ops);
	r = merge_words_unify(&m->trios, &m->out->arena, err);
	if (r)
		return r;
	for (size_t f = 0; f < m->trios.n; f++)
		store_folder(m->out, m->trios.v[f].path, strlen(m->trios.v[f].path));
	for (size_t f = 0; f < m->trios.n; f++)
		join_folder(m, (uint32_t)f);
	note_differences(m, same_files(m->in[SIDE_BASE], m->in[SIDE_A]), same_files(m->in[SIDE_BASE], m->in[SIDE_B]),
			 same_files(m->in[SIDE_A], m->in[SIDE_B]));
	return 0;
}

/*
 * The side whose store is the result as it stands, or SIDE_BASE if there is none. The rows say the same of its
 * messages anyway; of its files, even a marker that tells dates of messages that are long gone is kept as it
 * is.
 */
static enum side winner(const struct merge *m)
{
	if (!m->differ[SIDE_BASE][SIDE_A])
		return SIDE_B;
	return !m->differ[SIDE_BASE][SIDE_B] || !m->differ[SIDE_A][SIDE_B] ? SIDE_A : SIDE_BASE;
}

/* Row 17: where a message of a side goes is decided by the other side's renaming of folders. */
static void redirect(const struct merge *m, struct inst *i, enum side side)
{
	uint32_t to = i->msg ? m->trios.v[i->home].renamed_to[trio_other(side)] : TRIO_NONE;

	if (to != TRIO_NONE)
		i->folder = to;
}

static int match(struct merge *m, bool no_renames, struct err *err)
{
	int r = 0;

	match_side(&m->origins, SIDE_A, &m->came[SIDE_A]);
	match_side(&m->origins, SIDE_B, &m->came[SIDE_B]);
	if (!no_renames)
		r = rename_find(&m->trios, &m->origins, err);
	for (int s = SIDE_A; s <= SIDE_B; s++) {
		for (size_t i = 0; i < m->origins.n; i++)
			redirect(m, &m->origins.v[i].at[s], (enum side)s);
		for (size_t i = 0; i < m->came[s].n; i++)
			redirect(m, &m->came[s].v[i], (enum side)s);
	}
	match_added(&m->origins, &m->came[SIDE_A], &m->came[SIDE_B]);
	return r ? r : merge_words_collect(&m->trios, &m->origins, err);
}

/*
 * Merges n results of cur/ or new/ of a folder into the unchanged messages that are in out. Both are sorted.
 * From the back, in place.
 */
static void put(struct msgs *l, const struct result *v, size_t n)
{
	size_t old = l->n, at = old + n;

	reserve(l, at);
	l->n = at;
	while (n) {
		if (old && cmp_name(&l->v[old - 1], &v[n - 1].msg) > 0)
			l->v[--at] = l->v[--old];
		else
			l->v[--at] = v[--n].msg;
	}
}

static void put_all(struct store *out, const struct results *results)
{
	const struct result *v = results->v;
	size_t i, j;

	for (i = 0; i < results->n; i = j) {
		for (j = i + 1; j < results->n && v[j].folder == v[i].folder && v[j].msg.sub == v[i].msg.sub; j++)
			;
		put(&out->folders[v[i].folder].sub[v[i].msg.sub], v + i, j - i);
	}
}

static void drop_empty_folders(struct store *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->nfolders; i++) {
		struct folder *f = &s->folders[i];

		if (f->sub[NAME_NEW].n || f->sub[NAME_CUR].n) {
			s->folders[n++] = *f;
			continue;
		}
		free(f->sub[NAME_NEW].v);
		free(f->sub[NAME_CUR].v);
	}
	s->nfolders = n;
	s->last_folder = 0;
}

/* What is not needed once there are results: with millions of differences it is as large as a side. */
static void drop_origins(struct merge *m)
{
	free(m->origins.v);
	free(m->came[SIDE_A].v);
	free(m->came[SIDE_B].v);
	memset(&m->origins, 0, sizeof(m->origins));
	memset(&m->came, 0, sizeof(m->came));
}

int merge_stores(struct store *out, const struct store *base, const struct store *a, const struct store *b,
		 const struct merge_ops *ops, const struct merge_opts *opts, struct err *err)
{
	struct merge m = { .in = { base, a, b }, .out = out, .no_base = !store_msg_count(base) };
	struct combine c = { .trios = &m.trios, .opts = opts, .arena = &out->arena };
	const struct store *whole = NULL;
	int r;

	r = join(&m, ops, err);
	if (winner(&m) != SIDE_BASE)
		whole = m.in[winner(&m)];
	c.no_dates = whole != NULL;
	if (!r)
		r = match(&m, whole != NULL, err);
	if (!r)
		r = combine_run(&c, &m.origins, err);
	drop_origins(&m);
	if (!r)
		r = clash_resolve(&c, out, err);
	if (!r) {
		put_all(out, &c.results);
		r = whole ? 0 : merge_markers(out, &c, err);
	}
	if (!r && !whole)
		r = merge_words_put(out, &m.trios, err);
	if (!r && !whole)
		r = merge_uids(out, &c, err);
	drop_empty_folders(out);
	if (!r && !whole)
		r = merge_files(out, m.in, ops, err);
	for (size_t i = 0; whole && i < whole->nfiles; i++)
		store_add_file(out, whole->files[i].path, &whole->files[i].oid, whole->files[i].mode, whole->files[i].class);
	combine_release(&c);
	trio_release(&m.trios);
	return r;
}

static void merge_marker_text(const struct bytes *base, const struct bytes *a, const struct bytes *b, struct bytes *out)
{
	struct marker in[SIDES] = { 0 }, merged = { 0 };
	const struct bytes *text[SIDES] = { base, a, b };

	for (int s = 0; s < SIDES; s++)
		if (text[s] && text[s]->len)
			marker_parse(&in[s], text[s]->buf, text[s]->len);
	marker_merge(&merged, &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B]);
	marker_format(&merged, out);
	for (int s = 0; s < SIDES; s++)
		marker_release(&in[s]);
	marker_release(&merged);
}

static bool same_bytes(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || memcmp(a->buf, b->buf, a->len) == 0);
}

int merge_file_content(enum path_class class, const struct bytes *base, const struct bytes *a, const struct bytes *b,
		       int (*text)(void *ctx, const struct bytes *base, const struct bytes *a, const struct bytes *b, struct bytes *out),
		       void *ctx, struct bytes *out)
{
	if (class == PATH_UIDVALIDITY)
		uidvalidity_merge(out, a, b);
	else if (same_bytes(a, b) || (base && same_bytes(b, base)))
		bytes_add(out, a->buf, a->len);
	else if (base && same_bytes(a, base))
		bytes_add(out, b->buf, b->len);
	else if (class == PATH_MARKER)
		merge_marker_text(base, a, b, out);
	else if (class == PATH_UIDLIST)
		merge_uids_text(out, base, a, b);
	else if (class == PATH_KEYWORDS)
		merge_words_text(out, base, a, b);
	else if (class == PATH_SUBSCRIPTIONS)
		lines_merge(out, base ? base->buf : NULL, base ? base->len : 0, a->buf, a->len, b->buf, b->len);
	else
		return text ? text(ctx, base, a, b, out) : 1;
	return 0;
}
