/*
 * casemerge.h -- merges the sides of a case in memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CASEMERGE_H
#define CASEMERGE_H

#include "imapverdict.h"

static inline int op_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	const struct blob *b = blobs_find(&((struct sides *)ctx)->blobs, oid);

	if (!b)
		return err_set(err, ERR_NOTFOUND, "no such blob");
	bytes_add(out, b->b.buf, b->b.len);
	return 0;
}

static inline int op_write(void *ctx, const char *buf, size_t len, struct oid *oid, struct err *err)
{
	(void)err;
	*oid = blobs_put(&((struct sides *)ctx)->blobs, buf, len);
	return 0;
}

static inline bool read_text(struct blobs *l, const struct oid *oid, unsigned *text)
{
	const struct blob *b = blobs_find(l, oid);
	unsigned line[3];

	if (!b || sscanf(b->b.buf, "first %u\nsecond %u\nthird %u", &line[0], &line[1], &line[2]) != 3)
		return false;
	*text = line[0] + 3 * line[1] + 9 * line[2];
	return true;
}

static inline int op_text(void *ctx, const struct oid *base, const struct oid *a, const struct oid *b,
			  struct oid *out, struct err *err)
{
	struct blobs *l = &((struct sides *)ctx)->blobs;
	struct bytes buf = { 0 };
	unsigned text[THREE];
	int merged;

	if (!base)
		return 1;
	if (!read_text(l, base, &text[BASE]) || !read_text(l, a, &text[OURS]) ||
	    !read_text(l, b, &text[THEIRS]))
		return err_set(err, ERR_FAIL, "no text of ours");
	merged = merge_text(text[BASE], text[OURS], text[THEIRS]);
	if (merged < 0)
		return 1;
	case_text(&buf, 1, (unsigned)merged);
	*out = blobs_put(l, buf.buf, buf.len);
	bytes_release(&buf);
	return 0;
}

static inline void op_fresh(void *ctx, size_t n)
{
	((struct sides *)ctx)->told += n;
}

/* merge: the result, and as text in dump (may be NULL). */
static inline void merge(struct sides *s, const struct store *base, const struct store *a,
			 const struct store *b, struct store *out, struct bytes *dump, struct bytes *why)
{
	const struct merge_ops ops = { .ctx = s, .read = op_read, .write = op_write, .text = op_text, .fresh = op_fresh };
	const struct merge_opts opts = { s->c->keep_flagged };
	struct err err = { 0 };

	memset(out, 0, sizeof(*out));
	s->told = 0;
	if (merge_stores(out, base, a, b, &ops, &opts, &err) < 0)
		bytes_addf(why, "the merge failed: %s\n", err.msg);
	if (dump)
		store_dump(out, dump);
}

static inline bool same_file(const struct file *a, const struct file *b)
{
	return a && b && a->mode == b->mode && oid_eq(&a->oid, &b->oid);
}

static inline bool same_list(const struct msgs *a, const struct msgs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i].name, b->v[i].name) != 0 || !oid_eq(&a->v[i].oid, &b->v[i].oid))
			return false;
	return true;
}

/* The first side that counts when it is asked what all have: without a base there are only two. */
static inline int first_side(const struct sides *s)
{
	return s->side[BASE].nfolders || s->side[BASE].nfiles ? BASE : OURS;
}

static inline const struct file *words_of(const struct sides *s, int side, const char *folder)
{
	char path[300];

	snprintf(path, sizeof(path), "%s%s%s", folder, *folder ? "/" : "", KEYWORDS_NAME);
	return store_find_file(&s->side[side], path);
}

/* Whether cur/ or new/ of a folder holds messages, the same on all sides, by the same letters for keywords. */
static inline bool is_common(const struct sides *s, const char *path, int sub)
{
	const struct folder *f = store_find_folder(&s->side[OURS], path), *g;
	const struct file *words, *theirs;

	if (!f || !f->sub[sub].n)
		return false;
	for (int i = first_side(s); i < THREE; i++)
		if (!(g = store_find_folder(&s->side[i], path)) || !same_list(&f->sub[sub], &g->sub[sub]))
			return false;
	words = words_of(s, OURS, path);
	for (int i = first_side(s); i < THREE; i++) {
		theirs = words_of(s, i, path);
		if (words != theirs && !same_file(words, theirs))
			return false;
	}
	return true;
}

/*
 * Whether a message that all three have, and that is left out for it, shares its key with one that is not, on a
 * side or in the result. The merge cannot see that then: it settles no clash with it.
 */
static inline bool shares_key(const struct sides *s, const struct store *result)
{
	const struct store *b = &s->side[OURS];

	for (size_t i = 0; i < b->nfolders; i++)
		for (int sub = 0; sub < 2; sub++) {
			const char *path = b->folders[i].path;
			const struct msgs *l = &b->folders[i].sub[sub];

			if (!is_common(s, path, sub))
				continue;
			for (size_t j = 0; j < l->n; j++) {
				bool shared = keys_there(result, path, l->v[j].name) > 1;

				for (int k = first_side(s); k < THREE; k++)
					shared |= keys_there(&s->side[k], path, l->v[j].name) > 1;
				if (shared)
					return true;
			}
		}
	return false;
}

static inline void copy_list(struct store *to, const char *path, const struct folder *f, int sub)
{
	struct folder *g = store_folder(to, path, strlen(path));

	for (size_t i = 0; i < f->sub[sub].n; i++)
		store_add_msg(g, sub ? NAME_CUR : NAME_NEW, f->sub[sub].v[i].name, f->sub[sub].v[i].len,
			      &f->sub[sub].v[i].oid);
}

/* Takes apart one side: what all three have goes to common, the rest to part. Markers, UIDs
 * and keywords stay where anything of their folder does. */
static inline void split(const struct sides *s, int side, struct store *part, struct store *common)
{
	const struct store *from = &s->side[side];

	memset(part, 0, sizeof(*part));
	memset(common, 0, sizeof(*common));
	for (size_t i = 0; i < from->nfolders; i++)
		for (int sub = 0; sub < 2; sub++) {
			const struct folder *f = &from->folders[i];

			if (f->sub[sub].n)
				copy_list(is_common(s, f->path, sub) ? common : part, f->path, f, sub);
		}
	for (size_t i = 0; i < from->nfiles; i++) {
		const struct file *f = &from->files[i];
		bool all = f->class != PATH_MARKER && f->class != PATH_UIDLIST && f->class != PATH_KEYWORDS;

		for (int k = first_side(s); k < THREE; k++)
			all &= same_file(f, store_find_file(&s->side[k], f->path));
		store_add_file(all ? common : part, f->path, &f->oid, f->mode, f->class);
	}
	store_sort(part);
}

/*
 * The merge as a member makes it: what is the same everywhere is left out, as whole directories (without a base, what both sides have), and put back
 * afterwards. True when a message that was left out shares its key with another (shares_key()): then it need not be the merge of everything.
 */
static inline bool merge_apart(struct sides *s, struct bytes *dump, struct bytes *why)
{
	struct store part[THREE], common[THREE], out;
	bool shared;

	for (int i = 0; i < THREE; i++)
		split(s, i, &part[i], &common[i]);
	merge(s, &part[BASE], &part[OURS], &part[THEIRS], &out, NULL, why);
	for (size_t i = 0; i < common[OURS].nfolders; i++)
		for (int sub = 0; sub < 2; sub++)
			copy_list(&out, common[OURS].folders[i].path, &common[OURS].folders[i], sub);
	for (size_t i = 0; i < common[OURS].nfiles; i++) {
		const struct file *f = &common[OURS].files[i];

		store_add_file(&out, f->path, &f->oid, f->mode, f->class);
	}
	store_sort(&out);
	store_dump(&out, dump);
	shared = shares_key(s, &out);
	store_release(&out);
	for (int i = 0; i < THREE; i++) {
		store_release(&part[i]);
		store_release(&common[i]);
	}
	return shared;
}

#endif
