/*
 * rmtree.h -- removes a directory with all that is in it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RMTREE_H
#define RMTREE_H

/* rmtree: removes the directory name in fd. Fine if it is not there. Follows no symbolic link. 0 or -1 with errno. */
int rmtree(int fd, const char *name);

#endif
