/*
 * index_file.h -- the file "index" of a repository: git's gitformat-index(5).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef INDEX_FILE_H
#define INDEX_FILE_H

#include "index.h"
#include "itree.h"

/* Longer paths are in no file system. */
#define INDEX_FILE_PATH_MOST 4095

struct index_file {
	bool usable; /* it is there, whole, and of a kind that we read */
	bool there;  /* a file is there at all */
	bool odd;    /* it has entries that are left out here: unmerged, intent-to-add, skip-worktree, ... */
	struct index_entry *v;
	size_t n;
	struct itree *tree; /* NULL: it has none */
	struct arena arena; /* of tree and some of the paths; the others are in the map */
	void *map;
	size_t maplen;
};

/*
 * index_file_read: reads the file; what is not usable (broken, split, sparse) has no entries. Cannot
 * fail. f must be zeroed. Files (messages excepted, which never change) that changed in or after the
 * second in which the index was written have no stat data: they may have changed afterwards, see git's
 * racy-git.
 */
void index_file_read(struct index_file *f, const char *path);
void index_file_release(struct index_file *f);

/* index_file_write: writes a whole index of version 2 to a file descriptor. -1 with errno set on failure. */
int index_file_write(int fd, const struct index_entry *v, size_t n, const struct itree *tree);

#endif
