/*
 * keywords.h -- dovecot-keywords: which keyword each letter a to z in the names of a folder's messages means.
 *
 *     0 $Forwarded
 *     1 Work
 *
 * Format of Dovecot 2.3 (maildir-keywords.c): an index 0 to 25 (the letter is 'a' + index), a space, the name. A map belongs to
 * one folder on one member: Dovecot gives the next free index to a name when it is first used there, and open sessions remember
 * it. So a live map only ever grows, and the tree has a map of its own (the canonical one), by whose letters the names of
 * messages are recorded.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef KEYWORDS_H
#define KEYWORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mem.h"
#include "name.h"

#define KEYWORDS_NAME "dovecot-keywords"
#define KEYWORDS_MOST 26

enum keywords_trouble {
	KEYWORDS_BAD_LINE = 1, /* what is no line, a last one without an end, or a name with control bytes: left out */
	KEYWORDS_TWICE = 2,    /* an index or a name that is there twice: the first counts */
	KEYWORDS_TOO_MANY = 4  /* an index above 25: left out */
};

struct keywords {
	const char *name[KEYWORDS_MOST]; /* NULL: nothing has this letter. NUL-terminated, in the arena */
	unsigned trouble;
	struct arena arena;
};

/* keywords_parse: reads a map. Cannot fail: what is broken is left out, and said in k->trouble. k is zeroed; keywords_release() frees. */
void keywords_parse(struct keywords *k, const char *buf, size_t len);
/* keywords_format: appends the map's text, by index. Nothing for an empty map. */
void keywords_format(const struct keywords *k, struct bytes *out);
void keywords_release(struct keywords *k);

/*
 * keywords_find: the index of a name, or -1. Names that differ in case only are the same (RFC 3501: keywords are compared
 * without case; of ASCII letters, whatever the locale).
 */
int keywords_find(const struct keywords *k, const char *name);
/*
 * keywords_add: the index of a name, which gets one if it has none: wish if that is free (-1: no wish), else the first that is
 * free. -1 if all are taken, or if the name is none that a line can hold (empty, or with control bytes). The name is copied.
 */
int keywords_add(struct keywords *k, const char *name, int wish);

/*
 * keywords_merge: three-way; any may be NULL. An index that the base has stays, and nothing is ever removed, nor does it get
 * another spelling. Names that are not the base's: an index that both sides have for the same name stays if the base has none
 * there. Names that one side added, or both at different indexes (the smaller counts), keep their index where nobody else wants
 * it; of two names that want one, the smaller, bytewise, keeps it. The others get the first that is free, in the order of
 * names. Of two spellings of one name the smaller counts. A name for which no index is left is told to full (may be NULL), in
 * the order of names. Symmetric in a and b. out is zeroed; keywords_release() frees.
 */
void keywords_merge(struct keywords *out, const struct keywords *base, const struct keywords *a, const struct keywords *b,
		    void (*full)(void *ctx, const char *name), void *ctx);

/* From the letters of one map to those of another. */
struct keywords_map {
	int8_t to[KEYWORDS_MOST]; /* index in the other map; -1: it has no letter for that */
	bool same;		  /* every letter stays what it is */
};

/*
 * keywords_map: by name. A letter without a name in from stays itself if it has no name in to either, else there is none for
 * it: it would get a meaning that it never had. No two letters become one.
 */
void keywords_map(struct keywords_map *m, const struct keywords *from, const struct keywords *to);
/* keywords_translate: the same flags with other letters for keywords; A to Z stay. What has no letter is left out. */
name_flags keywords_translate(const struct keywords_map *m, name_flags flags);
/*
 * keywords_rename: the message name with other letters. Writes to out (NAME_LONGEST + 1 bytes) and returns the length; a name
 * whose flags stay the same is copied as it is, to the byte, and so is one without flags. 0 if the name is longer than
 * NAME_LONGEST.
 */
size_t keywords_rename(char *out, const struct keywords_map *m, const char *name, size_t len);

#endif
