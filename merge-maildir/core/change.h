/*
 * change.h -- what happened between two stores, in words of mail.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CHANGE_H
#define CHANGE_H

#include <stddef.h>

#include "mem.h"
#include "store.h"

enum change_kind {
	CHANGE_FOLDER_ADD, /* a folder came into being: its marker is in to only */
	CHANGE_ADD,	   /* a message came */
	CHANGE_RENAME,	   /* same folder, same content: flags, new/ to cur/, or another key */
	CHANGE_CONTENT,	   /* same folder and key, other content (and perhaps another name) */
	CHANGE_MOVE,	   /* the message is in another folder now, same content */
	CHANGE_DELETE,	   /* a message is gone */
	CHANGE_FILE_PUT,   /* a file that is no message came or changed (markers too) */
	CHANGE_FILE_GONE,  /* such a file is gone (markers too) */
	CHANGE_FOLDER_GONE /* a folder is gone: its marker is in from only */
};

struct change {
	enum change_kind kind;
	const char *folder;    /* where it was (or, for what came, is): path of the folder */
	const char *to_folder; /* CHANGE_MOVE: where it is now; else equal to folder */
	const struct msg *from, *to; /* messages: before and after; NULL where there is none */
	const struct file *ffrom, *fto; /* files, likewise */
};

struct changes {
	struct change *v;
	size_t n, cap;
	const struct store *from, *to; /* what was compared */
	struct arena arena;	       /* for the folders of files */
};

/*
 * change_find: compares two sorted stores, which may be partial (what is equal in both may be left out of
 * both, single messages too).
 *
 * A message whose path is in both with other content changed its content. Of the others, one that is gone
 * from a folder is paired with one that came: first by key in the same folder (same content preferred), then
 * by short key and content in the same folder, then by key and content in another folder, then by content
 * in the same and then any other folder; candidates in sorted order, each used once. A marker that came is
 * both a CHANGE_FOLDER_ADD and a CHANGE_FILE_PUT; one that is gone, a CHANGE_FILE_GONE and a
 * CHANGE_FOLDER_GONE. The folder of a file is the directory that it is in.
 *
 * Sorted by kind in the order of the enum, then by folder, new/ before cur/, and name (of from, or of what
 * came): a list that is carried out in this order adds before it removes. No message goes to a path that is
 * in from, but where content changes in place: so no step waits for another one to make room.
 *
 * Pointers go into the two stores, which must outlive the list, and into the list's arena. What out held
 * before is not looked at. changes_release() frees the list.
 */
void change_find(struct changes *out, const struct store *from, const struct store *to);
void changes_release(struct changes *c);

#endif
