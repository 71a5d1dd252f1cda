/*
 * hooks_data.h -- the hooks that init installs, as text: made from hooks/ by the Makefile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HOOKS_DATA_H
#define HOOKS_DATA_H

struct hook_file {
	const char *name; /* of the hook, as git calls it */
	const char *text; /* the whole file */
};

/* Ends with an entry whose name is NULL. */
extern const struct hook_file hooks_data[];

#endif
