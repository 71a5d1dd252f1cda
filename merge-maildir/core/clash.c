/*
 * clash.c -- two results of a merge that want the same key, or the same path, in one folder.
 *
 * The order in which clashes are settled is made of contents and names alone, never of sides. A derived key
 * that is taken by the same content already is not a clash: a member that merged before has that copy, and
 * merging again must not make another.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "clash.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "label.h"

/* In msg.sub of an unchanged message: it became a result. */
#define TAKEN_OUT 2

/*
 * A result under its derived key. The result itself keeps its old one until all are done, because the list is
 * sorted by it.
 */
struct derived {
	size_t result;
	struct msg msg;
};

struct clash {
	struct combine *c;
	struct store *unchanged;
	struct derived *derived;
	size_t nderived;
	bool any_taken_out;
	struct hash_table by_key; /* of derived */
};

static int cmp_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	int d = memcmp(a, b, alen < blen ? alen : blen);

	return d ? d : (alen > blen) - (alen < blen);
}

static bool has_key(const struct msg *m, const char *key, size_t keylen)
{
	return m->keylen == keylen && memcmp(m->name, key, keylen) == 0;
}

/* The place of the first message whose name is not before this one. */
static size_t place(const struct msgs *l, const char *name, size_t len)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_bytes(l->v[mid].name, l->v[mid].len, name, len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct msg *clash_find(const struct msgs *l, const char *key, size_t keylen, const struct msg *after)
{
	char colon[NAME_LONGEST + 2];
	size_t i = after ? (size_t)(after - l->v) + 1 : place(l, key, keylen), j;

	if (i < l->n && has_key(&l->v[i], key, keylen))
		return &l->v[i];
	/* Between "key" and "key:2,S" there can be "key,S=5:2,S": ',' sorts before ':'. */
	memcpy(colon, key, keylen);
	colon[keylen] = ':';
	j = place(l, colon, keylen + 1);
	return j >= i && j < l->n && has_key(&l->v[j], key, keylen) ? &l->v[j] : NULL;
}

static void take_out(struct clash *k, uint32_t folder, struct msg *m)
{
	struct result *res;

	if (m->sub == TAKEN_OUT)
		return;
	res = combine_result(&k->c->results);
	*res = (struct result){ .msg = *m, .folder = folder, .held = COMBINE_BOTH, .mtime = COMBINE_AS_MARKED };
	m->sub = TAKEN_OUT;
	k->any_taken_out = true;
}

/*
 * An unchanged message is in both sides: it shares a key with whatever stays under that key in either. What is
 * new under its key, or got its very path when flags were merged, is a clash, and then it becomes a result
 * like the others.
 */
static void take_out_clashing(struct clash *k)
{
	size_t n = k->c->results.n;

	for (size_t i = 0; i < n; i++) {
		const struct result res = k->c->results.v[i];
		struct msgs *l = k->unchanged->folders[res.folder].sub;
		const struct msg *m = NULL;
		size_t at = place(&l[res.msg.sub], res.msg.name, res.msg.len);

		if (res.away)
			continue;
		if (at < l[res.msg.sub].n && l[res.msg.sub].v[at].len == res.msg.len &&
		    !memcmp(l[res.msg.sub].v[at].name, res.msg.name, res.msg.len))
			take_out(k, res.folder, &l[res.msg.sub].v[at]);
		for (int s = NAME_NEW; s <= NAME_CUR && !res.held; s++)
			while ((m = clash_find(&l[s], res.msg.name, res.msg.keylen, m)))
				take_out(k, res.folder, &l[s].v[m - l[s].v]);
	}
}

static int cmp_key(const struct result *x, uint32_t folder, const char *key, size_t keylen)
{
	if (x->folder != folder)
		return x->folder < folder ? -1 : 1;
	return cmp_bytes(x->msg.name, x->msg.keylen, key, keylen);
}

static int cmp_result(const void *a, const void *b)
{
	const struct result *x = a, *y = b;
	int d = cmp_key(x, y->folder, y->msg.name, y->msg.keylen);

	if (d)
		return d;
	if (x->dead != y->dead)
		return x->dead - y->dead;
	if (x->away != y->away)
		return x->away - y->away;
	d = oid_cmp(&x->msg.oid, &y->msg.oid);
	return d ? d : match_cmp(&x->msg, &y->msg);
}

static void unite(struct clash *k, struct result *into, struct result *from)
{
	struct oid oid = into->msg.oid;

	into->msg = label_merge(k->c->arena, NULL, &into->msg, &from->msg, NULL);
	into->msg.oid = oid;
	into->held |= from->held;
	into->mtime = combine_mtime(into->mtime, from->mtime);
	from->dead = true;
}

/* The same content at the same path is one file. */
static void collapse(struct clash *k, struct result *v, size_t n)
{
	size_t i, first = 0;

	for (i = 1; i < n && !v[i].dead; i++) {
		if (v[first].away == v[i].away && oid_eq(&v[first].msg.oid, &v[i].msg.oid) &&
		    match_same_path(&v[first].msg, &v[i].msg))
			unite(k, &v[first], &v[i]);
		else
			first = i;
	}
}

/*
 * A run of one key and content: what is only in A pairs off with what is only in B, in order; what was put
 * here by the merge itself (held by neither) becomes one with the first. False if nothing happened.
 */
static bool unite_run(struct clash *k, struct result *v, size_t n)
{
	size_t i = 0, j = 0, first = 0, loose;
	bool any = false;

	for (;; i++, j++) {
		while (i < n && (v[i].dead || v[i].held != 1 << SIDE_A))
			i++;
		while (j < n && (v[j].dead || v[j].held != 1 << SIDE_B))
			j++;
		if (i >= n || j >= n)
			break;
		unite(k, &v[i < j ? i : j], &v[i < j ? j : i]);
		any = true;
	}
	while (first < n && (v[first].dead || !v[first].held))
		first++;
	if (first == n)
		first = 0;
	for (loose = 0; loose < n; loose++) {
		if (loose == first || v[loose].dead || v[loose].held)
			continue;
		unite(k, &v[first], &v[loose]);
		any = true;
	}
	return any;
}

static int cmp_path(const void *a, const void *b)
{
	const struct result *x = *(const struct result *const *)a, *y = *(const struct result *const *)b;

	return match_cmp(&x->msg, &y->msg);
}

/* Gives each result a number that it shares with those at the same path only. */
static size_t *number_paths(const struct result *v, size_t n)
{
	const struct result **p = mem_alloc(n * sizeof(const struct result *));
	size_t *number = mem_alloc(n * sizeof(*number)), i;

	for (i = 0; i < n; i++)
		p[i] = &v[i];
	qsort(p, n, sizeof(*p), cmp_path);
	for (i = 0; i < n; i++) {
		bool again = i && match_same_path(&p[i - 1]->msg, &p[i]->msg);

		number[p[i] - v] = again ? number[p[i - 1] - v] : i;
	}
	free(p);
	return number;
}

/*
 * Who keeps the key, in order: whoever is on a side with each of those that keep it, and at a path that none of
 * them has. Who leaves is in nobody's way: each new name is a message that clients fetch again.
 */
static void choose(struct result *v, size_t n)
{
	bool seen[COMBINE_BOTH * 2] = { false }, *taken = mem_zalloc(n * sizeof(*taken));
	size_t *path = number_paths(v, n);

	for (size_t i = 0; i < n; i++) {
		if (v[i].dead || v[i].away)
			continue;
		v[i].away = taken[path[i]];
		for (int held = 0; held <= COMBINE_BOTH; held++)
			if (seen[held] && !(held & v[i].held))
				v[i].away = true;
		if (!v[i].away)
			seen[v[i].held] = taken[path[i]] = true;
	}
	free(path);
	free(taken);
}

/* All results with one key in one folder, sorted. */
static void settle(struct clash *k, struct result *v, size_t n)
{
	bool any = false;
	size_t i, j;

	collapse(k, v, n);
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && !v[j].away && oid_eq(&v[i].msg.oid, &v[j].msg.oid); j++)
			;
		if (!v[i].away && j > i + 1)
			any |= unite_run(k, v + i, j - i);
	}
	if (any) {
		qsort(v, n, sizeof(*v), cmp_result);
		collapse(k, v, n);
	}
	choose(v, n);
}

static size_t settle_all(struct clash *k)
{
	struct result *v = k->c->results.v;
	size_t n = k->c->results.n, i, j, away = 0;

	if (n)
		qsort(v, n, sizeof(*v), cmp_result);
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && !cmp_key(&v[i], v[j].folder, v[j].msg.name, v[j].msg.keylen); j++)
			;
		if (j > i + 1)
			settle(k, v + i, j - i);
	}
	for (i = 0; i < n; i++)
		away += v[i].away && !v[i].dead;
	return away;
}

static uint32_t hash_key(uint32_t folder, const char *key, size_t keylen)
{
	return hash_bytes(key, keylen) ^ hash_bytes(&folder, sizeof(folder));
}

/* Who has a key in a folder. */
struct holders {
	size_t n;
	bool same;	     /* one of them has this content */
	struct result *only; /* if it is a result and the only one */
	struct derived *derived; /* or a result that got this key before */
};

static void find_results(struct clash *k, struct holders *h, const struct result *res, const char *key, size_t keylen)
{
	struct results *all = &k->c->results;
	size_t lo = 0, hi = all->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_key(&all->v[mid], res->folder, key, keylen) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < all->n && !cmp_key(&all->v[lo], res->folder, key, keylen); lo++) {
		struct result *r = &all->v[lo];

		if (r->dead)
			continue;
		h->n++;
		if (!r->away && oid_eq(&r->msg.oid, &res->msg.oid)) {
			h->same = true;
			h->only = r;
		}
	}
}

static void find_holders(struct clash *k, struct holders *h, const struct result *res, const char *key, size_t keylen)
{
	const struct msgs *l = k->unchanged->folders[res->folder].sub;
	const struct msg *m = NULL;
	size_t it = 0, at;

	*h = (struct holders){ 0 };
	find_results(k, h, res, key, keylen);
	for (int s = NAME_NEW; s <= NAME_CUR; s++)
		while ((m = clash_find(&l[s], key, keylen, m))) {
			h->n += m->sub != TAKEN_OUT;
			h->same |= m->sub != TAKEN_OUT && oid_eq(&m->oid, &res->msg.oid);
		}
	while (hash_next(&k->by_key, hash_key(res->folder, key, keylen), &it, &at)) {
		struct derived *d = &k->derived[at];

		if (k->c->results.v[d->result].folder != res->folder || !has_key(&d->msg, key, keylen))
			continue;
		h->n++;
		if (oid_eq(&d->msg.oid, &res->msg.oid)) {
			h->same = true;
			h->derived = d;
		}
	}
}

/*
 * The copy that is there already takes the flags, if that cannot make it collide with yet another file of the
 * same key.
 */
static void unite_with_holder(struct clash *k, struct holders *h, struct result *res, const struct msg *label)
{
	struct result *into = h->derived ? &k->c->results.v[h->derived->result] : h->only;
	struct msg *msg = h->derived ? &h->derived->msg : into ? &into->msg : NULL;

	res->dead = true;
	if (h->n > 1 || !msg)
		return;
	*msg = label_merge(k->c->arena, NULL, msg, label, NULL);
	msg->oid = res->msg.oid;
	into->mtime = combine_mtime(into->mtime, res->mtime);
}

static void derive(struct clash *k, size_t i)
{
	struct result *res = &k->c->results.v[i];
	char key[NAME_LONGEST + 1];
	struct holders h;
	struct msg label;
	size_t keylen;
	unsigned attempt = 0;

	do {
		keylen = name_derive(key, res->msg.name, res->msg.keylen, &res->msg.oid, attempt++);
		find_holders(k, &h, res, key, keylen);
	} while (h.n && !h.same);
	label = label_rekey(k->c->arena, &res->msg, key, keylen);
	label.oid = res->msg.oid;
	if (h.n) {
		unite_with_holder(k, &h, res, &label);
		return;
	}
	k->derived[k->nderived] = (struct derived){ i, label };
	hash_add(&k->by_key, hash_key(res->folder, key, keylen), k->nderived++);
}

static int derive_all(struct clash *k, size_t away, struct err *err)
{
	struct results *all = &k->c->results;
	int r = 0;

	k->derived = mem_alloc(away * sizeof(*k->derived));
	hash_init(&k->by_key, away);
	for (size_t i = 0; i < all->n && !r; i++) {
		struct result *res = &all->v[i];

		if (!res->away || res->dead)
			continue;
		/* Under another key the marker does not know it any more. */
		if (res->mtime == COMBINE_AS_MARKED && !k->c->no_dates)
			r = combine_marked_mtime(k->c, res->folder, &res->msg, &res->mtime, err);
		derive(k, i);
	}
	for (size_t i = 0; i < k->nderived; i++)
		all->v[k->derived[i].result].msg = k->derived[i].msg;
	hash_release(&k->by_key);
	free(k->derived);
	return r;
}

static int cmp_place(const void *a, const void *b)
{
	const struct result *x = a, *y = b;

	if (x->folder != y->folder)
		return x->folder < y->folder ? -1 : 1;
	return x->msg.sub != y->msg.sub ? (int)x->msg.sub - (int)y->msg.sub : match_cmp(&x->msg, &y->msg);
}

static void drop_dead(struct clash *k)
{
	struct results *all = &k->c->results;
	size_t i, n = 0;

	for (i = 0; i < all->n; i++)
		if (!all->v[i].dead)
			all->v[n++] = all->v[i];
	all->n = n;
	if (n)
		qsort(all->v, n, sizeof(*all->v), cmp_place);
	for (i = 0; i < k->unchanged->nfolders && k->any_taken_out; i++)
		for (int s = NAME_NEW; s <= NAME_CUR; s++) {
			struct msgs *l = &k->unchanged->folders[i].sub[s];
			size_t j, m = 0;

			for (j = 0; j < l->n; j++)
				if (l->v[j].sub != TAKEN_OUT)
					l->v[m++] = l->v[j];
			l->n = m;
		}
}

int clash_resolve(struct combine *c, struct store *unchanged, struct err *err)
{
	struct clash k = { .c = c, .unchanged = unchanged };
	size_t away;
	int r = 0;

	take_out_clashing(&k);
	away = settle_all(&k);
	if (away)
		r = derive_all(&k, away, err);
	drop_dead(&k);
	return r;
}
