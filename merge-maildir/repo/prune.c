/*
 * prune.c -- which part of history is still needed: pure computation over a commit graph.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "prune.h"

#include <stdlib.h>
#include <string.h>

static int cmp_at(const void *a, const void *b, void *graph)
{
	const struct prune_graph *g = graph;

	return oid_cmp(&g->v[*(const size_t *)a].oid, &g->v[*(const size_t *)b].oid);
}

size_t prune_find(const struct prune_graph *g, const struct oid *oid)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = oid_cmp(oid, &g->v[g->sorted[mid]].oid);

		if (!c)
			return g->sorted[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return PRUNE_NONE;
}

/* "<time> <id> <parent>..." up to end: a node, and its parents' ids. */
static bool parse_line(struct prune_graph *g, const char *s, const char *end, struct oids *parents)
{
	struct prune_node *n;
	char *rest;

	MEM_GROW(g->v, g->n, g->cap);
	n = &g->v[g->n];
	memset(n, 0, sizeof(*n));
	n->time = strtoll(s, &rest, 10);
	if (rest == s || end - rest < 1 + OID_HEX || *rest != ' ' || !oid_parse(&n->oid, rest + 1))
		return false;
	n->first = parents->n;
	for (rest += 1 + OID_HEX; rest < end; rest += 1 + OID_HEX, n->nparents++) {
		struct oid p;

		if (end - rest < 1 + OID_HEX || *rest != ' ' || !oid_parse(&p, rest + 1))
			return false;
		oids_add(parents, &p);
	}
	g->n++;
	return true;
}

/* From ids to positions. What is cut off already is no parent any more. */
static void link_parents(struct prune_graph *g, const struct oids *parents)
{
	g->parents = mem_alloc((parents->n + 1) * sizeof(*g->parents));
	for (size_t i = 0; i < g->n; i++) {
		struct prune_node *n = &g->v[i];
		size_t from = n->first, count = n->nparents;

		n->first = g->nparents;
		n->nparents = 0;
		for (size_t k = 0; k < count; k++) {
			size_t at = prune_find(g, &parents->v[from + k]);

			if (at == PRUNE_NONE)
				continue;
			g->parents[g->nparents++] = at;
			n->nparents++;
		}
	}
}

int prune_parse(struct prune_graph *g, const char *text, size_t len, struct err *err)
{
	struct oids parents = { 0 };
	int rc = 0;

	memset(g, 0, sizeof(*g));
	for (size_t pos = 0; pos < len && !rc;) {
		const char *nl = memchr(text + pos, '\n', len - pos), *end = nl ? nl : text + len;

		if (!parse_line(g, text + pos, end, &parents))
			rc = err_set(err, ERR_FAIL, "'git rev-list' answers what is no list of commits");
		pos = (size_t)(end - text) + 1;
	}
	if (!rc) {
		g->sorted = mem_alloc((g->n + 1) * sizeof(*g->sorted));
		for (size_t i = 0; i < g->n; i++)
			g->sorted[i] = i;
		qsort_r(g->sorted, g->n, sizeof(*g->sorted), cmp_at, g);
		link_parents(g, &parents);
	}
	for (size_t i = 0; i < g->n && !rc; i++)
		for (size_t k = 0; k < g->v[i].nparents && !rc; k++)
			if (g->parents[g->v[i].first + k] <= i)
				rc = err_set(err, ERR_FAIL, "'git rev-list' answers a list in another order");
	oids_release(&parents);
	if (rc)
		prune_release(g);
	return rc;
}

void prune_release(struct prune_graph *g)
{
	free(g->v);
	free(g->parents);
	free(g->sorted);
	memset(g, 0, sizeof(*g));
}

/* Marks a commit as reached; counts it as open the first time. */
static void reach(unsigned char *reached, size_t at, size_t *open)
{
	if (reached[at])
		return;
	reached[at] = 1;
	++*open;
}

/*
 * Goes through the commits, children first. One that is the only open one is passed by every way back, and all heads are it or descend from it. That ends where an older
 * history with a beginning of its own was merged in: not everything descends from what lies further back.
 */
void prune_compute(const struct prune_graph *g, const size_t *heads, size_t nheads, int64_t before, struct prune_cut *out)
{
	unsigned char *reached = mem_zalloc(g->n + 1);
	int64_t *young = mem_alloc((g->n + 1) * sizeof(*young));
	size_t open = 0;
	bool strange = false;

	*out = (struct prune_cut){ .at = PRUNE_NONE };
	for (size_t i = 0; i < g->n; i++)
		young[i] = g->v[i].time;
	for (size_t i = 0; i < nheads; i++)
		reach(reached, heads[i], &open);
	for (size_t i = 0; i < g->n; i++) {
		const struct prune_node *n = &g->v[i];
		bool root = !n->nparents;

		if (!reached[i])
			continue;
		if (out->at != PRUNE_NONE)
			out->dropped++;
		else
			out->kept++;
		if (open == 1 && !root && !strange && out->at == PRUNE_NONE && (before == PRUNE_ANY_AGE || young[i] < before))
			out->at = i;
		open--;
		strange |= root && open;
		for (size_t k = 0; k < n->nparents; k++) {
			size_t p = g->parents[n->first + k];

			if (young[p] > young[i])
				young[p] = young[i];
			reach(reached, p, &open);
		}
	}
	free(reached);
	free(young);
}

bool prune_descends(const struct prune_graph *g, size_t commit, size_t from)
{
	unsigned char *reached = mem_zalloc(g->n + 1);
	bool found;

	reached[commit] = 1;
	for (size_t i = commit; i < from; i++)
		for (size_t k = 0; reached[i] && k < g->v[i].nparents; k++)
			reached[g->parents[g->v[i].first + k]] = 1;
	found = reached[from];
	free(reached);
	return found;
}
