/*
 * mailbox.c -- which Maildir the mail for an address goes to.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mailbox.h"

#include <string.h>

/* An address is what strangers write: nothing of it that could lead out of its place gets into a path. */
#define ALLOWED "abcdefghijklmnopqrstuvwxyz0123456789._-="
#define NAME_MOST 200

bool mailbox_varies(const char *pattern)
{
	return mailbox_fixed(pattern) < strlen(pattern);
}

size_t mailbox_fixed(const char *pattern)
{
	size_t slash = 0;

	for (const char *s = pattern; *s; s++) {
		if (*s == '/')
			slash = (size_t)(s - pattern) + 1;
		if (*s == '%' && (s[1] == 'u' || s[1] == 'd'))
			return slash;
		s += *s == '%' && s[1];
	}
	return strlen(pattern);
}

int mailbox_check(const char *pattern, struct err *err)
{
	for (const char *s = pattern; (s = strchr(s, '%')); s += 2)
		if (!s[1] || !strchr("ud%", s[1]))
			return err_set(err, ERR_UNSAFE, "'%s': only %%u, %%d and %%%% have a meaning", pattern);
	return 0;
}

static int add_name(const char *name, size_t len, struct bytes *out, struct err *err)
{
	if (!len || len > NAME_MOST || *name == '.')
		return err_set(err, ERR_NOTFOUND, "no mailbox can have the name '%.*s'", (int)(len < 60 ? len : 60), name);
	for (size_t i = 0; i < len; i++) {
		char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];

		if (!c || !strchr(ALLOWED, c))
			return err_set(err, ERR_NOTFOUND, "no mailbox can have the name '%.*s'", (int)(len < 60 ? len : 60), name);
		bytes_add(out, &c, 1);
	}
	return 0;
}

int mailbox_path(const char *pattern, const char *local, const char *domain, struct bytes *out, struct err *err)
{
	int rc = 0;

	for (const char *s = pattern; *s && !rc; s++) {
		if (*s != '%' || !s[1])
			bytes_add(out, s, 1);
		else if (*++s == 'u')
			rc = add_name(local, strcspn(local, "+"), out, err);
		else if (*s == 'd')
			rc = add_name(domain, strlen(domain), out, err);
		else
			bytes_add(out, s, 1);
	}
	return rc;
}
