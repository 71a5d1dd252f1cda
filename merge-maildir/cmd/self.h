/*
 * self.h -- where our programs are.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SELF_H
#define SELF_H

/* self_dir: the directory that this executable is in, absolute, or NULL when the system does not tell. */
const char *self_dir(void);
/* self_program: the absolute path of another program of ours, or just its name. Valid until the next call. */
const char *self_program(const char *name);

#endif
