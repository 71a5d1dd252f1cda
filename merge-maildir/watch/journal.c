/*
 * journal.c -- what the daemon tells people, on standard error, a line at a time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../core/hash.h"
#include "../core/mem.h"

#define AN_HOUR (3600 * INT64_C(1000))

/* One write(2): lines of several processes do not mix. */
static void put(const char *about, const char *text)
{
	struct bytes b = { 0 };
	size_t from;

	bytes_addstr(&b, "git-maildir-watch: ");
	from = b.len;
	if (about)
		bytes_addf(&b, "%s: ", about);
	bytes_addstr(&b, text);
	for (size_t i = from; i < b.len; i++)
		if ((unsigned char)b.buf[i] < ' ' || b.buf[i] == 0x7f)
			b.buf[i] = '?';
	bytes_addstr(&b, "\n");
	/* A log that nobody reads any more is no reason to stop. */
	if (write(STDERR_FILENO, b.buf, b.len) < 0) { /* nothing to be done */
	}
	bytes_release(&b);
}

void journal_say(const char *about, const char *fmt, ...)
{
	char text[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(about, text);
}

void journal_warn(struct journal *j, int64_t now, const char *about, const char *fmt, ...)
{
	struct journal_line *line = NULL;
	char text[1400];
	uint32_t hash;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	hash = hash_bytes(text, strlen(text));
	for (size_t i = 0; i < sizeof(j->said) / sizeof(*j->said); i++)
		if (j->said[i].at && j->said[i].hash == hash)
			line = &j->said[i];
	if (line && now - line->at < AN_HOUR)
		return;
	if (!line)
		line = &j->said[j->next++ % (sizeof(j->said) / sizeof(*j->said))];
	*line = (struct journal_line){ hash, now ? now : 1 };
	put(about, text);
}

void journal_calm(struct journal *j)
{
	memset(j, 0, sizeof(*j));
}

void journal_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}
