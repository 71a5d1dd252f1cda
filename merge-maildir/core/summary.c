/*
 * summary.c -- a list of changes as a commit message.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "path.h"
#include "summary.h"
#include "tally.h"

#define SUBJECT_LONGEST 72
#define NAME_IN_SUBJECT 40
#define AND_MORE ", and more"

/* Lines, or the parts of one. */
struct phrases {
	const char **v;
	size_t n, cap;
};

struct diary {
	const struct changes *changes;
	struct tallies folders;
	struct phrases lines;
	struct arena arena;
};

static void say(struct phrases *p, const char *phrase)
{
	MEM_GROW(p->v, p->n, p->cap);
	p->v[p->n++] = phrase;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* show: a folder's name for people. */
static const char *show(struct diary *d, const char *folder)
{
	size_t size = strlen(folder) + sizeof("INBOX");

	return path_show(arena_alloc(&d->arena, size), size, folder);
}

/* join: the parts with separators, in the arena. */
static const char *join(struct diary *d, const char *head, const struct phrases *p, const char *separator)
{
	struct bytes out = { 0 };
	const char *copy;

	bytes_addstr(&out, head);
	for (size_t i = 0; i < p->n; i++) {
		bytes_addstr(&out, i > 0 ? separator : "");
		bytes_addstr(&out, p->v[i]);
	}
	copy = arena_strn(&d->arena, out.buf, out.len);
	bytes_release(&out);
	return copy;
}

static void say_counts(struct diary *d, struct phrases *p, const size_t *count, int first, int last)
{
	for (int w = first; w <= last; w++)
		if (count[w] == 1 && w == TALLY_KEYWORDS)
			say(p, "1 keyword changed");
		else if (count[w] > 0)
			say(p, arena_printf(&d->arena, "%zu %s", count[w], tally_words[w]));
}

/* say_folder: the lines of one folder; *m is the first of its moves. */
static void say_folder(struct diary *d, const struct tally *t, size_t *m)
{
	const struct tallies *all = &d->folders;
	struct phrases p = { 0 };
	const char *name = show(d, t->folder);
	size_t n = t->count[TALLY_DELETED];

	if (t->became)
		say(&d->lines, arena_printf(&d->arena, "%s renamed to %s", name, show(d, t->became->folder)));
	if (t->created && !t->was_other)
		say(&p, "folder created");
	say_counts(d, &p, t->count, TALLY_DELIVERED, TALLY_CHANGED);
	for (; *m < all->nmoves && all->moves[*m].from == t; ++*m)
		say(&p, arena_printf(&d->arena, "%zu moved to %s", all->moves[*m].n,
				     show(d, all->moves[*m].to->folder)));
	if (!t->deleted)
		say_counts(d, &p, t->count, TALLY_DELETED, TALLY_DELETED);
	else if (n > 0)
		say(&p, arena_printf(&d->arena, "folder deleted with %zu message%s", n, plural(n)));
	else if (!t->became)
		say(&p, "folder deleted");
	if (p.n > 0)
		say(&d->lines, join(d, arena_printf(&d->arena, "%s: ", name), &p, ", "));
	free(p.v);
}

/* file_change: the file that a change is about, or NULL if it is about none that is spoken of. */
static const struct file *file_change(const struct change *c)
{
	const struct file *f = c->fto ? c->fto : c->ffrom;

	if (c->kind != CHANGE_FILE_PUT && c->kind != CHANGE_FILE_GONE)
		return NULL;
	return path_is_quiet(f->class) ? NULL : f;
}

/* The words before the name keep path_show() from taking a dot in front for that of a folder. */
static const char *show_file(struct diary *d, const struct file *f)
{
	return show(d, arena_printf(&d->arena, "file %s", f->path));
}

static void say_files(struct diary *d)
{
	for (size_t i = 0; i < d->changes->n; i++) {
		const struct change *c = &d->changes->v[i];
		const struct file *f = file_change(c);
		const char *verb = c->kind == CHANGE_FILE_GONE ? "deleted" : c->ffrom ? "changed" : "added";

		if (f && f->class == PATH_SUBSCRIPTIONS)
			say(&d->lines, "subscriptions changed");
		else if (f)
			say(&d->lines, arena_printf(&d->arena, "%s %s", show_file(d, f), verb));
	}
}

/*
 * is_first: whether this is a store's first record: nothing was there, and now there is what only a first
 * record brings. Looking at what was there alone will not do, because a store may be partial.
 */
static bool is_first(const struct changes *c)
{
	if (c->from->nfolders > 0 || c->from->nfiles > 0)
		return false;
	for (size_t i = 0; i < c->n; i++) {
		const struct change *ch = &c->v[i];

		if (ch->kind == CHANGE_FOLDER_ADD && *ch->folder == '\0')
			return true;
		if (ch->kind == CHANGE_FILE_PUT && strcmp(ch->fto->path, ".gitattributes") == 0)
			return true;
	}
	return false;
}

static void say_first(const struct tallies *t, struct bytes *out)
{
	size_t messages = 0, folders = 0;

	for (size_t i = 0; i < t->n; i++) {
		size_t n = t->v[i].count[TALLY_DELIVERED] + t->v[i].count[TALLY_ADDED];

		messages += n;
		folders += n > 0 || t->v[i].created;
	}
	bytes_addf(out, "First record: %zu message%s in %zu folder%s", messages, plural(messages), folders,
		   plural(folders));
}

/* A subject that does not name each folder. */
struct sum {
	const char *head;
	struct phrases p;
	size_t nmessages; /* the first so many are about messages, the rest about folders and files */
};

static void sum_messages(struct diary *d, struct sum *s)
{
	size_t count[TALLY_WORDS] = { 0 }, busy = 0;
	const struct tally *last = NULL;
	char name[NAME_IN_SUBJECT + 1];

	for (const struct tally *t = d->folders.v; t < d->folders.v + d->folders.n; t++) {
		size_t all = 0;

		for (int w = 0; w < TALLY_WORDS; w++) {
			count[w] += t->count[w];
			all += t->count[w];
		}
		if (all > 0) {
			busy++;
			last = t;
		}
	}
	s->head = "";
	if (busy == 1)
		s->head = arena_printf(&d->arena, "%s: ", path_show(name, sizeof(name), last->folder));
	else if (busy > 1)
		s->head = arena_printf(&d->arena, "%zu folders: ", busy);
	say_counts(d, &s->p, count, TALLY_DELIVERED, TALLY_DELETED);
	s->nmessages = s->p.n;
}

static void say_number(struct diary *d, struct sum *s, size_t n, const char *thing, const char *happened)
{
	if (n > 0)
		say(&s->p, arena_printf(&d->arena, "%zu %s%s %s", n, thing, plural(n), happened));
}

static void sum_folders_and_files(struct diary *d, struct sum *s)
{
	size_t created = 0, deleted = 0, renamed = 0, files = 0;

	for (const struct tally *t = d->folders.v; t < d->folders.v + d->folders.n; t++) {
		created += t->created && !t->was_other;
		deleted += t->deleted && !t->became;
		renamed += t->became != NULL;
	}
	for (size_t i = 0; i < d->changes->n; i++)
		files += file_change(&d->changes->v[i]) != NULL;
	say_number(d, s, created, "folder", "created");
	say_number(d, s, renamed, "folder", "renamed");
	say_number(d, s, deleted, "folder", "deleted");
	say_number(d, s, files, "file", "changed");
}

/* say_sum: as many of the parts as a subject has room for. */
static void say_sum(struct diary *d, struct bytes *out)
{
	struct sum s = { 0 };
	size_t start = out->len, i;

	sum_messages(d, &s);
	sum_folders_and_files(d, &s);
	bytes_addstr(out, s.head);
	for (i = 0; i < s.p.n; i++) {
		size_t more = i + 1 < s.p.n ? strlen(AND_MORE) : 0;

		if (i > 0 && out->len - start + 2 + strlen(s.p.v[i]) + more > SUBJECT_LONGEST)
			break;
		bytes_addstr(out, i == 0 ? "" : i == s.nmessages ? "; " : ", ");
		bytes_addstr(out, s.p.v[i]);
	}
	if (i < s.p.n)
		bytes_addstr(out, AND_MORE);
	free(s.p.v);
}

/* Whether a marker that was there was written again: dates of messages are all that can have changed in it. */
static bool dates_changed(const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == CHANGE_FILE_PUT && c->v[i].ffrom && c->v[i].ffrom->class == PATH_MARKER)
			return true;
	return false;
}

static bool imap_changed(const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].kind == CHANGE_FILE_PUT && path_is_quiet(c->v[i].fto->class) && c->v[i].fto->class != PATH_MARKER)
			return true;
	return false;
}

static void say_lines(struct diary *d, struct bytes *out)
{
	const char *all;

	for (size_t i = 0, m = 0; i < d->folders.n; i++)
		say_folder(d, &d->folders.v[i], &m);
	say_files(d);
	if (d->lines.n == 0) {
		bytes_addstr(out, dates_changed(d->changes)  ? "Dates of messages changed"
				  : imap_changed(d->changes) ? SUMMARY_IMAP
							     : "No change in mail");
		return;
	}
	all = join(d, "", &d->lines, "; ");
	if (strlen(all) <= SUBJECT_LONGEST) {
		bytes_addstr(out, all);
		return;
	}
	say_sum(d, out);
	bytes_addstr(out, "\n\n");
	for (size_t i = 0; i < d->lines.n; i++)
		bytes_addf(out, "%s\n", d->lines.v[i]);
}

void summary_of(const struct changes *c, struct bytes *out)
{
	struct diary d = { .changes = c };

	tally_changes(&d.folders, c);
	if (is_first(c))
		say_first(&d.folders, out);
	else
		say_lines(&d, out);
	free(d.lines.v);
	tally_release(&d.folders);
	arena_release(&d.arena);
}
