/*
 * sweep.c -- drops the objects that nothing reaches any more, beside a member that goes on working.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cut.h"
#include "history.h"
#include "io.h"
#include "run.h"
#include "stock.h"

/* Where new packs are made. git prune removes a directory of such a name, if we do not come to it. */
#define MAKE_DIR "tmp_objdir-prune"
/* How often what moved meanwhile is packed before it is done under the lock. */
#define ROUNDS 10
/* Of so many commits the objects are listed to tell what is about to be referred to from what was; of more it takes longer than all the rest. */
#define LIST_MOST 1000
/* Loose objects that are removed while the lock is held once. */
#define BATCH 500

struct sweep {
	struct repo *r;
	char *objdir, *make;
	bool now;
	int64_t started;
	struct stock old;   /* what was there at the start */
	struct stock made;  /* the packs that we made */
	struct bytes refs;  /* what has been packed is reached from these */
	struct oids young;  /* unreachable, and to be spared */
	struct sweep_result *out;
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int lock(struct sweep *s, int64_t *since, struct err *err)
{
	int rc = repo_lock(s->r, s->r->lock_wait, err);

	*since = now_us();
	return rc;
}

static void unlock(struct sweep *s, int64_t since)
{
	int64_t held = now_us() - since;

	repo_unlock(s->r);
	if (held > s->out->held_us)
		s->out->held_us = held;
}

static int failed(const char *what, const struct run *run, struct err *err)
{
	char why[512];
	int code = run->err.len && (strstr(run->err.buf, "No space left") || strstr(run->err.buf, "quota exceeded")) ? ERR_NOSPACE : ERR_FAIL;

	return err_set(err, code, "%s: %s", what, run_reason(why, sizeof(why), run));
}

/* Empties the directory of a run that was killed. */
static void clear_make(const struct sweep *s)
{
	char *pack = io_join(s->make, "pack");

	stock_empty(pack);
	rmdir(pack);
	stock_empty(s->make);
	rmdir(s->make);
	free(pack);
}

static int open_make(const struct sweep *s, struct err *err)
{
	char *pack = io_join(s->make, "pack");
	int rc = 0;

	clear_make(s);
	if (mkdir(s->make, 0700) < 0 || mkdir(pack, 0700) < 0)
		rc = err_errno(err, "cannot make '%s'", pack);
	free(pack);
	return rc;
}

/* Packs what git reads from in; the pack's id comes to name, which is empty when there was nothing to pack. */
static int pack_objects(const struct sweep *s, bool revs, const struct bytes *in, struct bytes *name, struct err *err)
{
	struct arena a = { 0 };
	const char *argv[20] = { "nice" }, *env[5];
	struct run run = { .clean_env = true };
	size_t n = 1;
	int rc;

	argv[n++] = "git";
	argv[n++] = arena_printf(&a, "--git-dir=%s", s->r->gitdir);
	argv[n++] = "pack-objects";
	argv[n++] = "-q";
	argv[n++] = "--delta-base-offset";
	argv[n++] = "--non-empty";
	if (revs) {
		argv[n++] = "--revs";
		argv[n++] = "--all"; /* heads of other work trees, too */
		argv[n++] = "--indexed-objects";
		argv[n++] = "--reflog";
	}
	argv[n++] = arena_printf(&a, "%s/pack/pack", s->make);
	argv[n] = NULL;
	/* Its temporary files are made where we find them again. */
	env[0] = arena_printf(&a, "GIT_OBJECT_DIRECTORY=%s", s->make);
	env[1] = arena_printf(&a, "GIT_ALTERNATE_OBJECT_DIRECTORIES=%s", s->objdir);
	env[2] = "LC_ALL=C";
	env[3] = NULL;
	run.argv = argv;
	run.env = env;
	run.in = in->buf;
	run.inlen = in->len;
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0)
		rc = failed("cannot pack what is still needed", &run, err);
	else if (!rc && run.out.len >= OID_HEX)
		bytes_add(name, run.out.buf, OID_HEX);
	bytes_release(&run.out);
	bytes_release(&run.err);
	arena_release(&a);
	return rc;
}

static int sync_file(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_errno(err, "cannot sync '%s'", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Makes a pack durable and moves it to the others; the index, which makes it known, comes last. */
static int install(struct sweep *s, const struct bytes *name, struct err *err)
{
	static const char *const ends[] = { "pack", "rev", "idx" };
	struct arena a = { 0 };
	char *packs = io_join(s->objdir, "pack");
	int rc = 0;

	/* The same objects have the same name: then it is there, and stays. */
	stock_keep(&s->old, name->buf);
	for (size_t i = 0; i < 3 && !rc; i++) {
		const char *from = arena_printf(&a, "%s/pack/pack-%s.%s", s->make, name->buf, ends[i]);
		const char *to = arena_printf(&a, "%s/pack-%s.%s", packs, name->buf, ends[i]);

		if (access(from, F_OK) < 0 && i == 1)
			continue;
		if ((rc = sync_file(from, err)) == 0 && rename(from, to) < 0)
			rc = err_errno(err, "cannot rename '%s'", from);
	}
	if (!rc)
		rc = io_sync_dir(packs, err);
	if (!rc)
		rc = stock_add_pack(&s->made, packs, name->buf, err);
	free(packs);
	arena_release(&a);
	return rc;
}

/* Packs all that refs reach and not (NULL: nothing) does not. */
static int pack_refs(struct sweep *s, const struct bytes *refs, const struct bytes *not, struct err *err)
{
	struct bytes in = { 0 }, name = { 0 };
	const struct bytes *lists[2] = { refs, not };
	char hex[OID_HEX + 1], *ref;
	struct oid id;
	int rc;

	for (int i = 0; i < 2 && lists[i]; i++) {
		size_t pos = 0;

		if (i)
			bytes_addstr(&in, "--not\n");
		while (cut_ref_line(lists[i], &pos, &id, &ref)) {
			bytes_addf(&in, "%s\n", oid_hex(&id, hex));
			free(ref);
		}
	}
	rc = pack_objects(s, true, &in, &name, err);
	if (!rc && name.len)
		rc = install(s, &name, err);
	bytes_release(&in);
	bytes_release(&name);
	return rc;
}

/* What was reachable before the cut: it was referred to, and is not any more. Only the commits, or all objects. */
static int read_behind(struct sweep *s, bool objects, struct oids *out, struct err *err)
{
	char *path = io_join(s->r->gitdir, "shallow");
	struct bytes shallow = { 0 }, in = { 0 }, list = { 0 };
	const char *argv[] = { "git", NULL, "rev-list", "--stdin", objects ? "--objects" : NULL, NULL };
	struct bytes dir = { 0 };
	struct run run = { .argv = argv, .clean_env = true };
	char hex[OID_HEX + 1];
	int rc = 0;

	bytes_addf(&dir, "--git-dir=%s", s->r->gitdir);
	argv[1] = dir.buf;
	if (io_read(path, &shallow) < 0)
		shallow.len = 0;
	for (size_t pos = 0; pos + OID_HEX < shallow.len; pos += OID_HEX + 1) {
		struct history_commit c;
		struct oid id;

		if (!oid_parse(&id, shallow.buf + pos) || history_read(s->r, &id, &c, NULL) < 0)
			continue;
		for (size_t i = 0; i < c.parents.n; i++)
			if (objects_has(s->r, &c.parents.v[i]))
				bytes_addf(&in, "%s\n", oid_hex(&c.parents.v[i], hex));
		bytes_addf(&list, "^%s\n", oid_hex(&id, hex));
		history_commit_release(&c);
	}
	if (in.len) {
		bytes_add(&in, list.buf, list.len);
		run.in = in.buf;
		run.inlen = in.len;
		rc = run_all(&run, 1, err);
		/* What a killed run has dropped half is not listed whole. Then more is spared. */
		for (size_t pos = 0; !rc && pos < run.out.len; pos += strcspn(run.out.buf + pos, "\n") + 1) {
			struct oid id;

			if (oid_parse(&id, run.out.buf + pos))
				oids_add(out, &id);
		}
		oids_sort(out);
	}
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&shallow);
	bytes_release(&in);
	bytes_release(&list);
	bytes_release(&dir);
	free(path);
	return rc;
}

/* Whether all commits among these objects are known. */
static int commits_known(struct sweep *s, const struct oids *ids, const struct oids *known, bool *yes, struct err *err)
{
	struct bytes dir = { 0 }, in = { 0 };
	const char *argv[] = { "git", NULL, "cat-file", "--batch-check=%(objecttype) %(objectname)", NULL };
	struct run run = { .argv = argv, .clean_env = true };
	struct oids commits = { 0 };
	char hex[OID_HEX + 1];
	int rc;

	for (size_t i = 0; i < ids->n; i++)
		bytes_addf(&in, "%s\n", oid_hex(&ids->v[i], hex));
	bytes_addf(&dir, "--git-dir=%s", s->r->gitdir);
	argv[1] = dir.buf;
	run.in = in.buf;
	run.inlen = in.len;
	rc = run_all(&run, 1, err);
	for (size_t pos = 0; !rc && pos < run.out.len; pos += strcspn(run.out.buf + pos, "\n") + 1) {
		struct oid id;

		if (strncmp(run.out.buf + pos, "commit ", 7) == 0 && oid_parse(&id, run.out.buf + pos + 7))
			oids_add(&commits, &id);
	}
	oids_sort(&commits);
	stock_subtract(&commits, known);
	*yes = !rc && run.status == 0 && !commits.n;
	oids_release(&commits);
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&dir);
	bytes_release(&in);
	return rc;
}

/* What is young, unreachable and perhaps about to be referred to. What of it is in a pack gets a pack of its own. */
static int spare_young(struct sweep *s, struct err *err)
{
	struct oids behind = { 0 }, packed = { 0 };
	struct bytes in = { 0 }, name = { 0 };
	char hex[OID_HEX + 1];
	int rc = 0;

	if (s->now || !stock_young(&s->old, &s->made, s->started, &s->young, &packed))
		goto out;
	if ((rc = read_behind(s, false, &behind, err)) < 0)
		goto out;
	if (behind.n <= LIST_MOST) {
		oids_release(&behind);
		if ((rc = read_behind(s, true, &behind, err)) < 0)
			goto out;
		stock_subtract(&packed, &behind);
	} else {
		/* A pack that somebody sends has the commit in it that will be referred to. */
		bool known;

		if ((rc = commits_known(s, &packed, &behind, &known, err)) < 0)
			goto out;
		if (known)
			packed.n = 0;
	}
	stock_subtract(&s->young, &behind);
	for (size_t i = 0; i < packed.n; i++)
		bytes_addf(&in, "%s\n", oid_hex(&packed.v[i], hex));
	if (in.len && (rc = pack_objects(s, false, &in, &name, err)) == 0 && name.len)
		rc = install(s, &name, err);
	s->out->spared = s->young.n + packed.n;
out:
	oids_release(&behind);
	oids_release(&packed);
	bytes_release(&in);
	bytes_release(&name);
	return rc;
}

static bool same(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && !memcmp(a->buf, b->buf, a->len);
}

/*
 * Takes the lock, with everything packed that is reachable now: nobody who holds the lock can refer to an old object any more without our seeing it.
 */
static int catch_up(struct sweep *s, int64_t *since, struct err *err)
{
	int rc = 0;

	for (int i = 0; !rc; i++) {
		struct bytes refs = { 0 };

		if ((rc = lock(s, since, err)) < 0)
			break;
		rc = cut_refs(s->r, &refs, err);
		if (!rc && same(&refs, &s->refs)) {
			bytes_release(&refs);
			return 0;
		}
		if (i < ROUNDS)
			unlock(s, *since);
		if (!rc && (rc = open_make(s, err)) == 0)
			rc = pack_refs(s, &refs, &s->refs, err);
		bytes_release(&s->refs);
		s->refs = refs;
		if (i >= ROUNDS && !rc)
			return 0;
	}
	if (s->r->lockfd >= 0)
		unlock(s, *since);
	return rc;
}

static int drop_old(struct sweep *s, struct err *err)
{
	int64_t since;
	size_t done = 0;
	int rc = catch_up(s, &since, err);

	if (rc)
		return rc;
	rc = stock_rename_packs(&s->old, err);
	unlock(s, since);
	stock_remove_renamed(s->objdir);
	/* What is in a pack of ours can go at any time; the rest only if it still is unreachable. */
	stock_remove_packed(&s->old, &s->made);
	while (!rc && done < s->old.nloose && (rc = catch_up(s, &since, err)) == 0) {
		done = stock_remove_loose(&s->old, &s->made, &s->young, done, BATCH);
		unlock(s, since);
	}
	return rc;
}

static int begin(struct sweep *s, struct err *err)
{
	int64_t since;
	int rc = lock(s, &since, err);

	if (rc)
		return rc;
	s->started = time(NULL);
	rc = stock_read(&s->old, s->objdir, err);
	if (!rc)
		rc = cut_refs(s->r, &s->refs, err);
	unlock(s, since);
	return rc;
}

int sweep_objects(struct repo *r, bool now, struct sweep_result *out, struct err *err)
{
	struct sweep s = { .r = r, .now = now, .out = out };
	char *path = repo_state_path(r, "prune");
	int fd, rc = 0;

	memset(out, 0, sizeof(*out));
	s.objdir = io_join(git_repository_commondir(r->git), "objects");
	s.make = io_join(s.objdir, MAKE_DIR);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = err_errno(err, "cannot open '%s'", path);
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = err_set(err, ERR_BUSY, "another prune is at work in '%s'", r->gitdir);
	if (rc)
		goto out;
	stock_remove_renamed(s.objdir);
	out->before = stock_size(s.objdir);
	if ((rc = begin(&s, err)) == 0 && (rc = open_make(&s, err)) == 0 && (rc = pack_refs(&s, &s.refs, NULL, err)) == 0 &&
	    (rc = spare_young(&s, err)) == 0)
		rc = drop_old(&s, err);
	if (!rc)
		stock_remove_temporary(s.objdir, s.started);
	clear_make(&s);
	out->after = stock_size(s.objdir);
out:
	if (fd >= 0)
		close(fd);
	stock_release(&s.old);
	stock_release(&s.made);
	bytes_release(&s.refs);
	oids_release(&s.young);
	free(s.objdir);
	free(s.make);
	free(path);
	return rc;
}

uint64_t sweep_size(struct repo *r)
{
	char *objdir = io_join(git_repository_commondir(r->git), "objects");
	uint64_t size = stock_size(objdir);

	free(objdir);
	return size;
}
