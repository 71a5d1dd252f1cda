/*
 * audit.c -- what is wrong with the UIDs and keywords of a member: for verify.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/uidlist.h"
#include "../disk/file.h"
#include "../disk/number.h"
#include "uids.h"

struct audit {
	struct member *m;
	struct record_result *rec;
	void (*problem)(void *ctx, const char *what);
	void *ctx;
	char name[256]; /* of the folder */
	struct arena arena;
};

static void say(struct audit *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct audit *a, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	a->problem(a->ctx, what);
}

static int recorded(struct audit *a, const char *folder, const char *name, struct bytes *out, struct err *err)
{
	const char *path = arena_printf(&a->arena, "%s%s%s", folder, *folder ? "/" : "", name);
	ssize_t at = index_find(&a->rec->index, path, strlen(path));

	return at < 0 ? 0 : objects_read(&a->m->repo, &a->rec->index.v[at].oid, OBJECTS_BLOB, out, err);
}

/* The messages on disk against the list on disk. */
static void check_live(struct audit *a, const struct scan_folder *f, struct uidlist *live)
{
	uids_trouble(live->trouble, f->path, a->problem, a->ctx);
	for (unsigned sub = NAME_NEW; sub <= NAME_CUR && live->known; sub++)
		for (size_t i = 0; i < f->sub[sub].n; i++) {
			const char *name = f->sub[sub].v[i].name;

			if (!uidlist_find(live, name, strcspn(name, ":")))
				say(a, "'%s' in folder '%s' has no UID", name, a->name);
		}
}

static bool is_in(const struct number *in, const struct uidlist_line *l)
{
	for (size_t lo = 0, hi = in->n; lo < hi;) {
		size_t mid = (lo + hi) / 2, len = in->v[mid].keylen;
		int c = memcmp(in->v[mid].name, l->key, len < l->keylen ? len : l->keylen);

		c = c ? c : (len > l->keylen) - (len < l->keylen);
		if (!c)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* What is recorded of the list against the messages that are recorded, and against the list on disk. */
static void check_recorded(struct audit *a, const char *folder, const struct bytes *live, const struct bytes *head)
{
	struct number in = { .folder = folder, .before = head };
	struct bytes normal = { 0 };
	struct uidlist list = { 0 };
	bool known;

	in.v = uids_messages(&a->rec->index, folder, &in.n);
	uidlist_parse(&list, head->buf, head->len);
	if (list.trouble)
		say(a, "the recorded UIDs of folder '%s' are broken", a->name);
	known = number_normal(&in, live, &normal);
	if (!a->rec->changed && known && (normal.len != head->len || memcmp(normal.buf, head->buf, head->len) != 0))
		say(a, "the UIDs of folder '%s' are not what was recorded", a->name);
	for (size_t i = 0; i < list.n; i++)
		if (!is_in(&in, &list.v[i]))
			say(a, "folder '%s': a UID is recorded for '%.*s', but no such message", a->name, list.v[i].keylen, list.v[i].key);
	uidlist_release(&list);
	bytes_release(&normal);
	free(in.v);
}

static int check_list(struct audit *a, const struct scan_folder *f, struct err *err)
{
	const char *path = arena_printf(&a->arena, "%s%s%s", f->path, *f->path ? "/" : "", UIDLIST_NAME);
	struct bytes live = { 0 }, head = { 0 };
	struct uidlist list = { 0 };
	int ret = recorded(a, f->path, UIDLIST_NAME, &head, err), there;

	if (ret < 0)
		return ret;
	there = file_read(&a->m->disk, path, &live, NULL, err);
	if (there == ERR_NOTFOUND) {
		if (head.len)
			say(a, "'" UIDLIST_NAME "' of folder '%s' is gone", a->name);
	} else if (there) {
		ret = there;
	} else {
		uidlist_parse(&list, live.buf ? live.buf : "", live.len);
		check_live(a, f, &list);
		if (head.len)
			check_recorded(a, f->path, &live, &head);
		else if (!a->rec->changed)
			say(a, "the UIDs of folder '%s' are not recorded", a->name);
	}
	uidlist_release(&list);
	bytes_release(&live);
	bytes_release(&head);
	return ret;
}

/* The first letter in a name that has no keyword, or 0. A folder without any map has letters of some other program. */
static char unnamed(const struct keywords *map, const char *name)
{
	struct name n;
	bool any = false;

	for (int i = 0; i < KEYWORDS_MOST; i++)
		any |= map->name[i] != NULL;
	name_parse(&n, name, strlen(name));
	for (int i = 0; i < KEYWORDS_MOST && any && n.has_flags; i++)
		if (n.flags & name_flag((char)('a' + i)) && !map->name[i])
			return (char)('a' + i);
	return 0;
}

static int check_map(struct audit *a, const struct scan_folder *f, struct err *err)
{
	struct words_folder *w;
	struct number_message *v;
	struct bytes head = { 0 };
	struct keywords map = { .trouble = 0 };
	size_t n;
	char c;
	int ret = words_of(&a->rec->words, f->path, &w, err);

	if (!ret)
		ret = recorded(a, f->path, KEYWORDS_NAME, &head, err);
	if (ret)
		return ret;
	keywords_parse(&map, head.buf ? head.buf : "", head.len);
	if (w->missing)
		say(a, "'" KEYWORDS_NAME "' of folder '%s' is gone", a->name);
	if (w->grew && !a->rec->changed)
		say(a, "the keywords of folder '%s' are not recorded", a->name);
	if (w->hidden)
		say(a, "folder '%s' has no letter here for some keywords of other members", a->name);
	for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++)
		for (size_t i = 0; i < f->sub[sub].n; i++)
			if ((c = unnamed(&w->disk, f->sub[sub].v[i].name)))
				say(a, "'%s' in folder '%s' has the letter '%c', which is no keyword", f->sub[sub].v[i].name, a->name, c);
	v = uids_messages(&a->rec->index, f->path, &n);
	for (size_t i = 0; i < n; i++)
		if ((c = unnamed(&map, v[i].name)))
			say(a, "'%s' in folder '%s' is recorded with the letter '%c', which is no keyword", v[i].name, a->name, c);
	free(v);
	keywords_release(&map);
	bytes_release(&head);
	return 0;
}

int audit_imap(struct member *m, struct record_result *rec, void (*problem)(void *ctx, const char *what), void *ctx, struct err *err)
{
	struct audit a = { .m = m, .rec = rec, .problem = problem, .ctx = ctx };
	const struct scan *s = &rec->compare.scan;
	int ret = 0;

	for (size_t i = 0; i < s->nfolders && !ret; i++) {
		if (!s->folders[i].sub[NAME_CUR].present)
			continue;
		path_show(a.name, sizeof(a.name), s->folders[i].path);
		ret = check_list(&a, &s->folders[i], err);
		if (!ret)
			ret = check_map(&a, &s->folders[i], err);
	}
	arena_release(&a.arena);
	return ret;
}
