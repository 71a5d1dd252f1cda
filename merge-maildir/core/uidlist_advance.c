/*
 * uidlist_advance.c -- brings the list that a mail server works on to what was merged, whatever it did meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "uidlist.h"

struct advance {
	struct uidlist *out, *live, *before, *target;
	uint32_t bound;
	bool settle;
	bool last;    /* all of target is below the bound */
	bool changed; /* out is no longer what live is */
	bool moved;
	size_t at_live, at_before;
	struct uidlist_line *late; /* to be given fresh UIDs */
	size_t nlate, latecap;
};

static bool same_fields(const struct uidlist_line *a, const struct uidlist_line *b)
{
	return a->extlen == b->extlen && uidlist_cmp_keys(a->ext, a->extlen, b->ext, b->extlen) == 0;
}

static void set_fields(struct advance *s, const struct uidlist_line *live, const struct uidlist_line *from)
{
	struct uidlist_line *line = &s->out->v[live - s->live->v];

	if (same_fields(line, from))
		return;
	line->ext = from->ext;
	line->extlen = from->extlen;
	s->changed = true;
}

/* The lines of live are the first ones of out, in the same places, until the end. */
static void drop(struct advance *s, const struct uidlist_line *live)
{
	if (!live)
		return;
	s->out->v[live - s->live->v].uid = 0;
	s->changed = true;
}

static void add(struct advance *s, const struct uidlist_line *line)
{
	uidlist_append(s->out, line);
	s->out->next = line->uid + 1;
	s->changed = true;
}

/* A message that target gives another UID than before had. line: that UID, and the fields that it is to have. */
static void give(struct advance *s, const struct uidlist_line *live, const struct uidlist_line *line)
{
	if (live && live->uid == line->uid) {
		set_fields(s, live, line);
	} else if (line->uid >= s->live->next) {
		drop(s, live);
		add(s, line);
	} else if (!s->settle) {
		s->moved = true;
	} else if (live && live->uid >= s->target->next) {
		/* Given here after all that target knows of: as good as a fresh one, and often it was one. */
		set_fields(s, live, line);
	} else if (s->last) {
		drop(s, live);
		MEM_GROW(s->late, s->nlate, s->latecap);
		s->late[s->nlate++] = *line;
	}
}

static void advance_message(struct advance *s, const struct uidlist_line *target)
{
	const struct uidlist_line *live = uidlist_partner(s->live, &s->at_live, target);
	const struct uidlist_line *before = uidlist_partner(s->before, &s->at_before, target);
	bool refielded = before ? !same_fields(before, target) : target->extlen > 0;
	struct uidlist_line line = *target;

	if (live && !refielded) {
		line.ext = live->ext;
		line.extlen = live->extlen;
	}
	/* Or live is still being made anew, and the steps before this one did not come so far. */
	if (!before || before->uid != target->uid || s->before->validity != s->target->validity ||
	    (!live && target->uid >= s->live->next))
		give(s, live, &line);
	else if (live)
		set_fields(s, live, &line);
}

static void advance_header(struct advance *s)
{
	const char *old = s->before->extra ? s->before->extra : "", *extra = s->target->extra ? s->target->extra : "";
	const char *now = s->live->extra ? s->live->extra : "";

	if (s->target->guid[0] && strcmp(s->target->guid, s->before->guid) != 0 &&
	    strcmp(s->target->guid, s->live->guid) != 0) {
		memcpy(s->out->guid, s->target->guid, sizeof(s->out->guid));
		s->changed = true;
	}
	if (strcmp(extra, old) != 0 && strcmp(extra, now) != 0) {
		s->out->extra = s->target->extra;
		s->changed = true;
	}
}

static void copy_header(struct uidlist *out, const struct uidlist *from)
{
	out->known = true;
	out->validity = from->validity;
	out->next = from->next;
	out->extra = from->extra;
	memcpy(out->guid, from->guid, sizeof(out->guid));
}

static void copy_lines(struct uidlist *out, const struct uidlist *from, size_t n)
{
	out->n = out->cap = n;
	if (!n)
		return;
	out->v = mem_alloc(n * sizeof(*out->v));
	memcpy(out->v, from->v, n * sizeof(*out->v));
}

static enum uidlist_advance take_over(struct uidlist *out, const struct uidlist *target, uint32_t bound)
{
	size_t n = 0;

	while (n < target->n && target->v[n].uid < bound)
		n++;
	copy_header(out, target);
	copy_lines(out, target, n);
	if (bound < target->next)
		out->next = n ? target->v[n - 1].uid + 1 : 1;
	return UIDLIST_CHANGED;
}

/* Returns whether there was anything to give. */
static bool give_late(struct advance *s)
{
	size_t i;

	for (i = 0; i < s->nlate && s->out->next <= UIDLIST_MOST; i++) {
		s->late[i].uid = s->out->next;
		add(s, &s->late[i]);
	}
	return i > 0;
}

static void drop_marked(struct uidlist *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (l->v[i].uid)
			l->v[n++] = l->v[i];
	l->n = n;
}

static bool go(struct advance *s)
{
	const struct uidlist *target = s->target;
	bool settled;
	size_t i;

	copy_header(s->out, s->live);
	copy_lines(s->out, s->live, s->live->n);
	advance_header(s);
	for (i = 0; i < target->n && target->v[i].uid < s->bound && !s->moved; i++)
		advance_message(s, &target->v[i]);
	if (s->last && s->out->next < target->next) {
		s->out->next = target->next;
		s->changed = true;
	}
	settled = give_late(s);
	drop_marked(s->out);
	free(s->late);
	return settled;
}

enum uidlist_advance uidlist_advance(struct uidlist *out, struct uidlist *live, struct uidlist *before,
				     struct uidlist *target, uint32_t bound, bool settle, bool *settled)
{
	struct advance s = { .out = out, .live = live, .before = before, .target = target, .bound = bound, .settle = settle };
	bool fresh = false;

	if (settled)
		*settled = false;
	if (!target->known || live->trouble & UIDLIST_FOREIGN)
		return UIDLIST_SAME;
	if (!live->known || target->validity > live->validity)
		return take_over(out, target, bound);
	if (target->validity < live->validity)
		return settle ? UIDLIST_SAME : UIDLIST_MOVED;
	s.last = bound >= target->next;
	fresh = go(&s);
	if (s.moved || !s.changed) {
		uidlist_release(out);
		return s.moved ? UIDLIST_MOVED : UIDLIST_SAME;
	}
	if (settled)
		*settled = fresh;
	return UIDLIST_CHANGED;
}
