/*
 * setup.h -- what makes a repository beside a Maildir a member: configuration, ignore rules, attributes, hooks.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SETUP_H
#define SETUP_H

#include "../repo/repo.h"

struct setup {
	const char *maildir; /* absolute */
	const char *gitdir;  /* absolute; NULL: "<maildir>.git", or where an existing .git file points */
	const char *name;    /* NULL: what is configured, or the host's name */
	const char *branch;  /* of a new repository; NULL: "main" */
};

/*
 * setup_member: makes the repository (moving a .git directory out of the Maildir), and everything in it that is missing. What is there and is ours to decide but differs is left
 * alone, but for the few settings without which mail could be lost. Running it again changes nothing. ERR_FAIL when the Maildir is inside the git directory or the
 * other way round, or the git directory belongs to another Maildir.
 */
int setup_member(const struct setup *s, struct err *err);

/* setup_hooks: installs the hooks; a hook of the user's stays beside ours as "<hook>.local" and is run first. */
int setup_hooks(struct repo *r, struct err *err);

/* setup_hooks_dir: the directory of the hooks, as git sees it (core.hooksPath counts). malloc'ed. */
char *setup_hooks_dir(const struct repo *r);

/* setup_hooks_missing: the first of our hooks that is not installed, or NULL. */
const char *setup_hooks_missing(struct repo *r);

#endif
