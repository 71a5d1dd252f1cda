/*
 * zip.c -- objects as zlib streams, one at a time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../core/mem.h"

/* Deflating 9 MB of ids and names takes 110 ms and saves half of them; storing takes 4. */
#define STORED_TREE ((size_t)64 << 10)

int zip_level(enum objects_type type, size_t len)
{
	return type == OBJECTS_TREE && len > STORED_TREE ? 0 : 1;
}

static voidpf zip_alloc(voidpf opaque, uInt n, uInt size)
{
	(void)opaque;
	return mem_alloc((size_t)n * size);
}

static void zip_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	free(p);
}

static void start(struct zip *z, int level)
{
	if (z->open && z->level == level) {
		deflateReset(&z->z);
		return;
	}
	if (z->open)
		deflateEnd(&z->z);
	memset(&z->z, 0, sizeof(z->z));
	z->z.zalloc = zip_alloc;
	z->z.zfree = zip_free;
	/*
	 * Fails for want of memory only, which zip_alloc() has dealt with, or with another zlib than we
	 * were built for.
	 */
	if (deflateInit(&z->z, level) != Z_OK)
		abort();
	z->level = level;
	z->open = true;
}

/* zlib counts in unsigned int, so larger buffers are given to it in pieces. */
static void feed(struct zip *z, const void *buf, size_t len, int flush)
{
	const unsigned char *p = buf;

	do {
		size_t piece = len < UINT_MAX ? len : UINT_MAX;
		int last = piece == len ? flush : Z_NO_FLUSH, rc;

		z->z.next_in = (z_const Bytef *)p;
		z->z.avail_in = (uInt)piece;
		do {
			size_t room = z->cap - z->outlen, give = room < UINT_MAX ? room : UINT_MAX;

			z->z.next_out = z->out + z->outlen;
			z->z.avail_out = (uInt)give;
			rc = deflate(&z->z, last);
			z->outlen += give - z->z.avail_out;
		} while (z->z.avail_in || (last == Z_FINISH && rc == Z_OK));
		p += piece;
		len -= piece;
	} while (len);
}

void zip_run(struct zip *z, int level, const void *plain, size_t plainlen, const void *head, size_t headlen,
	     const void *buf, size_t len)
{
	size_t most;

	start(z, level);
	most = plainlen + deflateBound(&z->z, headlen + len) + 64;
	if (most > z->cap) {
		free(z->out);
		z->out = mem_alloc(most);
		z->cap = most;
	}
	if (plainlen)
		memcpy(z->out, plain, plainlen);
	z->outlen = plainlen;
	if (headlen)
		feed(z, head, headlen, Z_NO_FLUSH);
	feed(z, buf, len, Z_FINISH);
}

void zip_release(struct zip *z)
{
	if (z->open)
		deflateEnd(&z->z);
	free(z->out);
	memset(z, 0, sizeof(*z));
}
