/*
 * exit.c -- exit statuses, and the one place that prints errors.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "exit.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../core/hash.h"

/* So many different warnings are remembered. */
#define TOLD_MOST 256

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
	case ERR_AGAIN:
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

/* Whether this was told before: a sync does the same several times over until nothing changes any more. */
static bool is_told(const char *line)
{
	static uint32_t told[TOLD_MOST];
	static size_t n;
	uint32_t h = hash_bytes(line, strlen(line));

	for (size_t i = 0; i < n; i++)
		if (told[i] == h)
			return true;
	if (n < TOLD_MOST)
		told[n++] = h;
	return false;
}

void exit_warn(const char *fmt, ...)
{
	char line[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!is_told(line))
		fprintf(stderr, "git-maildir: %s\n", line);
}

int exit_usage(const char *usage, int help)
{
	fprintf(help ? stdout : stderr, "usage: %s\n", usage);
	return help ? EXIT_DONE : EXIT_USAGE;
}
