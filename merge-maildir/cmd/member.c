/*
 * member.c -- a member as the commands work on it: its repository and its live Maildir.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "member.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../repo/io.h"
#include "../repo/run.h"
#include "exit.h"
#include "self.h"

const char *member_branch(const struct member *m)
{
	return !strncmp(m->repo.branch, "refs/heads/", 11) ? m->repo.branch + 11 : NULL;
}

/* Which git is in PATH, in a line that is another one when it was replaced. False if there is none. */
static bool describe_git(char *out, size_t size)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];
	struct stat st;

	for (size_t len; path && *path; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		if (!len || snprintf(file, sizeof(file), "%.*s/git", (int)len, path) >= (int)sizeof(file))
			continue;
		if (access(file, X_OK) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
			snprintf(out, size, "%ju %ju %jd %jd %s\n", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
				 (intmax_t)st.st_mtime, file);
			return true;
		}
	}
	return false;
}

/* Asks git for its version, but not again while the same one is in PATH: starting it takes as long as a small record. */
static int check_git(struct repo *r, struct err *err)
{
	char now[PATH_MAX + 128], *note = repo_state_path(r, "git");
	bool found = describe_git(now, sizeof(now));
	struct bytes known = { 0 };
	FILE *f;
	int ret = 0;

	if (!found || io_read(note, &known) < 0 || strcmp(known.buf, now) != 0) {
		ret = run_check_git(err);
		if (!ret && found && (f = fopen(note, "we"))) {
			fputs(now, f);
			fclose(f);
		}
	}
	bytes_release(&known);
	free(note);
	return ret;
}

int member_open_any(struct member *m, struct err *err)
{
	int ret;

	memset(m, 0, sizeof(*m));
	m->disk.root = -1;
	m->repo.lockfd = -1;
	m->now = time(NULL);
	if ((ret = repo_open(&m->repo, NULL, err)) < 0) {
		/* nothing is left to close */
		m->repo.git = NULL;
		return ret;
	}
	if ((ret = check_git(&m->repo, err)) < 0)
		;
	else if (!m->repo.worktree)
		ret = err_set(err, ERR_NOTMEMBER, "'%s' has no work tree: run 'git maildir init' on its Maildir", m->repo.gitdir);
	else
		ret = disk_open(&m->disk, m->repo.worktree, err);
	if (ret < 0)
		member_close(m);
	else
		m->disk.lock_wait = m->repo.lock_wait;
	return ret;
}

int member_open(struct member *m, struct err *err)
{
	int ret = member_open_any(m, err);

	if (ret < 0)
		return ret;
	if (!m->repo.name)
		ret = err_set(err, ERR_NOTMEMBER, "'%s' is not a member yet: run 'git maildir init' on it", m->repo.worktree);
	else if (!member_branch(m))
		ret = err_set(err, ERR_BUSY, "no branch is checked out in '%s': finish or abort what git does there", m->repo.worktree);
	if (ret < 0)
		member_close(m);
	return ret;
}

void member_close(struct member *m)
{
	disk_close(&m->disk);
	if (m->repo.git)
		repo_close(&m->repo);
	memset(m, 0, sizeof(*m));
	m->disk.root = -1;
	m->repo.lockfd = -1;
}

int member_lock(struct member *m, struct err *err)
{
	return repo_lock(&m->repo, m->repo.lock_wait, err);
}

void member_spawn(struct member *m, const char *const *args)
{
	size_t n = 0;
	const char **argv;
	struct err err;

	while (args[n])
		n++;
	argv = mem_alloc((n + 2) * sizeof(*argv));
	argv[0] = self_program("git-maildir");
	memcpy(argv + 1, args, (n + 1) * sizeof(*argv));
	/*
	 * A hook's environment names the repository relative to a directory that the child does
	 * not start in, and may name a quarantine that is gone when the child writes.
	 */
	setenv("GIT_DIR", m->repo.gitdir, 1);
	unsetenv("GIT_WORK_TREE");
	unsetenv("GIT_INDEX_FILE");
	unsetenv("GIT_PREFIX");
	unsetenv("GIT_OBJECT_DIRECTORY");
	unsetenv("GIT_ALTERNATE_OBJECT_DIRECTORIES");
	unsetenv("GIT_QUARANTINE_PATH");
	if (run_detached(argv, m->repo.worktree, &err) < 0)
		exit_warn("%s", err.msg);
	free(argv);
}
