/*
 * peer.c -- the other members: git remotes, their names, and what is known of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "peer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "ack.h"
#include "note.h"
#include "ref.h"
#include "run.h"

#define NAME_REFS "refs/maildir/name/"

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

/* What stands behind refs/heads/, or NULL when HEAD is detached: then there is no state to exchange. */
static const char *branch_of(const struct repo *r)
{
	return strncmp(r->branch, "refs/heads/", 11) == 0 ? r->branch + 11 : NULL;
}

static bool is_peer(git_config *cfg, const char *name)
{
	char key[160];
	int on = 1;

	if (!peer_name_ok(name))
		return false;
	snprintf(key, sizeof(key), "remote.%s.maildirPeer", name);
	return git_config_get_bool(&on, cfg, key) < 0 || on;
}

static void add_known(struct peers *out, struct repo *r, const char *name, const char *url)
{
	const char *branch = branch_of(r);
	struct peer *p;
	struct note note;
	char ref[512];
	git_oid id;

	MEM_GROW(out->v, out->n, out->cap);
	p = &out->v[out->n++];
	memset(p, 0, sizeof(*p));
	p->name = copy(name);
	p->url = copy(url);
	snprintf(ref, sizeof(ref), "refs/remotes/%s/%s", name, branch ? branch : "");
	p->known = branch && git_reference_name_to_id(&id, r->git, ref) == 0;
	if (p->known)
		memcpy(p->head.h, id.id, OID_RAW);
	note_read(&note, r->gitdir, name);
	p->sent = note.sent;
	p->contact = note.contact;
	p->trouble = note.trouble;
	p->since = note.since;
}

static int cmp_name(const void *a, const void *b)
{
	return strcmp(((const struct peer *)a)->name, ((const struct peer *)b)->name);
}

struct peer *peer_find(struct peers *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

/* From a snapshot of the configuration: git may have written it since we opened the repository. */
int peer_list(struct peers *out, struct repo *r, struct err *err)
{
	git_config_iterator *it = NULL;
	git_config_entry *e;
	git_config *cfg = NULL;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = git_repository_config_snapshot(&cfg, r->git);
	if (!rc)
		rc = git_config_iterator_new(&it, cfg);
	while (!rc && (rc = git_config_next(&e, it)) == 0) {
		size_t len = strlen(e->name);
		char name[128];

		if (len <= 11 || len - 11 >= sizeof(name) || strncmp(e->name, "remote.", 7) != 0 || strcmp(e->name + len - 4, ".url") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 11), e->name + 7);
		if (e->value && !peer_find(out, name) && is_peer(cfg, name))
			add_known(out, r, name, e->value);
	}
	git_config_iterator_free(it);
	git_config_free(cfg);
	if (rc != GIT_ITEROVER) {
		peers_release(out);
		return repo_git_err(err, ERR_FAIL, "cannot read the peers from '%s/config'", r->gitdir);
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), cmp_name);
	return 0;
}

void peers_release(struct peers *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].url);
		free(p->v[i].trouble);
	}
	free(p->v);
	memset(p, 0, sizeof(*p));
}

/* Removes all references that match, but for keep (may be NULL). */
static int remove_refs(struct repo *r, const char *glob, const char *keep, struct err *err)
{
	git_reference_iterator *it;
	const char *name;
	int rc = git_reference_iterator_glob_new(&it, r->git, glob);

	if (rc < 0)
		return repo_git_err(err, ERR_FAIL, "cannot list '%s'", glob);
	while ((rc = git_reference_next_name(&name, it)) == 0)
		if ((!keep || strcmp(name, keep) != 0) && git_reference_remove(r->git, name) < 0) {
			rc = repo_git_err(err, ERR_FAIL, "cannot remove '%s'", name);
			break;
		}
	git_reference_iterator_free(it);
	if (rc == GIT_ITEROVER)
		return 0;
	return rc == ERR_FAIL ? rc : repo_git_err(err, ERR_FAIL, "cannot list '%s'", glob);
}

int peer_publish_name(struct repo *r, struct err *err)
{
	bool locked = r->lockfd >= 0, known;
	git_oid id, blob;
	struct oid have, want;
	char name[128];
	int rc = 0;

	if (!r->name)
		return err_set(err, ERR_NOTMEMBER, "'%s' has no name: run 'git maildir init'", r->gitdir);
	snprintf(name, sizeof(name), NAME_REFS "%s", r->name);
	if (git_blob_create_from_buffer(&blob, r->git, r->name, strlen(r->name)) < 0)
		return repo_git_err(err, ERR_FAIL, "cannot write the name '%s'", r->name);
	if (!locked && (rc = repo_lock(r, r->lock_wait, err)) < 0)
		return rc;
	memset(&id, 0, sizeof(id));
	known = git_reference_name_to_id(&id, r->git, name) == 0;
	memcpy(have.h, id.id, OID_RAW);
	memcpy(want.h, blob.id, OID_RAW);
	if (!known || !oid_eq(&have, &want))
		rc = ref_move(r, name, &want, known ? &have : NULL, NULL, err);
	if (!rc)
		rc = remove_refs(r, NAME_REFS "*", name, err);
	if (!locked)
		repo_unlock(r);
	return rc;
}

static int set_remote(struct repo *r, const char *name, const char *what, const char *value, struct err *err)
{
	char key[128];

	snprintf(key, sizeof(key), "remote.%s.%s", name, what);
	return repo_config_set(r, key, value, err);
}

/* A path is for every directory that we are in, as git clone has it; "host:path" is no path. */
static char *absolute_url(const char *url)
{
	const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
	char path[PATH_MAX];
	struct stat st;

	if (*url == '/' || (colon && (!slash || colon < slash)) || stat(url, &st) < 0 || !realpath(url, path))
		return copy(url);
	return copy(path);
}

int peer_add(struct repo *r, const char *name, const char *url, struct err *err)
{
	const char *branch = branch_of(r);
	struct bytes fetch = { 0 }, push = { 0 };
	char key[128], *have, *abs;
	int rc = 0;

	if (!peer_name_ok(name))
		return err_set(err, ERR_FAIL, "'%s' cannot be a peer's name", name);
	if (!branch || !r->name)
		return err_set(err, ERR_NOTMEMBER, "'%s' is on no branch or has no name: run 'git maildir init'", r->gitdir);
	snprintf(key, sizeof(key), "remote.%s.url", name);
	have = repo_config_get(r, key);
	abs = absolute_url(url);
	if (have && strcmp(have, abs) != 0) {
		rc = err_set(err, ERR_FAIL, "there is a peer '%s' already, at '%s'", name, have);
		goto out;
	}
	bytes_addf(&fetch, "+refs/heads/%s:refs/remotes/%s/%s", branch, name, branch);
	bytes_addf(&push, "+refs/heads/%s:refs/remotes/%s/%s", branch, r->name, branch);
	/* The url comes last: with it the peer is there. */
	rc = set_remote(r, name, "fetch", fetch.buf, err);
	if (!rc)
		rc = set_remote(r, name, "push", push.buf, err);
	if (!rc)
		rc = set_remote(r, name, "tagOpt", "--no-tags", err);
	if (!rc)
		rc = set_remote(r, name, "url", abs, err);
out:
	free(have);
	free(abs);
	bytes_release(&fetch);
	bytes_release(&push);
	return rc;
}

int peer_remove(struct repo *r, const char *name, struct err *err)
{
	const char *const argv[] = { "git", "remote", "remove", name, NULL };
	char key[128], glob[128], *url;
	int rc;

	if (!peer_name_ok(name))
		return err_set(err, ERR_NOTFOUND, "there is no peer '%s'", name);
	snprintf(key, sizeof(key), "remote.%s.url", name);
	url = repo_config_get(r, key);
	free(url);
	if (!url)
		return err_set(err, ERR_NOTFOUND, "there is no peer '%s'", name);
	/* The remote goes after what belongs to it, so that a kill in between leaves something to be removed again. */
	snprintf(glob, sizeof(glob), "refs/remotes/%s/*", name);
	rc = remove_refs(r, glob, NULL, err);
	if (!rc)
		rc = run_git(r->gitdir, argv, NULL, err);
	if (!rc) {
		note_remove(r->gitdir, name);
		ack_remove_peer(r->gitdir, name);
	}
	return rc;
}

void peer_heard(struct repo *r, const char *name)
{
	struct note n;

	if (!peer_name_ok(name))
		return;
	note_read(&n, r->gitdir, name);
	n.contact = time(NULL);
	note_write(&n, r->gitdir, name);
	note_release(&n);
}
