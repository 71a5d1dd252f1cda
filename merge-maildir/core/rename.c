/*
 * rename.c -- which folders a side of a merge renamed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rename.h"

#include <stdlib.h>
#include <string.h>

#define MANY (TRIO_NONE - 1)

/* A folder that is new on a side, by the id in its marker. */
struct new_id {
	char id[MARKER_ID_HEX + 1];
	uint32_t folder;
};

struct new_ids {
	struct new_id *v;
	size_t n, cap;
};

static int cmp_id(const void *a, const void *b)
{
	const struct new_id *x = a, *y = b;
	int d = strcmp(x->id, y->id);

	return d ? d : (x->folder > y->folder) - (x->folder < y->folder);
}

static bool is_gone(const struct trios *t, size_t f, enum side side)
{
	return t->v[f].path[0] && trio_has(&t->v[f], SIDE_BASE) && !trio_has(&t->v[f], side);
}

static bool is_new(const struct trios *t, size_t f, enum side side)
{
	return trio_has(&t->v[f], side) && !trio_has(&t->v[f], SIDE_BASE);
}

static int list_new(struct trios *t, enum side side, struct new_ids *ids, struct err *err)
{
	const struct marker *m;
	int r;

	for (size_t f = 0; f < t->n; f++) {
		if (!is_new(t, f, side) || !t->v[f].file[side][TRIO_MARKER])
			continue;
		r = trio_marker(t, side, (uint32_t)f, &m, err);
		if (r)
			return r;
		if (!m->id[0])
			continue;
		MEM_GROW(ids->v, ids->n, ids->cap);
		memcpy(ids->v[ids->n].id, m->id, sizeof(m->id));
		ids->v[ids->n++].folder = (uint32_t)f;
	}
	if (ids->n)
		qsort(ids->v, ids->n, sizeof(*ids->v), cmp_id);
	return 0;
}

/* The first folder with this id: of a folder that was copied with its marker there are two. */
static uint32_t find_id(const struct new_ids *ids, const char *id)
{
	size_t lo = 0, hi = ids->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(ids->v[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ids->n && !strcmp(ids->v[lo].id, id) ? ids->v[lo].folder : TRIO_NONE;
}

/* For each folder where its messages went on this side: one folder, MANY, or TRIO_NONE. */
static uint32_t *list_moves(const struct trios *t, const struct origins *o, enum side side)
{
	uint32_t *to = mem_alloc(t->n * sizeof(*to));

	for (size_t f = 0; f < t->n; f++)
		to[f] = TRIO_NONE;
	for (size_t i = 0; i < o->n; i++) {
		const struct inst *from = &o->v[i].at[SIDE_BASE], *now = &o->v[i].at[side];

		if (!from->msg || !now->msg || from->home == now->home)
			continue;
		if (to[from->home] == TRIO_NONE)
			to[from->home] = now->home;
		else if (to[from->home] != now->home)
			to[from->home] = MANY;
	}
	return to;
}

static int find_target(struct trios *t, size_t f, enum side side, const struct new_ids *ids, const uint32_t *moves,
		       struct err *err)
{
	const struct marker *m;
	uint32_t to = TRIO_NONE;
	int r;

	if (ids->n && t->v[f].file[SIDE_BASE][TRIO_MARKER]) {
		r = trio_marker(t, SIDE_BASE, (uint32_t)f, &m, err);
		if (r)
			return r;
		if (m->id[0])
			to = find_id(ids, m->id);
	}
	/* The marker says more than the messages do: it decides whose id and dates the new folder goes on with. */
	if (to != TRIO_NONE && f < t->v[to].renamed_from)
		t->v[to].renamed_from = (uint32_t)f;
	if (to == TRIO_NONE && moves[f] != TRIO_NONE && moves[f] != MANY && is_new(t, moves[f], side))
		to = moves[f];
	t->v[f].renamed_to[side] = to;
	return 0;
}

static int find_side(struct trios *t, const struct origins *o, enum side side, struct err *err)
{
	struct new_ids ids = { 0 };
	uint32_t *moves = NULL;
	bool any = false;
	int r = 0;

	for (size_t f = 0; f < t->n && !any; f++)
		any = is_gone(t, f, side);
	if (!any)
		return 0;
	r = list_new(t, side, &ids, err);
	moves = list_moves(t, o, side);
	for (size_t f = 0; f < t->n && !r; f++)
		if (is_gone(t, f, side))
			r = find_target(t, f, side, &ids, moves, err);
	free(ids.v);
	free(moves);
	return r;
}

int rename_find(struct trios *t, const struct origins *o, struct err *err)
{
	int r = find_side(t, o, SIDE_A, err);

	if (!r)
		r = find_side(t, o, SIDE_B, err);
	for (size_t f = 0; f < t->n && !r; f++) {
		uint32_t a = t->v[f].renamed_to[SIDE_A], b = t->v[f].renamed_to[SIDE_B];

		if (a != TRIO_NONE && b != TRIO_NONE && a != b) {
			t->v[f].renamed_to[SIDE_A] = t->v[f].renamed_to[SIDE_B] = TRIO_NONE;
			continue;
		}
		if (a == TRIO_NONE)
			a = b;
		if (a != TRIO_NONE && t->v[a].renamed_from == TRIO_NONE)
			t->v[a].renamed_from = (uint32_t)f;
	}
	return r;
}
