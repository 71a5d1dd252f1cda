/*
 * store.h -- one side as data: the messages and files of a store, by folder.
 *
 * A side comes from a git tree (repo/tree.c), from the disk (disk/scan.c, through cmd/record.c) or from a merge. It may be
 * partial: what is equal in all the sides that are looked at together may be left out of all of them, but only
 * whole cur/ or new/ directories and whole files at a time when the sides are for a merge, and no directories of a folder whose maps of keywords differ.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

#include "mem.h"
#include "name.h"
#include "oid.h"
#include "path.h"

/* A message. 48 bytes; the name lives in an arena or in a borrowed buffer and is NUL-terminated. */
struct msg {
	const char *name;
	struct oid oid;
	uint8_t len;	/* of name */
	uint8_t keylen; /* up to the first ':' */
	uint8_t sub;	/* enum name_sub */
};

struct msgs {
	struct msg *v;
	size_t n, cap;
};

struct folder {
	const char *path; /* see path.h; "" is the root */
	struct msgs sub[2]; /* [NAME_NEW], [NAME_CUR]: each sorted by name, bytewise */
};

/* A file that is no message: the marker, subscriptions, a plain file. */
struct file {
	const char *path; /* full, relative to the root */
	struct oid oid;
	unsigned mode; /* 0100644 or 0100755 */
	enum path_class class;
};

struct store {
	struct folder *folders; /* sorted by path, bytewise; only folders with messages need be here */
	size_t nfolders, folders_cap;
	size_t last_folder; /* where store_folder() looks first */
	struct file *files; /* sorted by path, bytewise */
	size_t nfiles, files_cap;
	struct arena arena; /* for strings of this store; names may also be borrowed from elsewhere */
};

/* store_folder: the folder of that path, made if it is not there (path is copied). Pointers to folders that were returned before become invalid. */
struct folder *store_folder(struct store *s, const char *path, size_t len);
/* store_find_folder: the folder of that path, or NULL. */
const struct folder *store_find_folder(const struct store *s, const char *path);
/* store_find_file: the file of that path, or NULL. */
const struct file *store_find_file(const struct store *s, const char *path);

/*
 * store_add_msg: appends a message to a folder, in any order. name is borrowed and must outlive the store.
 * store_add_file: appends a file; path is borrowed. Call store_sort() when all are in.
 */
void store_add_msg(struct folder *f, enum name_sub sub, const char *name, size_t len, const struct oid *oid);
void store_add_file(struct store *s, const char *path, const struct oid *oid, unsigned mode, enum path_class class);
/* store_add_path: puts one entry of a tree where it belongs by its class (path is copied into the arena); what is PATH_IGNORED is not added. */
void store_add_path(struct store *s, const char *path, size_t len, const struct oid *oid, unsigned mode);
/* store_sort: brings everything into order. Linear if it already is. */
void store_sort(struct store *s);

/* store_msg_count: all messages in it. */
size_t store_msg_count(const struct store *s);

/* store_release: frees all memory of the store itself. */
void store_release(struct store *s);

#endif
