/*
 * setup.c -- what makes a repository beside a Maildir a member: configuration, ignore rules, attributes, hooks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/keywords.h"
#include "../core/path.h"
#include "../core/uidlist.h"
#include "../repo/io.h"
#include "../repo/peer.h"
#include "../repo/run.h"
#include "hooks_data.h"
#include "self.h"

/*
 * The settings of a member. Those with force are put right whenever init runs, because mail can be lost without them: git's own
 * checkout must not write into the live Maildir, nor its line-end conversion change a message.
 */
static const struct {
	const char *key, *value;
	bool force;
} settings[] = {
	{ "core.bare", "false", true },
	{ "core.autocrlf", "false", true },
	{ "core.precomposeUnicode", "false", true },
	{ "core.splitIndex", "false", true }, /* libgit2 cannot read a split index */
	{ "core.trustctime", "false", false }, /* a flag change is a rename, which changes the ctime */
	{ "core.checkStat", "minimal", false },
	{ "core.fsync", "committed,reference", false }, /* a push that succeeded must survive a power loss */
	{ "core.quotePath", "false", false },
	{ "core.logAllRefUpdates", "true", false },
	{ "pull.twohead", "maildir", true },
	{ "pull.octopus", "maildir", true }, /* which refuses: git's own would write into cur/ */
	{ "pull.rebase", "false", false },
	{ "merge.ff", "false", true }, /* a fast-forward runs no strategy: git would write into cur/ itself */
	{ "merge.maildir.name", "Maildir merge", false },
	{ "merge.maildir.driver", "merge-maildir %O %A %B %P", false },
	{ "filter.maildir.clean", "git-maildir clean %f", false }, /* what .gitattributes names: git sees lists as record does */
	{ "receive.denyCurrentBranch", "updateInstead", true }, /* together with our push-to-checkout hook */
	{ "receive.fsckObjects", "true", false },
	{ "fetch.fsckObjects", "true", false },
	{ "receive.autoGC", "false", false },
	{ "receive.shallowUpdate", "true", false }, /* members are pruned at different points */
};

static const char *const attributes[] = { "* -text merge=maildir\n", UIDLIST_NAME " filter=maildir\n", KEYWORDS_NAME " filter=maildir\n" };

/* Whether path is dir or below it. */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/');
}

/* Runs "git init"; it also moves an existing .git directory to where --separate-git-dir says. */
static int make_repository(const struct setup *s, const char *gitdir, struct err *err)
{
	const char *argv[12], *branch = s->branch ? s->branch : "main";
	char *sep = NULL, *head = NULL;
	size_t n = 0;
	mode_t mask;
	int ret;

	if (asprintf(&sep, "--separate-git-dir=%s", gitdir) < 0 || asprintf(&head, "%s/HEAD", gitdir) < 0)
		return err_set(err, ERR_FAIL, "out of memory");
	argv[n++] = "git";
	argv[n++] = "-c";
	argv[n++] = "init.defaultBranch=main";
	argv[n++] = "init";
	argv[n++] = "--quiet";
	/* A template directory may hold hooks: those of the user's are kept; the sample ones are only noise. */
	if (access(head, F_OK) < 0 && s->branch) {
		argv[n++] = "-b";
		argv[n++] = branch;
	}
	argv[n++] = sep;
	argv[n++] = s->maildir;
	argv[n] = NULL;
	/* What is in the repository is mail: it is for nobody else. */
	mask = umask(077);
	ret = run_git(NULL, argv, NULL, err);
	umask(mask);
	if (!ret && chmod(gitdir, 0700) < 0)
		ret = err_errno(err, "cannot set the mode of '%s'", gitdir);
	free(sep);
	free(head);
	return ret;
}

static int configure(struct repo *r, const struct setup *s, struct err *err)
{
	char host[256] = "", *value, *dot;
	int ret = 0;

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings) && !ret; i++) {
		value = repo_config_get(r, settings[i].key);
		if (!value || (settings[i].force && strcmp(value, settings[i].value) != 0))
			ret = repo_config_set(r, settings[i].key, settings[i].value, err);
		free(value);
	}
	value = repo_config_get(r, "core.worktree");
	if (!ret && (!value || strcmp(value, s->maildir) != 0))
		ret = repo_config_set(r, "core.worktree", s->maildir, err);
	free(value);
	value = repo_config_get(r, "maildir.bindir");
	if (!ret && self_dir() && (!value || strcmp(value, self_dir()) != 0))
		ret = repo_config_set(r, "maildir.bindir", self_dir(), err);
	free(value);
	value = repo_config_get(r, "maildir.name");
	if (!ret && s->name) {
		if (!value || strcmp(value, s->name) != 0)
			ret = repo_config_set(r, "maildir.name", s->name, err);
	} else if (!ret && !value) {
		gethostname(host, sizeof(host) - 1);
		if ((dot = strchr(host, '.')))
			*dot = '\0';
		if (!peer_name_ok(host))
			ret = err_set(err, ERR_FAIL, "the host's name '%s' cannot be a member's name: use --name", host);
		else
			ret = repo_config_set(r, "maildir.name", host, err);
	}
	free(value);
	return ret;
}

/* Appends text to a file unless it holds it already. */
static int ensure_text(const char *path, const char *text, struct err *err)
{
	struct bytes b = { 0 };
	bool there = io_read(path, &b) == 0 && strstr(b.buf, text) != NULL;
	int ret = 0, bad;
	FILE *f;

	if (!there) {
		f = fopen(path, "ae");
		bad = !f || (b.len && b.buf[b.len - 1] != '\n' && fputc('\n', f) == EOF) || fputs(text, f) == EOF;
		if ((f && fclose(f) != 0) || bad)
			ret = err_errno(err, "cannot write '%s'", path);
	}
	bytes_release(&b);
	return ret;
}

static int write_rules(const struct repo *r, struct err *err)
{
	char *path = NULL;
	int ret;

	if (asprintf(&path, "%s/info", r->gitdir) < 0)
		return err_set(err, ERR_FAIL, "out of memory");
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		ret = err_errno(err, "cannot make '%s'", path);
		free(path);
		return ret;
	}
	free(path);
	if (asprintf(&path, "%s/info/exclude", r->gitdir) < 0)
		return err_set(err, ERR_FAIL, "out of memory");
	ret = ensure_text(path, path_exclude, err);
	free(path);
	if (ret)
		return ret;
	if (asprintf(&path, "%s/.gitattributes", r->worktree) < 0)
		return err_set(err, ERR_FAIL, "out of memory");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes) && !ret; i++)
		ret = ensure_text(path, attributes[i], err);
	free(path);
	return ret;
}

char *setup_hooks_dir(const struct repo *r)
{
	char *dir = repo_config_get(r, "core.hooksPath"), *abs = NULL;

	if (dir && *dir == '/')
		return dir;
	if (asprintf(&abs, "%s/%s", dir ? r->worktree : r->gitdir, dir ? dir : "hooks") < 0)
		abs = NULL;
	free(dir);
	return abs;
}

static bool file_equals(const char *path, const char *text)
{
	struct bytes b = { 0 };
	bool same = io_read(path, &b) == 0 && b.len == strlen(text) && !memcmp(b.buf, text, b.len);

	bytes_release(&b);
	return same;
}

/* Whether a hook file is one of ours, perhaps of an older version. */
static bool is_ours(const char *path)
{
	struct bytes b = { 0 };
	bool ours = io_read(path, &b) == 0 && (strstr(b.buf, "git-maildir hook") || strstr(b.buf, "git maildir hook"));

	bytes_release(&b);
	return ours;
}

static int install_hook(const char *dir, const struct hook_file *h, struct err *err)
{
	struct bytes path = { 0 }, tmp = { 0 }, local = { 0 };
	FILE *f;
	int ret = 0;

	bytes_addf(&path, "%s/%s", dir, h->name);
	bytes_addf(&tmp, "%s/%s.tmp", dir, h->name);
	bytes_addf(&local, "%s/%s.local", dir, h->name);
	if (file_equals(path.buf, h->text) && access(path.buf, X_OK) == 0)
		goto out;
	if (access(path.buf, F_OK) == 0 && !is_ours(path.buf)) {
		if (access(local.buf, F_OK) == 0) {
			ret = err_set(err, ERR_FAIL, "cannot keep your hook '%s': '%s' exists already", path.buf, local.buf);
			goto out;
		}
		if (rename(path.buf, local.buf) < 0) {
			ret = err_errno(err, "cannot keep your hook '%s'", path.buf);
			goto out;
		}
	}
	f = fopen(tmp.buf, "we");
	if (!f || fputs(h->text, f) < 0 || fflush(f) != 0 || fchmod(fileno(f), 0755) < 0)
		ret = err_errno(err, "cannot write the hook '%s'", tmp.buf);
	if (f && fclose(f) != 0 && !ret)
		ret = err_errno(err, "cannot write the hook '%s'", tmp.buf);
	if (!ret && rename(tmp.buf, path.buf) < 0)
		ret = err_errno(err, "cannot install the hook '%s'", path.buf);
	if (ret)
		unlink(tmp.buf);
out:
	bytes_release(&path);
	bytes_release(&tmp);
	bytes_release(&local);
	return ret;
}

int setup_hooks(struct repo *r, struct err *err)
{
	char *dir = setup_hooks_dir(r);
	int ret = 0;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		ret = err_errno(err, "cannot make '%s'", dir);
	for (const struct hook_file *h = hooks_data; h->name && !ret; h++)
		ret = install_hook(dir, h, err);
	free(dir);
	return ret;
}

const char *setup_hooks_missing(struct repo *r)
{
	char *dir = setup_hooks_dir(r);
	const struct hook_file *h;

	for (h = hooks_data; h->name; h++) {
		struct bytes path = { 0 };
		bool ok;

		bytes_addf(&path, "%s/%s", dir, h->name);
		ok = access(path.buf, X_OK) == 0 && is_ours(path.buf);
		bytes_release(&path);
		if (!ok)
			break;
	}
	free(dir);
	return h->name;
}

/* A repository, perhaps one with directories called cur/, is no Maildir; nor is anything in one. */
static int check_outside(const char *maildir, struct err *err)
{
	const char *argv[] = { "git", "-C", maildir, "rev-parse", "--is-inside-git-dir", NULL };
	struct bytes out = { 0 };
	struct err none;
	int ret = 0;

	/* Where there is no repository at all git fails, which is as good. */
	if (run_git(NULL, argv, &out, &none) == 0 && out.len >= 4 && !memcmp(out.buf, "true", 4))
		ret = err_set(err, ERR_FAIL, "'%s' is a git repository or inside of one, not a Maildir", maildir);
	bytes_release(&out);
	return ret;
}

int setup_member(const struct setup *s, struct err *err)
{
	struct repo r = { .lockfd = -1 };
	struct bytes gitdir = { 0 }, link = { 0 };
	struct stat st;
	int ret;

	if ((ret = check_outside(s->maildir, err)) < 0)
		return ret;
	bytes_addf(&link, "%s/.git", s->maildir);
	if (s->gitdir)
		bytes_addf(&gitdir, "%s", s->gitdir);
	else
		bytes_addf(&gitdir, "%s.git", s->maildir);
	if (is_below(gitdir.buf, s->maildir) || is_below(s->maildir, gitdir.buf)) {
		ret = err_set(err, ERR_FAIL, "the repository '%s' cannot be inside the Maildir '%s'", gitdir.buf, s->maildir);
		goto out;
	}
	/* A member already: its repository is where the .git file says, unless somebody wants it elsewhere. */
	if (lstat(link.buf, &st) < 0 || S_ISDIR(st.st_mode) || s->gitdir) {
		if (lstat(link.buf, &st) < 0 && lstat(gitdir.buf, &st) == 0) {
			struct bytes config = { 0 }, owner = { 0 };
			const char *argv[] = { "git", "config", "-f", NULL, "core.worktree", NULL };

			bytes_addf(&config, "%s/config", gitdir.buf);
			argv[3] = config.buf;
			ret = run_git(NULL, argv, &owner, err);
			while (owner.len && owner.buf[owner.len - 1] == '\n')
				owner.buf[--owner.len] = '\0';
			if (ret || strcmp(owner.buf, s->maildir) != 0)
				ret = err_set(err, ERR_FAIL, "'%s' exists and is not the repository of '%s': use --git-dir", gitdir.buf, s->maildir);
			bytes_release(&config);
			bytes_release(&owner);
			if (ret)
				goto out;
		}
		if ((ret = make_repository(s, gitdir.buf, err)) < 0)
			goto out;
	}
	if ((ret = repo_open(&r, s->maildir, err)) < 0)
		goto out;
	if (!r.worktree || strcmp(r.worktree, s->maildir) != 0) {
		/* core.worktree is not set yet in a repository that was made by hand with a .git file. */
		free(r.worktree);
		r.worktree = strdup(s->maildir);
	}
	if ((ret = configure(&r, s, err)) < 0 || (ret = write_rules(&r, err)) < 0)
		goto close;
	ret = setup_hooks(&r, err);
close:
	repo_close(&r);
out:
	bytes_release(&gitdir);
	bytes_release(&link);
	return ret;
}
