/*
 * test_merge_imap.c -- the merge: UIDs and keywords go with their messages. How stores are written: textmerge.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "textmerge.h"

#define G "_Gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define H "_Gbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BASE "cur/1:2, x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|"

/* Markers are not what these tests are about. */
static char *without_markers(char *text)
{
	char *p;

	while ((p = strstr(text, ".gitmaildir"))) {
		char *start = p, *end = strchr(p, '\n') + 1;

		while (start > text && start[-1] != '\n')
			start--;
		memmove(start, end, strlen(end) + 1);
	}
	return text;
}

static void checks(const char *base, const char *a, const char *b, const char *result, bool keep)
{
	char *got = without_markers(merge_once(base, a, b, true, keep)), *swapped = without_markers(merge_once(base, b, a, true, keep)), *sorted;
	struct store s;

	store_of(&s, result);
	sorted = without_markers(show(&s, true));
	assert_string_equal(got, sorted);
	assert_string_equal(swapped, got);
	store_release(&s);
	free(sorted);
	free(got);
	free(swapped);
}

static void gives(const char *base, const char *a, const char *b, const char *result, size_t fresh)
{
	checks(base, a, b, result, false);
	assert_int_equal(told_fresh, fresh);
}

static void keeps(const char *base, const char *a, const char *b, const char *result)
{
	checks(base, a, b, result, false);
}

static void mail_that_came_on_one_side_keeps_its_uid(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", "cur/1:2,S x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2,S x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", 0);
}

static void mail_that_came_on_both_sides_gets_fresh_uids_in_the_order_it_had(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|",
	      "cur/1:2, x\ncur/2:2, y\nnew/4 w\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:4|",
	      "cur/1:2, x\ncur/2:2, y\nnew/3 z\nnew/4 w\ndovecot-uidlist 3_V7_N6" G "|1_:1|2_:2|4_:3|5_:4|", 2);
}

static void of_two_sides_the_one_that_is_ahead_keeps_its_uids(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|",
	      "cur/1:2, x\ncur/2:2, y\nnew/4 w\ndovecot-uidlist 3_V7_N10" G "|1_:1|2_:2|9_:4|",
	      "cur/1:2, x\ncur/2:2, y\nnew/3 z\nnew/4 w\ndovecot-uidlist 3_V7_N11" G "|1_:1|2_:2|9_:4|10_:3|", 1);
}

static void a_deleted_message_takes_its_uid_along_and_the_next_uid_stays(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ndovecot-uidlist 3_V7_N3" G "|1_:1|", "cur/1:2, x\ncur/2:2,S y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2, x\ndovecot-uidlist 3_V7_N3" G "|1_:1|", 0);
}

static void a_message_that_a_flag_brings_back_has_a_fresh_uid(void **state)
{
	(void)state;
	checks(BASE, "cur/1:2, x\ndovecot-uidlist 3_V7_N3" G "|1_:1|", "cur/1:2, x\ncur/2:2,S y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2, x\ncur/2:2,S y\ndovecot-uidlist 3_V7_N4" G "|1_:1|3_:2|", true);
	assert_int_equal(told_fresh, 1);
}

static void two_mails_of_one_key_never_share_a_uid(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("zz", "ww", &small, &large);
	gives(BASE, WANT("cur/1:2, x\ncur/2:2, y\nnew/3 %s\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", small),
	      "cur/1:2, x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      WANT("cur/1:2, x\ncur/2:2, y\nnew/3 %s\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", small), 0);
	{
		char a[500], b[500];

		snprintf(a, sizeof(a), "cur/1:2, x\ncur/2:2, y\nnew/3 %s\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", small);
		snprintf(b, sizeof(b), "cur/1:2, x\ncur/2:2, y\nnew/3 %s\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", large);
		gives(BASE, a, b,
		      WANT("cur/1:2, x\ncur/2:2, y\nnew/3 %s\nnew/3.{%s} %s\ndovecot-uidlist 3_V7_N6" G "|1_:1|2_:2|4_:3|5_:3.{%s}|", small, large, large, large), 2);
	}
}

static void a_message_with_changed_content_does_not_keep_the_uid_of_what_it_was(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ncur/2:2, yy\ndovecot-uidlist 3_V7_N4" G "|1_:1|3_:2|", "cur/1:2,S x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2,S x\ncur/2:2, yy\ndovecot-uidlist 3_V7_N4" G "|1_:1|3_:2|", 0);
}

static void a_moved_message_has_the_uid_that_it_got_where_it_went(void **state)
{
	(void)state;
	gives(BASE "\n.F/cur/9:2, v\n.F/dovecot-uidlist 3_V8_N2|1_:9|",
	      "cur/1:2, x\ndovecot-uidlist 3_V7_N3" G "|1_:1|\n.F/cur/2:2, y\n.F/cur/9:2, v\n.F/dovecot-uidlist 3_V8_N3|1_:9|2_:2|",
	      "cur/1:2, x\ncur/2:2,S y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|\n.F/cur/9:2, v\n.F/dovecot-uidlist 3_V8_N2|1_:9|",
	      "cur/1:2, x\ndovecot-uidlist 3_V7_N3" G "|1_:1|\n.F/cur/2:2,S y\n.F/cur/9:2, v\n.F/dovecot-uidlist 3_V8_N3|1_:9|2_:2|", 0);
}

static void of_two_uidvalidities_the_larger_wins_with_its_uids(void **state)
{
	(void)state;
	gives("cur/1:2, x", "cur/1:2, x\nnew/3 z\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:3|", "cur/1:2, x\nnew/4 w\ndovecot-uidlist 3_V9_N6" H "|4_:1|5_:4|",
	      "cur/1:2, x\nnew/3 z\nnew/4 w\ndovecot-uidlist 3_V9_N7" H "|4_:1|5_:4|6_:3|", 1);
}

static void stores_that_never_met_agree_on_the_uids_of_one_of_them(void **state)
{
	(void)state;
	gives("", "cur/1:2, x\nnew/3 z", "cur/1:2,S x\ndovecot-uidlist 3_V9_N6" H "|4_:1|", "cur/1:2,S x\nnew/3 z\ndovecot-uidlist 3_V9_N7" H "|4_:1|6_:3|", 1);
}

static void a_renamed_folder_takes_its_uids_and_the_other_sides_mail_along(void **state)
{
	(void)state;
	gives(".F/.gitmaildir id_0|\n.F/cur/1:2, x\n.F/dovecot-uidlist 3_V7_N2" G "|1_:1|\n.F/dovecot-keywords 0_red|",
	      ".H/.gitmaildir id_0|\n.H/cur/1:2, x\n.H/dovecot-uidlist 3_V7_N2" G "|1_:1|\n.H/dovecot-keywords 0_red|",
	      ".F/.gitmaildir id_0|\n.F/cur/1:2, x\n.F/new/2 y\n.F/dovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|\n.F/dovecot-keywords 0_red|",
	      ".H/.gitmaildir id_0|\n.H/cur/1:2, x\n.H/new/2 y\n.H/dovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|\n.H/dovecot-keywords 0_red|", 0);
}

static void a_list_that_one_side_lost_takes_no_uid_away(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2, x\ncur/2:2, y\nnew/3 z", "cur/1:2, x\ncur/2:2,S y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2, x\ncur/2:2,S y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", 1);
}

static void mail_that_came_without_a_uid_and_is_deleted_leaves_no_line(void **state)
{
	(void)state;
	/* It got its UID on one side only; to the other's list its deletion changed nothing. */
	gives("cur/1:2, x\ncur/2:2, y\ndovecot-uidlist 3_V7_N2|1_:1|", "cur/1:2, x\ndovecot-uidlist 3_V7_N2|1_:1|",
	      "cur/1:2, x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3|1_:1|2_:2|", "cur/1:2, x\ndovecot-uidlist 3_V7_N3|1_:1|", 0);
}

static void a_list_that_one_side_lost_takes_no_uid_from_new_mail_either(void **state)
{
	(void)state;
	gives(BASE, "cur/1:2,S x\ncur/2:2, y", "cur/1:2, x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|",
	      "cur/1:2,S x\ncur/2:2, y\nnew/3 z\ndovecot-uidlist 3_V7_N4" G "|1_:1|2_:2|3_:3|", 0);
	gives("cur/1:2, x", "cur/1:2,S x\nnew/4 w", "cur/1:2, x\nnew/3 z\ndovecot-uidlist 3_V7_N4|1_:1|3_:3|",
	      "cur/1:2,S x\nnew/3 z\nnew/4 w\ndovecot-uidlist 3_V7_N5|1_:1|3_:3|4_:4|", 1);
}

static void a_message_with_changed_content_under_its_old_uid_gets_another(void **state)
{
	(void)state;
	/* Recorded while a server had the list locked: the list says nothing of the change yet. */
	gives(BASE, "cur/1:2, x\ncur/2:2, yy\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|", "cur/1:2,S x\ncur/2:2, y\ndovecot-uidlist 3_V7_N3" G "|1_:1|2_:2|",
	      "cur/1:2,S x\ncur/2:2, yy\ndovecot-uidlist 3_V7_N4" G "|1_:1|3_:2|", 1);
}

static void what_both_sides_have_without_a_uid_waits_for_the_next_record(void **state)
{
	(void)state;
	/* The same whether anything else of the store is seen, or nothing. */
	gives("cur/1:2, x\ndovecot-uidlist 3_V7_N2|1_:1|", "cur/1:2,S x\nnew/2 y\ndovecot-uidlist 3_V7_N3|1_:1|", "cur/1:2,F x\nnew/2 y\ndovecot-uidlist 3_V7_N4|1_:1|",
	      "cur/1:2,FS x\nnew/2 y\ndovecot-uidlist 3_V7_N4|1_:1|", 0);
	gives("dovecot-uidlist 3_V7_N2|1_:1|", "new/2 y\ndovecot-uidlist 3_V7_N3|1_:1|", "new/2 y\ndovecot-uidlist 3_V7_N4|1_:1|",
	      "new/2 y\ndovecot-uidlist 3_V7_N4|1_:1|", 0);
}

static void a_folder_that_a_side_has_does_not_get_the_list_of_the_one_that_was_renamed_to_it(void **state)
{
	(void)state;
	/* One side emptied F into G; the other copied a message there, and goes on with F. */
	gives(".F/.gitmaildir id_0|\n.F/cur/1:2, x", ".G/.gitmaildir id_1|\n.G/cur/1:2, x\n.G/dovecot-uidlist 3_V7_N6|5_:1|",
	      ".F/.gitmaildir id_0|\n.F/dovecot-uidlist 3_V7_N9|8_:2|\n.G/.gitmaildir id_2|\n.G/cur/1:2, x",
	      ".G/cur/1:2, x\n.G/dovecot-uidlist 3_V7_N6|5_:1|", 0);
}

static void of_two_lists_of_a_folder_that_both_sides_made_the_larger_uidvalidity_counts(void **state)
{
	(void)state;
	/* On one side the folder is that which was F, with its list as it was. */
	gives(".F/.gitmaildir id_0|\n.F/cur/1:2, x\n.F/dovecot-uidlist 3_V9_N3|2_:1|", ".G/.gitmaildir id_0|\n.G/cur/1:2, x\n.G/dovecot-uidlist 3_V9_N3|2_:1|",
	      ".G/.gitmaildir id_0|\n.G/cur/1:2, x\n.G/dovecot-uidlist 3_V7_N2|1_:1|", ".G/cur/1:2, x\n.G/dovecot-uidlist 3_V9_N3|2_:1|", 0);
}

static void a_keyword_keeps_a_letter_though_one_side_made_its_map_anew(void **state)
{
	(void)state;
	keeps("cur/1:2, x\ndovecot-keywords 0_red|1_blue|", "cur/1:2, x\ndovecot-keywords 0_blue|", "cur/1:2,a x\ndovecot-keywords 0_red|1_blue|",
	      "cur/1:2,b x\ndovecot-keywords 0_blue|1_red|");
}

static void a_letter_that_both_sides_gave_to_a_keyword_goes_to_one_of_them(void **state)
{
	(void)state;
	keeps("cur/1:2, x\ncur/2:2, y", "cur/1:2,a x\ncur/2:2, y\ndovecot-keywords 0_red|", "cur/1:2, x\ncur/2:2,a y\ndovecot-keywords 0_blue|",
			  "cur/1:2,b x\ncur/2:2,a y\ndovecot-keywords 0_blue|1_red|");
	keeps("cur/1:2, x", "cur/1:2,a x\ndovecot-keywords 0_red|", "cur/1:2,Sa x\ndovecot-keywords 0_blue|",
			  "cur/1:2,Sab x\ndovecot-keywords 0_blue|1_red|");
}

static void the_same_keyword_under_two_letters_is_one(void **state)
{
	(void)state;
	keeps("cur/1:2, x\ncur/2:2, y", "cur/1:2,b x\ncur/2:2, y\ndovecot-keywords 0_green|1_red|", "cur/1:2, x\ncur/2:2,a y\ndovecot-keywords 0_red|",
			  "cur/1:2,b x\ncur/2:2,b y\ndovecot-keywords 0_green|1_red|");
}

static void a_keyword_taken_away_under_another_letter_is_gone(void **state)
{
	(void)state;
	keeps("cur/1:2,a x\ndovecot-keywords 0_red|", "cur/1:2,ab x\ndovecot-keywords 0_red|1_green|", "cur/1:2,b x\ndovecot-keywords 0_red|1_blue|",
			  "cur/1:2,bc x\ndovecot-keywords 0_red|1_blue|2_green|");
}

static void a_moved_message_has_its_keywords_by_the_letters_of_the_other_folder(void **state)
{
	(void)state;
	/* Moved on one side, given the keyword "blue" on the other: "blue" is new in the folder. */
	keeps(".gitmaildir id_0|\ncur/1:2,a x\ndovecot-keywords 0_red|\n.F/cur/9 v\n.F/dovecot-keywords 0_old|",
			  ".gitmaildir id_0|\ndovecot-keywords 0_red|\n.F/cur/1:2,b x\n.F/cur/9 v\n.F/dovecot-keywords 0_old|1_red|",
			  ".gitmaildir id_0|\ncur/1:2,ab x\ndovecot-keywords 0_red|1_blue|\n.F/cur/9 v\n.F/dovecot-keywords 0_old|",
			  "dovecot-keywords 0_red|1_blue|\n.F/cur/1:2,bc x\n.F/cur/9 v\n.F/dovecot-keywords 0_old|1_red|2_blue|");
}

static void a_keyword_that_finds_no_letter_is_told(void **state)
{
	char base[2000] = "cur/1:2, x\ncur/2:2, y\ndovecot-keywords ", a[2000], b[2000], result[2000], word[40];

	(void)state;
	for (int i = 0; i < 25; i++) {
		snprintf(word, sizeof(word), "%d_k%d|", i, i);
		strcat(base, word);
	}
	snprintf(a, sizeof(a), "cur/1:2,z x\ncur/2:2, y\n%s25_red|", strstr(base, "dovecot"));
	snprintf(b, sizeof(b), "cur/1:2, x\ncur/2:2,z y\n%s25_blue|", strstr(base, "dovecot"));
	snprintf(result, sizeof(result), "cur/1:2, x\ncur/2:2,z y\n%s25_blue|", strstr(base, "dovecot"));
	keeps(base, a, b, result);
	assert_string_equal(told_full, "/red ");
}

static void letters_of_a_store_without_any_map_stay(void **state)
{
	(void)state;
	keeps("cur/1:2,a x", "cur/1:2,ab x", "cur/1:2,S x", "cur/1:2,Sb x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_that_came_on_one_side_keeps_its_uid),
		cmocka_unit_test(mail_that_came_on_both_sides_gets_fresh_uids_in_the_order_it_had),
		cmocka_unit_test(of_two_sides_the_one_that_is_ahead_keeps_its_uids),
		cmocka_unit_test(a_deleted_message_takes_its_uid_along_and_the_next_uid_stays),
		cmocka_unit_test(a_message_that_a_flag_brings_back_has_a_fresh_uid),
		cmocka_unit_test(two_mails_of_one_key_never_share_a_uid),
		cmocka_unit_test(a_message_with_changed_content_does_not_keep_the_uid_of_what_it_was),
		cmocka_unit_test(a_moved_message_has_the_uid_that_it_got_where_it_went),
		cmocka_unit_test(of_two_uidvalidities_the_larger_wins_with_its_uids),
		cmocka_unit_test(stores_that_never_met_agree_on_the_uids_of_one_of_them),
		cmocka_unit_test(a_renamed_folder_takes_its_uids_and_the_other_sides_mail_along),
		cmocka_unit_test(a_list_that_one_side_lost_takes_no_uid_away),
		cmocka_unit_test(mail_that_came_without_a_uid_and_is_deleted_leaves_no_line),
		cmocka_unit_test(a_list_that_one_side_lost_takes_no_uid_from_new_mail_either),
		cmocka_unit_test(a_message_with_changed_content_under_its_old_uid_gets_another),
		cmocka_unit_test(what_both_sides_have_without_a_uid_waits_for_the_next_record),
		cmocka_unit_test(a_folder_that_a_side_has_does_not_get_the_list_of_the_one_that_was_renamed_to_it),
		cmocka_unit_test(of_two_lists_of_a_folder_that_both_sides_made_the_larger_uidvalidity_counts),
		cmocka_unit_test(a_keyword_keeps_a_letter_though_one_side_made_its_map_anew),
		cmocka_unit_test(a_letter_that_both_sides_gave_to_a_keyword_goes_to_one_of_them),
		cmocka_unit_test(the_same_keyword_under_two_letters_is_one),
		cmocka_unit_test(a_keyword_taken_away_under_another_letter_is_gone),
		cmocka_unit_test(a_moved_message_has_its_keywords_by_the_letters_of_the_other_folder),
		cmocka_unit_test(a_keyword_that_finds_no_letter_is_told),
		cmocka_unit_test(letters_of_a_store_without_any_map_stay),
	};

	return cmocka_run_group_tests(tests, NULL, forget_blobs);
}
