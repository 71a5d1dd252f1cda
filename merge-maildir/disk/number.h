/*
 * number.h -- UIDs are given where the mail arrives.
 *
 * If each member's mail server numbered for itself what came in through git, two of them would number the same message differently. So a message gets its UID before it leaves the
 * member, here, if the mail server has not given it one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "../core/name.h"
#include "../core/uidlist.h"
#include "disk.h"

struct number_message {
	const char *name; /* borrowed; in what is recorded, so that on disk it may have other letters */
	uint8_t keylen;
	uint8_t sub;  /* enum name_sub */
	bool renew;   /* its content was changed: whatever UID it has means what it was before */
};

struct number {
	const char *folder;
	struct number_message *v; /* all messages of the folder that are recorded now; sorted by number_folder() */
	size_t n;
	const struct bytes *before; /* the list that was recorded before; may be empty */
	bool make;		    /* a folder without any list gets one, with a new UIDVALIDITY */
};

enum number_result {
	NUMBER_NONE, /* the folder has no list */
	NUMBER_DONE, /* text and st are set */
	NUMBER_KEPT  /* the live list says nothing that can be used: what was recorded before stands */
};

/*
 * number_folder: under the folder's lock: gives UIDs to messages that have none and are there, mends a list that is broken, and puts back one that is gone. text gets the list in its normal form: the
 * lines of v and no others, and the real next UID. st is the live file's. given: how many got a UID. trouble: what was wrong with the list, enum uidlist_trouble; NUMBER_LOST: it
 * was gone. A result or an err_code; ERR_BUSY: nothing was done, because somebody holds the lock.
 */
#define NUMBER_LOST 0x100
#define NUMBER_FULL 0x200 /* there are no UIDs left */
int number_folder(struct disk *d, struct number *in, struct bytes *text, struct stat *st, size_t *given, unsigned *trouble, struct err *err);

/*
 * number_normal: the same without looking at or changing anything on disk but for the content of the list: its normal form for these messages. Messages that have no
 * line keep the one of before. Returns whether text was set: not if live is no list.
 */
bool number_normal(struct number *in, const struct bytes *live, struct bytes *text);

#endif
