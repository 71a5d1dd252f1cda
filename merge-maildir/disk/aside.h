/*
 * aside.h -- whole folders in the root's tmp/: taken there before they are removed, and cleared away after a kill.
 *
 * A folder that is taken aside is "<x>.gone", and the file "<x>.lock" beside it holds the path where it was, so
 * that after a kill it can be put back if there turns out to be a message in it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ASIDE_H
#define ASIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "disk.h"

enum aside_result {
	ASIDE_REMOVED,
	ASIDE_ABSENT, /* there is no such folder */
	ASIDE_KEPT    /* there is a message in it, or a file that is replicated, or what nobody knows */
};

/*
 * aside_remove_folder: removes a folder that holds nothing worth keeping; never a message, however it gets
 * there meanwhile. Of a folder that has others below it, only what makes it a folder goes. path is not the
 * root. A result or an err_code.
 */
int aside_remove_folder(struct disk *d, const char *path, struct err *err);

/*
 * aside_finish: ends what a killed process left half-way: name is the directory in the root's tmp/. Removes it,
 * or puts it back to its place if there is something in it that aside_remove_folder() would have kept; one that was being built (build.h) is
 * removed whatever is in it. A result
 * (ASIDE_KEPT: it was put back) or an err_code.
 */
int aside_finish(const struct disk *d, const char *name, struct err *err);

/*
 * aside_origin: for the name of a folder that was taken aside, "<x>.gone", the name of the file that says where
 * it was, "<x>.lock"; aside_gone: the other way. False if it is no such name.
 */
bool aside_origin(char *out, size_t size, const char *gone);
bool aside_gone(char *out, size_t size, const char *origin);

#endif
