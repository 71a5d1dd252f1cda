/*
 * cut.c -- where a repository's history can be cut now: reads its history, its peers and the user's own references.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "run.h"
#include "walk.h"

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

int cut_refs(struct repo *r, struct bytes *out, struct err *err)
{
	const char *const argv[] = { "git", "for-each-ref", "--format=%(objectname) %(refname)", NULL };

	return run_git(r->gitdir, argv, out, err);
}

bool cut_ref_line(const struct bytes *refs, size_t *pos, struct oid *oid, char **name)
{
	const char *line = refs->buf + *pos;
	size_t len;

	if (*pos >= refs->len)
		return false;
	len = strcspn(line, "\n");
	*pos += len + 1;
	if (len < OID_HEX + 2 || !oid_parse(oid, line))
		return cut_ref_line(refs, pos, oid, name);
	*name = mem_zalloc(len);
	memcpy(*name, line + OID_HEX + 1, len - OID_HEX - 1);
	return true;
}

/* The commit that an id leads to through tags. */
static bool commit_of(struct repo *r, const struct oid *id, struct oid *out)
{
	git_object *obj = NULL, *commit = NULL;
	git_oid gid;
	bool ok;

	memcpy(gid.id, id->h, OID_RAW);
	ok = git_object_lookup(&obj, r->git, &gid, GIT_OBJECT_ANY) == 0 && git_object_peel(&commit, obj, GIT_OBJECT_COMMIT) == 0;
	if (ok)
		memcpy(out->h, git_object_id(commit)->id, OID_RAW);
	git_object_free(commit);
	git_object_free(obj);
	return ok;
}

/* Everything that a reference of the user's reaches stays. A remote-tracking reference is no work of anybody's here. */
static bool is_users(const struct repo *r, const char *ref)
{
	return strcmp(ref, r->branch) != 0 && strncmp(ref, "refs/remotes/", 13) != 0 && strncmp(ref, "refs/maildir/", 13) != 0;
}

struct users {
	char **names;
	struct oids at;
	size_t cap;
};

static void read_users(struct users *u, const struct cut *c, struct repo *r)
{
	struct oid id, commit;
	size_t pos = 0;
	char *name;

	while (cut_ref_line(&c->refs, &pos, &id, &name)) {
		if (!is_users(r, name) || !commit_of(r, &id, &commit)) {
			free(name);
			continue;
		}
		MEM_GROW(u->names, u->at.n, u->cap);
		u->names[u->at.n] = name;
		oids_add(&u->at, &commit);
	}
}

static void release_users(struct users *u)
{
	for (size_t i = 0; i < u->at.n; i++)
		free(u->names[i]);
	free(u->names);
	oids_release(&u->at);
}

static int read_peers(struct cut *c, struct repo *r, struct err *err)
{
	struct peers peers = { 0 };
	int rc = peer_list(&peers, r, err);

	if (rc)
		return rc;
	c->peers = mem_zalloc((peers.n + 1) * sizeof(*c->peers));
	for (size_t i = 0; i < peers.n && !rc; i++) {
		struct cut_peer *p = &c->peers[c->npeers++];
		struct history_commit commit;

		p->name = copy(peers.v[i].name);
		p->known = peers.v[i].known;
		p->head = peers.v[i].head;
		p->contact = peers.v[i].contact;
		if (!p->known)
			continue;
		rc = history_read(r, &p->head, &commit, err);
		if (rc == ERR_NOTFOUND) {
			p->missing = true;
			rc = 0;
			continue;
		}
		if (!rc && !p->contact)
			p->contact = commit.committer_time;
		if (!rc)
			history_commit_release(&commit);
	}
	peers_release(&peers);
	return rc;
}

static int read_graph(struct cut *c, struct repo *r, const struct oid *head, const struct users *u, struct err *err)
{
	struct bytes dir = { 0 }, in = { 0 };
	struct run run = { .clean_env = true };
	const char *argv[] = { "git", NULL, "rev-list", "--topo-order", "--timestamp", "--parents", "--stdin", NULL };
	char hex[OID_HEX + 1], why[512];
	int rc;

	bytes_addf(&dir, "--git-dir=%s", r->gitdir);
	argv[1] = dir.buf;
	bytes_addf(&in, "%s\n", oid_hex(head, hex));
	for (size_t i = 0; i < c->npeers; i++)
		if (c->peers[i].known && !c->peers[i].missing)
			bytes_addf(&in, "%s\n", oid_hex(&c->peers[i].head, hex));
	for (size_t i = 0; i < u->at.n; i++)
		bytes_addf(&in, "%s\n", oid_hex(&u->at.v[i], hex));
	run.argv = argv;
	run.in = in.buf;
	run.inlen = in.len;
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0)
		rc = err_set(err, ERR_FAIL, "cannot read the history: %s", run_reason(why, sizeof(why), &run));
	if (!rc)
		rc = prune_parse(&c->graph, run.out.buf, run.out.len, err);
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&dir);
	bytes_release(&in);
	return rc;
}

/* The cut with all peers but those let go and one more (NULL: none). */
static void compute(const struct cut *c, size_t head, const struct cut_peer *but, int64_t before, struct prune_cut *out)
{
	size_t *heads = mem_alloc((c->npeers + 1) * sizeof(*heads)), n = 0;

	heads[n++] = head;
	for (size_t i = 0; i < c->npeers; i++) {
		const struct cut_peer *p = &c->peers[i];

		if (!(but && p == but) && p->known && !p->missing && !p->let_go)
			heads[n++] = prune_find(&c->graph, &p->head);
	}
	prune_compute(&c->graph, heads, n, before, out);
	free(heads);
}

/* How much is kept for the sake of each peer alone, and of all that are silent for too long. */
static void weigh(struct cut *c, size_t head, int64_t before, int64_t max_age, int64_t now)
{
	struct prune_cut without;

	compute(c, head, NULL, before, &c->cut);
	for (size_t i = 0; i < c->npeers; i++) {
		struct cut_peer *p = &c->peers[i];

		if (!p->known || p->missing)
			continue;
		compute(c, head, p, before, &without);
		/* Where its own commits go, too, there is no telling them apart by number: the place of the cut tells. */
		if (without.at == PRUNE_NONE || without.at == c->cut.at)
			continue;
		p->holds = c->cut.kept > without.kept ? c->cut.kept - without.kept : 1;
		p->without = c->graph.v[without.at].oid;
	}
	/* Several that are silent can hold the same history back: then none of them holds it alone. */
	for (size_t i = 0; i < c->npeers && max_age; i++) {
		struct cut_peer *p = &c->peers[i];
		size_t at = p->known && !p->missing ? prune_find(&c->graph, &p->head) : PRUNE_NONE;

		p->let_go = at != PRUNE_NONE && at != head && now - p->contact > max_age;
	}
	compute(c, head, NULL, before, &without);
	for (size_t i = 0; i < c->npeers; i++) {
		struct cut_peer *p = &c->peers[i];

		if (p->let_go && (without.at == PRUNE_NONE || prune_descends(&c->graph, prune_find(&c->graph, &p->head), without.at)))
			p->let_go = false;
	}
	compute(c, head, NULL, before, &c->cut);
}

/* Whether the members' own heads reach a commit, too. */
static bool is_shared(const struct cut *c, size_t head, size_t at)
{
	bool shared = prune_descends(&c->graph, head, at);

	for (size_t i = 0; i < c->npeers && !shared; i++)
		if (c->peers[i].known && !c->peers[i].missing && !c->peers[i].let_go)
			shared = prune_descends(&c->graph, prune_find(&c->graph, &c->peers[i].head), at);
	return shared;
}

static void judge_users(struct cut *c, struct users *u, size_t head)
{
	for (size_t i = 0; i < u->at.n; i++) {
		size_t at = prune_find(&c->graph, &u->at.v[i]);
		bool through = c->cut.at != PRUNE_NONE && prune_descends(&c->graph, at, c->cut.at);

		if (!is_shared(c, head, at) || (c->cut.at != PRUNE_NONE && !through))
			oids_add(&c->own, &u->at.v[i]);
		if (!through)
			continue;
		MEM_GROW(c->blockers, c->nblockers, c->blockers_cap);
		c->blockers[c->nblockers++] = copy(u->names[i]);
	}
}

int cut_plan(struct cut *c, struct repo *r, int64_t keep, int64_t now, struct err *err)
{
	struct users users = { 0 };
	struct oid head;
	struct walk *w;
	size_t at;
	int rc;

	/* Says what is wrong with a shallow file, which git does not. */
	if ((rc = walk_begin(&w, r, err)) < 0)
		return rc;
	walk_end(w);
	if ((rc = cut_refs(r, &c->refs, err)) < 0 || (rc = repo_head(r, &head, err)) < 0 || (rc = read_peers(c, r, err)) < 0)
		return rc;
	read_users(&users, c, r);
	rc = read_graph(c, r, &head, &users, err);
	if (!rc) {
		at = prune_find(&c->graph, &head);
		weigh(c, at, keep ? now - keep : PRUNE_ANY_AGE, r->peer_max_age, now);
		judge_users(c, &users, at);
	}
	release_users(&users);
	return rc;
}

const struct cut_peer *cut_missing(const struct cut *c)
{
	for (size_t i = 0; i < c->npeers; i++)
		if (c->peers[i].missing)
			return &c->peers[i];
	return NULL;
}

void cut_release(struct cut *c)
{
	bytes_release(&c->refs);
	prune_release(&c->graph);
	for (size_t i = 0; i < c->npeers; i++)
		free(c->peers[i].name);
	free(c->peers);
	for (size_t i = 0; i < c->nblockers; i++)
		free(c->blockers[i]);
	free(c->blockers);
	oids_release(&c->own);
	memset(c, 0, sizeof(*c));
}
