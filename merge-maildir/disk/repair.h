/*
 * repair.h -- puts right what stock git breaks in a Maildir: missing cur/, new/, tmp/, modes, mtimes; and
 * removes what a killed apply left in tmp/.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef REPAIR_H
#define REPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

struct repair_ops {
	void *ctx;
	/* Called for each thing that was put right, in words for people. May be NULL. */
	void (*note)(void *ctx, const char *path, const char *what);
	/* Whether the date of the message at path may be put right: of one that is not recorded yet only its file knows it. NULL: all. */
	bool (*dated)(void *ctx, const char *path);
};

/* repair_folder_dirs: makes the missing ones of cur/, new/, tmp/ of the folder. */
int repair_folder_dirs(const struct disk *d, const char *folder, struct err *err);

/*
 * repair_store: for every folder (a directory with cur/, new/ or a marker): repair_folder_dirs; modes of
 * messages and directories that let in more than the root's mode does; the mtime of each message that is not
 * what its folder's marker or its name says and whose ctime is later than since (seconds; 0: every one): git's
 * checkout has just made those. Only the whole seconds count. check_only: changes nothing, only notes.
 */
int repair_store(struct disk *d, int64_t since, bool check_only, const struct repair_ops *ops, struct err *err);

/*
 * repair_tmp: clears away what a dead process of this host, or any process more than 36 hours ago, left under
 * names of ours (beginning with "git-maildir."): temporary files, folders that were being made, with all that is in
 * them, and folders that were being removed, which come back if there is mail in them. note as above, also for what cannot be
 * cleared away. Other programs' files are not touched.
 */
int repair_tmp(const struct disk *d, bool check_only, const struct repair_ops *ops, struct err *err);

#endif
