/*
 * path.h -- what a path in a store is.
 *
 * A path is relative to the store's root, '/' separated. A folder is a directory with cur/, new/ and tmp/; its path
 * is "" for the root (the INBOX), ".Work.Projects" in Maildir++ layout, "Work/Projects" in fs layout.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "name.h"

/* The tracked file in every folder that says that the folder exists, even when it is empty (see marker.h). */
#define PATH_MARKER_NAME ".gitmaildir"

enum path_class {
	PATH_MESSAGE,	    /* <folder>/cur/<name> or <folder>/new/<name> */
	PATH_MARKER,	    /* <folder>/.gitmaildir */
	PATH_SUBSCRIPTIONS, /* subscriptions, courierimapsubscribed: a set of lines */
	PATH_UIDLIST,	    /* <folder>/dovecot-uidlist: the folder's UIDs (see uidlist.h) */
	PATH_KEYWORDS,	    /* <folder>/dovecot-keywords: what its letters for keywords mean (see keywords.h) */
	PATH_UIDVALIDITY,   /* dovecot-uidvalidity: a number that only grows (see uidvalidity.h) */
	PATH_FILE,	    /* any other file: replicated by content */
	PATH_IGNORED	    /* a cache, a lock, tmp/, our own repository, a directory inside cur/ ... */
};

struct path {
	enum path_class class;
	size_t folderlen;   /* the folder's path is the first folderlen bytes (no trailing '/'); for PATH_FILE the directory's */
	enum name_sub sub;  /* PATH_MESSAGE only */
	const char *name;   /* the last component */
	size_t namelen;
};

/*
 * path_parse: takes the relative path of a file apart. Cannot fail: what cannot be anything else, or is
 * path_unsafe(), is PATH_IGNORED. Caches and locks are known by the name of the file: a folder ".front-door.lock"
 * holds mail.
 */
void path_parse(struct path *p, const char *path, size_t len);

/* path_is_quiet: whether files of this class describe folders and messages (markers, UIDs, keywords): people are told of those, not of the files. */
bool path_is_quiet(enum path_class class);

/*
 * path_skip_dir: whether a scan must not go into a directory of this name when it looks for folders and files: cur,
 * new, tmp (a folder's own, read otherwise), ".git", "..DOVECOT-TRASHED", "..DOVECOT-TrasH", full-text indexes, names
 * that are not safe.
 */
bool path_skip_dir(const char *name, size_t len);

/*
 * path_unsafe: NULL, or why this path from a tree must never reach a disk, as a few words for people ("contains
 * '..'"): absolute, an empty, "." or ".." component, ".git" in any case or one of its Windows aliases ("git~1"),
 * control bytes (0x01-0x1f, 0x7f), a component of more than 255 bytes, more than 3,500 bytes in all.
 */
const char *path_unsafe(const char *path, size_t len);

/* path_show: the folder's name for people: "INBOX" for the root, "Work/Projects" for ".Work.Projects" and for
 * "Work/Projects". Writes at most size bytes with the NUL; unprintable bytes become '?'. Returns out. */
char *path_show(char *out, size_t size, const char *folder);

/*
 * The ignore rules in gitignore(5) form, for info/exclude: the same rules as path_parse(), so that "git status"
 * agrees. It overrides core.excludesFile: somebody's "*~" there must not keep mail back. Not sayable there, so git
 * sees it: a path of more than 3,500 bytes.
 */
extern const char path_exclude[];

#endif
