/*
 * test_deed.c -- single changes in words.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/deed.h"

/* Paths, or NULL, with content that differs by its number. */
static void assert_deed(const char *before, int content_before, const char *after, int content_after, const char *wanted)
{
	struct store from = { 0 }, to = { 0 };
	struct changes c;
	struct bytes said = { 0 };
	struct oid a = { { 0 } }, b = { { 0 } };

	a.h[0] = (unsigned char)content_before;
	b.h[0] = (unsigned char)content_after;
	if (before)
		store_add_path(&from, before, strlen(before), &a, 0100644);
	if (after)
		store_add_path(&to, after, strlen(after), &b, 0100644);
	store_sort(&from);
	store_sort(&to);
	change_find(&c, &from, &to);
	for (size_t i = 0; i < c.n; i++) {
		if (i)
			bytes_addstr(&said, "; ");
		deed_show(&c.v[i], &said);
	}
	assert_string_equal(said.buf, wanted);
	bytes_release(&said);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

static void what_comes_and_goes(void **state)
{
	(void)state;
	assert_deed(NULL, 0, "new/1.M1", 1, "INBOX: delivered");
	assert_deed(NULL, 0, ".Work/cur/1.M1:2,S", 1, "Work: added");
	assert_deed(".Work/cur/1.M1:2,S", 1, NULL, 0, "Work: deleted");
}

static void what_happens_to_flags(void **state)
{
	(void)state;
	assert_deed("new/1.M1", 1, "cur/1.M1:2,", 1, "INBOX: opened");
	assert_deed("new/1.M1", 1, "cur/1.M1:2,S", 1, "INBOX: seen");
	assert_deed("cur/1.M1:2,S", 1, "cur/1.M1:2,FRa", 1, "INBOX: unseen, answered, flagged, keywords changed");
	assert_deed("cur/1.M1:2,S", 1, "cur/1.M1:2,ST", 1, "INBOX: marked deleted");
}

static void what_happens_to_places_and_contents(void **state)
{
	(void)state;
	assert_deed("cur/1.M1:2,S", 1, ".Work.Old/cur/1.M1:2,S", 1, "INBOX: moved to Work/Old");
	assert_deed("cur/1.M1:2,", 1, ".Work/cur/1.M1:2,S", 1, "INBOX: moved to Work, seen");
	assert_deed("cur/1.M1:2,S", 1, "cur/1.M1:2,S", 2, "INBOX: content changed");
	assert_deed("cur/1.M1:2,S", 1, "cur/2.M2:2,S", 1, "INBOX: file renamed");
}

static void what_happens_to_files(void **state)
{
	(void)state;
	assert_deed("subscriptions", 1, "subscriptions", 2, "subscriptions changed");
	assert_deed(NULL, 0, ".dovecot.sieve", 2, "file .dovecot.sieve added");
	assert_deed(".dovecot.sieve", 2, NULL, 0, "file .dovecot.sieve deleted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_and_goes),
		cmocka_unit_test(what_happens_to_flags),
		cmocka_unit_test(what_happens_to_places_and_contents),
		cmocka_unit_test(what_happens_to_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
