/*
 * plan.h -- what to do to a disk, as data: ordered steps, each repeatable.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "change.h"
#include "err.h"
#include "mem.h"
#include "mvfolder.h"

enum plan_kind {
	PLAN_MVFOLDER,	/* from_folder becomes folder, as a whole */
	PLAN_MKFOLDER,	/* folder */
	PLAN_ADD,	/* folder/sub/name with content oid and mtime. If from_folder is set, the same content is on disk there: link it */
	PLAN_RENAME,	/* folder: from_sub/from_name becomes sub/name, same inode; with mtime if the key changes */
	PLAN_REPLACE,	/* folder: from_sub/from_name (content from_oid) becomes sub/name with content oid and mtime */
	PLAN_IMAP,	/* folder: its UIDs and keywords become those of the store that is to be reached */
	PLAN_DELETE,	/* folder/from_sub/from_name, content from_oid */
	PLAN_PUT,	/* path: content oid; before it was from_oid (zero if it was not there) */
	PLAN_UNLINK,	/* path: was from_oid */
	PLAN_RMFOLDER	/* folder */
};

struct plan_step {
	enum plan_kind kind;
	uint8_t sub, from_sub; /* enum name_sub */
	unsigned mode;	       /* PLAN_PUT: 0100644 or 0100755 */
	const char *folder;    /* folder path; for PLAN_PUT and PLAN_UNLINK the file's whole path */
	const char *name;
	const char *from_folder; /* PLAN_MVFOLDER, and PLAN_ADD that is a move, else NULL */
	const char *from_name;
	struct oid oid, from_oid;
	int64_t mtime; /* seconds since 1970, -1: unknown (now) */
	uint32_t uid;  /* PLAN_ADD, PLAN_REPLACE, PLAN_RENAME to another key: what the store that is to be reached gives it; 0: nothing */
};

struct plan {
	struct plan_step *v; /* in the order in which they are to be carried out */
	size_t n, cap;
	struct arena arena; /* for the names of folders that are made and removed */
};

/*
 * Tells the mtime and the UID that a message is to have: by the marker and the uidlist of the folder in the side that
 * is to be reached.
 */
struct plan_facts {
	void *ctx;
	int64_t (*mtime)(void *ctx, const char *folder, const char *key, size_t keylen);
	uint32_t (*uid)(void *ctx, const char *folder, const char *key, size_t keylen); /* may be NULL; 0: none */
};

/*
 * plan_build: the steps for a list of changes. First PLAN_MKFOLDER, parents before what is below them. Then, folder
 * by folder (for PLAN_ADD the one that receives), all its PLAN_ADD, PLAN_RENAME, PLAN_REPLACE and PLAN_IMAP in this
 * order, so that UIDs and the messages that have them appear under one lock; among PLAN_ADD by UID. Then PLAN_DELETE
 * by folder, PLAN_PUT, PLAN_UNLINK and PLAN_RMFOLDER, the deepest first. A move is PLAN_ADD with from_* and later
 * PLAN_DELETE. A change of the files dovecot-uidlist and dovecot-keywords is no PLAN_PUT but one PLAN_IMAP for the
 * folder; when they are gone, nothing. Two exceptions: a file that stands where a folder is to be is removed before
 * anything else, and a file that goes where a folder was is written after everything else. PLAN_MKFOLDER also comes
 * for a folder that has no marker and receives messages, if from shows nothing of it. There is no PLAN_RMFOLDER for
 * the root nor for a folder that receives messages; one that is not empty all the same must be left alone by whoever
 * carries it out. facts may be NULL: no mtime and no UID is known then. Strings are borrowed from the stores of the
 * changes, which must outlive the plan; the list itself need not. What out held before is not looked at.
 * plan_release() frees.
 */
void plan_build(struct plan *out, const struct changes *c, const struct plan_facts *facts);
void plan_release(struct plan *p);

/*
 * plan_move_folders: puts a PLAN_MVFOLDER for each of these before all else, in their order; the rest of the plan is for
 * changes from mvfolder_store(). Their paths are borrowed.
 */
void plan_move_folders(struct plan *p, const struct mvfolders *m);

/* plan_is_grouped: whether steps of this kind come together for each folder. */
bool plan_is_grouped(enum plan_kind kind);

/*
 * plan_show: one line for people about a step, without newline, appended to out: "rename .Work/new/1.M1 to
 * cur/1.M1:2,S". Bytes that are not printable ASCII, and '\', are shown as \xNN.
 */
void plan_show(const struct plan_step *s, struct bytes *out);

#endif
