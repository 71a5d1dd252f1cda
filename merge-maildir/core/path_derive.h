/*
 * path_derive.h -- another path for a file whose path is taken by another file, or by a directory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PATH_DERIVE_H
#define PATH_DERIVE_H

#include <stddef.h>

#include "store.h"

struct files {
	struct file *v;
	size_t n, cap;
};

/* path_derive_add: notes a file for path_derive_all(), with this mode. */
void path_derive_add(struct files *l, const struct file *f, unsigned mode);

/*
 * path_derive_all: adds the files of moved, under other paths, to the store, whose files are sorted, and so
 * they are in the end. What in the store has a path that is also a directory (a folder, one in a folder, or
 * one that another file is in) gets another path as well. A path is derived from the file's own path and id
 * alone: ".", 12 digits of the id; if that is taken by another content, all 40; then "-2", "-3", ... after
 * that. The last component is cut where it would be longer than a file system takes. A derived path that is
 * taken by the same content is the file already.
 */
void path_derive_all(struct store *s, struct files *moved);

#endif
