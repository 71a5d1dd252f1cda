/*
 * ref.c -- moves one reference, so that neither a kill nor a power loss leaves it broken or locked.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io.h"

#define WAIT_MS 2000
#define NAP_MS 10
#define STALE_S 600

/* The paths of one move. */
struct move {
	const struct repo *r;
	const char *name;
	char *path, *lock; /* of the reference */
	char *temp;	   /* ours: what the lock is a link to */
};

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* A path below the repository that all work trees share. */
static char *common_path(const struct repo *r, const char *rel)
{
	const char *dir = git_repository_commondir(r->git);
	struct bytes b = { 0 };

	bytes_addf(&b, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", rel);
	return b.buf;
}

/* Makes the directories above path. Failing is noticed when the file is made. */
static void make_parents(const char *path)
{
	char *p = io_join(path, "");

	for (char *s = strchr(p + 1, '/'); s && s[1]; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(p, 0777);
		*s = '/';
	}
	free(p);
}

bool ref_break_lock(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > STALE_S && unlink(path) == 0;
}

static int write_temp(const struct move *m, const struct oid *to, struct err *err)
{
	char line[OID_HEX + 2];
	int fd, rc = 0;

	/* We hold the repository's lock, so whoever made these is dead. */
	if (same_file(m->temp, m->lock))
		unlink(m->lock);
	unlink(m->temp);
	fd = open(m->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_errno(err, "cannot create '%s'", m->temp);
	oid_hex(to, line);
	memcpy(line + OID_HEX, "\n", 2);
	if (io_write(fd, line, OID_HEX + 1) < 0 || fsync(fd) < 0)
		rc = err_errno(err, "cannot write '%s'", m->temp);
	if (close(fd) < 0 && !rc)
		rc = err_errno(err, "cannot write '%s'", m->temp);
	return rc;
}

static int take_lock(const struct move *m, struct err *err)
{
	static const struct timespec nap = { 0, NAP_MS * 1000000L };

	for (int left = WAIT_MS / NAP_MS; link(m->temp, m->lock) < 0; left--) {
		if (errno == ENOENT && left == WAIT_MS / NAP_MS) {
			make_parents(m->lock); /* git removes empty directories of refs */
			continue;
		}
		if (errno != EEXIST)
			return err_errno(err, "cannot create '%s'", m->lock);
		if (ref_break_lock(m->lock))
			continue;
		if (left <= 0)
			return err_set(err, ERR_BUSY, "'%s' is there: another git process holds it, or died (then remove it)", m->lock);
		nanosleep(&nap, NULL);
	}
	return 0;
}

/* Under the lock. */
static int check_old(const struct move *m, const struct oid *old, struct err *err)
{
	git_reference *ref = NULL;
	const git_oid *id;
	int rc = git_reference_lookup(&ref, m->r->git, m->name);

	if (rc == GIT_ENOTFOUND)
		return old ? err_set(err, ERR_AGAIN, "'%s' was removed by another process", m->name) : 0;
	if (rc < 0)
		return repo_git_err(err, ERR_FAIL, "cannot read '%s'", m->name);
	id = git_reference_target(ref);
	if (!id)
		rc = err_set(err, ERR_FAIL, "'%s' is a symbolic reference", m->name);
	else if (!old || memcmp(id->id, old->h, OID_RAW) != 0)
		rc = err_set(err, ERR_AGAIN, "'%s' was moved by another process", m->name);
	git_reference_free(ref);
	return rc;
}

static bool logs_are_wanted(const struct repo *r)
{
	char *v = repo_config_get(r, "core.logAllRefUpdates");
	int on = r->worktree != NULL;

	if (v && strcmp(v, "always") == 0)
		on = 1;
	else if (v)
		git_config_parse_bool(&on, v);
	free(v);
	return on;
}

/* As in git a reflog is not worth an error, nor an fsync. */
static void append_log(const char *path, const char *line, size_t len, bool create)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && create) {
		make_parents(path);
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	}
	if (fd < 0)
		return;
	if (io_write(fd, line, len) < 0) /* the next line would be glued to half of this one */
		io_write(fd, "\n", 1);
	close(fd);
}

static void write_logs(const struct move *m, const struct oid *to, const struct oid *old, const char *why)
{
	static const struct oid none;
	char *name = repo_config_get(m->r, "user.name"), *mail = repo_config_get(m->r, "user.email"), *path;
	char a[OID_HEX + 1], b[OID_HEX + 1], zone[8];
	bool create = logs_are_wanted(m->r);
	struct bytes line = { 0 }, rel = { 0 };
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	bytes_addf(&line, "%s %s %s <%s> %lld %s\t%.*s\n", oid_hex(old ? old : &none, a), oid_hex(to, b), name ? name : "git-maildir",
		   mail ? mail : "git-maildir", (long long)now, zone, (int)strcspn(why, "\n"), why);
	bytes_addf(&rel, "logs/%s", m->name);
	path = common_path(m->r, rel.buf);
	append_log(path, line.buf, line.len, create);
	free(path);
	if (strcmp(m->name, m->r->branch) == 0 && strcmp(m->name, "HEAD") != 0) {
		path = io_join(m->r->gitdir, "logs/HEAD");
		append_log(path, line.buf, line.len, create);
		free(path);
	}
	bytes_release(&line);
	bytes_release(&rel);
	free(name);
	free(mail);
}

static int put_in_place(const struct move *m, struct err *err)
{
	char *dir = io_join(m->path, "");
	int rc;

	/* The name without its last part. */
	dir[strlen(dir) - 1] = '\0';
	*strrchr(dir, '/') = '\0';
	if (rename(m->lock, m->path) < 0)
		rc = err_errno(err, "cannot rename '%s' to '%s'", m->lock, m->path);
	else
		rc = io_sync_dir(dir, err);
	free(dir);
	return rc;
}

int ref_move(const struct repo *r, const char *name, const struct oid *to, const struct oid *old, const char *why, struct err *err)
{
	struct move m = { .r = r, .name = name };
	struct bytes lock = { 0 };
	bool locked = false;
	int rc;

	m.path = strcmp(name, "HEAD") == 0 ? io_join(r->gitdir, name) : common_path(r, name);
	bytes_addf(&lock, "%s.lock", m.path);
	m.lock = lock.buf;
	m.temp = repo_state_path(r, "ref");
	rc = write_temp(&m, to, err);
	if (!rc)
		rc = take_lock(&m, err);
	locked = !rc;
	if (!rc)
		rc = check_old(&m, old, err);
	if (!rc && why)
		write_logs(&m, to, old, why);
	if (!rc)
		rc = put_in_place(&m, err);
	if (rc && locked && same_file(m.temp, m.lock))
		unlink(m.lock);
	unlink(m.temp);
	free(m.path);
	free(m.temp);
	bytes_release(&lock);
	return rc;
}
