/*
 * watcher.c -- whether somebody looks after a member already: a "git maildir watch", or a sync that is waiting for its turn.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"

static char *path_of(const char *gitdir, const char *name)
{
	struct bytes path = { 0 };

	bytes_addf(&path, "%s/maildir/%s", gitdir, name);
	return path.buf;
}

static int open_file(const char *gitdir, const char *name)
{
	char *path = path_of(gitdir, name), *dir;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ENOENT) {
		dir = path_of(gitdir, "");
		mkdir(dir, 0700);
		free(dir);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	free(path);
	return fd;
}

/*
 * Locks of the open file, not of the process: a child that is given the descriptor has the lock, too. Not flock(2), because of these one can ask whether they are held, and does not have
 * to take them for a moment, in which whoever wants one would take the asker for its holder.
 */
static int take(int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &whole);
}

static bool is_held(const char *gitdir, const char *name)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = path_of(gitdir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool held = fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;

	if (fd >= 0)
		close(fd);
	free(path);
	return held;
}

int watcher_take(const char *gitdir, struct err *err)
{
	int fd = open_file(gitdir, "watch");

	if (fd < 0)
		return err_errno(err, "cannot open '%s/maildir/watch'", gitdir);
	if (take(fd) == 0)
		return fd;
	close(fd);
	return err_set(err, ERR_BUSY, "'%s' is watched by another process already", gitdir);
}

bool watcher_is_there(const char *gitdir)
{
	return is_held(gitdir, "watch");
}

bool watcher_queue(const char *gitdir, int *fd)
{
	*fd = open_file(gitdir, "queue");
	if (*fd < 0 || take(*fd) == 0)
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

bool watcher_is_queued(const char *gitdir)
{
	return is_held(gitdir, "queue");
}
