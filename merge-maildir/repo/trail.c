/*
 * trail.c -- the way back through history: what each change did to the mail, the newest first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "trail.h"

#include <stdlib.h>
#include <string.h>

#include "../core/hash.h"
#include "history.h"
#include "rawtree.h"
#include "run.h"
#include "walk.h"

/* How many commits one git process compares: few at first, so that the first answer comes soon. */
#define CHUNK_FIRST 32
#define CHUNK_MOST 1024

/* git has this tree everywhere, whether it is written or not. */
static const char empty_tree[] = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

struct trail_priv {
	struct repo *r;
	struct hash_table by_oid;
	size_t room; /* of by_oid */
	size_t next; /* the commit that trail_next() looks at */
	size_t chunk, chunk_end; /* size of the last one; the commit after it */
	struct run run;
	size_t pos; /* in run.out */
	struct trail_step step;
	struct store from, to;
	struct converge merge;
	bool stepped, merged; /* what the step holds is to be released */
};

static uint32_t oid_hash(const struct oid *oid)
{
	uint32_t h;

	memcpy(&h, oid->h, sizeof(h));
	return h;
}

static bool find(const struct trail *t, const struct oid *oid, size_t *at)
{
	struct trail_priv *p = t->priv;
	size_t it = 0;

	while (p->room && hash_next(&p->by_oid, oid_hash(oid), &it, at))
		if (oid_eq(&t->v[*at].oid, oid))
			return true;
	return false;
}

static void enlist(struct trail *t, const struct oid *oid)
{
	struct trail_priv *p = t->priv;

	MEM_GROW(t->v, t->n, t->cap);
	memset(&t->v[t->n], 0, sizeof(*t->v));
	t->v[t->n].oid = *oid;
	if (t->n == p->room) {
		if (p->room)
			hash_release(&p->by_oid);
		p->room = p->room ? p->room * 4 : 256;
		hash_init(&p->by_oid, p->room);
		for (size_t i = 0; i < t->n; i++)
			hash_add(&p->by_oid, oid_hash(&t->v[i].oid), i);
	}
	hash_add(&p->by_oid, oid_hash(oid), t->n++);
}

static int read_commit(struct trail *t, size_t i, const struct walk *w, struct err *err)
{
	struct repo *r = t->priv->r;
	struct trail_commit *x = &t->v[i];
	struct history_commit c;
	int ret = history_read(r, &x->oid, &c, err);

	if (ret)
		return ret;
	x->tree = c.tree;
	x->time = c.committer_time;
	x->author = c.author;
	c.author = NULL;
	x->boundary = walk_is_boundary(w, &x->oid);
	if (!x->boundary) {
		x->parents = c.parents;
		c.parents = (struct oids){ 0 };
	}
	history_commit_release(&c);
	if (x->parents.n > 1) {
		ret = history_is_view(r, &x->oid, err);
		x->view = ret > 0;
	}
	return ret < 0 ? ret : 0;
}

/* A heap of commits that may come next, the newest on top. */
struct heap {
	size_t *v, n;
	const struct trail *t;
};

static bool newer(const struct heap *h, size_t a, size_t b)
{
	const struct trail_commit *x = &h->t->v[h->v[a]], *y = &h->t->v[h->v[b]];

	return x->time != y->time ? x->time > y->time : oid_cmp(&x->oid, &y->oid) < 0;
}

static void swap(struct heap *h, size_t a, size_t b)
{
	size_t x = h->v[a];

	h->v[a] = h->v[b];
	h->v[b] = x;
}

static void push(struct heap *h, size_t commit)
{
	size_t i = h->n++;

	h->v[i] = commit;
	for (; i && newer(h, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(h, i, (i - 1) / 2);
}

static size_t pop(struct heap *h)
{
	size_t top = h->v[0];

	h->v[0] = h->v[--h->n];
	for (size_t i = 0, c; (c = 2 * i + 1) < h->n; i = c) {
		if (c + 1 < h->n && newer(h, c + 1, c))
			c++;
		if (!newer(h, c, i))
			break;
		swap(h, i, c);
	}
	return top;
}

/* Clocks differ by member: time alone would put a deletion before the delivery that it undid. */
static void order(struct trail *t)
{
	size_t *children = mem_zalloc((t->n + 1) * sizeof(*children)), n = 0, at;
	struct heap h = { mem_alloc((t->n + 1) * sizeof(*h.v)), 0, t };
	struct trail_commit *v = mem_alloc((t->n + 1) * sizeof(*v));

	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->v[i].parents.n; k++)
			if (find(t, &t->v[i].parents.v[k], &at))
				children[at]++;
	push(&h, 0);
	while (h.n) {
		size_t i = pop(&h);

		for (size_t k = 0; k < t->v[i].parents.n; k++)
			if (find(t, &t->v[i].parents.v[k], &at) && !--children[at])
				push(&h, at);
		v[n++] = t->v[i];
	}
	free(t->v);
	t->v = v;
	t->cap = t->n + 1;
	t->n = n;
	hash_release(&t->priv->by_oid);
	hash_init(&t->priv->by_oid, t->n);
	t->priv->room = t->n;
	for (size_t i = 0; i < t->n; i++)
		hash_add(&t->priv->by_oid, oid_hash(&t->v[i].oid), i);
	free(children);
	free(h.v);
}

int trail_open(struct trail *t, struct repo *r, const struct oid *head, struct err *err)
{
	struct walk *w;
	size_t at;
	int ret = walk_begin(&w, r, err);

	t->priv = mem_zalloc(sizeof(*t->priv));
	t->priv->r = r;
	if (ret)
		return ret;
	enlist(t, head);
	for (size_t i = 0; i < t->n && !ret; i++) {
		ret = read_commit(t, i, w, err);
		for (size_t k = 0; k < t->v[i].parents.n; k++)
			if (!find(t, &t->v[i].parents.v[k], &at)) {
				struct oid parent = t->v[i].parents.v[k];

				enlist(t, &parent);
			}
	}
	walk_end(w);
	if (!ret)
		order(t);
	return ret;
}

static void release_step(struct trail_priv *p)
{
	if (p->stepped)
		changes_release(&p->step.changes);
	store_release(&p->from);
	store_release(&p->to);
	if (p->merged)
		converge_release(&p->merge);
	memset(&p->from, 0, sizeof(p->from));
	memset(&p->to, 0, sizeof(p->to));
	memset(&p->merge, 0, sizeof(p->merge));
	p->stepped = p->merged = false;
}

void trail_release(struct trail *t)
{
	struct trail_priv *p = t->priv;

	for (size_t i = 0; i < t->n; i++) {
		oids_release(&t->v[i].parents);
		free(t->v[i].author);
	}
	free(t->v);
	if (p) {
		release_step(p);
		if (p->room)
			hash_release(&p->by_oid);
		bytes_release(&p->run.out);
		bytes_release(&p->run.err);
		free(p);
	}
	memset(t, 0, sizeof(*t));
}

static bool is_step(const struct trail_commit *c)
{
	return !c->view && !c->boundary;
}

/* Has git compare the next commits with their parents. */
static int compare_chunk(struct trail *t, struct err *err)
{
	struct trail_priv *p = t->priv;
	const char *const argv[] = { "git", NULL, "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", NULL };
	const char *args[sizeof(argv) / sizeof(*argv)];
	struct bytes gitdir = { 0 }, in = { 0 };
	char a[OID_HEX + 1], b[OID_HEX + 1], why[512];
	size_t n = 0, at;
	int ret;

	p->chunk = !p->chunk ? CHUNK_FIRST : p->chunk < CHUNK_MOST ? p->chunk * 2 : CHUNK_MOST;
	for (; p->chunk_end < t->n && n < p->chunk; p->chunk_end++) {
		const struct trail_commit *c = &t->v[p->chunk_end];

		if (!is_step(c) || c->parents.n > 1)
			continue;
		if (c->parents.n && !find(t, c->parents.v, &at))
			continue;
		bytes_addf(&in, "%s %s\n", c->parents.n ? oid_hex(&t->v[at].tree, a) : empty_tree, oid_hex(&c->tree, b));
		n++;
	}
	bytes_release(&p->run.out);
	bytes_release(&p->run.err);
	p->pos = 0;
	bytes_addf(&gitdir, "--git-dir=%s", p->r->gitdir);
	memcpy(args, argv, sizeof(argv));
	args[1] = gitdir.buf;
	p->run = (struct run){ .argv = args, .clean_env = true, .in = in.buf, .inlen = in.len };
	ret = n ? run_all(&p->run, 1, err) : 0;
	if (!ret && p->run.status)
		ret = err_set(err, ERR_FAIL, "'git diff-tree' failed: %s", run_reason(why, sizeof(why), &p->run));
	p->run.argv = NULL;
	p->run.in = NULL;
	bytes_release(&gitdir);
	bytes_release(&in);
	return ret;
}

static void add_side(struct store *s, const char *path, const char *mode, const char *id)
{
	unsigned bits = (unsigned)strtoul(mode, NULL, 8);
	struct oid oid;

	if ((bits == 0100644 || bits == 0100755) && oid_parse(&oid, id))
		store_add_path(s, path, strlen(path), &oid, bits);
}

/*
 * Reads git's answer for one pair: the line "<tree> <tree>", then for each path ":<mode> <mode> <id> <id> <letter>", NUL, the path, NUL.
 */
static int read_pair(struct trail_priv *p, const struct oid *tree, struct err *err)
{
	const size_t meta = 1 + 7 + 7 + 2 * (OID_HEX + 1) + 1;
	const char *s, *end, *nul;
	struct oid id;

	if (!p->run.out.buf)
		goto broken;
	s = p->run.out.buf + p->pos;
	end = p->run.out.buf + p->run.out.len;
	if (end - s < 2 * (OID_HEX + 1) || !oid_parse(&id, s + OID_HEX + 1) || !oid_eq(&id, tree))
		goto broken;
	s += 2 * (OID_HEX + 1);
	while (s < end && *s == ':') {
		const char *path = s + meta + 1;

		if ((size_t)(end - s) <= meta + 1 || s[meta] != '\0' || !(nul = memchr(path, '\0', (size_t)(end - path))))
			goto broken;
		add_side(&p->from, path, s + 1, s + 15);
		add_side(&p->to, path, s + 8, s + 15 + OID_HEX + 1);
		s = nul + 1;
	}
	p->pos = (size_t)(s - p->run.out.buf);
	store_sort(&p->from);
	store_sort(&p->to);
	return 0;
broken:
	return err_set(err, ERR_FAIL, "'git diff-tree' answers what is no list of changes");
}

static void found(struct trail_priv *p, const struct trail_commit *c, const struct store *from, const struct store *to)
{
	p->step.commit = c;
	change_find(&p->step.changes, from, to);
	p->stepped = true;
}

/* A merge made by hand did what the merge of its parents would not have done. */
static int compare_merge(struct trail_priv *p, const struct trail_commit *c, struct err *err)
{
	struct merge_opts opts = { .flag_beats_delete = p->r->flag_beats_delete };
	struct oids parents = { 0 };
	int ret;

	for (size_t i = 0; i < c->parents.n; i++)
		oids_add(&parents, &c->parents.v[i]);
	oids_sort(&parents);
	p->merged = true;
	ret = converge_frontier(&p->merge, p->r, &parents, &c->tree, NULL, &opts, NULL, err);
	if (!ret)
		found(p, c, p->merge.target, p->merge.head);
	oids_release(&parents);
	return ret;
}

int trail_next(struct trail *t, const struct trail_step **step, struct err *err)
{
	struct trail_priv *p = t->priv;
	size_t at;
	int ret;

	for (; p->next < t->n; p->next++) {
		const struct trail_commit *c = &t->v[p->next];

		if (!is_step(c) || (c->parents.n == 1 && !find(t, c->parents.v, &at)))
			continue;
		release_step(p);
		if (c->parents.n > 1) {
			ret = compare_merge(p, c, err);
			/* What was refused at the time is no mail of ours now. */
			if (ret == ERR_UNSAFE)
				continue;
		} else {
			if (p->next >= p->chunk_end) {
				p->chunk_end = p->next;
				if ((ret = compare_chunk(t, err)) < 0)
					return ret;
			}
			ret = read_pair(p, &c->tree, err);
			if (!ret)
				found(p, c, &p->from, &p->to);
		}
		if (ret < 0)
			return ret;
		p->next++;
		*step = &p->step;
		return 1;
	}
	return 0;
}

int64_t trail_oldest(const struct trail *t, bool *whole)
{
	int64_t oldest = 0;
	bool any = false;

	*whole = true;
	/* Where history was cut in several places it is known from the last of them on. */
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].boundary && (*whole || t->v[i].time > oldest)) {
			oldest = t->v[i].time;
			*whole = false;
		}
	for (size_t i = 0; i < t->n && *whole; i++)
		if (!any || t->v[i].time < oldest) {
			oldest = t->v[i].time;
			any = true;
		}
	return oldest;
}

void trail_at(const struct trail *t, int64_t when, struct oids *frontier)
{
	bool *below = mem_zalloc(t->n + 1);
	size_t at;

	for (size_t i = 0; i < t->n; i++) {
		const struct trail_commit *c = &t->v[i];

		if (c->time <= when && !c->view && !below[i])
			oids_add(frontier, &c->oid);
		for (size_t k = 0; k < c->parents.n; k++)
			if (find(t, &c->parents.v[k], &at))
				below[at] |= below[i] || (c->time <= when && !c->view);
	}
	oids_sort(frontier);
	free(below);
}

int trail_blob(struct repo *r, const struct oid *tree, const char *path, struct oid *blob, struct err *err)
{
	struct oid dir = *tree;

	for (;;) {
		size_t len = strcspn(path, "/");
		struct objects_view view = { 0 };
		struct rawtree raw;
		struct rawtree_entry e;
		bool found_it = false;
		int ret = objects_open(r, &dir, OBJECTS_TREE, &view, err);

		if (ret)
			return ret;
		raw = (struct rawtree){ view.buf, view.buf + view.len };
		while (!found_it && rawtree_next(&raw, &e) > 0)
			found_it = e.len == len && !memcmp(e.name, path, len) && e.kind == (path[len] ? RAWTREE_DIR : RAWTREE_FILE);
		if (found_it)
			dir = *e.oid;
		objects_close(&view);
		if (!found_it)
			return err_set(err, ERR_NOTFOUND, "there is no '%s'", path);
		if (!path[len])
			break;
		path += len + 1;
	}
	*blob = dir;
	return 0;
}
