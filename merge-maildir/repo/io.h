/*
 * io.h -- files in the repository: whole writes, temporary names, directories made durable.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IO_H
#define IO_H

#include <stddef.h>
#include <sys/types.h>

#include "../core/err.h"
#include "../core/mem.h"

/* io_write, io_pwrite: write all of it, or return -1 with errno set. */
int io_write(int fd, const void *buf, size_t len);
int io_pwrite(int fd, const void *buf, size_t len, off_t at);

/* io_read: appends a whole file to out. -1 with errno set. */
int io_read(const char *path, struct bytes *out);

/*
 * io_temp: makes a new file "<dir>/<prefix>XXXXXX" for reading and writing, with mode as the umask leaves
 * it (mkstemp(3) would make it 0600), and puts its name, malloc'ed, into *name. The descriptor, or -1
 * with errno set and *name NULL.
 */
int io_temp(const char *dir, const char *prefix, mode_t mode, char **name);

/* io_sync_dir: makes the names in a directory durable. */
int io_sync_dir(const char *dir, struct err *err);

/* io_join: "<dir>/<name>", malloc'ed. */
char *io_join(const char *dir, const char *name);

#endif
