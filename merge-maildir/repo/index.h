/*
 * index.h -- git's index as our memory of the disk, and the way from edits to trees.
 *
 * The index holds, for every path of HEAD's tree, its blob and what lstat(2) said of the file when it was
 * last known to be equal. When it is in step with HEAD nothing else has to be read to record a change:
 * unchanged entries are copied, and only the trees of directories with edits are written. Format: git's
 * index-format(5), versions 2 to 4 read, 2 written, with the TREE extension. Trust in stat data follows
 * core.checkStat=minimal, core.trustctime=false (set by init): whole-second mtime and size.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef INDEX_H
#define INDEX_H

#include "objects.h"
#include "repo.h"

struct index_stat {
	uint32_t ctime_s, ctime_ns, mtime_s, mtime_ns, dev, ino, uid, gid, size;
};

struct index_entry {
	const char *path; /* NUL-terminated */
	uint32_t len;
	uint32_t mode; /* 0100644 or 0100755 */
	struct oid oid;
	struct index_stat st; /* all zero: unknown */
};

struct index {
	struct index_entry *v; /* sorted by path, bytewise: git's index order */
	size_t n;
	bool in_step; /* the file on disk was equal to the tree it was loaded for */
	struct index_priv *priv;
};

/*
 * index_load: the state of HEAD. tree is HEAD's tree (NULL: there is no commit yet: no entries). If the
 * index file is in step with it (its TREE extension says so), it is read from there; else the entries are
 * those of the tree, with the stat data of such entries of the index file as are equal in path and id.
 * Symbolic links and submodules in the tree are kept as entries with their mode, for whoever writes the
 * tree again. ERR_NOTFOUND when objects are missing, ERR_UNSAFE when the tree is deeper or larger than
 * any store can be. Files that are no messages and changed in the second in which the index was written,
 * or later, come without stat data: they may have changed once more since. index_release() frees; fine on
 * a zeroed struct.
 */
int index_load(struct index *ix, struct repo *r, const struct oid *tree, struct err *err);
void index_release(struct index *ix);

/*
 * index_find: the position of path, or -1. index_range: the entries below the directory dir ("" for all):
 * from *lo up to but not including *hi.
 */
ssize_t index_find(const struct index *ix, const char *path, size_t len);
void index_range(const struct index *ix, const char *dir, size_t *lo, size_t *hi);

struct index_edit {
	const char *path; /* borrowed until index_release() */
	uint32_t len;
	bool remove;
	uint32_t mode; /* unless remove */
	struct oid oid;
	struct index_stat st;
};

/*
 * index_edit: applies edits, which it sorts; a path may be edited once. An edit with the id and mode of
 * the entry that is there only sets the stat data. Removing what is not there is fine.
 */
void index_edit(struct index *ix, struct index_edit *edits, size_t n);

/*
 * index_write_tree: writes the trees of all directories that were edited since loading (others keep their
 * id) into the batch, and returns the root's. ERR_FAIL when a path is a file and a directory.
 */
int index_write_tree(struct index *ix, struct objects_batch *b, struct oid *root, struct err *err);

/*
 * index_save: writes the index file (index.lock, rename; as git does), after index_write_tree(). Skipped
 * when nothing differs from the file. ERR_BUSY when another git process holds index.lock for longer than
 * 2 s: the index is then out of step, which the next index_load() sees; a lock older than an hour is
 * named in the message. What git keeps in the index besides (untracked cache, split index) is not kept.
 * To be called with the repository's lock held: only then is removed what a killed index_save() left.
 */
int index_save(struct index *ix, struct repo *r, struct err *err);

/* index_stat_from: what index entries hold of a struct stat. */
struct stat;
void index_stat_from(struct index_stat *out, const struct stat *st);

#endif
