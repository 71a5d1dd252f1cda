/*
 * test_mvfolder.c -- which folders of one store are those of another under other paths.
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

#include "core/mvfolder.h"
#include "core/plan.h"
#include "sides.h"

/* What is known of folders: "<path> <id>"; and pairs that are not one mailbox: "<from> <to>". */
static const char *const *ids, *const *strangers;

static const char *id_of(void *ctx, bool before, const char *folder)
{
	(void)ctx;
	(void)before;
	for (const char *const *p = ids; p && *p; p++)
		if (!strncmp(*p, folder, strlen(folder)) && (*p)[strlen(folder)] == ' ')
			return *p + strlen(folder) + 1;
	return "";
}

static bool is_same(void *ctx, const char *from, const char *to)
{
	char pair[256];

	(void)ctx;
	snprintf(pair, sizeof(pair), "%s %s", from, to);
	for (const char *const *p = strangers; p && *p; p++)
		if (!strcmp(*p, pair))
			return false;
	return true;
}

/* Expects these steps, as people see them, one a line. */
static void expect(struct store from, struct store to, const char *want)
{
	const struct mvfolder_facts facts = { NULL, id_of, is_same };
	struct mvfolders moves = { 0 };
	struct store moved = { 0 };
	struct changes c, rest;
	struct plan p;
	struct bytes got = { 0 };

	change_find(&c, &from, &to);
	mvfolder_find(&moves, &c, &facts);
	changes_release(&c);
	mvfolder_store(&moved, &from, &moves);
	change_find(&rest, &moved, &to);
	plan_build(&p, &rest, NULL);
	plan_move_folders(&p, &moves);
	changes_release(&rest);
	for (size_t i = 0; i < p.n; i++) {
		plan_show(&p.v[i], &got);
		bytes_addstr(&got, "\n");
	}
	assert_string_equal(got.buf ? got.buf : "", want);
	bytes_release(&got);
	plan_release(&p);
	store_release(&moved);
	store_release(&from);
	store_release(&to);
	mvfolders_release(&moves);
	ids = strangers = NULL;
}

#define IDS(...) (ids = (const char *const[]){ __VA_ARGS__, NULL })
#define STRANGERS(...) (strangers = (const char *const[]){ __VA_ARGS__, NULL })

static void a_folder_that_has_another_path_is_renamed(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir", "m .A/.gitmaildir", "u .A/dovecot-uidlist", "1 .A/cur/1:2,", "2 .A/new/2"),
	       SIDE("r .gitmaildir", "m .B/.gitmaildir", "u .B/dovecot-uidlist", "1 .B/cur/1:2,", "2 .B/new/2"), "rename folder .A to .B\n");
}

static void what_else_happened_in_it_is_done_under_its_new_path(void **state)
{
	(void)state;
	expect(SIDE("0 cur/0:2,", "m .A/.gitmaildir", "u .A/dovecot-uidlist", "k .A/dovecot-keywords", "s .A/sieve", "1 .A/cur/1:2,",
		    "2 .A/new/2", "3 .A/cur/3:2,", "4 .A/cur/4:2,"),
	       SIDE("4 cur/4:2,", "n .B/.gitmaildir", "v .B/dovecot-uidlist", "k .B/dovecot-keywords", "1 .B/cur/1:2,", "2 .B/cur/2:2,S",
		    "5 .B/new/5", "0 .B/cur/0:2,"),
	       "rename folder .A to .B\nadd cur/4:2, from .B/cur/4:2,\nadd .B/new/5\nadd .B/cur/0:2, from cur/0:2,\n"
	       "rename .B/new/2 to cur/2:2,S\nset UIDs and keywords of .B\n"
	       "delete cur/0:2,\ndelete .B/cur/3:2,\ndelete .B/cur/4:2,\nwrite .B/.gitmaildir\nremove .B/sieve\n");
}

static void an_empty_folder_is_known_by_its_id(void **state)
{
	(void)state;
	IDS("A one", "C other", "B one", "D other");
	expect(SIDE("m A/.gitmaildir", "n C/.gitmaildir"), SIDE("m B/.gitmaildir", "n D/.gitmaildir"),
	       "rename folder A to B\nrename folder C to D\n");
	expect(SIDE("m A/.gitmaildir"), SIDE("m B/.gitmaildir"), "make folder B\nwrite B/.gitmaildir\nremove A/.gitmaildir\nremove folder A\n");
}

static void it_became_what_most_of_its_messages_went_to(void **state)
{
	(void)state;
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,", "2 .A/cur/2:2,", "3 .A/cur/3:2,"),
	       SIDE("m .B/.gitmaildir", "n .C/.gitmaildir", "1 .B/cur/1:2,", "2 .C/cur/2:2,", "3 .C/cur/3:2,"),
	       "rename folder .A to .C\nmake folder .B\nadd .B/cur/1:2, from .C/cur/1:2,\ndelete .C/cur/1:2,\nwrite .B/.gitmaildir\n"
	       "write .C/.gitmaildir\n");
}

static void its_id_says_more_than_its_messages(void **state)
{
	(void)state;
	IDS(".A one", ".B other", ".C one");
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,", "2 .A/cur/2:2,", "3 .A/cur/3:2,"),
	       SIDE("n .B/.gitmaildir", "m .C/.gitmaildir", "1 .B/cur/1:2,", "2 .B/cur/2:2,", "3 .C/cur/3:2,"),
	       "rename folder .A to .C\nmake folder .B\nadd .B/cur/1:2, from .C/cur/1:2,\nadd .B/cur/2:2, from .C/cur/2:2,\n"
	       "delete .C/cur/1:2,\ndelete .C/cur/2:2,\nwrite .B/.gitmaildir\n");
}

static void another_mailbox_is_not_taken_for_it(void **state)
{
	(void)state;
	STRANGERS(".A .B");
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,"), SIDE("n .B/.gitmaildir", "1 .B/cur/1:2,"),
	       "make folder .B\nadd .B/cur/1:2, from .A/cur/1:2,\ndelete .A/cur/1:2,\nwrite .B/.gitmaildir\nremove .A/.gitmaildir\n"
	       "remove folder .A\n");
	/* The next best may be it. */
	STRANGERS(".A .B");
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,", "2 .A/cur/2:2,", "3 .A/cur/3:2,"),
	       SIDE("m .B/.gitmaildir", "m .C/.gitmaildir", "1 .B/cur/1:2,", "2 .B/cur/2:2,", "3 .C/cur/3:2,"),
	       "rename folder .A to .C\nmake folder .B\nadd .B/cur/1:2, from .C/cur/1:2,\nadd .B/cur/2:2, from .C/cur/2:2,\n"
	       "delete .C/cur/1:2,\ndelete .C/cur/2:2,\nwrite .B/.gitmaildir\n");
}

static void a_folder_that_stays_is_not_renamed(void **state)
{
	(void)state;
	/* All its messages moved: to a new folder, or to one that was there. */
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,"), SIDE("m .A/.gitmaildir", "n .B/.gitmaildir", "1 .B/cur/1:2,"),
	       "make folder .B\nadd .B/cur/1:2, from .A/cur/1:2,\ndelete .A/cur/1:2,\nwrite .B/.gitmaildir\n");
	expect(SIDE("m .A/.gitmaildir", "n .B/.gitmaildir", "1 .A/cur/1:2,"), SIDE("n .B/.gitmaildir", "1 .B/cur/1:2,"),
	       "add .B/cur/1:2, from .A/cur/1:2,\ndelete .A/cur/1:2,\nremove .A/.gitmaildir\nremove folder .A\n");
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,"), SIDE("n .B/.gitmaildir", "1 .B/cur/1:2,", "2 .A/new/2"),
	       "make folder .B\nadd .A/new/2\nadd .B/cur/1:2, from .A/cur/1:2,\ndelete .A/cur/1:2,\nwrite .B/.gitmaildir\n"
	       "remove .A/.gitmaildir\n");
	/* The INBOX. */
	expect(SIDE("m .gitmaildir", "1 cur/1:2,"), SIDE("n .B/.gitmaildir", "1 .B/cur/1:2,"),
	       "make folder .B\nadd .B/cur/1:2, from cur/1:2,\ndelete cur/1:2,\nwrite .B/.gitmaildir\nremove .gitmaildir\n");
}

static void names_that_only_begin_alike_are_not_in_the_way(void **state)
{
	(void)state;
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,", "n A-x/.gitmaildir", "2 A-x/cur/2:2,", "o B-x/.gitmaildir"),
	       SIDE("m B/.gitmaildir", "1 B/cur/1:2,", "n A-x/.gitmaildir", "2 A-x/cur/2:2,", "o B-x/.gitmaildir"), "rename folder A to B\n");
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,", "n .A.x/.gitmaildir", "2 .A.x/cur/2:2,"),
	       SIDE("m .B/.gitmaildir", "1 .B/cur/1:2,", "n .B.x/.gitmaildir", "2 .B.x/cur/2:2,"), "rename folder .A to .B\nrename folder .A.x to .B.x\n");
}

static void folders_below_it_keep_it_from_being_renamed(void **state)
{
	(void)state;
	IDS("A one", "B one", "A/x two", "B/x two");
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,", "n A/x/.gitmaildir"), SIDE("m B/.gitmaildir", "1 B/cur/1:2,", "n B/x/.gitmaildir"),
	       "rename folder A/x to B/x\nmake folder B\nadd B/cur/1:2, from A/cur/1:2,\ndelete A/cur/1:2,\nwrite B/.gitmaildir\n"
	       "remove A/.gitmaildir\nremove folder A\n");
	/* One that comes to be below its old path, or was below its new one. */
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,"), SIDE("m A/x/.gitmaildir", "1 A/x/cur/1:2,"),
	       "make folder A/x\nadd A/x/cur/1:2, from A/cur/1:2,\ndelete A/cur/1:2,\nwrite A/x/.gitmaildir\nremove A/.gitmaildir\n"
	       "remove folder A\n");
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,", "2 B/x/cur/2:2,"), SIDE("m B/.gitmaildir", "1 B/cur/1:2,", "2 B/x/cur/2:2,"),
	       "make folder B\nadd B/cur/1:2, from A/cur/1:2,\ndelete A/cur/1:2,\nwrite B/.gitmaildir\nremove A/.gitmaildir\n"
	       "remove folder A\n");
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,", "s A/sieve/x"), SIDE("m B/.gitmaildir", "1 B/cur/1:2,", "s B/sieve/x"),
	       "make folder B\nadd B/cur/1:2, from A/cur/1:2,\ndelete A/cur/1:2,\nwrite B/.gitmaildir\nwrite B/sieve/x\n"
	       "remove A/.gitmaildir\nremove A/sieve/x\nremove folder A\n");
	expect(SIDE("m A/.gitmaildir", "1 A/cur/1:2,", "x B"), SIDE("m B/.gitmaildir", "1 B/cur/1:2,"),
	       "remove B\nmake folder B\nadd B/cur/1:2, from A/cur/1:2,\ndelete A/cur/1:2,\nwrite B/.gitmaildir\nremove A/.gitmaildir\n"
	       "remove folder A\n");
}

static void what_is_above_is_renamed_before_what_is_below(void **state)
{
	(void)state;
	expect(SIDE("m .A/.gitmaildir", "1 .A/cur/1:2,", "n Z/.gitmaildir", "2 Z/cur/2:2,"),
	       SIDE("m X/Y/.gitmaildir", "1 X/Y/cur/1:2,", "n X/.gitmaildir", "2 X/cur/2:2,"),
	       "rename folder Z to X\nrename folder .A to X/Y\n");
}

static void many_folders_find_their_own(void **state)
{
	struct store from = { 0 }, to = { 0 };
	const struct mvfolder_facts facts = { NULL, id_of, is_same };
	struct mvfolders moves = { 0 };
	struct changes c;
	char entry[100];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct oid oid;

		memset(oid.h, 0, sizeof(oid.h));
		snprintf((char *)oid.h, sizeof(oid.h), "%d", i);
		store_add_path(&from, entry, (size_t)snprintf(entry, sizeof(entry), ".F%d/.gitmaildir", i), &oid, 0100644);
		store_add_path(&from, entry, (size_t)snprintf(entry, sizeof(entry), ".F%d/cur/1:2,", i), &oid, 0100644);
		store_add_path(&to, entry, (size_t)snprintf(entry, sizeof(entry), ".G%d/.gitmaildir", i), &oid, 0100644);
		store_add_path(&to, entry, (size_t)snprintf(entry, sizeof(entry), ".G%d/cur/1:2,", i), &oid, 0100644);
	}
	store_sort(&from);
	store_sort(&to);
	change_find(&c, &from, &to);
	mvfolder_find(&moves, &c, &facts);
	assert_int_equal(moves.n, 3000);
	for (size_t i = 0; i < moves.n; i++)
		assert_string_equal(moves.v[i].from + 2, moves.v[i].to + 2);
	mvfolders_release(&moves);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_that_has_another_path_is_renamed),
		cmocka_unit_test(what_else_happened_in_it_is_done_under_its_new_path),
		cmocka_unit_test(an_empty_folder_is_known_by_its_id),
		cmocka_unit_test(it_became_what_most_of_its_messages_went_to),
		cmocka_unit_test(its_id_says_more_than_its_messages),
		cmocka_unit_test(another_mailbox_is_not_taken_for_it),
		cmocka_unit_test(a_folder_that_stays_is_not_renamed),
		cmocka_unit_test(names_that_only_begin_alike_are_not_in_the_way),
		cmocka_unit_test(folders_below_it_keep_it_from_being_renamed),
		cmocka_unit_test(what_is_above_is_renamed_before_what_is_below),
		cmocka_unit_test(many_folders_find_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
