/*
 * test_apply_folder.c -- folders and files that are no messages: made, merged, removed only if nothing is lost.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

/* --- folders */

static void a_new_folder_is_whole_and_private(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct apply_result res;

	mkfolder(&p, "");
	mkfolder(&p, ".Work");
	mkfolder(&p, "a/b/c");
	res = twice(b, &p);
	assert_int_equal(res.done, 3);
	assert_true(box_has(b, "cur") && box_has(b, "new") && box_has(b, "tmp"));
	assert_true(box_has(b, ".Work/cur") && box_has(b, ".Work/new") && box_has(b, ".Work/tmp"));
	assert_true(box_has(b, "a/b/c/cur"));
	assert_false(box_has(b, "a/b/cur"));
	assert_int_equal(stat_of(b, ".Work").st_mode & 07777, 0700);
	assert_int_equal(stat_of(b, ".Work/cur").st_mode & 07777, 0700);
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void a_folder_that_lacks_a_part_gets_it(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, ".Work/");
	assert_int_equal(rmdir(box_path(b, ".Work/new")), 0);
	mkfolder(&p, ".Work");
	assert_int_equal(twice(b, &p).done, 1);
	assert_true(box_has(b, ".Work/new"));
}

static void an_empty_folder_can_be_removed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Work/");
	box_file(b, ".Work/.gitmaildir", "x");
	box_file(b, ".Work/dovecot-uidlist", "x");
	box_file(b, ".Work/dovecot.index.log", "x");
	box_file(b, ".Work/tmp/half", "x");
	box_file(b, ".Work/cur/.nfs0001", "x");
	rmfolder(&p, ".Work");
	assert_int_equal(twice(b, &p).done, 1);
	assert_false(box_has(b, ".Work"));
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void a_folder_with_mail_is_never_removed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char *before, *after;

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, ".A/new/1.M1.x", "mail");
	box_folder(b, ".B/");
	box_file(b, ".B/cur/a\nb", "mail with a name that is not replicated");
	box_folder(b, ".C/");
	box_file(b, ".C/notes.txt", "a file that is replicated");
	box_folder(b, ".D/");
	assert_int_equal(symlink("/etc/passwd", box_path(b, ".D/cur/1.M1.x")), 0);
	box_folder(b, ".E/");
	box_dir(b, ".E/cur/1.M1.dir");
	box_folder(b, ".F/");
	box_file(b, ".F/cur/:2,S", "mail without a key");
	before = snapshot(b);
	rmfolder(&p, ".A");
	rmfolder(&p, ".B");
	rmfolder(&p, ".C");
	rmfolder(&p, ".D");
	rmfolder(&p, ".E");
	rmfolder(&p, ".F");
	rmfolder(&p, "");
	assert_int_equal(twice(b, &p).differs, 7);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void removing_a_folder_leaves_the_folders_below_it(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, "Work/");
	box_file(b, "Work/.gitmaildir", "x");
	box_file(b, "Work/dovecot-uidlist", "x");
	box_folder(b, "Work/Sub/");
	box_file(b, "Work/Sub/cur/1.M1.x:2,", "mail");
	rmfolder(&p, "Work");
	assert_int_equal(twice(b, &p).done, 1);
	assert_int_equal(box_count(b, "Work"), 1);
	assert_text(b, "Work/Sub/cur/1.M1.x:2,", "mail");
	/* With a message in it, nothing at all happens. */
	box_folder(b, "Life/");
	box_folder(b, "Life/Sub/");
	box_file(b, "Life/Sub/.gitmaildir", "x");
	box_file(b, "Life/new/1.M1.x", "mail");
	rmfolder(&p, "Life");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_true(box_has(b, "Life/cur") && box_has(b, "Life/tmp"));
	assert_text(b, "Life/new/1.M1.x", "mail");
}

/* --- files */

static void files_are_put_and_removed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "subscriptions", "A\n");
	box_dir(b, "sieve");
	box_dir(b, "sieve/old");
	box_file(b, "sieve/old/x", "x");
	put(&p, "subscriptions", "A\n", "A\nB\n");
	put(&p, "sieve/main.sieve", NULL, "keep;");
	put(&p, "bin/run", NULL, "#!/bin/sh");
	p.v[2].mode = 0100755;
	unl(&p, "sieve/old/x", "x");
	unl(&p, "sieve/never", "x");
	unl(&p, "nowhere/never", "x");
	assert_int_equal(twice(b, &p).done, 4);
	assert_text(b, "subscriptions", "A\nB\n");
	assert_text(b, "sieve/main.sieve", "keep;");
	assert_int_equal(stat_of(b, "sieve/main.sieve").st_mode & 07777, 0600);
	assert_int_equal(stat_of(b, "bin/run").st_mode & 07777, 0700);
	assert_false(box_has(b, "sieve/old"));
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void a_subscription_made_here_meanwhile_survives(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "subscriptions", "A\nMine\n");
	put(&p, "subscriptions", "A\n", "A\nTheirs\n");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, "subscriptions", "A\nMine\nTheirs\n");
}

static void files_in_conflict_are_both_kept(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct oid oid = blob("theirs");
	char hex[OID_HEX + 1], path[64];

	box_folder(b, "");
	box_file(b, "notes", "ours");
	put(&p, "notes", "old", "theirs");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, "notes", "ours");
	snprintf(path, sizeof(path), "notes.%.12s", oid_hex(&oid, hex));
	assert_text(b, path, "theirs");
	/* Nor is a directory in the way a reason to lose a file. */
	box_dir(b, "dir");
	put(&p, "dir", NULL, "theirs");
	assert_int_equal(twice(b, &p).differs, 1);
	snprintf(path, sizeof(path), "dir.%.12s", hex);
	assert_text(b, path, "theirs");
}

static void a_file_changed_here_is_not_removed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_file(b, "notes", "ours");
	box_dir(b, "dir");
	unl(&p, "notes", "old");
	unl(&p, "dir", "old");
	assert_int_equal(twice(b, &p).differs, 2);
	assert_text(b, "notes", "ours");
	assert_true(box_has(b, "dir"));
}

static void a_marker_alone_does_not_bring_back_a_removed_folder(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Here/");
	put(&p, ".Gone/.gitmaildir", "old", "new");
	put(&p, ".Here/.gitmaildir", "old", "new");
	put(&p, ".New/.gitmaildir", NULL, "new");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_false(box_has(b, ".Gone"));
	assert_text(b, ".Here/.gitmaildir", "new");
	assert_text(b, ".New/.gitmaildir", "new");
	assert_true(box_has(b, ".New/cur"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_new_folder_is_whole_and_private),
		box_test(a_folder_that_lacks_a_part_gets_it),
		box_test(an_empty_folder_can_be_removed),
		box_test(a_folder_with_mail_is_never_removed),
		box_test(removing_a_folder_leaves_the_folders_below_it),
		box_test(files_are_put_and_removed),
		box_test(a_subscription_made_here_meanwhile_survives),
		box_test(files_in_conflict_are_both_kept),
		box_test(a_file_changed_here_is_not_removed),
		box_test(a_marker_alone_does_not_bring_back_a_removed_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
