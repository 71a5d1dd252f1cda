/*
 * update.c -- brings the live Maildir, and then the index, from what is recorded to what a merge gave.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "update.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/marker.h"
#include "../core/uidlist.h"
#include "../disk/file.h"
#include "../disk/mvdir.h"
#include "../repo/tree.h"
#include "compare.h"
#include "exit.h"
#include "progress.h"
#include "wake.h"

/* What the two states say of the folder that was asked for last: the plan asks folder by folder. */
struct update_facts {
	struct member *m;
	const struct store *head, *target; /* head: after folders were renamed, where the plan does that */
	struct arena ids;		   /* of folders */
	const char *folder; /* of the marker */
	struct marker marker;
	const char *list_folder; /* of the list */
	struct uidlist list;
	struct bytes list_text;
};

/* Appends a file of a folder, as a state has it. ERR_NOTFOUND when it has none. What differs between the two states is in both stores with all its files. */
static int folder_file(struct update_facts *f, const struct store *store, const char *folder, const char *name, struct bytes *out, struct err *err)
{
	struct arena a = { 0 };
	const struct file *file = store_find_file(store, arena_printf(&a, "%s%s%s", folder, *folder ? "/" : "", name));
	int ret = file ? objects_read(&f->m->repo, &file->oid, OBJECTS_BLOB, out, err) : ERR_NOTFOUND;

	arena_release(&a);
	return ret;
}

static int64_t target_mtime(void *ctx, const char *folder, const char *key, size_t keylen)
{
	struct update_facts *f = ctx;

	if (!f->folder || strcmp(f->folder, folder) != 0) {
		struct bytes b = { 0 };
		struct err err;

		marker_release(&f->marker);
		/* Without its marker a message still has the time in its name. */
		if (folder_file(f, f->target, folder, PATH_MARKER_NAME, &b, &err) == 0)
			marker_parse(&f->marker, b.buf, b.len);
		bytes_release(&b);
		f->folder = folder;
	}
	return marker_mtime(&f->marker, key, keylen);
}

static uint32_t target_uid(void *ctx, const char *folder, const char *key, size_t keylen)
{
	struct update_facts *f = ctx;
	const struct uidlist_line *line;

	if (!f->list_folder || strcmp(f->list_folder, folder) != 0) {
		struct err err;

		uidlist_release(&f->list);
		bytes_clear(&f->list_text);
		if (folder_file(f, f->target, folder, UIDLIST_NAME, &f->list_text, &err) == 0)
			uidlist_parse(&f->list, f->list_text.buf, f->list_text.len);
		f->list_folder = folder;
	}
	line = uidlist_find(&f->list, key, keylen);
	return line ? line->uid : 0;
}

/* --- folders that are renamed as a whole */

static const char *folder_id(void *ctx, bool before, const char *folder)
{
	struct update_facts *f = ctx;
	struct marker marker = { .n = 0 };
	struct bytes b = { 0 };
	const char *id = "";
	struct err err;

	if (folder_file(f, before ? f->head : f->target, folder, PATH_MARKER_NAME, &b, &err) == 0) {
		marker_parse(&marker, b.buf, b.len);
		id = arena_strn(&f->ids, marker.id, strlen(marker.id));
	}
	marker_release(&marker);
	bytes_release(&b);
	return id;
}

/* The head of a folder's list of UIDs: which mailbox it is. False if it has none. */
static bool read_mailbox(struct update_facts *f, const struct store *store, const char *folder, struct uidlist *l)
{
	struct bytes b = { 0 };
	const char *end;
	struct err err;
	bool known;

	if (folder_file(f, store, folder, UIDLIST_NAME, &b, &err) == 0 && (end = memchr(b.buf, '\n', b.len)))
		uidlist_parse(l, b.buf, (size_t)(end - b.buf) + 1);
	known = l->known;
	bytes_release(&b);
	return known;
}

static bool same_mailbox(struct update_facts *f, const char *from, const char *to)
{
	struct uidlist before = { .known = false }, after = { .known = false };
	bool same = !read_mailbox(f, f->head, from, &before) || !read_mailbox(f, f->target, to, &after) ||
		    (before.validity == after.validity && !strcmp(before.guid, after.guid));

	uidlist_release(&before);
	uidlist_release(&after);
	return same;
}

static bool can_move(void *ctx, const char *from, const char *to)
{
	struct update_facts *f = ctx;
	struct err err;

	return same_mailbox(f, from, to) && mvdir_look(&f->m->disk, from, to, &err) == MVDIR_DONE;
}

/* Whether the folder of that path on disk has the marker with this id. */
static bool is_on_disk(const struct update_facts *f, const char *folder, const char *id)
{
	struct marker marker = { .n = 0 };
	struct arena a = { 0 };
	struct bytes b = { 0 };
	struct err err;
	bool is = false;

	if (file_read(&f->m->disk, arena_printf(&a, "%s/%s", folder, PATH_MARKER_NAME), &b, NULL, &err) == 0) {
		marker_parse(&marker, b.buf, b.len);
		is = !strcmp(marker.id, id);
	}
	marker_release(&marker);
	bytes_release(&b);
	arena_release(&a);
	return is;
}

static bool was_moved(void *ctx, const char *from, const char *to)
{
	struct update_facts *f = ctx;
	const char *id = folder_id(f, true, from);

	return *id && is_on_disk(f, to, id) && !is_on_disk(f, from, id) && same_mailbox(f, from, to);
}

int update_moved(struct member *m, const struct oid *from, const struct oid *to, struct mvfolders *out, struct err *err)
{
	const struct oid *ids[2] = { from, to };
	struct store stores[2] = { { 0 } };
	struct update_facts f = { .m = m, .head = &stores[0], .target = &stores[1] };
	struct tree_set *set = NULL;
	struct changes changes = { 0 };
	int ret = tree_load(stores, ids, 2, &m->repo, &set, NULL, err);

	if (!ret) {
		change_find(&changes, &stores[0], &stores[1]);
		mvfolder_find(out, &changes, &(struct mvfolder_facts){ &f, folder_id, was_moved });
	}
	changes_release(&changes);
	arena_release(&f.ids);
	store_release(&stores[0]);
	store_release(&stores[1]);
	if (set)
		tree_release(set);
	return ret;
}

/* The plan: from what is recorded, or from what that becomes when folders are renamed. What u->moves refers to outlives it. */
static void make_plan(struct update *u)
{
	struct plan_facts facts = { u->facts, target_mtime, target_uid };
	const struct changes *c = &u->changes;

	/* The names of folders may go with the stores. */
	u->facts->folder = u->facts->list_folder = NULL;
	changes_release(&u->rest);
	store_release(&u->moved);
	plan_release(&u->plan);
	if (u->moves.n) {
		mvfolder_store(&u->moved, u->changes.from, &u->moves);
		change_find(&u->rest, &u->moved, u->changes.to);
		c = &u->rest;
	}
	u->facts->head = c->from;
	plan_build(&u->plan, c, &facts);
}

/* Without the renames that are not done: these folders are built anew under their new names, and the old ones removed. */
static void plan_without_moves(struct update *u)
{
	u->moves.n = u->applied.moved;
	make_plan(u);
}

int update_prepare(struct update *u, struct member *m, const struct converge *c, struct objects_batch *batch, struct err *err)
{
	int ret;

	u->m = m;
	if (batch && (ret = objects_flush(batch, err)) < 0)
		return ret;
	u->facts = mem_zalloc(sizeof(*u->facts));
	u->facts->m = m;
	u->facts->head = c->head;
	u->facts->target = c->target;
	change_find(&u->changes, c->head, c->target);
	mvfolder_find(&u->moves, &u->changes, &(struct mvfolder_facts){ u->facts, folder_id, can_move });
	make_plan(u);
	plan_move_folders(&u->plan, &u->moves);
	return 0;
}

void update_print(const struct update *u)
{
	struct bytes line = { 0 };

	for (size_t i = 0; i < u->plan.n; i++) {
		bytes_clear(&line);
		plan_show(&u->plan.v[i], &line);
		printf("%.*s\n", (int)line.len, line.buf);
	}
	bytes_release(&line);
}

int update_tree(struct update *u, struct index *ix, struct objects_batch *batch, struct oid *tree, struct err *err)
{
	struct edits *e = &u->tree_edits;

	/*
	 * What does not belong into a store (somebody committed it by hand) is dropped, because members must come to the
	 * same tree whichever of them had it.
	 */
	for (size_t i = 0; i < ix->n; i++) {
		struct path p;

		path_parse(&p, ix->v[i].path, ix->v[i].len);
		if (p.class == PATH_IGNORED)
			edits_remove(e, ix->v[i].path, ix->v[i].len);
	}
	edits_from_changes(e, &u->changes, NULL);
	index_edit(ix, e->v, e->n);
	return index_write_tree(ix, batch, tree, err);
}

static void hash_blob(void *ctx, const void *buf, size_t len, struct oid *out)
{
	(void)ctx;
	objects_hash(OBJECTS_BLOB, buf, len, out);
}

struct apply_ctx {
	struct member *m;
	struct update_facts *facts;
	const struct store *target;
	const struct index *ix;
	struct progress progress;
};

static int name_cmp(const void *name, const void *msg)
{
	return strcmp(name, ((const struct msg *)msg)->name);
}

/* A directory that the target store leaves out is the same as in what is recorded. */
static bool ctx_wanted(void *ctx, const char *folder, enum name_sub sub, const char *name)
{
	const struct apply_ctx *a = ctx;
	const struct folder *f = store_find_folder(a->target, folder);
	struct arena arena = { 0 };
	const char *path;
	bool found;

	if (f && f->sub[sub].n)
		return bsearch(name, f->sub[sub].v, f->sub[sub].n, sizeof(struct msg), name_cmp) != NULL;
	path = compare_path(&arena, folder, sub, name);
	found = index_find(a->ix, path, strlen(path)) >= 0;
	arena_release(&arena);
	return found;
}

static int ctx_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	return objects_read(&((struct apply_ctx *)ctx)->m->repo, oid, OBJECTS_BLOB, out, err);
}

static int ctx_imap(void *ctx, const char *folder, enum path_class class, bool before, struct bytes *out, struct err *err)
{
	struct update_facts *f = ((struct apply_ctx *)ctx)->facts;

	return folder_file(f, before ? f->head : f->target, folder, class == PATH_UIDLIST ? UIDLIST_NAME : KEYWORDS_NAME, out, err);
}

static void ctx_note(void *ctx, const char *folder, const char *what)
{
	char name[256];

	(void)ctx;
	exit_warn("folder '%s' %s", path_show(name, sizeof(name), folder), what);
}

static void ctx_progress(void *ctx, size_t done, size_t total)
{
	progress_step(&((struct apply_ctx *)ctx)->progress, done, total);
}

/* Gives the messages of a key in one directory, as the index has them, the date that they are to have. */
static int redate_dir(struct update *u, const struct index *ix, const char *dir, const char *key, int64_t want, struct err *err)
{
	size_t lo, hi, end, prefix = strlen(dir) + 1, keylen = strlen(key);
	int ret = 0;

	index_range(ix, dir, &lo, &hi);
	end = hi;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(ix->v[mid].path + prefix, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* "key" comes before "key:2,", and "key,S=1" may be between. */
	for (; lo < end && !strncmp(ix->v[lo].path + prefix, key, keylen) && !ret; lo++)
		if (!ix->v[lo].path[prefix + keylen] || ix->v[lo].path[prefix + keylen] == ':')
			ret = file_set_date(&u->m->disk, ix->v[lo].path, want, err);
	return ret;
}

static int redate_key(struct update *u, const struct index *ix, const char *folder, const char *key, size_t keylen, struct err *err)
{
	int64_t want = target_mtime(u->facts, folder, key, keylen);
	struct arena a = { 0 };
	int ret = 0;

	for (unsigned sub = NAME_NEW; sub <= NAME_CUR && want >= 0 && !ret; sub++) {
		char *dir = compare_path(&a, folder, sub, "");

		dir[strlen(dir) - 1] = '\0';
		ret = redate_dir(u, ix, dir, arena_strn(&a, key, keylen), want, err);
	}
	arena_release(&a);
	return ret;
}

static int redate_one(struct update *u, const struct change *c, struct err *err)
{
	int64_t want = target_mtime(u->facts, c->to_folder, c->to->name, c->to->keylen);
	struct arena a = { 0 };
	int ret = 0;

	if (want >= 0)
		ret = file_set_date(&u->m->disk, compare_path(&a, c->to_folder, c->to->sub, c->to->name), want, err);
	arena_release(&a);
	return ret;
}

/* Messages whose line in this marker came, went or changed. */
static int redate_folder(struct update *u, const struct index *ix, const struct change *c, struct err *err)
{
	struct marker before = { .n = 0 }, after = { .n = 0 };
	struct bytes b = { 0 };
	int ret = objects_read(&u->m->repo, &c->ffrom->oid, OBJECTS_BLOB, &b, err);

	if (!ret) {
		marker_parse(&before, b.buf, b.len);
		bytes_clear(&b);
		ret = objects_read(&u->m->repo, &c->fto->oid, OBJECTS_BLOB, &b, err);
	}
	if (!ret)
		marker_parse(&after, b.buf, b.len);
	for (int way = 0; way < 2 && !ret; way++) {
		const struct marker *m = way ? &after : &before, *other = way ? &before : &after;

		for (size_t i = 0; i < m->n && !ret; i++)
			if (marker_mtime(other, m->v[i].key, m->v[i].keylen) != m->v[i].mtime)
				ret = redate_key(u, ix, c->folder, m->v[i].key, m->v[i].keylen, err);
	}
	marker_release(&before);
	marker_release(&after);
	bytes_release(&b);
	return ret;
}

/*
 * A message that was renamed to another key, or of which only the date changed, is the same file, which still has the date that was
 * right before. After a kill in between the next record takes that for its date.
 */
static int redate(struct update *u, const struct index *ix, struct err *err)
{
	const struct changes *todo = u->moves.n ? &u->rest : &u->changes;
	int ret = 0;

	for (size_t i = 0; i < todo->n && !ret; i++) {
		const struct change *c = &todo->v[i];

		if (c->kind == CHANGE_FILE_PUT && c->ffrom && c->fto && c->fto->class == PATH_MARKER)
			ret = redate_folder(u, ix, c, err);
		else if ((c->kind == CHANGE_RENAME || c->kind == CHANGE_MOVE) &&
			 (c->from->keylen != c->to->keylen || memcmp(c->from->name, c->to->name, c->to->keylen) != 0))
			ret = redate_one(u, c, err);
	}
	return ret;
}

int update_apply(struct update *u, const struct index *ix, bool settle, struct err *err)
{
	struct apply_ctx ctx = { .m = u->m, .facts = u->facts, .target = u->facts->target, .ix = ix };
	struct apply_ops ops = { &ctx, ctx_read, hash_blob, ctx_wanted, ctx_imap, ctx_note, ctx_progress };
	struct apply_opts opts = { .flag_beats_delete = u->m->repo.flag_beats_delete, .settle = settle };
	int ret;

	wake_later(u->m, &u->plan);
	progress_start(&ctx.progress, "Writing messages");
	ret = apply_plan(&u->m->disk, &u->plan, &ops, &opts, &u->applied, err);
	/* A plan of which something is done is brought to its end where that can be: see apply.c. */
	if (ret == ERR_AGAIN && u->applied.moved < u->moves.n && (settle || u->applied.done || u->applied.unmoved)) {
		opts.settle |= u->applied.done > 0;
		plan_without_moves(u);
		ret = apply_plan(&u->m->disk, &u->plan, &ops, &opts, &u->applied, err);
	}
	progress_end(&ctx.progress);
	return ret < 0 ? ret : redate(u, ix, err);
}

int update_index(struct update *u, struct index *ix, struct err *err)
{
	struct edits *e = &u->index_edits;

	/*
	 * Where somebody else changed the disk meanwhile, a file under a name of ours may not be ours. Then nothing is
	 * claimed to be known of any, and the next record looks at them.
	 */
	edits_from_changes(e, &u->changes, u->applied.differs ? NULL : &u->m->disk);
	/* A mail server goes on with the lists, which it writes in place: what they look like now says nothing about what was written. */
	for (size_t i = 0; i < e->n; i++) {
		struct path p;

		path_parse(&p, e->v[i].path, e->v[i].len);
		if (p.class == PATH_UIDLIST || p.class == PATH_KEYWORDS)
			memset(&e->v[i].st, 0, sizeof(e->v[i].st));
	}
	index_edit(ix, e->v, e->n);
	return index_save(ix, &u->m->repo, err);
}

bool update_touched(void *ctx, const char *folder, enum name_sub sub)
{
	const struct update *u = ctx;

	(void)sub;
	for (size_t i = 0; i < u->changes.n; i++)
		if (!strcmp(u->changes.v[i].folder, folder) || !strcmp(u->changes.v[i].to_folder, folder))
			return true;
	return false;
}

void update_release(struct update *u)
{
	changes_release(&u->changes);
	changes_release(&u->rest);
	store_release(&u->moved);
	mvfolders_release(&u->moves);
	plan_release(&u->plan);
	edits_release(&u->tree_edits);
	edits_release(&u->index_edits);
	if (u->facts) {
		marker_release(&u->facts->marker);
		uidlist_release(&u->facts->list);
		bytes_release(&u->facts->list_text);
		arena_release(&u->facts->ids);
		free(u->facts);
	}
	memset(u, 0, sizeof(*u));
}
