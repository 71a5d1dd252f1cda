/*
 * residue.h -- what is in a folder that is to be removed: whether anything would be lost with it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RESIDUE_H
#define RESIDUE_H

#include <stdbool.h>
#include <stddef.h>

enum residue {
	RESIDUE_PARTS = 1,   /* cur/, new/, tmp/ or a marker: it is a folder */
	RESIDUE_MESSAGE = 2, /* a message, or something in cur/ or new/ that might be one */
	RESIDUE_FILE = 4,    /* a file that is replicated */
	RESIDUE_CHILD = 8    /* a directory with another folder or with files in it, or that is nobody's to look into */
};

/*
 * residue_find: sets in *has what is in the directory open at fd, which is, or was, at path in the store. 0 or
 * -1 with errno.
 */
int residue_find(int fd, const char *path, unsigned *has);
/*
 * residue_find_child: whether there is a RESIDUE_CHILD in the directory open at fd; what is in its parts is not looked at. 1,
 * 0 or -1 with errno.
 */
int residue_find_child(int fd, const char *path);
/* residue_of_file: sets in *has what a file of this name in the folder at path is. */
void residue_of_file(const char *path, const char *name, unsigned *has);

/*
 * residue_is_harmless: whether what lies in a cur/ or new/ under this name is certainly no mail. A name with
 * control bytes is not replicated, but it is mail all the same, and this is its only copy.
 */
bool residue_is_harmless(const char *name, size_t len);
/* residue_is_part: cur, new or tmp. */
bool residue_is_part(const char *name);

#endif
