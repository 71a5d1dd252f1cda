/*
 * arrival.c -- a message that arrives: from a stream into new/ of a folder, durably, byte for byte.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "arrival.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128 * 1024)
/* mbox begins a message so; some mail servers give it to programs. */
#define MBOX_FROM "From "

static int open_part(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static const char *shown(const char *folder)
{
	return *folder ? folder : "INBOX";
}

int arrival_open(struct arrival *a, struct disk *d, const char *folder, struct err *err)
{
	int fd = file_open_dir(d, folder), rc = 0;
	char tmp[PATH_MAX];

	memset(a, 0, sizeof(*a));
	a->disk = d;
	a->folder = folder;
	a->newfd = a->tmpfd = a->fd = -1;
	if (fd < 0)
		return err_errno(err, "cannot open folder '%s'", shown(folder));
	if ((a->newfd = open_part(fd, "new")) < 0)
		rc = err_errno(err, "cannot open 'new' of folder '%s'", shown(folder));
	else if ((a->tmpfd = open_part(fd, "tmp")) < 0 && errno == ENOENT) {
		snprintf(tmp, sizeof(tmp), "%.3600s%stmp", folder, *folder ? "/" : "");
		rc = file_mkdirs(d, tmp, err);
		a->tmpfd = rc ? -1 : open_part(fd, "tmp");
	}
	if (!rc && a->tmpfd < 0)
		rc = err_errno(err, "cannot open 'tmp' of folder '%s'", shown(folder));
	close(fd);
	return rc;
}

/* As read(2), also from a descriptor that does not block. */
static ssize_t read_some(int fd, char *buf, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		ssize_t n = read(fd, buf, size);

		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
		if (errno == EAGAIN)
			poll(&p, 1, -1);
	}
}

/* The line feeds in buf that no CR stands before. last is the byte before buf, and then the last one in it. */
static uint64_t count_bare(const char *buf, size_t len, char *last)
{
	const char *s = buf, *end = buf + len;
	uint64_t n = 0;

	while ((s = memchr(s, '\n', (size_t)(end - s)))) {
		n += (s > buf ? s[-1] : *last) != '\r';
		if (++s == end)
			break;
	}
	*last = end[-1];
	return n;
}

int arrival_begin(struct arrival *a, struct err *err)
{
	a->fd = file_open_tmp(a->disk, a->tmpfd, a->tmp, err);
	if (a->fd >= 0)
		return 0;
	a->tmp[0] = '\0';
	return a->fd;
}

int arrival_write(struct arrival *a, const char *buf, size_t len, struct err *err)
{
	if (!len)
		return 0;
	a->size += len;
	a->crlf_size += len + count_bare(buf, len, &a->last);
	return file_write_fd(a->fd, buf, len) ? err_errno(err, "cannot write the message to '%s'", a->disk->path) : 0;
}

int arrival_read(struct arrival *a, int fd, struct err *err)
{
	static char buf[CHUNK];
	size_t have = 0;
	bool begun = false, skip = false;
	ssize_t n;
	int rc = arrival_begin(a, err);

	if (rc)
		return rc;
	do {
		const char *s = buf;

		n = read_some(fd, buf + have, sizeof(buf) - have);
		if (n < 0)
			return err_errno(err, "cannot read the message");
		have += (size_t)n;
		if (!begun && have < strlen(MBOX_FROM) && n)
			continue;
		if (!begun)
			skip = have >= strlen(MBOX_FROM) && !memcmp(buf, MBOX_FROM, strlen(MBOX_FROM));
		begun = true;
		if (skip) {
			s = memchr(buf, '\n', have);
			skip = !s;
			s = s ? s + 1 : buf + have;
			have -= (size_t)(s - buf);
		}
		if ((rc = arrival_write(a, s, have, err)))
			return rc;
		have = 0;
	} while (n);
	return a->size ? 0 : err_set(err, ERR_NOTFOUND, "the message is empty");
}

/* Whether the directory that is open at fd is still the folder's new/: a sync that removes a folder takes it aside first. */
static bool is_in_place(const struct arrival *a)
{
	char path[PATH_MAX];
	struct stat is, was;

	if (!*a->folder)
		return true;
	snprintf(path, sizeof(path), "%.3600s/new", a->folder);
	return !fstat(a->newfd, &was) && !fstatat(a->disk->root, path, &is, AT_SYMLINK_NOFOLLOW) && is.st_dev == was.st_dev && is.st_ino == was.st_ino;
}

static int make_durable(const struct arrival *a, const struct timespec *now, struct err *err)
{
	struct timespec times[2] = { *now, *now };

	/* The second that is in the name, or the date would have to be recorded. */
	return futimens(a->fd, times) || fsync(a->fd) ? err_errno(err, "cannot write the message to '%s'", a->disk->path) : 0;
}

/*
 * Who waits for the message to be recorded waits for a record that began after this moment; one that began in the instant before it may be the only one, unless something happens after it: so the
 * file, which is open for writing, is closed now.
 */
static void note_moment(struct arrival *a)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	a->placed_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	close(a->fd);
	a->fd = -1;
}

int arrival_place(struct arrival *a, const char *host, struct err *err)
{
	char name[NAME_LONGEST + 1];
	struct timespec now;
	long usec;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	usec = now.tv_nsec / 1000;
	if ((rc = make_durable(a, &now, err)))
		return rc;
	do {
		snprintf(name, sizeof(name), "%lld.M%ldP%ld.%s,S=%llu,W=%llu", (long long)now.tv_sec, usec++, (long)a->disk->pid, host,
			 (unsigned long long)a->size, (unsigned long long)a->crlf_size);
		rc = file_rename_new(a->tmpfd, a->tmp, a->newfd, name);
	} while (rc && errno == EEXIST); /* a process in another container with the same id, in the same microsecond */
	if (rc)
		return err_errno(err, "cannot put the message into folder '%s'", shown(a->folder));
	a->tmp[0] = '\0';
	note_moment(a);
	if (!is_in_place(a))
		rc = err_set(err, ERR_AGAIN, "folder '%s' was removed meanwhile", shown(a->folder));
	else if (file_sync_dir(a->newfd))
		rc = err_errno(err, "cannot write the message to '%s'", a->disk->path);
	if (rc)
		unlinkat(a->newfd, name, 0);
	else
		memcpy(a->name, name, sizeof(name));
	return rc;
}

int arrival_withdraw(struct arrival *a, struct err *err)
{
	if (unlinkat(a->newfd, a->name, 0))
		return errno == ENOENT ? 1 : err_errno(err, "cannot withdraw '%s'", a->name);
	/* If it comes back after a power loss, it is there twice when the mail server has tried again. Nothing worse. */
	file_sync_dir(a->newfd);
	return 0;
}

void arrival_abort(const struct arrival *a)
{
	if (a->tmp[0])
		unlinkat(a->tmpfd, a->tmp, 0);
}

void arrival_release(struct arrival *a)
{
	if (!a->disk)
		return;
	arrival_abort(a);
	if (a->fd >= 0)
		close(a->fd);
	if (a->newfd >= 0)
		close(a->newfd);
	if (a->tmpfd >= 0)
		close(a->tmpfd);
	memset(a, 0, sizeof(*a));
}
