/*
 * duty.c -- what the children of a watch do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "duty.h"

#include <errno.h>
#include <git2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmd/exit.h"
#include "../cmd/push.h"
#include "../cmd/sync.h"
#include "../cmd/upkeep.h"
#include "../repo/ack.h"
#include "../repo/cut.h"
#include "../repo/run.h"
#include "../repo/sha1.h"

void duty_warm(void)
{
	unsigned char sum[SHA1_RAW];

	git_libgit2_init();
	sha1_of(sum, "", 0, "", 0);
}

/*
 * Whoever waits for a message until it is on a peer learns of it by a moment that was recorded later than the message came. A record can have found the message although its moment was earlier, by as long as it took
 * to look; the next record then finds nothing new, and gives the moment, but there is nothing to push that would pass it on.
 */
static void pass_on(const struct member *m, const struct peer *peer, const struct moment *recorded, const struct oid *head, int report)
{
	if (oid_eq(&peer->sent, head))
		ack_set_peer(m->repo.gitdir, peer->name, recorded);
	else
		dprintf(report, "unsent %s\n", peer->name);
}

static int work(struct member *m, const struct job *j, bool verbose, int report)
{
	struct sync_outcome out;
	struct peers peers = { 0 };
	struct moment recorded;
	struct oid head;
	char hex[OID_HEX + 1];
	struct err err;
	int status = EXIT_DONE;

	if (sync_local(m, SYNC_BORN | (verbose ? 0 : SYNC_QUIET) | (j->full ? SYNC_FULL : 0) | SYNC_AGAIN, &out, &err) < 0)
		return exit_error(&err);
	if (out.held)
		status = EXIT_INCOMPLETE;
	/* Before HEAD is read: HEAD has at least what was recorded by now. */
	ack_recorded(m->repo.gitdir, &recorded);
	if (peer_list(&peers, &m->repo, &err) < 0)
		return exit_error(&err);
	dprintf(report, "name %s\nrecorded %d\nunfinished %d\npush %d\n", m->repo.name, out.recorded, out.unfinished, m->repo.auto_push);
	for (size_t i = 0; i < peers.n; i++)
		dprintf(report, "peer %s %s\n", peers.v[i].name, peers.v[i].url);
	if (repo_head(&m->repo, &head, &err) == 0) {
		dprintf(report, "head %s\n", oid_hex(&head, hex));
		for (size_t i = 0; i < peers.n; i++)
			pass_on(m, &peers.v[i], &recorded, &head, report);
	}
	peers_release(&peers);
	upkeep_after(m);
	return status;
}

static int talk(struct member *m, const struct job *j, int report)
{
	struct peer_result result = { 0 };
	struct err err;
	int ret;

	if (j->kind == JOB_FETCH)
		ret = sync_fetch_one(m, j->link->name, &result, &err);
	else
		ret = push_one(m, j->link->name, PUSH_QUIET, &result, &err);
	if (ret < 0)
		return exit_error(&err);
	dprintf(report, "away %d\nchanged %d\n", result.away, result.changed);
	if (result.state < 0) {
		exit_warn("%s", result.err.msg);
		return EXIT_INCOMPLETE;
	}
	return EXIT_DONE;
}

/* A process that is to end leaves no git behind that waits for an answer: nobody else has an eye on its time limit. */
static void end(int sig)
{
	run_end(sig);
	_exit(128 + sig);
}

int duty_do(const struct job *j, bool verbose, int report)
{
	struct member m;
	struct err err;
	struct sigaction ending = { .sa_handler = end };
	int status;

	sigaction(SIGTERM, &ending, NULL);
	if (chdir(j->ward->root) < 0)
		status = exit_error((err_errno(&err, "cannot enter '%s'", j->ward->root), &err));
	else if (member_open(&m, &err) < 0)
		status = exit_error(&err);
	else if (strcmp(m.repo.gitdir, j->ward->gitdir) != 0) {
		/* An empty mount point in a directory that is a member, too. */
		status = exit_error((err_set(&err, ERR_NOTMEMBER, "'%s' does not lead to '%s' any more", j->ward->root, j->ward->gitdir), &err));
		member_close(&m);
	} else {
		status = j->kind == JOB_WORK ? work(&m, j, verbose, report) : talk(&m, j, report);
		member_close(&m);
	}
	return status;
}
