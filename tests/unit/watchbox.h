/*
 * watchbox.h -- a temporary directory, for the tests of the watch.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCHBOX_H
#define WATCHBOX_H

#include "diskbox.h"

static char watchbox[256];

/* An absolute path, valid for the next seven calls. */
static UNUSED char *at(const char *path)
{
	static char out[8][512];
	static unsigned n;
	char *p = out[n++ % 8];

	snprintf(p, sizeof(out[0]), "%s%s%s", watchbox, *path ? "/" : "", path);
	return p;
}

static UNUSED void make_dir(const char *path)
{
	assert_int_equal(mkdir(at(path), 0700), 0);
}

static UNUSED void make_file(const char *path, const char *text)
{
	FILE *f = fopen(at(path), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static UNUSED void make_folder(const char *path)
{
	char sub[256];

	make_dir(path);
	for (int i = 0; i < 3; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, i == 0 ? "cur" : i == 1 ? "new" : "tmp");
		make_dir(sub);
	}
}

static int remove_it(const char *path, const struct stat *st, int what, struct FTW *where)
{
	(void)st, (void)what, (void)where;
	return remove(path);
}

static UNUSED void remove_tree(const char *path)
{
	assert_int_equal(nftw(at(path), remove_it, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static UNUSED int watchbox_make(void **state)
{
	char made[] = "/tmp/git-maildir-unit.XXXXXX", *real;

	(void)state;
	if (!mkdtemp(made) || !(real = realpath(made, NULL)))
		return -1;
	snprintf(watchbox, sizeof(watchbox), "%s", real);
	free(real);
	return 0;
}

static UNUSED int watchbox_remove(void **state)
{
	(void)state;
	return nftw(watchbox, remove_it, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
