/*
 * name.c -- message names: the file names in cur/ and new/.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A derived key leaves room for ":2," and this many bytes of flags and tail. */
#define INFO_ROOM 60
#define KEY_LONGEST (NAME_LONGEST - 3 - INFO_ROOM)

name_flags name_flag(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return (name_flags)1 << (letter - 'A');
	if (letter >= 'a' && letter <= 'z')
		return (name_flags)1 << (letter - 'a' + 26);
	return 0;
}

size_t name_key_length(const char *s, size_t len)
{
	const char *colon = len ? memchr(s, ':', len) : NULL;

	return colon ? (size_t)(colon - s) : len;
}

bool name_same_key(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t n = name_key_length(a, alen);

	return n == name_key_length(b, blen) && (!n || !memcmp(a, b, n));
}

void name_parse(struct name *n, const char *s, size_t len)
{
	const char *end = s + len, *comma, *p, *colon;
	name_flags bit;

	n->s = s;
	n->len = len;
	n->keylen = name_key_length(s, len);
	colon = n->keylen < len ? s + n->keylen : NULL;
	comma = n->keylen ? memchr(s, ',', n->keylen) : NULL;
	n->shortlen = comma ? (size_t)(comma - s) : n->keylen;
	n->has_info = colon != NULL;
	n->has_flags = colon && end - colon >= 3 && colon[1] == '2' && colon[2] == ',';
	n->flags = 0;
	p = colon ? colon + 1 : end;
	if (n->has_flags)
		for (p += 2; p < end && (bit = name_flag(*p)); p++)
			n->flags |= bit;
	n->tail = p;
	n->taillen = (size_t)(end - p);
}

static bool key_is(const char *s, size_t keylen, const char *what)
{
	return keylen == strlen(what) && memcmp(s, what, keylen) == 0;
}

static bool starts(const char *s, size_t len, const char *what)
{
	size_t n = strlen(what);

	return len >= n && memcmp(s, what, n) == 0;
}

/* Left in many a cur/ by servers that were pointed at the wrong directory; readers have given them flags since. */
static bool is_control_file(const char *s, size_t keylen)
{
	if (s[0] == 'd')
		return key_is(s, keylen, "dovecot-uidlist") || key_is(s, keylen, "dovecot-keywords") ||
		       starts(s, keylen, "dovecot.index");
	if (s[0] == 'c')
		return key_is(s, keylen, "courierimapkeywords") || key_is(s, keylen, "courierimapuiddb");
	return false;
}

static bool starts_anycase(const char *s, size_t len, const char *what)
{
	size_t n = strlen(what);

	return len >= n && strncasecmp(s, what, n) == 0;
}

static bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

bool name_is_dotgit(const char *s, size_t len)
{
	const char *p = s, *end = s + len;

	if (starts_anycase(s, len, "git~1"))
		return true;
	if (starts_anycase(s, len, ".git")) {
		if (len == 4 || is_one_of(s[4], ":\\"))
			return true;
		if (is_one_of(s[4], ". ") && (len == 5 || is_one_of(s[5], ". :\\")))
			return true;
	}
	while (p < end && (p = memchr(p, '\\', (size_t)(end - p)))) {
		p++;
		if (starts_anycase(p, (size_t)(end - p), ".git") ||
		    starts_anycase(p, (size_t)(end - p), "git~1"))
			return true;
	}
	return false;
}

#define EACH_BYTE(c) ((uint64_t)(c) * UINT64_C(0x0101010101010101))

/* Whether one of the eight bytes of w is 0. */
static uint64_t has_zero(uint64_t w)
{
	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

/* Whether control bytes or a '/' are among len bytes. Every scan asks it of every name: eight bytes a step. */
static bool has_forbidden(const char *s, size_t len)
{
	uint64_t w, bad = 0;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&w, s + i, 8);
		bad |= ((w - EACH_BYTE(0x20)) & ~w & EACH_BYTE(0x80)) | has_zero(w ^ EACH_BYTE(0x7f)) | has_zero(w ^ EACH_BYTE('/'));
	}
	for (; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		bad |= c < 0x20 || c == 0x7f || c == '/';
	}
	return bad != 0;
}

bool name_is_message(const char *s, size_t len)
{
	const char *colon;

	if (!len || len > NAME_LONGEST || s[0] == '.' || s[0] == ':' || has_forbidden(s, len))
		return false;
	colon = memchr(s, ':', len);
	return !is_control_file(s, colon ? (size_t)(colon - s) : len) && !name_is_dotgit(s, len);
}

size_t name_flag_letters(name_flags flags, char out[53])
{
	size_t n = 0;
	int i;

	for (i = 0; i < 26; i++)
		if (flags >> i & 1)
			out[n++] = (char)('A' + i);
	for (i = 0; i < 26; i++)
		if (flags >> (i + 26) & 1)
			out[n++] = (char)('a' + i);
	out[n] = '\0';
	return n;
}

size_t name_join(char *out, const char *key, size_t keylen, name_flags flags, const char *tail,
		 size_t taillen)
{
	char letters[53];
	size_t n = name_flag_letters(flags, letters), len;

	if (keylen > NAME_LONGEST || taillen > NAME_LONGEST || keylen + 3 + n + taillen > NAME_LONGEST)
		return 0;
	memcpy(out, key, keylen);
	memcpy(out + keylen, ":2,", 3);
	memcpy(out + keylen + 3, letters, n);
	len = keylen + 3 + n;
	if (taillen)
		memcpy(out + len, tail, taillen);
	len += taillen;
	out[len] = '\0';
	return len;
}

size_t name_derive(char *out, const char *key, size_t keylen, const struct oid *oid, unsigned attempt)
{
	char hex[OID_HEX + 1], mid[OID_HEX + 16];
	const char *comma = keylen ? memchr(key, ',', keylen) : NULL;
	size_t shortlen = comma ? (size_t)(comma - key) : keylen;
	size_t restlen = keylen - shortlen, midlen, room;
	const char *rest = key + shortlen;

	oid_hex(oid, hex);
	if (attempt < 2)
		midlen = (size_t)snprintf(mid, sizeof(mid), ".%.*s", attempt ? OID_HEX : 12, hex);
	else
		midlen = (size_t)snprintf(mid, sizeof(mid), ".%s-%u", hex, attempt);
	/* Without a short key the name would begin with the '.', and be no message. */
	if (!shortlen) {
		key = "m";
		shortlen = 1;
	}
	room = KEY_LONGEST - midlen;
	/* Half a ",S=1234" would be a lie about the size, which Dovecot believes: only whole fields stay. */
	while (restlen > room / 2) {
		do
			restlen--;
		while (rest[restlen] != ',');
	}
	if (shortlen > room - restlen)
		shortlen = room - restlen;
	memcpy(out, key, shortlen);
	memcpy(out + shortlen, mid, midlen);
	memcpy(out + shortlen + midlen, rest, restlen);
	out[shortlen + midlen + restlen] = '\0';
	return shortlen + midlen + restlen;
}

int64_t name_seconds(const char *s, size_t len)
{
	const int64_t limit = (int64_t)1 << 40;
	int64_t t = 0;
	size_t i;

	for (i = 0; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
		t = t * 10 + (s[i] - '0');
		if (t >= limit)
			return -1;
	}
	return i ? t : -1;
}
