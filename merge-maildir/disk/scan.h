/*
 * scan.h -- reads a live Maildir without being fooled by those who change it meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SCAN_H
#define SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/mem.h"
#include "../core/name.h"
#include "../core/path.h"
#include "disk.h"

/*
 * One name in cur/ or new/ that is a message by name_is_message() and a regular file (as the directory says;
 * where it does not say, it was looked up).
 */
struct scan_entry {
	const char *name;
	uint64_t ino;
	uint8_t len;
};

/* The identity and state of a directory: equal stamps mean that no name in it changed in between. */
struct scan_stamp {
	uint64_t dev, ino;
	int64_t mtime_ns, ctime_ns;
};

struct scan_dir {
	bool present;	/* the directory is there */
	bool unchanged; /* opts.unchanged() said so: not read, v is empty */
	/*
	 * Nothing changed while it was read: the stamp before and after is the same, and was not so fresh
	 * that a coarse clock could hide a change. The stamp after is taken when both cur/ and new/ were
	 * read. If not present: it was not there before and after.
	 */
	bool stable;
	struct scan_stamp stamp; /* before it was read */
	struct scan_entry *v;	 /* not sorted */
	size_t n, cap;
};

struct scan_folder {
	const char *path;
	struct scan_dir sub[2]; /* [NAME_NEW], [NAME_CUR] */
	bool locked;		/* read under the folder's lock; false as well when nothing had to be read */
	bool gone;		/* scan_folder_again() did not find its directory: removed or renamed since */
};

/* A file outside cur/, new/ and tmp/ that is not ignored. */
struct scan_file {
	const char *path;
	enum path_class class;
	unsigned mode; /* 0100644 or 0100755 */
	int64_t size, mtime_ns;
	uint64_t ino;
};

/*
 * A thing that is left alone, and why ("is a symbolic link", "contains control bytes"). The path is what
 * readdir gave: any byte can be in it.
 */
struct scan_odd {
	const char *path;
	const char *why;
};

struct scan {
	/* Sorted by path. A directory is a folder when it has cur/ or new/ or a marker file. */
	struct scan_folder *folders;
	size_t nfolders, folders_cap;
	struct scan_file *files; /* sorted by path */
	size_t nfiles, files_cap;
	struct scan_odd *odds;
	size_t nodds, odds_cap;
	struct arena arena;
};

struct scan_opts {
	void *ctx;
	/*
	 * May be NULL. Whether the directory is known to hold the same names as when it had this stamp: only
	 * of a scan in which it was stable can a stamp tell. Called up to twice for a directory.
	 */
	bool (*unchanged)(void *ctx, const char *folder, enum name_sub sub, const struct scan_stamp *stamp);
};

/*
 * scan_store: reads the whole store. Each folder is read under its lock (lock.h), one at a time; a folder
 * whose lock cannot be had within d->lock_wait is read without, and trusted only if stable. Symbolic links
 * are never followed. out is zeroed; scan_release() frees. A folder that vanishes while we come to it is as
 * if it had not been there; one that is renamed is looked for under its new name. One that may not be read is
 * an error, lest it looks like a deleted one. On an error out holds what was read so far, to be released.
 */
int scan_store(struct scan *out, const struct disk *d, const struct scan_opts *opts, struct err *err);

/* scan_folder: reads one folder, for out->folders[0]; without any if it is gone. As scan_store(). */
int scan_folder(struct scan *out, const char *folder, const struct disk *d, struct err *err);

/*
 * scan_folder_again: reads one folder of the scan once more (its old entries are replaced), waiting at most
 * 25 ms before it takes the lock, and the same with the lock if somebody was busy meanwhile, when its
 * directories are too fresh to be called stable. Used to confirm deletions. If the folder's directory is
 * gone, .gone is set, and both subs are not present. Only scan_store() can say whether it has another name now.
 */
int scan_folder_again(struct scan *s, size_t i, const struct disk *d, struct err *err);

/*
 * scan_is_current: whether every directory that was read or skipped still has the stamp of its scan (one
 * fstatat each).
 */
bool scan_is_current(const struct scan *s, const struct disk *d);

void scan_release(struct scan *s);

#endif
