/*
 * marker.h -- the marker file ".gitmaildir" of a folder: that it exists, which folder it is, and odd dates.
 *
 *     git-maildir folder 1
 *     id 3fa426069921046bd73f000083ecc375
 *     date 1107569105 1795432857.M105140P16343.vm,S=112,W=119
 *
 * The id names the folder for ever, and stays with it when it is renamed: this is how a renamed folder is recognised. A date line
 * holds a message's mtime (IMAP's INTERNALDATE, seconds since 1970) and its key, for each message whose
 * mtime is not the time in its name; sorted by key, bytewise. Unknown lines are dropped when a marker is written again.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MARKER_H
#define MARKER_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "mem.h"

#define MARKER_ID_HEX 32

struct marker_date {
	const char *key; /* NUL-terminated, in the marker's arena */
	size_t keylen;
	int64_t mtime;
};

struct marker {
	char id[MARKER_ID_HEX + 1]; /* empty if none is known */
	struct marker_date *v;	    /* sorted by key, no key twice */
	size_t n, cap;
	struct arena arena;
};

/*
 * marker_parse: reads a marker. A file that is broken is read as far as it makes sense (it came from a peer, or from a torn
 * disk): lines that are not understood are skipped, what follows the last newline too; of a key twice the smaller date counts. Cannot
 * fail. m must be zeroed; marker_release() frees.
 */
void marker_parse(struct marker *m, const char *buf, size_t len);
/* marker_format: appends the file's text to out. */
void marker_format(const struct marker *m, struct bytes *out);

/* marker_mtime: the mtime of the message with this key: its date line, or else the seconds in its name, or else -1. */
int64_t marker_mtime(const struct marker *m, const char *key, size_t keylen);
/* marker_set: notes (or forgets, when it is what the name says) the mtime of a key. */
void marker_set(struct marker *m, const char *key, size_t keylen, int64_t mtime);
/*
 * marker_add: as marker_set() for many keys in any order: linear where marker_set() would move the rest of the list each time. Between the first
 * marker_add() and marker_sort() nothing else may be called. Of a key twice the smaller date counts.
 */
void marker_add(struct marker *m, const char *key, size_t keylen, int64_t mtime);
void marker_sort(struct marker *m);
/* marker_forget: drops the date line of a key, if there is one. */
void marker_forget(struct marker *m, const char *key, size_t keylen);

/*
 * marker_merge: three-way by key into out (zeroed). base may be NULL. A date that both sides changed differently: the smaller. A date
 * line that one side dropped and the other kept as in base is dropped. The id: the side that changed it wins; both differ from base: the smaller.
 */
void marker_merge(struct marker *out, const struct marker *base, const struct marker *a, const struct marker *b);

void marker_release(struct marker *m);

#endif
