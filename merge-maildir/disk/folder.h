/*
 * folder.h -- the folder of a live Maildir that a person means, and a new one where there is none.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FOLDER_H
#define FOLDER_H

#include <limits.h>

#include "disk.h"

/*
 * folder_find: the path of the folder called meant: "INBOX" in any case, and "", are the root; otherwise a path
 * (".Work.Projects" or "Work/Projects"), or the name that people see ("Work/Projects" is ".Work.Projects" in Maildir++
 * layout, and so is "Work.Projects"). 1 if there is such a folder; 0 if there is none and it can be made at this path:
 * as the Maildir's other folders are laid out, Maildir++ if there are none. ERR_UNSAFE for what can be no folder, and
 * for a name of one that is not there and holds other than ASCII: on disk it would have to be in modified UTF-7.
 */
int folder_find(const struct disk *d, const char *meant, char path[PATH_MAX], struct err *err);

/* folder_make: makes it, whole; fine if it is there by now. */
int folder_make(struct disk *d, const char *path, struct err *err);

#endif
