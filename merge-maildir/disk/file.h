/*
 * file.h -- durable files: written aside, complete before anybody sees them under their name.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "../core/mem.h"
#include "disk.h"

/*
 * file_open_dir: a descriptor of the directory path below the root ("" is the root itself), following no
 * symbolic link in any component, and never leaving the root. -1 with errno (EINVAL for a path with an empty,
 * "." or ".." component). The caller closes it.
 */
int file_open_dir(const struct disk *d, const char *path);

/* file_open_parent: as file_open_dir(), of the directory that path is in; *name is the last component, in path. */
int file_open_parent(const struct disk *d, const char *path, const char **name);

/*
 * file_mkdirs: makes path and its parents with dir_mode, fsyncs what it changed. Fine if they are there.
 * ERR_UNSAFE for a path that path_unsafe() refuses.
 */
int file_mkdirs(const struct disk *d, const char *path, struct err *err);

/*
 * file_make_parent: a descriptor of the directory that path is in, which is made if it is not there; *base is the last
 * component, in path. The caller closes it. Or an err_code.
 */
int file_make_parent(const struct disk *d, const char *path, const char **base, struct err *err);

#define FILE_TMP_NAME 64

/*
 * file_write_tmp: writes len bytes as a new file in the directory dirfd under a unique name that is returned
 * in name, with file_mode and mtime (seconds, -1: leave), and fsyncs it (not when sync is false: then the
 * caller calls syncfs(2) before renaming). Nothing is left behind on failure.
 */
int file_write_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], const void *buf, size_t len,
		   int64_t mtime, bool sync, struct err *err);

/*
 * file_open_tmp: the same for content that comes bit by bit: makes the file, open for writing, empty, with file_mode.
 * The descriptor, or an err_code. Its name stands in name before there is a file.
 */
int file_open_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], struct err *err);

/* file_link_tmp: the same for another name of the file from in fromfd. Returns 0, or -1 with errno. */
int file_link_tmp(struct disk *d, int fromfd, const char *from, int dirfd, char name[FILE_TMP_NAME]);

/*
 * file_tmp_is_left: whether name is one that file_write_tmp() gave to a file on this host for a process that
 * is dead now: nobody will come back for it.
 */
bool file_tmp_is_left(const struct disk *d, const char *name);

/* file_sync_dir: fsync of a directory. 0 or -1 with errno; 0 where directories have no fsync. */
int file_sync_dir(int fd);

/* file_write_fd: writes all of it. 0 or -1 with errno. */
int file_write_fd(int fd, const void *buf, size_t len);

/*
 * file_rename_new: renames without replacing (renameat2 RENAME_NOREPLACE, or link and unlink). -1 with errno,
 * EEXIST when the target is there.
 */
int file_rename_new(int fromfd, const char *from, int tofd, const char *to);

/*
 * file_replace: puts content at path (relative to root, its directory exists) by a temporary file (in tmp/
 * beside it if there is one) and rename, mode & 0111 added to file_mode when executable; fsyncs file and
 * directory. ERR_UNSAFE as for file_mkdirs().
 */
int file_replace(struct disk *d, const char *path, const void *buf, size_t len, bool executable,
		 struct err *err);

/* file_set_date: gives the file this mtime, if it has another one (in seconds). One that is not there is fine. */
int file_set_date(const struct disk *d, const char *path, int64_t mtime, struct err *err);

/*
 * file_read: appends the whole file to out. ERR_NOTFOUND; never follows a symbolic link, and refuses what is
 * not a regular file. st may be NULL.
 */
int file_read(const struct disk *d, const char *path, struct bytes *out, struct stat *st, struct err *err);
/* file_read_fd: appends all that is left of an open file, which is about size bytes. 0 or -1 with errno. */
int file_read_fd(int fd, size_t size, struct bytes *out);

#endif
