/*
 * restore.c -- brings back what was deleted, as an ordinary change.
 *
 * What comes back is put on disk by apply, as a merge's additions are, and the next record commits it: a kill in between
 * leaves a message that was delivered, as far as anybody can tell. It gets the key that it had. The deletion is an ancestor
 * of the restoration, so a merge with somebody who knows one, both or neither of them finds the message added or untouched,
 * and two members that restore it at the same time add the same message. Only a deletion of that message on another member,
 * which was not known here, takes it away again: that is a user's wish, too, and can be undone in the same way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/keywords.h"
#include "../core/plan.h"
#include "../disk/apply.h"
#include "exit.h"
#include "missing.h"
#include "progress.h"
#include "record.h"
#include "upkeep.h"
#include "verbs.h"
#include "wake.h"
#include "when.h"
#include "which.h"

/* How often a record is tried while somebody else moves HEAD. */
#define TRIES 5

struct restore {
	struct member *m;
	bool dry_run;
	struct record_result rec;
	struct missing missing;
	struct progress progress;
};

static bool is_folder(const struct restore *r, const char *path)
{
	const struct scan *s = &r->rec.compare.scan;

	for (size_t i = 0; i < s->nfolders; i++)
		if (!strcmp(s->folders[i].path, path))
			return true;
	return false;
}

static struct plan_step *add_step(struct plan *p, enum plan_kind kind, const char *folder)
{
	MEM_GROW(p->v, p->n, p->cap);
	p->v[p->n] = (struct plan_step){ .kind = kind, .folder = folder, .mtime = -1 };
	return &p->v[p->n++];
}

static int by_folder(const void *a, const void *b)
{
	return strcmp(((const struct plan_step *)a)->folder, ((const struct plan_step *)b)->folder);
}

static void build_plan(const struct restore *r, struct plan *p)
{
	const struct missing *x = &r->missing;
	const char *last = NULL;

	for (size_t i = 0; i < x->nfolders; i++)
		if (!is_folder(r, x->folders[i]))
			add_step(p, PLAN_MKFOLDER, x->folders[i]);
	for (size_t i = 0; i < x->n; i++) {
		if ((!last || strcmp(last, x->v[i].folder) != 0) && !is_folder(r, x->v[i].folder))
			add_step(p, PLAN_MKFOLDER, x->v[i].folder);
		last = x->v[i].folder;
	}
	/* A folder that is above another sorts before it. To make one twice is fine. */
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_folder);
	for (size_t i = 0; i < x->n; i++) {
		struct plan_step *s = add_step(p, PLAN_ADD, x->v[i].folder);

		s->sub = x->v[i].msg.sub;
		s->name = x->v[i].msg.name;
		s->oid = x->v[i].msg.oid;
		s->mtime = x->v[i].mtime;
	}
}

static int op_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	return objects_read(&((struct restore *)ctx)->m->repo, oid, OBJECTS_BLOB, out, err);
}

static void op_hash(void *ctx, const void *buf, size_t len, struct oid *out)
{
	(void)ctx;
	objects_hash(OBJECTS_BLOB, buf, len, out);
}

/* Names have the letters of what is recorded now; UIDs are for the record to give. */
static int op_imap(void *ctx, const char *folder, enum path_class class, bool before, struct bytes *out, struct err *err)
{
	struct restore *r = ctx;
	struct arena a = { 0 };
	const char *path = arena_printf(&a, "%s%s%s", folder, *folder ? "/" : "", KEYWORDS_NAME);
	ssize_t at = class == PATH_KEYWORDS ? index_find(&r->rec.index, path, strlen(path)) : -1;
	int ret = at < 0 ? ERR_NOTFOUND : objects_read(&r->m->repo, &r->rec.index.v[at].oid, OBJECTS_BLOB, out, err);

	(void)before;
	arena_release(&a);
	return ret;
}

static void op_progress(void *ctx, size_t done, size_t total)
{
	progress_step(&((struct restore *)ctx)->progress, done, total);
}

static void show(struct restore *r)
{
	const struct missing *x = &r->missing;
	const char *verb = r->dry_run ? "would bring back" : "brought back";
	char name[400];

	for (size_t i = 0; i < x->n && x->n <= MISSING_LISTED_MOST; i++) {
		struct bytes line = { 0 };

		which_show(&r->m->repo, &x->v[i].msg.oid, &line);
		printf("%s: %s %s\n", path_show(name, sizeof(name), x->v[i].folder), verb, line.buf);
		bytes_release(&line);
	}
	for (size_t i = 0, k; i < x->n && x->n > MISSING_LISTED_MOST; i = k) {
		for (k = i; k < x->n && !strcmp(x->v[k].folder, x->v[i].folder); k++)
			continue;
		printf("%s: %s %zu messages\n", path_show(name, sizeof(name), x->v[i].folder), verb, k - i);
	}
	for (size_t i = 0; i < x->nfolders; i++)
		if (!is_folder(r, x->folders[i]))
			printf("%s: %s the folder\n", path_show(name, sizeof(name), x->folders[i]), verb);
	if (x->there > MISSING_LISTED_MOST)
		printf("%zu messages are there: left alone\n", x->there);
}

static int record_now(struct restore *r, struct err *err)
{
	struct record_opts opts = { .dry_run = r->dry_run };
	int ret = ERR_AGAIN;

	for (int i = 0; i < TRIES && ret == ERR_AGAIN; i++) {
		record_release(&r->rec);
		ret = record_disk(r->m, &opts, &r->rec, err);
	}
	return ret;
}

/* What to do, as data. */
static int prepare(struct restore *r, struct err *err)
{
	int ret = record_now(r, err);

	if (ret < 0)
		return ret;
	if (!r->rec.head_known)
		return err_set(err, ERR_NOTFOUND, "nothing is recorded yet");
	record_warn(r->m, &r->rec);
	/* What comes back into a folder that is broken would be gone again when it is put right. */
	if (r->rec.compare.nlost)
		return err_set(err, ERR_FAIL, "nothing was restored: put the broken folder right first");
	return missing_find(&r->missing, err);
}

static int carry_out(struct restore *r, const struct plan *p, struct err *err)
{
	struct apply_ops ops = { .ctx = r, .read = op_read, .hash = op_hash, .imap = op_imap, .progress = op_progress };
	struct apply_opts opts = { 0 };
	struct apply_result res;
	char hex[OID_HEX + 1];
	int ret;

	wake_later(r->m, p);
	progress_start(&r->progress, "Writing messages");
	ret = apply_plan(&r->m->disk, p, &ops, &opts, &res, err);
	progress_end(&r->progress);
	if (ret < 0)
		return ret;
	show(r);
	if ((ret = record_now(r, err)) < 0)
		return ret;
	if (r->rec.committed) {
		printf("%.10s ", oid_hex(&r->rec.head, hex));
		fwrite(r->rec.summary.buf, 1, r->rec.summary.len, stdout);
		if (r->rec.summary.len && r->rec.summary.buf[r->rec.summary.len - 1] != '\n')
			putchar('\n');
	}
	return 0;
}

static int run(struct restore *r, bool push, struct err *err)
{
	struct plan plan = { 0 };
	struct oid before, after;
	bool had = repo_head(&r->m->repo, &before, err) == 0;
	int ret = r->dry_run ? 0 : member_lock(r->m, err);

	if (ret < 0)
		return ret;
	if ((ret = prepare(r, err)) == 0) {
		build_plan(r, &plan);
		if (!plan.n && !r->missing.there)
			printf("nothing is missing\n");
		if (r->dry_run || !plan.n)
			show(r);
		else
			ret = carry_out(r, &plan, err);
	}
	plan_release(&plan);
	if (r->dry_run)
		return ret;
	repo_unlock(&r->m->repo);
	/* The first record may have found something, too. */
	if (push && r->m->repo.auto_push && repo_head(&r->m->repo, &after, NULL) == 0 && (!had || !oid_eq(&before, &after)))
		member_spawn(r->m, (const char *const[]){ "push", NULL });
	upkeep_after(r->m);
	return ret;
}

static const char usage[] = "git maildir restore [--dry-run] [--no-push] --message=<id> [--at=<time>] [<folder>]\n"
			    "       git maildir restore [--dry-run] [--no-push] --at=<time> <folder>";

int restore_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "dry-run", no_argument, NULL, 'n' },
						  { "message", required_argument, NULL, 'm' },
						  { "at", required_argument, NULL, 'a' },
						  { "no-push", no_argument, NULL, 'P' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct restore r = { .missing.at = -1 };
	struct which which = { 0 };
	const char *id = NULL, *at = NULL;
	struct member m;
	struct err err;
	bool push = true;
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': r.dry_run = true; break;
		case 'm': id = optarg; break;
		case 'a': at = optarg; break;
		case 'P': push = false; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (argc - optind > 1 || (id && !*id) || (!id && (!at || optind == argc)))
		return exit_usage(usage, 0);
	if (at && (!when_parse(at, time(NULL), &r.missing.at) || r.missing.at < 0)) {
		exit_warn("'%.100s' is no time: say \"2026-11-23 18:05\" or \"2 hours ago\"", at);
		return EXIT_USAGE;
	}
	r.missing.folder = argv[optind];
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	r.m = &m;
	r.missing.repo = &m.repo;
	r.missing.rec = &r.rec;
	ret = id ? which_init(&which, id, &err) : 0;
	if (id)
		r.missing.which = &which;
	if (!ret)
		ret = run(&r, push, &err);
	missing_release(&r.missing);
	record_release(&r.rec);
	which_release(&which);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
