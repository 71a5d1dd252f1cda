/*
 * merge_files.h -- the merge of what is no message and no marker: subscriptions and plain files, by path.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MERGE_FILES_H
#define MERGE_FILES_H

#include "err.h"
#include "merge.h"
#include "store.h"
#include "trio.h"

/*
 * merge_files: adds the files to out, whose messages and markers are complete, and sorts all files. Three-way
 * by presence, mode and content: deleted by one side and changed by the other stays; of two UIDVALIDITYs the larger, and
 * it stays as long as one side has it. Two contents that cannot
 * be merged are both kept, the one with the larger id under its path, ".", and the first 12 digits of that. So
 * is a file at whose path a directory is.
 */
int merge_files(struct store *out, const struct store *const in[SIDES], const struct merge_ops *ops, struct err *err);

/* merge_files_mode: three-way; any may be NULL. Both changed: executable. */
unsigned merge_files_mode(const struct file *base, const struct file *a, const struct file *b);

#endif
