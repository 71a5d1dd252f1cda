/*
 * push.c -- HEAD to every peer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "push.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../repo/ack.h"
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

/* The file of a peer that push keeps beside the notes; malloc'ed. */
static char *peer_file(struct member *m, const char *peer, const char *what)
{
	char *name = NULL, *path;

	if (asprintf(&name, "%s.%s", what, peer) < 0)
		return NULL;
	path = repo_state_path(&m->repo, name);
	free(name);
	return path;
}

/* Waits for another push of ours to the same peer, unless that is to do our work as well: then 0 and no descriptor. */
static int take_turn(struct member *m, const char *path, bool wait)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct timespec pause = { 0, 5000000 };

	/* The other one gives up within the peer's timeout itself. */
	for (long left = 2L * m->repo.peer_timeout * 200; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0; left--) {
		if (!wait || left <= 0) {
			close(fd);
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

static int push_to(struct member *m, const char *name, int flags, struct peer_result *result, struct err *err)
{
	struct peers peers = { 0 };
	struct moment recorded;
	struct peer *peer;
	int ret;

	memset(result, 0, sizeof(*result));
	/* Before HEAD is read: HEAD has at least what was recorded by now. */
	ack_recorded(m->repo.gitdir, &recorded);
	ret = peer_list(&peers, &m->repo, err);
	if (!ret && (peer = peer_find(&peers, name)))
		ret = peer_push(&m->repo, &peer, 1, (flags & PUSH_ALWAYS) != 0, result, err);
	if (!ret && result->peer && result->state == 0)
		ack_set_peer(m->repo.gitdir, name, &recorded);
	result->peer = NULL;
	peers_release(&peers);
	return ret;
}

/*
 * One push to a peer at a time: two would fight for the ref over there, and the older head could end on top. Who comes while one is under way leaves a flag before it tries the lock; who
 * holds the lock looks for the flag after giving it back. So what was committed meanwhile is sent, all at once, by one of them.
 */
int push_one(struct member *m, const char *name, int flags, struct peer_result *result, struct err *err)
{
	char *lock = peer_file(m, name, "pushing"), *flag = peer_file(m, name, "push-again");
	bool again = true, changed = false;
	int ret = 0, fd;

	memset(result, 0, sizeof(*result));
	if ((fd = open(flag, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0)
		close(fd);
	for (int rounds = 0; again && rounds < 100; rounds++) {
		fd = take_turn(m, lock, !(flags & PUSH_BACKGROUND));
		if (fd < 0) {
			if (!(flags & PUSH_BACKGROUND))
				result->state = err_set(&result->err, ERR_BUSY, "another push to peer '%s' does not come to an end", name);
			break;
		}
		unlink(flag);
		ret = push_to(m, name, flags, result, err);
		changed |= result->changed;
		close(fd);
		again = !ret && !result->state && access(flag, F_OK) == 0;
		flags &= ~PUSH_ALWAYS;
	}
	result->changed = changed;
	free(lock);
	free(flag);
	return ret;
}

static int push_and_tell(struct member *m, const char *name, int flags)
{
	struct peer_result result;
	struct err err;

	if (push_one(m, name, flags, &result, &err) < 0)
		return exit_error(&err);
	if (result.changed && !(flags & PUSH_QUIET))
		printf("pushed to %s\n", name);
	if (!result.state)
		return EXIT_DONE;
	exit_warn("%s", result.err.msg);
	return EXIT_INCOMPLETE;
}

/* A process for each peer, so that none waits for another. */
static int push_all(struct member *m, struct peer **chosen, size_t n, int flags)
{
	pid_t *pids = mem_zalloc((n + 1) * sizeof(*pids));
	int status = EXIT_DONE, st;

	fflush(stdout);
	for (size_t i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		st = push_and_tell(m, chosen[i]->name, flags);
		fflush(stdout);
		_exit(st);
	}
	for (size_t i = 0; i < n; i++) {
		if (pids[i] < 0)
			st = push_and_tell(m, chosen[i]->name, flags);
		else if (waitpid(pids[i], &st, 0) < 0 || !WIFEXITED(st))
			st = EXIT_FAILED;
		else
			st = WEXITSTATUS(st);
		if (st > status)
			status = st;
	}
	free(pids);
	return status;
}

int push_peers(struct member *m, char **names, size_t nnames, int flags, struct err *err)
{
	struct peer **chosen = NULL;
	struct peers peers = { 0 };
	size_t n;
	int status;

	if (push_choose(m, names, nnames, &peers, &chosen, &n, err) < 0)
		status = exit_error(err);
	else if (n == 1)
		status = push_and_tell(m, chosen[0]->name, flags);
	else
		status = push_all(m, chosen, n, flags);
	free(chosen);
	peers_release(&peers);
	return status;
}

static const char usage[] = "git maildir push [<peer>...]";

int push_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "background", no_argument, NULL, 'b' }, /* for record and our own hooks */
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	int flags = PUSH_ALWAYS, c, status;
	struct member m;
	struct err err;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'b': flags = PUSH_QUIET | PUSH_BACKGROUND; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	status = push_peers(&m, argv + optind, (size_t)(argc - optind), flags, &err);
	member_close(&m);
	return status;
}
