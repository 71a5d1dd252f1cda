/*
 * peers.c -- adds, removes and lists the other members.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/keyline.h"
#include "../repo/history.h"
#include "../repo/peer.h"
#include "../repo/run.h"
#include "../repo/ssh.h"
#include "exit.h"
#include "member.h"
#include "self.h"
#include "verbs.h"

/*
 * When the new peer has nothing that is not here, its state is noted at once, as of a clone that was just made: a peer that was never seen holds no history back, and would be merged
 * without a base if it stayed away from now on. When it has more, that is left for sync: a state that is fetched and not merged would make the peer's own push a
 * push of nothing, which starts nothing.
 */
static void see(struct member *m, const char *name, const char *url)
{
	const char *argv[] = { "git", "ls-remote", url, m->repo.branch, NULL };
	struct peers peers = { 0 };
	struct peer_result result = { 0 };
	struct bytes out = { 0 };
	struct oid theirs, head;
	struct peer *peer;
	struct err err;

	if (run_git(m->repo.gitdir, argv, &out, &err) == 0 && out.len > OID_HEX && oid_parse(&theirs, out.buf) && objects_has(&m->repo, &theirs) &&
	    repo_head(&m->repo, &head, &err) == 0 && history_is_ancestor(&m->repo, &theirs, &head, &err) == 1 &&
	    peer_list(&peers, &m->repo, &err) == 0 && (peer = peer_find(&peers, name)))
		peer_fetch(&m->repo, &peer, 1, &result, &err);
	bytes_release(&out);
	peers_release(&peers);
}

/* The directory that holds a repository, of a path that says where it is; malloc'ed, or NULL for what is found from the home directory. */
static char *parent(const char *path)
{
	size_t len = strlen(path);
	char *dir;

	while (len > 1 && path[len - 1] == '/')
		len--;
	while (len > 1 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	if (*path != '/')
		return NULL;
	dir = mem_alloc(len + 1);
	memcpy(dir, path, len);
	dir[len] = '\0';
	return dir;
}

/* What to write into authorized_keys at both ends, so that a key can do what its member needs and nothing else. */
static void say_keys(struct member *m, const char *name, const char *url)
{
	const char *path = ssh_path(url), *bindir = self_dir();
	char *here, *there, *key;
	struct bytes program = { 0 }, ours = { 0 }, theirs = { 0 }, wanted = { 0 }, none = { 0 };

	if (!path)
		return;
	here = parent(m->repo.gitdir);
	there = parent(path);
	key = ssh_public_key(&m->repo, url);
	bytes_addf(&program, "%s%sgit-maildir-shell", bindir ? bindir : "", bindir ? "/" : "");
	bytes_addf(&wanted, "<public key of %s>", name);
	bytes_addf(&none, "<public key of %s>", m->repo.name);
	if (keyline(&theirs, program.buf, here, name, wanted.buf) && keyline(&ours, program.buf, there, m->repo.name, key ? key : none.buf))
		printf("\nSo that the ssh key of %s can do its work here and nothing else, let this be its line in\n"
		       "~/.ssh/authorized_keys on this host:\n\n    %s\n\n"
		       "And there, for the key of this host, with the place that git-maildir-shell has there:\n\n    %s\n",
		       name, theirs.buf, ours.buf);
	bytes_release(&program);
	bytes_release(&ours);
	bytes_release(&theirs);
	bytes_release(&wanted);
	bytes_release(&none);
	free(here);
	free(there);
	free(key);
}

static int add(struct member *m, const char *name, const char *url, struct err *err)
{
	char *theirs = NULL, *branch = NULL;
	const char *ours = member_branch(m);
	int ret;

	if (!peer_name_ok(name))
		return err_set(err, ERR_FAIL, "'%s' cannot be a member's name: letters, digits, '-', '_' and '.' can be in it", name);
	if (!strcmp(name, m->repo.name))
		return err_set(err, ERR_FAIL, "'%s' is this member itself", name);
	if ((ret = peer_ask(&m->repo, url, &theirs, &branch, err)) < 0)
		return ret;
	if (!theirs)
		ret = err_set(err, ERR_NOTMEMBER, "'%s' is no member: run 'git maildir init' there first", url);
	else if (strcmp(theirs, name) != 0)
		ret = err_set(err, ERR_FAIL, "the member at '%s' calls itself '%s', not '%s'", url, theirs, name);
	else if (branch && strcmp(branch, ours) != 0)
		ret = err_set(err, ERR_FAIL, "the member at '%s' is on branch '%s', this one on '%s': members must be on the same", url, branch, ours);
	else
		ret = peer_add(&m->repo, name, url, err);
	if (!ret) {
		printf("added peer '%s' at '%s'\n", name, url);
		see(m, name, url);
		say_keys(m, name, url);
	}
	free(theirs);
	free(branch);
	return ret;
}

static int list(struct member *m, struct err *err)
{
	struct peers peers = { 0 };
	char hex[OID_HEX + 1];
	int ret = peer_list(&peers, &m->repo, err);

	for (size_t i = 0; i < peers.n && !ret; i++)
		printf("%s\t%s\t%.10s\n", peers.v[i].name, peers.v[i].url, peers.v[i].known ? oid_hex(&peers.v[i].head, hex) : "never seen");
	peers_release(&peers);
	return ret;
}

static const char usage[] = "git maildir peer add <name> <url>\n"
			    "       git maildir peer remove <name>\n"
			    "       git maildir peer list";

int peers_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct member m;
	struct err err;
	const char *what;
	int c, ret;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		return exit_usage(usage, c == 'h');
	argc -= optind;
	argv += optind;
	what = argc ? argv[0] : "";
	if (!((!strcmp(what, "add") && argc == 3) || (!strcmp(what, "remove") && argc == 2) || (!strcmp(what, "list") && argc == 1)))
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	if (!strcmp(what, "add"))
		ret = add(&m, argv[1], argv[2], &err);
	else if (!strcmp(what, "remove"))
		ret = peer_remove(&m.repo, argv[1], &err);
	else
		ret = list(&m, &err);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
