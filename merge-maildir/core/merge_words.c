/*
 * merge_words.c -- what the letters for keywords mean on each side of a merge, and in its result.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "merge_words.h"

#include <stdlib.h>
#include <string.h>

#include "merge_markers.h"

static int read_words(const struct trios *t, const struct file *f, struct keywords *out, struct err *err)
{
	struct bytes text = { 0 };
	int r = f ? t->ops->read(t->ops->ctx, &f->oid, &text, err) : 0;

	if (!r && text.len)
		keywords_parse(out, text.buf, text.len);
	bytes_release(&text);
	return r;
}

struct note {
	const struct trios *t;
	const char *folder;
};

static void full(void *ctx, const char *name)
{
	const struct note *n = ctx;

	if (n->t->ops->full)
		n->t->ops->full(n->t->ops->ctx, n->folder, name);
}

static void versions(const struct trio *t, struct trio_version v[SIDES])
{
	for (int s = 0; s < SIDES; s++)
		v[s] = (struct trio_version){ t->file[s][TRIO_WORDS], (enum side)s, 0 };
}

static bool same_file(const struct file *f, const struct oid *oid)
{
	return f ? oid && oid_eq(&f->oid, oid) : !oid;
}

/* A map that was made anew on one side has not all names that the other goes on using. */
static void add_missing(struct trio *f, const struct keywords *from, struct note *note)
{
	for (int i = 0; i < KEYWORDS_MOST; i++) {
		if (!from->name[i] || keywords_find(f->words, from->name[i]) >= 0)
			continue;
		if (keywords_add(f->words, from->name[i], i) < 0)
			full(note, from->name[i]);
		else
			f->words_grew = true;
	}
}

/* Makes the merged map of a folder, if that was not done yet; in gets the three maps, to be released. */
static int make(struct trios *t, uint32_t folder, struct keywords in[SIDES], struct err *err)
{
	struct trio *f = &t->v[folder];
	struct note note = { t, f->path };
	struct trio_version v[SIDES];
	const struct oid *picked;
	int r = 0;

	versions(f, v);
	picked = trio_pick(v);
	for (int s = 0; s < SIDES && !r; s++)
		r = read_words(t, f->file[s][TRIO_WORDS], &in[s], err);
	if (r || f->words)
		return r;
	f->words = mem_zalloc(sizeof(*f->words));
	if (!picked) {
		keywords_merge(f->words, &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B], full, &note);
		return 0;
	}
	for (int s = 0; s < SIDES; s++)
		if (same_file(f->file[s][TRIO_WORDS], picked)) {
			r = read_words(t, f->file[s][TRIO_WORDS], f->words, err);
			break;
		}
	if (!r && !(same_file(f->file[SIDE_A][TRIO_WORDS], picked) && same_file(f->file[SIDE_B][TRIO_WORDS], picked)))
		add_missing(f, &in[SIDE_BASE], &note);
	return r;
}

static void release(struct keywords in[SIDES])
{
	for (int s = 0; s < SIDES; s++)
		keywords_release(&in[s]);
}

static int words_of(struct trios *t, uint32_t folder, const struct keywords **out, struct err *err)
{
	struct keywords in[SIDES] = { 0 };
	int r = 0;

	if (!t->v[folder].words) {
		r = make(t, folder, in, err);
		release(in);
	}
	*out = t->v[folder].words;
	return r;
}

/* Whether any letter behind the key is one for a keyword: most messages have none. */
static bool has_letters(const struct msg *m)
{
	for (size_t i = m->keylen; i < m->len; i++)
		if (m->name[i] >= 'a' && m->name[i] <= 'z')
			return true;
	return false;
}

/* The name with other letters: NULL if it stays what it is. */
static char *translate(struct arena *a, const struct keywords_map *map, const struct msg *m, size_t *len)
{
	char name[NAME_LONGEST + 1];

	*len = keywords_rename(name, map, m->name, m->len);
	return *len == m->len && !memcmp(name, m->name, *len) ? NULL : arena_strn(a, name, *len);
}

static int cmp_name(const void *a, const void *b)
{
	const struct msg *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Translates one list. The first name that changes makes it a copy: a list belongs to whoever gave the store. */
static struct msgs list_with(struct arena *a, const struct keywords_map *map, const struct msgs *l)
{
	struct msgs out = *l;

	for (size_t i = 0; i < l->n; i++) {
		char *name;
		size_t len;

		if (!has_letters(&l->v[i]) || !(name = translate(a, map, &l->v[i], &len)))
			continue;
		if (out.v == l->v) {
			out.v = arena_alloc(a, l->n * sizeof(*out.v));
			memcpy(out.v, l->v, l->n * sizeof(*out.v));
		}
		out.v[i].name = name;
		out.v[i].len = (uint8_t)len;
	}
	/* Only names of one key can change places, and there hardly ever are two. */
	for (size_t i = 1; i < out.n && out.v != l->v; i++)
		if (cmp_name(&out.v[i - 1], &out.v[i]) > 0) {
			qsort(out.v, out.n, sizeof(*out.v), cmp_name);
			break;
		}
	return out;
}

static void unify_side(struct arena *arena, struct trio *f, enum side side, const struct keywords *from)
{
	struct keywords_map map;
	struct folder copy;
	struct folder *kept;

	keywords_map(&map, from, f->words);
	if (map.same)
		return;
	copy = *f->mail[side];
	for (int sub = NAME_NEW; sub <= NAME_CUR; sub++)
		copy.sub[sub] = list_with(arena, &map, &f->mail[side]->sub[sub]);
	if (copy.sub[NAME_NEW].v == f->mail[side]->sub[NAME_NEW].v && copy.sub[NAME_CUR].v == f->mail[side]->sub[NAME_CUR].v)
		return;
	kept = arena_alloc(arena, sizeof(*kept));
	*kept = copy;
	f->mail[side] = kept;
}

static bool all_equal(const struct trio *f)
{
	const struct file *a = f->file[SIDE_A][TRIO_WORDS];

	return same_file(f->file[SIDE_BASE][TRIO_WORDS], a ? &a->oid : NULL) && same_file(f->file[SIDE_B][TRIO_WORDS], a ? &a->oid : NULL);
}

int merge_words_unify(struct trios *t, struct arena *arena, struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < t->n && !r; i++) {
		struct trio *f = &t->v[i];
		struct keywords in[SIDES] = { 0 };

		if (all_equal(f))
			continue;
		r = make(t, i, in, err);
		for (int s = 0; s < SIDES && !r; s++)
			if (f->mail[s])
				unify_side(arena, f, (enum side)s, &in[s]);
		release(in);
	}
	return r;
}

/* A name that a message brings along to another folder. */
struct extra {
	uint32_t folder;
	const char *name;
	int wish; /* its index in the folder where the message comes from */
};

struct extras {
	struct extra *v;
	size_t n, cap;
};

static int cmp_extra(const void *a, const void *b)
{
	const struct extra *x = a, *y = b;
	int d;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	d = strcmp(x->name, y->name);
	return d ? d : x->wish - y->wish;
}

static int collect(struct trios *t, struct extras *l, const struct inst *i, uint32_t folder, struct err *err)
{
	const struct keywords *from, *to;
	int r;

	if (!i->msg || i->home == folder || !has_letters(i->msg))
		return 0;
	r = words_of(t, i->home, &from, err);
	if (!r)
		r = words_of(t, folder, &to, err);
	for (size_t k = i->msg->keylen; k < i->msg->len && !r; k++) {
		unsigned at = (unsigned char)i->msg->name[k] - 'a';

		if (at >= KEYWORDS_MOST || !from->name[at] || keywords_find(to, from->name[at]) >= 0)
			continue;
		MEM_GROW(l->v, l->n, l->cap);
		l->v[l->n++] = (struct extra){ folder, from->name[at], (int)at };
	}
	return r;
}

int merge_words_collect(struct trios *t, const struct origins *o, struct err *err)
{
	struct extras extras = { 0 };
	int r = 0;

	for (size_t i = 0; i < o->n && !r; i++)
		for (int to = SIDE_A; to <= SIDE_B && !r; to++)
			for (int s = 0; s < SIDES && o->v[i].at[to].msg && !r; s++)
				r = collect(t, &extras, &o->v[i].at[s], o->v[i].at[to].folder, err);
	/* In an order that does not depend on which side is A. */
	if (extras.n)
		qsort(extras.v, extras.n, sizeof(*extras.v), cmp_extra);
	for (size_t i = 0; i < extras.n && !r; i++) {
		struct trio *f = &t->v[extras.v[i].folder];
		struct note note = { t, f->path };

		if (keywords_find(f->words, extras.v[i].name) >= 0)
			continue;
		if (keywords_add(f->words, extras.v[i].name, extras.v[i].wish) < 0)
			full(&note, extras.v[i].name);
		else
			f->words_grew = true;
	}
	free(extras.v);
	return r;
}

const struct msg *merge_words_local(const struct trios *t, struct arena *arena, const struct inst *i, uint32_t folder)
{
	struct keywords_map map;
	struct msg *copy;
	char *name;
	size_t len;

	if (!i->msg || i->home == folder || !has_letters(i->msg) || !t->v[i->home].words || !t->v[folder].words)
		return i->msg;
	keywords_map(&map, t->v[i->home].words, t->v[folder].words);
	name = translate(arena, &map, i->msg, &len);
	if (!name)
		return i->msg;
	copy = arena_alloc(arena, sizeof(*copy));
	*copy = *i->msg;
	copy->name = name;
	copy->len = (uint8_t)len;
	return copy;
}

static int put(struct store *out, struct trios *t, struct trio *f, struct err *err)
{
	struct trio_version v[SIDES];
	const struct oid *picked;
	struct bytes text = { 0 };
	struct oid oid;
	int r = 0;

	versions(f, v);
	picked = f->words_grew ? NULL : trio_pick(v);
	if (picked) {
		oid = *picked;
	} else {
		if (f->words)
			keywords_format(f->words, &text);
		if (text.len)
			r = t->ops->write(t->ops->ctx, text.buf, text.len, &oid, err);
	}
	if (!r && (picked || text.len))
		store_add_file(out, trio_file_path(&out->arena, f->path, TRIO_WORDS), &oid, 0100644, PATH_KEYWORDS);
	bytes_release(&text);
	return r;
}

int merge_words_put(struct store *out, struct trios *t, struct err *err)
{
	int r = 0;

	for (uint32_t i = 0; i < t->n && !r; i++)
		if (merge_markers_exists(out, t, i))
			r = put(out, t, &t->v[i], err);
	return r;
}

void merge_words_text(struct bytes *out, const struct bytes *base, const struct bytes *a, const struct bytes *b)
{
	struct keywords in[SIDES] = { 0 }, merged = { 0 };
	const struct bytes *text[SIDES] = { base, a, b };

	for (int s = 0; s < SIDES; s++)
		if (text[s] && text[s]->len)
			keywords_parse(&in[s], text[s]->buf, text[s]->len);
	keywords_merge(&merged, &in[SIDE_BASE], &in[SIDE_A], &in[SIDE_B], NULL, NULL);
	keywords_format(&merged, out);
	keywords_release(&merged);
	release(in);
}
