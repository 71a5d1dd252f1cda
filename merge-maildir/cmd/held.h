/*
 * held.h -- what peers hold back of history, in words: for prune and status.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HELD_H
#define HELD_H

#include "../repo/cut.h"
#include "member.h"

/* held_measure: bytes that are kept for the sake of each peer alone, written to <gitdir>/maildir/held for status: counting takes as long as reading that history. */
int held_measure(const struct cut *c, struct member *m, struct err *err);
/* held_bytes: what the last prune counted for a peer; -1 if it did not. */
int64_t held_bytes(const struct member *m, const char *peer);

/* held_size: "12.3 MB"; out has room for 32 bytes. held_span: "3 days". held_date: "2026-10-23". */
const char *held_size(char *out, int64_t bytes);
const char *held_span(char *out, int64_t seconds);
const char *held_date(char *out, int64_t when);

/* held_line: "holds back 3000 commits (12 MB) since 2026-10-23"; out is cleared first. Empty when it holds nothing. */
void held_line(struct bytes *out, const struct cut_peer *p, int64_t bytes);

#endif
