/*
 * sha1.h -- SHA-1 by libgcrypt, which uses what the processor has for it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SHA1_H
#define SHA1_H

#include <gcrypt.h>
#include <stddef.h>

#define SHA1_RAW 20

/* sha1_of: of the bytes of a, then those of b. */
void sha1_of(unsigned char out[SHA1_RAW], const void *a, size_t alen, const void *b, size_t blen);

/* Piece by piece: sha1_end() gives the sum and frees. */
struct sha1 {
	gcry_md_hd_t md;
};

void sha1_begin(struct sha1 *s);
void sha1_add(struct sha1 *s, const void *buf, size_t len);
void sha1_end(struct sha1 *s, unsigned char out[SHA1_RAW]);

#endif
