/*
 * git-maildir-shell.c -- the forced command of a peer's ssh key: git's fetch and push, in members' repositories, and nothing else.
 *
 * Everything that comes from the other end is one string, SSH_ORIGINAL_COMMAND; no shell sees it. Which references may be written is decided by the member's update hook
 * (cmd/hook.c, may_write), which learns from GIT_MAILDIR_PEER whose key it is. So nothing is run unless that hook is there, and what git itself can be told to refuse, it is told.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "../core/gitcmd.h"
#include "../core/peername.h"
#include "../repo/io.h"
#include "../repo/run.h"

#define STATUS_REFUSED 128 /* as git's own, which peers tell from the end of a connection (255) */
#define STATUS_USAGE 129
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define SHOWN 400 /* bytes of a command in a message */

/* What is asked of us, and what was found out about it. */
struct request {
	const char *peer, *line;
	const char *root;	/* as given; NULL: the home directory */
	struct gitcmd cmd;
	char gitdir[PATH_MAX];	/* absolute, no symbolic link in it */
	char hooks[PATH_MAX];
	char why[1024];		/* for the log of this host; the peer is told less */
};

/* A line for the log. The other end's words only through gitcmd_show(). */
static void log_refusal(const struct request *r, const char *why)
{
	const char *conn = getenv("SSH_CONNECTION");
	struct bytes from = { 0 }, line = { 0 };

	gitcmd_show(&from, conn ? conn : "", strcspn(conn ? conn : "", " "));
	gitcmd_show(&line, r->line ? r->line : "", SHOWN);
	if (from.len >= 3 && !strcmp(from.buf + from.len - 3, "..."))
		from.buf[from.len - 3] = '\0';
	openlog("git-maildir-shell", LOG_PID, LOG_AUTHPRIV);
	syslog(LOG_WARNING, "peer '%s' from %s refused: %s: %s", r->peer, conn ? from.buf : "an unknown address", why, r->line ? line.buf : "(a login)");
	closelog();
	bytes_release(&from);
	bytes_release(&line);
}

/* Says it to the peer in one line, and more of it to the log. Never returns. */
static _Noreturn void refuse(const struct request *r, const char *why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static _Noreturn void refuse(const struct request *r, const char *why, const char *fmt, ...)
{
	va_list ap;

	log_refusal(r, why);
	fputs("git-maildir-shell: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(STATUS_REFUSED);
}

static bool is_dir(const char *dir, const char *name)
{
	char *path = io_join(dir, name);
	struct stat st;
	bool yes = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	free(path);
	return yes;
}

static bool is_there(const char *dir, const char *name, struct stat *st)
{
	char *path = io_join(dir, name);
	bool yes = lstat(path, st) == 0;

	free(path);
	return yes;
}

/* What git itself takes for a repository. */
static bool is_repository(const char *dir)
{
	struct stat st;

	return is_dir(dir, "objects") && is_dir(dir, "refs") && is_there(dir, "HEAD", &st);
}

/* Where a file ".git" points: "gitdir: <path>", relative to the file's own directory. */
static bool follow_file(char *path, size_t size)
{
	char target[PATH_MAX], *slash = strrchr(path, '/');
	struct bytes b = { 0 };
	bool ok = false;
	size_t len;

	if (io_read(path, &b) == 0 && b.len > 8 && b.len < PATH_MAX && !memcmp(b.buf, "gitdir: ", 8) && slash) {
		len = strcspn(b.buf + 8, "\r\n");
		if (b.buf[8] == '/')
			ok = snprintf(target, sizeof(target), "%.*s", (int)len, b.buf + 8) < (int)sizeof(target);
		else
			ok = snprintf(target, sizeof(target), "%.*s/%.*s", (int)(slash - path), path, (int)len, b.buf + 8) < (int)sizeof(target);
		ok = ok && snprintf(path, size, "%s", target) < (int)size;
	}
	bytes_release(&b);
	return ok;
}

/*
 * git guesses what follows a path until it finds a repository. We guess in the same order, before we look at where it is, and then
 * name to git what was found, so that it has nothing left to guess.
 */
static bool find_repository(const char *asked, char out[PATH_MAX])
{
	static const char *const suffix[] = { "/.git", "", ".git/.git", ".git" };
	int len = (int)strlen(asked);
	char path[PATH_MAX];
	struct stat st;

	while (len > 1 && asked[len - 1] == '/')
		len--;
	for (size_t i = 0; i < sizeof(suffix) / sizeof(*suffix); i++) {
		if (snprintf(path, sizeof(path), "%.*s%s", len, asked, suffix[i]) >= (int)sizeof(path) || stat(path, &st) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			return follow_file(path, sizeof(path)) && realpath(path, out) && is_repository(out);
		if (S_ISDIR(st.st_mode) && is_repository(path))
			return realpath(path, out) != NULL;
	}
	return false;
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strcmp(dir, "/") || (!strncmp(path, dir, len) && (!path[len] || path[len] == '/'));
}

/*
 * Peers can put files and directories into a Maildir, so what looks like a repository there may be a peer's own make, with a configuration that runs what it
 * likes. A member's repository is never inside of a Maildir.
 */
static bool is_in_maildir(const char *path)
{
	char dir[PATH_MAX], *slash;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((slash = strrchr(dir, '/'))) {
		*slash = '\0';
		if (is_dir(dir, "cur") && is_dir(dir, "new") && is_dir(dir, "tmp"))
			return true;
		if (is_there(dir, ".git", &st) && S_ISREG(st.st_mode))
			return true;
	}
	return false;
}

/* The hook that decides which references a peer may write, where git will look for it. */
static bool find_hook(struct request *r)
{
	const char *const argv[] = { "git", "config", "--default=", "--get", "core.hooksPath", NULL };
	struct bytes out = { 0 }, text = { 0 };
	char *update;
	struct err err;
	bool ours;

	if (run_git(r->gitdir, argv, &out, &err) < 0) {
		snprintf(r->why, sizeof(r->why), "%s", err.msg);
		bytes_release(&out);
		return false;
	}
	out.len = strcspn(out.buf, "\n");
	out.buf[out.len] = '\0';
	/* A relative one means another directory to git in each command. */
	if ((out.len && *out.buf != '/') || snprintf(r->hooks, sizeof(r->hooks), "%s%s", out.len ? out.buf : r->gitdir, out.len ? "" : "/hooks") >= (int)sizeof(r->hooks)) {
		snprintf(r->why, sizeof(r->why), "core.hooksPath '%.200s' is not absolute", out.buf);
		bytes_release(&out);
		return false;
	}
	bytes_release(&out);
	update = io_join(r->hooks, "update");
	ours = access(update, X_OK) == 0 && io_read(update, &text) == 0 && (strstr(text.buf, "git maildir hook") || strstr(text.buf, "git-maildir hook"));
	if (!ours)
		snprintf(r->why, sizeof(r->why), "'%.900s' is not git-maildir's: run 'git maildir init' there", update);
	bytes_release(&text);
	free(update);
	return ours;
}

/* Whether r->gitdir is a repository that this peer may use; else r->why says why not. */
static bool may_use(struct request *r, const char *asked, const char *root)
{
	struct stat st;

	if (!find_repository(asked, r->gitdir))
		snprintf(r->why, sizeof(r->why), "no repository");
	else if (!is_below(r->gitdir, root))
		snprintf(r->why, sizeof(r->why), "'%.400s' is not below '%.400s'", r->gitdir, root);
	else if (is_in_maildir(r->gitdir))
		snprintf(r->why, sizeof(r->why), "'%.900s' is inside of a Maildir", r->gitdir);
	else if (stat(r->gitdir, &st) < 0 || st.st_uid != geteuid())
		snprintf(r->why, sizeof(r->why), "'%.900s' belongs to another user", r->gitdir);
	else if (!is_dir(r->gitdir, "maildir") || is_there(r->gitdir, ".git", &st) || is_there(r->gitdir, "commondir", &st))
		snprintf(r->why, sizeof(r->why), "'%.900s' is no member's repository", r->gitdir);
	else
		return find_hook(r);
	return false;
}

static void find(struct request *r)
{
	const char *home = getenv("HOME"), *path = r->cmd.path.buf;
	char root[PATH_MAX], asked[PATH_MAX];
	struct bytes shown = { 0 };
	bool fits, ok = false;

	if (!home || *home != '/')
		home = "/";
	if (!realpath(r->root ? r->root : home, root)) {
		snprintf(r->why, sizeof(r->why), "the root '%.400s': %s", r->root ? r->root : home, strerror(errno));
	} else if (path[0] == '~' && path[1] && path[1] != '/') {
		snprintf(r->why, sizeof(r->why), "another user's home directory");
	} else {
		if (*path == '~')
			fits = snprintf(asked, sizeof(asked), "%s%s", home, path + 1) < (int)sizeof(asked);
		else if (*path == '/')
			fits = snprintf(asked, sizeof(asked), "%s", path) < (int)sizeof(asked);
		else
			fits = snprintf(asked, sizeof(asked), "%s/%s", home, path) < (int)sizeof(asked);
		if (!fits)
			snprintf(r->why, sizeof(r->why), "the path is too long");
		ok = fits && may_use(r, asked, root);
	}
	if (ok)
		return;
	/* The same words whether it is not there, or is there and not for peers: nobody learns from us what there is. */
	gitcmd_show(&shown, path, SHOWN);
	refuse(r, r->why, "'%s' is not a member's repository that peer '%s' may use (the log of that host says why)", shown.buf, r->peer);
}

/* The version of git's protocol: "version=2". */
static bool protocol_ok(const char *v)
{
	return strlen(v) < 100 && strspn(v, "abcdefghijklmnopqrstuvwxyz0123456789=:") == strlen(v);
}

/* An empty or relative element means files of whatever directory we are in. */
static bool path_ok(const char *path)
{
	for (; *path == '/'; path++) {
		path += strcspn(path, ":");
		if (!*path)
			return true;
	}
	return false;
}

/* Only what is known to be harmless stays in the environment; sshd may be set up to take anything from the other end. */
static void clean_environment(const struct request *r)
{
	static const char *const keep[] = { "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_CONNECTION" };
	const char *path = getenv("PATH"), *protocol = getenv("GIT_PROTOCOL"), *slash;
	struct arena a = { 0 }; /* lives as long as the environment */
	char **env = mem_zalloc((sizeof(keep) / sizeof(*keep) + 4) * sizeof(*env)), self[PATH_MAX];
	size_t n = 0;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++)
		if (getenv(keep[i]))
			env[n++] = arena_printf(&a, "%s=%s", keep[i], getenv(keep[i]));
	if (!path || !path_ok(path))
		path = DEFAULT_PATH;
	/* Behind it our own directory, where the hooks find git-maildir. */
	env[n++] = arena_printf(&a, "PATH=%s%s%.*s", path, slash ? ":" : "", slash ? (int)(slash - self) : 0, self);
	if (protocol && protocol_ok(protocol))
		env[n++] = arena_printf(&a, "GIT_PROTOCOL=%s", protocol);
	env[n++] = arena_printf(&a, "GIT_MAILDIR_PEER=%s", r->peer);
	environ = env;
}

/*
 * Becomes git. For a push it is told to refuse by itself, whatever the hook says: deletions, the branch that is checked out, and all that is neither a branch nor a peer's state. Those two stay
 * visible, for what a pusher does not see it sends again; so which of them is written is for the hook.
 */
static _Noreturn void become_git(struct request *r)
{
	const char *const upload[] = { "git", "upload-pack", "--strict", r->gitdir, NULL };
	char hooks[PATH_MAX + 32];
	const char *const receive[] = { "git", "-c", hooks, "-c", "receive.denyDeletes=true", "-c", "receive.denyCurrentBranch=refuse", "-c", "receive.advertisePushOptions=false",
					"-c", "receive.hideRefs=refs/", "-c", "receive.hideRefs=!refs/heads/", "-c", "receive.hideRefs=!refs/remotes/", "receive-pack", r->gitdir, NULL };

	snprintf(hooks, sizeof(hooks), "core.hooksPath=%s", r->hooks);
	execvp("git", (char *const *)(r->cmd.verb == GITCMD_UPLOAD_PACK ? upload : receive));
	snprintf(r->why, sizeof(r->why), "cannot run git: %s", strerror(errno));
	refuse(r, r->why, "%s", r->why);
}

static int usage(FILE *to)
{
	fputs("usage: git-maildir-shell [--root=<dir>] <peer>\n", to);
	return to == stdout ? 0 : STATUS_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = { { "root", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };
	struct request r = { .peer = "?", .line = getenv("SSH_ORIGINAL_COMMAND") };
	struct bytes shown = { 0 };
	const char *why;
	int c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'r': r.root = optarg; break;
		default: return usage(c == 'h' ? stdout : stderr);
		}
	if (argc - optind != 1)
		return usage(stderr);
	if (!peer_name_ok(argv[optind])) {
		gitcmd_show(&shown, argv[optind], SHOWN);
		refuse(&r, "authorized_keys names no peer", "'%s' cannot be a peer's name: authorized_keys is wrong", shown.buf);
	}
	r.peer = argv[optind];
	if (r.root && *r.root != '/')
		refuse(&r, "--root is not absolute", "--root must be an absolute path: authorized_keys is wrong");
	if (!r.line)
		refuse(&r, "no shell", "this key of peer '%s' is for git's fetch and push alone: no login", r.peer);
	if ((why = gitcmd_parse(&r.cmd, r.line))) {
		gitcmd_show(&shown, r.line, SHOWN);
		refuse(&r, why, "peer '%s' may not run this: %s: %s", r.peer, why, shown.buf);
	}
	clean_environment(&r);
	find(&r);
	become_git(&r);
}
