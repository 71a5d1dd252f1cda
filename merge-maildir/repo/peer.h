/*
 * peer.h -- the other members: git remotes, fetching from and pushing to all of them at once.
 *
 * A peer is a git remote of the same name (unless remote.<name>.maildirPeer = false). Its last known head is refs/remotes/<peer>/<branch>. Pushing to it writes refs/remotes/<me>/<branch> there, never its own branch: a push cannot conflict
 * and does not touch its Maildir; its hooks do the rest. A member says what it is called by a ref: refs/maildir/name/<name>, which points to a blob.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PEER_H
#define PEER_H

#include "../core/oid.h"
#include "../core/peername.h"
#include "repo.h"

struct peer {
	char *name, *url;
	bool known;	 /* refs/remotes/<peer>/<branch> is there */
	struct oid head; /* its last known head, if known */
	/* From <gitdir>/maildir/peer/<name>: what we know of our contact with it. */
	struct oid sent; /* the head that it confirmed to have from us; zero if none */
	int64_t contact; /* when it last answered or pushed, seconds since 1970; 0 never */
	char *trouble;	 /* what went wrong last time, one line; NULL if nothing */
	int64_t since;	 /* when that began; 0: nothing went wrong, or it is not known */
};

struct peers {
	struct peer *v; /* sorted by name */
	size_t n, cap;
};

/* peer_list: all peers of the repository. peer_find: one of them by name, or NULL. peers_release() frees. */
int peer_list(struct peers *out, struct repo *r, struct err *err);
struct peer *peer_find(struct peers *p, const char *name);
void peers_release(struct peers *p);

/* peer_publish_name: sets refs/maildir/name/<r->name>, removes others. */
int peer_publish_name(struct repo *r, struct err *err);

/*
 * peer_ask: what a repository at url calls itself, and its branch without refs/heads/ (both malloc'ed; name NULL if it is no member, branch NULL if it has no commit). r need not be
 * open: of a struct repo without git only peer_timeout counts. ERR_UNREACHABLE with git's reason in one line when it does not answer.
 */
int peer_ask(struct repo *r, const char *url, char **name, char **branch, struct err *err);

/*
 * peer_add: makes the remote (remote.<name>.url, fetch = +refs/heads/<b>:refs/remotes/<name>/<b>, push = +refs/heads/<b>:refs/remotes/<me>/<b>, tagOpt = --no-tags), so that "git fetch <name>" and "git push <name>" by hand do the right thing, too. ERR_FAIL if there is one of that name
 * with another url. peer_remove: removes the remote and its refs and our notes of it. ERR_NOTFOUND.
 */
int peer_add(struct repo *r, const char *name, const char *url, struct err *err);
int peer_remove(struct repo *r, const char *name, struct err *err);

/* The outcome for one peer; state is 0 or an err_code with err.msg saying why. */
struct peer_result {
	const struct peer *peer;
	int state;
	bool changed; /* fetch: its head moved. push: it did not have our head before */
	bool away;    /* what failed is the way there, for all that is on that host, and not this repository */
	struct err err;
};

/*
 * peer_fetch, peer_push: with the n peers given at the same time; results has room for n. Contact, sent and trouble are noted in <gitdir>/maildir/peer/. A peer that does not
 * answer within r->peer_timeout is given up (ERR_UNREACHABLE). How ssh is run: ssh.h.
 * peer_push pushes HEAD's commit as it is when called, by force (views move sideways), to refs/remotes/<me>/<branch>, and skips peers whose sent is that already, unless even_if_sent.
 * Neither may be called with the repository's lock held. They return 0 even when peers fail: look at the results.
 */
int peer_fetch(struct repo *r, struct peer *const *peers, size_t n, struct peer_result *results, struct err *err);
int peer_push(struct repo *r, struct peer *const *peers, size_t n, bool even_if_sent, struct peer_result *results, struct err *err);

/* peer_heard: notes that a peer pushed to us just now. */
void peer_heard(struct repo *r, const char *name);

#endif
