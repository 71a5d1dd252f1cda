/*
 * cut_write.c -- writes the cut: the shallow file, the reflogs, and what of git's files would contradict them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cut.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"
#include "objects.h"
#include "ref.h"

#define LOCK_WAIT_MS 2000
#define NAP_MS 10

/* .git/shallow.lock is made as ref.c makes its locks: a hard link to a file of ours tells whose it is. */
struct files {
	char *shallow, *lock, *temp;
};

static void name_files(struct files *f, const struct repo *r)
{
	f->shallow = io_join(r->gitdir, "shallow");
	f->lock = io_join(r->gitdir, "shallow.lock");
	f->temp = repo_state_path(r, "shallow");
}

static void free_files(struct files *f)
{
	free(f->shallow);
	free(f->lock);
	free(f->temp);
}

static void drop_own_lock(const struct files *f)
{
	struct stat a, b;

	if (lstat(f->temp, &a) == 0 && lstat(f->lock, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev)
		unlink(f->lock);
	unlink(f->temp);
}

void cut_heal(struct repo *r)
{
	struct files f;
	struct err ignored;
	bool ours;

	name_files(&f, r);
	ours = access(f.temp, F_OK) == 0;
	/* Whoever holds the lock may be at it. */
	if (ours && repo_lock(r, 0, &ignored) == 0) {
		drop_own_lock(&f);
		repo_unlock(r);
	}
	free_files(&f);
}

static int take_lock(const struct files *f, struct err *err)
{
	static const struct timespec nap = { 0, NAP_MS * 1000000L };

	for (int left = LOCK_WAIT_MS / NAP_MS; link(f->temp, f->lock) < 0; left--) {
		if (errno != EEXIST)
			return err_errno(err, "cannot create '%s'", f->lock);
		if (ref_break_lock(f->lock))
			continue;
		if (left <= 0)
			return err_set(err, ERR_BUSY, "'%s' is there: another git process holds it, or died (then remove it)", f->lock);
		nanosleep(&nap, NULL);
	}
	return 0;
}

/* Under the member's lock. Nothing left: no file. */
static int write_shallow(struct repo *r, const struct oids *lines, struct err *err)
{
	struct bytes b = { 0 };
	char hex[OID_HEX + 1];
	struct files f;
	int fd, rc = 0;

	name_files(&f, r);
	drop_own_lock(&f);
	for (size_t i = 0; i < lines->n; i++)
		bytes_addf(&b, "%s\n", oid_hex(&lines->v[i], hex));
	fd = open(f.temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		rc = err_errno(err, "cannot create '%s'", f.temp);
	else if (b.len && (io_write(fd, b.buf, b.len) < 0 || fsync(fd) < 0))
		rc = err_errno(err, "cannot write '%s'", f.temp);
	if (fd >= 0 && close(fd) < 0 && !rc)
		rc = err_errno(err, "cannot write '%s'", f.temp);
	if (!rc && (rc = take_lock(&f, err)) == 0) {
		if ((b.len ? rename(f.lock, f.shallow) : unlink(f.shallow)) < 0 && errno != ENOENT)
			rc = err_errno(err, "cannot replace '%s'", f.shallow);
		else
			rc = io_sync_dir(r->gitdir, err);
	}
	drop_own_lock(&f);
	free_files(&f);
	bytes_release(&b);
	return rc;
}

static int read_shallow(struct repo *r, struct oids *lines, struct err *err)
{
	char *path = io_join(r->gitdir, "shallow");
	struct bytes b = { 0 };
	int rc = 0;

	if (io_read(path, &b) < 0 && errno != ENOENT)
		rc = err_errno(err, "cannot read '%s'", path);
	for (size_t pos = 0; !rc && pos < b.len;) {
		size_t len = strcspn(b.buf + pos, "\n");
		struct oid o;

		if (len != OID_HEX || !oid_parse(&o, b.buf + pos))
			rc = err_set(err, ERR_FAIL, "'%s' has a line that is no commit id", path);
		else
			oids_add(lines, &o);
		pos += len + 1;
	}
	oids_sort(lines);
	bytes_release(&b);
	free(path);
	return rc;
}

/* git takes what these say about parents for the truth. Without them it only has to read the commits. */
static void drop_commit_graph(struct repo *r)
{
	char *info = io_join(git_repository_commondir(r->git), "objects/info"), *one = io_join(info, "commit-graph"),
	     *chain = io_join(info, "commit-graphs"), *list = io_join(chain, "commit-graph-chain");

	unlink(one);
	unlink(list);
	free(info);
	free(one);
	free(chain);
	free(list);
}

/* What a line of a reflog names stays, or it cannot be in the log. */
static bool line_stays(const struct cut *c, const char *line, size_t len)
{
	size_t limit = c->cut.at;
	struct oid id;

	if (len < 2 * OID_HEX + 2)
		return false;
	for (int i = 0; i < 2; i++) {
		size_t at;

		if (!oid_parse(&id, line + i * (OID_HEX + 1)))
			return false;
		at = oid_is_zero(&id) ? 0 : prune_find(&c->graph, &id);
		if (at == PRUNE_NONE || (limit != PRUNE_NONE && at > limit))
			return false;
	}
	return true;
}

/*
 * Replaced as a whole: a line that git adds at the same moment can get lost, and nothing depends on it. c NULL: all lines go.
 */
static int trim_log(const char *path, const struct cut *c, struct err *err)
{
	struct bytes b = { 0 }, out = { 0 }, tmp = { 0 };
	int fd, rc = 0;

	if (io_read(path, &b) < 0) {
		rc = errno == ENOENT ? 0 : err_errno(err, "cannot read '%s'", path);
		goto out;
	}
	for (size_t pos = 0; c && pos < b.len;) {
		size_t len = strcspn(b.buf + pos, "\n");

		if (line_stays(c, b.buf + pos, len)) {
			bytes_add(&out, b.buf + pos, len);
			bytes_add(&out, "\n", 1);
		}
		pos += len + 1;
	}
	if (out.len == b.len)
		goto out;
	/* git takes a file of this name in logs/ for the lock of the reflog, and nothing else for a reflog. */
	bytes_addf(&tmp, "%s.lock", path);
	fd = open(tmp.buf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0 || (out.len && io_write(fd, out.buf, out.len) < 0))
		rc = err_errno(err, "cannot write '%s'", tmp.buf);
	if (fd >= 0 && close(fd) < 0 && !rc)
		rc = err_errno(err, "cannot write '%s'", tmp.buf);
	if (!rc && rename(tmp.buf, path) < 0)
		rc = err_errno(err, "cannot replace '%s'", path);
	if (rc && fd >= 0)
		unlink(tmp.buf);
out:
	bytes_release(&b);
	bytes_release(&out);
	bytes_release(&tmp);
	return rc;
}

/* All reflogs below a directory, but for the stash: its entries are kept in nothing else. */
static int trim_logs(const char *dir, const struct cut *c, struct err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open '%s'", dir);
	while (!rc && (e = readdir(d))) {
		char *path;
		struct stat st;

		if (e->d_name[0] == '.' || strcmp(e->d_name, "stash") == 0)
			continue;
		path = io_join(dir, e->d_name);
		if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
			rc = trim_logs(path, c, err);
		else if (strlen(path) > 5 && strcmp(path + strlen(path) - 5, ".lock") == 0)
			unlink(path);
		else
			rc = trim_log(path, c, err);
		free(path);
	}
	closedir(d);
	return rc;
}

static int trim_reflogs(const struct cut *c, struct repo *r, bool all, struct err *err)
{
	const char *common = git_repository_commondir(r->git);
	char *head = io_join(r->gitdir, "logs/HEAD"), *logs = io_join(common, "logs"), *branch = io_join(logs, r->branch),
	     *remotes = io_join(logs, "refs/remotes");
	int rc = trim_log(head, c, err);

	/* Other branches' reflogs are the user's. */
	if (!rc && all)
		rc = trim_logs(logs, NULL, err);
	else if (!rc && (rc = trim_log(branch, c, err)) == 0)
		rc = trim_logs(remotes, c, err);
	free(head);
	free(logs);
	free(branch);
	free(remotes);
	return rc;
}

static int let_go(const struct cut *c, struct repo *r, struct err *err)
{
	struct bytes ref = { 0 };
	int rc = 0;

	for (size_t i = 0; i < c->npeers && !rc; i++) {
		if (!c->peers[i].let_go || strncmp(r->branch, "refs/heads/", 11) != 0)
			continue;
		bytes_clear(&ref);
		bytes_addf(&ref, "refs/remotes/%s/%s", c->peers[i].name, r->branch + 11);
		if (git_reference_remove(r->git, ref.buf) < 0)
			rc = repo_git_err(err, ERR_FAIL, "cannot remove '%s'", ref.buf);
	}
	bytes_release(&ref);
	return rc;
}

int cut_write(const struct cut *c, struct repo *r, bool all, struct err *err)
{
	struct bytes now = { 0 };
	struct oids lines = { 0 };
	int rc = repo_lock(r, r->lock_wait, err);

	if (rc)
		return rc;
	if ((rc = cut_refs(r, &now, err)) < 0)
		goto out;
	if (now.len != c->refs.len || memcmp(now.buf, c->refs.buf, now.len) != 0) {
		rc = err_set(err, ERR_AGAIN, "references move all the time");
		goto out;
	}
	/* Lines that are there stay: what they cut off is not there. Those of commits that go are removed in the end. */
	if (c->cut.at != PRUNE_NONE && (rc = read_shallow(r, &lines, err)) == 0) {
		oids_add(&lines, &c->graph.v[c->cut.at].oid);
		oids_sort(&lines);
		drop_commit_graph(r);
		rc = write_shallow(r, &lines, err);
	}
	if (!rc && (rc = let_go(c, r, err)) == 0)
		rc = trim_reflogs(c, r, all, err);
out:
	repo_unlock(r);
	oids_release(&lines);
	bytes_release(&now);
	return rc;
}

int cut_tidy(struct repo *r, struct err *err)
{
	struct oids lines = { 0 }, stay = { 0 };
	int rc = repo_lock(r, r->lock_wait, err);

	if (rc)
		return rc;
	git_odb_refresh(r->odb);
	rc = read_shallow(r, &lines, err);
	for (size_t i = 0; i < lines.n && !rc; i++)
		if (objects_has(r, &lines.v[i]))
			oids_add(&stay, &lines.v[i]);
	if (!rc && stay.n != lines.n)
		rc = write_shallow(r, &stay, err);
	repo_unlock(r);
	oids_release(&lines);
	oids_release(&stay);
	return rc;
}
