/*
 * init.c -- an existing Maildir becomes a member.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../disk/repair.h"
#include "../repo/peer.h"
#include "../repo/run.h"
#include "exit.h"
#include "progress.h"
#include "record.h"
#include "setup.h"
#include "verbs.h"

/*
 * Makes the missing ones of cur/, new/ and tmp/ in every folder, but not where messages were recorded that are gone with
 * the directory: an empty cur/ in their place would turn an accident into deletions.
 */
static int mend_folders(struct member *m, const struct record_result *rec, struct err *err)
{
	const struct compare *c = &rec->compare;
	int ret = 0;

	for (size_t i = 0; i < c->scan.nfolders && !ret; i++) {
		bool lost = false;

		for (size_t k = 0; k < c->nlost; k++)
			lost |= !strcmp(c->lost[k].folder, c->scan.folders[i].path);
		if (!lost)
			ret = repair_folder_dirs(&m->disk, c->scan.folders[i].path, err);
	}
	return ret;
}

static int first_record(struct member *m, bool *held, struct err *err)
{
	struct progress progress;
	struct record_opts opts = { .progress = progress_step, .ctx = &progress };
	struct record_result res = { 0 };
	char hex[OID_HEX + 1];
	int ret;

	if ((ret = member_lock(m, err)) < 0)
		return ret;
	progress_start(&progress, "Reading messages");
	ret = record_disk(m, &opts, &res, err);
	progress_end(&progress);
	if (!ret)
		ret = mend_folders(m, &res, err);
	repo_unlock(&m->repo);
	if (!ret && res.committed)
		printf("%.10s %.*s\n", oid_hex(&res.head, hex), (int)strcspn(res.summary.buf, "\n"), res.summary.buf);
	*held = !ret && record_warn(m, &res);
	record_release(&res);
	return ret;
}

static int is_maildir(const char *path, struct err *err)
{
	struct disk d;
	int ret = disk_open(&d, path, err);

	if (ret < 0)
		return ret;
	if (!disk_is_maildir(&d))
		ret = err_set(err, ERR_NOTMEMBER, "'%s' is not a Maildir: there is no cur/ in it nor in a folder of it", path);
	disk_close(&d);
	return ret;
}

static const char usage[] = "git maildir init [--name=<me>] [--git-dir=<dir>] [<maildir>]";

int init_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "name", required_argument, NULL, 'n' },
						  { "git-dir", required_argument, NULL, 'g' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct setup s = { 0 };
	char maildir[PATH_MAX], gitdir[PATH_MAX + PATH_MAX];
	struct member m;
	struct err err;
	bool held = false;
	int c, ret;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': s.name = optarg; break;
		case 'g': s.gitdir = optarg; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (argc - optind > 1)
		return exit_usage(usage, 0);
	if (s.name && !peer_name_ok(s.name)) {
		exit_warn("'%s' cannot be a member's name: letters, digits, '-', '_' and '.' can be in it", s.name);
		return EXIT_USAGE;
	}
	if (run_check_git(&err) < 0)
		return exit_error(&err);
	if (!realpath(optind < argc ? argv[optind] : ".", maildir)) {
		err_set(&err, ERR_NOTMEMBER, "cannot find '%s': %s", optind < argc ? argv[optind] : ".", strerror(errno));
		return exit_error(&err);
	}
	if (is_maildir(maildir, &err) < 0)
		return exit_error(&err);
	s.maildir = maildir;
	if (s.gitdir && *s.gitdir != '/') {
		char cwd[PATH_MAX];

		if (getcwd(cwd, sizeof(cwd))) {
			snprintf(gitdir, sizeof(gitdir), "%s/%s", cwd, s.gitdir);
			s.gitdir = gitdir;
		}
	}
	/* "git maildir init" inside another repository must not be about that one. */
	unsetenv("GIT_DIR");
	unsetenv("GIT_WORK_TREE");
	if (setup_member(&s, &err) < 0 || chdir(maildir) < 0 || member_open(&m, &err) < 0)
		return exit_error(&err);
	ret = first_record(&m, &held, &err);
	if (!ret)
		ret = peer_publish_name(&m.repo, &err);
	if (!ret)
		printf("'%s' is member '%s', repository '%s'\n", maildir, m.repo.name, m.repo.gitdir);
	member_close(&m);
	if (ret < 0)
		return exit_error(&err);
	return held ? EXIT_INCOMPLETE : EXIT_DONE;
}
