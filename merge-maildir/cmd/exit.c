/*
 * exit.c -- exit statuses, and the one place that prints errors.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "exit.h"

#include <stdarg.h>
#include <stdio.h>

int exit_status(int code)
{
	switch (code) {
	case 0:
		return EXIT_DONE;
	case ERR_UNREACHABLE:
		return EXIT_INCOMPLETE;
	case ERR_NOTMEMBER:
		return EXIT_NOTMEMBER;
	case ERR_BUSY:
		return EXIT_BUSY;
	case ERR_UNSAFE:
		return EXIT_UNSAFE;
	case ERR_NOSPACE:
		return EXIT_NOSPACE;
	case ERR_ENV:
		return EXIT_ENVIRONMENT;
	default:
		return EXIT_FAILED;
	}
}

int exit_error(const struct err *err)
{
	fprintf(stderr, "git-maildir: %s\n", err->msg);
	return exit_status(err->code);
}

void exit_warn(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "git-maildir: %s\n", line);
}

int exit_usage(const char *usage, int help)
{
	fprintf(help ? stdout : stderr, "usage: %s\n", usage);
	return help ? EXIT_DONE : EXIT_USAGE;
}
