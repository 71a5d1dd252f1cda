/*
 * test_change.c -- what is seen to have happened between two stores.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "core/change.h"
#include "sides.h"

static const char *const kinds[] = {
	[CHANGE_FOLDER_ADD] = "folder+", [CHANGE_ADD] = "add",		[CHANGE_RENAME] = "rename",
	[CHANGE_CONTENT] = "content",	 [CHANGE_MOVE] = "move",	[CHANGE_DELETE] = "delete",
	[CHANGE_FILE_PUT] = "put",	 [CHANGE_FILE_GONE] = "unlink", [CHANGE_FOLDER_GONE] = "folder-",
};

static void show_msg(struct bytes *out, const char *folder, const struct msg *m)
{
	bytes_addf(out, " %s%s%s/%s", folder, *folder ? "/" : "", m->sub == NAME_CUR ? "cur" : "new",
		   m->name);
}

static void show_change(struct bytes *out, const struct change *c)
{
	bytes_addstr(out, kinds[c->kind]);
	if (c->from)
		show_msg(out, c->folder, c->from);
	if (c->from && c->to)
		bytes_addstr(out, " ->");
	if (c->to)
		show_msg(out, c->to_folder, c->to);
	if (c->kind == CHANGE_FOLDER_ADD || c->kind == CHANGE_FOLDER_GONE)
		bytes_addf(out, " %s", c->folder);
	else if (!c->from && !c->to)
		bytes_addf(out, " %s", (c->fto ? c->fto : c->ffrom)->path);
	bytes_addstr(out, "\n");
}

/* Compares, releases both sides, and expects these changes, one a line. */
static void expect(struct store from, struct store to, const char *want)
{
	struct changes c;
	struct bytes got = { 0 };

	change_find(&c, &from, &to);
	for (size_t i = 0; i < c.n; i++)
		show_change(&got, &c.v[i]);
	assert_string_equal(got.buf ? got.buf : "", want);
	bytes_release(&got);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

static void nothing_happened_between_equal_stores(void **state)
{
	(void)state;
	expect(NOTHING, NOTHING, "");
	expect(SIDE("A cur/1:2,S", "B .Work/new/2", "m .Work/.gitmaildir", "s subscriptions"),
	       SIDE("A cur/1:2,S", "B .Work/new/2", "m .Work/.gitmaildir", "s subscriptions"), "");
}

static void a_delivery_is_an_addition(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,S"), SIDE("A cur/1:2,S", "B new/2"), "add new/2\n");
	expect(NOTHING, SIDE("B .Work/new/2"), "add .Work/new/2\n");
}

static void an_expunged_message_is_a_deletion(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,S", "B cur/2:2,T"), SIDE("A cur/1:2,S"), "delete cur/2:2,T\n");
	expect(SIDE("A cur/1:2,S"), NOTHING, "delete cur/1:2,S\n");
}

static void a_flag_change_is_a_rename(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/2:2,S"), SIDE("A cur/1:2,F", "A cur/2:2,S"),
	       "rename cur/1:2, -> cur/1:2,F\n");
}

static void a_message_that_was_opened_is_a_rename(void **state)
{
	(void)state;
	expect(SIDE("A new/1"), SIDE("A cur/1:2,S"), "rename new/1 -> cur/1:2,S\n");
}

static void two_messages_of_equal_content_keep_their_own_keys(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/2:2,"), SIDE("A cur/1:2,S", "A cur/2:2,F"),
	       "rename cur/1:2, -> cur/1:2,S\nrename cur/2:2, -> cur/2:2,F\n");
}

static void new_content_under_an_old_name_is_a_change_of_content(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("B cur/1:2,"), "content cur/1:2, -> cur/1:2,\n");
	expect(SIDE("A cur/1:2,"), SIDE("B cur/1:2,S"), "content cur/1:2, -> cur/1:2,S\n");
}

static void of_two_messages_with_one_key_the_one_with_the_same_content_is_it(void **state)
{
	(void)state;
	expect(SIDE("B cur/1:2,"), SIDE("A cur/1:2,F", "B cur/1:2,S"),
	       "add cur/1:2,F\nrename cur/1:2, -> cur/1:2,S\n");
}

static void a_path_that_stays_is_one_message_even_if_its_content_went_elsewhere(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("B cur/1:2,", "A cur/1:2,S"),
	       "add cur/1:2,S\ncontent cur/1:2, -> cur/1:2,\n");
	expect(SIDE("A cur/1:2,", "B cur/2:2,"), SIDE("B cur/1:2,", "A cur/2:2,"),
	       "content cur/1:2, -> cur/1:2,\ncontent cur/2:2, -> cur/2:2,\n");
}

static void a_key_that_got_a_size_is_the_same_message(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/2:2,"), SIDE("A cur/2,S=5:2,", "A cur/1,S=5,W=6:2,"),
	       "rename cur/1:2, -> cur/1,S=5,W=6:2,\nrename cur/2:2, -> cur/2,S=5:2,\n");
}

static void a_short_key_with_other_content_is_another_message(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("B cur/1,S=5:2,"), "add cur/1,S=5:2,\ndelete cur/1:2,\n");
}

static void a_message_with_a_new_key_in_its_folder_is_renamed(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/9:2,"), "rename cur/1:2, -> cur/9:2,\n");
}

static void a_move_is_seen_by_its_key(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/2:2,"), SIDE("A .Work/cur/2:2,S", "A .Done/cur/1:2,"),
	       "move cur/1:2, -> .Done/cur/1:2,\nmove cur/2:2, -> .Work/cur/2:2,S\n");
}

static void a_move_that_gave_a_new_key_is_seen_by_its_content(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B cur/2:2,"), SIDE("A .Trash/cur/7:2,", "B .Trash/cur/6:2,"),
	       "move cur/1:2, -> .Trash/cur/7:2,\nmove cur/2:2, -> .Trash/cur/6:2,\n");
}

static void a_copy_is_no_move(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/1:2,", "A .Copy/cur/1:2,"), "add .Copy/cur/1:2,\n");
}

static void a_new_key_in_the_same_folder_goes_before_another_folder(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/9:2,", "A .Work/cur/8:2,"),
	       "add .Work/cur/8:2,\nrename cur/1:2, -> cur/9:2,\n");
}

static void the_same_key_elsewhere_goes_before_a_new_key_here(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/9:2,", "A .Work/cur/1:2,"),
	       "add cur/9:2,\nmove cur/1:2, -> .Work/cur/1:2,\n");
}

static void the_same_key_with_other_content_elsewhere_is_no_move(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("B .Work/cur/1:2,"), "add .Work/cur/1:2,\ndelete cur/1:2,\n");
}

static void equal_newsletters_are_paired_in_order_and_each_once(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/2:2,", "A cur/3:2,"), SIDE("A .B/cur/8:2,", "A .A/cur/9:2,"),
	       "move cur/1:2, -> .A/cur/9:2,\nmove cur/2:2, -> .B/cur/8:2,\ndelete cur/3:2,\n");
}

static void a_renamed_folder_moves_all_its_messages(void **state)
{
	(void)state;
	expect(SIDE("m .Work/.gitmaildir", "A .Work/cur/1:2,", "B .Work/new/2"),
	       SIDE("m .Done/.gitmaildir", "A .Done/cur/1:2,", "B .Done/new/2"),
	       "folder+ .Done\nmove .Work/new/2 -> .Done/new/2\nmove .Work/cur/1:2, -> .Done/cur/1:2,\n"
	       "put .Done/.gitmaildir\nunlink .Work/.gitmaildir\nfolder- .Work\n");
}

static void folders_come_with_parents_first(void **state)
{
	(void)state;
	expect(NOTHING,
	       SIDE("m Work/.gitmaildir", "n Work-1/.gitmaildir", "o Work/Sub/.gitmaildir", "r .gitmaildir"),
	       "folder+ \nfolder+ Work\nfolder+ Work-1\nfolder+ Work/Sub\n"
	       "put .gitmaildir\nput Work/.gitmaildir\nput Work-1/.gitmaildir\nput Work/Sub/.gitmaildir\n");
}

static void files_come_change_and_go(void **state)
{
	(void)state;
	expect(SIDE("s subscriptions", "x sieve/a", "m .gitmaildir"),
	       SIDE("t subscriptions", "x sieve/b", "n .gitmaildir"),
	       "put .gitmaildir\nput subscriptions\nput sieve/b\nunlink sieve/a\n");
}

static void a_file_that_became_executable_is_a_change(void **state)
{
	struct store from = SIDE("x sieve"), to = { 0 };
	struct oid x = content('x');

	(void)state;
	store_add_path(&to, "sieve", 5, &x, 0100755);
	store_sort(&to);
	expect(from, to, "put sieve\n");
}

static void kinds_are_in_order_and_folders_within_them(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B .A/cur/1:2,", "C .A/cur/2:2,", "D .B/cur/1:2,", "E .B/cur/2:2,S"),
	       SIDE("A cur/1:2,F", "B .A/cur/1:2,F", "F .A/cur/2:2,", "G .B/new/9", "H new/8",
		    "E .C/cur/2:2,S"),
	       "add new/8\nadd .B/new/9\nrename cur/1:2, -> cur/1:2,F\nrename .A/cur/1:2, -> .A/cur/1:2,F\n"
	       "content .A/cur/2:2, -> .A/cur/2:2,\nmove .B/cur/2:2,S -> .C/cur/2:2,S\ndelete .B/cur/1:2,\n");
}

static void what_is_left_out_of_both_stores_does_not_matter(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/1:2,S"), "rename cur/1:2, -> cur/1:2,S\n");
	expect(SIDE("A cur/1:2,", "Z cur/0:2,", "m .gitmaildir"),
	       SIDE("A cur/1:2,S", "Z cur/0:2,", "m .gitmaildir"), "rename cur/1:2, -> cur/1:2,S\n");
}

static void a_name_that_a_tree_lists_twice_is_not_deleted(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "A cur/1:2,"), SIDE("A cur/1:2,"), "");
	expect(SIDE("A cur/1:2,", "B cur/1:2,"), SIDE("A cur/1:2,", "C new/2"), "add new/2\n");
	expect(SIDE("s subscriptions", "s subscriptions"), SIDE("s subscriptions"), "");
}

static void strange_names_are_paired_like_others(void **state)
{
	(void)state;
	expect(SIDE("A cur/\xff\xfe:2,", "B cur/,S=1:2,", "C cur/a b:x"),
	       SIDE("A cur/\xff\xfe:2,S", "B cur/,S=2:2,", "C cur/a b:y"),
	       "rename cur/,S=1:2, -> cur/,S=2:2,\nrename cur/a b:x -> cur/a b:y\nrename cur/\xff\xfe:2, -> "
	       "cur/\xff\xfe:2,S\n");
}

/* A store of n messages; content i is unique unless same; of those with i divisible by step the name gets flag. */
static struct store many(struct arena *names, unsigned n, unsigned step, const char *folder, const char *flag,
			 int same)
{
	struct store s = { 0 };
	struct folder *f = store_folder(&s, folder, strlen(folder));

	for (unsigned i = 0; i < n; i++) {
		const char *name = arena_printf(names, "%07u.M1:2,%s", i, i % step == 0 ? flag : "");
		struct oid oid = content('x');

		if (!same)
			memcpy(oid.h, &i, sizeof(i));
		store_add_msg(f, NAME_CUR, name, strlen(name), &oid);
	}
	store_sort(&s);
	return s;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t count_kind(const struct changes *c, enum change_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].kind == kind;
	return n;
}

static void timed(const char *what, struct store *from, struct store *to, enum change_kind kind, size_t n)
{
	struct changes c;
	double start = seconds();

	change_find(&c, from, to);
	print_message("%s: %.3f s\n", what, seconds() - start);
	assert_true(seconds() - start < 5);
	assert_int_equal(c.n, n);
	assert_int_equal(count_kind(&c, kind), n);
	changes_release(&c);
	store_release(from);
	store_release(to);
}

static void large_folders_are_quick(void **state)
{
	struct arena names = { 0 };
	struct store a, b;

	(void)state;
	a = many(&names, 200000, 200, "", "", 0);
	b = many(&names, 200000, 200, "", "S", 0);
	timed("1,000 of 200,000 seen", &a, &b, CHANGE_RENAME, 1000);
	a = many(&names, 100000, 1, ".Work", "", 0);
	b = many(&names, 100000, 1, ".Done", "", 0);
	timed("100,000 moved", &a, &b, CHANGE_MOVE, 100000);
	a = many(&names, 100000, 1, "", "", 1);
	b = many(&names, 100000, 1, ".Done", "S", 1);
	timed("100,000 equal ones moved", &a, &b, CHANGE_MOVE, 100000);
	arena_release(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_happened_between_equal_stores),
		cmocka_unit_test(a_delivery_is_an_addition),
		cmocka_unit_test(an_expunged_message_is_a_deletion),
		cmocka_unit_test(a_flag_change_is_a_rename),
		cmocka_unit_test(a_message_that_was_opened_is_a_rename),
		cmocka_unit_test(two_messages_of_equal_content_keep_their_own_keys),
		cmocka_unit_test(new_content_under_an_old_name_is_a_change_of_content),
		cmocka_unit_test(of_two_messages_with_one_key_the_one_with_the_same_content_is_it),
		cmocka_unit_test(a_path_that_stays_is_one_message_even_if_its_content_went_elsewhere),
		cmocka_unit_test(a_key_that_got_a_size_is_the_same_message),
		cmocka_unit_test(a_short_key_with_other_content_is_another_message),
		cmocka_unit_test(a_message_with_a_new_key_in_its_folder_is_renamed),
		cmocka_unit_test(a_move_is_seen_by_its_key),
		cmocka_unit_test(a_move_that_gave_a_new_key_is_seen_by_its_content),
		cmocka_unit_test(a_copy_is_no_move),
		cmocka_unit_test(a_new_key_in_the_same_folder_goes_before_another_folder),
		cmocka_unit_test(the_same_key_elsewhere_goes_before_a_new_key_here),
		cmocka_unit_test(the_same_key_with_other_content_elsewhere_is_no_move),
		cmocka_unit_test(equal_newsletters_are_paired_in_order_and_each_once),
		cmocka_unit_test(a_renamed_folder_moves_all_its_messages),
		cmocka_unit_test(folders_come_with_parents_first),
		cmocka_unit_test(files_come_change_and_go),
		cmocka_unit_test(a_file_that_became_executable_is_a_change),
		cmocka_unit_test(kinds_are_in_order_and_folders_within_them),
		cmocka_unit_test(what_is_left_out_of_both_stores_does_not_matter),
		cmocka_unit_test(a_name_that_a_tree_lists_twice_is_not_deleted),
		cmocka_unit_test(strange_names_are_paired_like_others),
		cmocka_unit_test(large_folders_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
