/*
 * uidlist_text.c -- dovecot-uidlist as text: reads what Dovecot wrote, whole or broken, and writes it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "uidlist.h"

#define VERSION "3 "

/* Some bytes of the text: a field of the header or of a line. */
struct span {
	const char *s;
	size_t len;
};

struct reader {
	struct uidlist *l;
	bool plain;	  /* nothing that no key can have is anywhere in the text: keys need no look */
	bool repeats;	  /* some UID is there twice */
	uint32_t highest; /* UID of all lines, also of those that are left out: it was handed out */
};

/* The number at *s, which is moved behind its digits. 0 if there is none; what does not fit is above UINT32_MAX. */
static uint64_t number(const char **s, const char *end)
{
	uint64_t n = 0;

	for (; *s < end && **s >= '0' && **s <= '9'; ++*s)
		if (n <= UINT32_MAX)
			n = n * 10 + (uint64_t)(**s - '0');
	return n;
}

static bool header_number(uint32_t *out, const char *s, const char *end)
{
	uint64_t n = number(&s, end);

	*out = (uint32_t)n;
	return s == end && n && n <= UINT32_MAX;
}

static bool header_guid(char out[UIDLIST_GUID_HEX + 1], const char *s, const char *end)
{
	size_t i;

	if (end - s != UIDLIST_GUID_HEX)
		return false;
	for (i = 0; i < UIDLIST_GUID_HEX; i++) {
		char c = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] - 'A' + 'a') : s[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
		out[i] = c;
	}
	out[i] = '\0';
	return true;
}

static int cmp_span(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return uidlist_cmp_keys(x->s, x->len, y->s, y->len);
}

static char *join(struct arena *arena, const struct span *v, size_t n)
{
	size_t i, len = 0;
	char *text, *p;

	for (i = 0; i < n; i++)
		len += v[i].len + 1;
	text = p = arena_alloc(arena, len + 1);
	for (i = 0; i < n; i++) {
		if (i)
			*p++ = ' ';
		memcpy(p, v[i].s, v[i].len);
		p += v[i].len;
	}
	*p = '\0';
	return text;
}

static bool has_control(const char *s, const char *end)
{
	for (; s < end; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* A field V, N or G. */
static bool header_field(struct uidlist *l, const char *s, const char *end)
{
	switch (*s) {
	case 'V':
		return header_number(&l->validity, s + 1, end);
	case 'N':
		return header_number(&l->next, s + 1, end);
	default:
		return header_guid(l->guid, s + 1, end);
	}
}

/* A header that Dovecot would not take is not understood: it makes the list anew then, under another UIDVALIDITY. */
static bool parse_header(struct uidlist *l, const char *s, const char *end)
{
	struct span *rest = NULL;
	size_t n = 0, cap = 0;
	const char *space;
	bool ok = true;

	if (end - s < 2 || memcmp(s, VERSION, 2) != 0 || has_control(s, end))
		return false;
	l->next = 0;
	for (s += 2; ok && s < end; s = space + 1) {
		space = memchr(s, ' ', (size_t)(end - s));
		if (!space)
			space = end;
		if (space == s)
			continue;
		if (memchr("VNG", *s, 3)) {
			ok = header_field(l, s, space);
			continue;
		}
		MEM_GROW(rest, n, cap);
		rest[n++] = (struct span){ s, (size_t)(space - s) };
	}
	ok = ok && l->validity && l->next;
	if (ok && n) {
		qsort(rest, n, sizeof(*rest), cmp_span);
		l->extra = join(&l->arena, rest, n);
	}
	free(rest);
	return ok;
}

static bool is_field(const struct reader *r, const char *s, size_t len)
{
	return *s >= 'A' && *s <= 'Z' && (r->plain || (!memchr(s, '\0', len) && !memchr(s, '\r', len)));
}

/* The fields once more, without what is none, and single spaces between them. */
static bool tidy_fields(struct reader *r, struct uidlist_line *line, const char *s, const char *end)
{
	struct span *v = NULL;
	size_t n = 0, cap = 0, len = 0;
	const char *space;

	for (; s < end; s = space + 1) {
		space = memchr(s, ' ', (size_t)(end - s));
		if (!space)
			space = end;
		if (space == s || !is_field(r, s, (size_t)(space - s)))
			continue;
		MEM_GROW(v, n, cap);
		v[n++] = (struct span){ s, (size_t)(space - s) };
		len += (size_t)(space - s) + (n > 1);
	}
	line->extlen = (uint16_t)len;
	line->ext = len && len <= UINT16_MAX ? join(&r->l->arena, v, n) : NULL;
	free(v);
	return len <= UINT16_MAX;
}

/* What is between the UID and the key, from *s on, which is moved behind the ':'. False if there is no key. */
static bool parse_fields(struct reader *r, struct uidlist_line *line, const char **s, const char *end)
{
	const char *from = *s, *to = from, *p = from;
	bool tidy = true;

	while (p < end && *p != ':') {
		const char *space = memchr(p, ' ', (size_t)(end - p));

		if (!space)
			return false;
		tidy = tidy && is_field(r, p, (size_t)(space - p)) && (to == from || p == to + 1);
		to = space;
		for (p = space; p < end && *p == ' '; p++)
			;
	}
	if (p == end)
		return false;
	*s = p + 1;
	if (!tidy || to - from > UINT16_MAX)
		return tidy_fields(r, line, from, to);
	line->extlen = (uint16_t)(to - from);
	line->ext = line->extlen ? from : NULL;
	return true;
}

static bool parse_key(const struct reader *r, struct uidlist_line *line, const char *s, const char *end)
{
	const char *colon;
	size_t len;

	if (s == end)
		return false;
	/* Dovecot compares up to there too. */
	colon = memchr(s, ':', (size_t)(end - s));
	len = (size_t)((colon ? colon : end) - s);
	if (!len || len > UINT8_MAX)
		return false;
	if (!r->plain && (memchr(s, '/', len) || memchr(s, '\r', len) || memchr(s, '\0', len)))
		return false;
	line->key = s;
	line->keylen = (uint8_t)len;
	return true;
}

/* The UID at the front of a line, 0 if there is none that can be. */
static uint32_t parse_uid(struct reader *r, const char **s, const char *end)
{
	uint64_t uid = number(s, end);

	if (uid > UIDLIST_MOST || (*s < end && **s != ' '))
		return 0;
	if (uid > r->highest)
		r->highest = (uint32_t)uid;
	return (uint32_t)uid;
}

static bool parse_line(struct reader *r, const char *s, const char *end)
{
	struct uidlist *l = r->l;
	struct uidlist_line line = { 0 };

	line.uid = parse_uid(r, &s, end);
	while (s < end && *s == ' ')
		s++;
	if (!line.uid || !parse_fields(r, &line, &s, end) || !parse_key(r, &line, s, end))
		return false;
	if (l->n && line.uid <= l->v[l->n - 1].uid) {
		l->trouble |= line.uid < l->v[l->n - 1].uid ? UIDLIST_UNORDERED : 0;
		r->repeats = true;
	}
	MEM_GROW(l->v, l->n, l->cap);
	l->v[l->n++] = line;
	return true;
}

/* By UID; of two lines with one UID the one that is earlier in the text first. */
static int cmp_line(const void *a, const void *b)
{
	const struct uidlist_line *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

/* Of lines with one UID the last stays if they are of one message, else none. */
static void drop_repeats(struct uidlist *l)
{
	size_t i, j, n = 0;

	for (i = 0; i < l->n; i = j) {
		bool shared = false;

		for (j = i + 1; j < l->n && l->v[j].uid == l->v[i].uid; j++)
			shared |= uidlist_cmp_keys(l->v[i].key, l->v[i].keylen, l->v[j].key, l->v[j].keylen) != 0;
		if (j - i > 1)
			l->trouble |= shared ? UIDLIST_SHARED : UIDLIST_TWICE;
		if (!shared)
			l->v[n++] = l->v[j - 1];
	}
	l->n = n;
}

static void parse_lines(struct reader *r, const char *s, const char *end)
{
	struct uidlist *l = r->l;
	const char *nl;

	for (; s < end && (nl = memchr(s, '\n', (size_t)(end - s))); s = nl + 1)
		if (!parse_line(r, s, nl))
			l->trouble |= UIDLIST_BAD_LINE;
	if (s < end) {
		l->trouble |= UIDLIST_TORN;
		parse_uid(r, &s, end);
	}
	if (l->trouble & UIDLIST_UNORDERED)
		qsort(l->v, l->n, sizeof(*l->v), cmp_line);
	if (r->repeats)
		drop_repeats(l);
	if (uidlist_index(l))
		l->trouble |= UIDLIST_TWICE;
	if (l->next <= r->highest)
		l->next = r->highest + 1;
}

static bool is_plain(const char *buf, size_t len)
{
	return !memchr(buf, '/', len) && !memchr(buf, '\r', len) && !memchr(buf, '\0', len);
}

void uidlist_parse(struct uidlist *l, const char *buf, size_t len)
{
	const char *nl = len ? memchr(buf, '\n', len) : NULL;
	struct reader r = { .l = l };

	l->next = 1;
	if (!len)
		return;
	if (!nl || !parse_header(l, buf, nl)) {
		uidlist_release(l);
		l->next = 1;
		l->trouble = UIDLIST_FOREIGN | (nl ? 0 : UIDLIST_TORN);
		return;
	}
	l->known = true;
	r.plain = is_plain(nl, (size_t)(buf + len - nl));
	parse_lines(&r, nl + 1, buf + len);
}

static char *put(char *p, const char *s, size_t len)
{
	memcpy(p, s, len);
	return p + len;
}

static char *put_number(char *p, uint32_t n)
{
	char digits[10];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	return put(p, digits + i, sizeof(digits) - i);
}

void uidlist_format(const struct uidlist *l, struct bytes *out)
{
	size_t i, most = 0;
	char *p, *from;

	if (!l->known)
		return;
	bytes_addf(out, VERSION "V%u N%u", (unsigned)l->validity, (unsigned)l->next);
	if (l->guid[0])
		bytes_addf(out, " G%s", l->guid);
	if (l->extra)
		bytes_addf(out, " %s", l->extra);
	bytes_addstr(out, "\n");
	for (i = 0; i < l->n; i++)
		most += 10 + 1 + l->v[i].extlen + 2 + l->v[i].keylen + 1u;
	p = from = bytes_reserve(out, most);
	for (i = 0; i < l->n; i++) {
		const struct uidlist_line *line = &l->v[i];

		p = put_number(p, line->uid);
		*p++ = ' ';
		if (line->extlen) {
			p = put(p, line->ext, line->extlen);
			*p++ = ' ';
		}
		*p++ = ':';
		p = put(p, line->key, line->keylen);
		*p++ = '\n';
	}
	*p = '\0';
	out->len += (size_t)(p - from);
}
