/*
 * objects.h -- reads and writes git objects, durably and fast.
 *
 * Writing goes through a batch: a few objects become loose objects, many become one pack. Big trees are
 * stored without compression: deflating 9 MB of hashes and names costs ten times what writing them does.
 * Nothing refers to the objects before objects_flush() has returned, so a kill leaves at most garbage
 * that git gc removes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "repo.h"

enum objects_type { OBJECTS_COMMIT = 1, OBJECTS_TREE = 2, OBJECTS_BLOB = 3 };

/* objects_hash: the id that this content has. objects_sha1: plain SHA-1 of bytes. */
void objects_hash(enum objects_type type, const void *buf, size_t len, struct oid *out);
void objects_sha1(const void *buf, size_t len, unsigned char out[20]);

/*
 * objects_read: appends an object's content to out. ERR_NOTFOUND if there is none; ERR_FAIL if it is of
 * another type or broken.
 */
int objects_read(struct repo *r, const struct oid *oid, enum objects_type type, struct bytes *out,
		 struct err *err);
/*
 * objects_open: as objects_read, without a copy: buf is there until objects_close(), which is fine on a
 * zeroed struct.
 */
struct objects_view {
	const unsigned char *buf;
	size_t len;
	git_odb_object *obj;
};

int objects_open(struct repo *r, const struct oid *oid, enum objects_type type, struct objects_view *out,
		 struct err *err);
void objects_close(struct objects_view *v);

/* objects_has: whether it is there. */
bool objects_has(struct repo *r, const struct oid *oid);

struct objects_batch;

/*
 * objects_begin: starts a batch. objects_end() frees it; what was not flushed is dropped, with its
 * temporary files.
 */
struct objects_batch *objects_begin(struct repo *r);
void objects_end(struct objects_batch *b);

/*
 * objects_add: takes an object (the content is copied or written; the caller keeps buf) and returns its
 * id. Not written again when the repository has it. Memory stays bounded: what is more than 16 MB
 * goes to a temporary pack at once.
 */
int objects_add(struct objects_batch *b, enum objects_type type, const void *buf, size_t len, struct oid *out,
		struct err *err);

/*
 * objects_give: as objects_add, but takes the buffer, which is empty afterwards: a large tree need not be
 * copied.
 */
int objects_give(struct objects_batch *b, enum objects_type type, struct bytes *data, struct oid *out,
		 struct err *err);

/*
 * objects_flush: makes all that was added durable (fsync) and visible to git. The batch is empty then and
 * can go on. ERR_NOSPACE: nothing of it is visible, or it is garbage. After a failure, of objects_add()
 * too, the batch is of no more use: everything fails in the same way, because others may refer to what is
 * missing.
 */
int objects_flush(struct objects_batch *b, struct err *err);

#endif
