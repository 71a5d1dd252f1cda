/*
 * which.h -- the messages and folders that a person means.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WHICH_H
#define WHICH_H

#include "../core/hash.h"
#include "../core/store.h"
#include "../repo/repo.h"

/* A message by its Message-ID, by its key (or whole file name), or by the first digits of its blob's id. */
struct which {
	const char *id;
	size_t len;
	const char *bare; /* the Message-ID without <>; NULL: it cannot be one */
	size_t barelen;
	bool by_blob;
	struct which_seen {
		struct oid oid;
		bool match;
	} *seen; /* contents that were read */
	size_t n, cap, room;
	struct hash_table by_oid;
};

/* which_init: id is borrowed. ERR_FAIL if it can be nothing of these. which_release() frees; fine on a zeroed struct. */
int which_init(struct which *w, const char *id, struct err *err);
/*
 * which_match: 1 if the message is meant, 0 if not, or an err_code. For a Message-ID it reads the message's header, of each content once. A
 * content that is missing is not meant.
 */
int which_match(struct which *w, struct repo *r, const struct msg *m, struct err *err);
void which_release(struct which *w);

/* which_folder: whether the folder with this path is meant: by its path in the store or by its name for people, "INBOX" in any case. */
bool which_folder(const char *meant, const char *path);
/* which_folder_there: whether a tree has such a folder: 1, 0 or an err_code. */
int which_folder_there(struct repo *r, const struct oid *tree, const char *meant, struct err *err);

/* which_show: appends Subject and Message-ID of a content for people; as much of it as there is. */
void which_show(struct repo *r, const struct oid *blob, struct bytes *out);

#endif
