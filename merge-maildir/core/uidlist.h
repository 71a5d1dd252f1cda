/*
 * uidlist.h -- dovecot-uidlist: which IMAP UID each message of a folder has.
 *
 *     3 V1795432857 N8 G3fa426069921046bd73f000083ecc375
 *     5 G1795433502.M559893P22549.vm,S=112,W=119 :1795433503.M211378P22567.vm,S=112,W=119
 *     7 :1795433510.M105140P16343.vm,S=112,W=119
 *
 * Format of Dovecot 2.3 (maildir-uidlist.c). The header: version 3, then fields of one letter and a value, in any order: V is the
 * UIDVALIDITY, N the next UID, G the mailbox GUID; others are kept. A line: a UID, fields of one letter and a value (G is the message's
 * GUID where that is not the key), " :" and the message's key. UIDs ascend, and are below 2^32 - 1.
 *
 * N may be stale: the real next UID is the larger of N and the last UID + 1. Here it is always the real one.
 *
 * Rules that hold for everything below (RFC 3501, 2.3.1.1): a UID that was handed out never comes to mean another message; a message
 * that cannot keep its UID gets a larger one than all that were ever handed out.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UIDLIST_H
#define UIDLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "mem.h"

#define UIDLIST_NAME "dovecot-uidlist"
#define UIDLIST_GUID_HEX 32
#define UIDLIST_MOST (UINT32_MAX - 1) /* the largest UID that a message can have */

struct uidlist_line {
	uint32_t uid;
	uint16_t extlen;
	uint8_t keylen;
	const char *key; /* not NUL-terminated; borrowed */
	const char *ext; /* the fields between UID and " :", separated by single spaces; borrowed; extlen 0: none */
};

/* What is wrong with the text of a list. */
enum uidlist_trouble {
	UIDLIST_TORN = 1,      /* the last line has no end: left out */
	UIDLIST_UNORDERED = 2, /* UIDs that do not ascend: sorted */
	UIDLIST_TWICE = 4,     /* a message with two UIDs: the larger counts */
	UIDLIST_SHARED = 8,    /* a UID of two messages: none of them has it */
	UIDLIST_BAD_LINE = 16, /* what is no line, or has a UID out of range: left out */
	UIDLIST_FOREIGN = 32   /* no header that is understood: nothing is known, and nothing may be written over it */
};

struct uidlist {
	bool known;	     /* has a UIDVALIDITY */
	uint32_t validity;   /* V; 0 if not known */
	uint32_t next;	     /* the real next UID, at least 1; UINT32_MAX: there are none left */
	char guid[UIDLIST_GUID_HEX + 1]; /* G; empty if there is none */
	const char *extra;   /* the other fields of the header, separated by single spaces, in order of their letters; NULL: none. In the arena */
	unsigned trouble;    /* enum uidlist_trouble */
	struct uidlist_line *v; /* ascending by UID; no UID and no key twice */
	size_t n, cap;
	struct hash_table by_key;
	bool indexed;
	struct arena arena;
};

/*
 * uidlist_parse: reads a list. Cannot fail: what is broken is read as far as it makes sense, and said in l->trouble. An empty text, or a
 * broken header, leaves l->known false. buf is borrowed: it must outlive l. l is zeroed; uidlist_release() frees.
 */
void uidlist_parse(struct uidlist *l, const char *buf, size_t len);
/*
 * uidlist_format: appends the list's text: header fields V, N, G, then the others. Equal lists have equal texts.
 */
void uidlist_format(const struct uidlist *l, struct bytes *out);
void uidlist_release(struct uidlist *l);

/* uidlist_find: the line of a message, or NULL. Makes the index when it is first asked for. Takes O(1) time then. */
const struct uidlist_line *uidlist_find(struct uidlist *l, const char *key, size_t keylen);

/* uidlist_keep: drops the lines of messages that has() does not know. The next UID stays. */
void uidlist_keep(struct uidlist *l, bool (*has)(void *ctx, const char *key, size_t keylen), void *ctx);

struct uidlist_key {
	const char *key; /* borrowed */
	uint8_t keylen;
};

/*
 * uidlist_number: gives the next UIDs to the messages that have none, in the order of the time at the front of their keys, then of their keys, bytewise.
 * Sorts keys. Keys that have a line are left alone, and so are two equal ones but the first. Returns how many got one: fewer when there
 * are no UIDs left. Keys that a line cannot hold (with '\n', '\r' or '/', empty) get none.
 */
size_t uidlist_number(struct uidlist *l, struct uidlist_key *keys, size_t n);

/*
 * What the merge must know of a message by its key: UIDLIST_GONE: the merged folder has none of that key. Else a set of bits: 1: the
 * base's message of that key has the same content as the merged one's, 2: A's has, 4: B's has.
 */
#define UIDLIST_GONE 8
#define UIDLIST_BASE 1
#define UIDLIST_A 2
#define UIDLIST_B 4
#define UIDLIST_ALL 7
struct uidlist_merge_ops {
	void *ctx;
	unsigned (*status)(void *ctx, const char *key, size_t keylen);
};

/*
 * uidlist_merge: the three-way merge of one folder's lists. base, a and b may be lists that are not known.
 *
 * Only messages of the merged folder have lines. A side's UID for a message counts only if that side's message of that key is the same
 * (status()). With equal V: a UID that both sides have for a message stays. One that is new on one side stays only if it is not below the
 * other side's next UID; else the message gets a fresh one. Of two different UIDs for one message: one that is the base's loses to the
 * other; then the same test decides, the larger valid one stays, else a fresh one. A UID that one side took away from a message stays taken
 * away. With different V the larger V wins, with its UIDs, its GUID and its next UID, and all others get fresh ones. The next UID never goes down.
 * A message of keys without any line gets a fresh UID as well, if any of the two sides has a list. Fresh UIDs are counted up from the next one, in the order of the
 * (larger) UID that a message had, those without any after that, by time and key as in uidlist_number(). Fields of lines and header: three-way; changed
 * differently on both sides: the smaller, bytewise. GUID: the side that changed it; both changed it differently: the smaller.
 *
 * out is zeroed and borrows from the inputs, which must outlive it. Symmetric in a and b to the byte. Returns the number of fresh UIDs. When there are no UIDs left, what
 * would get one has none. keys is sorted.
 */
size_t uidlist_merge(struct uidlist *out, struct uidlist *base, struct uidlist *a, struct uidlist *b, const struct uidlist_merge_ops *ops,
		     struct uidlist_key *keys, size_t nkeys);

enum uidlist_advance {
	UIDLIST_SAME,	 /* the live list is right as it is; out is not set */
	UIDLIST_CHANGED, /* out is what is to be written */
	UIDLIST_MOVED	 /* UIDs that the target gives out were given out here meanwhile: the merge must be made again; out is not set */
};

/*
 * uidlist_advance: what a live list becomes on its way from before (what was recorded) to target (what was merged), while a mail server went on with it.
 *
 * Only messages to which target gives another UID than before count, and of these only UIDs below bound (UINT32_MAX: all): several calls with growing bounds bring a list there in
 * steps, and after each the next UID is above all that were given and not above bound (with the last: target's at least). A UID that live has for that message already is fine. Another must not be below
 * live's next UID: else UIDLIST_MOVED, or, with settle, the message gets a fresh UID here, above all others, after the last bound. All other lines of live stay, also those of messages that target
 * does not have. Fields of header and lines that target changed are taken. A larger V of target: target's lines below bound, V and GUID, and none of live's. A smaller one: UIDLIST_MOVED, or, with settle,
 * UIDLIST_SAME. A live list that is not known (and not UIDLIST_FOREIGN: then UIDLIST_SAME) becomes target's. A target that is not known: UIDLIST_SAME.
 *
 * out is zeroed and borrows from the inputs. *settled (may be NULL) is set to whether a fresh UID was given.
 */
enum uidlist_advance uidlist_advance(struct uidlist *out, struct uidlist *live, struct uidlist *before, struct uidlist *target, uint32_t bound,
				     bool settle, bool *settled);

#endif
