/*
 * duty.c -- what the children of a watch do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "duty.h"

#include <errno.h>
#include <git2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cmd/exit.h"
#include "../cmd/push.h"
#include "../cmd/sync.h"
#include "../cmd/upkeep.h"
#include "../repo/cut.h"
#include "../repo/sha1.h"

void duty_warm(void)
{
	unsigned char sum[SHA1_RAW];

	git_libgit2_init();
	sha1_of(sum, "", 0, "", 0);
}

static int work(struct member *m, const struct job *j, bool verbose, int report)
{
	struct sync_outcome out;
	struct peers peers = { 0 };
	struct oid head;
	char hex[OID_HEX + 1];
	struct err err;
	int status = EXIT_DONE;

	if (sync_local(m, SYNC_BORN | (verbose ? 0 : SYNC_QUIET) | (j->full ? SYNC_FULL : 0), &out, &err) < 0)
		return exit_error(&err);
	if (out.held)
		status = EXIT_INCOMPLETE;
	if (peer_list(&peers, &m->repo, &err) < 0)
		return exit_error(&err);
	dprintf(report, "name %s\nrecorded %d\n", m->repo.name, out.recorded);
	for (size_t i = 0; i < peers.n; i++)
		dprintf(report, "peer %s %s\n", peers.v[i].name, peers.v[i].url);
	peers_release(&peers);
	if (repo_head(&m->repo, &head, &err) == 0)
		dprintf(report, "head %s\n", oid_hex(&head, hex));
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

int duty_do(const struct job *j, bool verbose, int report)
{
	struct member m;
	struct err err;
	int status;

	if (chdir(j->ward->root) < 0)
		status = exit_error((err_errno(&err, "cannot enter '%s'", j->ward->root), &err));
	else if (member_open(&m, &err) < 0)
		status = exit_error(&err);
	else {
		status = j->kind == JOB_WORK ? work(&m, j, verbose, report) : talk(&m, j, report);
		member_close(&m);
	}
	return status;
}
