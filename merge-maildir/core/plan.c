/*
 * plan.c -- from what changed to what to do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

struct builder {
	struct plan *plan;
	const struct changes *changes;
	const struct plan_facts *facts;
	const char *received; /* the folder that the last message went to */
	struct bytes path;
};

static struct plan_step *add_step(struct plan *p, enum plan_kind kind, const char *folder)
{
	MEM_GROW(p->v, p->n, p->cap);
	p->v[p->n] = (struct plan_step){ .kind = kind, .folder = folder, .mtime = -1 };
	return &p->v[p->n++];
}

static void set_target(struct plan_step *s, const struct msg *m)
{
	s->sub = m->sub;
	s->name = m->name;
	s->oid = m->oid;
}

static void set_source(struct plan_step *s, const struct msg *m)
{
	s->from_sub = m->sub;
	s->from_name = m->name;
	s->from_oid = m->oid;
}

/* What a message under a key that is new to the folder is to have. */
static void set_facts(struct plan_step *s, const struct builder *b, const struct msg *m)
{
	const struct plan_facts *f = b->facts;

	if (!f)
		return;
	s->mtime = f->mtime(f->ctx, s->folder, m->name, m->keylen);
	if (f->uid)
		s->uid = f->uid(f->ctx, s->folder, m->name, m->keylen);
}

static bool has_messages(const struct store *s, const char *folder)
{
	const struct folder *f = store_find_folder(s, folder);

	return f && (f->sub[NAME_NEW].n > 0 || f->sub[NAME_CUR].n > 0);
}

/*
 * receive: makes sure that the folder of a message is made, when no marker speaks for it: trees that others
 * made have none.
 */
static void receive(struct builder *b, const char *folder)
{
	const struct store *from = b->changes->from;

	if (folder == b->received || *folder == '\0')
		return;
	b->received = folder;
	bytes_clear(&b->path);
	bytes_addf(&b->path, "%s/%s", folder, PATH_MARKER_NAME);
	if (has_messages(from, folder) || store_find_file(from, b->path.buf) ||
	    store_find_file(b->changes->to, b->path.buf))
		return;
	add_step(b->plan, PLAN_MKFOLDER, folder);
}

static void add_message(struct builder *b, const struct change *c)
{
	struct plan_step *s;

	receive(b, c->to_folder);
	s = add_step(b->plan, PLAN_ADD, c->to_folder);
	set_target(s, c->to);
	set_facts(s, b, c->to);
	if (c->kind == CHANGE_MOVE) {
		set_source(s, c->from);
		s->from_folder = c->folder;
	}
}

static void change_message(struct builder *b, const struct change *c)
{
	enum plan_kind kind = c->kind == CHANGE_RENAME ? PLAN_RENAME : PLAN_REPLACE;
	struct plan_step *s = add_step(b->plan, kind, c->folder);

	set_target(s, c->to);
	set_source(s, c->from);
	if (kind == PLAN_REPLACE || c->from->keylen != c->to->keylen || memcmp(c->from->name, c->to->name, c->to->keylen) != 0)
		set_facts(s, b, c->to);
}

/* A copy: the folders of files do not live as long as the plan. */
static const char *keep_folder(struct plan *p, const struct change *c)
{
	return arena_strn(&p->arena, c->folder, strlen(c->folder));
}

static void put_file(struct builder *b, const struct change *c)
{
	struct plan_step *s;

	/* They change with the messages they are about, and a server goes on with them: no content to be put in place. */
	if (c->fto->class == PATH_UIDLIST || c->fto->class == PATH_KEYWORDS) {
		add_step(b->plan, PLAN_IMAP, keep_folder(b->plan, c));
		return;
	}
	s = add_step(b->plan, PLAN_PUT, c->fto->path);
	s->mode = c->fto->mode;
	s->oid = c->fto->oid;
	if (c->ffrom)
		s->from_oid = c->ffrom->oid;
}

static void add_change(struct builder *b, const struct change *c)
{
	struct plan *p = b->plan;

	switch (c->kind) {
	case CHANGE_FOLDER_ADD:
		add_step(p, PLAN_MKFOLDER, keep_folder(p, c));
		break;
	case CHANGE_ADD:
		add_message(b, c);
		break;
	case CHANGE_RENAME:
	case CHANGE_CONTENT:
		change_message(b, c);
		break;
	case CHANGE_MOVE:
		add_message(b, c);
		set_source(add_step(p, PLAN_DELETE, c->folder), c->from);
		break;
	case CHANGE_DELETE:
		set_source(add_step(p, PLAN_DELETE, c->folder), c->from);
		break;
	case CHANGE_FILE_PUT:
		put_file(b, c);
		break;
	case CHANGE_FILE_GONE:
		/* A server goes on with its UIDs and keywords; with the folder they go in any case. */
		if (c->ffrom->class != PATH_UIDLIST && c->ffrom->class != PATH_KEYWORDS)
			add_step(p, PLAN_UNLINK, c->ffrom->path)->from_oid = c->ffrom->oid;
		break;
	case CHANGE_FOLDER_GONE:
		/*
		 * Whatever a tree says, the root is the Maildir itself, and a folder with mail is one even
		 * without its marker.
		 */
		if (*c->folder != '\0' && !has_messages(b->changes->to, c->folder))
			add_step(p, PLAN_RMFOLDER, keep_folder(p, c));
		break;
	}
}

/* What comes together, folder by folder, ranks as one kind. */
static int rank(const struct plan_step *s)
{
	return plan_is_grouped(s->kind) ? PLAN_ADD : s->kind;
}

static int compare_messages(const struct plan_step *a, const struct plan_step *b)
{
	switch (a->kind) {
	case PLAN_ADD:
		if (a->uid != b->uid)
			return a->uid < b->uid ? -1 : 1;
		return a->sub != b->sub ? a->sub - b->sub : strcmp(a->name, b->name);
	case PLAN_RENAME:
	case PLAN_REPLACE:
	case PLAN_DELETE:
		return a->from_sub != b->from_sub ? a->from_sub - b->from_sub : strcmp(a->from_name, b->from_name);
	default:
		return 0;
	}
}

static int compare_steps(const void *va, const void *vb)
{
	const struct plan_step *a = va, *b = vb;
	int c;

	if (rank(a) != rank(b))
		return rank(a) - rank(b);
	c = a->folder == b->folder ? 0 : strcmp(a->folder, b->folder);
	if (a->kind == PLAN_RMFOLDER)
		return -c;
	if (c != 0 || a->kind != b->kind)
		return c != 0 ? c : (int)a->kind - (int)b->kind;
	return compare_messages(a, b);
}

/* What two changes ask for and is to be done once. */
static bool is_said_twice(const struct plan_step *before, const struct plan_step *s)
{
	return (s->kind == PLAN_MKFOLDER || s->kind == PLAN_IMAP) && compare_steps(before, s) == 0;
}

/* sort_steps: with the look beforehand, because a clone of a million messages comes in order. */
static void sort_steps(struct plan *p)
{
	size_t i = 1, n = 0;

	while (i < p->n && compare_steps(&p->v[i - 1], &p->v[i]) <= 0)
		i++;
	if (i < p->n)
		qsort(p->v, p->n, sizeof(*p->v), compare_steps);
	for (i = 0; i < p->n; i++)
		if (n == 0 || !is_said_twice(&p->v[n - 1], &p->v[i]))
			p->v[n++] = p->v[i];
	p->n = n;
}

struct paths {
	const char **v;
	size_t n, cap;
};

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* paths_of: the paths that steps of these two kinds are about, sorted. */
static struct paths paths_of(const struct plan *p, enum plan_kind one, enum plan_kind other)
{
	struct paths out = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].kind != one && p->v[i].kind != other)
			continue;
		MEM_GROW(out.v, out.n, out.cap);
		out.v[out.n++] = p->v[i].folder;
	}
	if (out.n > 0)
		qsort(out.v, out.n, sizeof(*out.v), compare_strings);
	return out;
}

/* has_ending: whether one of the paths begins with path and goes on with the byte end. */
static bool has_ending(const struct paths *paths, const char *path, unsigned char end)
{
	size_t low = 0, high = paths->n, len = strlen(path);

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strncmp(paths->v[mid], path, len);

		if (c == 0)
			c = (unsigned char)paths->v[mid][len] - end;
		if (c == 0)
			return true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return false;
}

static bool at_or_below(const struct paths *paths, const char *path)
{
	return has_ending(paths, path, '\0') || has_ending(paths, path, '/');
}

/*
 * A file's step that cannot be carried out in its turn: -1 when it is to come before all others, 1 when
 * after all.
 */
static int out_of_turn(const struct plan_step *s, const struct paths *made, const struct paths *removed)
{
	if (s->kind == PLAN_UNLINK && at_or_below(made, s->folder))
		return -1;
	return s->kind == PLAN_PUT && at_or_below(removed, s->folder);
}

/* swap_files_and_folders: one path can be a file on one side and a directory on the other. */
static void swap_files_and_folders(struct plan *p)
{
	struct paths made = paths_of(p, PLAN_MKFOLDER, PLAN_PUT);
	struct paths removed = paths_of(p, PLAN_RMFOLDER, PLAN_UNLINK);
	struct plan swapped = { 0 };

	if (made.n > 0 && removed.n > 0) {
		for (int turn = -1; turn <= 1; turn++)
			for (size_t i = 0; i < p->n; i++)
				if (out_of_turn(&p->v[i], &made, &removed) == turn)
					*add_step(&swapped, p->v[i].kind, NULL) = p->v[i];
		free(p->v);
		p->v = swapped.v;
		p->cap = swapped.cap;
	}
	free(made.v);
	free(removed.v);
}

bool plan_is_grouped(enum plan_kind kind)
{
	return kind == PLAN_ADD || kind == PLAN_RENAME || kind == PLAN_REPLACE || kind == PLAN_IMAP;
}

void plan_build(struct plan *out, const struct changes *c, const struct plan_facts *facts)
{
	struct builder b = { .plan = out, .changes = c, .facts = facts };

	*out = (struct plan){ 0 };
	for (size_t i = 0; i < c->n; i++)
		add_change(&b, &c->v[i]);
	sort_steps(out);
	swap_files_and_folders(out);
	bytes_release(&b.path);
}

void plan_move_folders(struct plan *p, const struct mvfolders *m)
{
	struct plan all = { .arena = p->arena };

	if (!m->n)
		return;
	for (size_t i = 0; i < m->n; i++)
		add_step(&all, PLAN_MVFOLDER, m->v[i].to)->from_folder = m->v[i].from;
	for (size_t i = 0; i < p->n; i++)
		*add_step(&all, p->v[i].kind, NULL) = p->v[i];
	free(p->v);
	*p = all;
}

void plan_release(struct plan *p)
{
	free(p->v);
	arena_release(&p->arena);
	*p = (struct plan){ 0 };
}

static void show_bytes(struct bytes *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c > 0x7e || c == '\\')
			bytes_addf(out, "\\x%02x", c);
		else
			bytes_add(out, s, 1);
	}
}

static void show_place(struct bytes *out, const char *folder, unsigned sub, const char *name)
{
	show_bytes(out, folder);
	bytes_addstr(out, *folder ? "/" : "");
	bytes_addstr(out, sub == NAME_CUR ? "cur/" : "new/");
	show_bytes(out, name);
}

static void show_path(struct bytes *out, const char *verb, const char *path)
{
	bytes_addstr(out, verb);
	show_bytes(out, *path ? path : ".");
}

void plan_show(const struct plan_step *s, struct bytes *out)
{
	switch (s->kind) {
	case PLAN_MVFOLDER:
		show_path(out, "rename folder ", s->from_folder);
		show_path(out, " to ", s->folder);
		break;
	case PLAN_MKFOLDER:
		show_path(out, "make folder ", s->folder);
		break;
	case PLAN_ADD:
		bytes_addstr(out, "add ");
		show_place(out, s->folder, s->sub, s->name);
		if (s->from_folder) {
			bytes_addstr(out, " from ");
			show_place(out, s->from_folder, s->from_sub, s->from_name);
		}
		break;
	case PLAN_RENAME:
	case PLAN_REPLACE:
		bytes_addstr(out, s->kind == PLAN_RENAME ? "rename " : "replace ");
		show_place(out, s->folder, s->from_sub, s->from_name);
		if (s->sub != s->from_sub || strcmp(s->name, s->from_name) != 0) {
			bytes_addstr(out, s->kind == PLAN_RENAME ? " to " : " by ");
			show_place(out, "", s->sub, s->name);
		}
		break;
	case PLAN_IMAP:
		show_path(out, "set UIDs and keywords of ", s->folder);
		break;
	case PLAN_DELETE:
		bytes_addstr(out, "delete ");
		show_place(out, s->folder, s->from_sub, s->from_name);
		break;
	case PLAN_PUT:
		show_path(out, "write ", s->folder);
		break;
	case PLAN_UNLINK:
		show_path(out, "remove ", s->folder);
		break;
	case PLAN_RMFOLDER:
		show_path(out, "remove folder ", s->folder);
		break;
	}
}
