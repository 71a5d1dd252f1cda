/*
 * test_summary.c -- git log as a diary of the mailbox.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/summary.h"
#include "sides.h"

/* Releases both sides, and expects this text. */
static void expect(struct store from, struct store to, const char *want)
{
	struct changes c;
	struct bytes got = { 0 };

	change_find(&c, &from, &to);
	summary_of(&c, &got);
	assert_string_equal(got.buf, want);
	bytes_release(&got);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

static void deliveries_and_reading(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,"), SIDE("A cur/1:2,S", "B new/2", "C new/3"), "INBOX: 2 delivered, 1 seen");
	expect(SIDE("A cur/1:2,"), SIDE("A cur/1:2,", "B .Sent/cur/2:2,S"), "Sent: 1 added");
}

static void each_flag_has_its_words(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,F", "B cur/2:2,"), SIDE("A cur/1:2,", "B cur/2:2,F"),
	       "INBOX: 1 flagged, 1 no longer flagged");
	expect(SIDE("A cur/1:2,"), SIDE("A cur/1:2,DFR"), "INBOX: 1 answered, 1 flagged, 1 draft");
	expect(SIDE("A cur/1:2,DRS"), SIDE("A cur/1:2,"), "INBOX: 1 unseen, 1 unanswered, 1 no longer draft");
	expect(SIDE("A cur/1:2,", "B cur/2:2,T"), SIDE("A cur/1:2,PT", "B cur/2:2,"),
	       "INBOX: 1 passed on, 1 marked deleted, 1 undeleted");
	expect(SIDE("A cur/1:2,P"), SIDE("A cur/1:2,"), "INBOX: 1 no longer passed on");
	expect(SIDE("A cur/1:2,a"), SIDE("A cur/1:2,bc"), "INBOX: 1 keyword changed");
	expect(SIDE("A cur/1:2,", "B cur/2:2,"), SIDE("A cur/1:2,a", "B cur/2:2,a"),
	       "INBOX: 2 keywords changed");
}

static void a_client_that_opens_a_folder(void **state)
{
	(void)state;
	expect(SIDE("A new/1", "B new/2"), SIDE("A cur/1:2,", "B cur/2:2,S"), "INBOX: 1 seen, 1 opened");
}

static void new_names_and_new_content(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B cur/2:2,"), SIDE("A cur/1,S=3:2,", "C cur/2:2,"),
	       "INBOX: 1 renamed, 1 changed");
}

static void moves_and_deletions(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B cur/2:2,", "C cur/3:2,"),
	       SIDE("A .Work.Projects/cur/1:2,", "B .Work.Projects/cur/2:2,", "C .Work.Projects/cur/3:2,"),
	       "INBOX: 3 moved to Work/Projects");
	expect(SIDE("A cur/1:2,", "B cur/2:2,", "C cur/3:2,", "D .Trash/cur/9:2,S"),
	       SIDE("A .Work/cur/1:2,", "B .Trash/cur/2:2,S", "C .Work/cur/3:2,"),
	       "INBOX: 1 seen, 1 moved to Trash, 2 moved to Work; Trash: 1 deleted");
}

static void folders_come_and_go(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir"), SIDE("r .gitmaildir", "m .Archive/.gitmaildir"),
	       "Archive: folder created");
	expect(SIDE("r .gitmaildir"), SIDE("r .gitmaildir", "m .Archive/.gitmaildir", "A .Archive/cur/1:2,"),
	       "Archive: folder created, 1 added");
	expect(SIDE("r .gitmaildir", "m .Old/.gitmaildir"), SIDE("r .gitmaildir"), "Old: folder deleted");
	expect(SIDE("r .gitmaildir", "m .Old/.gitmaildir", "A .Old/cur/1:2,"), SIDE("r .gitmaildir"),
	       "Old: folder deleted with 1 message");
	expect(SIDE("r .gitmaildir", "m .Old/.gitmaildir", "A .Old/cur/1:2,", "B .Old/cur/2:2,"),
	       SIDE("r .gitmaildir", "A cur/1:2,"), "Old: 1 moved to INBOX, folder deleted with 1 message");
}

static void a_renamed_folder_is_one_event(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir", "m .Work/.gitmaildir", "A .Work/cur/1:2,", "B .Work/new/2"),
	       SIDE("r .gitmaildir", "m .Done/.gitmaildir", "A .Done/cur/1:2,", "B .Done/new/2"),
	       "Work renamed to Done");
	expect(SIDE("r .gitmaildir", "m .Work/.gitmaildir", "A .Work/cur/1:2,", "B .Work/cur/2:2,"),
	       SIDE("r .gitmaildir", "n .Done/.gitmaildir", "A .Done/cur/1:2,S", "C .Done/new/3"),
	       "Done: 1 delivered, 1 seen, 1 deleted; Work renamed to Done");
	expect(SIDE("r .gitmaildir", "m .Work/.gitmaildir", "n .Work.A/.gitmaildir"),
	       SIDE("r .gitmaildir", "m .Done/.gitmaildir", "n .Done.A/.gitmaildir"),
	       "Work renamed to Done; Work/A renamed to Done/A");
}

static void folders_that_were_joined_or_taken_apart_are_not_renamed(void **state)
{
	(void)state;
	expect(SIDE("m .A/.gitmaildir", "A .A/cur/1:2,", "n .B/.gitmaildir", "B .B/cur/1:2,"),
	       SIDE("o .C/.gitmaildir", "A .C/cur/1:2,", "B .C/cur/1:2,S"),
	       "2 folders: 1 seen, 2 moved; 1 folder created, 2 folders deleted\n\n"
	       "A: 1 moved to C, folder deleted\nB: 1 seen, 1 moved to C, folder deleted\nC: folder "
	       "created\n");
}

static void files_that_are_no_mail(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir", "s subscriptions"), SIDE("r .gitmaildir", "t subscriptions"),
	       "subscriptions changed");
	expect(SIDE("r .gitmaildir", "s .rules"), SIDE("r .gitmaildir", "t .rules"), "file .rules changed");
	expect(SIDE("r .gitmaildir", "s a\xff"), SIDE("r .gitmaildir", "t x/y"),
	       "file x/y added; file a? deleted");
}

static void a_change_of_markers_alone_is_no_change_in_mail(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir"), SIDE("s .gitmaildir"), "Dates of messages changed");
	expect(NOTHING, NOTHING, "No change in mail");
}

static void the_first_record_is_one_line(void **state)
{
	(void)state;
	expect(NOTHING,
	       SIDE("r .gitmaildir", "A cur/1:2,", "B new/2", "m .Work/.gitmaildir", "g .gitattributes"),
	       "First record: 2 messages in 2 folders");
	expect(NOTHING, SIDE("r .gitmaildir", "A cur/1:2,"), "First record: 1 message in 1 folder");
	expect(NOTHING, SIDE("g .gitattributes", "m Work/.gitmaildir", "n Home/.gitmaildir"),
	       "First record: 0 messages in 2 folders");
}

static void a_new_folder_in_a_partial_store_is_no_first_record(void **state)
{
	(void)state;
	expect(NOTHING, SIDE("m .Work/.gitmaildir", "A .Work/cur/1:2,"), "Work: folder created, 1 added");
	expect(NOTHING, SIDE("s subscriptions"), "subscriptions changed");
}

static void much_news_has_a_sum_and_a_line_for_each_folder(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B .Lists/cur/2:2,", "C .Work/cur/3:2,", "s subscriptions",
		    "m .Old/.gitmaildir"),
	       SIDE("A cur/1:2,S", "D new/4", "E .Lists/new/5", "B .Lists/cur/2:2,S", "C .Trash/cur/3:2,",
		    "t subscriptions"),
	       "3 folders: 2 delivered, 2 seen, 1 moved; 1 folder deleted, and more\n"
	       "\n"
	       "INBOX: 1 delivered, 1 seen\n"
	       "Lists: 1 delivered, 1 seen\n"
	       "Old: folder deleted\n"
	       "Work: 1 moved to Trash\n"
	       "subscriptions changed\n");
}

static void a_subject_stays_short(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B cur/2:2,", "C cur/3:2,", "D cur/4:2,a", "E cur/5:2,F"),
	       SIDE("A cur/1:2,DFPRSTa", "Z new/6", "Y cur/7:2,", "X cur/3:2,"),
	       "INBOX: 1 delivered, 1 added, 1 seen, 1 answered, 1 flagged, and more\n"
	       "\n"
	       "INBOX: 1 delivered, 1 added, 1 seen, 1 answered, 1 flagged, 1 draft, 1 passed on, 1 marked "
	       "deleted, "
	       "1 keyword changed, 1 changed, 3 deleted\n");
}

static void a_long_folder_name_is_cut_in_the_subject_only(void **state)
{
	(void)state;
	expect(NOTHING,
	       SIDE("A .A very long name of a folder that goes on and on and on and on and on/new/1"),
	       "A very long name of a folder that goes o: 1 delivered\n\n"
	       "A very long name of a folder that goes on and on and on and on and on: 1 delivered\n");
}

static void names_from_afar_cannot_forge_a_message(void **state)
{
	static const char folder[] = ".x\n\nSigned-off-by: y";
	struct store to = { 0 };
	struct oid oid = content('A');

	(void)state;
	store_add_msg(store_folder(&to, folder, strlen(folder)), NAME_NEW, "1", 1, &oid);
	store_sort(&to);
	expect(NOTHING, to, "x??Signed-off-by: y: 1 delivered");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deliveries_and_reading),
		cmocka_unit_test(each_flag_has_its_words),
		cmocka_unit_test(a_client_that_opens_a_folder),
		cmocka_unit_test(new_names_and_new_content),
		cmocka_unit_test(moves_and_deletions),
		cmocka_unit_test(folders_come_and_go),
		cmocka_unit_test(a_renamed_folder_is_one_event),
		cmocka_unit_test(folders_that_were_joined_or_taken_apart_are_not_renamed),
		cmocka_unit_test(files_that_are_no_mail),
		cmocka_unit_test(a_change_of_markers_alone_is_no_change_in_mail),
		cmocka_unit_test(the_first_record_is_one_line),
		cmocka_unit_test(a_new_folder_in_a_partial_store_is_no_first_record),
		cmocka_unit_test(much_news_has_a_sum_and_a_line_for_each_folder),
		cmocka_unit_test(a_subject_stays_short),
		cmocka_unit_test(a_long_folder_name_is_cut_in_the_subject_only),
		cmocka_unit_test(names_from_afar_cannot_forge_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
