/*
 * clone.c -- a new member from a living one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../disk/repair.h"
#include "../repo/run.h"
#include "exit.h"
#include "setup.h"
#include "sync.h"
#include "verbs.h"

/* An empty directory, or none, or what an interrupted clone left (a .git file that is ours). */
static int is_free(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	struct stat st;
	char *link = NULL;
	int ret = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "cannot open '%s'", path);
	if (asprintf(&link, "%s/.git", path) < 0)
		link = NULL;
	if (!link || lstat(link, &st) < 0)
		while ((e = readdir(dir)))
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				ret = err_set(err, ERR_FAIL, "'%s' is not empty: clone makes a new Maildir; "
					      "for an existing one use 'git maildir init' and 'git maildir peer add'", path);
	free(link);
	closedir(dir);
	return ret;
}

/* The Maildir's absolute path, made with its parents if it is not there. */
static int make_maildir(const char *arg, char path[PATH_MAX], struct err *err)
{
	if (mkdir(arg, 0700) < 0 && errno != EEXIST)
		return err_errno(err, "cannot make '%s'", arg);
	if (!realpath(arg, path))
		return err_errno(err, "cannot find '%s'", arg);
	return 0;
}

/* Relative paths of a local repository mean another thing in the new one. */
static char *absolute_url(const char *url)
{
	char path[PATH_MAX];
	struct stat st;

	if (*url != '/' && !strstr(url, "://") && stat(url, &st) == 0 && realpath(url, path))
		return strdup(path);
	return strdup(url);
}

/* A clone that was interrupted after its HEAD was set is a member like any other. */
static int adopt(struct member *m, struct err *err)
{
	struct sync_outcome out;
	struct oid head;
	int ret = repo_head(&m->repo, &head, err);

	if (ret == ERR_NOTFOUND)
		return sync_adopt(m, err);
	return ret < 0 ? ret : sync_local(m, SYNC_QUIET, &out, err);
}

static int populate(struct member *m, const char *peer, const char *url, struct err *err)
{
	struct bytes spec = { 0 };
	const char *branch = member_branch(m);
	struct run run = { 0 };
	const char *argv[] = { "git", "fetch", "--no-tags", "--no-write-fetch-head", "--update-shallow", isatty(STDERR_FILENO) ? "--progress" : "--quiet",
			       peer, NULL, NULL };
	int ret;

	if ((ret = repair_folder_dirs(&m->disk, "", err)) < 0 || (ret = peer_add(&m->repo, peer, url, err)) < 0)
		return ret;
	bytes_addf(&spec, "+refs/heads/%s:refs/remotes/%s/%s", branch, peer, branch);
	argv[7] = spec.buf;
	/* The first fetch can take hours: no time limit but that of silence, and a person may watch. */
	run.argv = argv;
	run.cwd = m->repo.worktree;
	run.clean_env = true;
	run.pass_err = isatty(STDERR_FILENO);
	ret = run_all(&run, 1, err);
	if (!ret && run.status) {
		const char *line = run.err.buf ? run.err.buf : "";

		ret = err_set(err, ERR_UNREACHABLE, "cannot fetch from '%s': %.*s; run the same command again to go on", url,
			      (int)strcspn(line, "\n"), line);
	}
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&spec);
	if (!ret)
		ret = adopt(m, err);
	if (!ret)
		ret = peer_publish_name(&m->repo, err);
	return ret;
}

static const char usage[] = "git maildir clone [--name=<me>] <url> <maildir>";

int clone_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "name", required_argument, NULL, 'n' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct setup s = { 0 };
	char maildir[PATH_MAX], *peer = NULL, *branch = NULL, *url;
	struct repo none = { .lockfd = -1, .peer_timeout = 60 };
	struct member m;
	struct err err;
	int c, ret;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': s.name = optarg; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (argc - optind != 2)
		return exit_usage(usage, 0);
	if (s.name && !peer_name_ok(s.name)) {
		exit_warn("'%s' cannot be a member's name: letters, digits, '-', '_' and '.' can be in it", s.name);
		return EXIT_USAGE;
	}
	unsetenv("GIT_DIR");
	unsetenv("GIT_WORK_TREE");
	url = absolute_url(argv[optind]);
	if ((ret = run_check_git(&err)) < 0 || (ret = is_free(argv[optind + 1], &err)) < 0 ||
	    (ret = peer_ask(&none, url, &peer, &branch, &err)) < 0)
		goto out;
	if (!peer) {
		ret = err_set(&err, ERR_NOTMEMBER, "'%s' is no member: run 'git maildir init' there first", url);
		goto out;
	}
	if (s.name && !strcmp(s.name, peer)) {
		ret = err_set(&err, ERR_FAIL, "the member at '%s' is called '%s' already: choose another --name", url, peer);
		goto out;
	}
	if ((ret = make_maildir(argv[optind + 1], maildir, &err)) < 0)
		goto out;
	s.maildir = maildir;
	s.branch = branch;
	if ((ret = setup_member(&s, &err)) < 0)
		goto out;
	if (chdir(maildir) < 0) {
		ret = err_errno(&err, "cannot enter '%s'", maildir);
		goto out;
	}
	if ((ret = member_open(&m, &err)) < 0)
		goto out;
	if (!strcmp(m.repo.name, peer))
		ret = err_set(&err, ERR_FAIL, "this host and the member at '%s' are both called '%s': use --name", url, peer);
	else
		ret = populate(&m, peer, url, &err);
	if (!ret)
		printf("'%s' is member '%s', repository '%s', peer '%s'\n"
		       "now tell the other side, there: git maildir peer add %s <url of this repository>\n",
		       maildir, m.repo.name, m.repo.gitdir, peer, m.repo.name);
	member_close(&m);
out:
	free(url);
	free(peer);
	free(branch);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
