/*
 * words.h -- between the letters for keywords in names on disk and those in what is recorded.
 *
 * Each folder on disk has a map of its own (dovecot-keywords), which its mail server only ever adds to. What is recorded has one canonical map a folder, the same on all members. Mostly the two agree; they
 * differ where two members gave one letter to two keywords.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "../core/keywords.h"
#include "../core/store.h"
#include "../disk/disk.h"
#include "../repo/index.h"

struct words_folder {
	const char *folder;
	struct keywords disk, canon; /* canon: what was recorded, and what disk has beyond that */
	bool grew;		     /* canon is more than what was recorded */
	struct stat st;		     /* of the file on disk, if read is set: as it was when it was read */
	bool read;
	bool missing;		     /* there is no file on disk although there is a recorded map: taken for that */
	struct keywords_map map;     /* from disk to canon */
	name_flags hidden;	     /* letters of canon for which disk has none: a message has them if it was recorded with them */
};

struct words {
	struct repo *repo;
	const struct disk *disk;
	const struct index *ix;
	struct words_folder **v; /* sorted by folder */
	size_t n, cap;
	struct arena arena;
};

/* words_init: what is recorded is in ix. Everything is borrowed. words_release() frees. words_again: what is on disk is to be read again. */
void words_init(struct words *w, struct repo *r, const struct disk *d, const struct index *ix);
void words_again(struct words *w);
void words_release(struct words *w);

/* words_warn: tells on standard error what is wrong with the maps that were read, and which keywords found no letter. */
void words_warn(const struct words *w);

/*
 * words_of: the folder's maps; reads them when it is first asked for. To be called after the names in the folder were read: a letter has its line before a name has the letter. Lives
 * until words_release().
 */
int words_of(struct words *w, const char *folder, struct words_folder **out, struct err *err);

/*
 * words_canonical: the recorded form of a name on disk. recorded: the name that the message has in what was recorded, for hidden letters; may be NULL. Writes to out (NAME_LONGEST + 1 bytes) and
 * returns its length. words_is_plain: whether that always is the name itself.
 */
size_t words_canonical(const struct words_folder *f, char *out, const char *name, size_t len, const char *recorded);
bool words_is_plain(const struct words_folder *f);

#endif
