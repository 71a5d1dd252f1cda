/*
 * gitbox.h -- a throw-away directory for tests that ask stock git what is right.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GITBOX_H
#define GITBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char box[PATH_MAX];

/* box_sh: runs a shell command in the box; returns its exit status. */
static inline int __attribute__((format(printf, 1, 2))) box_sh(const char *fmt, ...)
{
	char cmd[8192], line[16384];
	va_list ap;
	int st;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd '%s' && { %s\n}", box, cmd);
	st = system(line);
	return st == -1 ? -1 : WIFEXITED(st) ? WEXITSTATUS(st) : 128;
}

/* box_out: what a shell command in the box prints, without the newline at its end. The buffer is overwritten by the next call. */
static inline char *__attribute__((format(printf, 1, 2))) box_out(const char *fmt, ...)
{
	static char out[1 << 16];
	char cmd[8192], line[16384];
	va_list ap;
	size_t n;
	FILE *p;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "cd '%s' && { %s\n}", box, cmd);
	p = popen(line, "r");
	assert_non_null(p);
	n = fread(out, 1, sizeof(out) - 1, p);
	pclose(p);
	while (n && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return out;
}

#define must(...) assert_int_equal(box_sh(__VA_ARGS__), 0)

/* box_path: a path in the box; good for the next eight calls. */
static inline const char *box_path(const char *rel)
{
	static char ring[8][PATH_MAX + 256];
	static unsigned next;
	char *p = ring[next++ % 8];

	snprintf(p, sizeof(ring[0]), "%s/%s", box, rel);
	return p;
}

static inline int box_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char real[PATH_MAX];
	static const char *const drop[] = { "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_SSH_COMMAND", "GIT_SSH" };

	(void)state;
	snprintf(real, sizeof(real), "%s/gitbox.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(real) || !realpath(real, box))
		return -1;
	for (size_t i = 0; i < sizeof(drop) / sizeof(*drop); i++)
		unsetenv(drop[i]);
	setenv("HOME", box, 1);
	setenv("XDG_CONFIG_HOME", box, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "Ada", 1);
	setenv("GIT_AUTHOR_EMAIL", "ada@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "Ada", 1);
	setenv("GIT_COMMITTER_EMAIL", "ada@example.org", 1);
	return box_sh("git config --global init.defaultBranch main; git config --global user.name Ada; git config --global user.email ada@example.org");
}

static inline int box_teardown(void **state)
{
	(void)state;
	if (chdir("/") < 0)
		return -1;
	return box_sh("cd / && rm -rf '%s'", box);
}

#endif
