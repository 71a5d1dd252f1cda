/*
 * match.c -- which message of a side is which message of the base, and which additions of both sides are one.
 *
 * A message that is at its place on both sides never comes here. The rest are matched in passes, better
 * evidence first, each pass over everything that is left before the next one, so that a good pair is never
 * lost to a poor one. Whoever is matched is out of all later passes: therefore a pass by key alone finds only
 * pairs in two folders (a move), and a message of a side that stayed where it was is never taken for a moved
 * one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "match.h"

#include <stdlib.h>
#include <string.h>

/* What the two of a pair must have in common. */
enum { BY_FOLDER = 1, BY_OID = 2, BY_PATH = 4, BY_KEY = 8, BY_SHORT_KEY = 16 };

static const unsigned with_base[] = {
	BY_FOLDER | BY_KEY | BY_OID,	   /* flags changed, new/ to cur/ */
	BY_FOLDER | BY_KEY,		   /* content changed */
	BY_FOLDER | BY_SHORT_KEY | BY_OID, /* a server appended ",S=" to the key */
	BY_FOLDER | BY_SHORT_KEY,
	BY_KEY | BY_OID,		   /* moved */
	BY_KEY,
	BY_FOLDER | BY_OID,		   /* a server gave it another key, as Dovecot's MOVE does */
	BY_OID,				   /* moved, with another key */
};

static const unsigned added_on_both[] = {
	BY_FOLDER | BY_PATH | BY_OID,
	BY_FOLDER | BY_KEY | BY_OID,
	BY_FOLDER | BY_OID,
};

/* A message in a pass, with a hash of what the pass compares, so that sorting seldom looks at names. */
struct probe {
	uint64_t hash;
	const struct inst *inst;
	uint8_t len; /* of the part of the name that is compared */
	uint8_t by;
};

int match_cmp(const struct msg *a, const struct msg *b)
{
	int d = memcmp(a->name, b->name, a->len < b->len ? a->len : b->len);

	if (!d)
		d = (int)a->len - (int)b->len;
	return d ? d : (int)a->sub - (int)b->sub;
}

bool match_same_key(const struct msg *a, const struct msg *b)
{
	return a->keylen == b->keylen && memcmp(a->name, b->name, a->keylen) == 0;
}

bool match_same_path(const struct msg *a, const struct msg *b)
{
	return a->sub == b->sub && a->len == b->len && memcmp(a->name, b->name, a->len) == 0;
}

void match_add(struct insts *l, const struct inst *i)
{
	MEM_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = *i;
}

struct origin *match_origin(struct origins *o)
{
	MEM_GROW(o->v, o->n, o->cap);
	memset(&o->v[o->n], 0, sizeof(*o->v));
	return &o->v[o->n++];
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t w;

	for (; len; p += sizeof(w), len -= sizeof(w)) {
		w = len;
		if (len < sizeof(w)) {
			memcpy(&w, p, len);
			len = sizeof(w);
		} else {
			memcpy(&w, p, sizeof(w));
		}
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h;
}

/* False if this message cannot take part: two names that begin with a comma have nothing in common by that. */
static bool probe_make(struct probe *p, const struct inst *i, unsigned by)
{
	const struct msg *m = i->msg;
	const char *comma;
	uint64_t h = 1;

	*p = (struct probe){ .inst = i, .by = (uint8_t)by };
	if (by & BY_PATH)
		p->len = m->len;
	if (by & BY_KEY)
		p->len = m->keylen;
	if (by & BY_SHORT_KEY) {
		comma = memchr(m->name, ',', m->keylen);
		p->len = comma ? (uint8_t)(comma - m->name) : m->keylen;
		if (!p->len)
			return false;
	}
	h = mix(h, m->name, p->len);
	if (by & BY_FOLDER)
		h = mix(h, &i->folder, sizeof(i->folder));
	if (by & BY_OID)
		h = mix(h, m->oid.h, sizeof(uint64_t));
	p->hash = h;
	return true;
}

static int cmp_probe(const struct probe *a, const struct probe *b)
{
	const struct msg *x = a->inst->msg, *y = b->inst->msg;
	int d;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->by & BY_FOLDER && a->inst->folder != b->inst->folder)
		return a->inst->folder < b->inst->folder ? -1 : 1;
	if (a->by & BY_OID) {
		d = oid_cmp(&x->oid, &y->oid);
		if (d)
			return d;
	}
	if (a->by & BY_PATH && x->sub != y->sub)
		return (int)x->sub - (int)y->sub;
	if (a->len != b->len)
		return (int)a->len - (int)b->len;
	return memcmp(x->name, y->name, a->len);
}

/* Among equals the order of the list: the first of one list is paired with the first of the other. */
static int cmp_probe_in_order(const void *va, const void *vb)
{
	const struct probe *a = va, *b = vb;
	int d = cmp_probe(a, b);

	return d ? d : (a->inst > b->inst) - (a->inst < b->inst);
}

/* The two lists of a pass, and for each of x its partner's place in y, plus 1. */
struct lists {
	const struct inst *x, *y;
	size_t nx, ny;
	uint32_t *mate; /* of x */
	bool *used;	/* of y */
};

static size_t probe_x(const struct lists *l, unsigned by, struct probe *v)
{
	size_t i, n = 0;

	for (i = 0; i < l->nx; i++)
		if (!l->mate[i] && probe_make(&v[n], &l->x[i], by))
			n++;
	return n;
}

static size_t probe_y(const struct lists *l, unsigned by, struct probe *v)
{
	size_t i, n = 0;

	for (i = 0; i < l->ny; i++)
		if (!l->used[i] && probe_make(&v[n], &l->y[i], by))
			n++;
	return n;
}

/*
 * Keeps those of v that have a hash in common with the others, and a few more. In most passes over a large
 * list that is hardly any.
 */
static size_t keep_common(struct probe *v, size_t n, const struct probe *others, size_t nothers)
{
	size_t size = 64, i, left = 0;
	uint64_t *bits;

	while (size < 16 * nothers)
		size *= 2;
	bits = mem_zalloc(size / 8);
	for (i = 0; i < nothers; i++)
		bits[(others[i].hash & (size - 1)) / 64] |= (uint64_t)1 << (others[i].hash & 63);
	for (i = 0; i < n; i++)
		if (bits[(v[i].hash & (size - 1)) / 64] >> (v[i].hash & 63) & 1)
			v[left++] = v[i];
	free(bits);
	return left;
}

/* Sorts rather than hashes: names come from other machines, and no choice of names makes this quadratic. */
static size_t pass(struct lists *l, unsigned by, struct probe *px, struct probe *py)
{
	size_t nx = probe_x(l, by, px), ny = probe_y(l, by, py), i = 0, j = 0, pairs = 0;

	nx = keep_common(px, nx, py, ny);
	ny = keep_common(py, ny, px, nx);
	if (!nx || !ny)
		return 0;
	qsort(px, nx, sizeof(*px), cmp_probe_in_order);
	qsort(py, ny, sizeof(*py), cmp_probe_in_order);
	while (i < nx && j < ny) {
		int d = cmp_probe(&px[i], &py[j]);

		if (!d) {
			l->mate[px[i].inst - l->x] = (uint32_t)(py[j].inst - l->y) + 1;
			l->used[py[j].inst - l->y] = true;
			pairs++;
		}
		if (d <= 0)
			i++;
		if (d >= 0)
			j++;
	}
	return pairs;
}

static void pair(struct lists *l, const unsigned *passes, size_t npasses)
{
	size_t i, left = l->nx < l->ny ? l->nx : l->ny;
	struct probe *px, *py;

	l->mate = mem_zalloc(l->nx * sizeof(*l->mate));
	l->used = mem_zalloc(l->ny * sizeof(*l->used));
	if (!left)
		return;
	px = mem_alloc(l->nx * sizeof(*px));
	py = mem_alloc(l->ny * sizeof(*py));
	for (i = 0; i < npasses && left; i++)
		left -= pass(l, passes[i], px, py);
	free(px);
	free(py);
}

static void pair_end(struct lists *l)
{
	free(l->mate);
	free(l->used);
}

/* Drops those that were found from the list. */
static void keep_unused(struct insts *l, const bool *used)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		if (!used[i])
			l->v[n++] = l->v[i];
	l->n = n;
}

void match_side(struct origins *o, enum side side, struct insts *came)
{
	struct insts missing = { 0 };
	struct lists l;
	size_t i, n = 0;

	if (!came->n)
		return;
	for (i = 0; i < o->n; i++)
		if (!o->v[i].at[side].msg)
			match_add(&missing, &o->v[i].at[SIDE_BASE]);
	l = (struct lists){ .x = missing.v, .nx = missing.n, .y = came->v, .ny = came->n };
	pair(&l, with_base, sizeof(with_base) / sizeof(with_base[0]));
	for (i = 0; i < o->n; i++)
		if (!o->v[i].at[side].msg && l.mate[n++])
			o->v[i].at[side] = came->v[l.mate[n - 1] - 1];
	keep_unused(came, l.used);
	pair_end(&l);
	free(missing.v);
}

/* By where they are to be. Two messages of one path in two folders that are one now: by where they were. */
static int cmp_inst(const void *a, const void *b)
{
	const struct inst *x = a, *y = b;
	int d;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	d = match_cmp(x->msg, y->msg);
	return d ? d : (x->home > y->home) - (x->home < y->home);
}

static void sort_insts(struct insts *l)
{
	size_t i;

	for (i = 1; i < l->n; i++)
		if (cmp_inst(&l->v[i - 1], &l->v[i]) > 0)
			break;
	if (i < l->n)
		qsort(l->v, l->n, sizeof(*l->v), cmp_inst);
}

void match_added(struct origins *o, struct insts *a, struct insts *b)
{
	struct lists l;
	struct origin *new;
	size_t i;

	sort_insts(a);
	sort_insts(b);
	l = (struct lists){ .x = a->v, .nx = a->n, .y = b->v, .ny = b->n };
	pair(&l, added_on_both, sizeof(added_on_both) / sizeof(added_on_both[0]));
	for (i = 0; i < a->n; i++) {
		new = match_origin(o);
		new->at[SIDE_A] = a->v[i];
		if (l.mate[i])
			new->at[SIDE_B] = b->v[l.mate[i] - 1];
	}
	for (i = 0; i < b->n; i++) {
		if (l.used[i])
			continue;
		new = match_origin(o);
		new->at[SIDE_B] = b->v[i];
	}
	pair_end(&l);
}
