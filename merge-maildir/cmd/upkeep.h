/*
 * upkeep.h -- keeps the repository from growing between prunes: now and then what was written is packed, in the background.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UPKEEP_H
#define UPKEEP_H

#include "member.h"

/*
 * upkeep_after: to be called at the end of a command that wrote to the repository, without the member's lock. Adds up what was written since the last time; when that is a
 * quarter of the repository's size (8 MB at least, 64 MB at most, and eight times the last change) "git repack" is started, niced, in a session of its own. Counted by bytes, because one flag change in a folder of 100,000 messages writes a tree of 9 MB, of which a pack
 * keeps 100 bytes; git's own count of objects would let gigabytes gather.
 */
void upkeep_after(struct member *m);

#endif
