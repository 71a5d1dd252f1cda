/*
 * audit.h -- what is wrong with the UIDs and keywords of a member: for verify.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "member.h"
#include "record.h"

/*
 * audit_imap: compares each folder's list and map with its messages on disk, with what is recorded of them, and that with the messages that are recorded. rec is of a dry run that read every directory. Calls
 * problem() with a line for each thing that is wrong.
 */
int audit_imap(struct member *m, struct record_result *rec, void (*problem)(void *ctx, const char *what), void *ctx, struct err *err);

#endif
