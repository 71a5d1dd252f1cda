/*
 * self.c -- where our programs are.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "self.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *self_dir(void)
{
	static char dir[PATH_MAX];
	ssize_t n;
	char *slash;

	if (dir[0])
		return dir;
	n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (!slash) {
		dir[0] = '\0';
		return NULL;
	}
	*slash = '\0';
	return dir;
}

const char *self_program(const char *name)
{
	static char path[PATH_MAX];
	const char *dir = self_dir();

	if (!dir || snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return name;
	return path;
}
