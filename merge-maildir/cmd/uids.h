/*
 * uids.h -- records the UIDs and keywords of each folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UIDS_H
#define UIDS_H

#include <stdbool.h>

#include "../core/change.h"
#include "../repo/objects.h"
#include "compare.h"
#include "edits.h"
#include "member.h"
#include "words.h"

struct uids {
	struct member *m;
	const struct index *ix; /* with the messages as they are recorded now; UIDs and keywords as before */
	const struct compare *compare;
	const struct changes *changes;
	struct words *words;
	struct objects_batch *batch;
	bool patient; /* another record follows soon: a new folder that is empty and has no list may be left to it */
	bool young;   /* set when that was done */
	bool later; /* set when a folder could not be looked at: the next record has to */
};

/*
 * uids_record: for each folder in which messages came or went, or whose list changed: messages that have no UID get one, on disk, and the list goes into the batch and the edits in its normal form. Likewise the
 * maps of keywords. What is wrong with a list is told on standard error, and put right. e is zeroed.
 */
int uids_record(struct uids *u, struct edits *e, struct err *err);

/* uids_trouble: calls say() with a line for each thing that is wrong with a folder's list: enum uidlist_trouble, NUMBER_LOST, NUMBER_FULL. */
void uids_trouble(unsigned trouble, const char *folder, void (*say)(void *ctx, const char *what), void *ctx);

/* uids_before: for disk/number.h: the list that an entry of the index (NULL: none) holds. */
struct uids_before {
	struct repo *repo;
	const struct index_entry *entry;
};
int uids_before(void *ctx, struct bytes *out, struct err *err);

/*
 * uids_messages: the messages that ix has in a folder, for disk/number.h. An array to be freed, whose names are the index's.
 */
struct number_message *uids_messages(const struct index *ix, const char *folder, size_t *n);

#endif
