/*
 * summary.h -- a list of changes as a commit message: git log reads like a diary of the mailbox.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "change.h"
#include "mem.h"

/*
 * summary_of: appends the commit message for a list of changes. If all of it fits, a lone subject of at
 * most 72 bytes without newline:
 *
 *     INBOX: 2 delivered, 1 seen; Work: 3 moved to Work/Projects
 *
 * Else the subject sums up ("3 folders: 40 delivered, 2 seen"), and after an empty line comes one line,
 * with newline, for each folder or file. The first record of a store has one subject and no more: "First
 * record: 1234 messages in 9 folders". Markers are not spoken of, other than as folders that are created,
 * deleted or renamed; nor are UIDs and keywords. Never empty: "Dates of messages changed", when nothing but markers did; SUMMARY_IMAP; "No change in mail" is the
 * last resort.
 */
#define SUMMARY_IMAP "UIDs or keywords of messages changed"
void summary_of(const struct changes *c, struct bytes *out);

#endif
