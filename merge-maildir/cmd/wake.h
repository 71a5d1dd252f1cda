/*
 * wake.h -- wakes mail servers once more, a moment after their folders were changed.
 *
 * An IDLE session of Dovecot 2.3 looks at a folder half a second after something happened there, and reads the names in cur/ only if the time of that directory is not the one in its
 * index. A session that saves a message, or changes one, writes the time of then into the index without having read the names (maildir-sync-index.c,
 * update_maildir_hdr_cur). If it does so within that half second, no IDLE session is told of what others, such as we, have changed; only when something happens in the folder once more.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WAKE_H
#define WAKE_H

#include "../core/plan.h"
#include "member.h"

/*
 * wake_later: to be called before the plan is carried out, with the member locked: starts a process that waits until the lock is free, and then for longer than a server does, and wakes those who have the folders
 * open in which names or UIDs change. It does so when this process is killed, too. Nothing where no Dovecot has an index. Failure is only a warning.
 */
void wake_later(struct member *m, const struct plan *p);

#endif
