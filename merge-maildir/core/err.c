/*
 * err.c -- the one shape of an error.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* File names of other machines get into messages: they must not break the line, nor steer a terminal. */
static void make_printable(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f)
			*s = '?';
	}
}

/* The text is made beside e: callers make an error clearer with "%s" of the message that is there already. */
static void set(struct err *e, int code, const char *tail, const char *fmt, va_list ap)
{
	char msg[sizeof(e->msg)];
	int n = vsnprintf(msg, sizeof(msg), fmt, ap);

	if (n < 0)
		msg[n = 0] = '\0';
	if (tail && (size_t)n < sizeof(msg))
		snprintf(msg + n, sizeof(msg) - (size_t)n, ": %s", tail);
	make_printable(msg);
	e->code = code;
	memcpy(e->msg, msg, sizeof(msg));
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	set(e, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int saved = errno, code = ERR_FAIL;
	va_list ap;

	if (saved == ENOSPC || saved == EDQUOT)
		code = ERR_NOSPACE;
	else if (saved == ENOENT)
		code = ERR_NOTFOUND;
	if (e) {
		va_start(ap, fmt);
		set(e, code, strerror(saved), fmt, ap);
		va_end(ap);
	}
	errno = saved;
	return code;
}
