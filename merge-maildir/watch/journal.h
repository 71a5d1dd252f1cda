/*
 * journal.h -- what the daemon tells people, on standard error, a line at a time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stddef.h>
#include <stdint.h>

/* What was said about something lately. Zero-initialise. */
struct journal {
	struct journal_line {
		uint32_t hash;
		int64_t at;
	} said[8];
	unsigned next;
};

/* journal_say: "git-maildir-watch: <about>: <text>"; without about (NULL) just the text. Unprintable bytes become '?'. */
void journal_say(const char *about, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* journal_warn: the same, but a line that was said about this within the last hour is not said again. now: milliseconds. */
void journal_warn(struct journal *j, int64_t now, const char *about, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* journal_calm: what was said is over, and is told again if it comes back. */
void journal_calm(struct journal *j);

/* journal_notify: tells the service manager (sd_notify(3): "READY=1", "STOPPING=1", "STATUS=..."), if one has started us. */
void journal_notify(const char *state);

#endif
