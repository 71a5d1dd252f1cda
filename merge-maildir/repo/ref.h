/*
 * ref.h -- moves one reference, so that neither a kill nor a power loss leaves it broken or locked.
 *
 * libgit2 and git leave <ref>.lock behind when they are killed, and nobody can move the reference until a person removes it. Here the new value is written and fsynced as a file of
 * ours, and the lock is a hard link to it: a lock that is the same file was left by us. (libgit2 also fsyncs two reflogs with their directories each time, which is
 * most of the time that a small commit takes.)
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef REF_H
#define REF_H

#include "repo.h"

/*
 * ref_move: sets the reference (full name) to a commit, durable, if it is at old (NULL: if it does not exist); with why not NULL also a line in its reflog and HEAD's, as
 * core.logAllRefUpdates says. The caller holds repo_lock(). ERR_AGAIN if it is not at old; ERR_BUSY when another git process holds its lock for longer than 2 s.
 */
int ref_move(const struct repo *r, const char *name, const struct oid *to, const struct oid *old, const char *why, struct err *err);

/*
 * ref_break_lock: removes a lock file that is more than ten minutes old, and says whether it did: git holds such a lock for milliseconds. The path is that of the lock.
 */
bool ref_break_lock(const char *path);

#endif
