/*
 * cases.h -- a three-sided case for the merge as plain data: what each side has, and which message is which.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CASES_H
#define CASES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/marker.h"
#include "core/merge.h"
#include "core/name.h"
#include "core/path.h"
#include "core/store.h"
#include "repo/objects.h"

enum { BASE, OURS, THEIRS, THREE };

#define other_side(s) (OURS + THEIRS - (s))
#define CASE_MAILS 160
#define CASE_FILES 10
#define CASE_FOLDERS 10

/* Message contents are numbered: the base's, what edits make of them, and what is delivered. */
#define CONTENTS 512

static const char *const folder_path[CASE_FOLDERS] = { "",	".Work",    ".Work.Projects", "Lists/x",
						       ".New",	"Lists/y",  ".Archive",	      ".Moved",
						       "Lists", ".Work.Old" };
static const char *const file_path[CASE_FILES] = { "subscriptions", "notes.txt", "Lists", ".Work/sieve",
						   ".Archive",	    "dir",	 "dir/a", "Lists/x/readme",
						   ".Moved/rules",  "dir/a/b" };

/* A message on one side. */
struct inst {
	bool here;
	uint8_t folder, sub;
	uint16_t content;
	int64_t mtime; /* -1: nobody knows */
	char name[NAME_LONGEST + 1];
};

/* One message in its three instances: who made the case knows which is which, however they are called. */
struct mail {
	struct inst at[THREE];
};

struct mark {
	bool here;
	unsigned id; /* 0: it has none */
};

struct version {
	bool here;
	unsigned text; /* what it says: see case_text() */
	unsigned mode;
};

struct tcase {
	uint64_t seed;
	bool loose;	   /* keys and contents of few kinds: which is which is known to nobody */
	bool keep_flagged; /* maildir.deleteVsFlag = keep */
	bool foreign;	   /* not of our making: markers are missing */
	size_t n;
	struct mail m[CASE_MAILS];
	struct mark mark[CASE_FOLDERS][THREE];
	struct version file[CASE_FILES][THREE];
};

/* Blobs, as the object store of one case. */
struct blobs {
	struct blob {
		struct oid oid;
		struct bytes b;
	} * v;
	size_t n, cap;
};

static inline const struct blob *blobs_find(const struct blobs *l, const struct oid *oid)
{
	for (size_t i = 0; i < l->n; i++)
		if (oid_eq(&l->v[i].oid, oid))
			return &l->v[i];
	return NULL;
}

static inline struct oid blobs_put(struct blobs *l, const char *buf, size_t len)
{
	struct oid oid;

	objects_hash(OBJECTS_BLOB, buf, len, &oid);
	if (!blobs_find(l, &oid)) {
		MEM_GROW(l->v, l->n, l->cap);
		memset(&l->v[l->n], 0, sizeof(*l->v));
		l->v[l->n].oid = oid;
		bytes_add(&l->v[l->n++].b, buf, len);
	}
	return oid;
}

static inline void blobs_release(struct blobs *l)
{
	for (size_t i = 0; i < l->n; i++)
		bytes_release(&l->v[i].b);
	free(l->v);
	memset(l, 0, sizeof(*l));
}

static inline int content_text(char *out, size_t size, unsigned content)
{
	return snprintf(out, size, "Subject: message %u\n\nText of %u.\n", content, content);
}

static inline const struct oid *content_oid(unsigned content)
{
	static struct oid known[CONTENTS];
	char text[80];
	int len;

	if (oid_is_zero(&known[content])) {
		len = content_text(text, sizeof(text), content);
		objects_hash(OBJECTS_BLOB, text, (size_t)len, &known[content]);
	}
	return &known[content];
}

static inline size_t key_len(const char *name)
{
	return strcspn(name, ":");
}

static inline size_t short_len(const char *name)
{
	return strcspn(name, ":,");
}

static inline bool same_span(const char *a, size_t alen, const char *b, size_t blen)
{
	return alen == blen && memcmp(a, b, alen) == 0;
}

static inline bool same_key(const char *a, const char *b)
{
	return same_span(a, key_len(a), b, key_len(b));
}

/* span_cmp: bytewise, then the shorter one first. */
static inline int span_cmp(const char *a, size_t alen, const char *b, size_t blen)
{
	int d = memcmp(a, b, alen < blen ? alen : blen);

	return d ? d : (alen > blen) - (alen < blen);
}

/* write_name: key and info as one name; cut where it would be too long. */
static inline void write_name(char out[NAME_LONGEST + 1], const char *key, size_t keylen, const char *info)
{
	char tmp[NAME_LONGEST + 1] = "";
	size_t n = keylen < NAME_LONGEST ? keylen : NAME_LONGEST, m = strlen(info);

	memcpy(tmp, key, n);
	memcpy(tmp + n, info, m < NAME_LONGEST - n ? m : NAME_LONGEST - n);
	memcpy(out, tmp, sizeof(tmp));
}

/* case_text: what a file says: a set of lines for subscriptions, three lines of three kinds for the others. */
static inline void case_text(struct bytes *out, size_t file, unsigned text)
{
	static const char *const mailbox[] = { "Drafts", "INBOX", "Lists/x", "Work", "Work/Projects" };

	bytes_clear(out);
	if (file == 0) {
		for (unsigned i = 0; i < 5; i++)
			if (text >> i & 1)
				bytes_addf(out, "%s\n", mailbox[i]);
		if (!out->len)
			bytes_addstr(out, "\n");
		return;
	}
	bytes_addf(out, "first %u\nsecond %u\nthird %u\n", text % 3, text / 3 % 3, text / 9 % 3);
}

static inline void marker_id(char out[MARKER_ID_HEX + 1], unsigned id)
{
	if (id)
		snprintf(out, MARKER_ID_HEX + 1, "%016llx%016llx", id * 0x9e3779b97f4a7c15ull,
			 id * 0xc2b2ae3d27d4eb4full);
	else
		out[0] = '\0';
}

static inline void case_marker(const struct tcase *c, unsigned folder, int side, struct bytes *out)
{
	struct marker m = { 0 };

	marker_id(m.id, c->mark[folder][side].id);
	for (size_t i = 0; i < c->n; i++) {
		const struct inst *x = &c->m[i].at[side];

		if (x->here && x->folder == folder && x->mtime >= 0)
			marker_set(&m, x->name, key_len(x->name), x->mtime);
	}
	bytes_clear(out);
	marker_format(&m, out);
	marker_release(&m);
}

static inline void case_add_file(struct store *s, const char *path, const struct oid *oid, unsigned mode)
{
	struct path p;

	path_parse(&p, path, strlen(path));
	store_add_file(s, path, oid, mode, p.class);
}

static inline const char *marker_path(struct arena *a, unsigned folder)
{
	const char *path = folder_path[folder];

	return *path ? arena_printf(a, "%s/%s", path, PATH_MARKER_NAME) : PATH_MARKER_NAME;
}

/* case_store: one side as a store; the case must outlive it. */
static inline void case_store(const struct tcase *c, int side, struct blobs *blobs, struct store *s)
{
	struct bytes b = { 0 };
	struct oid oid;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < c->n; i++) {
		const struct inst *x = &c->m[i].at[side];
		const char *path = folder_path[x->folder];

		if (x->here)
			store_add_msg(store_folder(s, path, strlen(path)), x->sub ? NAME_CUR : NAME_NEW,
				      x->name, strlen(x->name), content_oid(x->content));
	}
	for (unsigned f = 0; f < CASE_FOLDERS; f++) {
		if (!c->mark[f][side].here)
			continue;
		case_marker(c, f, side, &b);
		oid = blobs_put(blobs, b.buf, b.len);
		case_add_file(s, marker_path(&s->arena, f), &oid, 0100644);
	}
	for (unsigned f = 0; f < CASE_FILES; f++) {
		if (!c->file[f][side].here)
			continue;
		case_text(&b, f, c->file[f][side].text);
		oid = blobs_put(blobs, b.buf, b.len);
		case_add_file(s, file_path[f], &oid, c->file[f][side].mode);
	}
	store_sort(s);
	bytes_release(&b);
}

/* store_dump: all of a store as text: equal stores are equal text. */
static inline void store_dump(const struct store *s, struct bytes *out)
{
	char hex[OID_HEX + 1];

	bytes_clear(out);
	for (size_t i = 0; i < s->nfolders; i++) {
		const struct folder *f = &s->folders[i];

		for (int sub = 0; sub < 2; sub++)
			for (size_t j = 0; j < f->sub[sub].n; j++)
				bytes_addf(out, "%s/%s/%s %s\n", f->path, sub == NAME_CUR ? "cur" : "new",
					   f->sub[sub].v[j].name, oid_hex(&f->sub[sub].v[j].oid, hex));
	}
	for (size_t i = 0; i < s->nfiles; i++)
		bytes_addf(out, "file %s %o %d %s\n", s->files[i].path, s->files[i].mode,
			   (int)s->files[i].class, oid_hex(&s->files[i].oid, hex));
}

static inline void show_inst(struct bytes *out, const struct inst *x)
{
	char hex[OID_HEX + 1];

	bytes_addf(out, "%s/%s/%s =%u(%.6s)", folder_path[x->folder], x->sub ? "cur" : "new", x->name,
		   x->content, oid_hex(content_oid(x->content), hex));
	if (x->mtime != name_seconds(x->name, key_len(x->name)))
		bytes_addf(out, " @%lld", (long long)x->mtime);
}

static inline bool same_inst(const struct inst *a, const struct inst *b)
{
	return a->here == b->here &&
	       (!a->here || (a->folder == b->folder && a->sub == b->sub && a->content == b->content &&
			     a->mtime == b->mtime && strcmp(a->name, b->name) == 0));
}

/* case_show: the case for people. "=4(a1b2c3)" is content 4, whose id begins so; "@5" an odd date. */
static inline void case_show(const struct tcase *c, struct bytes *out)
{
	static const char *const who[THREE] = { "base", "ours", "theirs" };

	bytes_addf(out, "case with seed %llu%s%s%s\n", (unsigned long long)c->seed, c->loose ? ", loose" : "",
		   c->keep_flagged ? ", deleteVsFlag = keep" : "", c->foreign ? ", foreign" : "");
	for (size_t i = 0; i < c->n; i++)
		for (int s = 0; s < THREE; s++) {
			const struct inst *x = &c->m[i].at[s];

			if (!x->here && (s == BASE || !c->m[i].at[BASE].here))
				continue;
			bytes_addf(out, "  %3zu %-6s ", i, who[s]);
			if (!x->here)
				bytes_addstr(out, "gone");
			else if (s != BASE && same_inst(x, &c->m[i].at[BASE]))
				bytes_addstr(out, "unchanged");
			else
				show_inst(out, x);
			bytes_addstr(out, "\n");
		}
	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		for (int s = 0; s < THREE; s++)
			if (c->mark[f][s].here)
				bytes_addf(out, "  marker '%s' %s: id %u\n", folder_path[f], who[s],
					   c->mark[f][s].id);
	for (unsigned f = 0; f < CASE_FILES; f++)
		for (int s = 0; s < THREE; s++)
			if (c->file[f][s].here)
				bytes_addf(out, "  file '%s' %s: text %u mode %o\n", file_path[f], who[s],
					   c->file[f][s].text, c->file[f][s].mode);
}

/* case_path_taken: whether another message of that side is where this one is. */
static inline bool case_path_taken(const struct tcase *c, int side, size_t i)
{
	const struct inst *x = &c->m[i].at[side];

	for (size_t j = 0; j < c->n; j++) {
		const struct inst *y = &c->m[j].at[side];

		if (j != i && y->here && y->folder == x->folder && y->sub == x->sub &&
		    strcmp(y->name, x->name) == 0)
			return true;
	}
	return false;
}

/* case_has_folder: whether that side has a marker or a message there. */
static inline bool case_has_folder(const struct tcase *c, int side, unsigned folder)
{
	if (c->mark[folder][side].here)
		return true;
	for (size_t i = 0; i < c->n; i++)
		if (c->m[i].at[side].here && c->m[i].at[side].folder == folder)
			return true;
	return false;
}

static inline bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* case_is_dir: whether this path is a directory on that side. */
static inline bool case_is_dir(const struct tcase *c, int side, const char *path)
{
	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		if ((strcmp(folder_path[f], path) == 0 || is_below(folder_path[f], path)) &&
		    case_has_folder(c, side, f))
			return true;
	for (unsigned f = 0; f < CASE_FILES; f++)
		if (c->file[f][side].here && is_below(file_path[f], path))
			return true;
	return false;
}

/* case_settle: makes sides whole after an edit of the case: markers where messages are, no file where a
 * directory is, one date a key. */
static inline void case_settle(struct tcase *c)
{
	for (int s = 0; s < THREE; s++) {
		for (size_t i = 0; i < c->n; i++) {
			struct inst *x = &c->m[i].at[s];
			struct mark *k = &c->mark[x->folder][s];

			if (!x->here)
				continue;
			if (!k->here && !c->foreign) {
				const struct mark *base = &c->mark[x->folder][BASE];

				k->here = true;
				k->id = base->here && x->mtime % 3 ? base->id
								   : 200u + 3u * x->folder + (unsigned)s;
			}
			for (size_t j = 0; j < i; j++) {
				const struct inst *y = &c->m[j].at[s];

				if (y->here && y->folder == x->folder && same_key(x->name, y->name)) {
					x->mtime = y->mtime;
					break;
				}
			}
		}
		for (unsigned f = 0; f < CASE_FILES; f++)
			if (c->file[f][s].here && case_is_dir(c, s, file_path[f]))
				c->file[f][s].here = false;
	}
}

/*
 * case_rank: how well a message of a side fits one of the base, by the passes of the merge: 0 the same in every
 * respect, 9 not at all.
 */
static inline int case_rank(const struct inst *b, const struct inst *x)
{
	bool key = same_key(b->name, x->name), content = b->content == x->content;
	bool shortkey = same_span(b->name, short_len(b->name), x->name, short_len(x->name));

	if (b->folder == x->folder) {
		if (key && content)
			return b->sub == x->sub && strcmp(b->name, x->name) == 0 ? 0 : 1;
		if (key)
			return 2;
		if (shortkey)
			return content ? 3 : 4;
		return content ? 7 : 9;
	}
	if (key)
		return content ? 5 : 6;
	return content ? 8 : 9;
}

/*
 * case_unclear: finds a message of a side (*j) that might as well be, or be taken for, another one of the base
 * (*i) than the one it came from. If there is none, whoever pairs the best fitting first finds the truth, in
 * whatever order he looks at the messages.
 */
static inline bool case_unclear(const struct tcase *c, int side, size_t *i, size_t *j)
{
	int own[CASE_MAILS];

	for (*i = 0; *i < c->n; (*i)++) {
		const struct mail *m = &c->m[*i];

		own[*i] = m->at[BASE].here && m->at[side].here ? case_rank(&m->at[BASE], &m->at[side]) : 9;
		*j = *i;
		if (m->at[BASE].here && m->at[side].here && own[*i] == 9)
			return true;
	}
	for (*i = 0; *i < c->n; (*i)++) {
		const struct inst *b = &c->m[*i].at[BASE];

		for (*j = 0; b->here && *j < c->n; (*j)++) {
			const struct inst *x = &c->m[*j].at[side];
			int rank;

			if (*i == *j || !x->here)
				continue;
			rank = case_rank(b, x);
			if (rank < 9 && own[*i] >= rank && own[*j] >= rank)
				return true;
		}
	}
	return false;
}

#endif
