/*
 * validity.h -- the last UIDVALIDITY that was given out, raised beside a server that gives out the next.
 *
 * Dovecot 2.3 (mailbox-uidvalidity.c) takes the next number by renaming an empty file "dovecot-uidvalidity.<8 hex>" to that of the
 * next, so that of two processes one loses and looks again; only then is dovecot-uidvalidity written, for the case that the empty file is lost. Therefore both
 * are looked at here, and the rename comes first here as well.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VALIDITY_H
#define VALIDITY_H

#include "../core/uidlist.h"
#include "disk.h"

/*
 * validity_raise: raises the marker in the directory to want, unless it or the file (which says here) are beyond that; *marker gets what it was before. 1: raised, 0: nothing to do, or
 * a negative code: ERR_AGAIN when somebody else moves it all the time. The file is for the caller to write then.
 */
int validity_raise(int dirfd, uint32_t here, uint32_t want, uint32_t *marker, struct err *err);

/* validity_next: takes a new number for a folder, as Dovecot does, and writes the file. Where none was given out so far it begins with the time. */
int validity_next(struct disk *d, uint32_t *out, struct err *err);

/* validity_new_guid: a new mailbox GUID. */
void validity_new_guid(char out[UIDLIST_GUID_HEX + 1]);

#endif
