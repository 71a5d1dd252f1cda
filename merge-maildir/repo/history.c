/*
 * history.c -- commits: changes, views, the frontier, merge bases.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "history.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "walk.h"

#define VIEW_IDENT "git-maildir <view@git-maildir>"
#define SEAL_MESSAGE "Keep the new UIDs that this merge gave out\n"
/* Commits come from peers: what is taken over from them into a view has a limit. */
#define SUBJECT_MAX 200
#define AUTHOR_MAX 100
#define TIME_MAX 253402300799LL /* the end of the year 9999: git fsck dislikes what is later */
/* A view's parents are no views: honest history is one level deep. A forged tower of views may cost this many commits. */
#define READ_BUDGET 2000

static char *copy_n(const char *s, size_t len)
{
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

/* One header line of a commit: the value of key, or NULL if the line at *pos is another. */
static const char *header(const struct bytes *b, size_t *pos, const char *key, size_t *len)
{
	size_t klen = strlen(key);
	const char *s = b->buf + *pos, *nl = memchr(s, '\n', b->len - *pos);

	if (!nl || (size_t)(nl - s) <= klen || memcmp(s, key, klen) != 0 || s[klen] != ' ')
		return NULL;
	*pos += (size_t)(nl - s) + 1;
	*len = (size_t)(nl - s) - klen - 1;
	return s + klen + 1;
}

static bool id_line(const struct bytes *b, size_t *pos, const char *key, struct oid *out)
{
	size_t len, next = *pos;
	const char *v = header(b, &next, key, &len);

	if (!v || len != OID_HEX || !oid_parse(out, v))
		return false;
	*pos = next;
	return true;
}

/* "Name <mail> 1700000000 +0100". What is no number counts as 0, as in git. */
static bool ident_line(const struct bytes *b, size_t *pos, const char *key, char **who, int64_t *when, int *tz)
{
	size_t len, end;
	const char *v = header(b, pos, key, &len);
	char tail[64], *rest;
	long z;

	if (!v)
		return false;
	for (end = len; end && v[end - 1] != '>'; end--)
		continue;
	*who = copy_n(v, end ? end : len);
	if (!end)
		end = len;
	snprintf(tail, sizeof(tail), "%.*s", (int)(len - end < sizeof(tail) ? len - end : sizeof(tail) - 1), v + end);
	*when = strtoll(tail, &rest, 10);
	z = strtol(rest, NULL, 10);
	if (z < -9999 || z > 9999)
		z = 0;
	*tz = (int)(z / 100 * 60 + z % 100);
	return true;
}

static bool parse(const struct bytes *b, struct history_commit *c)
{
	size_t pos = 0;
	struct oid p;

	if (!b->len || !id_line(b, &pos, "tree", &c->tree))
		return false;
	while (id_line(b, &pos, "parent", &p))
		oids_add(&c->parents, &p);
	if (!ident_line(b, &pos, "author", &c->author, &c->author_time, &c->author_tz) ||
	    !ident_line(b, &pos, "committer", &c->committer, &c->committer_time, &c->committer_tz))
		return false;
	while (pos < b->len && b->buf[pos] != '\n') {
		const char *nl = memchr(b->buf + pos, '\n', b->len - pos);

		if (!nl)
			break;
		pos = (size_t)(nl - b->buf) + 1;
	}
	if (pos < b->len)
		pos++;
	c->message = copy_n(b->buf + pos, b->len - pos);
	return true;
}

int history_read(struct repo *r, const struct oid *commit, struct history_commit *out, struct err *err)
{
	struct bytes b = { 0 };
	char hex[OID_HEX + 1];
	struct err why;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = objects_read(r, commit, OBJECTS_COMMIT, &b, &why);
	if (rc == ERR_NOTFOUND)
		rc = err_set(err, rc, "commit '%s' is missing", oid_hex(commit, hex));
	else if (rc)
		rc = err_set(err, rc, "cannot read commit '%s': %s", oid_hex(commit, hex), why.msg);
	else if (!parse(&b, out))
		rc = err_set(err, ERR_FAIL, "commit '%s' is broken", oid_hex(commit, hex));
	bytes_release(&b);
	if (rc)
		history_commit_release(out);
	return rc;
}

void history_commit_release(struct history_commit *c)
{
	oids_release(&c->parents);
	free(c->author);
	free(c->committer);
	free(c->message);
	memset(c, 0, sizeof(*c));
}

static void add_ident(struct bytes *b, const char *key, const char *who, int64_t when, int tz)
{
	int z = tz < 0 ? -tz : tz;

	bytes_addf(b, "%s %s %lld %c%02d%02d\n", key, who, (long long)when, tz < 0 ? '-' : '+', z / 60, z % 60);
}

static void serialise(struct bytes *b, const struct history_commit *c)
{
	char hex[OID_HEX + 1];

	bytes_addf(b, "tree %s\n", oid_hex(&c->tree, hex));
	for (size_t i = 0; i < c->parents.n; i++)
		bytes_addf(b, "parent %s\n", oid_hex(&c->parents.v[i], hex));
	add_ident(b, "author", c->author, c->author_time, c->author_tz);
	add_ident(b, "committer", c->committer, c->committer_time, c->committer_tz);
	bytes_addf(b, "\n%s", c->message);
}

int history_write(struct objects_batch *b, const struct history_commit *c, struct oid *out, struct err *err)
{
	struct bytes buf = { 0 };
	int rc;

	serialise(&buf, c);
	rc = objects_add(b, OBJECTS_COMMIT, buf.buf, buf.len, out, err);
	bytes_release(&buf);
	return rc;
}

static int cmp_str(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* At most max bytes of s, fit for a line of a message: it comes from a peer. */
static char *line_of(const char *s, size_t len, size_t max)
{
	char *p = copy_n(s, len < max ? len : max);

	for (char *q = p; *q; q++)
		if ((unsigned char)*q < 0x20 || *q == 0x7f)
			*q = '?';
	return p;
}

/* "Ada" of "Ada <ada@example.org>". */
static char *name_of(const char *ident)
{
	size_t len = strcspn(ident, "<");

	while (len && isspace((unsigned char)ident[len - 1]))
		len--;
	return len ? line_of(ident, len, AUTHOR_MAX) : copy_n("somebody", 8);
}

static void add_names(struct bytes *msg, char *const *names, size_t n)
{
	char **s = mem_alloc(n * sizeof(*s));
	size_t k = 0;

	memcpy(s, names, n * sizeof(*s));
	qsort(s, n, sizeof(*s), cmp_str);
	for (size_t i = 0; i < n; i++)
		if (!k || strcmp(s[i], s[k - 1]) != 0)
			s[k++] = s[i];
	for (size_t i = 0; i < k; i++)
		bytes_addf(msg, "%s%s", i == 0 ? "" : i + 1 == k ? " and " : ", ", s[i]);
	free(s);
}

/* What a view of these commits says, all but its tree: a function of the commits alone. */
static int derive(struct repo *r, const struct oids *frontier, struct history_commit *out, struct err *err)
{
	char **names = mem_zalloc((frontier->n + 1) * sizeof(*names));
	struct bytes list = { 0 }, msg = { 0 };
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; !rc && i < frontier->n; i++) {
		struct history_commit p;
		char *subject;

		rc = history_read(r, &frontier->v[i], &p, err);
		if (rc)
			break;
		names[i] = name_of(p.author);
		subject = line_of(p.message, strcspn(p.message, "\n"), SUBJECT_MAX);
		bytes_addf(&list, "* %s: %s\n", names[i], subject);
		free(subject);
		if (p.committer_time > out->committer_time)
			out->committer_time = p.committer_time < TIME_MAX ? p.committer_time : TIME_MAX;
		oids_add(&out->parents, &frontier->v[i]);
		history_commit_release(&p);
	}
	if (!rc) {
		bytes_addstr(&msg, "Merge the changes of ");
		add_names(&msg, names, frontier->n);
		bytes_addf(&msg, "\n\n%s", list.buf);
		out->author = copy_n(VIEW_IDENT, strlen(VIEW_IDENT));
		out->committer = copy_n(VIEW_IDENT, strlen(VIEW_IDENT));
		out->author_time = out->committer_time;
		out->message = msg.buf;
	}
	for (size_t i = 0; i < frontier->n; i++)
		free(names[i]);
	free(names);
	bytes_release(&list);
	if (rc)
		history_commit_release(out);
	return rc;
}

int history_view(struct repo *r, struct objects_batch *b, const struct oids *frontier, const struct oid *tree, bool sealed, struct oid *out,
		 struct err *err)
{
	struct history_commit c;
	int rc;

	rc = derive(r, frontier, &c, err);
	if (rc)
		return rc;
	c.tree = *tree;
	rc = history_write(b, &c, out, err);
	if (!rc && sealed) {
		oids_release(&c.parents);
		oids_add(&c.parents, out);
		free(c.message);
		c.message = copy_n(SEAL_MESSAGE, strlen(SEAL_MESSAGE));
		rc = history_write(b, &c, out, err);
	}
	history_commit_release(&c);
	return rc;
}

/* Whether it could be a view, by what it says itself. */
static bool looks_like_view(const struct history_commit *c)
{
	if (c->parents.n < 2 || strcmp(c->author, VIEW_IDENT) != 0 || strcmp(c->committer, VIEW_IDENT) != 0)
		return false;
	for (size_t i = 1; i < c->parents.n; i++)
		if (oid_cmp(&c->parents.v[i - 1], &c->parents.v[i]) >= 0)
			return false;
	return true;
}

/* 1: derived from its parents to the byte. 0: not, or a parent is missing. */
static int derives(struct repo *r, const struct oid *commit, const struct history_commit *c, struct err *err)
{
	struct history_commit want;
	struct bytes b = { 0 };
	struct oid id;
	int rc = derive(r, &c->parents, &want, err);

	if (rc)
		return rc == ERR_NOTFOUND ? 0 : rc;
	want.tree = c->tree;
	serialise(&b, &want);
	objects_hash(OBJECTS_COMMIT, b.buf, b.len, &id);
	bytes_release(&b);
	history_commit_release(&want);
	return oid_eq(&id, commit);
}

/* parents, if not NULL, gets the parents of a view. */
static int view_check(struct repo *r, const struct walk *w, const struct oid *commit, struct oids *parents, int *budget,
		      struct err *err)
{
	struct history_commit c;
	int rc;

	if (walk_is_boundary(w, commit))
		return 0;
	rc = history_read(r, commit, &c, err);
	if (rc)
		return rc;
	/* Every answer depends on nothing but the commits, the one that the budget gives as well: members must agree. */
	*budget -= 1 + (int)(c.parents.n < READ_BUDGET ? c.parents.n : READ_BUDGET);
	if (!looks_like_view(&c) || *budget < 0)
		goto out;
	rc = derives(r, commit, &c, err);
	for (size_t i = 0; rc == 1 && i < c.parents.n; i++) {
		int below = view_check(r, w, &c.parents.v[i], NULL, budget, err);

		rc = below < 0 ? below : !below && *budget >= 0;
	}
	for (size_t i = 0; rc == 1 && parents && i < c.parents.n; i++)
		oids_add(parents, &c.parents.v[i]);
out:
	history_commit_release(&c);
	return rc;
}

int history_is_view(struct repo *r, const struct oid *commit, struct err *err)
{
	int budget = READ_BUDGET, rc;
	struct walk *w;

	rc = walk_begin(&w, r, err);
	if (!rc)
		rc = view_check(r, w, commit, NULL, &budget, err);
	walk_end(w);
	return rc;
}

/* Runs a git command that prints ids, and appends them. Exit status 1 means that there are none. */
static int ask_git(struct repo *r, const char *const *cmd, const struct oid *one, const struct oids *ids, struct oids *out,
		   struct err *err)
{
	size_t max = 8 + ids->n, n = 0;
	const char **argv = mem_alloc(max * sizeof(*argv));
	struct run run = { .argv = argv, .clean_env = true };
	struct arena a = { 0 };
	char hex[OID_HEX + 1], why[512];
	int rc;

	argv[n++] = "git";
	argv[n++] = arena_printf(&a, "--git-dir=%s", r->gitdir);
	while (*cmd)
		argv[n++] = *cmd++;
	if (one)
		argv[n++] = arena_printf(&a, "%s", oid_hex(one, hex));
	for (size_t i = 0; i < ids->n; i++)
		argv[n++] = arena_printf(&a, "%s", oid_hex(&ids->v[i], hex));
	argv[n] = NULL;
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0 && run.status != 1)
		rc = err_set(err, ERR_FAIL, "'git %s' failed: %s", argv[2], run_reason(why, sizeof(why), &run));
	for (size_t pos = 0; !rc && out && pos + OID_HEX < run.out.len; pos += OID_HEX + 1) {
		struct oid o;

		if (oid_parse(&o, run.out.buf + pos))
			oids_add(out, &o);
		else
			rc = err_set(err, ERR_FAIL, "'git %s' answers what is no list of ids", argv[2]);
	}
	if (!rc && !out)
		rc = run.status == 0;
	bytes_release(&run.out);
	bytes_release(&run.err);
	arena_release(&a);
	free(argv);
	return rc;
}

static int maximal(struct repo *r, struct walk *w, const struct oids *ids, struct oids *out, struct err *err)
{
	static const char *const cmd[] = { "merge-base", "--independent", NULL };
	struct err far;
	int rc = walk_maximal(w, ids, out, &far);

	if (rc == ERR_AGAIN) {
		rc = ask_git(r, cmd, NULL, ids, out, &far);
		oids_sort(out);
	}
	return rc ? err_set(err, rc, "%s", far.msg) : 0;
}

int history_frontier(struct repo *r, const struct oids *heads, struct oids *out, struct err *err)
{
	struct oids changes = { 0 }, todo = { 0 };
	struct walk *w;
	int rc;

	rc = walk_begin(&w, r, err);
	for (size_t i = 0; !rc && i < heads->n; i++)
		oids_add(&todo, &heads->v[i]);
	oids_sort(&todo);
	for (size_t i = 0; !rc && i < todo.n; i++) {
		int budget = READ_BUDGET;

		rc = view_check(r, w, &todo.v[i], &changes, &budget, err);
		if (rc == 0)
			oids_add(&changes, &todo.v[i]);
		rc = rc < 0 ? rc : 0;
	}
	oids_sort(&changes);
	if (!rc && changes.n > 1)
		rc = maximal(r, w, &changes, out, err);
	else if (!rc && changes.n)
		oids_add(out, changes.v);
	walk_end(w);
	oids_release(&changes);
	oids_release(&todo);
	return rc;
}

int history_has_more(struct repo *r, const struct oid *head, const struct oids *others, struct err *err)
{
	struct oids all = { 0 }, with = { 0 }, without = { 0 };
	int rc;

	for (size_t i = 0; i < others->n; i++)
		oids_add(&all, &others->v[i]);
	oids_add(&all, head);
	rc = history_frontier(r, others, &without, err);
	if (!rc)
		rc = history_frontier(r, &all, &with, err);
	if (!rc)
		rc = with.n != without.n;
	for (size_t i = 0; !rc && i < with.n; i++)
		rc = !oid_eq(&with.v[i], &without.v[i]);
	oids_release(&all);
	oids_release(&with);
	oids_release(&without);
	return rc;
}

int history_bases(struct repo *r, const struct oid *one, const struct oids *others, struct oids *out, struct err *err)
{
	static const char *const cmd[] = { "merge-base", "--all", NULL };
	struct walk *w;
	struct err why;
	int rc;

	if (!others->n)
		return 0;
	rc = walk_begin(&w, r, err);
	if (rc)
		return rc;
	rc = walk_bases(w, one, others, out, &why);
	if (rc == ERR_AGAIN) {
		rc = ask_git(r, cmd, one, others, out, &why);
		oids_sort(out);
	}
	walk_end(w);
	return rc ? err_set(err, rc, "%s", why.msg) : 0;
}

int history_is_ancestor(struct repo *r, const struct oid *a, const struct oid *b, struct err *err)
{
	static const char *const cmd[] = { "merge-base", "--is-ancestor", NULL };
	struct oids two = { 0 }, top = { 0 };
	struct walk *w;
	struct err why;
	int rc;

	if (oid_eq(a, b))
		return 1;
	rc = walk_begin(&w, r, err);
	if (rc)
		return rc;
	oids_add(&two, a);
	oids_add(&two, b);
	rc = walk_maximal(w, &two, &top, &why);
	if (rc == 0)
		rc = top.n == 1 && oid_eq(&top.v[0], b);
	else if (rc == ERR_AGAIN)
		rc = ask_git(r, cmd, NULL, &two, NULL, &why);
	if (rc < 0)
		err_set(err, rc, "%s", why.msg);
	walk_end(w);
	oids_release(&two);
	oids_release(&top);
	return rc;
}

/*
 * Counts "<deadbeef parent parent", the lines of git rev-list --left-right --parents, less the views. Only commits with two
 * parents have to be looked at.
 */
static int count_sides(struct repo *r, const struct bytes *list, size_t *left, size_t *right, struct err *err)
{
	for (size_t pos = 0; pos < list->len;) {
		const char *line = list->buf + pos;
		size_t len = strcspn(line, "\n");
		struct oid o;
		int view = 0;

		if (len <= OID_HEX || !oid_parse(&o, line + 1))
			return err_set(err, ERR_FAIL, "'git rev-list' answers what is no list of ids");
		if (len > 1 + 2 * (OID_HEX + 1))
			view = history_is_view(r, &o, err);
		if (view < 0)
			return view;
		if (!view)
			++*(*line == '<' ? left : right);
		pos += len + 1;
	}
	return 0;
}

int history_ahead_behind(struct repo *r, const struct oid *ours, const struct oid *theirs, size_t *ahead, size_t *behind,
			 struct err *err)
{
	char a[OID_HEX + 1], b[OID_HEX + 1], range[2 * OID_HEX + 4];
	const char *const argv[] = { "git", "rev-list", "--left-right", "--parents", range, "--", NULL };
	struct bytes list = { 0 };
	int rc;

	*ahead = *behind = 0;
	if (oid_eq(ours, theirs))
		return 0;
	snprintf(range, sizeof(range), "%s...%s", oid_hex(ours, a), oid_hex(theirs, b));
	rc = run_git(r->gitdir, argv, &list, err);
	if (!rc)
		rc = count_sides(r, &list, ahead, behind, err);
	bytes_release(&list);
	return rc;
}
