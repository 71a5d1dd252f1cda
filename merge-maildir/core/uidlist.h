/*
 * uidlist.h -- dovecot-uidlist: which IMAP UID each message of a folder has.
 *
 *     3 V1795432857 N8 G3fa426069921046bd73f000083ecc375
 *     5 G1795433502.M559893P22549.vm,S=112,W=119 :1795433503.M211378P22567.vm,S=112,W=119
 *     7 :1795433510.M105140P16343.vm,S=112,W=119
 *
 * Format of Dovecot 2.3 (maildir-uidlist.c). The header: version 3, then fields of one letter and a value, in any order: V is
 * the UIDVALIDITY, N the next UID, G the mailbox GUID; others are kept. A line: a UID, fields of one capital and a value (G is
 * the message's GUID where that is not the key), " :" and the message's key. UIDs ascend, and are below 2^32 - 1.
 *
 * N may be stale: the real next UID is the larger of N and the last UID + 1. Here it is always the real one.
 *
 * Rules that hold for everything below (RFC 3501, 2.3.1.1): a UID that was handed out never comes to mean another message; a
 * message that cannot keep its UID gets a larger one than all that were ever handed out. So whoever leaves a line out leaves
 * the next UID above it.
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
	const char *ext; /* the fields between UID and " :", separated by single spaces; borrowed, or in the arena; extlen 0: none */
};

/* What is wrong with the text of a list. */
enum uidlist_trouble {
	UIDLIST_TORN = 1,      /* the last line has no end: left out */
	UIDLIST_UNORDERED = 2, /* UIDs that do not ascend: sorted */
	UIDLIST_TWICE = 4,     /* a message with two lines: the larger UID counts; with equal ones the later line */
	UIDLIST_SHARED = 8,    /* a UID of two messages: none of them has it */
	UIDLIST_BAD_LINE = 16, /* what is no line, or has a UID out of range: left out */
	UIDLIST_FOREIGN = 32   /* no header that is understood: nothing is known, and nothing may be written over it */
};

struct uidlist {
	bool known;	     /* has a UIDVALIDITY */
	uint32_t validity;   /* V; 0 if not known */
	uint32_t next;	     /* the real next UID, at least 1; UINT32_MAX: there are none left */
	char guid[UIDLIST_GUID_HEX + 1]; /* G, in small letters; empty if there is none */
	const char *extra;   /* the other fields of the header, sorted, separated by single spaces; NULL: none. In the arena, or borrowed */
	unsigned trouble;    /* enum uidlist_trouble */
	struct uidlist_line *v; /* ascending by UID; no UID and no key twice */
	size_t n, cap;
	struct hash_table by_key;
	bool indexed;
	struct arena arena;
};

/*
 * uidlist_parse: reads a list. Cannot fail: what is broken is read as far as it makes sense, and said in l->trouble. An empty
 * text leaves l->known false. So does a header that Dovecot would not take either (it would make the list anew, with another
 * UIDVALIDITY): another version, V or N missing, 0 or no number, a G that is none, control bytes, no end; that is
 * UIDLIST_FOREIGN. A next UID that is not known is no next UID: a list without N is not read.
 *
 * The next UID is above that of all lines, those included that are left out (a torn one too). Fields of lines that Dovecot
 * would remove (they begin with no capital) are removed. A key ends at the first ':'. buf is borrowed: it must outlive l. l is
 * zeroed; uidlist_release() frees.
 */
void uidlist_parse(struct uidlist *l, const char *buf, size_t len);
/*
 * uidlist_format: appends the list's text: header fields V, N, G, then the others; nothing for a list that is not known. Equal
 * lists have equal texts.
 */
void uidlist_format(const struct uidlist *l, struct bytes *out);
void uidlist_release(struct uidlist *l);

/*
 * uidlist_find: the line of a message, or NULL; it is good until a line is added or dropped. Makes the index if there is none.
 * Takes O(1) time then.
 */
const struct uidlist_line *uidlist_find(struct uidlist *l, const char *key, size_t keylen);

/* uidlist_keep: drops the lines of messages that has() does not know. The next UID stays. */
void uidlist_keep(struct uidlist *l, bool (*has)(void *ctx, const char *key, size_t keylen), void *ctx);

/*
 * uidlist_uncache: drops the fields S and W of lines: the sizes of a message whose name does not tell them, which a server notes when
 * it has come to know them. They say nothing that is not in the message, and servers note them at different times.
 */
void uidlist_uncache(struct uidlist *l);

struct uidlist_key {
	const char *key; /* borrowed */
	uint8_t keylen;
};

/*
 * uidlist_number: gives the next UIDs to the messages that have none, in the order of the time at the front of their keys
 * (those without one first), then of their keys, bytewise. Sorts keys, and borrows them. Keys that have a line are left alone,
 * and so are two equal ones but the first. Returns how many got one: fewer when there are no UIDs left. Keys that a line cannot
 * hold (with '\n', '\r', '/', ':' or NUL, empty) get none. In a list that is not known nothing gets a UID.
 */
size_t uidlist_number(struct uidlist *l, struct uidlist_key *keys, size_t n);

/*
 * What the merge must know of a message by its key: UIDLIST_GONE: the merged folder has none of that key. Else a set of bits:
 * 1: the base's message of that key has the same content as the merged one's, 2: A's has, 4: B's has.
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
 * Only messages of the merged folder have lines. A side's line for a message counts only if that side's message of that key is
 * the same (status()), and so does the base's.
 *
 * With equal V: a UID that both sides have for a message stays. One that is new on one side (the base's message has another or
 * none, or base has another V) stays only if it is not below the other side's next UID; else the message gets a fresh one. Of
 * two different UIDs for one message, one that is the base's loses to the other; then the same test decides: at most one of
 * them passes, and that one stays, else a fresh one. A UID of the base that one side took away from a message stays taken away:
 * the message gets a fresh one. With different V the larger V wins, with its UIDs, its GUID and its next UID, and all others
 * get fresh ones; a list that is not known loses to one that is. Without a list on either side out is not known. The next UID
 * never is below that of a side with the same V.
 *
 * keys: the messages of the merged folder that have no line on either side; others may be among them. They get fresh UIDs as
 * well. Fresh UIDs are counted up from the next one, in the order of the (larger) UID that counts for a message, then of its
 * key; those without any after that, by time and key as in uidlist_number(). When there are no UIDs left, what would get one
 * has none.
 *
 * Fields of lines: three-way, as a whole, by the lines that count; header fields likewise, whatever V is. Changed differently
 * on both sides: the smaller, bytewise. GUID (with equal V): the side that changed it; both changed it differently: the
 * smaller; one that is not there is no change.
 *
 * out is zeroed and borrows from the inputs and keys, which must outlive it. Symmetric in a and b to the byte. Returns the
 * number of fresh UIDs. keys may be sorted.
 */
size_t uidlist_merge(struct uidlist *out, struct uidlist *base, struct uidlist *a, struct uidlist *b, const struct uidlist_merge_ops *ops,
		     struct uidlist_key *keys, size_t nkeys);

enum uidlist_advance {
	UIDLIST_SAME,	 /* the live list is right as it is; out is not set */
	UIDLIST_CHANGED, /* out is what is to be written */
	UIDLIST_MOVED	 /* UIDs that the target gives out were given out here meanwhile: the merge must be made again; out is not set */
};

/*
 * uidlist_advance: what a live list becomes on its way from before (what was recorded) to target (what was merged), while a
 * mail server went on with it.
 *
 * Only messages to which target gives another UID than before (or where before has another V) count, and those that live has
 * no line for though its next UID is not above theirs (it lost its list, and is on the way to target's). Of these only UIDs
 * below bound (UINT32_MAX: all): several calls with growing bounds bring a list there in steps. After each, the next UID is
 * above all that were given, and no step raises it above bound; the last one (no UID of target, nor its next one, is above
 * bound) raises it to target's.
 *
 * A UID that live has for that message already is fine. Another must not be below live's next UID: else UIDLIST_MOVED; or, with
 * settle, the message loses its UID and gets a fresh one here, above all others, with the last bound; until then its line stays
 * as it is, and it stays for good if it was given out here after all that target knows of (not below target's next UID):
 * settling twice changes nothing more. When there are no UIDs left, it has no line.
 *
 * All other lines of live stay, also those of messages that target does not have. Fields of header and lines that target
 * changed are taken. A larger V of target: target's lines below bound, V, GUID and header fields, and none of live's. A smaller
 * one: UIDLIST_MOVED, or, with settle, UIDLIST_SAME. A live list that is not known (and not UIDLIST_FOREIGN: then UIDLIST_SAME)
 * becomes target's in the same way. A target that is not known: UIDLIST_SAME.
 *
 * out is zeroed and borrows from the inputs. *settled (may be NULL) is set to whether a fresh UID was given.
 */
enum uidlist_advance uidlist_advance(struct uidlist *out, struct uidlist *live, struct uidlist *before,
				     struct uidlist *target, uint32_t bound, bool settle, bool *settled);

/*
 * What the functions above are made of.
 *
 * uidlist_index: makes the index anew. Of the lines of one message the last stays. Returns whether there was such a message.
 * uidlist_partner: the line of the same message in another list, or NULL. Quickest when called with ascending UIDs; *at starts
 * at 0.
 * uidlist_append: adds a line behind all others, and nothing else: whoever calls it sees to the order and to the next UID.
 * uidlist_cmp_keys: bytewise; of two that begin the same way the shorter first. Any bytes may be NULL with length 0.
 */
bool uidlist_index(struct uidlist *l);
const struct uidlist_line *uidlist_partner(struct uidlist *l, size_t *at, const struct uidlist_line *line);
void uidlist_append(struct uidlist *l, const struct uidlist_line *line);
int uidlist_cmp_keys(const char *a, size_t alen, const char *b, size_t blen);

#endif
