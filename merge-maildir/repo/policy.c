/*
 * policy.c -- what the configuration of a member asks of a delivery.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "policy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/mem.h"
#include "../core/peername.h"
#include "io.h"
#include "run.h"

#define DEFAULT_TIMEOUT 10
#define NUMBER_MOST 1000000

/* A remote, until it is known whether it is a peer. */
struct remote {
	char *name;
	bool has_url, no_peer;
};

struct parse {
	struct policy *p;
	struct remote *v;
	size_t n, cap;
	bool ack_given, no_push;
};

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

long policy_number(const char *s)
{
	char *end;
	long v;

	errno = 0;
	if (!isdigit((unsigned char)*s))
		return -1;
	v = strtol(s, &end, 10);
	return *end || errno || v > NUMBER_MOST ? -1 : v;
}

bool policy_fallback(const char *s, bool *defer)
{
	if (strcasecmp(s, "accept") != 0 && strcasecmp(s, "defer") != 0)
		return false;
	*defer = strcasecmp(s, "defer") == 0;
	return true;
}

/* As git reads a truth value; value NULL: a key without "=". -1 if it is none. */
static int truth(const char *value)
{
	static const char *const yes[] = { "true", "yes", "on" }, *const no[] = { "false", "no", "off", "" };

	for (size_t i = 0; value && i < sizeof(yes) / sizeof(*yes); i++)
		if (strcasecmp(value, yes[i]) == 0)
			return 1;
	for (size_t i = 0; value && i < sizeof(no) / sizeof(*no); i++)
		if (strcasecmp(value, no[i]) == 0)
			return 0;
	return !value ? 1 : policy_number(value) < 0 ? -1 : policy_number(value) != 0;
}

static int nonsense(struct err *err, const char *key, const char *value, const char *is)
{
	return err_set(err, ERR_ENV, "value '%s' of '%s' is not %s", value ? value : "", key, is);
}

static struct remote *remote_of(struct parse *s, const char *name, size_t len)
{
	for (size_t i = 0; i < s->n; i++)
		if (strncmp(s->v[i].name, name, len) == 0 && !s->v[i].name[len])
			return &s->v[i];
	MEM_GROW(s->v, s->n, s->cap);
	s->v[s->n] = (struct remote){ .name = mem_zalloc(len + 1) };
	memcpy(s->v[s->n].name, name, len);
	return &s->v[s->n++];
}

/* "remote.<name>.<what>". A truth value that is none is a peer, as elsewhere. */
static void take_remote(struct parse *s, const char *key, const char *value)
{
	const char *name = key + strlen("remote."), *what = strrchr(name, '.');

	if (!what)
		return;
	if (strcasecmp(what, ".url") == 0)
		remote_of(s, name, (size_t)(what - name))->has_url |= value != NULL;
	else if (strcasecmp(what, ".maildirPeer") == 0)
		remote_of(s, name, (size_t)(what - name))->no_peer = truth(value) == 0;
}

static int take(struct parse *s, const char *key, const char *value, struct err *err)
{
	const char *v = value ? value : "";
	long number = policy_number(v);

	if (strncasecmp(key, "remote.", 7) == 0) {
		take_remote(s, key, value);
	} else if (strcasecmp(key, "maildir.name") == 0) {
		free(s->p->name);
		s->p->name = copy(v);
	} else if (strcasecmp(key, "maildir.autoPush") == 0) {
		if (truth(value) < 0)
			return nonsense(err, "maildir.autoPush", value, "a truth value");
		s->no_push = !truth(value);
	} else if (strcasecmp(key, "maildir.ackPeers") == 0) {
		if (number < 0)
			return nonsense(err, "maildir.ackPeers", value, "a number of peers");
		s->p->ack = (size_t)number;
		s->ack_given = true;
	} else if (strcasecmp(key, "maildir.ackTimeout") == 0) {
		if (number < 0)
			return nonsense(err, "maildir.ackTimeout", value, "a number of seconds");
		s->p->timeout = (int)number;
	} else if (strcasecmp(key, "maildir.ackFallback") == 0 && !policy_fallback(v, &s->p->defer)) {
		return nonsense(err, "maildir.ackFallback", value, "'accept' or 'defer'");
	}
	return 0;
}

static int cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Remotes without a url are leftovers; those marked as no peers, and those with names that no member can have, are the user's own affair. */
static void take_peers(struct parse *s)
{
	struct policy *p = s->p;

	p->peers = mem_zalloc((s->n + 1) * sizeof(*p->peers));
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].has_url && !s->v[i].no_peer && peer_name_ok(s->v[i].name))
			p->peers[p->npeers++] = s->v[i].name;
		else
			free(s->v[i].name);
	free(s->v);
	if (p->npeers)
		qsort(p->peers, p->npeers, sizeof(*p->peers), cmp);
	if (!s->ack_given)
		p->ack = p->npeers && !s->no_push;
}

int policy_parse(struct policy *p, const char *text, size_t len, struct err *err)
{
	struct parse s = { .p = p };
	int rc = 0;

	*p = (struct policy){ .timeout = DEFAULT_TIMEOUT };
	for (size_t pos = 0; pos < len && !rc; pos += strlen(text + pos) + 1) {
		const char *entry = text + pos, *nl = strchr(entry, '\n');
		struct bytes key = { 0 };

		bytes_add(&key, entry, nl ? (size_t)(nl - entry) : strlen(entry));
		rc = take(&s, key.buf, nl ? nl + 1 : NULL, err);
		bytes_release(&key);
	}
	take_peers(&s);
	if (!rc && (!p->name || !peer_name_ok(p->name)))
		rc = err_set(err, ERR_NOTMEMBER, "it has no name: run 'git maildir init' on it");
	return rc;
}

/* --- what git said before */

/* A file that changed so many seconds ago can change again without having another time of change. */
#define FRESH 2
#define KEPT "git-maildir policy 1\n"

struct sources {
	struct bytes paths; /* of the files that git reads, each with its NUL */
	struct bytes stamp; /* what they look like now */
	bool usable;	    /* nothing speaks against going by them */
};

static void add_source(struct sources *s, const char *dir, const char *file)
{
	struct bytes path = { 0 };
	struct timespec now;
	struct stat st;

	bytes_addf(&path, "%s%s", dir, file);
	bytes_add(&s->paths, path.buf, path.len + 1);
	if (stat(path.buf, &st) < 0) {
		bytes_addf(&s->stamp, "%d", errno);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		s->usable &= st.st_ctim.tv_sec < now.tv_sec - FRESH;
		bytes_addf(&s->stamp, "%ju %ju %jd %jd.%ld %jd.%ld", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
			   (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	}
	bytes_addf(&s->stamp, " %s\n", path.buf);
	bytes_release(&path);
}

/* See git-config(1), FILES and ENVIRONMENT. */
static void find_sources(struct sources *s, const char *gitdir)
{
	const char *home = getenv("HOME"), *xdg = getenv("XDG_CONFIG_HOME"), *system = getenv("GIT_CONFIG_SYSTEM"), *global = getenv("GIT_CONFIG_GLOBAL"),
		   *none = getenv("GIT_CONFIG_NOSYSTEM");

	memset(s, 0, sizeof(*s));
	s->usable = !getenv("GIT_CONFIG_COUNT") && !getenv("GIT_CONFIG_PARAMETERS");
	bytes_addf(&s->stamp, "%s\n", none ? none : "");
	add_source(s, gitdir, "/config");
	add_source(s, gitdir, "/config.worktree");
	add_source(s, "", system ? system : "/etc/gitconfig");
	if (global) {
		add_source(s, "", global);
		return;
	}
	if (xdg && *xdg)
		add_source(s, xdg, "/git/config");
	else if (home)
		add_source(s, home, "/.config/git/config");
	if (home)
		add_source(s, home, "/.gitconfig");
}

static void release_sources(struct sources *s)
{
	bytes_release(&s->paths);
	bytes_release(&s->stamp);
}

static bool is_source(const struct sources *s, const char *origin)
{
	if (strncmp(origin, "file:", 5) != 0)
		return false;
	for (size_t pos = 0; pos < s->paths.len; pos += strlen(s->paths.buf + pos) + 1)
		if (strcmp(s->paths.buf + pos, origin + 5) == 0)
			return true;
	return false;
}

static char *kept_path(const char *gitdir, const char *suffix)
{
	struct bytes path = { 0 };

	bytes_addf(&path, "%s/maildir/policy%s", gitdir, suffix);
	return path.buf;
}

/* Appends what git said when the files looked as they do now. */
static bool read_kept(const struct sources *s, const char *gitdir, struct bytes *text)
{
	char *path = kept_path(gitdir, "");
	struct bytes all = { 0 };
	size_t head = strlen(KEPT), len = head + s->stamp.len;
	bool ok = io_read(path, &all) == 0 && all.len > len && memcmp(all.buf, KEPT, head) == 0 && memcmp(all.buf + head, s->stamp.buf, s->stamp.len) == 0 &&
		  !all.buf[len] && !all.buf[all.len - 1];

	if (ok)
		bytes_add(text, all.buf + len + 1, all.len - len - 1);
	bytes_release(&all);
	free(path);
	return ok;
}

/* As far as it can: the next one asks git again. */
static void keep(const struct sources *s, const char *gitdir, const struct bytes *text)
{
	char own[32], *path = kept_path(gitdir, ""), *tmp;
	struct bytes all = { 0 };
	bool ok;
	int fd;

	snprintf(own, sizeof(own), ".%ld", (long)getpid());
	tmp = kept_path(gitdir, own);
	bytes_addstr(&all, KEPT);
	bytes_add(&all, s->stamp.buf, s->stamp.len + 1);
	bytes_add(&all, text->buf, text->len);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		ok = io_write(fd, all.buf, all.len) == 0;
		ok = close(fd) == 0 && ok && rename(tmp, path) == 0;
		if (!ok)
			unlink(tmp);
	}
	bytes_release(&all);
	free(path);
	free(tmp);
}

/* "<origin>\0<key>\n<value>\0" each, to text without the origins. False if it also depends on other files than those that are looked at. */
static bool strip_origins(const struct sources *s, const struct bytes *said, struct bytes *text)
{
	bool known = true;

	for (size_t pos = 0, len; pos < said->len; pos += len) {
		const char *origin = said->buf + pos, *key = origin + strlen(origin) + 1;

		if (key >= said->buf + said->len)
			break;
		known &= is_source(s, origin) && strncasecmp(key, "include", 7) != 0;
		bytes_add(text, key, strlen(key) + 1);
		len = (size_t)(key - origin) + strlen(key) + 1;
	}
	return known;
}

static int ask_git(const char *gitdir, struct bytes *said, struct err *err)
{
	static const char *const env[] = { "LC_ALL=C", NULL };
	struct bytes opt = { 0 };
	const char *argv[] = { "git", NULL, "config", "-z", "--show-origin", "--get-regexp", "^(maildir|remote|include|includeif)\\.", NULL };
	struct run run = { .argv = argv, .env = env, .clean_env = true };
	char reason[512];
	int rc = 0;

	bytes_addf(&opt, "--git-dir=%s", gitdir);
	argv[1] = opt.buf;
	if (run_all(&run, 1, err) < 0)
		rc = ERR_ENV;
	else if (run.status < 0 || run.status > 1 || (run.status == 1 && run.err.len)) /* 1: no such keys */
		rc = err_set(err, ERR_ENV, "cannot read the configuration of '%s': %s", gitdir, run_reason(reason, sizeof(reason), &run));
	else if (run.out.len)
		bytes_add(said, run.out.buf, run.out.len);
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&opt);
	return rc;
}

int policy_read(struct policy *p, const char *gitdir, struct err *err)
{
	struct bytes said = { 0 }, text = { 0 };
	struct sources s;
	struct err why;
	int rc = 0;

	*p = (struct policy){ .timeout = DEFAULT_TIMEOUT };
	find_sources(&s, gitdir);
	if (!s.usable || !read_kept(&s, gitdir, &text)) {
		rc = ask_git(gitdir, &said, err);
		if (!rc && strip_origins(&s, &said, &text) && s.usable)
			keep(&s, gitdir, &text);
	}
	if (!rc && (rc = policy_parse(p, text.buf ? text.buf : "", text.len, &why)))
		err_set(err, rc, "in the configuration of '%s': %s", gitdir, why.msg);
	bytes_release(&said);
	bytes_release(&text);
	release_sources(&s);
	return rc;
}

void policy_release(struct policy *p)
{
	for (size_t i = 0; i < p->npeers; i++)
		free(p->peers[i]);
	free(p->peers);
	free(p->name);
	memset(p, 0, sizeof(*p));
}
