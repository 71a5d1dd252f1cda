/*
 * textmerge.h -- stores as text, and their merge: for tests that name every message.
 *
 * A store is written as one string, an entry a line: "cur/1:2,S x" is message 1 with the content x. In the content of a file '|' is a
 * newline and '_' a space, and in a name {x} stands for the first 12 digits of the id of the content x.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TEXTMERGE_H
#define TEXTMERGE_H

#include "core/merge.h"

/* An object store: the few contents that are files. */
struct blob {
	struct oid oid;
	char *text;
	size_t len;
};

static struct blob blobs[4096];
static size_t nblobs;

/* Not a git id, but one that contents have in no order that a test could rely on. */
static inline struct oid id_of(const char *buf, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;
	struct oid oid;
	size_t i;

	for (i = 0; i < len; i++)
		h = (h ^ (unsigned char)buf[i]) * 0x100000001b3u;
	for (i = 0; i < OID_RAW; i++) {
		h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u;
		oid.h[i] = (unsigned char)(h >> 56);
	}
	return oid;
}

static inline struct oid blob_put(const char *buf, size_t len)
{
	struct oid oid = id_of(buf, len);
	size_t i;

	for (i = 0; i < nblobs; i++)
		if (oid_eq(&blobs[i].oid, &oid))
			return oid;
	assert_true(nblobs < sizeof(blobs) / sizeof(blobs[0]));
	blobs[nblobs].oid = oid;
	blobs[nblobs].text = malloc(len + 1);
	assert_non_null(blobs[nblobs].text);
	memcpy(blobs[nblobs].text, buf, len);
	blobs[nblobs].text[len] = '\0';
	blobs[nblobs++].len = len;
	return oid;
}

static inline const struct blob *blob_get(const struct oid *oid)
{
	size_t i;

	for (i = 0; i < nblobs; i++)
		if (oid_eq(&blobs[i].oid, oid))
			return &blobs[i];
	return NULL;
}

static inline int forget_blobs(void **state)
{
	(void)state;
	while (nblobs)
		free(blobs[--nblobs].text);
	return 0;
}

static inline int op_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	const struct blob *b = blob_get(oid);

	(void)ctx;
	if (!b)
		return err_set(err, ERR_NOTFOUND, "cannot read a blob: it is not there");
	bytes_add(out, b->text, b->len);
	return 0;
}

static inline int op_write(void *ctx, const char *buf, size_t len, struct oid *oid, struct err *err)
{
	(void)ctx;
	(void)err;
	*oid = blob_put(buf, len);
	return 0;
}

/* Not even symmetric: "x" and "y" merge to "x+y", unless one of them begins with "clash", or has the other in it. */
static inline int op_text(void *ctx, const struct oid *base, const struct oid *a, const struct oid *b, struct oid *out, struct err *err)
{
	const struct blob *x = blob_get(a), *y = blob_get(b);
	struct bytes both = { 0 };

	(void)ctx;
	(void)base;
	(void)err;
	if (!strncmp(x->text, "clash", 5) || !strncmp(y->text, "clash", 5))
		return 1;
	if (strstr(x->text, y->text))
		y = x;
	if (strstr(y->text, x->text))
		bytes_addstr(&both, y->text);
	else
		bytes_addf(&both, "%s+%s", x->text, y->text);
	*out = blob_put(both.buf, both.len);
	bytes_release(&both);
	return 0;
}

/* What the last merge told: how many UIDs it gave out, and which keywords found no letter. */
static size_t told_fresh;
static char told_full[1024];

static void op_fresh(void *ctx, size_t n)
{
	(void)ctx;
	told_fresh += n;
}

static void op_full(void *ctx, const char *folder, const char *keyword)
{
	size_t len = strlen(told_full);

	(void)ctx;
	snprintf(told_full + len, sizeof(told_full) - len, "%s/%s ", folder, keyword);
}

static const struct merge_ops ops = { NULL, op_read, op_write, op_text, op_fresh, op_full };

/* The text with every {x} replaced. */
static inline char *with_ids(const char *text)
{
	struct bytes out = { 0 };

	while (*text) {
		const char *end = *text == '{' ? strchr(text, '}') : NULL;
		char hex[OID_HEX + 1];
		struct oid oid;

		if (!end) {
			bytes_add(&out, text++, 1);
			continue;
		}
		oid = id_of(text + 1, (size_t)(end - text - 1));
		oid_hex(&oid, hex);
		bytes_add(&out, hex, 12);
		text = end + 1;
	}
	bytes_add(&out, "", 0);
	return out.buf;
}

static inline void add_entry(struct store *s, const char *line, size_t len)
{
	const char *space = memrchr(line, ' ', len);
	size_t pathlen = (size_t)(space - line);
	char content[4096];
	bool executable = line[0] == '*';
	struct oid oid;
	size_t n = 0;

	for (const char *p = space + 1; p < line + len; p++)
		content[n++] = *p == '|' ? '\n' : *p == '_' ? ' ' : *p;
	oid = blob_put(content, n);
	store_add_path(s, line + executable, pathlen - executable, &oid, executable ? 0100755 : 0100644);
}

static inline void store_of(struct store *s, const char *text)
{
	char *lines = with_ids(text), *p = lines, *nl;

	memset(s, 0, sizeof(*s));
	for (; *p; p = nl + 1) {
		nl = strchr(p, '\n');
		if (!nl) {
			add_entry(s, p, strlen(p));
			break;
		}
		add_entry(s, p, (size_t)(nl - p));
	}
	store_sort(s);
	free(lines);
}

static inline void show_content(struct bytes *out, const struct oid *oid)
{
	const struct blob *b = blob_get(oid);
	size_t i;

	for (i = 0; i < b->len; i++)
		bytes_add(out, b->text[i] == '\n' ? "|" : b->text[i] == ' ' ? "_" : &b->text[i], 1);
	bytes_add(out, "\n", 1);
}

static inline char *show(const struct store *s, bool files)
{
	struct bytes out = { 0 };
	size_t i, j;

	bytes_add(&out, "", 0);
	for (i = 0; i < s->nfolders; i++)
		for (int sub = NAME_NEW; sub <= NAME_CUR; sub++)
			for (j = 0; j < s->folders[i].sub[sub].n; j++) {
				const struct msg *m = &s->folders[i].sub[sub].v[j];
				const char *path = s->folders[i].path;

				assert_int_equal(m->len, strlen(m->name));
				assert_int_equal(m->keylen, strcspn(m->name, ":"));
				assert_int_equal(m->sub, sub);
				bytes_addf(&out, "%s%s%s/%s ", path, *path ? "/" : "", sub == NAME_CUR ? "cur" : "new", m->name);
				show_content(&out, &m->oid);
			}
	for (i = 0; files && i < s->nfiles; i++) {
		bytes_addf(&out, "%s%s ", s->files[i].mode == 0100755 ? "*" : "", s->files[i].path);
		show_content(&out, &s->files[i].oid);
	}
	return out.buf;
}

static inline char *merge_once(const char *base, const char *a, const char *b, bool files, bool keep)
{
	struct store in[3], out = { 0 };
	struct merge_opts opts = { .flag_beats_delete = keep };
	struct err err = { 0 };
	char *text;

	told_fresh = 0;
	told_full[0] = '\0';
	store_of(&in[0], base);
	store_of(&in[1], a);
	store_of(&in[2], b);
	if (merge_stores(&out, &in[0], &in[1], &in[2], &ops, &opts, &err))
		fail_msg("%s", err.msg);
	text = show(&out, files);
	store_release(&out);
	for (int i = 0; i < 3; i++)
		store_release(&in[i]);
	return text;
}

static inline void check(const char *base, const char *a, const char *b, const char *want, bool files, bool keep)
{
	char *got = merge_once(base, a, b, files, keep), *swapped = merge_once(base, b, a, files, keep), *sorted;
	struct store s;

	store_of(&s, want);
	sorted = show(&s, files);
	assert_string_equal(got, sorted);
	assert_string_equal(swapped, got);
	store_release(&s);
	free(sorted);
	free(got);
	free(swapped);
}

static inline void merges(const char *base, const char *a, const char *b, const char *want)
{
	check(base, a, b, want, false, false);
}

static inline void merges_with_files(const char *base, const char *a, const char *b, const char *want)
{
	check(base, a, b, want, true, false);
}

/* Two contents in the order of their ids. */
static inline void in_order(const char *x, const char *y, const char **small, const char **large)
{
	struct oid a = id_of(x, strlen(x)), b = id_of(y, strlen(y));

	*small = oid_cmp(&a, &b) < 0 ? x : y;
	*large = *small == x ? y : x;
}

static char want[16384];
#define WANT(...) (snprintf(want, sizeof(want), __VA_ARGS__), want)

#endif
