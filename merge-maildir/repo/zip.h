/*
 * zip.h -- objects as zlib streams, one at a time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZIP_H
#define ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#include "objects.h"

/* Zero-initialise; zip_release() frees. Not for two threads at once. */
struct zip {
	z_stream z;
	int level;
	bool open;
	unsigned char *out; /* what zip_run() made, outlen bytes; good until the next call */
	size_t outlen, cap;
};

/* zip_level: how much effort an object of this type and size is worth: 0 (stored) or 1. */
int zip_level(enum objects_type type, size_t len);

/* zip_run: out becomes the bytes of plain as they are, then the stream of head and buf together. */
void zip_run(struct zip *z, int level, const void *plain, size_t plainlen, const void *head, size_t headlen,
	     const void *buf, size_t len);
void zip_release(struct zip *z);

#endif
