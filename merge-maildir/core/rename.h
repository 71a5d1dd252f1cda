/*
 * rename.h -- which folders a side of a merge renamed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef RENAME_H
#define RENAME_H

#include "err.h"
#include "match.h"
#include "trio.h"

/*
 * rename_find: fills in renamed_to and renamed_from of all folders. A folder of the base of which a side has
 * nothing any more was renamed to one that this side has and the base has not, if that one's marker has the
 * same id; or, if there is no such marker, if some of its messages moved and all of these to that one folder.
 * What both sides renamed to different places counts as renamed by neither. The root is never renamed: it is
 * the INBOX, which is always there; a server that "renames" it moves its messages and goes on delivering to
 * it. o: the messages of the base, matched.
 */
int rename_find(struct trios *t, const struct origins *o, struct err *err);

#endif
