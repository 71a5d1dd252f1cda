/*
 * verify.c -- audits the member, and says what is wrong.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/hash.h"
#include "../disk/file.h"
#include "../disk/repair.h"
#include "../repo/peer.h"
#include "../repo/run.h"
#include "../repo/tree.h"
#include "audit.h"
#include "exit.h"
#include "progress.h"
#include "record.h"
#include "setup.h"
#include "verbs.h"

struct audit {
	struct member *m;
	size_t problems;
};

static void problem(struct audit *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void problem(struct audit *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	a->problems++;
}

static void imap_problem(void *ctx, const char *what)
{
	problem(ctx, "%s", what);
}

static void note_problem(void *ctx, const char *path, const char *what)
{
	problem(ctx, "'%s': %s", path, what);
}

/* Every message and file on disk is read and compared with the blob that HEAD has for it. */
static int check_contents(struct audit *a, const struct index *ix, struct err *err)
{
	struct progress progress;
	struct bytes b = { 0 };
	int ret = 0;

	progress_start(&progress, "Comparing messages");
	for (size_t i = 0; i < ix->n && !ret; i++) {
		struct oid oid;
		struct path p;

		path_parse(&p, ix->v[i].path, ix->v[i].len);
		if (p.class == PATH_IGNORED) {
			problem(a, "'%s' is recorded, but does not belong into a store", ix->v[i].path);
			continue;
		}
		/* See audit.h. */
		if (p.class == PATH_UIDLIST || p.class == PATH_KEYWORDS)
			continue;
		bytes_clear(&b);
		ret = file_read(&a->m->disk, ix->v[i].path, &b, NULL, err);
		if (ret == ERR_NOTFOUND) {
			/* What is not there is told as a change that is not recorded. */
			ret = 0;
			continue;
		}
		objects_hash(OBJECTS_BLOB, b.buf ? b.buf : "", b.len, &oid);
		if (!ret && !oid_eq(&oid, &ix->v[i].oid))
			problem(a, "'%s' is not what was recorded under this name", ix->v[i].path);
		progress_step(&progress, i + 1, ix->n);
	}
	progress_end(&progress);
	bytes_release(&b);
	return ret;
}

/* Two files with one key in a folder: mail servers take them for one message. */
static void check_keys(struct audit *a, const struct scan *s)
{
	for (size_t i = 0; i < s->nfolders; i++) {
		const struct scan_folder *f = &s->folders[i];
		struct hash_table t;

		hash_init(&t, f->sub[NAME_NEW].n + f->sub[NAME_CUR].n);
		for (size_t k = 0; k < f->sub[NAME_NEW].n + f->sub[NAME_CUR].n; k++) {
			const struct scan_entry *e = k < f->sub[NAME_NEW].n ? &f->sub[NAME_NEW].v[k] : &f->sub[NAME_CUR].v[k - f->sub[NAME_NEW].n], *o;
			size_t len = strcspn(e->name, ":"), it = 0, j;
			uint32_t h = hash_bytes(e->name, len);

			while (hash_next(&t, h, &it, &j)) {
				o = j < f->sub[NAME_NEW].n ? &f->sub[NAME_NEW].v[j] : &f->sub[NAME_CUR].v[j - f->sub[NAME_NEW].n];
				if (strcspn(o->name, ":") == len && !memcmp(o->name, e->name, len))
					problem(a, "'%s' and '%s' in folder '%s' have the same key", o->name, e->name, *f->path ? f->path : "INBOX");
			}
			hash_add(&t, h, k);
		}
		hash_release(&t);
	}
}

static int check_repository(struct audit *a, struct err *err)
{
	const char *fsck[] = { "git", "fsck", "--strict", "--no-dangling", "--no-progress", NULL };
	struct run run = { .argv = fsck, .cwd = a->m->repo.worktree, .clean_env = true };
	const char *missing;
	char *line, *save = NULL;
	int ret = run_all(&run, 1, err);

	if (ret)
		return ret;
	if (run.status)
		problem(a, "git fsck found the repository broken (status %d)", run.status);
	bytes_add(&run.out, run.err.buf ? run.err.buf : "", run.err.len);
	for (line = strtok_r(run.out.buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		problem(a, "git fsck: %s", line);
	bytes_release(&run.out);
	bytes_release(&run.err);
	if ((missing = setup_hooks_missing(&a->m->repo)))
		problem(a, "the hook '%s' is not installed: run 'git maildir init' again", missing);
	return 0;
}

/* Whether the tree of HEAD, and of every peer, holds only what may reach a disk. */
static int check_trees(struct audit *a, struct err *err)
{
	struct peers peers = { 0 };
	int ret = peer_list(&peers, &a->m->repo, err);

	for (size_t i = 0; i <= peers.n && !ret; i++) {
		struct store s = { .nfolders = 0 };
		struct tree_set *set = NULL;
		struct oid commit, tree;
		const struct oid *ids[1] = { &tree };
		int bad;

		if (i < peers.n && !peers.v[i].known)
			continue;
		if (i == peers.n) {
			if (repo_head(&a->m->repo, &commit, err) < 0)
				continue;
		} else {
			commit = peers.v[i].head;
		}
		bad = tree_of(&a->m->repo, &commit, &tree, err);
		if (!bad)
			bad = tree_load(&s, ids, 1, &a->m->repo, &set, NULL, err);
		if (bad)
			problem(a, "%s%s: %s", i < peers.n ? "the state of peer " : "HEAD", i < peers.n ? peers.v[i].name : "", err->msg);
		store_release(&s);
		if (set)
			tree_release(set);
	}
	peers_release(&peers);
	return ret;
}

static int check_disk(struct audit *a, struct err *err)
{
	struct record_opts opts = { .dry_run = true, .full = true };
	struct record_result rec = { 0 };
	struct repair_ops ops = { .ctx = a, .note = note_problem };
	int ret = record_disk(a->m, &opts, &rec, err);

	if (!ret) {
		if (!rec.head_known)
			problem(a, "nothing is recorded yet");
		if (rec.changed)
			problem(a, "changes that are not recorded (run 'git maildir record'): %.*s", (int)strcspn(rec.summary.buf, "\n"), rec.summary.buf);
		a->problems += record_warn(a->m, &rec);
		for (size_t i = 0; i < rec.compare.scan.nodds; i++)
			problem(a, "'%s' is left alone: it %s", rec.compare.scan.odds[i].path, rec.compare.scan.odds[i].why);
		check_keys(a, &rec.compare.scan);
		ret = check_contents(a, &rec.index, err);
	}
	if (!ret)
		ret = audit_imap(a->m, &rec, imap_problem, a, err);
	record_release(&rec);
	if (!ret)
		ret = repair_store(&a->m->disk, 0, true, &ops, err);
	if (!ret)
		ret = repair_tmp(&a->m->disk, true, &ops, err);
	return ret;
}

static const char usage[] = "git maildir verify";

int verify_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct audit a = { 0 };
	struct member m;
	struct err err;
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		return exit_usage(usage, c == 'h');
	if (optind != argc)
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	a.m = &m;
	if ((ret = member_lock(&m, &err)) == 0) {
		ret = check_disk(&a, &err);
		repo_unlock(&m.repo);
	}
	if (!ret)
		ret = check_trees(&a, &err);
	if (!ret)
		ret = check_repository(&a, &err);
	member_close(&m);
	if (ret < 0)
		return exit_error(&err);
	if (!a.problems)
		printf("nothing is wrong\n");
	return a.problems ? EXIT_INCOMPLETE : EXIT_DONE;
}
