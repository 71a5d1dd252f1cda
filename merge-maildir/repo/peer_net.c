/*
 * peer_net.c -- talks to the other members: asks, fetches from and pushes to them, all at once.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "note.h"
#include "reason.h"
#include "ref.h"
#include "run.h"
#include "ssh.h"

#define NAME_REFS "refs/maildir/name/"
/* Syncs that pushes started in the background push as well, and one push takes a while: its hooks run between its look at the reference and its lock. */
#define RETRIES 5
#define RETRY_AFTER_MS 100 /* and longer each time */

/* One conversation with one peer. */
struct talk {
	const struct peer *peer;
	struct peer_result *result;
	const char **argv;
	const char *ref, *lock; /* fetch: where its head comes to stand, and git's lock for that */
	struct run run;
	bool refused; /* the peer answered, and took nothing */
	const char *socket; /* of ssh's shared connection; NULL: it has its own */
	bool shared; /* it was there before */
	bool alone; /* it is to have its own */
	bool again; /* to be run (once more): our and the peer's own git wanted the same reference at once, or the shared connection was dead */
};

/* The same directory as when git is run by hand, for urls that are relative paths. */
static void prepare(struct talk *t, const struct repo *r, struct ssh *ssh, struct arena *a)
{
	const char *const *env = ssh_env(ssh, t->peer->url, t->alone, a, &t->socket);

	t->shared = t->socket && ssh_is_shared(t->socket);
	bytes_release(&t->run.out);
	bytes_release(&t->run.err);
	t->run = (struct run){ .argv = t->argv, .env = env, .clean_env = true, .cwd = r->worktree ? r->worktree : r->gitdir, .timeout = r->peer_timeout };
}

static bool says(const struct bytes *b, const char *what)
{
	return b->len && memmem(b->buf, b->len, what, strlen(what));
}

static int unreachable(struct talk *t)
{
	char why[512];

	/* What ssh itself says when there is no connection, or no longer one. */
	t->result->away = says(&t->run.err, "ssh: ") || says(&t->run.err, "kex_exchange_identification") || says(&t->run.err, "Connection timed out") ||
			  says(&t->run.err, "Connection closed by") || says(&t->run.err, "not responding");
	return err_set(&t->result->err, ERR_UNREACHABLE, "cannot reach peer '%s' at '%s': %s", t->peer->name, t->peer->url,
		       run_reason(why, sizeof(why), &t->run));
}

/*
 * A connection that others had left may have died under us; then git knows no more than that the other end is gone. Or ssh cannot make one that is shared at all. In both cases once more with a connection of
 * its own, before the peer is called unreachable. Not when the peer was silent for its whole time: it was given that.
 */
static bool lost_connection(const struct talk *t)
{
	if (!t->socket || t->alone || t->run.status != 128 || t->result->state != ERR_UNREACHABLE)
		return false;
	return t->shared ? !reason_is_there(&t->run.err) : says(&t->run.err, "muxserver") || says(&t->run.err, "ControlPath") || says(&t->run.err, "unix_listener");
}

/* What became of it: 0 or an error. May set again. */
typedef int judge_fn(struct talk *t);

/* Runs those that are marked (again) and judges them. */
static int run_marked(struct talk *talks, size_t n, const struct repo *r, struct ssh *ssh, struct arena *a, judge_fn *judge, struct err *err)
{
	struct run *runs = mem_alloc((n + 1) * sizeof(*runs));
	size_t k = 0;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (!talks[i].again)
			continue;
		prepare(&talks[i], r, ssh, a);
		runs[k++] = talks[i].run;
	}
	if (k)
		rc = run_all(runs, k, err);
	k = 0;
	for (size_t i = 0; i < n; i++) {
		if (!talks[i].again)
			continue;
		talks[i].run = runs[k++];
		talks[i].again = false;
		talks[i].result->state = judge(&talks[i]);
		if (lost_connection(&talks[i])) {
			unlink(talks[i].socket);
			talks[i].alone = talks[i].again = true;
		}
	}
	free(runs);
	return rc;
}

static int run_talks(struct talk *talks, size_t n, const struct repo *r, judge_fn *judge, struct err *err)
{
	struct arena a = { 0 };
	struct ssh ssh;
	int rc = 0;

	ssh_begin(&ssh, r);
	for (long tries = 0; !rc && tries <= RETRIES; tries++) {
		struct timespec pause = { 0, tries * RETRY_AFTER_MS * 1000000L };
		bool any = false;

		for (size_t i = 0; i < n; i++)
			any |= talks[i].again;
		if (!any)
			break;
		nanosleep(&pause, NULL);
		rc = run_marked(talks, n, r, &ssh, &a, judge, err);
	}
	arena_release(&a);
	return rc;
}

static void end_talks(struct talk *talks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bytes_release(&talks[i].run.out);
		bytes_release(&talks[i].run.err);
		free(talks[i].argv);
	}
	free(talks);
}

/* A peer that refuses has answered. sent: what it has from us now, or NULL. */
static void remember(const struct talk *t, const struct repo *r, const struct oid *sent)
{
	int64_t now = time(NULL);
	struct note n;

	note_read(&n, r->gitdir, t->peer->name);
	if (t->result->state == 0) {
		n.contact = now;
		/* A peer that can be read, but takes nothing, as when its disk is full, is of no use to a delivery. */
		if (sent || !n.refused)
			note_no_trouble(&n);
		if (sent)
			n.sent = *sent;
	} else {
		note_trouble(&n, t->result->err.msg, t->refused, now);
	}
	note_write(&n, r->gitdir, t->peer->name);
	note_release(&n);
}

/* An argv for git, to free(); the strings are borrowed. */
static const char **make_argv(const char *gitdir_opt, const char *const *rest)
{
	size_t n = 0;
	const char **v;

	while (rest[n])
		n++;
	v = mem_alloc((n + 3) * sizeof(*v));
	v[0] = "git";
	v[1] = gitdir_opt;
	memcpy(v + 2, rest, (n + 1) * sizeof(*v));
	return v;
}

static const char *branch_name(const struct repo *r, struct err *err)
{
	if (strncmp(r->branch, "refs/heads/", 11) == 0)
		return r->branch + 11;
	err_set(err, ERR_FAIL, "HEAD of '%s' is on no branch: run 'git checkout <branch>' there", r->gitdir);
	return NULL;
}

static bool read_ref(struct repo *r, const char *name, struct oid *out)
{
	git_oid id;

	if (git_reference_name_to_id(&id, r->git, name) < 0)
		return false;
	memcpy(out->h, id.id, OID_RAW);
	return true;
}

static int judge_fetch(struct talk *t)
{
	if (t->run.status == 0)
		return 0;
	/* A member that has recorded nothing so far has no branch. */
	if (says(&t->run.err, "couldn't find remote ref"))
		return 0;
	t->again = says(&t->run.err, "cannot lock ref");
	/* Fetches from two pruned peers at once: both take over where history begins. */
	if (says(&t->run.err, "shallow file has changed") || says(&t->run.err, "shallow.lock': File exists")) {
		t->again = true;
		return unreachable(t);
	}
	if (!says(&t->run.err, ".lock': File exists"))
		return unreachable(t);
	/* It is in our own repository, and either an incoming push of this moment or what a killed one left. */
	ref_break_lock(t->lock);
	return err_set(&t->result->err, ERR_BUSY, "cannot fetch from peer '%s': '%s' is there: another git process holds it, or died (then remove it)",
		       t->peer->name, t->lock);
}

int peer_fetch(struct repo *r, struct peer *const *peers, size_t n, struct peer_result *results, struct err *err)
{
	const char *branch = branch_name(r, err);
	struct talk *talks;
	struct arena a = { 0 };
	const char *dir;
	int rc;

	if (!branch)
		return ERR_FAIL;
	talks = mem_zalloc((n + 1) * sizeof(*talks));
	dir = arena_printf(&a, "--git-dir=%s", r->gitdir);
	for (size_t i = 0; i < n; i++) {
		const char *ref = arena_printf(&a, "refs/remotes/%s/%s", peers[i]->name, branch);
		const char *spec = arena_printf(&a, "+refs/heads/%s:%s", branch, ref);

		memset(&results[i], 0, sizeof(results[i]));
		results[i].peer = peers[i];
		/* --progress, because its bytes are what tells a slow peer from a dead one. */
		talks[i] = (struct talk){ .peer = peers[i], .result = &results[i], .again = true, .ref = ref, .lock = arena_printf(&a, "%s/%s.lock", r->gitdir, ref),
					  .argv = make_argv(dir, (const char *const[]){ "fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-gc",
											"--no-recurse-submodules", "--no-prune", "--update-shallow", "--refmap=", peers[i]->name, spec, NULL }) };
	}
	rc = run_talks(talks, n, r, judge_fetch, err);
	for (size_t i = 0; !rc && i < n; i++) {
		struct oid now;

		if (read_ref(r, talks[i].ref, &now))
			results[i].changed = !peers[i]->known || !oid_eq(&now, &peers[i]->head);
		remember(&talks[i], r, NULL);
	}
	end_talks(talks, n);
	arena_release(&a);
	return rc;
}

/* The line that "git push --porcelain" has for our reference: "<flag>\t<from>:<to>\t<summary>". */
static const char *push_line(const struct bytes *out)
{
	for (size_t pos = 0; pos < out->len; pos += strcspn(out->buf + pos, "\n") + 1)
		if (strlen(out->buf + pos) > 2 && out->buf[pos + 1] == '\t')
			return out->buf + pos;
	return NULL;
}

static int refused(struct talk *t, const char *line)
{
	const char *paren = memchr(line, '(', strcspn(line, "\n"));
	char why[512];

	t->refused = true;
	reason_remote(why, sizeof(why), &t->run.err);
	if (!*why && paren)
		snprintf(why, sizeof(why), "%.*s", (int)strcspn(paren + 1, ")\n"), paren + 1);
	return err_set(&t->result->err, ERR_UNREACHABLE, "peer '%s' refused our push: %s", t->peer->name, *why ? why : "it does not say why");
}

static int judge_push(struct talk *t)
{
	const char *line = push_line(&t->run.out);

	t->refused = false;
	if (t->run.status == 0) {
		t->result->changed = line && *line != '=';
		return 0;
	}
	t->again = says(&t->run.err, "shallow file has changed");
	if (t->run.status < 0 || !line || *line != '!')
		return unreachable(t);
	/* What was received is moved into directories that git removes beside it, when they are empty, as it packs objects. */
	t->again |= says(&t->run.err, "cannot lock ref") || says(&t->run.err, ".lock': File exists") || says(&t->run.out, "failed to update ref") ||
		    says(&t->run.out, "unable to migrate objects");
	return refused(t, line);
}

int peer_push(struct repo *r, struct peer *const *peers, size_t n, bool even_if_sent, struct peer_result *results, struct err *err)
{
	const char *branch = branch_name(r, err), *dir, *spec;
	struct talk *talks;
	struct arena a = { 0 };
	char hex[OID_HEX + 1];
	struct oid head;
	int rc;

	if (!branch)
		return ERR_FAIL;
	for (size_t i = 0; i < n; i++) {
		memset(&results[i], 0, sizeof(results[i]));
		results[i].peer = peers[i];
	}
	if (!r->name)
		return err_set(err, ERR_NOTMEMBER, "'%s' has no name: run 'git maildir init'", r->gitdir);
	rc = repo_head(r, &head, err);
	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	talks = mem_zalloc((n + 1) * sizeof(*talks));
	dir = arena_printf(&a, "--git-dir=%s", r->gitdir);
	spec = arena_printf(&a, "%s:refs/remotes/%s/%s", oid_hex(&head, hex), r->name, branch);
	for (size_t i = 0; i < n; i++)
		talks[i] = (struct talk){ .peer = peers[i], .result = &results[i], .again = even_if_sent || !oid_eq(&peers[i]->sent, &head),
					  .argv = make_argv(dir, (const char *const[]){ "push", "--force", "--porcelain", "--progress", "--no-verify", "--no-recurse-submodules",
											"--no-follow-tags", "--no-signed", peers[i]->name, spec, NULL }) };
	rc = run_talks(talks, n, r, judge_push, err);
	for (size_t i = 0; !rc && i < n; i++)
		if (talks[i].run.argv)
			remember(&talks[i], r, &head);
	end_talks(talks, n);
	arena_release(&a);
	return rc;
}

/* Takes "ref: refs/heads/main\tHEAD" and "<id>\trefs/maildir/name/mx2" from what another machine answered. */
static void read_answer(char *out, char **name, char **branch)
{
	char *save, *line;

	for (line = strtok_r(out, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *tab = strchr(line, '\t');
		size_t len;

		if (!tab)
			continue;
		*tab++ = '\0';
		if (!*branch && strcmp(tab, "HEAD") == 0 && strncmp(line, "ref: refs/heads/", 16) == 0) {
			len = strlen(line + 16) + 1;
			*branch = memcpy(mem_alloc(len), line + 16, len);
		} else if (!*name && strncmp(tab, NAME_REFS, strlen(NAME_REFS)) == 0 && peer_name_ok(tab + strlen(NAME_REFS))) {
			len = strlen(tab + strlen(NAME_REFS)) + 1;
			*name = memcpy(mem_alloc(len), tab + strlen(NAME_REFS), len);
		}
	}
}

int peer_ask(struct repo *r, const char *url, char **name, char **branch, struct err *err)
{
	const char *const argv[] = { "git", "ls-remote", "--symref", "--", url, "HEAD", NAME_REFS "*", NULL };
	struct run run = { .argv = argv, .clean_env = true, .timeout = r->peer_timeout };
	struct arena a = { 0 };
	const char *socket;
	struct ssh ssh;
	char why[512];
	int rc;

	*name = *branch = NULL;
	ssh_begin(&ssh, r);
	run.env = ssh_env(&ssh, url, true, &a, &socket);
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0)
		rc = err_set(err, ERR_UNREACHABLE, "cannot reach '%s': %s", url, run_reason(why, sizeof(why), &run));
	else if (!rc && run.out.len)
		read_answer(run.out.buf, name, branch);
	bytes_release(&run.out);
	bytes_release(&run.err);
	arena_release(&a);
	return rc;
}
