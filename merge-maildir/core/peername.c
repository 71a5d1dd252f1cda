/*
 * peername.c -- what a member can be called.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "peername.h"

#include <stddef.h>
#include <string.h>

bool peer_name_ok(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > 64 || *name == '-' || *name == '.' || name[len - 1] == '.' || strstr(name, ".."))
		return false;
	if (len >= 5 && strcmp(name + len - 5, ".lock") == 0)
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}
