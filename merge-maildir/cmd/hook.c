/*
 * hook.c -- what the hooks do that init installs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../disk/repair.h"
#include "../repo/history.h"
#include "../repo/peer.h"
#include "../repo/run.h"
#include "../repo/tree.h"
#include "../repo/watcher.h"
#include "exit.h"
#include "record.h"
#include "setup.h"
#include "update.h"
#include "verbs.h"

/* Runs the user's own hook of this name, if there is one, with the input that git gave to ours. Returns its exit status. */
static int run_users_hook(struct member *m, const char *name, int argc, char **argv, const struct bytes *in)
{
	const char *args[16] = { NULL };
	struct bytes path = { 0 };
	struct run run = { 0 };
	struct err err;
	int status = 0;
	char *dir = setup_hooks_dir(&m->repo);

	bytes_addf(&path, "%s/%s.local", dir, name);
	if (access(path.buf, X_OK) == 0) {
		args[0] = path.buf;
		for (int i = 0; i < argc && i < 14; i++)
			args[i + 1] = argv[i];
		run.argv = args;
		run.in = in->len ? in->buf : NULL;
		run.inlen = in->len;
		run.pass_err = true;
		status = run_all(&run, 1, &err) < 0 ? 1 : run.status;
		fwrite(run.out.buf ? run.out.buf : "", 1, run.out.len, stdout);
		bytes_release(&run.out);
		bytes_release(&run.err);
	}
	bytes_release(&path);
	free(dir);
	return status;
}

/* git waits until the hook's standard streams are closed: what takes time goes to the background. */
static int post_commit(struct member *m)
{
	if (m->repo.auto_push && member_branch(m))
		member_spawn(m, (const char *const[]){ "push", "--background", NULL });
	return EXIT_DONE;
}

static int post_receive(struct member *m, const struct bytes *in)
{
	const char *p = in->buf;
	char ref[512], name[512];

	/* "<old> <new> <ref>" a line */
	while (p && *p) {
		if (sscanf(p, "%*s %*s %511s", ref) == 1 && sscanf(ref, "refs/remotes/%511[^/]/", name) == 1)
			peer_heard(&m->repo, name);
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	/* A watch sees the references itself. */
	if (!watcher_is_there(m->repo.gitdir))
		member_spawn(m, (const char *const[]){ "sync", "--background", NULL });
	return EXIT_DONE;
}

/* Whether a peer may write this ref: its own state, and nothing else of ours. */
static int may_write(struct member *m, const char *ref, struct err *err)
{
	const char *me = getenv("GIT_MAILDIR_PEER"); /* set for keys that are bound to one peer */
	const char *branch = member_branch(m), *slash;
	struct peers peers = { 0 };
	char name[128];
	int ret;

	if (!strcmp(ref, m->repo.branch))
		return me ? err_set(err, ERR_UNSAFE, "peer '%s' may not write '%s'", me, ref) : 0;
	if (strncmp(ref, "refs/remotes/", 13) != 0) {
		/* The owner's own branches and tags are the owner's affair. */
		if (!me && (!strncmp(ref, "refs/heads/", 11) || !strncmp(ref, "refs/tags/", 10)))
			return 0;
		return err_set(err, ERR_UNSAFE, "'%s' may not be written from elsewhere", ref);
	}
	slash = strchr(ref + 13, '/');
	if (!slash || slash - (ref + 13) >= (ptrdiff_t)sizeof(name) || (branch && strcmp(slash + 1, branch) != 0))
		return err_set(err, ERR_UNSAFE, "'%s' is not the state of a peer on branch '%s'", ref, branch ? branch : "?");
	snprintf(name, sizeof(name), "%.*s", (int)(slash - (ref + 13)), ref + 13);
	if (me && strcmp(me, name) != 0)
		return err_set(err, ERR_UNSAFE, "peer '%s' may not write the state of '%s'", me, name);
	if ((ret = peer_list(&peers, &m->repo, err)) < 0)
		return ret;
	if (!peer_find(&peers, name))
		ret = err_set(err, ERR_UNSAFE, "member '%s' does not know '%s': there, run 'git maildir peer add %s <url>'", m->repo.name, name, name);
	peers_release(&peers);
	return ret;
}

/* Refuses what must never reach a disk. Directories that are equal to what is known already are not looked at again. */
static int check_tree(struct member *m, const struct oid *old, const struct oid *new, struct err *err)
{
	struct store stores[2] = { { .nfolders = 0 }, { .nfolders = 0 } };
	struct tree_set *set = NULL;
	struct oid trees[2];
	const struct oid *ids[2] = { &trees[0], NULL };
	size_t n = 1;
	int ret = tree_of(&m->repo, new, &trees[0], err);

	if (!ret && old && tree_of(&m->repo, old, &trees[1], NULL) == 0)
		ids[n++] = &trees[1];
	if (!ret)
		ret = tree_load(stores, ids, n, &m->repo, &set, NULL, err);
	store_release(&stores[0]);
	store_release(&stores[1]);
	if (set)
		tree_release(set);
	return ret;
}

/*
 * A member that was made anew after it lost its disk does not have what it had pushed before. As long as that is not merged here, nothing but the peer's ref
 * holds it, and a push must not take it away.
 */
static int keep_unmerged(struct member *m, const char *ref, const struct oid *old, const struct oid *new, struct err *err)
{
	struct oids others = { 0 };
	struct err ignored;
	struct oid head;
	int ret = history_is_ancestor(&m->repo, old, new, &ignored);

	if (ret)
		return 0;
	oids_add(&others, new);
	if (repo_head(&m->repo, &head, &ignored) == 0)
		oids_add(&others, &head);
	ret = history_has_more(&m->repo, old, &others, &ignored);
	oids_release(&others);
	if (ret <= 0)
		return 0;
	/* Not that the pusher has to wait for somebody to look at it. */
	if (!watcher_is_there(m->repo.gitdir))
		member_spawn(m, (const char *const[]){ "sync", "--background", NULL });
	return err_set(err, ERR_BUSY, "'%s' is not merged yet: try again", ref);
}

static int update_ref(struct member *m, int argc, char **argv, struct err *err)
{
	struct oid old, new;
	int ret;

	if (argc != 3 || !oid_parse(&old, argv[1]) || !oid_parse(&new, argv[2]))
		return err_set(err, ERR_FAIL, "the update hook was called in a way that is not git's");
	if ((ret = may_write(m, argv[0], err)) < 0)
		return ret;
	if (oid_is_zero(&new)) {
		if (!strncmp(argv[0], "refs/remotes/", 13) || !strcmp(argv[0], m->repo.branch))
			return err_set(err, ERR_UNSAFE, "'%s' may not be deleted from elsewhere", argv[0]);
		return 0;
	}
	if (!strncmp(argv[0], "refs/tags/", 10))
		return 0;
	if (!strcmp(argv[0], m->repo.branch) && !oid_is_zero(&old)) {
		ret = history_is_ancestor(&m->repo, &old, &new, err);
		if (ret < 0)
			return ret;
		if (!ret)
			return err_set(err, ERR_UNSAFE, "'%s' has mail that you have not: fetch and merge first", argv[0]);
	}
	if (!strncmp(argv[0], "refs/remotes/", 13) && !oid_is_zero(&old) && (ret = keep_unmerged(m, argv[0], &old, &new, err)) < 0)
		return ret;
	return check_tree(m, oid_is_zero(&old) ? NULL : &old, &new, err);
}

/*
 * Somebody pushed to the branch that is checked out. git moves the branch to the pushed commit when this succeeds, and only if the branch is where it was. So the
 * disk becomes the merge of what is on it with the pushed state; what is on it and in no commit is then a local change on top, which the sync that
 * post-receive starts records.
 */
static int push_to_checkout(struct member *m, const struct oid *pushed, struct err *err)
{
	struct merge_opts mopts = { .flag_beats_delete = m->repo.flag_beats_delete };
	struct record_opts ropts = { .dry_run = true };
	struct record_result rec = { 0 };
	struct oids frontier = { 0 };
	struct converge c = { 0 };
	struct update u = { 0 };
	int ret;

	oids_add(&frontier, pushed);
	/* A look first: nothing is applied to a store that has lost a directory. */
	if ((ret = record_disk(m, &ropts, &rec, err)) < 0)
		goto out;
	if (rec.compare.nlost) {
		ret = err_set(err, ERR_FAIL, "a folder of '%s' has lost a directory: see 'git maildir status'", m->disk.path);
		goto out;
	}
	if ((ret = converge_frontier(&c, &m->repo, &frontier, rec.head_known ? &rec.tree : NULL, NULL, &mopts, NULL, err)) < 0 ||
	    (ret = update_prepare(&u, m, &c, NULL, err)) < 0 || (ret = update_apply(&u, &rec.index, true, err)) < 0)
		goto out;
	/* No tree is written: the index is brought to the pushed tree by the next record, which finds it out of step. */
out:
	record_release(&rec);
	update_release(&u);
	converge_release(&c);
	oids_release(&frontier);
	return ret;
}

struct repaired {
	const struct index *ix;
	size_t n;
};

static void count_repaired(void *ctx, const char *path, const char *what)
{
	struct repaired *r = ctx;

	(void)path;
	(void)what;
	r->n++;
}

static bool is_recorded(void *ctx, const char *path)
{
	const struct repaired *r = ctx;

	return index_find(r->ix, path, strlen(path)) >= 0;
}

/* After somebody used stock git in the Maildir: it has put back neither mtimes nor modes nor empty directories. */
static int repair(struct member *m, struct err *err)
{
	struct record_opts ropts = { .dry_run = true };
	struct record_result rec = { 0 };
	const char *refresh[] = { "git", "update-index", "-q", "--refresh", NULL };
	struct repaired repaired = { .ix = &rec.index };
	struct repair_ops ops = { &repaired, count_repaired, is_recorded };
	int ret;

	if ((ret = member_lock(m, err)) < 0)
		return ret;
	ret = record_disk(m, &ropts, &rec, err);
	/* git removes directories that it emptied, but never one with messages that are recorded. */
	if (!ret && !rec.compare.nlost)
		ret = repair_store(&m->disk, 0, false, &ops, err);
	record_release(&rec);
	repo_unlock(&m->repo);
	/* A busy index only means that git looks at the files again. */
	if (!ret && repaired.n) {
		struct err ignored;

		run_git(m->repo.gitdir, refresh, NULL, &ignored);
	}
	return ret;
}

static void read_input(struct bytes *in)
{
	ssize_t n;

	do {
		n = read(STDIN_FILENO, bytes_reserve(in, 4096), 4096);
		if (n > 0)
			in->len += (size_t)n;
	} while (n > 0);
	bytes_add(in, "", 0);
}

int hook_main(int argc, char **argv)
{
	struct bytes in = { 0 };
	struct member m;
	struct oid oid;
	struct err err;
	const char *name;
	int ret = 0, users;

	if (argc < 2)
		return exit_usage("git maildir hook <name> [<args>...]", 0);
	name = argv[1];
	argc -= 2;
	argv += 2;
	if (!strcmp(name, "post-receive"))
		read_input(&in);
	/* For push-to-checkout git guesses it from where the repository is, and does not look at core.worktree. */
	unsetenv("GIT_WORK_TREE");
	if (member_open_any(&m, &err) < 0) {
		bytes_release(&in);
		return exit_error(&err);
	}
	if (!m.repo.name) {
		err_set(&err, ERR_NOTMEMBER, "'%s' is not a member yet: run 'git maildir init' on it", m.repo.worktree);
		bytes_release(&in);
		member_close(&m);
		return exit_error(&err);
	}
	users = run_users_hook(&m, name, argc, argv, &in);
	/* A user's hook may veto what git asks about before it is done. */
	if (users && (!strcmp(name, "update") || !strcmp(name, "push-to-checkout")))
		ret = err_set(&err, ERR_UNSAFE, "your own hook '%s.local' refused", name);
	else if (!strcmp(name, "post-commit"))
		post_commit(&m);
	else if (!strcmp(name, "post-receive"))
		post_receive(&m, &in);
	else if (!strcmp(name, "update"))
		ret = update_ref(&m, argc, argv, &err);
	else if (!strcmp(name, "push-to-checkout") && argc == 1 && oid_parse(&oid, argv[0])) {
		if ((ret = member_lock(&m, &err)) == 0)
			ret = push_to_checkout(&m, &oid, &err);
	} else if (!strcmp(name, "post-merge") || !strcmp(name, "post-checkout"))
		ret = repair(&m, &err);
	else
		ret = err_set(&err, ERR_FAIL, "there is no hook '%s'", name);
	bytes_release(&in);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
