/*
 * ssh.h -- how git runs ssh for us: without a question, given up soon when nobody answers, and with one connection for many runs.
 *
 * A new connection takes longer than all the rest of a push. So the first run leaves one behind (ssh's ControlMaster), which the next ones use, and which ends by itself a minute after
 * the last. Its socket lies in a directory that is ours alone. None of this where the user has said how ssh is to be run (GIT_SSH_COMMAND, GIT_SSH, core.sshCommand).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SSH_H
#define SSH_H

#include <stdbool.h>

#include "../core/mem.h"
#include "repo.h"

struct ssh {
	const struct repo *r;
	bool asked;	/* what follows is known: only a url for ssh needs it */
	bool ours;	/* the user has not said how ssh is run */
	char dir[100];	/* where sockets are; "": every run has a connection of its own */
};

/* ssh_begin: for several runs for one repository, which must stay open; r->git may be NULL: then only what holds for the user counts, and no connection is shared. Nothing is to be freed. */
void ssh_begin(struct ssh *s, const struct repo *r);

/*
 * ssh_env: the environment for git when it talks to url, ends in NULL; lives in the arena. *socket: the control socket that it will use or make; NULL if it shares no connection, as
 * when alone is asked for.
 */
const char *const *ssh_env(struct ssh *s, const char *url, bool alone, struct arena *a, const char **socket);

/*
 * ssh_is_shared: whether a connection is there already behind a control socket. A socket whose process does not answer at once (it hangs, or was killed) is removed, so that
 * nobody waits for it.
 */
bool ssh_is_shared(const char *socket);

/* ssh_host: the part of a url that ssh looks at ("ssh://joe@mx2:22", "mx2"), its length in *len; NULL if it is no url for ssh. */
const char *ssh_host(const char *url, size_t *len);

/* ssh_path: the path in a url for ssh; NULL if it is no such url. */
const char *ssh_path(const char *url);

/*
 * ssh_public_key: the public key that ssh will show to the host of url, as far as its configuration tells and the file is there: one line, malloc'ed; NULL if none is
 * found. Talks to nobody.
 */
char *ssh_public_key(const struct repo *r, const char *url);

#endif
