/*
 * sha1.c -- SHA-1 by libgcrypt, which uses what the processor has for it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "sha1.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void init(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return;
	gcry_check_version(NULL);
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static void need_gcrypt(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init);
}

void sha1_of(unsigned char out[SHA1_RAW], const void *a, size_t alen, const void *b, size_t blen)
{
	gcry_buffer_t parts[2] = { { .data = (void *)(uintptr_t)a, .len = alen },
			{ .data = (void *)(uintptr_t)b, .len = blen } };

	need_gcrypt();
	gcry_md_hash_buffers(GCRY_MD_SHA1, 0, out, parts, b ? 2 : 1);
}

void sha1_begin(struct sha1 *s)
{
	need_gcrypt();
	/* Fails for want of memory only: see core/mem.h. */
	if (gcry_md_open(&s->md, GCRY_MD_SHA1, 0))
		abort();
}

void sha1_add(struct sha1 *s, const void *buf, size_t len)
{
	gcry_md_write(s->md, buf, len);
}

void sha1_end(struct sha1 *s, unsigned char out[SHA1_RAW])
{
	memcpy(out, gcry_md_read(s->md, GCRY_MD_SHA1), SHA1_RAW);
	gcry_md_close(s->md);
}
