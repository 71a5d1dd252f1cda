/*
 * exit.h -- exit statuses, and the one place that prints errors.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef EXIT_H
#define EXIT_H

#include "../core/err.h"

/* Documented in git-maildir(1), EXIT STATUS. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_INCOMPLETE = 1,  /* a peer was not reached, something was held back, verify found something */
	EXIT_USAGE = 2,
	EXIT_NOTMEMBER = 3,
	EXIT_BUSY = 4,
	EXIT_UNSAFE = 5,
	EXIT_NOSPACE = 6,
	EXIT_ENVIRONMENT = 7,
	EXIT_FAILED = 8
};

/* exit_status: the exit status for an error code (0 gives EXIT_DONE). */
int exit_status(int code);
/* exit_error: prints "git-maildir: <message>" on standard error and returns the exit status. */
int exit_error(const struct err *err);
/* exit_warn: prints a line of the same form that is no reason to stop; the same line once. */
void exit_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* exit_usage: prints the usage line of a command to standard error and returns EXIT_USAGE; with help to standard output and EXIT_DONE. */
int exit_usage(const char *usage, int help);

#endif
