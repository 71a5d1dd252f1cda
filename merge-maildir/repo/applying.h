/*
 * applying.h -- remembers what an apply is about to make of the Maildir, until HEAD says it.
 *
 * A process that is killed in the middle of an apply leaves a disk that is neither what HEAD says nor what the merge gave. To take the half that is there for changes of this member would be
 * wrong: what a peer deletes meanwhile of its own mail would come back by that. So <gitdir>/maildir/applying names the two commits, durable before the first step: "<from> <to>". Whoever
 * records next merges the disk and <to> over <from>, which tells the steps that were done from what users did.
 *
 * No reference keeps <to>: whoever removes unreachable objects must ask first, or the next record takes what is there for this member's changes after all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef APPLYING_H
#define APPLYING_H

#include "repo.h"

/* applying_begin: says that the disk is on its way from HEAD, which is at from, to the commit to, which has been flushed. Durable when it returns 0. The caller holds repo_lock(), as for all here. */
int applying_begin(const struct repo *r, const struct oid *from, const struct oid *to, struct err *err);
/* applying_find: what an apply left that did not come to its end: 1. 0 if there is nothing of the kind: also when HEAD was moved since, or the commit is not there any more. Or a negative code. */
int applying_find(struct repo *r, struct oid *from, struct oid *to, struct err *err);
/* applying_end: HEAD says it, or nothing of it was done. Need not be durable: HEAD tells. */
void applying_end(const struct repo *r);

#endif
