/*
 * uids.h -- lists of UIDs for tests: read from text, compared as text, and grown the way a mail server does it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UIDS_H
#define UIDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/uidlist.h"

#define GUID_A "3fa426069921046bd73f000083ecc375"
#define GUID_B "4fa426069921046bd73f000083ecc375"
#define GUID_C "5fa426069921046bd73f000083ecc375"

static inline void uids_parse(struct uidlist *l, const char *text)
{
	memset(l, 0, sizeof(*l));
	uidlist_parse(l, text, strlen(text));
}

static inline void uids_assert_text(const struct uidlist *l, const char *want)
{
	struct bytes out = { 0 };

	uidlist_format(l, &out);
	assert_string_equal(out.buf ? out.buf : "", want);
	bytes_release(&out);
}

static inline uint32_t uids_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static inline bool uids_chance(uint32_t *seed, unsigned percent)
{
	return uids_random(seed) % 100 < percent;
}

/* A folder as a member has it: its messages are numbers, what is in them is a number too, and some have UIDs. */
#define UIDS_KEYS 24
struct folder {
	uint32_t validity, next; /* validity 0: no list */
	uint32_t uid[UIDS_KEYS]; /* 0: no line */
	uint8_t content[UIDS_KEYS]; /* 0: no message */
	uint8_t fields[UIDS_KEYS]; /* 0: none */
	uint8_t guid, extra;
};

static inline void uids_give(struct folder *f, unsigned key)
{
	f->uid[key] = f->next <= UIDLIST_MOST ? f->next++ : 0;
}

/* The keys come in another order than the messages were numbered in. */
static inline void uids_key(char out[16], unsigned key)
{
	snprintf(out, 16, "%u.M%u", 100 + key * 7 % UIDS_KEYS, key);
}

static inline unsigned uids_number(const char *key, size_t keylen)
{
	const char *m = memchr(key, 'M', keylen);

	return (unsigned)strtoul(m + 1, NULL, 10);
}

/* The folder's list as a file. */
static inline void uids_text(const struct folder *f, struct bytes *out)
{
	static const char *const guids[] = { "", " G" GUID_A, " G" GUID_B, " G" GUID_C };
	char key[16];
	unsigned i, k;
	uint32_t last = 0;

	if (!f->validity) {
		bytes_add(out, "", 0);
		return;
	}
	bytes_addf(out, "3 V%u N%u%s", (unsigned)f->validity, (unsigned)f->next, guids[f->guid]);
	if (f->extra)
		bytes_addf(out, " P%u", (unsigned)f->extra);
	bytes_addstr(out, "\n");
	for (i = 0; i < UIDS_KEYS; i++) {
		unsigned least = UIDS_KEYS;

		for (k = 0; k < UIDS_KEYS; k++)
			if (f->uid[k] > last && (least == UIDS_KEYS || f->uid[k] < f->uid[least]))
				least = k;
		if (least == UIDS_KEYS)
			break;
		last = f->uid[least];
		uids_key(key, least);
		bytes_addf(out, "%u ", (unsigned)last);
		if (f->fields[least])
			bytes_addf(out, "W%u ", (unsigned)f->fields[least]);
		bytes_addf(out, ":%s\n", key);
	}
}

/* One thing that happens to a folder. */
static inline void uids_event(struct folder *f, uint32_t *seed)
{
	unsigned k = uids_random(seed) % UIDS_KEYS, what = uids_random(seed) % 100;

	if (what < 55) {
		if (!f->content[k])
			f->content[k] = 1;
		if (!f->uid[k])
			uids_give(f, k);
	} else if (what < 68) {
		f->content[k] = 0;
		f->uid[k] = 0;
	} else if (what < 76) {
		if (f->content[k])
			uids_give(f, k); /* "Expunged message reappeared, giving a new UID" */
	} else if (what < 80) {
		f->uid[k] = 0;
	} else if (what < 84) {
		f->content[k] = 0; /* the line is still there */
	} else if (what < 88) {
		if (f->content[k])
			f->content[k] = (uint8_t)(1 + uids_random(seed) % 3);
	} else if (what < 92) {
		f->fields[k] = (uint8_t)(uids_random(seed) % 4);
	} else if (what < 95) {
		f->next += f->next < UIDLIST_MOST - 8 ? uids_random(seed) % 4 : 0;
	} else if (what < 97) {
		f->guid = (uint8_t)(uids_random(seed) % 4);
	} else {
		f->extra = (uint8_t)(uids_random(seed) % 3);
	}
}

static inline void uids_events(struct folder *f, uint32_t *seed, unsigned n)
{
	while (n--)
		uids_event(f, seed);
}

/* The list is made anew, with another UIDVALIDITY. */
static inline void uids_renew(struct folder *f, uint32_t validity)
{
	f->validity = validity;
	f->next = 1;
	for (unsigned k = 0; k < UIDS_KEYS; k++) {
		f->uid[k] = 0;
		if (f->content[k])
			uids_give(f, k);
	}
}

static inline void uids_start(struct folder *f, uint32_t *seed)
{
	memset(f, 0, sizeof(*f));
	f->validity = 5;
	f->next = uids_chance(seed, 3) ? UINT32_MAX - uids_random(seed) % 20 : 1;
	f->guid = 1;
	uids_events(f, seed, uids_random(seed) % 30);
}

#endif
