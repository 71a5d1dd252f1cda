/*
 * ack.c -- until when everything on disk is recorded, and is on a peer: what a delivery waits for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/mem.h"
#include "io.h"

int moment_now(struct moment *now)
{
	struct timespec t;
	ssize_t n;
	int fd;

	memset(now, 0, sizeof(*now));
	if (clock_gettime(CLOCK_BOOTTIME, &t) < 0 || (fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)) < 0)
		return -1;
	n = read(fd, now->boot, sizeof(now->boot) - 1);
	close(fd);
	now->boot[n > 0 ? n : 0] = '\0';
	now->boot[strcspn(now->boot, "\n")] = '\0';
	now->ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (now->boot[0])
		return 0;
	errno = ENODATA;
	return -1;
}

bool moment_reached(const struct moment *known, const struct moment *wanted)
{
	return known->boot[0] && !strcmp(known->boot, wanted->boot) && known->ns >= wanted->ns;
}

static char *path_of(const char *gitdir, const char *dir, const char *name)
{
	struct bytes b = { 0 };

	bytes_addf(&b, "%s/maildir/%s%s", gitdir, dir, name);
	return b.buf;
}

static void read_moment(const char *path, struct moment *m)
{
	struct bytes b = { 0 };

	memset(m, 0, sizeof(*m));
	if (io_read(path, &b) < 0 || sscanf(b.buf, "%39s %" SCNd64, m->boot, &m->ns) != 2)
		memset(m, 0, sizeof(*m));
	bytes_release(&b);
}

/* Written aside and renamed, because deliveries read it at any time. The process id makes the name ours; no peer's name begins with a dot. */
static void write_moment(const char *gitdir, const char *dir, const char *name, const struct moment *m)
{
	char *path = path_of(gitdir, dir, name), *tmp;
	struct bytes b = { 0 }, tmp_name = { 0 };
	struct moment known;
	bool ok = false;
	int fd;

	read_moment(path, &known);
	bytes_addf(&tmp_name, ".%s.%ld", name, (long)getpid());
	tmp = path_of(gitdir, dir, tmp_name.buf);
	if (m->boot[0] && !moment_reached(&known, m)) {
		bytes_addf(&b, "%s %" PRId64 "\n", m->boot, m->ns);
		fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (fd < 0 && errno == ENOENT) {
			char *d = path_of(gitdir, dir, "");

			if (mkdir(d, 0700) == 0 || errno == EEXIST)
				fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
			free(d);
		}
		if (fd >= 0) {
			ok = io_write(fd, b.buf, b.len) == 0;
			ok = close(fd) == 0 && ok && rename(tmp, path) == 0;
			if (!ok)
				unlink(tmp);
		}
	}
	bytes_release(&b);
	bytes_release(&tmp_name);
	free(path);
	free(tmp);
}

void ack_set_recorded(const char *gitdir, const struct moment *m)
{
	write_moment(gitdir, "", "recorded", m);
}

void ack_set_peer(const char *gitdir, const char *peer, const struct moment *m)
{
	write_moment(gitdir, "acked/", peer, m);
}

void ack_recorded(const char *gitdir, struct moment *m)
{
	char *path = path_of(gitdir, "", "recorded");

	read_moment(path, m);
	free(path);
}

void ack_peer(const char *gitdir, const char *peer, struct moment *m)
{
	char *path = path_of(gitdir, "acked/", peer);

	read_moment(path, m);
	free(path);
}

void ack_remove_peer(const char *gitdir, const char *peer)
{
	char *path = path_of(gitdir, "acked/", peer);

	unlink(path);
	free(path);
}
