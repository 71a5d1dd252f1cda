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
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/mem.h"

static int open_file(const char *gitdir, const char *name)
{
	struct bytes path = { 0 };
	int fd;

	bytes_addf(&path, "%s/maildir", gitdir);
	mkdir(path.buf, 0700);
	bytes_addf(&path, "/%s", name);
	fd = open(path.buf, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bytes_release(&path);
	return fd;
}

/* A shared lock: those who only ask do not take each other for the holder. */
static bool is_held(const char *gitdir, const char *name)
{
	int fd = open_file(gitdir, name);
	bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return held;
}

int watcher_take(const char *gitdir, struct err *err)
{
	struct timespec pause = { 0, 2000000 };
	int fd = open_file(gitdir, "watch");

	if (fd < 0)
		return err_errno(err, "cannot open '%s/maildir/watch'", gitdir);
	/* Again, because somebody who only asks has it for a moment. */
	for (int tries = 0; tries < 5; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		nanosleep(&pause, NULL);
	}
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
	if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	close(*fd);
	*fd = -1;
	return false;
}

bool watcher_is_queued(const char *gitdir)
{
	return is_held(gitdir, "queue");
}
