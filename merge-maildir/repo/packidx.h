/*
 * packidx.h -- the index of a pack: git's gitformat-pack(5), version 2.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PACKIDX_H
#define PACKIDX_H

#include <stdint.h>

#include "../core/mem.h"
#include "../core/oid.h"

struct packidx_entry {
	struct oid oid;
	uint32_t crc; /* of the entry's bytes in the pack */
	uint64_t at;  /* where it begins there */
};

/*
 * packidx_format: sorts the entries and appends the index of the pack that ends in this SHA-1 to out. No
 * id may be there twice.
 */
void packidx_format(struct bytes *out, struct packidx_entry *v, size_t n, const unsigned char pack_sha1[20]);

#endif
