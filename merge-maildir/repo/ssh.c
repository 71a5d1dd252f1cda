/*
 * ssh.c -- how git runs ssh for us: without a question, given up soon when nobody answers, and with one connection for many runs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../core/keyline.h"
#include "io.h"
#include "run.h"
#include "sha1.h"

/* A hook has nobody to type a password. A host that is gone is given up within 10 seconds, a connection to it that was there before included. */
#define OPTIONS "-o BatchMode=yes -o ConnectTimeout=5 -o ServerAliveInterval=3 -o ServerAliveCountMax=2"
/* ssh makes a socket under a name that is this much longer, and then gives it its name. */
#define SSH_ADDS 17
#define NAME_HEX 16
/* How long the process behind a socket may take for its first word, which it says to whoever connects. */
#define ANSWER_MS 2000

static bool is_set(const char *in, const char *what)
{
	return in && strcasestr(in, what);
}

/* Of several urls git pushes to each, and we know one. */
static int count_one(const git_config_entry *e, void *ctx)
{
	(void)e;
	++*(int *)ctx;
	return 0;
}

/* Whether git may talk to another host than the url of a remote says: then the two must not share a connection. */
static bool urls_are_rewritten(const struct repo *r)
{
	git_config_iterator *it = NULL;
	git_config *cfg = NULL;
	git_config_entry *e;
	bool yes = is_set(getenv("GIT_CONFIG_PARAMETERS"), "insteadof") || is_set(getenv("GIT_CONFIG_PARAMETERS"), "pushurl") || getenv("GIT_CONFIG_COUNT");

	if (yes || git_repository_config_snapshot(&cfg, r->git) < 0)
		return true;
	if (git_config_iterator_glob_new(&it, cfg, "^(url\\..*insteadof|remote\\..*url)$") < 0)
		yes = true;
	while (!yes && git_config_next(&e, it) == 0) {
		size_t len = strlen(e->name);
		int n = 0;

		if (len < 4 || strcmp(e->name + len - 4, ".url") != 0)
			yes = true;
		else
			yes = git_config_get_multivar_foreach(cfg, e->name, NULL, count_one, &n) < 0 || n != 1;
	}
	git_config_iterator_free(it);
	git_config_free(cfg);
	return yes;
}

/* Makes what of it is not there behind the first base bytes, which must be, and looks whether it is ours alone: who can write there is given our connections. */
static bool make_private(const char *dir, size_t base)
{
	char path[128];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return false;
	for (char *p = path + base + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return false;
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return false;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077);
}

/* A path that neither a shell nor ssh takes for something else, and in which a socket can be made. */
static bool is_plain(const char *dir)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-+@";
	struct sockaddr_un un;

	return *dir == '/' && strspn(dir, safe) == strlen(dir) && strlen(dir) + 1 + NAME_HEX + SSH_ADDS < sizeof(un.sun_path);
}

/* systemd gives a service a directory, logind one to each user who is logged in; both go when they end. Of several the first that can be used. */
static void find_dir(char *out, size_t size)
{
	static const struct {
		const char *var, *rest;
	} places[] = { { "RUNTIME_DIRECTORY", "/ssh" }, { "XDG_RUNTIME_DIR", "/git-maildir" }, { "HOME", "/.cache/git-maildir/ssh" } };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const char *value = getenv(places[i].var);
		size_t len = value ? strcspn(value, ":") : 0;

		if (len && snprintf(out, size, "%.*s%s", (int)len, value, places[i].rest) < (int)size && is_plain(out) && make_private(out, len))
			return;
	}
	*out = '\0';
}

void ssh_begin(struct ssh *s, const struct repo *r)
{
	*s = (struct ssh){ .r = r };
}

/* Once, and not for peers that are on this host. */
static void ask(struct ssh *s)
{
	const char *const argv[] = { "git", "config", "core.sshCommand", NULL };
	bool set = getenv("GIT_SSH_COMMAND") || getenv("GIT_SSH") || is_set(getenv("GIT_CONFIG_PARAMETERS"), "core.sshcommand");

	if (!set && s->r->git) {
		char *v = repo_config_get(s->r, "core.sshCommand");

		set = v != NULL;
		free(v);
	} else if (!set) {
		set = run_git(NULL, argv, NULL, NULL) == 0;
	}
	s->ours = !set;
	if (s->ours && s->r->git && !urls_are_rewritten(s->r))
		find_dir(s->dir, sizeof(s->dir));
	s->asked = true;
}

const char *ssh_host(const char *url, size_t *len)
{
	static const char *const schemes[] = { "ssh://", "git+ssh://", "ssh+git://" };
	const char *colon, *end;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++) {
		size_t k = strlen(schemes[i]);

		if (strncmp(url, schemes[i], k) == 0) {
			*len = k + strcspn(url + k, "/");
			return *len > k ? url : NULL;
		}
	}
	if (strstr(url, "://"))
		return NULL;
	/* "[::1]:path" */
	end = *url == '[' ? strchr(url, ']') : url;
	colon = end ? strchr(end, ':') : NULL;
	if (!colon || colon == url || memchr(url, '/', (size_t)(colon - url)))
		return NULL;
	*len = (size_t)(colon - url);
	return url;
}

const char *const *ssh_env(struct ssh *s, const char *url, bool alone, struct arena *a, const char **socket)
{
	unsigned char sum[SHA1_RAW];
	const char **env = arena_alloc(a, 5 * sizeof(*env));
	const char *host;
	char hex[NAME_HEX + 1];
	size_t n = 0, len;

	*socket = NULL;
	env[n++] = "LC_ALL=C";
	env[n++] = "GIT_TERMINAL_PROMPT=0";
	host = ssh_host(url, &len);
	if (host && !s->asked)
		ask(s);
	if (host && s->ours && *s->dir && !alone) {
		/* By what ssh is called with, not by the address that it finds: one host under two names can have two keys in ssh_config(5), and they may do different things there. */
		sha1_of(sum, host, len, NULL, 0);
		for (int i = 0; i < NAME_HEX / 2; i++)
			snprintf(hex + 2 * i, 3, "%02x", sum[i]);
		*socket = arena_printf(a, "%s/%s", s->dir, hex);
		/* What stays behind must not hold the directory that we are in. */
		env[n++] = arena_printf(a, "GIT_SSH_COMMAND=cd / && exec ssh " OPTIONS " -o ControlMaster=auto -o ControlPersist=60 -o ControlPath=%s", *socket);
		env[n++] = "GIT_SSH_VARIANT=ssh"; /* git would run it once more to find out */
	} else if (host && s->ours) {
		env[n++] = *s->dir ? "GIT_SSH_COMMAND=ssh " OPTIONS " -o ControlPath=none" : "GIT_SSH_COMMAND=ssh " OPTIONS;
	}
	env[n] = NULL;
	return env;
}

const char *ssh_path(const char *url)
{
	size_t len;
	const char *host = ssh_host(url, &len);

	if (!host)
		return NULL;
	/* "ssh://mx2/~/x" */
	if (url[len] == '/')
		return url[len + 1] == '~' ? url + len + 1 : url + len;
	return url[len] ? url + len + 1 : url + len;
}

/* The first line of "<file>.pub", if it is a public key. ssh_config(5) has paths in the home directory as "~/x". */
static char *read_key(const char *file, size_t len)
{
	const char *home = getenv("HOME");
	struct bytes path = { 0 }, text = { 0 };
	char *key = NULL;
	size_t n;

	if (len > 1 && file[0] == '~' && file[1] == '/')
		bytes_addf(&path, "%s%.*s.pub", home ? home : "", (int)len - 1, file + 1);
	else
		bytes_addf(&path, "%.*s.pub", (int)len, file);
	if (io_read(path.buf, &text) == 0 && text.len && (n = keyline_key(text.buf)) > 0) {
		key = mem_alloc(n + 1);
		memcpy(key, text.buf, n);
		key[n] = '\0';
	}
	bytes_release(&path);
	bytes_release(&text);
	return key;
}

char *ssh_public_key(const struct repo *r, const char *url)
{
	static const char word[] = "identityfile ";
	const char *command = getenv("GIT_SSH_COMMAND");
	char *configured = command || !r->git ? NULL : repo_config_get(r, "core.sshCommand"), *key = NULL, *host;
	struct bytes script = { 0 };
	struct run run = { .clean_env = true, .timeout = 5 };
	struct arena a = { 0 };
	size_t len;
	const char *s = ssh_host(url, &len);

	if (!s)
		goto out;
	/* ssh has a url without "git+", and an address without brackets. */
	if (strncmp(s, "ssh", 3) != 0 && strstr(s, "://"))
		host = arena_printf(&a, "ssh%.*s", (int)(s + len - strstr(s, "://")), strstr(s, "://"));
	else if (*s == '[')
		host = arena_strn(&a, s + 1, len - 2);
	else
		host = arena_strn(&a, s, len);
	/* As git calls it, but only asked what it would do. */
	bytes_addf(&script, "%s -G -- \"$1\"", command ? command : configured ? configured : "ssh");
	run.argv = (const char *const[]){ "sh", "-c", script.buf, "sh", host, NULL };
	if (run_all(&run, 1, NULL) < 0 || run.status != 0 || !run.out.len)
		goto out;
	for (const char *p = run.out.buf; !key && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, word, sizeof(word) - 1) == 0)
			key = read_key(p + sizeof(word) - 1, strcspn(p, "\n") - (sizeof(word) - 1));
out:
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&script);
	arena_release(&a);
	free(configured);
	return key;
}

bool ssh_is_shared(const char *socket_path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct pollfd p = { .events = POLLIN };
	bool answers = false;
	char c;

	if (strlen(socket_path) >= sizeof(un.sun_path))
		return false;
	memcpy(un.sun_path, socket_path, strlen(socket_path) + 1);
	p.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p.fd < 0)
		return false;
	if (connect(p.fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		answers = poll(&p, 1, ANSWER_MS) == 1 && read(p.fd, &c, 1) == 1;
	else if (errno == ENOENT) {
		close(p.fd);
		return false;
	}
	close(p.fd);
	if (!answers)
		unlink(socket_path);
	return answers;
}
