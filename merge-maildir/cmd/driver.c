/*
 * driver.c -- merge-maildir, the merge driver: one file, for stock merges, rebases and cherry-picks.
 *
 * git calls "merge-maildir %O %A %B %P": files with the three contents and the path. The result goes into the file %A. Exit status 0 merged, 1 conflict; anything
 * above 128 would abort the whole merge since git 2.42.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/merge.h"
#include "../core/path.h"
#include "../repo/converge.h"
#include "../repo/io.h"
#include "exit.h"
#include "verbs.h"

/* Written beside and renamed, so that a full disk leaves the file as it was: git takes what is in it. */
static int write_all(const char *path, const struct bytes *b)
{
	char *tmp = NULL;
	FILE *f;
	int ret = -1;

	if (asprintf(&tmp, "%s.maildir", path) < 0)
		return -1;
	f = fopen(tmp, "wbe");
	if (f) {
		ret = fwrite(b->buf ? b->buf : "", 1, b->len, f) == b->len ? 0 : -1;
		if (fclose(f) != 0 || (!ret && rename(tmp, path) < 0))
			ret = -1;
		if (ret)
			unlink(tmp);
	}
	free(tmp);
	return ret;
}

int driver_main(int argc, char **argv)
{
	static const char usage[] = "merge-maildir <base> <ours> <theirs> <path>";
	struct bytes base = { 0 }, ours = { 0 }, theirs = { 0 }, out = { 0 };
	struct path p;
	int status = 1;

	if (argc == 2 && !strcmp(argv[1], "-h"))
		return exit_usage(usage, 1);
	if (argc != 5) {
		exit_usage(usage, 0);
		return 1;
	}
	/* git-maildir is one program: libgit2's text merge needs its library started. */
	git_libgit2_init();
	path_parse(&p, argv[4], strlen(argv[4]));
	if (io_read(argv[1], &base) < 0 || io_read(argv[2], &ours) < 0 || io_read(argv[3], &theirs) < 0)
		exit_warn("cannot read the contents of '%s' to merge", argv[4]);
	else if (merge_file_content(p.class, base.len ? &base : NULL, &ours, &theirs, p.class == PATH_FILE ? converge_text : NULL, NULL, &out))
		exit_warn("'%s' was changed on both sides in different ways", argv[4]);
	else if (write_all(argv[2], &out) < 0)
		exit_warn("cannot write the merge of '%s'", argv[4]);
	else
		status = 0;
	bytes_release(&base);
	bytes_release(&ours);
	bytes_release(&theirs);
	bytes_release(&out);
	git_libgit2_shutdown();
	return status;
}
