/*
 * apply_step.h -- what the parts of apply (apply*.c) share; nobody else includes this.
 *
 * A function that carries out steps returns an outcome (0 or more) or an err_code (less than 0).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef APPLY_STEP_H
#define APPLY_STEP_H

#include <sys/stat.h>

#include "../core/keywords.h"
#include "../core/uidlist.h"
#include "apply.h"
#include "file.h"
#include "lock.h"
#include "lookup.h"

enum apply_outcome {
	APPLY_DONE,    /* the disk was changed to what the step wants */
	APPLY_ALREADY, /* it was so before */
	APPLY_DIFFERS  /* the disk is not what the step wants, because of a change of somebody else */
};

/* The letters for keywords of a folder. */
struct apply_letters {
	bool asked;	/* before and target are known */
	bool read;	/* live and the maps are, too */
	bool used;	/* live has what target has */
	bool grew;	/* live has what its file has not */
	uint32_t told;	/* of which letters of target it was told that there is no room for them */
	struct bytes text; /* of the live file */
	struct keywords live, before, target;
	struct keywords_map before_live, target_live, live_target;
};

/* A folder that is being worked on: its directories, open. */
struct apply_folder {
	const char *path; /* borrowed */
	int fd, sub[2], tmp; /* -1: not open */
	bool dirty[2];	/* names in sub changed and are not fsynced */
	struct lookup look;
	struct apply_letters letters;
};

/* What is known of a folder that messages are moved away from. */
struct apply_source {
	const char *path;
	struct lookup look;
};

struct apply {
	struct disk *d;
	const struct plan *plan;
	const struct apply_ops *ops;
	bool flag_beats_delete, settle;
	struct apply_result *res;
	size_t total;
	struct bytes buf; /* for one content at a time */
	struct apply_folder from; /* the source folder that was looked at last */
	struct apply_source **sources;
	size_t nsources, sources_cap;
};

/* apply_count: adds an outcome to the result, and passes errors on. */
int apply_count(struct apply *a, int outcome);
/* apply_lock: lock_folder() of a folder that is open. ERR_AGAIN if it was removed meanwhile. */
int apply_lock(struct lock *l, const struct apply *a, const struct apply_folder *f, struct err *err);
/* --- apply_folder.c */

enum apply_open {
	APPLY_LOOK, /* take what is there: ERR_NOTFOUND unless it is a whole folder */
	APPLY_MEND  /* make a missing cur/, new/ or tmp/; ERR_NOTFOUND if the folder itself is gone */
};

int apply_folder_open(struct apply_folder *f, struct disk *d, const char *path, enum apply_open how, struct err *err);
/* apply_folder_sync: makes the changes of names in cur/ and new/ durable. */
int apply_folder_sync(struct apply_folder *f, struct err *err);
/* apply_folder_close: frees; fine when it is not open (path is NULL). */
void apply_folder_close(struct apply_folder *f);
/* apply_folder_make: a whole folder, or what is missing of one. An outcome. */
int apply_folder_make(struct disk *d, const char *path, struct err *err);
/* apply_folder_is_there: whether a scan would find a folder there: a cur/, a new/ or a marker, or something that has to be seen in the normal way. */
bool apply_folder_is_there(const struct disk *d, const char *path);

/* apply_folder_came, apply_folder_left: notes that we changed a name in it. */
void apply_folder_came(struct apply_folder *f, unsigned sub, const char *name);
void apply_folder_left(struct apply_folder *f, unsigned sub, const char *name);

/* --- apply_content.c */

/* apply_content_write: the step's content as a file in the folder's tmp/, whose name is returned in tmp. */
int apply_content_write(struct apply *a, struct apply_folder *f, const struct plan_step *s, char tmp[FILE_TMP_NAME],
			bool sync, struct err *err);
/*
 * apply_content_is: 1 if the file at dirfd/name is a regular file with the content oid, 0 if it is anything
 * else, -1 with errno if that cannot be known (ENOENT: not there).
 */
int apply_content_is(struct apply *a, int dirfd, const char *name, const struct oid *oid);
/*
 * apply_content_place: renames the file tmp of the folder's tmp/ to sub/name without replacing. If the name is
 * taken by other content, ours gets a derived key; if ours is there already, tmp is removed. An outcome. On
 * success tmp is empty.
 */
int apply_content_place(struct apply *a, struct apply_folder *f, const struct oid *oid, unsigned sub,
			const char *name, char *tmp, struct err *err);

/* --- apply_name.c */

struct apply_name {
	unsigned sub;
	const char *name;
};

/*
 * apply_name_merge: the three-way merge of where a message is: base is what the plan expected, found what is
 * there, want what the plan wants. Flags that either changed are changed; in cur/ if either is; the tail is the
 * found one's. Writes the name to out (NAME_LONGEST + 1) and returns its sub.
 */
unsigned apply_name_merge(char *out, const struct apply_name *base, const struct apply_name *found,
			  const struct apply_name *want);

/* --- apply_letters.c */

/* apply_letters_in: whether a message name (may be NULL) has keywords. */
bool apply_letters_in(const char *name);
/*
 * apply_letters_read: what the folder's letters mean, from its live map; with growing what the target has and it
 * lacks is added (in memory), and the caller is told by ops->note() what does not fit. To be called again under the
 * lock: 1 if the map is another than when it was read before, so that names which were translated by it must be
 * translated again. 0, or an err_code. Does nothing without ops->imap.
 */
int apply_letters_read(struct apply *a, struct apply_folder *f, bool growing, struct err *err);
/* apply_letters_learn: adds (in memory) the keywords that a name from another folder has. */
void apply_letters_learn(struct apply_folder *f, const struct keywords *from, const char *name);
/* apply_letters_write: makes the live file what it has become. Under the lock. */
int apply_letters_write(struct apply *a, struct apply_folder *f, struct err *err);
/* apply_letters_name: the name with other letters; itself, or in the arena. */
const char *apply_letters_name(struct arena *arena, const struct keywords_map *m, const char *name);
/*
 * apply_letters_step: the step with live letters; itself, or in the arena. Of a message from another folder the old
 * name keeps its letters.
 */
const struct plan_step *apply_letters_step(struct arena *arena, const struct apply_letters *l, const struct plan_step *s);
void apply_letters_release(struct apply_letters *l);

/*
 * apply_is_wanted: whether the tree that is to be reached has a message at just this place: then a step that
 * looks for one of the same key must not take it.
 */
bool apply_is_wanted(struct apply *a, struct apply_folder *f, const struct lookup_entry *e);

/* --- apply_imap.c */

/* UIDs and keywords of one folder. */
struct apply_imap {
	bool uids, keywords; /* the target has others than what was recorded */
	bool changed, settled, foreign; /* in any of them: something was written; UIDs were given afresh; the list was left alone */
	struct bytes before_text, target_text;
	struct uidlist before, target;
};

/*
 * apply_imap_begin: asks for what was recorded and what is to be reached. whole: for a folder that is made, and gets
 * all of it. apply_imap_end() frees in any case.
 */
int apply_imap_begin(struct apply_imap *m, struct apply *a, const char *folder, bool whole, struct err *err);
void apply_imap_end(struct apply_imap *m);
/* apply_imap_look: 0, or ERR_AGAIN if apply_imap_commit() would give that now. Without the lock: something may come in between. */
int apply_imap_look(struct apply *a, struct apply_folder *f, struct apply_imap *m, struct err *err);
/*
 * apply_imap_commit: under the lock, before the messages: writes the map of keywords if it grew, and the list of UIDs
 * if it changes, for all UIDs below bound. ERR_AGAIN, and nothing is written, if UIDs were given out here meanwhile
 * that the target gives out, too.
 */
int apply_imap_commit(struct apply *a, struct apply_folder *f, struct apply_imap *m, uint32_t bound, struct err *err);
/* apply_imap_outcome: what PLAN_IMAP came to. */
int apply_imap_outcome(const struct apply_imap *m);

/* --- apply_group.c */

/*
 * apply_group: n steps of one folder that come together (plan_is_grouped()). 0 or an err_code; outcomes are counted.
 */
int apply_group(struct apply *a, const struct plan_step *s, size_t n, struct err *err);
/*
 * apply_group_look: ERR_AGAIN if these steps could not be done now, because UIDs were given out or the folder is gone; writes
 * nothing. place: where the folder is now.
 */
int apply_group_look(struct apply *a, const char *place, const struct plan_step *s, size_t n, struct err *err);
/*
 * apply_group_fill: the same in a folder that nobody sees yet, at place instead of at path; all there is to know of
 * its UIDs and keywords is written. Durable when it returns.
 */
int apply_group_fill(struct apply *a, const char *place, const char *path, const struct plan_step *s, size_t n,
		     struct err *err);

enum apply_item_state {
	ITEM_OVER,  /* nothing more to do */
	ITEM_WRITE, /* the content is to be written in tmp/ */
	ITEM_READY  /* all there is to do without the lock is done */
};

/* A step and how far it is. */
struct apply_item {
	const struct plan_step *step; /* with live letters */
	enum apply_item_state state;
	char tmp[FILE_TMP_NAME];
	unsigned sub;	  /* PLAN_ADD: where it goes: what the step says, or with flags that were changed here meanwhile */
	const char *name; /* likewise; in the plan or an arena */
};

/* --- apply_build.c */

/*
 * apply_build: makes a folder that appears in one instant with its UIDs, keywords and messages: n steps, which are
 * PLAN_ADD and PLAN_IMAP. 1 built and all counted, 0 it cannot be done in this way, and nothing is changed, or an
 * err_code.
 */
int apply_build(struct apply *a, const char *path, const struct plan_step *s, size_t n, struct err *err);

/* --- apply_add.c, apply_message.c, apply_delete.c */

/*
 * apply_add_prepare: without the lock: whether the message is there already (it is counted then), or can be linked;
 * else its content is to be written. apply_add_place: under the lock. An outcome.
 */
int apply_add_prepare(struct apply *a, struct apply_folder *f, struct apply_item *it, struct arena *arena, struct err *err);
int apply_add_place(struct apply *a, struct apply_folder *f, struct apply_item *it, struct err *err);
void apply_add_release(struct apply *a);

/* apply_look: reads what is in the folder, unless that is known. */
int apply_look(struct apply_folder *f, struct err *err);
/* apply_find_key: the next message with the key of name that no other step wants; *pos starts at 0. */
struct lookup_entry *apply_find_key(struct apply *a, struct apply_folder *f, const char *name, size_t *pos);
/* apply_find_short: the message with the short key of the step's old name, if its content is right. */
struct lookup_entry *apply_find_short(struct apply *a, struct apply_folder *f, const struct plan_step *s);
/* Programs that know nothing of the lock may rename a message each time we have found it. */
#define APPLY_FIND_TRIES 5

/* apply_replace_prepare: without the lock: counts it when there is nothing to do. */
int apply_replace_prepare(struct apply *a, struct apply_folder *f, struct apply_item *it);
/* Under the lock. Outcomes. */
int apply_replace(struct apply *a, struct apply_folder *f, struct apply_item *it, struct err *err);
int apply_rename(struct apply *a, struct apply_folder *f, const struct plan_step *s, struct err *err);

/* apply_delete: n PLAN_DELETE of one folder. 0 or an err_code; outcomes are counted. */
int apply_delete(struct apply *a, const struct plan_step *s, size_t n, struct err *err);
/* How many steps are done before the lock is given back for others: some ten milliseconds. */
#define APPLY_BATCH 1024

/* --- apply_file.c */

/* One step. Outcomes. */
int apply_file_put(struct apply *a, const struct plan_step *s, struct err *err);
int apply_file_unlink(struct apply *a, const struct plan_step *s, struct err *err);

/* --- apply_uidvalidity.c */

/*
 * apply_uidvalidity_raise: makes the dovecot-uidvalidity at path, and its marker beside it, say what target says,
 * unless they say as much already. They are never lowered. An outcome.
 */
int apply_uidvalidity_raise(struct disk *d, const char *path, const struct bytes *target, struct err *err);

#endif
