/*
 * keyline.c -- a line of authorized_keys that binds a key to a member.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "keyline.h"

#include <string.h>

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* As a word for a shell, which then stands between the double quotes of an option: there a backslash is taken off before a double quote, and nowhere else. */
static void add_word(struct bytes *out, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_.-+@=:,";
	bool quote = !*s || strspn(s, plain) != strlen(s);

	if (quote)
		bytes_addstr(out, "'");
	for (; *s; s++)
		if (*s == '\'')
			bytes_addstr(out, "'\\''");
		else if (*s == '"')
			bytes_addstr(out, "\\\"");
		else
			bytes_add(out, s, 1);
	if (quote)
		bytes_addstr(out, "'");
}

bool keyline(struct bytes *out, const char *program, const char *root, const char *peer, const char *key)
{
	if (has_control(program) || (root && has_control(root)))
		return false;
	bytes_addstr(out, "restrict,command=\"");
	add_word(out, program);
	if (root) {
		bytes_addstr(out, " --root=");
		add_word(out, root);
	}
	bytes_addf(out, " %s\" %s", peer, key);
	return true;
}

size_t keyline_key(const char *text)
{
	size_t len = strcspn(text, "\r\n"), type = strcspn(text, " ");

	if (strncmp(text, "ssh-", 4) != 0 && strncmp(text, "ecdsa-", 6) != 0 && strncmp(text, "sk-", 3) != 0)
		return 0;
	if (type + 20 > len)
		return 0;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return 0;
	return len;
}
