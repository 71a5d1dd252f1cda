/*
 * gitdir.c -- finds the repository of a Maildir, without libgit2.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"
#include "io.h"

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The path behind "gitdir: " in a file .git; a relative one starts at the directory that the file is in. NULL if there is none. */
static char *read_file(const char *dir, const char *file)
{
	char buf[PATH_MAX + 16];
	struct bytes path = { 0 };
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 8)
		return NULL;
	buf[n] = '\0';
	while (n && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		buf[--n] = '\0';
	if (strncmp(buf, "gitdir: ", 8) != 0 || !buf[8])
		return NULL;
	if (buf[8] != '/')
		bytes_addf(&path, "%s/", dir);
	bytes_addstr(&path, buf + 8);
	return path.buf;
}

char *gitdir_of(const char *dir, struct err *err)
{
	char *dotgit = io_join(dir, ".git"), *gitdir, *ours;
	bool found;

	if (is_dir(dotgit)) {
		gitdir = dotgit;
	} else {
		gitdir = read_file(dir, dotgit);
		free(dotgit);
	}
	if (!gitdir || !is_dir(gitdir)) {
		err_set(err, ERR_NOTMEMBER, "'%s' has no repository: run 'git maildir init' on it", dir);
		free(gitdir);
		return NULL;
	}
	/* Not every directory that is under git is a Maildir of ours. */
	ours = io_join(gitdir, "maildir");
	found = is_dir(ours);
	free(ours);
	if (found)
		return gitdir;
	err_set(err, ERR_NOTMEMBER, "'%s' is not a member yet: run 'git maildir init' on it", dir);
	free(gitdir);
	return NULL;
}

char *gitdir_above(const char *dir)
{
	char *at = io_join(dir, ""), *gitdir, *slash;

	while ((slash = strrchr(at, '/'))) {
		*slash = '\0';
		gitdir = gitdir_of(*at ? at : "/", NULL);
		free(gitdir);
		if (gitdir)
			return at;
	}
	free(at);
	return NULL;
}
