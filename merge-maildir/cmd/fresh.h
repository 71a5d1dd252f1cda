/*
 * fresh.h -- what is in the messages and files that are new on disk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FRESH_H
#define FRESH_H

#include "../core/store.h"
#include "../repo/objects.h"
#include "compare.h"
#include "record.h"

/* A message or file found on disk, read. */
struct fresh {
	bool there; /* false: it vanished before it could be read; the next record sees what became of it */
	size_t maybe; /* if not there: the one of compare.gone that it may have been, and which is not gone for certain then; else COMPARE_NONE */
	bool renamed; /* the same file under the same key in the same folder: its date cannot have changed */
	struct oid oid;
	struct index_stat st;
	int64_t mtime; /* seconds */
};

/*
 * fresh_read: finds out the blob of every fresh message of the comparison: taken over from a gone one when it is the same inode (a rename), read and added to the
 * batch otherwise (batch NULL: only hashed). out has room for c->nfresh.
 */
int fresh_read(struct fresh *out, const struct compare *c, const struct index *ix, const struct disk *d, struct objects_batch *batch,
	       const struct record_opts *opts, struct err *err);

/* fresh_read_file: the same for one file that is no message. content, if not NULL, gets what is in it. */
int fresh_read_file(struct fresh *out, const struct disk *d, const char *path, struct objects_batch *batch, struct bytes *content, struct err *err);

#endif
