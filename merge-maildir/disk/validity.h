/*
 * validity.h -- dovecot-uidvalidity: the last UIDVALIDITY that was given to a folder.
 *
 * Dovecot 2.3 (mailbox-uidvalidity.c) gives a new folder the next number, so that one that is deleted and made again never has an old one. The file in the root holds the last one, 8 hex digits; beside
 * it is an empty file dovecot-uidvalidity.<8 hex>, mode 0444, which is renamed for each new one: whoever succeeds in that has got the number.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VALIDITY_H
#define VALIDITY_H

#include "../core/uidlist.h"
#include "disk.h"

/* validity_last: the last number that was given out here: the largest of what the file and its markers say; 0 if there is none. */
int validity_last(const struct disk *d, uint32_t *out, struct err *err);
/* validity_next: takes a new number, as Dovecot does. Where none was given out so far it begins with the time. */
int validity_next(struct disk *d, uint32_t *out, struct err *err);
/* validity_raise: from here on the last number is at least this one. 1: it was raised, 0: it was that already, or an err_code. */
int validity_raise(struct disk *d, uint32_t to, struct err *err);

/* validity_new_guid: a new mailbox GUID. */
void validity_new_guid(char out[UIDLIST_GUID_HEX + 1]);

#endif
