/*
 * say.c -- what git-maildir-deliver tells those who run the mail server.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "say.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>

static bool to_log;

void say_to_log(void)
{
	openlog("git-maildir-deliver", LOG_PID, LOG_MAIL);
	to_log = true;
}

void say(const char *fmt, ...)
{
	char line[1500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *s = line; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	if (to_log)
		syslog(LOG_NOTICE, "%s", line);
	else
		fprintf(stderr, "git-maildir-deliver: %s\n", line);
}
