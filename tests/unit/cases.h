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

#include "core/keywords.h"
#include "core/marker.h"
#include "core/merge.h"
#include "core/name.h"
#include "core/path.h"
#include "core/store.h"
#include "core/uidlist.h"
#include "repo/objects.h"

enum { BASE, OURS, THEIRS, THREE };

#define other_side(s) (OURS + THEIRS - (s))
#define CASE_MAILS 160
#define CASE_FILES 10
#define CASE_FOLDERS 10
#define CASE_WORDS 4

/* Message contents are numbered: the base's, what edits make of them, and what is delivered. */
#define CONTENTS 512

static const char *const folder_path[CASE_FOLDERS] = { "",	".Work",    ".Work.Projects", "Lists/x",
						       ".New",	"Lists/y",  ".Archive",	      ".Moved",
						       "Lists", ".Work.Old" };
static const char *const file_path[CASE_FILES] = { "subscriptions", "notes.txt", "Lists", ".Work/sieve",
						   ".Archive",	    "dir",	 "dir/a", "Lists/x/readme",
						   ".Moved/rules",  "dir/a/b" };

/* Keywords. In the names of a case the letters a to d stand for them, whatever letters a side has for them: see struct imap. */
static const char *const word_name[CASE_WORDS] = { "$Forwarded", "Work", "later", "red" };

/* A message on one side. */
struct inst {
	bool here;
	uint8_t folder, sub;
	uint16_t content;
	uint32_t uid;  /* 0: it has none */
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

/* What an IMAP server notes of a folder on one side. */
struct imap {
	bool has_list, has_words;
	uint32_t validity, next;
	unsigned guid;		     /* 0: it has none */
	uint8_t letter[CASE_WORDS]; /* the index of each keyword there, and 1; 0: it has none */
};

struct tcase {
	uint64_t seed;
	bool loose;	   /* keys and contents of few kinds: which is which is known to nobody */
	bool keep_flagged; /* maildir.deleteVsFlag = keep */
	bool foreign;	   /* not of our making: markers are missing */
	bool words;	   /* folders have maps of keywords */
	size_t n;
	struct mail m[CASE_MAILS];
	struct mark mark[CASE_FOLDERS][THREE];
	struct version file[CASE_FILES][THREE];
	struct imap imap[CASE_FOLDERS][THREE];
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

/* case_list: the folder's dovecot-uidlist, a line for each key. */
static inline void case_list(const struct tcase *c, unsigned folder, int side, struct bytes *out)
{
	const struct imap *l = &c->imap[folder][side];

	bytes_clear(out);
	bytes_addf(out, "3 V%u N%u", (unsigned)l->validity, (unsigned)l->next);
	if (l->guid)
		bytes_addf(out, " G%032x", l->guid);
	bytes_addstr(out, "\n");
	for (uint32_t last = 0;;) {
		const struct inst *first = NULL;

		for (size_t i = 0; i < c->n; i++) {
			const struct inst *x = &c->m[i].at[side];

			if (x->here && x->folder == folder && x->uid > last && (!first || x->uid < first->uid))
				first = x;
		}
		if (!first)
			return;
		last = first->uid;
		bytes_addf(out, "%u :%.*s\n", (unsigned)last, (int)key_len(first->name), first->name);
	}
}

/* case_words: the folder's dovecot-keywords. */
static inline void case_words(const struct tcase *c, unsigned folder, int side, struct bytes *out)
{
	bytes_clear(out);
	for (unsigned i = 0; i < KEYWORDS_MOST; i++)
		for (unsigned w = 0; w < CASE_WORDS; w++)
			if (c->imap[folder][side].letter[w] == i + 1)
				bytes_addf(out, "%u %s\n", i, word_name[w]);
}

/* with_letters: the name with other letters for keywords: to[] has an index and 1 for each of a to z. */
static inline void with_letters(char out[NAME_LONGEST + 1], const char *name, const uint8_t to[KEYWORDS_MOST])
{
	struct name n;
	name_flags flags;

	name_parse(&n, name, strlen(name));
	flags = n.flags & (name_flag('a') - 1);
	for (unsigned i = 0; i < KEYWORDS_MOST; i++)
		if (n.flags & name_flag((char)('a' + i)) && to[i])
			flags |= name_flag((char)('a' + to[i] - 1));
	if (flags == n.flags || !name_join(out, n.s, n.keylen, flags, n.tail, n.taillen))
		memcpy(out, name, n.len + 1);
}

/* The name that a message has on a side, by the letters of its folder there. */
static inline const char *local_name(const struct tcase *c, int side, const struct inst *x, struct arena *a)
{
	uint8_t to[KEYWORDS_MOST] = { 0 };
	char name[NAME_LONGEST + 1];

	if (!c->words)
		return x->name;
	memcpy(to, c->imap[x->folder][side].letter, CASE_WORDS);
	with_letters(name, x->name, to);
	return arena_strn(a, name, strlen(name));
}

static inline void case_add_file(struct store *s, const char *path, const struct oid *oid, unsigned mode)
{
	struct path p;

	path_parse(&p, path, strlen(path));
	store_add_file(s, path, oid, mode, p.class);
}

static inline const char *path_in(struct arena *a, unsigned folder, const char *name)
{
	const char *path = folder_path[folder];

	return *path ? arena_printf(a, "%s/%s", path, name) : name;
}

static inline const char *marker_path(struct arena *a, unsigned folder)
{
	return path_in(a, folder, PATH_MARKER_NAME);
}

static inline void case_add_imap(const struct tcase *c, unsigned folder, int side, struct blobs *blobs,
				 struct store *s)
{
	struct bytes b = { 0 };
	struct oid oid;

	if (c->imap[folder][side].has_list) {
		case_list(c, folder, side, &b);
		oid = blobs_put(blobs, b.buf, b.len);
		case_add_file(s, path_in(&s->arena, folder, UIDLIST_NAME), &oid, 0100644);
	}
	case_words(c, folder, side, &b);
	if (c->imap[folder][side].has_words && b.len) {
		oid = blobs_put(blobs, b.buf, b.len);
		case_add_file(s, path_in(&s->arena, folder, KEYWORDS_NAME), &oid, 0100644);
	}
	bytes_release(&b);
}

/* case_store: one side as a store; the case must outlive it. */
static inline void case_store(const struct tcase *c, int side, struct blobs *blobs, struct store *s)
{
	struct bytes b = { 0 };
	struct oid oid;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < c->n; i++) {
		const struct inst *x = &c->m[i].at[side];
		const char *path = folder_path[x->folder], *name;

		if (!x->here)
			continue;
		name = local_name(c, side, x, &s->arena);
		store_add_msg(store_folder(s, path, strlen(path)), x->sub ? NAME_CUR : NAME_NEW, name,
			      strlen(name), content_oid(x->content));
	}
	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		case_add_imap(c, f, side, blobs, s);
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
			for (size_t j = 0; j < f->sub[sub].n; j++) {
				bytes_addstr(out, f->path);
				bytes_addstr(out, sub == NAME_CUR ? "/cur/" : "/new/");
				bytes_addstr(out, f->sub[sub].v[j].name);
				bytes_addstr(out, " ");
				bytes_addstr(out, oid_hex(&f->sub[sub].v[j].oid, hex));
				bytes_addstr(out, "\n");
			}
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
	if (x->uid)
		bytes_addf(out, " UID %u", (unsigned)x->uid);
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
			else if (s != BASE && same_inst(x, &c->m[i].at[BASE]) && x->uid == c->m[i].at[BASE].uid)
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
	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		for (int s = 0; s < THREE; s++) {
			const struct imap *l = &c->imap[f][s];

			if (l->has_list)
				bytes_addf(out, "  UIDs '%s' %s: V%u N%u\n", folder_path[f], who[s],
					   (unsigned)l->validity, (unsigned)l->next);
			for (unsigned w = 0; w < CASE_WORDS && l->has_words; w++)
				if (l->letter[w])
					bytes_addf(out, "  keyword %c in '%s' %s: %c %s\n", 'a' + (int)w,
						   folder_path[f], who[s], 'a' + l->letter[w] - 1,
						   word_name[w]);
		}
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
