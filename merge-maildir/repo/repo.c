/*
 * repo.c -- a member's repository: where it is, its configuration, its lock, its head.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "repo.h"

#include "io.h"
#include "objects.h"
#include "ref.h"
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_DIR "maildir"
/* git config --unset-all says so by this exit status. */
#define CONFIG_NOT_SET 5

int repo_git_err(struct err *err, int code, const char *fmt, ...)
{
	const git_error *ge = git_error_last();
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, code, "%s: %s", what, ge && ge->message ? ge->message : "libgit2 gives no reason");
}

static void nap_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

/* A directory as git names it, without the '/' at its end. */
static char *copy_dir(const char *s)
{
	size_t len = strlen(s);
	char *d = copy(s);

	while (len > 1 && d[len - 1] == '/')
		d[--len] = '\0';
	return d;
}

/*
 * libgit2 reads all of the host's certificates whenever it starts, which takes it half of the time of a hook. We leave the network to git. It calls this function, which is
 * mbedtls's, by its name, and finds ours first; a libgit2 that is built with another library does not ask for it.
 */
int mbedtls_x509_crt_parse_file(void *chain, const char *path);
int mbedtls_x509_crt_parse_file(void *chain, const char *path)
{
	(void)chain;
	(void)path;
	return 0;
}

static void init_libgit2(void)
{
	static bool done;

	git_libgit2_init();
	if (done)
		return;
	done = true;
	/* A ref that we move must survive a power loss: peers are told that we have what it names. */
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* The trees of large folders are our own, or were hashed when git received them. */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
}

/* libgit2 1.5 reports a foreign owner as "config value 'safe.directory' was not found". */
static bool is_foreign(int rc)
{
	const git_error *ge = git_error_last();

	return rc == GIT_EOWNER || (ge && ge->message && (strstr(ge->message, "safe.directory") || strstr(ge->message, "not owned by")));
}

static int open_failed(struct err *err, int rc, const char *where)
{
	const git_error *ge = git_error_last();
	const char *why = ge && ge->message ? ge->message : "";

	if (is_foreign(rc))
		return err_set(err, ERR_ENV, "repository of '%s' belongs to another user: run as that user, or 'git config --global "
			       "--add safe.directory <dir>'", where);
	if (strstr(why, "unsupported extension") || strstr(why, "repository version"))
		return repo_git_err(err, ERR_ENV, "cannot use repository of '%s'", where);
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NOTMEMBER, "no git repository at '%s'", where);
	return repo_git_err(err, ERR_FAIL, "cannot open repository of '%s'", where);
}

/* Whether dir/.git is this repository, or a file that points to it. */
static bool dir_is_of(const char *dir, const char *gitdir)
{
	char path[PATH_MAX], real[PATH_MAX];
	git_repository *there;
	bool same;

	if (snprintf(path, sizeof(path), "%s/.git", dir) >= (int)sizeof(path) || access(path, F_OK) < 0)
		return false;
	if (realpath(path, real) && strcmp(real, gitdir) == 0)
		return true;
	if (git_repository_open_ext(&there, dir, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL) < 0)
		return false;
	same = strncmp(git_repository_path(there), gitdir, strlen(gitdir)) == 0 &&
	       strcmp(git_repository_path(there) + strlen(gitdir), "/") == 0;
	git_repository_free(there);
	return same;
}

/*
 * Where the Maildir is. In a hook GIT_DIR is "." and the current directory is the repository: git then takes that for the
 * work tree, and libgit2 the directory that the repository lies in. Neither is meant: only core.worktree counts, or a
 * .git that leads here.
 */
static char *find_worktree(const struct repo *r)
{
	const char *dir = git_repository_workdir(r->git);
	size_t len = strlen(r->gitdir);
	char *conf, *wt, *beside;

	if (!dir)
		return NULL;
	wt = copy_dir(dir);
	conf = repo_config_get(r, "core.worktree");
	free(conf);
	if (conf || dir_is_of(wt, r->gitdir))
		return wt;
	free(wt);
	/* "Maildir.git" is beside "Maildir" unless somebody wanted it elsewhere. */
	if (len <= 4 || strcmp(r->gitdir + len - 4, ".git") != 0)
		return NULL;
	beside = copy(r->gitdir);
	beside[len - 4] = '\0';
	if (dir_is_of(beside, r->gitdir))
		return beside;
	free(beside);
	return NULL;
}

static char *configured_worktree(const struct repo *r)
{
	char *conf = repo_config_get(r, "core.worktree");
	struct bytes b = { 0 };

	if (!conf || *conf == '/')
		return conf;
	bytes_addf(&b, "%s/%s", r->gitdir, conf);
	free(conf);
	return b.buf;
}

/* git_repository_open_ext() refuses the environment when GIT_WORK_TREE is in it, so it is read here. */
static int open_git(struct repo *r, const char *start, struct err *err)
{
	const char *env_dir = start ? NULL : getenv("GIT_DIR"), *env_wt = start ? NULL : getenv("GIT_WORK_TREE");
	const char *where = env_dir ? env_dir : start ? start : ".";
	const char *ceiling = env_dir ? NULL : getenv("GIT_CEILING_DIRECTORIES");
	unsigned flags = env_dir ? GIT_REPOSITORY_OPEN_NO_SEARCH : 0;
	bool unmounted = false;
	char cwd[PATH_MAX];
	int rc;

	rc = git_repository_open_ext(&r->git, where, flags, ceiling);
	if (rc == GIT_ENOTFOUND && !is_foreign(rc)) {
		/*
		 * So it is, too, when the directory that core.worktree names is gone. That is still ours, with a store
		 * that is not mounted, and whoever opens the work tree will say so.
		 */
		rc = git_repository_open_ext(&r->git, where, flags | GIT_REPOSITORY_OPEN_BARE, ceiling);
		unmounted = true;
	}
	if (rc < 0) {
		if (strcmp(where, ".") == 0 && getcwd(cwd, sizeof(cwd)))
			where = cwd;
		return open_failed(err, rc, where);
	}
	r->gitdir = copy_dir(git_repository_path(r->git));
	if (env_wt && *env_wt) {
		char real[PATH_MAX];

		if (!realpath(env_wt, real))
			return err_errno(err, "cannot find work tree '%s'", env_wt);
		if (git_repository_set_workdir(r->git, real, 0) < 0)
			return repo_git_err(err, ERR_FAIL, "cannot use work tree '%s'", env_wt);
		r->worktree = copy_dir(real);
	} else {
		r->worktree = unmounted ? configured_worktree(r) : find_worktree(r);
	}
	if (git_repository_odb(&r->odb, r->git) < 0)
		return repo_git_err(err, ERR_FAIL, "cannot open objects of '%s'", r->gitdir);
	return 0;
}

static int read_branch(struct repo *r, struct err *err)
{
	git_reference *head;
	int rc = git_reference_lookup(&head, r->git, "HEAD");

	if (rc < 0)
		return repo_git_err(err, ERR_FAIL, "cannot read HEAD of '%s'", r->gitdir);
	r->branch = copy(git_reference_type(head) == GIT_REFERENCE_SYMBOLIC ? git_reference_symbolic_target(head) : "HEAD");
	git_reference_free(head);
	return 0;
}

/* A number that is a whole value, or -1. */
static long parse_count(const char *s, long max)
{
	char *end;
	long v;

	errno = 0;
	if (!isdigit((unsigned char)*s))
		return -1;
	v = strtol(s, &end, 10);
	return *end || errno || v > max ? -1 : v;
}

static int conf_int(const struct repo *r, const char *key, int dflt, int *out, struct err *err)
{
	char *v = repo_config_get(r, key);
	long n = v ? parse_count(v, 1000000) : dflt;
	int rc = 0;

	if (n < 0)
		rc = err_set(err, ERR_FAIL, "value '%s' of '%s' is not a number of seconds", v, key);
	*out = (int)n;
	free(v);
	return rc;
}

bool repo_parse_age(const char *s, int64_t *seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
	char *end;
	long v;

	errno = 0;
	if (!isdigit((unsigned char)*s))
		return false;
	v = strtol(s, &end, 10);
	if (errno || v > INT_MAX)
		return false;
	*seconds = v;
	for (size_t i = 0; *end && i < sizeof(units) / sizeof(*units); i++)
		if (*end == units[i].letter && !end[1]) {
			*seconds = v * units[i].seconds;
			return true;
		}
	return !*end;
}

static int conf_age(const struct repo *r, const char *key, const char *none, int64_t *out, struct err *err)
{
	char *v = repo_config_get(r, key);
	int rc = 0;

	*out = 0;
	if (v && !(none && strcasecmp(v, none) == 0) && !repo_parse_age(v, out))
		rc = err_set(err, ERR_FAIL, "value '%s' of '%s' is not an age like '12h', '7d' or '2w'", v, key);
	free(v);
	return rc;
}

static int conf_bool(const struct repo *r, const char *key, bool dflt, bool *out, struct err *err)
{
	char *v = repo_config_get(r, key);
	int b = dflt, rc = 0;

	if (v && git_config_parse_bool(&b, v) < 0)
		rc = err_set(err, ERR_FAIL, "value '%s' of '%s' is neither true nor false", v, key);
	*out = b;
	free(v);
	return rc;
}

static int conf_max_delete(struct repo *r, struct err *err)
{
	char *v = repo_config_get(r, "maildir.maxDelete");
	size_t len = v ? strlen(v) : 0;
	long n = 0;
	int rc = 0;

	r->max_delete_percent = 50;
	r->max_delete_count = 20;
	if (len && v[len - 1] == '%') {
		v[len - 1] = '\0';
		n = parse_count(v, 100);
		r->max_delete_percent = (int)n;
	} else if (v) {
		n = parse_count(v, LONG_MAX);
		r->max_delete_percent = -1;
		r->max_delete_count = n;
	}
	if (n < 0)
		rc = err_set(err, ERR_FAIL, "value of 'maildir.maxDelete' is neither a number of messages nor a percentage like '50%%'");
	free(v);
	return rc;
}

static int conf_delete_vs_flag(struct repo *r, struct err *err)
{
	char *v = repo_config_get(r, "maildir.deleteVsFlag");
	int rc = 0;

	r->flag_beats_delete = v && strcasecmp(v, "keep") == 0;
	if (v && !r->flag_beats_delete && strcasecmp(v, "delete") != 0)
		rc = err_set(err, ERR_FAIL, "value '%s' of 'maildir.deleteVsFlag' is neither 'delete' nor 'keep'", v);
	free(v);
	return rc;
}

static int read_config(struct repo *r, struct err *err)
{
	r->name = repo_config_get(r, "maildir.name");
	if (conf_delete_vs_flag(r, err) < 0 || conf_max_delete(r, err) < 0 ||
	    conf_bool(r, "maildir.autoPush", true, &r->auto_push, err) < 0)
		return err ? err->code : ERR_FAIL;
	if (conf_int(r, "maildir.peerTimeout", 60, &r->peer_timeout, err) < 0 ||
	    conf_int(r, "maildir.lockWait", 30, &r->lock_wait, err) < 0 ||
	    conf_age(r, "maildir.keepHistory", NULL, &r->keep_history, err) < 0 ||
	    conf_age(r, "maildir.peerMaxAge", "never", &r->peer_max_age, err) < 0)
		return err ? err->code : ERR_FAIL;
	return 0;
}

int repo_open(struct repo *r, const char *start, struct err *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->lockfd = -1;
	init_libgit2();
	rc = open_git(r, start, err);
	if (!rc)
		rc = read_branch(r, err);
	if (!rc)
		rc = read_config(r, err);
	if (!rc)
		return 0;
	if (!r->git)
		git_libgit2_shutdown();
	repo_close(r);
	return rc;
}

void repo_close(struct repo *r)
{
	repo_unlock(r);
	git_odb_free(r->odb);
	if (r->git) {
		git_repository_free(r->git);
		git_libgit2_shutdown();
	}
	free(r->gitdir);
	free(r->worktree);
	free(r->branch);
	free(r->name);
	memset(r, 0, sizeof(*r));
	r->lockfd = -1;
}

char *repo_state_path(const struct repo *r, const char *name)
{
	struct bytes b = { 0 };

	bytes_addf(&b, "%s/" STATE_DIR, r->gitdir);
	mkdir(b.buf, 0700); /* if this fails, opening the file will, and says why */
	bytes_addf(&b, "/%s", name);
	return b.buf;
}

static int lock_busy(int fd, const char *path, int wait, struct err *err)
{
	char who[24] = "";
	ssize_t n = pread(fd, who, sizeof(who) - 1, 0);

	if (n > 0)
		who[strcspn(who, "\n")] = '\0';
	if (n > 0 && parse_count(who, INT_MAX) > 0)
		return err_set(err, ERR_BUSY, "'%s' is held by process %s, waited %d s", path, who, wait);
	return err_set(err, ERR_BUSY, "'%s' is held by another process, waited %d s", path, wait);
}

int repo_lock(struct repo *r, int wait, struct err *err)
{
	int64_t end = now_ms() + wait * 1000LL;
	char *path;
	int fd, rc = 0;
	long nap = 1;

	if (r->lockfd >= 0)
		return 0;
	path = repo_state_path(r, "lock");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = err_errno(err, "cannot open '%s'", path);
		goto out;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			rc = err_errno(err, "cannot lock '%s'", path);
		else if (now_ms() >= end)
			rc = lock_busy(fd, path, wait, err);
		if (rc)
			goto out;
		nap_ms(nap);
		nap = nap < 50 ? nap * 2 : 50;
	}
	/* Only for the message above; whether it is there does not matter, so on a full disk it is not. */
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	r->lockfd = fd;
	fd = -1;
out:
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

void repo_unlock(struct repo *r)
{
	if (r->lockfd >= 0)
		close(r->lockfd);
	r->lockfd = -1;
}

int repo_head(const struct repo *r, struct oid *commit, struct err *err)
{
	git_oid id;
	int rc = git_reference_name_to_id(&id, r->git, r->branch);

	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NOTFOUND, "there is no commit on '%s' yet", r->branch);
	if (rc < 0)
		return repo_git_err(err, ERR_FAIL, "cannot read '%s'", r->branch);
	memcpy(commit->h, id.id, OID_RAW);
	return 0;
}

int repo_set_head(struct repo *r, const struct oid *commit, const struct oid *old, const char *why, struct err *err)
{
	bool locked = r->lockfd >= 0;
	int rc;

	if (!objects_has(r, commit))
		return err_set(err, ERR_NOTFOUND, "the commit that '%s' is to be moved to is missing", r->branch);
	if (!locked && (rc = repo_lock(r, r->lock_wait, err)) < 0)
		return rc;
	rc = ref_move(r, r->branch, commit, old, why, err);
	if (!locked)
		repo_unlock(r);
	return rc;
}

/* From a snapshot, because that looks whether the files have changed; git itself may have written them. */
char *repo_config_get(const struct repo *r, const char *key)
{
	git_config *cfg;
	const char *s;
	char *v = NULL;

	if (git_repository_config_snapshot(&cfg, r->git) < 0)
		return NULL;
	if (git_config_get_string(&s, cfg, key) == 0)
		v = copy(s);
	git_config_free(cfg);
	return v;
}

/* By git: libgit2 1.5 writes some values ("a\\ ") so that nobody can read the file any more. */
int repo_config_set(struct repo *r, const char *key, const char *value, struct err *err)
{
	struct bytes dir = { 0 };
	struct run run = { .clean_env = true };
	const char *argv[8] = { "git" };
	char why[512];
	int rc;

	bytes_addf(&dir, "--git-dir=%s", r->gitdir);
	argv[1] = dir.buf;
	argv[2] = "config";
	argv[3] = "--local";
	argv[4] = value ? "--replace-all" : "--unset-all";
	argv[5] = key;
	argv[6] = value;
	run.argv = argv;
	rc = run_all(&run, 1, err);
	if (!rc && run.status != 0 && !(!value && run.status == CONFIG_NOT_SET))
		rc = err_set(err, ERR_FAIL, "cannot set '%s' in '%s/config': %s", key, r->gitdir, run_reason(why, sizeof(why), &run));
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&dir);
	return rc;
}

bool repo_has_file(const struct repo *r, const char *name)
{
	char *path = io_join(r->gitdir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}
