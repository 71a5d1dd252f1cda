/*
 * applybox.h -- plans and contents for the tests of apply: carried out once, twice, or refused.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef APPLYBOX_H
#define APPLYBOX_H

#include "diskbox.h"

#include "core/hash.h"
#include "disk/apply.h"
#include "disk/file.h"

/* --- contents with ids, in place of a repository */

static struct {
	struct oid oid;
	char *text;
} blobs[2000];
static size_t nblobs;
static int reads_left = -1; /* after so many the process is killed, if not negative */

static UNUSED void blob_hash(void *ctx UNUSED, const void *buf, size_t len, struct oid *out)
{
	uint32_t h = hash_bytes(buf, len);
	int i;

	for (i = 0; i < OID_RAW; i++) {
		h = h * 1664525u + 1013904223u + (uint32_t)len;
		out->h[i] = (unsigned char)(h >> 24);
	}
}

static UNUSED struct oid blob(const char *text)
{
	struct oid oid;
	size_t i;

	blob_hash(NULL, text, strlen(text), &oid);
	for (i = 0; i < nblobs; i++)
		if (oid_eq(&blobs[i].oid, &oid))
			return oid;
	assert_true(nblobs < sizeof(blobs) / sizeof(blobs[0]));
	blobs[nblobs].oid = oid;
	blobs[nblobs++].text = strdup(text);
	return oid;
}

static UNUSED int blob_read(void *ctx UNUSED, const struct oid *oid, struct bytes *out, struct err *err)
{
	size_t i;

	if (!reads_left)
		_exit(9);
	if (reads_left > 0)
		reads_left--;
	for (i = 0; i < nblobs; i++) {
		if (oid_eq(&blobs[i].oid, oid)) {
			bytes_addstr(out, blobs[i].text);
			return 0;
		}
	}
	return err_set(err, ERR_FAIL, "no such blob");
}

static const char *wanted_path;

static UNUSED bool is_wanted(void *ctx UNUSED, const char *folder, enum name_sub sub, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s%s/%s", folder, *folder ? "/" : "", sub == NAME_CUR ? "cur" : "new", name);
	return wanted_path && !strcmp(path, wanted_path);
}

static UNUSED const struct apply_ops ops = { .read = blob_read, .hash = blob_hash, .wanted = is_wanted };

/* --- what the two stores say of UIDs and keywords */

static struct {
	const char *folder;
	enum path_class class;
	bool before;
	char *text;
} imaps[32];
static size_t nimaps;
static int imap_asked;
static char notes[4096];

static UNUSED int imap_read(void *ctx UNUSED, const char *folder, enum path_class class, bool before, struct bytes *out, struct err *err)
{
	size_t i;

	imap_asked++;
	for (i = 0; i < nimaps; i++)
		if (!strcmp(imaps[i].folder, folder) && imaps[i].class == class && imaps[i].before == before) {
			bytes_addstr(out, imaps[i].text);
			return 0;
		}
	return err_set(err, ERR_NOTFOUND, "no such file");
}

static UNUSED void imap_forget(void)
{
	while (nimaps)
		free(imaps[--nimaps].text);
	notes[0] = '\0';
	imap_asked = 0;
}

/* NULL: there is none. */
static UNUSED void imap(const char *folder, enum path_class class, const char *before, const char *target)
{
	const char *text[2] = { target, before };
	int i;

	for (i = 0; i < 2; i++) {
		if (!text[i])
			continue;
		assert_true(nimaps < sizeof(imaps) / sizeof(imaps[0]));
		imaps[nimaps].folder = folder;
		imaps[nimaps].class = class;
		imaps[nimaps].before = i;
		imaps[nimaps++].text = strdup(text[i]);
	}
}

static UNUSED void note(void *ctx UNUSED, const char *folder, const char *what)
{
	size_t len = strlen(notes);

	snprintf(notes + len, sizeof(notes) - len, "%s %s\n", *folder ? folder : "INBOX", what);
}

static UNUSED const struct apply_ops imap_ops = {
	.read = blob_read, .hash = blob_hash, .wanted = is_wanted, .imap = imap_read, .note = note
};
/* What once(), twice() and fails() work with. */
static const struct apply_ops *with = &ops;

/* --- plans */

static UNUSED struct plan_step *step(struct plan *p, enum plan_kind kind, const char *folder)
{
	MEM_GROW(p->v, p->n, p->cap);
	p->v[p->n] = (struct plan_step){ .kind = kind, .folder = folder, .mtime = -1, .mode = 0100644 };
	return &p->v[p->n++];
}

/* "cur/name" or "new/name" taken apart. */
static UNUSED const char *split(const char *place, uint8_t *sub)
{
	*sub = !strncmp(place, "cur/", 4) ? NAME_CUR : NAME_NEW;
	return place + 4;
}

static UNUSED struct plan_step *to(struct plan_step *s, const char *place, const char *text)
{
	s->name = split(place, &s->sub);
	s->oid = blob(text);
	return s;
}

static UNUSED struct plan_step *from(struct plan_step *s, const char *place, const char *text)
{
	s->from_name = split(place, &s->from_sub);
	s->from_oid = blob(text);
	return s;
}

static UNUSED void mvfolder(struct plan *p, const char *old, const char *folder)
{
	step(p, PLAN_MVFOLDER, folder)->from_folder = old;
}

static UNUSED void mkfolder(struct plan *p, const char *folder)
{
	step(p, PLAN_MKFOLDER, folder);
}

static UNUSED void add(struct plan *p, const char *folder, const char *place, const char *text, int64_t mtime)
{
	to(step(p, PLAN_ADD, folder), place, text)->mtime = mtime;
}

static UNUSED void del(struct plan *p, const char *folder, const char *place, const char *text)
{
	from(step(p, PLAN_DELETE, folder), place, text);
}

static UNUSED void link_from(struct plan *p, const char *old, const char *old_place, const char *folder, const char *place, const char *text)
{
	from(to(step(p, PLAN_ADD, folder), place, text), old_place, text)->from_folder = old;
}

static UNUSED void ren(struct plan *p, const char *folder, const char *old, const char *place, const char *text)
{
	from(to(step(p, PLAN_RENAME, folder), place, text), old, text);
}

static UNUSED void replace(struct plan *p, const char *folder, const char *old, const char *old_text, const char *place, const char *text)
{
	from(to(step(p, PLAN_REPLACE, folder), place, text), old, old_text)->mtime = 1000000000;
}

static UNUSED void put(struct plan *p, const char *path, const char *before, const char *text)
{
	struct plan_step *s = step(p, PLAN_PUT, path);

	s->oid = blob(text);
	if (before)
		s->from_oid = blob(before);
}

static UNUSED void unl(struct plan *p, const char *path, const char *before)
{
	step(p, PLAN_UNLINK, path)->from_oid = blob(before);
}

static UNUSED void imap_step(struct plan *p, const char *folder)
{
	step(p, PLAN_IMAP, folder);
}

static UNUSED void rmfolder(struct plan *p, const char *folder)
{
	step(p, PLAN_RMFOLDER, folder);
}

/* --- looking */

static UNUSED void assert_text(const struct box *b, const char *path, const char *want)
{
	struct bytes out = { 0 };
	struct err err = { 0 };

	if (file_read(&b->disk, path, &out, NULL, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(out.len ? out.buf : "", want);
	bytes_release(&out);
}

static UNUSED struct stat stat_of(const struct box *b, const char *path)
{
	struct stat st;

	if (lstat(box_path(b, path), &st))
		fail_msg("no '%s'", path);
	return st;
}

static const struct box *snap_box;
static char *snap_lines[4000];
static size_t snap_n;

static UNUSED int snap_one(const char *path, const struct stat *st, int flag UNUSED, struct FTW *ftw UNUSED)
{
	const char *rel = path + strlen(snap_box->root);
	char line[4096], text[256] = "";
	FILE *f;

	if (S_ISREG(st->st_mode)) {
		f = fopen(path, "r");
		assert_non_null(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
	}
	snprintf(line, sizeof(line), "%s %o '%s'", rel, st->st_mode, text);
	assert_true(snap_n < sizeof(snap_lines) / sizeof(snap_lines[0]));
	snap_lines[snap_n++] = strdup(line);
	return 0;
}

static UNUSED int line_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything there is in the box, tmp/ included, as text. */
static UNUSED char *snapshot(const struct box *b)
{
	struct bytes out = { 0 };
	size_t i;

	snap_box = b;
	snap_n = 0;
	assert_int_equal(nftw(b->root, snap_one, 80, FTW_PHYS), 0);
	qsort(snap_lines, snap_n, sizeof(*snap_lines), line_cmp);
	for (i = 0; i < snap_n; i++) {
		bytes_addf(&out, "%s\n", snap_lines[i]);
		free(snap_lines[i]);
	}
	return out.buf;
}

/* Carries a plan out once. */
static UNUSED struct apply_result once(struct box *b, const struct plan *p, const struct apply_opts *opts)
{
	struct apply_result res;
	struct err err = { 0 };

	if (apply_plan(&b->disk, p, with, opts, &res, &err))
		fail_msg("%d: %s", err.code, err.msg);
	assert_int_equal(res.done + res.already + res.differs, p->n);
	return res;
}

/* Carries it out twice: the second time must change nothing. Frees the plan; the result is that of the first time. */
static UNUSED struct apply_result twice_with(struct box *b, struct plan *p, const struct apply_opts *opts)
{
	struct apply_result res = once(b, p, opts), again;
	char *before = snapshot(b), *after;

	again = once(b, p, opts);
	after = snapshot(b);
	assert_string_equal(after, before);
	assert_int_equal(again.done, 0);
	free(before);
	free(after);
	plan_release(p);
	return res;
}

static UNUSED struct apply_result twice(struct box *b, struct plan *p)
{
	return twice_with(b, p, NULL);
}

/* A plan for a folder that is gone: nothing is done, in the last attempt neither, so that it can be merged again. Frees it. */
static UNUSED void never(struct box *b, struct plan *p)
{
	static const struct apply_opts at_last = { .settle = true };
	char *before = snapshot(b), *after;
	struct apply_result res;
	struct err err = { 0 };

	assert_int_equal(apply_plan(&b->disk, p, with, NULL, &res, &err), ERR_AGAIN);
	assert_int_equal(apply_plan(&b->disk, p, with, &at_last, &res, &err), ERR_AGAIN);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
	plan_release(p);
}

static UNUSED void fails(struct box *b, struct plan *p, int code)
{
	char *before = snapshot(b), *after;
	struct apply_result res;
	struct err err = { 0 };
	int rc = apply_plan(&b->disk, p, with, NULL, &res, &err);

	if (rc != code)
		fail_msg("%d instead of %d: %s", rc, code, err.msg);
	assert_int_equal(err.code, code);
	assert_true(err.msg[0]);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
	plan_release(p);
}

#endif
