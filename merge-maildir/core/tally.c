/*
 * tally.c -- what happened to each folder, counted.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "tally.h"

const char *const tally_words[TALLY_WORDS] = {
	[TALLY_DELIVERED] = "delivered",
	[TALLY_ADDED] = "added",
	[TALLY_SEEN] = "seen",
	[TALLY_UNSEEN] = "unseen",
	[TALLY_ANSWERED] = "answered",
	[TALLY_UNANSWERED] = "unanswered",
	[TALLY_FLAGGED] = "flagged",
	[TALLY_UNFLAGGED] = "no longer flagged",
	[TALLY_DRAFT] = "draft",
	[TALLY_NO_DRAFT] = "no longer draft",
	[TALLY_PASSED] = "passed on",
	[TALLY_NOT_PASSED] = "no longer passed on",
	[TALLY_MARKED] = "marked deleted",
	[TALLY_UNMARKED] = "undeleted",
	[TALLY_KEYWORDS] = "keywords changed",
	[TALLY_OPENED] = "opened",
	[TALLY_RENAMED] = "renamed",
	[TALLY_CHANGED] = "changed",
	[TALLY_MOVED] = "moved",
	[TALLY_DELETED] = "deleted",
};

/* How a flag counts that was set. When it was unset the word after that counts. */
static const struct {
	char letter;
	enum tally_word word;
} flag_words[] = {
	{ 'S', TALLY_SEEN },  { 'R', TALLY_ANSWERED }, { 'F', TALLY_FLAGGED },
	{ 'D', TALLY_DRAFT }, { 'P', TALLY_PASSED },   { 'T', TALLY_MARKED },
};

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names {
	const char **v;
	size_t n, cap;
};

static void add_name(struct names *names, const char *name)
{
	MEM_GROW(names->v, names->n, names->cap);
	names->v[names->n++] = name;
}

/* make_tallies: one for each folder that a change names, all zero. */
static void make_tallies(struct tallies *t, const struct changes *changes)
{
	struct names names = { 0 };

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];

		if (i == 0 || c->folder != c[-1].folder)
			add_name(&names, c->folder);
		if (c->to_folder != c->folder && (i == 0 || c->to_folder != c[-1].to_folder))
			add_name(&names, c->to_folder);
	}
	if (names.n > 0)
		qsort(names.v, names.n, sizeof(*names.v), compare_strings);
	t->v = mem_zalloc((names.n + 1) * sizeof(*t->v));
	for (size_t i = 0; i < names.n; i++)
		if (i == 0 || strcmp(names.v[i - 1], names.v[i]) != 0)
			t->v[t->n++].folder = names.v[i];
	free(names.v);
}

static int compare_with_tally(const void *name, const void *tally)
{
	return strcmp(name, ((const struct tally *)tally)->folder);
}

static struct tally *find(const struct tallies *t, const char *folder)
{
	return bsearch(folder, t->v, t->n, sizeof(*t->v), compare_with_tally);
}

/* count_flags: returns whether there was any difference. */
static bool count_flags(struct tally *t, const struct msg *from, const struct msg *to)
{
	struct name a, b;
	name_flags differ;

	name_parse(&a, from->name, from->len);
	name_parse(&b, to->name, to->len);
	differ = a.flags ^ b.flags;
	if (!differ)
		return false;
	for (size_t i = 0; i < sizeof(flag_words) / sizeof(flag_words[0]); i++) {
		name_flags bit = name_flag(flag_words[i].letter);

		if (differ & bit)
			t->count[flag_words[i].word + (b.flags & bit ? 0 : 1)]++;
		differ &= ~bit;
	}
	if (differ)
		t->count[TALLY_KEYWORDS]++;
	return true;
}

static void count_rename(struct tally *t, const struct change *c)
{
	if (count_flags(t, c->from, c->to))
		return;
	t->count[c->from->sub == NAME_NEW && c->to->sub == NAME_CUR ? TALLY_OPENED : TALLY_RENAMED]++;
}

static void count_change(struct tallies *all, struct tally *t, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_FOLDER_ADD:
		t->created = c->fto;
		break;
	case CHANGE_ADD:
		t->count[c->to->sub == NAME_NEW ? TALLY_DELIVERED : TALLY_ADDED]++;
		break;
	case CHANGE_RENAME:
		count_rename(t, c);
		break;
	case CHANGE_CONTENT:
		t->count[TALLY_CHANGED]++;
		count_flags(t, c->from, c->to);
		break;
	case CHANGE_MOVE:
		MEM_GROW(all->moves, all->nmoves, all->moves_cap);
		all->moves[all->nmoves++] = (struct tally_move){ t, find(all, c->to_folder), 1 };
		count_flags(t, c->from, c->to);
		break;
	case CHANGE_DELETE:
		t->count[TALLY_DELETED]++;
		break;
	case CHANGE_FOLDER_GONE:
		t->deleted = c->ffrom;
		break;
	case CHANGE_FILE_PUT:
	case CHANGE_FILE_GONE:
		break;
	}
}

static void count_changes(struct tallies *t, const struct changes *changes)
{
	struct tally *folder = NULL;

	for (size_t i = 0; i < changes->n; i++) {
		const struct change *c = &changes->v[i];

		if (!folder || c->folder != c[-1].folder)
			folder = find(t, c->folder);
		count_change(t, folder, c);
	}
}

static int compare_moves(const void *va, const void *vb)
{
	const struct tally_move *a = va, *b = vb;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return (a->to > b->to) - (a->to < b->to);
}

/* gather_moves: one entry for each pair of folders, from one for each message. */
static void gather_moves(struct tallies *t)
{
	size_t n = 0;

	if (t->nmoves > 0)
		qsort(t->moves, t->nmoves, sizeof(*t->moves), compare_moves);
	for (size_t i = 0; i < t->nmoves; i++) {
		struct tally_move *m = &t->moves[i];

		if (n > 0 && compare_moves(&t->moves[n - 1], m) == 0) {
			t->moves[n - 1].n++;
			continue;
		}
		m->from->target = m->to;
		m->from->targets++;
		m->to->sources++;
		t->moves[n++] = *m;
	}
	t->nmoves = n;
}

static void rename_folder(struct tally *from, struct tally *to)
{
	from->became = to;
	to->was_other = true;
	for (int w = 0; w < TALLY_WORDS; w++) {
		to->count[w] += from->count[w];
		from->count[w] = 0;
	}
}

/* The marker that makes a folder without moves a partner in a rename. */
static const struct oid *marker_of(const struct tally *t)
{
	return t->created ? &t->created->oid : &t->deleted->oid;
}

static int compare_by_marker(const void *va, const void *vb)
{
	const struct tally *a = *(struct tally *const *)va, *b = *(struct tally *const *)vb;
	int c = oid_cmp(marker_of(a), marker_of(b));

	if (c == 0)
		c = (a->created != NULL) - (b->created != NULL);
	return c ? c : (a > b) - (a < b);
}

static void find_renames(struct tallies *t)
{
	struct tally **still = mem_alloc((t->n + 1) * sizeof(*still));
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct tally *f = &t->v[i];

		if (f->deleted && f->targets == 1 && f->target->created && f->target->sources == 1)
			rename_folder(f, f->target);
		else if ((f->deleted && f->targets == 0) || (f->created && f->sources == 0))
			still[n++] = f;
	}
	qsort(still, n, sizeof(*still), compare_by_marker);
	for (size_t i = 1; i < n; i++)
		if (still[i - 1]->deleted && still[i]->created &&
		    oid_eq(marker_of(still[i - 1]), marker_of(still[i])))
			rename_folder(still[i - 1], still[i]);
	free(still);
}

static void count_moves(struct tallies *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nmoves; i++) {
		struct tally_move *m = &t->moves[i];

		if (m->from->became)
			continue;
		m->from->count[TALLY_MOVED] += m->n;
		t->moves[n++] = *m;
	}
	t->nmoves = n;
}

void tally_changes(struct tallies *t, const struct changes *c)
{
	*t = (struct tallies){ 0 };
	make_tallies(t, c);
	count_changes(t, c);
	gather_moves(t);
	find_renames(t);
	count_moves(t);
}

void tally_release(struct tallies *t)
{
	free(t->v);
	free(t->moves);
	*t = (struct tallies){ 0 };
}
