/*
 * test_mvdir.c -- a folder that becomes another one as a whole: with all that is in it, and only if nothing is in the way.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include <sched.h>
#include <sys/mount.h>

#include "disk/lock.h"
#include "disk/mvdir.h"

#define UIDS "dovecot-uidlist"
#define G " G0123456789abcdef0123456789abcdef"

static int imap_setup(void **state)
{
	imap_forget();
	with = &imap_ops;
	return box_setup(state);
}

#define imap_test(f) cmocka_unit_test_setup_teardown(f, imap_setup, box_teardown)

/* Carries out a plan that cannot be carried out: the disk stays as it is. */
static struct apply_result again(struct box *b, const struct plan *p, bool settle)
{
	const struct apply_opts opts = { .settle = settle };
	char *before = snapshot(b), *after;
	struct apply_result res;
	struct err err = { 0 };

	assert_int_equal(apply_plan(&b->disk, p, with, &opts, &res, &err), ERR_AGAIN);
	assert_int_equal(err.code, ERR_AGAIN);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
	return res;
}

/* A folder as a server leaves it. */
static void used_folder(struct box *b, const char *path)
{
	char name[256];

	snprintf(name, sizeof(name), "%s/", path);
	box_folder(b, name);
	snprintf(name, sizeof(name), "%s/" UIDS, path);
	box_file(b, name, "3 V7 N5" G "\n1 :1.x\n2 :2.x\n");
	snprintf(name, sizeof(name), "%s/.gitmaildir", path);
	box_file(b, name, "marker");
	snprintf(name, sizeof(name), "%s/dovecot.index.cache", path);
	box_file(b, name, "cache");
	snprintf(name, sizeof(name), "%s/cur/1.x:2,", path);
	box_file(b, name, "one");
	snprintf(name, sizeof(name), "%s/new/2.x", path);
	box_file(b, name, "two");
	snprintf(name, sizeof(name), "%s/tmp/half", path);
	box_file(b, name, "half");
}

static void all_that_is_in_a_folder_goes_along(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	ino_t ino, cur;

	box_folder(b, "");
	used_folder(b, ".Was");
	box_file(b, ".Was/notes", "a file");
	box_file(b, ".Was/cur/3.x:2,S", "came since");
	ino = stat_of(b, ".Was").st_ino;
	cur = stat_of(b, ".Was/cur/1.x:2,").st_ino;
	mvfolder(&p, ".Was", ".Is");
	assert_int_equal(twice(b, &p).done, 1);
	assert_false(box_has(b, ".Was"));
	assert_int_equal(stat_of(b, ".Is").st_ino, ino);
	assert_int_equal(stat_of(b, ".Is/cur/1.x:2,").st_ino, cur);
	assert_text(b, ".Is/cur/3.x:2,S", "came since");
	assert_text(b, ".Is/dovecot.index.cache", "cache");
	assert_text(b, ".Is/notes", "a file");
	assert_text(b, ".Is/tmp/half", "half");
	assert_false(box_has(b, ".Is/" LOCK_NAME));
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void folders_on_the_way_are_made(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	used_folder(b, "Was");
	box_dir(b, "Life");
	used_folder(b, "Life/Then");
	mvfolder(&p, "Was", "A/B");
	mvfolder(&p, "Life/Then", "A/B/C/D");
	assert_int_equal(twice(b, &p).done, 2);
	assert_text(b, "A/B/cur/1.x:2,", "one");
	assert_text(b, "A/B/C/D/cur/1.x:2,", "one");
	assert_false(box_has(b, "A/cur"));
	assert_int_equal(stat_of(b, "A").st_mode & 07777, 0700);
}

static void then_its_messages_are_what_they_are_to_be(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	used_folder(b, ".Was");
	box_file(b, ".Was/new/4.x", "came since, and has a UID since");
	box_file(b, ".Was/" UIDS, "3 V7 N6" G "\n1 :1.x\n2 :2.x\n5 :4.x\n");
	imap(".Is", PATH_UIDLIST, "3 V7 N5" G "\n1 :1.x\n2 :2.x\n", "3 V7 N9" G "\n2 :2.x\n8 :3.x\n");
	mvfolder(&p, ".Was", ".Is");
	add(&p, ".Is", "cur/3.x:2,", "three", 7);
	p.v[p.n - 1].uid = 8;
	ren(&p, ".Is", "new/2.x", "cur/2.x:2,S", "two");
	imap_step(&p, ".Is");
	del(&p, ".Is", "cur/1.x:2,", "one");
	put(&p, ".Is/.gitmaildir", "marker", "another");
	assert_int_equal(twice(b, &p).done, 6);
	assert_text(b, ".Is/cur/2.x:2,S", "two");
	assert_text(b, ".Is/cur/3.x:2,", "three");
	assert_text(b, ".Is/new/4.x", "came since, and has a UID since");
	assert_text(b, ".Is/" UIDS, "3 V7 N9" G "\n1 :1.x\n2 :2.x\n5 :4.x\n8 :3.x\n");
	assert_text(b, ".Is/.gitmaildir", "another");
	assert_int_equal(box_count(b, ".Is/cur"), 2);
	assert_false(box_has(b, ".Was"));
}

static void uids_that_were_given_out_meanwhile_are_seen_before_it_is_renamed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	used_folder(b, ".Was");
	box_file(b, ".Was/" UIDS, "3 V7 N9" G "\n1 :1.x\n2 :2.x\n8 :4.x\n");
	imap(".Is", PATH_UIDLIST, "3 V7 N5" G "\n1 :1.x\n2 :2.x\n", "3 V7 N9" G "\n1 :1.x\n2 :2.x\n8 :3.x\n");
	mvfolder(&p, ".Was", ".Is");
	add(&p, ".Is", "cur/3.x:2,", "three", 7);
	p.v[p.n - 1].uid = 8;
	imap_step(&p, ".Is");
	assert_int_equal(again(b, &p, false).moved, 0);
	plan_release(&p);
}

static void what_is_in_the_way_is_said_and_nothing_is_done(void **state)
{
	static const char *const ways[][2] = { { ".Gone", ".Is" }, { ".Was", ".Taken" }, { ".Was", ".File" }, { ".Was", ".Plain" },
					       { ".Was", ".Link" }, { ".Was", ".File/x" }, { "Above", ".Is" }, { "Mail", ".Is" }, { "Plain", ".Is" } };
	struct box *b = *state;
	struct apply_result res;
	size_t i;
	int k;

	box_folder(b, "");
	used_folder(b, ".Was");
	used_folder(b, ".Other");
	box_folder(b, ".Taken/");
	box_file(b, ".File", "x");
	box_dir(b, ".Plain");
	assert_int_equal(symlink(".Other", box_path(b, ".Link")), 0);
	box_folder(b, "Above/");
	box_folder(b, "Above/Below/");
	box_folder(b, "Mail/");
	box_dir(b, "Mail/sieve");
	box_file(b, "Mail/sieve/x", "x");
	box_dir(b, "Plain");
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct plan p = { 0 };

		mvfolder(&p, ways[i][0], ways[i][1]);
		add(&p, "", "new/1.x", "mail", 0);
		for (k = 0; k < 2; k++) {
			res = again(b, &p, k);
			assert_false(res.unmoved);
			assert_int_equal(res.moved, 0);
		}
		plan_release(&p);
	}
}

static void what_was_renamed_before_something_was_in_the_way_is_told(void **state)
{
	const struct apply_opts settle = { .settle = true };
	struct box *b = *state;
	struct plan p = { 0 };
	struct apply_result res;
	struct err err;

	box_folder(b, "");
	used_folder(b, ".A");
	used_folder(b, ".B");
	box_folder(b, ".Taken/");
	mvfolder(&p, ".A", ".C");
	mvfolder(&p, ".B", ".Taken");
	add(&p, "", "new/1.x", "mail", 0);
	assert_int_equal(apply_plan(&b->disk, &p, with, &settle, &res, &err), ERR_AGAIN);
	assert_int_equal(res.moved, 1);
	assert_false(res.unmoved);
	assert_text(b, ".C/cur/1.x:2,", "one");
	assert_text(b, ".B/cur/1.x:2,", "one");
	assert_false(box_has(b, "new/1.x"));
	plan_release(&p);
}

static void what_never_can_be_renamed_is_told(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	int k;

	box_folder(b, "");
	used_folder(b, "Real");
	assert_int_equal(symlink("Real", box_path(b, "Linked")), 0);
	mvfolder(&p, "Linked", ".Is");
	for (k = 0; k < 2; k++)
		assert_true(again(b, &p, k).unmoved);
	plan_release(&p);
	mvfolder(&p, "Real", "Real/Below");
	for (k = 0; k < 2; k++)
		assert_true(again(b, &p, k).unmoved);
	plan_release(&p);
	box_dir(b, "Mount");
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", box_path(b, "Mount"), "tmpfs", 0, NULL))
		return;
	box_dir(b, "Mount/cur");
	/* What was opened before sees nothing of it. */
	disk_close(&b->disk);
	assert_int_equal(disk_open(&b->disk, b->root, NULL), 0);
	mvfolder(&p, "Mount", ".Is");
	for (k = 0; k < 2; k++)
		assert_true(again(b, &p, k).unmoved);
	plan_release(&p);
	umount(box_path(b, "Mount"));
}

static void the_inbox_is_never_renamed_nor_replaced(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	used_folder(b, ".Was");
	mvfolder(&p, ".Was", "");
	fails(b, &p, ERR_UNSAFE);
	mvfolder(&p, "", ".Is");
	fails(b, &p, ERR_UNSAFE);
	mvfolder(&p, "../x", ".Is");
	fails(b, &p, ERR_UNSAFE);
	mvfolder(&p, ".Was", "a/../b");
	fails(b, &p, ERR_UNSAFE);
	mvfolder(&p, ".Was", "cur");
	fails(b, &p, ERR_UNSAFE);
}

/* Whoever works in the folder comes to an end first. */
static void it_waits_for_the_lock(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct lock l;
	int status, fd;
	pid_t pid;

	box_folder(b, "");
	used_folder(b, ".Was");
	fd = open(box_path(b, ".Was"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(lock_folder(&l, &b->disk, fd, ".Was", NULL), 0);
	pid = fork();
	if (!pid) {
		/* The lock is this process's parent's, which lives. */
		b->disk.pid = getpid();
		mvfolder(&p, ".Was", ".Is");
		once(b, &p, NULL);
		_exit(0);
	}
	box_sleep_ms(200);
	assert_true(box_has(b, ".Was/cur"));
	box_file(b, ".Was/cur/9.x:2,", "mail under the lock");
	lock_release(&l);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_text(b, ".Is/cur/9.x:2,", "mail under the lock");
	assert_false(box_has(b, ".Is/" LOCK_NAME));
	close(fd);
}

/* Mail servers that know no lock deliver by path all the time, to whichever of two names there is. */
static void no_mail_is_lost_that_comes_meanwhile(void **state)
{
	static const char *const names[] = { ".A", ".B" };
	struct box *b = *state;
	char name[64], tmp[4096], new[4096];
	int status, i, at;
	pid_t pid;

	box_folder(b, "");
	used_folder(b, ".A");
	pid = fork();
	if (!pid) {
		for (i = at = 0; i < 3000; at = !at) {
			FILE *f;

			snprintf(name, sizeof(name), "%s/tmp/%d.m", names[at], i);
			strcpy(tmp, box_path(b, name));
			snprintf(name, sizeof(name), "%s/new/%d.m", names[at], i);
			strcpy(new, box_path(b, name));
			f = fopen(tmp, "w");
			if (f) {
				fputs("mail", f);
				fclose(f);
				i += !rename(tmp, new);
			}
		}
		_exit(0);
	}
	for (i = 0; !waitpid(pid, &status, WNOHANG); i++) {
		struct plan p = { 0 };

		mvfolder(&p, names[i % 2], names[(i + 1) % 2]);
		assert_int_equal(once(b, &p, NULL).done, 1);
		plan_release(&p);
	}
	assert_int_equal(status, 0);
	for (at = 0; at < 3000; at++) {
		snprintf(name, sizeof(name), "%s/new/%d.m", names[i % 2], at);
		assert_text(b, name, "mail");
	}
	assert_false(box_has(b, names[(i + 1) % 2]));
	assert_true(i > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(all_that_is_in_a_folder_goes_along),
		box_test(folders_on_the_way_are_made),
		imap_test(then_its_messages_are_what_they_are_to_be),
		imap_test(uids_that_were_given_out_meanwhile_are_seen_before_it_is_renamed),
		box_test(what_is_in_the_way_is_said_and_nothing_is_done),
		box_test(what_was_renamed_before_something_was_in_the_way_is_told),
		box_test(what_never_can_be_renamed_is_told),
		box_test(the_inbox_is_never_renamed_nor_replaced),
		box_test(it_waits_for_the_lock),
		box_test(no_mail_is_lost_that_comes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
