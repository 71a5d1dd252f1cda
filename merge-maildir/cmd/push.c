/*
 * push.c -- HEAD to every peer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "push.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "verbs.h"

int push_choose(struct member *m, char **names, size_t nnames, struct peers *peers, struct peer ***chosen, size_t *n, struct err *err)
{
	int ret = peer_list(peers, &m->repo, err);

	*n = 0;
	*chosen = NULL;
	if (ret < 0)
		return ret;
	*chosen = mem_zalloc((peers->n + nnames + 1) * sizeof(**chosen));
	for (size_t i = 0; i < nnames; i++) {
		struct peer *p = peer_find(peers, names[i]);

		if (!p)
			return err_set(err, ERR_NOTFOUND, "there is no peer '%s': see 'git maildir peer list'", names[i]);
		(*chosen)[(*n)++] = p;
	}
	for (size_t i = 0; !nnames && i < peers->n; i++)
		(*chosen)[(*n)++] = &peers->v[i];
	return 0;
}

static int push_once(struct member *m, char **names, size_t nnames, int flags, bool *pushed, struct err *err)
{
	struct peer_result *results = NULL;
	struct peer **chosen = NULL;
	struct peers peers = { 0 };
	int status = EXIT_DONE, ret;
	size_t n;

	ret = push_choose(m, names, nnames, &peers, &chosen, &n, err);
	if (!ret) {
		results = mem_zalloc((n + 1) * sizeof(*results));
		ret = peer_push(&m->repo, chosen, n, (flags & PUSH_ALWAYS) != 0, results, err);
	}
	if (ret < 0)
		status = exit_error(err);
	for (size_t i = 0; i < n && !ret; i++) {
		*pushed |= results[i].changed;
		if (results[i].state < 0) {
			exit_warn("%s", results[i].err.msg);
			status = EXIT_INCOMPLETE;
		} else if (results[i].changed && !(flags & PUSH_QUIET)) {
			printf("pushed to %s\n", results[i].peer->name);
		}
	}
	free(results);
	free(chosen);
	peers_release(&peers);
	return status;
}

int push_peers(struct member *m, char **names, size_t nnames, int flags, struct err *err)
{
	struct oid before, after;
	struct err ignored;
	int status, rounds = 0;
	bool pushed;

	/*
	 * Another push of ours, of a newer head, may have been overtaken by this one, which has then set the peer back. Whoever ends last sees that HEAD is not what it
	 * sent, and sends it, whatever is noted.
	 */
	do {
		pushed = false;
		if (repo_head(&m->repo, &before, err) < 0)
			memset(&before, 0, sizeof(before));
		status = push_once(m, names, nnames, flags, &pushed, err);
		if (repo_head(&m->repo, &after, &ignored) < 0)
			break;
		flags |= PUSH_ALWAYS;
	} while (pushed && !oid_eq(&before, &after) && ++rounds < 10);
	return status;
}

static const char usage[] = "git maildir push [<peer>...]";

int push_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct member m;
	struct err err;
	int c, status;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		return exit_usage(usage, c == 'h');
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	status = push_peers(&m, argv + optind, (size_t)(argc - optind), PUSH_ALWAYS, &err);
	member_close(&m);
	return status;
}
