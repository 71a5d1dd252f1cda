/*
 * verdict.h -- looks at the result of a merge: is it well formed, is nothing lost, are the rules obeyed.
 * Complaints are text; none is good.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "oracle.h"

/* The three sides of a case as stores, and what they merge to. */
struct sides {
	const struct tcase *c;
	struct store side[THREE], result;
	struct store named; /* the messages of result, with the letters for keywords that the case has: name_keywords() */
	size_t told, fresh; /* UIDs that were given out, as it was told: by the last merge, and by that which gave result */
	struct blobs blobs;
};

static inline void complain_msg(struct bytes *why, const char *what, const char *folder, int sub,
				const char *name)
{
	bytes_addf(why, "%s: %s/%s/%s\n", what, folder, sub == NAME_CUR ? "cur" : "new", name);
}

static inline size_t copies(const struct store *s, const struct oid *oid)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nfolders; i++)
		for (int sub = 0; sub < 2; sub++)
			for (size_t j = 0; j < s->folders[i].sub[sub].n; j++)
				n += oid_eq(&s->folders[i].sub[sub].v[j].oid, oid);
	return n;
}

static inline bool has_messages(const struct store *s, const char *path)
{
	const struct folder *f = store_find_folder(s, path);

	return f && (f->sub[0].n || f->sub[1].n);
}

static inline const struct file *marker_of(const struct store *s, unsigned folder)
{
	struct arena a = { 0 };
	const struct file *f = store_find_file(s, marker_path(&a, folder));

	arena_release(&a);
	return f;
}

static inline void check_folder_form(const struct store *s, const struct folder *f, bool foreign,
				     struct bytes *why)
{
	char path[300];

	for (int sub = 0; sub < 2; sub++)
		for (size_t j = 0; j < f->sub[sub].n; j++) {
			const struct msg *m = &f->sub[sub].v[j];

			if (!name_is_message(m->name, strlen(m->name)))
				complain_msg(why, "no name for a message", f->path, sub, m->name);
			if (m->len != strlen(m->name) || m->keylen != key_len(m->name) || m->sub != sub)
				complain_msg(why, "lengths or sub are wrong", f->path, sub, m->name);
			if (j && strcmp(m[-1].name, m->name) >= 0)
				complain_msg(why, "not sorted, or a path twice", f->path, sub, m->name);
		}
	snprintf(path, sizeof(path), "%s%s%s", f->path, *f->path ? "/" : "", PATH_MARKER_NAME);
	if (!foreign && has_messages(s, f->path) && !store_find_file(s, path))
		bytes_addf(why, "folder '%s' has messages and no marker\n", f->path);
}

/* Whether a path is a directory in a store. */
static inline bool is_dir(const struct store *s, const char *path)
{
	for (size_t i = 0; i < s->nfolders; i++)
		if (has_messages(s, s->folders[i].path) &&
		    (strcmp(s->folders[i].path, path) == 0 || is_below(s->folders[i].path, path)))
			return true;
	for (size_t i = 0; i < s->nfiles; i++)
		if (is_below(s->files[i].path, path))
			return true;
	return false;
}

static inline void check_form(const struct store *s, bool foreign, struct bytes *why)
{
	struct path p;

	for (size_t i = 0; i < s->nfolders; i++) {
		if (i && strcmp(s->folders[i - 1].path, s->folders[i].path) >= 0)
			bytes_addf(why, "folders not sorted, or twice: '%s'\n", s->folders[i].path);
		check_folder_form(s, &s->folders[i], foreign, why);
	}
	for (size_t i = 0; i < s->nfiles; i++) {
		const struct file *f = &s->files[i];

		if (i && strcmp(f[-1].path, f->path) >= 0)
			bytes_addf(why, "files not sorted, or twice: '%s'\n", f->path);
		path_parse(&p, f->path, strlen(f->path));
		if (p.class != f->class || (f->mode != 0100644 && f->mode != 0100755))
			bytes_addf(why, "file '%s' has class %d and mode %o\n", f->path, (int)f->class,
				   f->mode);
		if (is_dir(s, f->path))
			bytes_addf(why, "'%s' is a file and a directory\n", f->path);
	}
}

/* Messages that are equal in all three, in a folder where nobody else has their key. */
static inline bool is_untouched(const struct tcase *c, size_t i)
{
	const struct mail *m = &c->m[i];
	const struct inst *b = &m->at[BASE];

	if (!b->here || !m->at[OURS].here || !m->at[THEIRS].here || case_rank(b, &m->at[OURS]) ||
	    case_rank(b, &m->at[THEIRS]))
		return false;
	for (size_t j = 0; j < c->n; j++)
		for (int s = 0; s < THREE && j != i; s++)
			if (c->m[j].at[s].here && same_key(c->m[j].at[s].name, b->name))
				return false;
	return true;
}

static inline const struct msg *find_msg(const struct store *s, const char *path, int sub, const char *name,
					 const struct oid *oid)
{
	const struct folder *f = store_find_folder(s, path);

	for (size_t i = 0; f && i < f->sub[sub].n; i++)
		if (strcmp(f->sub[sub].v[i].name, name) == 0 && oid_eq(&f->sub[sub].v[i].oid, oid))
			return &f->sub[sub].v[i];
	return NULL;
}

/* Holds whichever message is which: what can be said by counting contents. */
static inline void check_kept(const struct sides *s, struct bytes *why)
{
	static bool looked[CONTENTS];
	size_t n[THREE], got, total = 0;

	memset(looked, 0, sizeof(looked));
	for (size_t i = 0; i < s->c->n; i++)
		for (int x = 0; x < THREE; x++) {
			unsigned content = s->c->m[i].at[x].content;

			if (!s->c->m[i].at[x].here || looked[content])
				continue;
			looked[content] = true;
			for (int y = 0; y < THREE; y++)
				n[y] = copies(&s->side[y], content_oid(content));
			got = copies(&s->result, content_oid(content));
			total += got;
			if (!n[BASE] && !got)
				bytes_addf(why, "content %u came on a side and is lost\n", content);
			else if (n[OURS] + n[THEIRS] > n[BASE] && !got)
				bytes_addf(why,
					   "content %u is lost: base, ours, theirs have %zu, %zu, %zu copies\n",
					   content, n[BASE], n[OURS], n[THEIRS]);
			/* What one side changed and both moved to different places is there twice. */
			if (got > 2 * (n[OURS] + n[THEIRS]))
				bytes_addf(why, "content %u is there %zu times: more than both sides have\n",
					   content, got);
		}
	if (store_msg_count(&s->result) > store_msg_count(&s->side[OURS]) + store_msg_count(&s->side[THEIRS]))
		bytes_addf(why, "more messages than both sides have\n");
	if (total != store_msg_count(&s->result))
		bytes_addf(why, "%zu messages in the result are on no side\n",
			   store_msg_count(&s->result) - total);
	for (size_t i = 0; i < s->c->n; i++) {
		const struct inst *b = &s->c->m[i].at[BASE];

		if (is_untouched(s->c, i) &&
		    !find_msg(&s->named, folder_path[b->folder], b->sub, b->name, content_oid(b->content)))
			complain_msg(why, row_text[ROW_UNCHANGED], folder_path[b->folder], b->sub, b->name);
	}
}

/* A message where the oracle wants it. */
static inline void check_messages(const struct sides *s, const struct oracle *o, struct bytes *why)
{
	char hex[OID_HEX + 1];
	size_t have_n = store_msg_count(&s->result);

	for (size_t i = 0; i < o->n; i++) {
		const struct want *w = &o->v[i];

		if (find_msg(&s->named, folder_path[w->folder], w->sub, w->name, content_oid(w->content)))
			continue;
		bytes_addf(why, "wanted, and not there: %s/%s/%s =%u(%.6s), message %zu, by the row '%s'\n",
			   folder_path[w->folder], w->sub ? "cur" : "new", w->name, w->content,
			   oid_hex(content_oid(w->content), hex), w->mail, row_text[w->row]);
	}
	if (have_n != o->n)
		bytes_addf(why, "%zu messages wanted, %zu there\n", o->n, have_n);
	for (size_t i = 0; i < s->named.nfolders; i++) {
		const struct folder *f = &s->named.folders[i];

		for (int sub = 0; sub < 2; sub++)
			for (size_t j = 0; j < f->sub[sub].n; j++) {
				bool wanted = false;

				for (size_t k = 0; k < o->n && !wanted; k++)
					wanted = strcmp(folder_path[o->v[k].folder], f->path) == 0 &&
						 o->v[k].sub == sub &&
						 strcmp(o->v[k].name, f->sub[sub].v[j].name) == 0;
				if (!wanted)
					complain_msg(why, "there, and not wanted", f->path, sub,
						     f->sub[sub].v[j].name);
			}
	}
}

/* The id that the marker of a folder must have, 0 where it is open. */
static inline unsigned wanted_id(const struct oracle *o, unsigned folder)
{
	const struct tcase *c = o->c;
	struct mark b = c->mark[folder][BASE], v[THREE] = { b, c->mark[folder][OURS], c->mark[folder][THEIRS] };
	char x[MARKER_ID_HEX + 1], y[MARKER_ID_HEX + 1];

	if (o->torn[folder])
		return 0;
	for (int s = OURS; s < THREE; s++)
		for (unsigned f = 0; f < CASE_FOLDERS; f++) {
			if (o->renamed[s][f] != (int)folder)
				continue;
			if (v[other_side(s)].here && c->mark[f][other_side(s)].here)
				return 0;
			v[BASE] = c->mark[f][BASE];
			if (!v[other_side(s)].here)
				v[other_side(s)] = c->mark[f][other_side(s)];
		}
	if (!v[OURS].here || !v[THEIRS].here)
		return v[OURS].here ? v[OURS].id : v[THEIRS].here ? v[THEIRS].id : 0;
	if (v[BASE].here && v[OURS].id == v[BASE].id)
		return v[THEIRS].id;
	if (v[BASE].here && v[THEIRS].id == v[BASE].id)
		return v[OURS].id;
	marker_id(x, v[OURS].id);
	marker_id(y, v[THEIRS].id);
	return strcmp(x, y) < 0 ? v[OURS].id : v[THEIRS].id;
}

static inline size_t keys_there(const struct store *s, const char *path, const char *name)
{
	const struct folder *f = store_find_folder(s, path);
	size_t n = 0;

	for (int sub = 0; f && sub < 2; sub++)
		for (size_t i = 0; i < f->sub[sub].n; i++)
			n += same_key(f->sub[sub].v[i].name, name);
	return n;
}

static inline void check_dates(const struct sides *s, const struct oracle *o, unsigned folder,
			       const struct marker *m, struct bytes *why)
{
	for (size_t i = 0; i < m->n; i++)
		if (!keys_there(&s->result, folder_path[folder], m->v[i].key))
			bytes_addf(why, "marker of '%s' has a date for '%s', which is not there\n",
				   folder_path[folder], m->v[i].key);
	for (size_t i = 0; o && i < o->n; i++) {
		const struct want *w = &o->v[i];
		bool alone = true;
		int64_t got;

		for (size_t j = 0; j < o->n; j++)
			alone &= j == i || o->v[j].folder != folder || !same_key(o->v[j].name, w->name);
		if (w->folder != folder || !alone || w->mtime < 0)
			continue;
		got = marker_mtime(m, w->name, key_len(w->name));
		if (got != w->mtime)
			bytes_addf(why, "date of %s/%s (message %zu, row '%s') is %lld and should be %lld\n",
				   folder_path[folder], w->name, w->mail, row_text[w->row], (long long)got,
				   (long long)w->mtime);
	}
}

static inline bool same_store(const struct store *a, const struct store *b)
{
	struct bytes x = { 0 }, y = { 0 };
	bool same;

	store_dump(a, &x);
	store_dump(b, &y);
	same = x.len == y.len && (!x.len || memcmp(x.buf, y.buf, x.len) == 0);
	bytes_release(&x);
	bytes_release(&y);
	return same;
}

/* Whether both sides changed something, not the same: else one is taken as it is, even if it lacks what we
 * would have made. */
static inline bool two_sided(const struct sides *s)
{
	return !same_store(&s->side[BASE], &s->side[OURS]) && !same_store(&s->side[BASE], &s->side[THEIRS]) &&
	       !same_store(&s->side[OURS], &s->side[THEIRS]);
}

/* Which folders exist, and what their markers say. o is NULL if the messages are not sure. */
static inline void check_markers(const struct sides *s, const struct oracle *o, struct bytes *why)
{
	char id[MARKER_ID_HEX + 1];

	if (s->c->foreign && !two_sided(s))
		return;
	for (unsigned f = 0; f < CASE_FOLDERS; f++) {
		const struct mark *k = s->c->mark[f];
		const struct file *file = marker_of(&s->result, f);
		bool mail = has_messages(&s->result, folder_path[f]);
		bool there = k[BASE].here ? k[OURS].here && k[THEIRS].here : k[OURS].here || k[THEIRS].here;
		const struct blob *b = file ? blobs_find(&s->blobs, &file->oid) : NULL;
		struct marker m = { 0 };

		if (!file != !(there || mail))
			bytes_addf(why, "folder '%s' %s\n", folder_path[f],
				   file ? "should be gone" : "should be there");
		if (file && !b)
			bytes_addf(why, "the marker of '%s' is a blob that nobody wrote\n", folder_path[f]);
		if (!b || s->c->foreign)
			continue;
		marker_parse(&m, b->b.buf, b->b.len);
		if (o && wanted_id(o, f)) {
			marker_id(id, wanted_id(o, f));
			if (strcmp(id, m.id) != 0)
				bytes_addf(why, "marker of '%s' has the id %s and should have %s\n",
					   folder_path[f], m.id, id);
		}
		check_dates(s, o, f, &m, why);
		marker_release(&m);
	}
}

/* A file of the result with this content, under its path or, if it had to give way, beside it. */
static inline void want_file(const struct sides *s, unsigned f, const struct oid *oid, unsigned mode,
			     bool aside, struct bytes *why)
{
	char hex[OID_HEX + 1], path[300];
	const struct file *got;

	snprintf(path, sizeof(path), "%s", file_path[f]);
	if (aside || is_dir(&s->result, path))
		snprintf(path, sizeof(path), "%s.%.12s", file_path[f], oid_hex(oid, hex));
	got = store_find_file(&s->result, path);
	if (!got)
		bytes_addf(why, "file '%s' should be there\n", path);
	else if (!oid_eq(&got->oid, oid))
		bytes_addf(why, "file '%s' has another content than it should have\n", path);
	else if (mode && got->mode != mode)
		bytes_addf(why, "file '%s' has the mode %o and should have %o\n", path, got->mode, mode);
}

static inline struct oid version_oid(unsigned f, const struct version *v)
{
	struct bytes b = { 0 };
	struct oid oid;

	case_text(&b, f, v->text);
	objects_hash(OBJECTS_BLOB, b.buf, b.len, &oid);
	bytes_release(&b);
	return oid;
}

/* Three lines, each three-way: 0, or -1 if both sides changed one line differently. */
static inline int merge_text(unsigned b, unsigned x, unsigned y)
{
	unsigned out = 0, place = 1;

	for (int i = 0; i < 3; i++, place *= 3) {
		unsigned lb = b / place % 3, lx = x / place % 3, ly = y / place % 3;

		if (lx != lb && ly != lb && lx != ly)
			return -1;
		out += place * (lx == lb ? ly : lx);
	}
	return (int)out;
}

static inline unsigned three_way_mode(const struct version *v)
{
	if (v[OURS].mode == v[THEIRS].mode)
		return v[OURS].mode;
	if (!v[BASE].here)
		return 0100755;
	return v[OURS].mode == v[BASE].mode ? v[THEIRS].mode : v[OURS].mode;
}

static inline void check_subscriptions(const struct sides *s, const struct version *v, struct bytes *why)
{
	unsigned base = v[BASE].here ? v[BASE].text : 0;
	unsigned set = (base & v[OURS].text & v[THEIRS].text) | (~base & (v[OURS].text | v[THEIRS].text));
	const struct file *got = store_find_file(&s->result, file_path[0]);
	const struct blob *b = got ? blobs_find(&s->blobs, &got->oid) : NULL;
	struct bytes want = { 0 };

	case_text(&want, 0, set & 31);
	if (!b)
		bytes_addf(why, "subscriptions should be there\n");
	else if (set & 31 && (b->b.len != want.len || memcmp(b->b.buf, want.buf, want.len) != 0))
		bytes_addf(why, "subscriptions are:\n%sand should be:\n%s", b->b.buf, want.buf);
	bytes_release(&want);
}

static inline void check_file(const struct sides *s, unsigned f, struct bytes *why)
{
	const struct version *v = s->c->file[f], *x = &v[OURS], *y = &v[THEIRS], *b = &v[BASE];
	struct oid xo = version_oid(f, x), yo = version_oid(f, y), mo;
	struct version merged = { 0 };
	int text;

	if (!x->here && !y->here)
		return;
	if (!x->here || !y->here) {
		const struct version *one = x->here ? x : y;

		if (b->here && one->text == b->text && one->mode != b->mode)
			return;
		if (b->here && one->text == b->text) {
			if (store_find_file(&s->result, file_path[f]))
				bytes_addf(why, "file '%s' should be gone\n", file_path[f]);
			return;
		}
		want_file(s, f, x->here ? &xo : &yo, one->mode, false, why);
		return;
	}
	if (x->text == y->text || (b->here && y->text == b->text)) {
		want_file(s, f, &xo, three_way_mode(v), false, why);
	} else if (b->here && x->text == b->text) {
		want_file(s, f, &yo, three_way_mode(v), false, why);
	} else if (f == 0) {
		check_subscriptions(s, v, why);
	} else if (b->here && (text = merge_text(b->text, x->text, y->text)) >= 0) {
		merged.text = (unsigned)text;
		mo = version_oid(f, &merged);
		want_file(s, f, &mo, three_way_mode(v), false, why);
	} else {
		bool first = oid_cmp(&xo, &yo) < 0;

		want_file(s, f, first ? &xo : &yo, 0, false, why);
		want_file(s, f, first ? &yo : &xo, 0, true, why);
	}
}

#endif
