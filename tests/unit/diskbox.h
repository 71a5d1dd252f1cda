/*
 * diskbox.h -- a Maildir in a temporary directory, for the tests of the disk layer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DISKBOX_H
#define DISKBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "disk/disk.h"

#define UNUSED __attribute__((unused))

struct box {
	char root[256];
	struct disk disk;
};

static UNUSED const char *box_path(const struct box *b, const char *path)
{
	static _Thread_local char out[8][8192];
	static _Thread_local unsigned n;
	char *p = out[n++ % 8];

	snprintf(p, sizeof(out[0]), "%s/%s", b->root, path);
	return p;
}

static UNUSED void box_dir(const struct box *b, const char *path)
{
	assert_int_equal(mkdir(box_path(b, path), 0700), 0);
}

static UNUSED void box_file(const struct box *b, const char *path, const char *text)
{
	FILE *f = fopen(box_path(b, path), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* path is "" or ends in '/'. */
static UNUSED void box_folder(const struct box *b, const char *path)
{
	char sub[4096];
	static const char *const dirs[] = { "", "cur", "new", "tmp" };
	size_t i;

	for (i = *path ? 0 : 1; i < 4; i++) {
		snprintf(sub, sizeof(sub), "%s%s", path, dirs[i]);
		box_dir(b, sub);
	}
}

static UNUSED bool box_has(const struct box *b, const char *path)
{
	struct stat st;

	return !lstat(box_path(b, path), &st);
}

/* Sets the mtime of path to so many seconds before now. */
static UNUSED void box_age(const struct box *b, const char *path, int seconds)
{
	struct timespec t[2];

	clock_gettime(CLOCK_REALTIME, &t[1]);
	t[1].tv_sec -= seconds;
	t[0] = t[1];
	assert_int_equal(utimensat(AT_FDCWD, box_path(b, path), t, AT_SYMLINK_NOFOLLOW), 0);
}

/* How many names the directory has. */
static UNUSED int box_count(const struct box *b, const char *path)
{
	char cmd[8300];
	FILE *f;
	int n = -1;

	snprintf(cmd, sizeof(cmd), "ls -A '%s' | wc -l", box_path(b, path));
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	pclose(f);
	return n;
}

static UNUSED void box_sleep_ms(int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

static UNUSED int64_t box_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The id of a process that has just ended. */
static UNUSED pid_t box_dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static UNUSED int box_setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	const char *tmp = getenv("TMPDIR");
	struct err err;

	snprintf(b->root, sizeof(b->root), "%s/git-maildir-disk.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(b->root) || disk_open(&b->disk, b->root, &err))
		return -1;
	*state = b;
	return 0;
}

static UNUSED int box_remove(const char *path, const struct stat *st UNUSED, int flag UNUSED,
			     struct FTW *ftw UNUSED)
{
	return remove(path);
}

static UNUSED int box_teardown(void **state)
{
	struct box *b = *state;

	disk_close(&b->disk);
	nftw(b->root, box_remove, 80, FTW_DEPTH | FTW_PHYS);
	free(b);
	return 0;
}

#define box_test(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)

#endif
