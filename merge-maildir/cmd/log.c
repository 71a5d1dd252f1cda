/*
 * log.c -- what happened to a folder, or to one message.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/deed.h"
#include "../core/header.h"
#include "../core/summary.h"
#include "../repo/trail.h"
#include "exit.h"
#include "member.h"
#include "verbs.h"
#include "when.h"
#include "which.h"

/* More changes than this in one commit are summed up. */
#define LISTED_MOST 20
#define AUTHOR_SHOWN 40

struct query {
	struct member *m;
	const char *folder; /* NULL: all */
	struct which *which; /* NULL: all */
	bool verbose;
	struct bytes out;
	size_t shown;
};

/* 1 if the change is asked for, 0 if not, or an err_code. */
static int wanted(struct query *q, const struct change *c, struct err *err)
{
	bool quiet = (c->kind == CHANGE_FILE_PUT || c->kind == CHANGE_FILE_GONE) && path_is_quiet((c->fto ? c->fto : c->ffrom)->class);
	int ret = 0;

	/* Markers are spoken of as folders that come and go, and UIDs not at all. */
	if (quiet || (q->folder && !which_folder(q->folder, c->folder) && !which_folder(q->folder, c->to_folder)))
		return 0;
	if (!q->which)
		return 1;
	if (c->from)
		ret = which_match(q->which, &q->m->repo, c->from, err);
	if (!ret && c->to)
		ret = which_match(q->which, &q->m->repo, c->to, err);
	return ret;
}

static void add_member(struct bytes *out, const char *author)
{
	size_t len = strcspn(author, "<");

	while (len && author[len - 1] == ' ')
		len--;
	header_show(out, author, len, AUTHOR_SHOWN);
}

/* Whether a word can be given to a shell, and shown on a terminal, as it is. */
static bool is_plain(const char *s, size_t len)
{
	static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._,=+:@%/-";

	return len && *s != '-' && strspn(s, fine) >= len;
}

/* A folder as a word of a command; nothing if it cannot be typed. */
static void add_folder(struct bytes *out, const char *folder)
{
	if (!*folder) {
		bytes_addstr(out, " INBOX");
	} else if (is_plain(folder, strlen(folder))) {
		bytes_addf(out, " %s", folder);
	} else if (*folder != '-' && !strchr(folder, '\'')) {
		struct bytes shown = { 0 };

		header_show(&shown, folder, strlen(folder), strlen(folder));
		if (shown.len == strlen(folder) && !memcmp(shown.buf, folder, shown.len))
			bytes_addf(out, " '%s'", folder);
		bytes_release(&shown);
	}
}

static void add_way_back(struct bytes *out, const struct change *c)
{
	char hex[OID_HEX + 1];

	bytes_addstr(out, "    git maildir restore --message=");
	if (is_plain(c->from->name, c->from->keylen))
		bytes_add(out, c->from->name, c->from->keylen);
	else
		bytes_addstr(out, oid_hex(&c->from->oid, hex));
	add_folder(out, c->folder);
	bytes_addstr(out, "\n");
}

static void show_one(struct query *q, const struct change *c)
{
	const struct msg *m = c->to ? c->to : c->from;

	deed_show(c, &q->out);
	if (m) {
		bytes_addstr(&q->out, "  ");
		which_show(&q->m->repo, &m->oid, &q->out);
	}
	bytes_addstr(&q->out, "\n");
	if (c->kind == CHANGE_DELETE)
		add_way_back(&q->out, c);
}

/* Many changes of one commit, by folder. */
static void show_sum(struct query *q, const struct changes *all, struct change *v, size_t n)
{
	struct changes some = { .v = v, .n = n, .from = all->from, .to = all->to };
	struct bytes sum = { 0 };
	const char *s, *nl;

	summary_of(&some, &sum);
	for (s = sum.buf; s < sum.buf + sum.len; s = nl + 1) {
		nl = memchr(s, '\n', (size_t)(sum.buf + sum.len - s));
		if (!nl)
			nl = sum.buf + sum.len;
		if (nl == s)
			continue;
		bytes_addstr(&q->out, s == sum.buf ? "" : "    ");
		bytes_add(&q->out, s, (size_t)(nl - s));
		bytes_addstr(&q->out, "\n");
	}
	bytes_release(&sum);
}

static int show_step(struct query *q, const struct trail_step *step, struct err *err)
{
	struct change *v = mem_alloc((step->changes.n + 1) * sizeof(*v));
	size_t n = 0, head;
	char time[WHEN_SHOWN];
	int ret = 0;

	for (size_t i = 0; i < step->changes.n && ret >= 0; i++)
		if ((ret = wanted(q, &step->changes.v[i], err)) > 0)
			v[n++] = step->changes.v[i];
	if (ret >= 0 && n) {
		bytes_clear(&q->out);
		bytes_addf(&q->out, "%s  ", when_show(time, step->commit->time));
		add_member(&q->out, step->commit->author);
		bytes_addstr(&q->out, "  ");
		head = q->out.len;
		if (n > LISTED_MOST && !q->verbose && !q->which) {
			show_sum(q, &step->changes, v, n);
		} else {
			struct bytes first = { 0 };

			bytes_add(&first, q->out.buf, head);
			for (size_t i = 0; i < n; i++) {
				if (i)
					bytes_add(&q->out, first.buf, first.len);
				show_one(q, &v[i]);
			}
			bytes_release(&first);
		}
		fwrite(q->out.buf, 1, q->out.len, stdout);
		q->shown += n;
	}
	free(v);
	return ret < 0 ? ret : 0;
}

static int show_all(struct query *q, const struct oid *head, struct err *err)
{
	const struct trail_step *step;
	struct trail trail = { 0 };
	struct oid tree;
	char time[WHEN_SHOWN];
	int64_t oldest;
	bool whole;
	int ret = trail_open(&trail, &q->m->repo, head, err);

	if (ret < 0)
		goto out;
	/* A reader that has seen enough ("| head") ends it. */
	while (!ferror(stdout) && (ret = trail_next(&trail, &step, err)) > 0)
		if ((ret = show_step(q, step, err)) < 0)
			break;
	if (ret < 0)
		goto out;
	oldest = trail_oldest(&trail, &whole);
	if (!whole)
		printf("%s  history goes back to here; what was before is pruned\n", when_show(time, oldest));
	if (!q->shown && q->which)
		ret = err_set(err, ERR_NOTFOUND, "nothing happened to a message '%.200s' since %s", q->which->id, when_show(time, oldest));
	else if (!q->shown && q->folder && (ret = tree_of(&q->m->repo, head, &tree, err)) == 0 &&
		 (ret = which_folder_there(&q->m->repo, &tree, q->folder, err)) == 0)
		ret = err_set(err, ERR_NOTFOUND, "there is no folder '%.200s'", q->folder);
out:
	trail_release(&trail);
	return ret < 0 ? ret : 0;
}

static const char usage[] = "git maildir log [--verbose] [--message=<id>] [<folder>]";

int log_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "message", required_argument, NULL, 'm' },
						  { "verbose", no_argument, NULL, 'v' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct query q = { 0 };
	struct which which = { 0 };
	const char *id = NULL;
	struct member m;
	struct oid head;
	struct err err;
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'm': id = optarg; break;
		case 'v': q.verbose = true; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (argc - optind > 1 || (id && !*id))
		return exit_usage(usage, 0);
	q.folder = argv[optind];
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	q.m = &m;
	ret = id ? which_init(&which, id, &err) : 0;
	if (id)
		q.which = &which;
	if (!ret && (ret = repo_head(&m.repo, &head, &err)) == 0)
		ret = show_all(&q, &head, &err);
	fflush(stdout);
	which_release(&which);
	bytes_release(&q.out);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
