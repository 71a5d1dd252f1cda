/*
 * reason.c -- picks from what git wrote on standard error the one line that tells a person what went wrong.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "reason.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void trim(const char **s, size_t *len)
{
	while (*len && isspace((unsigned char)(*s)[*len - 1]))
		--*len;
	while (*len && isspace((unsigned char)**s)) {
		++*s;
		--*len;
	}
}

static bool skip(const char **s, size_t *len, const char *prefix)
{
	size_t k = strlen(prefix);

	if (*len < k || memcmp(*s, prefix, k) != 0)
		return false;
	*s += k;
	*len -= k;
	return true;
}

/* Lines that say less than the one before them, or nothing. */
static bool is_noise(const char *s, size_t len)
{
	static const char *const noise[] = {
		"fatal: Could not read from remote repository", "fatal: the remote end hung up", "fatal: The remote end hung up",
		"fatal: early EOF", "fatal: index-pack failed", "fatal: fetch-pack", "error: failed to push some refs",
		"Please make sure you have", "and the repository exists", "hint: ", "warning: ", "Warning: Permanently added",
		"To ", "From ", "Auto packing", "Another git process seems", "an editor opened by", "are terminated then try again",
		"may have crashed in this", "remove the file manually", "mux_client_request_session", "ControlSocket ", NULL,
	};

	skip(&s, &len, "remote: ");
	for (const char *const *p = noise; *p; p++)
		if (len >= strlen(*p) && memcmp(s, *p, strlen(*p)) == 0)
			return true;
	/* "Counting objects: 100% (5/5), done." */
	for (size_t i = 0; i + 2 < len; i++)
		if (isdigit((unsigned char)s[i]) && s[i + 1] == '%' && s[i + 2] == ' ')
			return true;
	return len == 0 || (len > 6 && memcmp(s + len - 6, ", done", 6) == 0) || (len > 7 && memcmp(s + len - 7, ", done.", 7) == 0);
}

/* "ssh: connect to host mx2 port 22: Connection refused": the address is in our own message already. */
static void strip_prefixes(const char **s, size_t *len)
{
	while (skip(s, len, "fatal: ") || skip(s, len, "error: ") || skip(s, len, "remote: ") || skip(s, len, "ssh: "))
		trim(s, len);
	if (skip(s, len, "connect to host ")) {
		const char *last = memrchr(*s, ':', *len);

		if (last) {
			*len -= (size_t)(last + 1 - *s);
			*s = last + 1;
			trim(s, len);
		}
	}
	if (*len && (*s)[*len - 1] == '.')
		--*len;
}

/* Walks backwards over the lines, which end in '\n' or, progress, in '\r'. False at the beginning. */
static bool prev_line(const struct bytes *b, size_t *end, const char **line, size_t *len)
{
	size_t beg = *end;

	if (!beg)
		return false;
	while (beg && b->buf[beg - 1] != '\n' && b->buf[beg - 1] != '\r')
		beg--;
	*line = b->buf + beg;
	*len = *end - beg;
	trim(line, len);
	*end = beg ? beg - 1 : 0;
	return true;
}

static char *print(char *out, size_t size, const char *s, size_t len)
{
	size_t k = 0;

	for (; k < len && k + 1 < size; k++)
		out[k] = (unsigned char)s[k] < 0x20 || s[k] == 0x7f ? '?' : s[k];
	out[k] = '\0';
	return out;
}

/* What ssh says in a banner of a dozen lines, of which the last says least. NULL if it is not about the other host's key. */
static char *host_key(char *out, size_t size, const struct bytes *err)
{
	static const char last[] = "Host key verification failed", changed[] = "REMOTE HOST IDENTIFICATION HAS CHANGED", where[] = "key in ";
	const char *banner, *file;
	int len;

	if (!err->len || !memmem(err->buf, err->len, last, sizeof(last) - 1))
		return NULL;
	banner = memmem(err->buf, err->len, changed, sizeof(changed) - 1);
	if (!banner) {
		snprintf(out, size, "its host key is not known here: log in once by hand, and compare it");
		return out;
	}
	/* "Offending ED25519 key in /home/joe/.ssh/known_hosts:1" */
	file = strstr(banner, "Offending");
	file = file ? strstr(file, where) : NULL;
	file = file ? file + sizeof(where) - 1 : "known_hosts";
	len = (int)strcspn(file, "\r\n");
	snprintf(out, size, "its host key has changed: if that is right, remove the old one, '%.*s'", len, file);
	return print(out, size, out, strlen(out));
}

char *reason_of(char *out, size_t size, const struct bytes *err)
{
	const char *s, *best = "";
	size_t len, bestlen = 0;

	if (host_key(out, size, err))
		return out;
	for (size_t end = err->len; prev_line(err, &end, &s, &len);) {
		bool noise = is_noise(s, len);

		if (!noise || (len && !bestlen)) {
			best = s;
			bestlen = len;
		}
		if (!noise)
			break;
	}
	strip_prefixes(&best, &bestlen);
	return print(out, size, best, bestlen);
}

char *reason_remote(char *out, size_t size, const struct bytes *err)
{
	const char *s;
	size_t len;

	for (size_t end = err->len; prev_line(err, &end, &s, &len);) {
		if (!skip(&s, &len, "remote: ") || is_noise(s, len) || (len > 13 && memcmp(s, "error: hook d", 13) == 0))
			continue;
		strip_prefixes(&s, &len);
		return print(out, size, s, len);
	}
	return print(out, size, "", 0);
}

bool reason_is_there(const struct bytes *err)
{
	const char *s;
	size_t len;

	for (size_t end = err->len; prev_line(err, &end, &s, &len);)
		if (!is_noise(s, len))
			return true;
	return false;
}
