/*
 * name.h -- message names: the file names in cur/ and new/.
 *
 *     1795432857.M105140P16343.vm,S=112,W=119:2,FSa
 *     |<------------- key ------------------->|info
 *     |<---- short key ----->|                 2, flags FSa, no tail
 *
 * The key is the name up to the first ':'. The info is what follows that ':'. If it
 * begins with "2,", the letters A-Z a-z after that are flags, and whatever
 * begins at the first other byte is the tail, which is kept and never understood
 * (Dovecot does the same from a second comma on). Any other info is opaque.
 * Sources: https://cr.yp.to/proto/maildir.html, Dovecot maildir-filename.c.
 *
 * Names come from other machines: any byte but '/' and NUL can be in them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef NAME_H
#define NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oid.h"

#define NAME_LONGEST 255 /* bytes: NAME_MAX of every file system we know */

/* Which of the two directories of a folder a message is in. */
enum name_sub { NAME_NEW = 0, NAME_CUR = 1 };

/* Flags as a set: bit 0-25 for A-Z, bit 26-51 for a-z (keywords). */
typedef uint64_t name_flags;

struct name {
	const char *s; /* the whole name, borrowed */
	size_t len;
	size_t keylen;	 /* up to the first ':' */
	size_t shortlen; /* up to the first ',' within the key; keylen if there is none */
	bool has_info;	 /* there is a ':' */
	bool has_flags;	 /* the info begins with "2," */
	name_flags flags;
	const char *tail; /* after the flags (has_flags), or the whole info after ':' (opaque); may be empty */
	size_t taillen;
};

/* name_parse: takes any bytes apart. Cannot fail. */
void name_parse(struct name *n, const char *s, size_t len);
/* name_key_length: the length of the key alone. name_same_key: whether two names have the same. */
size_t name_key_length(const char *s, size_t len);
bool name_same_key(const char *a, size_t alen, const char *b, size_t blen);

/*
 * name_is_message: whether a file of this name in cur/ or new/ is a message that we replicate. Left alone (false):
 * an empty name or empty key, a leading '.', '/' or NUL, control bytes (0x00-0x1f, 0x7f), more than 255 bytes, and
 * the control files of servers that were misplaced there (dovecot-uidlist, dovecot-keywords, dovecot.index*,
 * courierimapkeywords, courierimapuiddb, with an info or without), and what git takes for ".git" (name_is_dotgit()).
 */
bool name_is_message(const char *s, size_t len);

/*
 * name_is_dotgit: whether git refuses a file or directory of this name, because some system would take it for ".git": that in any case
 * and with dots, spaces or a stream (':') behind it, "git~1", and both after a backslash. Wider than git's own rule (path.c,
 * is_ntfs_dotgit) by as much as makes it sayable in gitignore(5): "git~1" with anything behind it, for one.
 */
bool name_is_dotgit(const char *s, size_t len);

/* name_flag: the bit of a letter, 0 if it is none. */
name_flags name_flag(char letter);
/* name_flag_letters: the letters of a set in ASCII order; out has room for 53 bytes. Returns their number. */
size_t name_flag_letters(name_flags flags, char out[53]);

/*
 * name_join: the name for key with these flags and this tail: key ":2," letters tail. Writes to out, which has room for
 * NAME_LONGEST + 1 bytes. Returns the length, or 0 if it would be longer than NAME_LONGEST.
 */
size_t name_join(char *out, const char *key, size_t keylen, name_flags flags, const char *tail, size_t taillen);

/*
 * name_derive: a new key for a message whose key is taken by another message with other content. Depends only on
 * the arguments, so that every member derives the same: "<short key>.<hex of oid>" before the rest of the key
 * (",S=..." and what else follows the short key stays, because it is true of the content). attempt 0 takes 12
 * digits, attempt 1 all 40, attempt n > 1 adds "-<n>". The key leaves room for ":2," and 60 more bytes: a short key
 * that is too long is cut. Writes to out (NAME_LONGEST + 1 bytes) and returns the length.
 */
size_t name_derive(char *out, const char *key, size_t keylen, const struct oid *oid, unsigned attempt);

/* name_seconds: the time at the front of the key ("1795432857.M..."), or -1 if there is no plain decimal number
 * below 2^40 followed by '.' or the end or another non-digit. */
int64_t name_seconds(const char *s, size_t len);

#endif
