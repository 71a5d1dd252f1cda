/*
 * walk.c -- short walks through the commit graph, so that the usual questions need no git process.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "history.h"

/* Reading so many loose commits takes about as long as starting git and having it do the work. */
#define MAX_COMMITS 300
#define MAX_HEADS 32
#define BUCKETS 1024

struct node {
	struct oid oid;
	int64_t date;
	uint64_t colours; /* bit i: head i is this commit or a descendant of it */
	bool queued;
	bool below; /* an ancestor of another common one */
	struct oids parents;
};

struct walk {
	struct repo *r;
	struct oids boundary;
	struct node nodes[MAX_COMMITS];
	size_t n;
	size_t buckets[BUCKETS]; /* index + 1, linear probing */
};

static int read_file(const char *path, struct bytes *out, struct err *err)
{
	char buf[8192];
	ssize_t k;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open '%s'", path);
	while ((k = read(fd, buf, sizeof(buf))) > 0)
		bytes_add(out, buf, (size_t)k);
	if (k < 0)
		rc = err_errno(err, "cannot read '%s'", path);
	close(fd);
	return rc;
}

static int read_boundary(struct walk *w, struct err *err)
{
	struct bytes path = { 0 }, b = { 0 };
	int rc;

	bytes_addf(&path, "%s/shallow", w->r->gitdir);
	rc = read_file(path.buf, &b, err);
	for (size_t pos = 0; !rc && pos < b.len;) {
		struct oid o;
		size_t len = strcspn(b.buf + pos, "\n");

		if (len != OID_HEX || !oid_parse(&o, b.buf + pos))
			rc = err_set(err, ERR_FAIL, "'%s' has a line that is no commit id", path.buf);
		else
			oids_add(&w->boundary, &o);
		pos += len + 1;
	}
	oids_sort(&w->boundary);
	bytes_release(&path);
	bytes_release(&b);
	return rc;
}

int walk_begin(struct walk **out, struct repo *r, struct err *err)
{
	struct walk *w = mem_zalloc(sizeof(*w));
	int rc;

	w->r = r;
	rc = read_boundary(w, err);
	if (rc) {
		walk_end(w);
		w = NULL;
	}
	*out = w;
	return rc;
}

void walk_end(struct walk *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		oids_release(&w->nodes[i].parents);
	oids_release(&w->boundary);
	free(w);
}

static int cmp_oid(const void *a, const void *b)
{
	return oid_cmp(a, b);
}

bool walk_is_boundary(const struct walk *w, const struct oid *commit)
{
	return w->boundary.n && bsearch(commit, w->boundary.v, w->boundary.n, sizeof(*w->boundary.v), cmp_oid);
}

/* The slot where the commit is, or would be. */
static size_t *slot_of(struct walk *w, const struct oid *oid)
{
	size_t i = (((size_t)oid->h[0] << 8) | oid->h[1]) % BUCKETS;

	while (w->buckets[i] && !oid_eq(&w->nodes[w->buckets[i] - 1].oid, oid))
		i = (i + 1) % BUCKETS;
	return &w->buckets[i];
}

/* The commit's node, read if it is new. Its parents are not read. */
static int node_of(struct walk *w, const struct oid *oid, size_t *at, struct err *err)
{
	size_t *slot = slot_of(w, oid);
	struct history_commit c;
	struct node *n;
	int rc;

	if (*slot) {
		*at = *slot - 1;
		return 0;
	}
	if (w->n == MAX_COMMITS)
		return err_set(err, ERR_AGAIN, "history is too long for a short walk");
	rc = history_read(w->r, oid, &c, err);
	if (rc)
		return rc;
	n = &w->nodes[w->n];
	*n = (struct node){ .oid = *oid, .date = c.committer_time };
	if (!walk_is_boundary(w, oid)) {
		n->parents = c.parents;
		c.parents = (struct oids){ 0 };
	}
	*at = w->n++;
	*slot = w->n;
	history_commit_release(&c);
	return 0;
}

/* The newest commit of the queue; false when all that are queued have all colours already. */
static bool pop(struct walk *w, uint64_t all, size_t *at)
{
	bool open_end = false, any = false;

	for (size_t i = 0; i < w->n; i++) {
		const struct node *n = &w->nodes[i];

		if (!n->queued)
			continue;
		open_end |= n->colours != all;
		if (!any || n->date > w->nodes[*at].date)
			*at = i;
		any = true;
	}
	if (open_end)
		w->nodes[*at].queued = false;
	return open_end;
}

/* Gives a commit's colours to its parents; those that got a new one have to be looked at. */
static int spread(struct walk *w, size_t at, uint64_t all, struct err *err)
{
	for (size_t i = 0; i < w->nodes[at].parents.n; i++) {
		struct node *p;
		size_t to;
		int rc = node_of(w, &w->nodes[at].parents.v[i], &to, err);

		if (rc)
			return rc;
		p = &w->nodes[to];
		if (w->nodes[at].colours == all)
			p->below = true;
		if ((p->colours | w->nodes[at].colours) == p->colours)
			continue;
		p->colours |= w->nodes[at].colours;
		p->queued = true;
	}
	return 0;
}

/*
 * paint: gives every head's colour to its ancestors, newest first, until only commits with all colours are left to look
 * at. No head can be behind such a commit (it would be its own ancestor), and no best common ancestor either, so wrong
 * dates cost time only.
 */
static int paint(struct walk *w, const size_t *heads, const uint64_t *colours, size_t n, uint64_t all, struct err *err)
{
	size_t at = 0;
	int rc = 0;

	for (size_t i = 0; i < w->n; i++) {
		w->nodes[i].colours = 0;
		w->nodes[i].queued = w->nodes[i].below = false;
	}
	for (size_t i = 0; i < n; i++) {
		w->nodes[heads[i]].colours |= colours[i];
		w->nodes[heads[i]].queued = true;
	}
	while (!rc && pop(w, all, &at))
		rc = spread(w, at, all, err);
	return rc;
}

int walk_maximal(struct walk *w, const struct oids *heads, struct oids *out, struct err *err)
{
	size_t at[MAX_HEADS];
	uint64_t colours[MAX_HEADS], all = 0;
	int rc;

	if (heads->n > MAX_HEADS)
		return err_set(err, ERR_AGAIN, "too many heads for a short walk");
	for (size_t i = 0; i < heads->n; i++) {
		rc = node_of(w, &heads->v[i], &at[i], err);
		if (rc)
			return rc;
		colours[i] = (uint64_t)1 << i;
		all |= colours[i];
	}
	rc = paint(w, at, colours, heads->n, all, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < heads->n; i++)
		if (w->nodes[at[i]].colours == colours[i])
			oids_add(out, &heads->v[i]);
	oids_sort(out);
	return 0;
}

int walk_bases(struct walk *w, const struct oid *one, const struct oids *others, struct oids *out, struct err *err)
{
	enum { ONE = 1, OTHERS = 2, BOTH = 3 };
	size_t at[MAX_HEADS + 1];
	uint64_t colours[MAX_HEADS + 1];
	struct oids common = { 0 };
	int rc;

	if (others->n > MAX_HEADS)
		return err_set(err, ERR_AGAIN, "too many heads for a short walk");
	for (size_t i = 0; i <= others->n; i++) {
		rc = node_of(w, i ? &others->v[i - 1] : one, &at[i], err);
		if (rc)
			return rc;
		colours[i] = i ? OTHERS : ONE;
	}
	rc = paint(w, at, colours, others->n + 1, BOTH, err);
	if (rc)
		return rc;
	for (size_t i = 0; i < w->n; i++)
		if (w->nodes[i].colours == BOTH && !w->nodes[i].below)
			oids_add(&common, &w->nodes[i].oid);
	/* With wrong dates one of them can still be behind another. */
	if (common.n > 1)
		rc = walk_maximal(w, &common, out, err);
	else if (common.n)
		oids_add(out, common.v);
	oids_release(&common);
	return rc;
}
