/*
 * lines.h -- a file that is a set of lines (subscriptions), merged three-way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>

#include "mem.h"

/*
 * lines_merge: appends to out the lines that are in both, those added by one side, without those removed by one side. base may
 * be NULL (len 0). A header (Dovecot's "V\t2" followed by an empty line) is kept in front when either side has it. Order: bytewise, so that
 * equal sets are equal bytes; but if one side equals base, the other side's bytes are taken as they are, and if the sides are equal, they are.
 * merge(a, b) and merge(b, a) are equal bytes.
 */
void lines_merge(struct bytes *out, const char *base, size_t baselen, const char *a, size_t alen, const char *b, size_t blen);

#endif
