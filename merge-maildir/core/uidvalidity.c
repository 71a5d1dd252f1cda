/*
 * uidvalidity.c -- dovecot-uidvalidity: the last UIDVALIDITY that a server gave to a new folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "uidvalidity.h"

#include <stdio.h>
#include <string.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

uint32_t uidvalidity_parse(const char *buf, size_t len)
{
	uint32_t value = 0;
	size_t i;

	while (len > 0 && strchr(" \t\r\n", buf[len - 1]) && buf[len - 1])
		len--;
	if (len != UIDVALIDITY_DIGITS)
		return 0;
	for (i = 0; i < len; i++) {
		if (digit(buf[i]) < 0)
			return 0;
		value = value << 4 | (uint32_t)digit(buf[i]);
	}
	return value;
}

char *uidvalidity_format(char out[UIDVALIDITY_DIGITS + 1], uint32_t value)
{
	snprintf(out, UIDVALIDITY_DIGITS + 1, "%08x", (unsigned)value);
	return out;
}

void uidvalidity_merge(struct bytes *out, const struct bytes *a, const struct bytes *b)
{
	uint32_t x = uidvalidity_parse(a->buf, a->len), y = uidvalidity_parse(b->buf, b->len);
	char digits[UIDVALIDITY_DIGITS + 1];

	bytes_addstr(out, uidvalidity_format(digits, x > y ? x : y));
}
