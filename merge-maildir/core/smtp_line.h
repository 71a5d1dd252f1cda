/*
 * smtp_line.h -- a command of SMTP, taken apart.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest command, without its line end. RFC 5321 asks for 512, and for more with extensions. */
#define SMTP_LINE_MOST 2048

enum smtp_verb { SMTP_OTHER, SMTP_EHLO, SMTP_HELO, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_RSET, SMTP_NOOP, SMTP_VRFY, SMTP_QUIT };

struct smtp_line {
	enum smtp_verb verb;
	/* Of MAIL and RCPT: the address as it was given, without brackets and route; "" is that of bounces. */
	char address[SMTP_LINE_MOST + 1];
	/* Its parts: local as it is meant, without quotes; domain "" where there is none. */
	char local[SMTP_LINE_MOST + 1], domain[SMTP_LINE_MOST + 1];
};

/* smtp_line: NULL, or the reply to a line that says nothing or nothing that is allowed: "501 5.5.4 Why". line is NUL-terminated and holds len bytes, at most SMTP_LINE_MOST. */
const char *smtp_line(struct smtp_line *cmd, const char *line, size_t len);

#endif
