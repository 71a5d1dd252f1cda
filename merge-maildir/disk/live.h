/*
 * live.h -- the dovecot-uidlist and dovecot-keywords of a folder that a mail server works on.
 *
 * All of this is for whoever holds the folder's lock (lock.h), which covers both files; only live_read() is of use
 * without it, for a map of keywords, which only ever grows. Both files are replaced by rename, never written in
 * place, and are durable when a function returns.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LIVE_H
#define LIVE_H

#include <sys/stat.h>

#include "../core/keywords.h"
#include "../core/uidlist.h"
#include "disk.h"

/*
 * live_read: appends the file name (UIDLIST_NAME or KEYWORDS_NAME) of the folder open at dirfd. ERR_NOTFOUND if there
 * is none. Never follows a symbolic link, and refuses what is no regular file, or is larger than 1 GB. folder is for
 * messages. st may be NULL.
 */
int live_read(int dirfd, const char *folder, const char *name, struct bytes *out, struct stat *st, struct err *err);

/*
 * live_write_uidlist: replaces the list. Its mtime never is older than that of the one before, because Dovecot's
 * index trusts size and mtime. The new file is made in the folder's tmp/, where repair_tmp() finds what a kill left.
 */
int live_write_uidlist(struct disk *d, int dirfd, const char *folder, const struct uidlist *l, struct err *err);
/*
 * live_write_keywords: replaces the map. Its mtime is a whole second later than that of the one before at least:
 * sessions that are open read it again only when the second has changed (Dovecot 2.3, maildir-keywords.c).
 */
int live_write_keywords(struct disk *d, int dirfd, const char *folder, const struct keywords *k, struct err *err);

/*
 * live_wake: tells a server that something changed, when it was not a message: Dovecot 2.3 looks at its list only when
 * something happens in cur/, and an IDLE session only for a name that comes or goes. To be called before
 * the list is replaced: the server then waits for the lock, and it is told of a list that a kill let us write, too,
 * which the next sync finds as it should be. Best effort.
 */
void live_wake(int dirfd);

#endif
