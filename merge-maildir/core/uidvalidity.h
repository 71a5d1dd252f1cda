/*
 * uidvalidity.h -- dovecot-uidvalidity: the last UIDVALIDITY that a server gave to a new folder.
 *
 *     6b0e2a11
 *
 * Format of Dovecot 2.3 (mailbox-uidvalidity.c): eight hexadecimal digits. The next folder gets the next number. A
 * server that does not know of one that another gave out would give it out again, and a folder that was deleted and
 * made anew could have the UIDVALIDITY of the old one, whose UIDs mean other messages. So it only grows, and of
 * several the largest counts.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UIDVALIDITY_H
#define UIDVALIDITY_H

#include <stddef.h>
#include <stdint.h>

#include "mem.h"

#define UIDVALIDITY_NAME "dovecot-uidvalidity"
#define UIDVALIDITY_DIGITS 8

/* uidvalidity_parse: the number; white space at the end is fine. 0 for anything that is none. */
uint32_t uidvalidity_parse(const char *buf, size_t len);
/* uidvalidity_format: the digits, and a NUL. Returns out. */
char *uidvalidity_format(char out[UIDVALIDITY_DIGITS + 1], uint32_t value);
/* uidvalidity_merge: appends the larger of both, as digits. */
void uidvalidity_merge(struct bytes *out, const struct bytes *a, const struct bytes *b);

#endif
