/*
 * listing.h -- reads the names in a directory in one piece where that can be, without a stat for each.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LISTING_H
#define LISTING_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise, set fd (borrowed) and call listing_next() until it returns 0. */
struct listing {
	int fd;
	char *buf;
	size_t pos, len;
};

struct listing_entry {
	const char *name; /* NUL-terminated; until the next call */
	size_t len;
	uint64_t ino;
	unsigned char type; /* DT_REG, DT_DIR, ...: never DT_UNKNOWN */
};

/*
 * listing_next: 1 and the next entry, 0 at the end, -1 with errno. "." and ".." are left out. A directory
 * that was removed meanwhile has no names and is no error.
 */
int listing_next(struct listing *l, struct listing_entry *e);
/* listing_rewind: begins again, with the directory open at fd (the same or another); the memory is kept. */
int listing_rewind(struct listing *l, int fd);
/* listing_release: frees; the descriptor stays open. */
void listing_release(struct listing *l);

#endif
