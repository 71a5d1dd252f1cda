/*
 * test_apply_message.c -- messages that come, move, change and go, and what was done to them here meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include "disk/lock.h"

/* --- new messages */

static void a_delivery_has_its_content_date_and_mode(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat st;

	mkfolder(&p, "");
	mkfolder(&p, ".Made/on the way");
	add(&p, "", "new/1795432857.M1P1.mx1,S=4,W=4", "mail", 1107569105);
	add(&p, "", "cur/1795432858.M1P1.mx1:2,S", "", -1);
	add(&p, ".Made/on the way", "cur/1.M1.x:2,FS", "more", 5);
	assert_int_equal(twice(b, &p).done, 5);
	assert_text(b, "new/1795432857.M1P1.mx1,S=4,W=4", "mail");
	assert_text(b, "cur/1795432858.M1P1.mx1:2,S", "");
	st = stat_of(b, "new/1795432857.M1P1.mx1,S=4,W=4");
	assert_int_equal(st.st_mtim.tv_sec, 1107569105);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_false(box_has(b, LOCK_NAME));
	assert_true(box_has(b, ".Made/on the way/new"));
}

static void many_deliveries_come_in_batches(void **state)
{
	struct box *b = *state;
	static char *names[700], *texts[700];
	struct arena strings = { 0 };
	struct plan p = { 0 };
	int i;

	for (i = 0; i < 700; i++) {
		names[i] = arena_printf(&strings, "%s/%d.M1.x", i % 2 ? "new" : "cur", 1000 + i);
		texts[i] = arena_printf(&strings, "text %d", i);
		add(&p, "", names[i], texts[i], 1000 + i);
	}
	assert_int_equal(twice(b, &p).done, 700);
	assert_int_equal(box_count(b, "cur"), 350);
	assert_int_equal(box_count(b, "new"), 350);
	assert_int_equal(box_count(b, "tmp"), 0);
	for (i = 0; i < 700; i++) {
		assert_text(b, names[i], texts[i]);
		assert_int_equal(stat_of(b, names[i]).st_mtim.tv_sec, 1000 + i);
	}
	arena_release(&strings);
}

static void two_messages_that_want_one_name_are_both_kept(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct oid oid = blob("theirs");
	char derived[NAME_LONGEST + 1], path[NAME_LONGEST + 20];

	box_folder(b, "");
	box_file(b, "cur/1.M1.x,S=4:2,S", "ours");
	add(&p, "", "cur/1.M1.x,S=4:2,S", "theirs", 7);
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, "cur/1.M1.x,S=4:2,S", "ours");
	name_derive(derived, "1.M1.x,S=4", 10, &oid, 0);
	snprintf(path, sizeof(path), "cur/%s:2,S", derived);
	assert_text(b, path, "theirs");
	assert_int_equal(stat_of(b, path).st_mtim.tv_sec, 7);
	assert_int_equal(box_count(b, "cur"), 2);
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void a_message_that_is_there_already_is_not_written_again(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	ino_t ino;

	box_folder(b, "");
	box_file(b, "new/1.M1.x", "mail");
	ino = stat_of(b, "new/1.M1.x").st_ino;
	add(&p, "", "new/1.M1.x", "mail", 7);
	assert_int_equal(twice(b, &p).already, 1);
	assert_int_equal(stat_of(b, "new/1.M1.x").st_ino, ino);
}

static void a_moved_message_is_the_same_file(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat before, after;

	box_folder(b, "");
	box_folder(b, ".Trash/");
	box_file(b, "cur/1.M1.x:2,S", "mail");
	box_age(b, "cur/1.M1.x:2,S", 86400);
	before = stat_of(b, "cur/1.M1.x:2,S");
	link_from(&p, "", "cur/1.M1.x:2,S", ".Trash", "cur/1.M1.x:2,ST", "mail");
	del(&p, "", "cur/1.M1.x:2,S", "mail");
	assert_int_equal(twice(b, &p).done, 2);
	after = stat_of(b, ".Trash/cur/1.M1.x:2,ST");
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_false(box_has(b, "cur/1.M1.x:2,S"));
}

static void a_flag_set_meanwhile_follows_a_move(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Trash/");
	box_file(b, "cur/1.M1.x:2,F", "mail");
	link_from(&p, "", "new/1.M1.x", ".Trash", "cur/1.M1.x:2,S", "mail");
	del(&p, "", "new/1.M1.x", "mail");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, ".Trash/cur/1.M1.x:2,FS", "mail");
	assert_int_equal(box_count(b, ".Trash/cur"), 1);
	assert_int_equal(box_count(b, "cur"), 0);
}

static void a_moved_message_whose_file_is_gone_comes_from_the_repository(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	mkfolder(&p, ".Trash");
	link_from(&p, "", "cur/1.M1.x:2,S", ".Trash", "cur/1.M1.x:2,S", "mail");
	link_from(&p, ".Nowhere", "cur/2.M1.x:2,S", ".Trash", "cur/2.M1.x:2,S", "mail 2");
	assert_int_equal(twice(b, &p).done, 3);
	assert_text(b, ".Trash/cur/1.M1.x:2,S", "mail");
	assert_text(b, ".Trash/cur/2.M1.x:2,S", "mail 2");
}

static void a_key_with_other_content_is_no_source_for_a_move(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Trash/");
	box_file(b, "cur/1.M1.x:2,F", "another mail");
	link_from(&p, "", "cur/1.M1.x:2,", ".Trash", "cur/1.M1.x:2,", "mail");
	del(&p, "", "cur/1.M1.x:2,", "mail");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, ".Trash/cur/1.M1.x:2,", "mail");
	assert_text(b, "cur/1.M1.x:2,F", "another mail");
}

static void a_move_done_before_is_not_done_again_under_another_name(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Trash/");
	box_file(b, ".Trash/cur/1.M1.x:2,F", "mail");
	link_from(&p, "", "cur/1.M1.x:2,", ".Trash", "cur/1.M1.x:2,", "mail");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_int_equal(box_count(b, ".Trash/cur"), 1);
}

/* --- flags */

static void a_flag_change_is_a_rename(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	ino_t ino;

	box_folder(b, "");
	box_file(b, "new/1.M1.x", "mail");
	ino = stat_of(b, "new/1.M1.x").st_ino;
	ren(&p, "", "new/1.M1.x", "cur/1.M1.x:2,S", "mail");
	assert_int_equal(twice(b, &p).done, 1);
	assert_int_equal(stat_of(b, "cur/1.M1.x:2,S").st_ino, ino);
	assert_int_equal(box_count(b, "new"), 0);
}

static void a_flag_set_on_both_sides_survives(void **state)
{
	static const struct {
		const char *expected, *found, *wanted, *result;
	} t[] = {
		{ "cur/1.x:2,", "cur/1.x:2,F", "cur/1.x:2,S", "cur/1.x:2,FS" },
		{ "cur/1.x:2,S", "cur/1.x:2,FS", "cur/1.x:2,", "cur/1.x:2,F" },
		{ "cur/1.x:2,FS", "cur/1.x:2,S", "cur/1.x:2,FRS", "cur/1.x:2,RS" },
		{ "new/1.x", "cur/1.x:2,S", "cur/1.x:2,F", "cur/1.x:2,FS" },
		{ "new/1.x", "cur/1.x:2,", "cur/1.x:2,Fa", "cur/1.x:2,Fa" },
		{ "new/1.x", "cur/1.x", "new/1.x:2,S", "cur/1.x:2,S" },
		{ "cur/1.x:2,", "cur/1.x:2,F,tail", "cur/1.x:2,S", "cur/1.x:2,FS,tail" },
		{ "cur/1.x:2,", "cur/1.x:1,odd", "cur/1.x:2,S", "cur/1.x:1,odd" },
		{ "cur/1.x:2,", "cur/1.x:2,F", "cur/2.x:2,", "cur/2.x:2,F" },
		{ "cur/1.x:2,", "cur/1.x,S=4:2,", "cur/1.x:2,S", "cur/1.x,S=4:2,S" },
	};
	struct box *b = *state;
	size_t i;

	box_folder(b, "");
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct plan p = { 0 };

		box_file(b, t[i].found, "mail");
		ren(&p, "", t[i].expected, t[i].wanted, "mail");
		twice(b, &p);
		if (!box_has(b, t[i].result))
			fail_msg("row %zu: no '%s'", i, t[i].result);
		assert_int_equal(box_count(b, "cur") + box_count(b, "new"), 1);
		assert_int_equal(unlink(box_path(b, t[i].result)), 0);
	}
}

static void a_merged_name_that_would_be_too_long_is_not_made(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char expected[300], found[300], wanted[300];
	struct apply_result res;

	box_folder(b, "");
	snprintf(expected, sizeof(expected), "cur/%0251d:2,", 1);
	snprintf(found, sizeof(found), "cur/%0251d:2,F", 1);
	snprintf(wanted, sizeof(wanted), "cur/%0251d:2,S", 1);
	box_file(b, found, "mail");
	ren(&p, "", expected, wanted, "mail");
	res = twice(b, &p);
	assert_int_equal(res.differs, 1);
	assert_true(box_has(b, found));
}

static void what_was_deleted_here_gets_no_flags(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	ren(&p, ".Gone", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	assert_int_equal(twice(b, &p).differs, 2);
	assert_int_equal(box_count(b, "cur"), 0);
	assert_false(box_has(b, ".Gone"));
}

static void one_file_under_both_names_ends_with_the_new_one(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "mail");
	assert_int_equal(link(box_path(b, "cur/1.x:2,"), box_path(b, "cur/1.x:2,S")), 0);
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	assert_int_equal(twice(b, &p).done, 1);
	assert_int_equal(box_count(b, "cur"), 1);
	assert_true(box_has(b, "cur/1.x:2,S"));
	/* Two files are another thing: neither is touched. */
	box_file(b, "cur/1.x:2,", "other mail");
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, "cur/1.x:2,", "other mail");
	assert_text(b, "cur/1.x:2,S", "mail");
}

static void of_two_messages_with_one_key_only_the_right_one_is_touched(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,S", "mail");
	wanted_path = "cur/1.x:2,S";
	del(&p, "", "cur/1.x:2,", "mail");
	assert_int_equal(twice(b, &p).already, 1);
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,T", "mail");
	assert_int_equal(twice(b, &p).differs, 1);
	wanted_path = NULL;
	assert_true(box_has(b, "cur/1.x:2,S"));
}

static void renames_in_a_large_folder_find_every_message(void **state)
{
	struct box *b = *state;
	static char *expected[3000], *wanted[3000];
	struct arena strings = { 0 };
	struct plan p = { 0 };
	struct apply_result res;
	char found[64], path[64];
	int i;

	box_folder(b, "");
	for (i = 0; i < 3000; i++) {
		expected[i] = arena_printf(&strings, "cur/%d.x:2,", i);
		wanted[i] = arena_printf(&strings, "cur/%d.x:2,S", i);
		snprintf(found, sizeof(found), "cur/%d.x:2,%s", i, i % 2 ? "F" : "");
		box_file(b, found, "mail");
		ren(&p, "", expected[i], wanted[i], "mail");
	}
	res = twice(b, &p);
	assert_int_equal(res.done, 1500);
	assert_int_equal(res.differs, 1500);
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "cur/%d.x:2,%s", i, i % 2 ? "FS" : "S");
		assert_true(box_has(b, path));
	}
	arena_release(&strings);
}

/* --- deletions */

static void a_deletion_finds_a_message_that_was_flagged_meanwhile(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "one");
	box_file(b, "cur/2.x:2,F", "two");
	box_file(b, "cur/3.x,S=5:2,F", "three");
	del(&p, "", "cur/1.x:2,", "one");
	del(&p, "", "new/2.x", "two");
	del(&p, "", "new/3.x", "three");
	del(&p, "", "new/4.x", "four");
	del(&p, ".Gone", "new/5.x", "five");
	assert_int_equal(twice(b, &p).done, 3);
	assert_int_equal(box_count(b, "cur"), 0);
}

static void a_deletion_spares_other_content_under_the_same_key(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,F", "not what was deleted");
	box_file(b, "cur/2.x,S=9:2,", "nor this");
	del(&p, "", "cur/1.x:2,", "one");
	del(&p, "", "cur/2.x:2,", "two");
	twice(b, &p);
	assert_int_equal(box_count(b, "cur"), 2);
}

static void a_flag_change_beats_a_deletion_where_that_is_wanted(void **state)
{
	static const struct apply_opts opts = { .flag_beats_delete = true };
	struct box *b = *state;
	struct plan p = { 0 };
	struct apply_result res;

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "one");
	box_file(b, "cur/2.x:2,F", "two");
	del(&p, "", "cur/1.x:2,", "one");
	del(&p, "", "cur/2.x:2,", "two");
	res = once(b, &p, &opts);
	assert_int_equal(res.done, 1);
	assert_int_equal(res.differs, 1);
	assert_true(box_has(b, "cur/2.x:2,F"));
	plan_release(&p);
}

/* --- content changes */

static void changed_content_takes_the_place_of_the_old(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "old");
	box_file(b, "cur/2.x:2,", "old");
	box_file(b, "new/3.x", "old");
	replace(&p, "", "cur/1.x:2,", "old", "cur/1.x:2,", "new");
	replace(&p, "", "cur/2.x:2,", "old", "cur/2.x:2,S", "new");
	replace(&p, "", "new/3.x", "old", "cur/3.x:2,", "new");
	assert_int_equal(twice(b, &p).done, 3);
	assert_text(b, "cur/1.x:2,", "new");
	assert_text(b, "cur/2.x:2,S", "new");
	assert_text(b, "cur/3.x:2,", "new");
	assert_int_equal(stat_of(b, "cur/1.x:2,").st_mtim.tv_sec, 1000000000);
	assert_int_equal(box_count(b, "cur"), 3);
	assert_int_equal(box_count(b, "new") + box_count(b, "tmp"), 0);
}

static void changed_content_keeps_the_flags_that_were_set_here(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,F", "old");
	replace(&p, "", "cur/1.x:2,", "old", "cur/1.x:2,S", "new");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, "cur/1.x:2,FS", "new");
	assert_int_equal(box_count(b, "cur"), 1);
}

static void content_changed_on_both_sides_is_kept_twice(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "ours");
	box_file(b, "cur/2.x:2,F", "ours");
	replace(&p, "", "cur/1.x:2,", "old", "cur/1.x:2,", "theirs");
	replace(&p, "", "cur/2.x:2,", "old", "cur/2.x:2,", "theirs");
	assert_int_equal(twice(b, &p).differs, 2);
	assert_text(b, "cur/1.x:2,", "ours");
	assert_text(b, "cur/2.x:2,F", "ours");
	assert_int_equal(box_count(b, "cur"), 4);
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void content_changed_there_and_deleted_here_comes_back(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	replace(&p, "", "cur/1.x:2,", "old", "cur/1.x:2,", "new");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, "cur/1.x:2,", "new");
}

static void mail_for_a_folder_that_is_gone_waits_for_another_merge(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_dir(b, ".Gone");
	replace(&p, ".Gone", "cur/1.x:2,", "old", "cur/1.x:2,S", "new");
	never(b, &p);
	p = (struct plan){ 0 };
	add(&p, ".Gone", "new/2.x", "two", 7);
	never(b, &p);
}
static void a_folder_that_has_only_its_marker_gets_mail(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_dir(b, ".Bare");
	box_file(b, ".Bare/.gitmaildir", "git-maildir folder 1\n");
	add(&p, ".Bare", "new/2.x", "two", 7);
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, ".Bare/new/2.x", "two");
	assert_true(box_has(b, ".Bare/cur") && box_has(b, ".Bare/tmp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_delivery_has_its_content_date_and_mode),
		box_test(many_deliveries_come_in_batches),
		box_test(two_messages_that_want_one_name_are_both_kept),
		box_test(a_message_that_is_there_already_is_not_written_again),
		box_test(a_moved_message_is_the_same_file),
		box_test(a_flag_set_meanwhile_follows_a_move),
		box_test(a_moved_message_whose_file_is_gone_comes_from_the_repository),
		box_test(a_key_with_other_content_is_no_source_for_a_move),
		box_test(a_move_done_before_is_not_done_again_under_another_name),
		box_test(a_flag_change_is_a_rename),
		box_test(a_flag_set_on_both_sides_survives),
		box_test(a_merged_name_that_would_be_too_long_is_not_made),
		box_test(what_was_deleted_here_gets_no_flags),
		box_test(one_file_under_both_names_ends_with_the_new_one),
		box_test(of_two_messages_with_one_key_only_the_right_one_is_touched),
		box_test(renames_in_a_large_folder_find_every_message),
		box_test(a_deletion_finds_a_message_that_was_flagged_meanwhile),
		box_test(a_deletion_spares_other_content_under_the_same_key),
		box_test(a_flag_change_beats_a_deletion_where_that_is_wanted),
		box_test(changed_content_takes_the_place_of_the_old),
		box_test(changed_content_keeps_the_flags_that_were_set_here),
		box_test(content_changed_on_both_sides_is_kept_twice),
		box_test(content_changed_there_and_deleted_here_comes_back),
		box_test(mail_for_a_folder_that_is_gone_waits_for_another_merge),
		box_test(a_folder_that_has_only_its_marker_gets_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
