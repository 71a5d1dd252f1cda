/*
 * sync.c -- record, fetch, merge, apply, push.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sync.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../core/hash.h"
#include "../core/keywords.h"
#include "../core/summary.h"
#include "../disk/repair.h"
#include "../repo/converge.h"
#include "../repo/cut.h"
#include "../repo/watcher.h"
#include "exit.h"
#include "land.h"
#include "push.h"
#include "upkeep.h"
#include "verbs.h"

/* How often the whole is done again when the world moves underneath. */
#define ROUNDS 6

static void print_summary(const char *what, const struct bytes *b)
{
	printf("%s%.*s%s", what, (int)b->len, b->buf ? b->buf : "", b->len && b->buf[b->len - 1] == '\n' ? "" : "\n");
}

/* Everything known: HEAD, and every peer's last known head, but for those that were found to be unsafe. */
static int known_heads(struct member *m, const struct record_result *rec, const struct oids *refused, struct oids *heads, struct err *err)
{
	struct peers peers = { 0 };
	int ret = peer_list(&peers, &m->repo, err);

	if (rec->head_known)
		oids_add(heads, &rec->head);
	for (size_t i = 0; i < peers.n && !ret; i++) {
		bool bad = !peers.v[i].known;

		for (size_t k = 0; k < refused->n; k++)
			bad |= oid_eq(&refused->v[k], &peers.v[i].head);
		if (!bad)
			oids_add(heads, &peers.v[i].head);
	}
	peers_release(&peers);
	oids_sort(heads);
	return ret;
}

/* A commit's tree must not reach this disk: the heads of all peers that lead to it are left out from now on. */
static int refuse(struct member *m, const struct oid *bad, struct oids *refused, struct err *err)
{
	struct peers peers = { 0 };
	struct err why = *err;
	size_t before = refused->n;
	int ret = peer_list(&peers, &m->repo, err);

	for (size_t i = 0; i < peers.n && ret >= 0; i++) {
		if (!peers.v[i].known)
			continue;
		ret = history_is_ancestor(&m->repo, bad, &peers.v[i].head, err);
		if (ret == 1) {
			exit_warn("the state of peer '%s' is refused: %s", peers.v[i].name, why.msg);
			oids_add(refused, &peers.v[i].head);
		}
	}
	peers_release(&peers);
	if (ret >= 0 && refused->n == before) {
		*err = why;
		return why.code;
	}
	return ret < 0 ? ret : 0;
}

/* Whether HEAD is the view of this frontier already. */
static int is_view_of(struct member *m, const struct oid *head, const struct oids *frontier, struct err *err)
{
	struct history_commit c = { 0 };
	int ret = history_is_view(&m->repo, head, err);

	if (ret <= 0)
		return ret;
	if ((ret = history_read(&m->repo, head, &c, err)) < 0)
		return ret;
	ret = c.parents.n == frontier->n;
	for (size_t i = 0; i < frontier->n && ret; i++)
		ret = oid_eq(&c.parents.v[i], &frontier->v[i]);
	history_commit_release(&c);
	return ret;
}

/* After a prune that let a peer go, its changes and ours can have no common ancestor here. */
static void warn_no_base(struct member *m, const struct oids *frontier)
{
	struct oids before = { 0 };
	char *shallow = NULL;

	if (asprintf(&shallow, "%s/shallow", m->repo.gitdir) < 0 || access(shallow, F_OK) < 0) {
		free(shallow);
		return;
	}
	free(shallow);
	for (size_t i = 0; i < frontier->n; i++) {
		struct history_commit c = { 0 };
		struct oids bases = { 0 };
		struct err ignored;

		if (i && history_bases(&m->repo, &frontier->v[i], &before, &bases, &ignored) == 0 && !bases.n &&
		    history_read(&m->repo, &frontier->v[i], &c, &ignored) == 0)
			exit_warn("merged without a common base with the changes of %s: nothing is lost, and mail that was deleted meanwhile may be back",
				  c.author);
		history_commit_release(&c);
		oids_release(&bases);
		oids_add(&before, &frontier->v[i]);
	}
	oids_release(&before);
}

/* How a round is to be done. */
struct round {
	bool dry_run, quiet, full, again;
	bool settle; /* the last one: UIDs that are given out beside us meanwhile do not keep us from coming to an end */
};

static int merge_known(struct member *m, struct record_result *rec, const struct oids *frontier, struct oid *bad, const struct round *how,
		       struct sync_outcome *out, bool *again, struct err *err)
{
	struct merge_opts mopts = { .flag_beats_delete = m->repo.flag_beats_delete };
	struct objects_batch *batch = how->dry_run ? NULL : objects_begin(&m->repo);
	struct oid target = frontier->v[0];
	struct converge c = { 0 };
	struct landing l = { 0 };
	struct bytes summary = { 0 };
	int ret;

	if ((ret = converge_frontier(&c, &m->repo, frontier, rec->head_known ? &rec->tree : NULL, batch, &mopts, bad, err)) < 0 ||
	    (ret = land_prepare(&l, m, rec, &c, batch, err)) < 0)
		goto done;
	summary_of(&l.update.changes, &summary);
	if (how->dry_run) {
		update_print(&l.update);
		goto done;
	}
	if ((frontier->n > 1 && (ret = history_view(&m->repo, batch, frontier, &l.tree, c.fresh != 0, &target, err)) < 0) ||
	    (ret = land(&l, m, rec, batch, &target, rec->head_known ? &rec->head : NULL, how->settle, frontier->n > 1 ? "sync: merge" : "sync: forward", err)) < 0)
		goto done;
	record_keep_stamps(m, rec, &l.tree, update_touched, &l.update);
	warn_no_base(m, frontier);
	if (c.lost)
		exit_warn("%zu keywords of other members find no letter any more: a folder has room for %d", c.lost, KEYWORDS_MOST);
	out->merged = true;
	*again = l.update.applied.differs != 0;
	if (!how->quiet && l.update.changes.n)
		print_summary("merged: ", &summary);
done:
	index_release(&rec->index);
	land_release(&l);
	converge_release(&c);
	bytes_release(&summary);
	if (batch)
		objects_end(batch);
	return ret;
}

static int one_round(struct member *m, const struct round *how, struct oids *refused, struct sync_outcome *out, bool *again, struct err *err)
{
	struct record_opts ropts = { .dry_run = how->dry_run, .patient = how->again, .full = how->full };
	struct record_result rec = { 0 };
	struct oids heads = { 0 }, frontier = { 0 };
	struct oid bad;
	int ret;

	*again = false;
	if ((ret = record_disk(m, &ropts, &rec, err)) < 0)
		goto done;
	out->recorded |= rec.committed;
	out->unfinished = rec.unfinished;
	if (rec.changed && !how->quiet)
		print_summary(how->dry_run ? "would record: " : "recorded: ", &rec.summary);
	out->held |= record_warn(m, &rec);
	if (!how->again)
		record_warn_waiting(&rec);
	if ((ret = known_heads(m, &rec, refused, &heads, err)) < 0 || !heads.n)
		goto done;
	if ((ret = history_frontier(&m->repo, &heads, &frontier, err)) < 0)
		goto done;
	if (rec.head_known && frontier.n == 1 && oid_eq(&frontier.v[0], &rec.head))
		goto done;
	if (rec.head_known && frontier.n > 1 && (ret = is_view_of(m, &rec.head, &frontier, err)) != 0) {
		ret = ret < 0 ? ret : 0;
		goto done;
	}
	if (rec.compare.nlost) {
		/* Mail that is merged into a folder that comes back without it later would count as deleted. */
		exit_warn("nothing was merged: put the broken folder right first");
		goto done;
	}
	memset(&bad, 0, sizeof(bad));
	ret = merge_known(m, &rec, &frontier, &bad, how, out, again, err);
	if (ret == ERR_UNSAFE && !oid_is_zero(&bad)) {
		out->held = true;
		ret = refuse(m, &bad, refused, err);
		*again = ret == 0;
	}
done:
	record_release(&rec);
	oids_release(&heads);
	oids_release(&frontier);
	return ret;
}

int sync_local(struct member *m, int flags, struct sync_outcome *out, struct err *err)
{
	struct oids refused = { 0 };
	struct oid head;
	bool again = true;
	int ret = member_lock(m, err);

	memset(out, 0, sizeof(*out));
	if (ret < 0)
		return ret;
	if (flags & SYNC_BORN && (ret = repo_head(&m->repo, &head, err)) < 0) {
		if (ret == ERR_NOTFOUND)
			err_set(err, ret, "nothing is recorded there yet: 'git maildir init' or 'git maildir clone' must come to its end first");
		again = false;
	}
	for (int i = 0; again && i < ROUNDS; i++) {
		struct round how = { (flags & SYNC_DRY_RUN) != 0, (flags & SYNC_QUIET) != 0, (flags & SYNC_FULL) != 0 && !i, (flags & SYNC_AGAIN) != 0, i + 1 == ROUNDS };

		ret = one_round(m, &how, &refused, out, &again, err);
		if (ret == ERR_AGAIN && i + 1 < ROUNDS)
			again = true;
		else if (ret < 0)
			break;
	}
	repo_unlock(&m->repo);
	oids_release(&refused);
	return ret;
}

int sync_adopt(struct member *m, struct err *err)
{
	struct record_result rec = { 0 };
	struct oids heads = { 0 }, frontier = { 0 }, refused = { 0 };
	struct sync_outcome out;
	struct oid bad = { { 0 } };
	bool again;
	int ret = member_lock(m, err);

	if (ret < 0)
		return ret;
	if ((ret = repair_tmp(&m->disk, false, NULL, err)) == 0 && (ret = known_heads(m, &rec, &refused, &heads, err)) == 0 && !heads.n)
		ret = err_set(err, ERR_NOTFOUND, "there is nothing recorded there yet");
	if (!ret && (ret = history_frontier(&m->repo, &heads, &frontier, err)) == 0 &&
	    (ret = index_load(&rec.index, &m->repo, NULL, err)) == 0)
		ret = merge_known(m, &rec, &frontier, &bad, &(struct round){ .quiet = true, .settle = true }, &out, &again, err);
	repo_unlock(&m->repo);
	record_release(&rec);
	oids_release(&heads);
	oids_release(&frontier);
	return ret;
}

long sync_pause_ms(const char *name)
{
	return 20 + (long)(hash_bytes(name, strlen(name)) % 100);
}

/*
 * What a push of a peer or a delivery starts, in the background. A delivery hands over the place in the queue: fd; else it is -1. If it does not wait for the outcome, more of them may
 * gather for settle milliseconds.
 */
static int sync_background(struct member *m, bool push, int fd, long settle)
{
	struct timespec gather = { settle / 1000, settle % 1000 * 1000000 };
	struct timespec pause = { 0, sync_pause_ms(m->repo.name) * 1000000 };
	struct sync_outcome out;
	struct err err;
	int ret;

	/* Of several syncs that pushes started while one was running, one is enough: it sees what all of them would. */
	if (fd < 0 && !watcher_queue(m->repo.gitdir, &fd))
		return EXIT_DONE;
	nanosleep(&gather, NULL);
	if ((ret = member_lock(m, &err)) == 0)
		repo_unlock(&m->repo);
	/* Whoever pushes from here on is not seen for certain, and must be able to queue. */
	if (fd >= 0)
		close(fd);
	if (ret < 0 || (ret = sync_local(m, SYNC_QUIET | SYNC_BORN, &out, &err)) < 0)
		return exit_error(&err);
	upkeep_after(m);
	if (!push || !m->repo.auto_push)
		return EXIT_DONE;
	if (!out.recorded)
		nanosleep(&pause, NULL);
	return push_peers(m, NULL, 0, PUSH_QUIET | PUSH_BACKGROUND, &err);
}

int sync_fetch_one(struct member *m, const char *name, struct peer_result *result, struct err *err)
{
	struct peers peers = { 0 };
	struct peer *peer;
	int ret = peer_list(&peers, &m->repo, err);

	memset(result, 0, sizeof(*result));
	cut_heal(&m->repo);
	if (!ret && (peer = peer_find(&peers, name)))
		ret = peer_fetch(&m->repo, &peer, 1, result, err);
	result->peer = NULL;
	peers_release(&peers);
	return ret;
}

/*
 * Fetches from the peers that were named, or from all. Troubles are told, and the names of those that answered are left in answered (malloc'ed, with its
 * strings): whoever did not is not waited for a second time.
 */
static int fetch(struct member *m, char **names, size_t nnames, char ***answered, size_t *nanswered, bool *trouble, struct err *err)
{
	struct peer_result *results = NULL;
	struct peer **chosen = NULL;
	struct peers peers = { 0 };
	size_t n = 0;
	int ret = push_choose(m, names, nnames, &peers, &chosen, &n, err);

	*answered = mem_zalloc((n + 1) * sizeof(**answered));
	*nanswered = 0;
	cut_heal(&m->repo);
	if (!ret) {
		results = mem_zalloc((n + 1) * sizeof(*results));
		ret = peer_fetch(&m->repo, chosen, n, results, err);
	}
	for (size_t i = 0; i < n && !ret; i++)
		if (results[i].state < 0) {
			exit_warn("%s", results[i].err.msg);
			*trouble = true;
		}
	for (size_t i = 0; i < n && !ret; i++)
		if (results[i].state != ERR_UNREACHABLE)
			(*answered)[(*nanswered)++] = strdup(chosen[i]->name);
	free(results);
	free(chosen);
	peers_release(&peers);
	return ret;
}

/*
 * Whether a peer's last known state is not merged so far. A fetch would replace it, and a peer that was made anew after it lost its disk may
 * not have it any more.
 */
static bool is_unmerged(struct member *m)
{
	struct peers peers = { 0 };
	struct oids heads = { 0 };
	struct oid head;
	struct err ignored;
	bool more = false;

	if (repo_head(&m->repo, &head, &ignored) == 0)
		oids_add(&heads, &head);
	if (peer_list(&peers, &m->repo, &ignored) == 0)
		for (size_t i = 0; i < peers.n && !more; i++)
			more = peers.v[i].known && history_has_more(&m->repo, &peers.v[i].head, &heads, &ignored) == 1;
	peers_release(&peers);
	oids_release(&heads);
	return more;
}

static const char usage[] = "git maildir sync [--dry-run] [--local] [--no-push] [<peer>...]";

int sync_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "dry-run", no_argument, NULL, 'n' },
						  { "local", no_argument, NULL, 'l' },
						  { "no-push", no_argument, NULL, 'P' },
						  { "background", optional_argument, NULL, 'b' }, /* for our own hooks, and git-maildir-deliver */
						  { "settle", required_argument, NULL, 's' },	  /* with it */
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	bool dry_run = false, local = false, push = true, background = false, trouble = false;
	char **answered = NULL;
	size_t nanswered = 0;
	struct sync_outcome out;
	struct member m;
	struct err err;
	long settle = 0;
	int ret, c, status = EXIT_DONE, queued = -1;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': dry_run = true; break;
		case 'l': local = true; break;
		case 'P': push = false; break;
		case 'b':
			background = true;
			/* For us alone: what we start must not keep the place. */
			if (optarg && fcntl(atoi(optarg), F_SETFD, FD_CLOEXEC) == 0)
				queued = atoi(optarg);
			break;
		case 's': settle = atol(optarg); break;
		default: return exit_usage(usage, c == 'h');
		}
	if (local && optind != argc)
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	if (background) {
		status = sync_background(&m, push, queued, settle);
		member_close(&m);
		return status;
	}
	if (!local && !dry_run && is_unmerged(&m) && sync_local(&m, 0, &out, &err) < 0) {
		status = exit_error(&err);
		member_close(&m);
		return status;
	}
	/* What others have is fetched before the lock is taken: two members that fetch from each other must not wait for each other. */
	if (!local && (ret = fetch(&m, argv + optind, (size_t)(argc - optind), &answered, &nanswered, &trouble, &err)) < 0)
		status = exit_error(&err);
	if (status == EXIT_DONE && (ret = sync_local(&m, dry_run ? SYNC_DRY_RUN : 0, &out, &err)) < 0)
		status = exit_error(&err);
	if (status == EXIT_DONE && (trouble || out.held))
		status = EXIT_INCOMPLETE;
	if (status <= EXIT_INCOMPLETE && !dry_run && push && nanswered) {
		ret = push_peers(&m, answered, nanswered, 0, &err);
		if (ret > status)
			status = ret;
	}
	while (nanswered)
		free(answered[--nanswered]);
	free(answered);
	upkeep_after(&m);
	member_close(&m);
	return status;
}
