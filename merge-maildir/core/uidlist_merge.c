/*
 * uidlist_merge.c -- the three-way merge of a folder's UIDs.
 *
 * Why no UID can come to name two messages: one that is new on a side stays only if it is not below the other side's next UID, so the
 * other side never handed it out; and it is below its own side's next UID, so two such can only be of one side. Fresh ones are above both.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "uidlist.h"

struct merging {
	struct uidlist *out, *base, *a, *b;
	const struct uidlist_merge_ops *ops;
	bool same_validity; /* of a and b */
	bool a_wins;	    /* otherwise: a has the larger one */
	bool based;	    /* base has the same one too: its UIDs mean something */
	size_t at_base;

	struct uidlist_line *fresh; /* to be given fresh UIDs, in the order of uid: the one that they had */
	size_t nfresh, freshcap;
	struct uidlist_key *bare; /* messages whose UIDs do not count on either side */
	size_t nbare, barecap;
};

struct text {
	const char *s;
	size_t len;
};

static bool same_text(struct text a, struct text b)
{
	return a.len == b.len && uidlist_cmp_keys(a.s, a.len, b.s, b.len) == 0;
}

static struct text merge_text(struct text base, struct text a, struct text b)
{
	if (same_text(a, base))
		return b;
	if (same_text(b, base))
		return a;
	return uidlist_cmp_keys(a.s, a.len, b.s, b.len) <= 0 ? a : b;
}

static struct text text_of(const char *s)
{
	return (struct text){ s, s ? strlen(s) : 0 };
}

static struct text fields_of(const struct uidlist_line *line)
{
	return line ? (struct text){ line->ext, line->extlen } : (struct text){ NULL, 0 };
}

/* A GUID that is not there is no change: a folder does not lose what it is. */
static const char *merge_guid(const char *base, const char *a, const char *b)
{
	struct text guid;

	if (!*a || !*b)
		return *a ? a : b;
	guid = merge_text(text_of(base), text_of(a), text_of(b));
	return guid.s;
}

static void merge_header(struct merging *m)
{
	const struct uidlist *winner = m->same_validity || m->a_wins ? m->a : m->b;
	const char *guid = winner->guid;
	struct text extra = merge_text(text_of(m->base->extra), text_of(m->a->extra), text_of(m->b->extra));

	m->out->known = true;
	m->out->validity = winner->validity;
	m->out->next = winner->next;
	m->out->extra = extra.s;
	if (m->same_validity) {
		guid = merge_guid(m->base->guid, m->a->guid, m->b->guid);
		if (m->out->next < m->b->next)
			m->out->next = m->b->next;
	}
	memcpy(m->out->guid, guid, sizeof(m->out->guid));
}

/* The UID that a message keeps, or 0. Each is 0 where there is none that counts. */
static uint32_t kept_uid(const struct merging *m, uint32_t base, uint32_t a, uint32_t b)
{
	if (!m->same_validity)
		return m->a_wins ? a : b;
	if (a == b)
		return a;
	if (a == base || a < m->b->next)
		a = 0;
	if (b == base || b < m->a->next)
		b = 0;
	return a > b ? a : b;
}

static uint32_t uid_of(const struct uidlist_line *line)
{
	return line ? line->uid : 0;
}

static void add_fresh(struct merging *m, const struct uidlist_line *line)
{
	MEM_GROW(m->fresh, m->nfresh, m->freshcap);
	m->fresh[m->nfresh++] = *line;
}

static void add_bare(struct merging *m, const struct uidlist_line *line)
{
	MEM_GROW(m->bare, m->nbare, m->barecap);
	m->bare[m->nbare++] = (struct uidlist_key){ line->key, line->keylen };
}

/* A message that a side has a line for: one of a and b can be NULL. */
static void merge_message(struct merging *m, const struct uidlist_line *a, const struct uidlist_line *b)
{
	struct uidlist_line line = a ? *a : *b;
	const struct uidlist_line *base = uidlist_partner(m->base, &m->at_base, &line);
	unsigned status = m->ops->status(m->ops->ctx, line.key, line.keylen);
	struct text fields;
	uint32_t uid, had;

	if (status & UIDLIST_GONE)
		return;
	base = status & UIDLIST_BASE ? base : NULL;
	a = status & UIDLIST_A ? a : NULL;
	b = status & UIDLIST_B ? b : NULL;
	if (a && b)
		fields = merge_text(fields_of(base), fields_of(a), fields_of(b));
	else
		fields = fields_of(a ? a : b);
	line.ext = fields.s;
	line.extlen = (uint16_t)fields.len;
	uid = kept_uid(m, m->based ? uid_of(base) : 0, uid_of(a), uid_of(b));
	had = uid_of(a) > uid_of(b) ? uid_of(a) : uid_of(b);
	line.uid = uid ? uid : had;
	if (uid)
		uidlist_append(m->out, &line);
	else if (had)
		add_fresh(m, &line);
	else
		add_bare(m, &line);
}

/* Each message once, whichever of the two lists has it. */
static void merge_messages(struct merging *m)
{
	const struct uidlist *a = m->a, *b = m->b;
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		const struct uidlist_line *x = i < a->n ? &a->v[i] : NULL, *y = j < b->n ? &b->v[j] : NULL;

		if (x && y && x->uid == y->uid && uidlist_cmp_keys(x->key, x->keylen, y->key, y->keylen) == 0) {
			merge_message(m, x, y);
			i++;
			j++;
		} else if (x && (!y || x->uid <= y->uid)) {
			merge_message(m, x, uidlist_find(m->b, x->key, x->keylen));
			i++;
		} else {
			if (!uidlist_find(m->a, y->key, y->keylen))
				merge_message(m, NULL, y);
			j++;
		}
	}
}

static int cmp_line(const void *a, const void *b)
{
	const struct uidlist_line *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return uidlist_cmp_keys(x->key, x->keylen, y->key, y->keylen);
}

static void sort_lines(struct uidlist_line *v, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (cmp_line(&v[i - 1], &v[i]) > 0) {
			qsort(v, n, sizeof(*v), cmp_line);
			return;
		}
}

static size_t give_fresh(struct merging *m)
{
	struct uidlist *out = m->out;
	size_t i;

	sort_lines(m->fresh, m->nfresh);
	for (i = 0; i < m->nfresh && out->next <= UIDLIST_MOST; i++) {
		m->fresh[i].uid = out->next++;
		uidlist_append(out, &m->fresh[i]);
	}
	return i;
}

static size_t number_rest(struct merging *m, struct uidlist_key *keys, size_t nkeys)
{
	size_t i;

	if (!m->nbare)
		return uidlist_number(m->out, keys, nkeys);
	for (i = 0; i < nkeys; i++) {
		MEM_GROW(m->bare, m->nbare, m->barecap);
		m->bare[m->nbare++] = keys[i];
	}
	return uidlist_number(m->out, m->bare, m->nbare);
}

size_t uidlist_merge(struct uidlist *out, struct uidlist *base, struct uidlist *a, struct uidlist *b,
		     const struct uidlist_merge_ops *ops, struct uidlist_key *keys, size_t nkeys)
{
	struct merging m = { .out = out, .base = base, .a = a, .b = b, .ops = ops };
	size_t given;

	out->next = 1;
	if (!a->known && !b->known)
		return 0;
	m.same_validity = a->validity == b->validity;
	m.a_wins = a->validity > b->validity;
	m.based = m.same_validity && base->validity == a->validity;
	merge_header(&m);
	merge_messages(&m);
	sort_lines(out->v, out->n);
	given = give_fresh(&m);
	given += number_rest(&m, keys, nkeys);
	free(m.fresh);
	free(m.bare);
	return given;
}
