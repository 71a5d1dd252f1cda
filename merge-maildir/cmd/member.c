/*
 * member.c -- a member as the commands work on it: its repository and its live Maildir.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "member.h"

#include <stdlib.h>
#include <string.h>

#include "../repo/run.h"
#include "exit.h"
#include "self.h"

const char *member_branch(const struct member *m)
{
	return !strncmp(m->repo.branch, "refs/heads/", 11) ? m->repo.branch + 11 : NULL;
}

int member_open_any(struct member *m, struct err *err)
{
	int ret;

	memset(m, 0, sizeof(*m));
	m->disk.root = -1;
	m->repo.lockfd = -1;
	m->now = time(NULL);
	if ((ret = run_check_git(err)) < 0)
		return ret;
	if ((ret = repo_open(&m->repo, NULL, err)) < 0) {
		/* nothing is left to close */
		m->repo.git = NULL;
		return ret;
	}
	if (!m->repo.worktree)
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
	const char *argv[8] = { self_path() };
	struct err err;
	size_t n = 1;

	while (*args && n < sizeof(argv) / sizeof(*argv) - 1)
		argv[n++] = *args++;
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
}
