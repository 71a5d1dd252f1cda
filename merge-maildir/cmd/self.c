/*
 * self.c -- where this program is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "self.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *self_path(void)
{
	static char path[PATH_MAX];
	ssize_t n;

	if (path[0])
		return path;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n <= 0 || n >= (ssize_t)sizeof(path) - 1)
		snprintf(path, sizeof(path), "git-maildir");
	else
		path[n] = '\0';
	return path;
}

const char *self_dir(void)
{
	static char dir[PATH_MAX];
	const char *slash = strrchr(self_path(), '/');

	if (!slash)
		return NULL;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - self_path()), self_path());
	return dir;
}
