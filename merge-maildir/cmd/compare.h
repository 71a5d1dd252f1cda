/*
 * compare.h -- what is different between the last recorded state and the live Maildir, by name and inode.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "../disk/scan.h"
#include "../repo/index.h"
#include "stamps.h"
#include "words.h"

#define COMPARE_NONE ((size_t)-1)

/* A message on disk that the index does not have like this. */
struct compare_fresh {
	const char *folder;
	enum name_sub sub;
	const struct scan_entry *entry; /* as it is on disk */
	const char *name;		/* with the letters of what is recorded: mostly entry->name itself */
	uint8_t len;
	size_t was; /* the index entry of the same path, when only its inode is another; else COMPARE_NONE */
};

/* A file on disk that is no message, and its index entry (or COMPARE_NONE). Whether it differs is for the reader of its content to say. */
struct compare_file {
	const struct scan_file *file;
	size_t was;
};

/* A cur/ or new/ that is not there although its folder is and messages were recorded in it. */
struct compare_lost {
	const char *folder;
	enum name_sub sub;
	size_t messages;
};

struct compare {
	struct scan scan;
	size_t *gone; /* index entries whose file is gone for certain, ascending; also such as do not belong into a tree */
	size_t ngone, gone_cap;
	struct compare_fresh *fresh;
	size_t nfresh, fresh_cap;
	struct compare_file *files;
	size_t nfiles, files_cap;
	struct compare_lost *lost;
	size_t nlost, lost_cap;
	size_t *waiting; /* index entries of messages that were not seen, while others never stopped: not gone yet, though their folder may be */
	size_t nwaiting, waiting_cap;
	size_t messages; /* in the index */
};

struct compare_opts {
	struct stamps *stamps; /* directories that need not be read; NULL: read all */
	struct words *words;   /* for letters of keywords; of the same index */
	bool full;	       /* compare size and mtime of every message as well */
};

/*
 * compare_disk: scans the disk and compares. A message that is not seen under its name is "gone" only when its key is not in the folder under
 * another name either and a scan during which nothing moved confirms it, or several scans that saw it nowhere: a reader of a directory can miss a file that is being renamed, and a deletion that
 * did not happen would be carried to every peer. ERR_NOTMEMBER when the disk holds no folder at all while the index has messages: it is not mounted.
 * c is zeroed; compare_release() frees, also after failure. Points into ix.
 */
int compare_disk(struct compare *c, const struct index *ix, const struct disk *d, const struct compare_opts *opts, struct err *err);
void compare_release(struct compare *c);

/* compare_path: "<folder>/cur/<name>" in the arena. */
char *compare_path(struct arena *a, const char *folder, enum name_sub sub, const char *name);

#endif
