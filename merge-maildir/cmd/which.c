/*
 * which.c -- the messages and folders that a person means.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "which.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../core/header.h"
#include "../repo/objects.h"
#include "../repo/tree.h"

/* As few digits as git shows of an id. */
#define BLOB_DIGITS 7
#define SUBJECT_SHOWN 100
#define ID_SHOWN 200
#define FOLDER_SHOWN 4096

int which_init(struct which *w, const char *id, struct err *err)
{
	memset(w, 0, sizeof(*w));
	w->id = id;
	w->len = strlen(id);
	if (!w->len)
		return err_set(err, ERR_FAIL, "an empty --message is no message");
	w->by_blob = w->len >= BLOB_DIGITS && w->len <= OID_HEX && strspn(id, "0123456789abcdefABCDEF") == w->len;
	/* Only then are messages read: there may be many. */
	if (*id == '<' || strchr(id, '@'))
		w->bare = header_bare_id(id, w->len, &w->barelen);
	return 0;
}

void which_release(struct which *w)
{
	free(w->seen);
	if (w->room)
		hash_release(&w->by_oid);
	memset(w, 0, sizeof(*w));
}

static uint32_t oid_hash(const struct oid *oid)
{
	uint32_t h;

	memcpy(&h, oid->h, sizeof(h));
	return h;
}

static void remember(struct which *w, const struct oid *oid, bool match)
{
	if (w->n == w->room) {
		if (w->room)
			hash_release(&w->by_oid);
		w->room = w->room ? w->room * 4 : 64;
		hash_init(&w->by_oid, w->room);
		for (size_t i = 0; i < w->n; i++)
			hash_add(&w->by_oid, oid_hash(&w->seen[i].oid), i);
	}
	hash_add(&w->by_oid, oid_hash(oid), w->n);
	MEM_GROW(w->seen, w->n, w->cap);
	w->seen[w->n++] = (struct which_seen){ *oid, match };
}

static int match_header(struct which *w, struct repo *r, const struct oid *oid, struct err *err)
{
	struct objects_view v = { 0 };
	struct bytes id = { 0 };
	size_t it = 0, at, len;
	const char *bare;
	bool match = false;
	int ret;

	while (w->room && hash_next(&w->by_oid, oid_hash(oid), &it, &at))
		if (oid_eq(&w->seen[at].oid, oid))
			return w->seen[at].match;
	ret = objects_open(r, oid, OBJECTS_BLOB, &v, err);
	if (ret && ret != ERR_NOTFOUND)
		return ret;
	if (!ret && header_field((const char *)v.buf, v.len, "Message-ID", &id) && id.len) {
		bare = header_bare_id(id.buf, id.len, &len);
		match = len == w->barelen && !memcmp(bare, w->bare, len);
	}
	bytes_release(&id);
	objects_close(&v);
	remember(w, oid, match);
	return match;
}

int which_match(struct which *w, struct repo *r, const struct msg *m, struct err *err)
{
	char hex[OID_HEX + 1];
	struct name n;

	name_parse(&n, m->name, m->len);
	if ((w->len == n.len || w->len == n.keylen || w->len == n.shortlen) && !memcmp(m->name, w->id, w->len))
		return 1;
	if (w->by_blob && !strncasecmp(oid_hex(&m->oid, hex), w->id, w->len))
		return 1;
	return w->bare ? match_header(w, r, &m->oid, err) : 0;
}

bool which_folder(const char *meant, const char *path)
{
	char name[FOLDER_SHOWN];

	return !strcmp(meant, path) || !strcmp(meant, path_show(name, sizeof(name), path)) || (!*path && !strcasecmp(meant, "INBOX"));
}

int which_folder_there(struct repo *r, const struct oid *tree, const char *meant, struct err *err)
{
	const struct oid *ids[1] = { tree };
	struct store s = { 0 };
	struct tree_set *set = NULL;
	int ret = tree_load(&s, ids, 1, r, &set, NULL, err);
	bool there = false;

	for (size_t i = 0; i < s.nfolders && !there; i++)
		there = which_folder(meant, s.folders[i].path);
	for (size_t i = 0; i < s.nfiles && !there; i++) {
		struct path p;
		char *folder;

		path_parse(&p, s.files[i].path, strlen(s.files[i].path));
		if (p.class != PATH_MARKER)
			continue;
		folder = arena_strn(&s.arena, s.files[i].path, p.folderlen);
		there = which_folder(meant, folder);
	}
	store_release(&s);
	tree_release(set);
	return ret < 0 ? ret : there;
}

void which_show(struct repo *r, const struct oid *blob, struct bytes *out)
{
	struct objects_view v = { 0 };
	struct bytes subject = { 0 }, id = { 0 };
	struct err err;
	const char *bare;
	size_t len;

	if (objects_open(r, blob, OBJECTS_BLOB, &v, &err)) {
		bytes_addstr(out, "(content is not here)");
		return;
	}
	bytes_addstr(out, "\"");
	if (header_field((const char *)v.buf, v.len, "Subject", &subject) && subject.len)
		header_show(out, subject.buf, subject.len, SUBJECT_SHOWN);
	bytes_addstr(out, "\"");
	if (header_field((const char *)v.buf, v.len, "Message-ID", &id) && id.len) {
		bare = header_bare_id(id.buf, id.len, &len);
		bytes_addstr(out, " <");
		header_show(out, bare, len, ID_SHOWN);
		bytes_addstr(out, ">");
	}
	bytes_release(&subject);
	bytes_release(&id);
	objects_close(&v);
}
