/*
 * header.c -- the header of a message: a field of it, and how it is shown to people.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "header.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define VALUE_LONGEST 2000

/* The line at s: its length without the end of line, and where the next one begins. */
static size_t line_at(const char *s, const char *end, const char **next)
{
	const char *nl = memchr(s, '\n', (size_t)(end - s));
	size_t n = (size_t)((nl ? nl : end) - s);

	*next = nl ? nl + 1 : end;
	return n && s[n - 1] == '\r' ? n - 1 : n;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The value in the line if it is this field, else NULL. */
static const char *value_in(const char *line, size_t n, const char *field, size_t fieldlen)
{
	size_t i = fieldlen;

	if (n <= fieldlen || strncasecmp(line, field, fieldlen) != 0)
		return NULL;
	while (i < n && is_blank(line[i]))
		i++;
	return i < n && line[i] == ':' ? line + i + 1 : NULL;
}

static void add_part(struct bytes *value, size_t before, const char *s, const char *end)
{
	size_t have, n;

	while (s < end && is_blank(*s))
		s++;
	while (s < end && is_blank(end[-1]))
		end--;
	have = value->len - before;
	n = (size_t)(end - s);
	if (!n || have >= VALUE_LONGEST)
		return;
	if (have) {
		bytes_add(value, " ", 1);
		have++;
	}
	bytes_add(value, s, n < VALUE_LONGEST - have ? n : VALUE_LONGEST - have);
}

bool header_field(const char *message, size_t len, const char *field, struct bytes *value)
{
	const char *s = message, *end = message + len, *next;
	size_t fieldlen = strlen(field), before = value->len, n;

	for (; s < end && (n = line_at(s, end, &next)) > 0; s = next) {
		const char *v = value_in(s, n, field, fieldlen);

		if (!v)
			continue;
		add_part(value, before, v, s + n);
		for (s = next; s < end && is_blank(*s); s = next) {
			n = line_at(s, end, &next);
			add_part(value, before, s, s + n);
		}
		return true;
	}
	return false;
}

const char *header_bare_id(const char *s, size_t len, size_t *barelen)
{
	const char *open = memchr(s, '<', len), *close;

	if (open) {
		close = memchr(open, '>', len - (size_t)(open - s));
		if (close && close > open + 1) {
			*barelen = (size_t)(close - open) - 1;
			return open + 1;
		}
	}
	while (len && is_blank(*s))
		s++, len--;
	while (len && is_blank(s[len - 1]))
		len--;
	*barelen = len;
	return s;
}

/* The length of the UTF-8 sequence at s and what it says, or 0 if it is none. */
static size_t decode(const unsigned char *s, size_t left, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (!n || n > left)
		return 0;
	*c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c < least[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : n;
}

/* Controls, line separators, and what turns the text around: a Subject must not look like something else. */
static bool is_harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c < 0xe0080);
}

void header_show(struct bytes *out, const char *str, size_t len, size_t most)
{
	const unsigned char *s = (const unsigned char *)str, *end = s + len;
	size_t before = out->len, n;
	uint32_t c = 0;

	for (; s < end; s += n ? n : 1) {
		n = decode(s, (size_t)(end - s), &c);
		if (out->len - before + (n ? n : 1) > most)
			return;
		if (n == 1 && (is_blank((char)c) || c == '\n' || c == '\r')) {
			if (out->len > before && out->buf[out->len - 1] != ' ')
				bytes_add(out, " ", 1);
		} else if (!n || is_harmful(c)) {
			bytes_add(out, "?", 1);
		} else {
			bytes_add(out, s, n);
		}
	}
}
