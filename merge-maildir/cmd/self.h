/*
 * self.h -- where this program is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SELF_H
#define SELF_H

/* self_path: the absolute path of this executable, or "git-maildir" when the system does not tell. */
const char *self_path(void);
/* self_dir: the directory that it is in, or NULL. */
const char *self_dir(void);

#endif
