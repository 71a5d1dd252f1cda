/*
 * strategy.c -- git-merge-maildir, the merge strategy: what "git merge" and "git pull" run.
 *
 * git calls "git-merge-maildir [--<option>...] <base>... -- <ours> <theirs>" at the top of the work tree, and afterwards commits what is in the index. Exit status 1 makes it stop
 * with MERGE_HEAD in place; 2 or more would make it reset the work tree, under the hands of the mail server: never.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "record.h"
#include "update.h"
#include "verbs.h"

static int resolve(struct member *m, const char *rev, struct oid *out, struct err *err)
{
	git_object *obj = NULL, *commit = NULL;
	int ret = 0;

	if (git_revparse_single(&obj, m->repo.git, rev) < 0 || git_object_peel(&commit, obj, GIT_OBJECT_COMMIT) < 0)
		ret = err_set(err, ERR_NOTFOUND, "'%s' is no commit", rev);
	else
		memcpy(out->h, git_object_id(commit)->id, OID_RAW);
	git_object_free(obj);
	git_object_free(commit);
	return ret;
}

static int merge(struct member *m, const struct oids *bases, const struct oid *ours, const struct oid *theirs, struct err *err)
{
	struct merge_opts mopts = { .flag_beats_delete = m->repo.flag_beats_delete };
	struct objects_batch *batch = objects_begin(&m->repo);
	struct compare compare = { 0 };
	struct words words;
	struct compare_opts copts = { .words = &words };
	struct index ix = { 0 };
	struct converge c = { 0 };
	struct update u = { 0 };
	struct oid head_tree, tree;
	int ret;

	words_init(&words, &m->repo, &m->disk, &ix);
	if ((ret = tree_of(&m->repo, ours, &head_tree, err)) < 0 || (ret = index_load(&ix, &m->repo, &head_tree, err)) < 0 ||
	    (ret = compare_disk(&compare, &ix, &m->disk, &copts, err)) < 0)
		goto out;
	if (compare.nlost) {
		ret = err_set(err, ERR_FAIL, "a folder of '%s' has lost a directory: see 'git maildir status'", m->disk.path);
		goto out;
	}
	if ((ret = converge_pair(&c, &m->repo, bases, ours, theirs, &head_tree, batch, &mopts, err)) < 0 ||
	    (ret = update_prepare(&u, m, &c, batch, err)) < 0 || (ret = update_tree(&u, &ix, batch, &tree, err)) < 0 ||
	    (ret = objects_flush(batch, err)) < 0 || (ret = update_apply(&u, &ix, true, err)) < 0)
		goto out;
	ret = update_index(&u, &ix, err);
out:
	index_release(&ix);
	compare_release(&compare);
	words_release(&words);
	update_release(&u);
	converge_release(&c);
	objects_end(batch);
	return ret;
}

int strategy_main(int argc, char **argv)
{
	struct oids bases = { 0 };
	struct oid ours, theirs, base;
	struct member m;
	struct err err;
	int i, ret;

	if (argc == 2 && !strcmp(argv[1], "-h"))
		return exit_usage("git-merge-maildir [<base>...] -- <ours> <theirs>", 1);
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		;
	if (argc - i != 3) {
		exit_warn(argc - i > 3 ? "more than two heads cannot be merged at once: merge them one after the other, or use 'git maildir sync'" :
					 "usage: git-merge-maildir [<base>...] -- <ours> <theirs>");
		return 1;
	}
	/* In a repository that init has not been run on the merge is as good; only refs and settings of ours are missing. */
	if ((ret = member_open_any(&m, &err)) < 0) {
		exit_error(&err);
		return 1;
	}
	for (int k = 1; k < i && !ret; k++) {
		/* -X options come first, as --<option>: there are none to choose from here. */
		if (!strncmp(argv[k], "--", 2))
			continue;
		if (!(ret = resolve(&m, argv[k], &base, &err)))
			oids_add(&bases, &base);
	}
	oids_sort(&bases);
	if (!ret && !(ret = resolve(&m, argv[i + 1], &ours, &err)) && !(ret = resolve(&m, argv[i + 2], &theirs, &err)) &&
	    !(ret = member_lock(&m, &err)))
		ret = merge(&m, &bases, &ours, &theirs, &err);
	oids_release(&bases);
	member_close(&m);
	if (ret < 0)
		exit_error(&err);
	return ret < 0;
}
