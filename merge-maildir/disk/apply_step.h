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

#include "apply.h"
#include "file.h"
#include "lock.h"
#include "lookup.h"

enum apply_outcome {
	APPLY_DONE,    /* the disk was changed to what the step wants */
	APPLY_ALREADY, /* it was so before */
	APPLY_DIFFERS  /* the disk is not what the step wants, because of a change of somebody else */
};

/* A folder that is being worked on: its directories, open. */
struct apply_folder {
	const char *path; /* borrowed */
	int fd, sub[2], tmp; /* -1: not open */
	bool dirty[2];	/* names in sub changed and are not fsynced */
	struct lookup look;
};

/* What is known of a folder that messages are moved away from. */
struct apply_source {
	const char *path;
	struct lookup look;
};

struct apply {
	struct disk *d;
	const struct apply_ops *ops;
	bool flag_beats_delete;
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
/*
 * apply_is_wanted: whether the tree that is to be reached has a message at just this place: then a step that
 * looks for one of the same key must not take it.
 */
bool apply_is_wanted(const struct apply *a, const struct apply_folder *f, const struct lookup_entry *e);

/* --- apply_folder.c */

enum apply_open {
	APPLY_LOOK, /* take what is there: ERR_NOTFOUND unless it is a whole folder */
	APPLY_MEND, /* make a missing cur/, new/ or tmp/; ERR_NOTFOUND if the folder itself is gone */
	APPLY_MAKE  /* make the folder, too */
};

int apply_folder_open(struct apply_folder *f, struct disk *d, const char *path, enum apply_open how, struct err *err);
/* apply_folder_sync: makes the changes of names in cur/ and new/ durable. */
int apply_folder_sync(struct apply_folder *f, struct err *err);
/* apply_folder_close: frees; fine when it is not open (path is NULL). */
void apply_folder_close(struct apply_folder *f);
/* apply_folder_make: a whole folder, or what is missing of one. An outcome. */
int apply_folder_make(struct disk *d, const char *path, struct err *err);

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
 * success tmp is empty. from: link this file (in its directory fromfd) instead; then a failure with errno
 * EXDEV, EMLINK, EPERM, EACCES or ENOENT leaves err untouched and returns APPLY_NO_LINK.
 */
#define APPLY_NO_LINK 100
int apply_content_place(struct apply *a, struct apply_folder *f, const struct oid *oid, unsigned sub,
			const char *name, char *tmp, int fromfd, const char *from, struct err *err);

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

/* --- apply_add.c, apply_message.c, apply_file.c */

/* n steps of one kind in one folder. 0 or an err_code; outcomes are counted. */
int apply_add(struct apply *a, const struct plan_step *s, size_t n, struct err *err);
void apply_add_release(struct apply *a);
int apply_message(struct apply *a, const struct plan_step *s, size_t n, struct err *err);

/* One step. Outcomes. */
int apply_file_put(struct apply *a, const struct plan_step *s, struct err *err);
int apply_file_unlink(struct apply *a, const struct plan_step *s, struct err *err);

/* --- apply_uidvalidity.c */

/*
 * apply_uidvalidity_raise: makes the dovecot-uidvalidity at path, and its marker beside it, say what target says, unless they say as much
 * already. They are never lowered. An outcome.
 */
int apply_uidvalidity_raise(struct disk *d, const char *path, const struct bytes *target, struct err *err);

#endif
