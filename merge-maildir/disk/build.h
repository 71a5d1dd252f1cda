/*
 * build.h -- a folder that is built in the root's tmp/, and appears with all that is in it in one instant.
 *
 * It is "<x>.new", where "<x>.lock" is a name of file_write_tmp(). All that is in it is a copy, or another name of a file that is elsewhere: what a killed
 * process left under such a name is removed without a look at it (repair_tmp()).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef BUILD_H
#define BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"
#include "file.h"

/* build_begin: makes "tmp/<name>" with an empty cur/, new/ and tmp/. */
int build_begin(struct disk *d, char name[FILE_TMP_NAME], struct err *err);
/*
 * build_place: gives the folder its path ("" is the root); missing parents are made first. If there is a directory without cur/ and new/ (in fs layout one that only has folders
 * below it; the root that is to become the INBOX), what was built goes there, under its lock, UIDs and keywords first, cur/ last. 0, or 1 if a folder is there already or it cannot be done in this way (another file
 * system): then what is left of "tmp/<name>" is for build_drop().
 */
int build_place(struct disk *d, const char *name, const char *path, struct err *err);
/* build_drop: removes what was built. 0 or -1 with errno. */
int build_drop(const struct disk *d, const char *name);

/* build_new_folder: an empty folder in one instant. 0, or 1 as for build_place(). */
int build_new_folder(struct disk *d, const char *path, struct err *err);

/* build_origin: for "<x>.new" the name "<x>.lock", for file_tmp_is_left(). False if it is no such name. */
bool build_origin(char *out, size_t size, const char *name);

#endif
