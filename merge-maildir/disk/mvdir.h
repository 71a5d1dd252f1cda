/*
 * mvdir.h -- a folder gets another path: its directory is renamed, with all that is in it, in one instant.
 *
 * It happens under the folder's lock. So whoever works in the folder has come to an end, and whoever comes after finds no
 * folder of that path, or another one that somebody has made since.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MVDIR_H
#define MVDIR_H

#include "disk.h"

enum mvdir_result {
	MVDIR_DONE,   /* mvdir_look(): it can be done, as far as can be seen */
	MVDIR_GONE,   /* there is no such folder, but one at its new path */
	MVDIR_ABSENT, /* there is neither */
	MVDIR_TAKEN,  /* there is something at its new path already, or a file where a directory on the way there has to be */
	MVDIR_HOLDS,  /* there are other folders below it, or directories with files: they would go along */
	MVDIR_CANNOT  /* its directory cannot be renamed: a mount point, a symbolic link */
};

/* mvdir_look: what mvdir_move() would come to now. Changes nothing. A result or an err_code. */
int mvdir_look(const struct disk *d, const char *from, const char *to, struct err *err);

/*
 * mvdir_move: renames the folder from, which is not the root, to to, where there must be nothing; missing parents are made
 * first. A result or an err_code: ERR_BUSY when the folder's lock cannot be had. Where the result is not MVDIR_DONE nothing
 * was changed but that parents may have been made. Durable when it returns.
 */
int mvdir_move(const struct disk *d, const char *from, const char *to, struct err *err);

#endif
