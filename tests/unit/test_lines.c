/*
 * test_lines.c -- the merge of subscriptions.
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

#include "core/lines.h"

#define V2 "V\t2\n\n"

static void merge(struct bytes *out, const char *base, const char *a, const char *b)
{
	lines_merge(out, base, base ? strlen(base) : 0, a, strlen(a), b, strlen(b));
	bytes_add(out, "", 0);
}

static void assert_merges(const char *base, const char *a, const char *b, const char *want)
{
	struct bytes ab = { 0 }, ba = { 0 };

	merge(&ab, base, a, b);
	merge(&ba, base, b, a);
	assert_string_equal(ab.buf, want);
	assert_string_equal(ba.buf, want);
	bytes_release(&ab);
	bytes_release(&ba);
}

static void subscriptions_of_both_sides_are_kept(void **state)
{
	(void)state;
	assert_merges(V2 "Work\n", V2 "Work\nSent\n", V2 "Work\nDrafts\n", V2 "Drafts\nSent\nWork\n");
	assert_merges(V2 "Work\n", V2 "Work\nSent\n", V2 "Work\nSent\nDrafts\n", V2 "Drafts\nSent\nWork\n");
	assert_merges(NULL, V2 "a\tb\n", V2 "a\n", V2 "a\na\tb\n");
}

static void an_unsubscription_on_one_side_holds(void **state)
{
	(void)state;
	assert_merges("a\nb\nc\n", "b\nc\n", "a\nb\n", "b\n");
	assert_merges("a\nb\n", "a\n", "a\nb\nc\n", "a\nc\n");
	assert_merges("a\n", "", "a\nb\n", "b\n");
}

static void the_order_of_a_user_stays_when_only_one_side_changed(void **state)
{
	(void)state;
	assert_merges(V2 "b\na\n", V2 "b\na\n", V2 "c\nb\na\n", V2 "c\nb\na\n");
	assert_merges(V2 "b\na\n", V2 "c\na\nc\n", V2 "c\na\nc\n", V2 "c\na\nc\n");
	assert_merges("x", "x", "", "");
}

static void a_header_that_either_side_has_is_in_front(void **state)
{
	(void)state;
	assert_merges("a\n", V2 "a\nb\n", "a\nc\n", V2 "a\nb\nc\n");
	assert_merges(NULL, V2, "A\n", V2 "A\n");
	assert_merges(NULL, "a\n", "b\n", "a\nb\n");
}

static void lines_without_end_and_empty_and_doubled_lines_do_no_harm(void **state)
{
	(void)state;
	assert_merges("a", "a\nb", "\n\na\n\nc\nc\na", "a\nb\nc\n");
	assert_merges(NULL, "", "a", "a\n");
	assert_merges(NULL, "", "", "");
	assert_merges("", "ab\n", "a\n", "a\nab\n");
}

static void any_bytes_can_be_merged(void **state)
{
	static const char alphabet[] = "a\n\0\xff" "Vb\t2";
	uint32_t seed = 7;
	int round;

	(void)state;
	for (round = 0; round < 5000; round++) {
		struct bytes in[3] = { { 0 } }, ab = { 0 }, ba = { 0 };
		int i, j;

		for (i = 0; i < 3; i++)
			for (j = 0; j < 12; j++) {
				seed = seed * 1664525 + 1013904223;
				if ((seed >> 28) > 2)
					bytes_add(&in[i], &alphabet[(seed >> 16) % 8], 1);
			}
		lines_merge(&ab, in[0].buf, in[0].len, in[1].buf, in[1].len, in[2].buf, in[2].len);
		lines_merge(&ba, in[0].buf, in[0].len, in[2].buf, in[2].len, in[1].buf, in[1].len);
		assert_int_equal(ab.len, ba.len);
		if (ab.len)
			assert_memory_equal(ab.buf, ba.buf, ab.len);
		for (i = 0; i < 3; i++)
			bytes_release(&in[i]);
		bytes_release(&ab);
		bytes_release(&ba);
	}
}

static void what_is_absent_can_be_null(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	lines_merge(&out, NULL, 0, NULL, 0, NULL, 0);
	assert_int_equal(out.len, 0);
	lines_merge(&out, NULL, 0, "a\n", 2, NULL, 0);
	assert_string_equal(out.buf, "a\n");
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subscriptions_of_both_sides_are_kept),
		cmocka_unit_test(an_unsubscription_on_one_side_holds),
		cmocka_unit_test(the_order_of_a_user_stays_when_only_one_side_changed),
		cmocka_unit_test(a_header_that_either_side_has_is_in_front),
		cmocka_unit_test(lines_without_end_and_empty_and_doubled_lines_do_no_harm),
		cmocka_unit_test(any_bytes_can_be_merged),
		cmocka_unit_test(what_is_absent_can_be_null),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
