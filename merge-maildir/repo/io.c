/*
 * io.c -- files in the repository: whole writes, temporary names, directories made durable.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>


#define TEMP_TRIES 100

/* Linux moves at most 2 GB at a time; less keeps every call short. */
#define WRITE_MOST ((size_t)64 << 20)

int io_write(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len < WRITE_MOST ? len : WRITE_MOST);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int io_pwrite(int fd, const void *buf, size_t len, off_t at)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len < WRITE_MOST ? len : WRITE_MOST, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

char *io_join(const char *dir, const char *name)
{
	size_t a = strlen(dir), b = strlen(name);
	char *p = mem_alloc(a + b + 2);

	memcpy(p, dir, a);
	p[a] = '/';
	memcpy(p + a + 1, name, b + 1);
	return p;
}

int io_read(const char *path, struct bytes *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), saved;
	ssize_t n;

	if (fd < 0)
		return -1;
	do {
		n = read(fd, bytes_reserve(out, 65536), 65536);
		if (n > 0)
			out->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	bytes_add(out, "", 0);
	saved = errno;
	close(fd);
	errno = saved;
	return n < 0 ? -1 : 0;
}

int io_temp(const char *dir, const char *prefix, mode_t mode, char **name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t at = strlen(prefix);
	char leaf[64];
	unsigned char rnd[6];

	*name = NULL;
	for (int i = 0; i < TEMP_TRIES; i++) {
		int fd;

		if (getrandom(rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
			return -1;
		snprintf(leaf, sizeof(leaf), "%.40s", prefix);
		for (size_t k = 0; k < sizeof(rnd); k++)
			leaf[at + k] = letters[rnd[k] % (sizeof(letters) - 1)];
		leaf[at + sizeof(rnd)] = '\0';
		*name = io_join(dir, leaf);
		fd = open(*name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (fd >= 0)
			return fd;
		free(*name);
		*name = NULL;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

int io_sync_dir(const char *dir, struct err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return err_errno(err, "cannot open directory '%s'", dir);
	/* Some file systems cannot fsync a directory and need not. */
	if (fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		ret = err_errno(err, "cannot make directory '%s' durable", dir);
	close(fd);
	return ret;
}
