/*
 * test_marker.c -- the marker of a folder: its id and its odd dates.
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

#include "core/marker.h"

#define ID_A "3fa426069921046bd73f000083ecc375"
#define ID_B "4fa426069921046bd73f000083ecc375"
#define HEAD "git-maildir folder 1\n"

static void parse(struct marker *m, const char *text)
{
	memset(m, 0, sizeof(*m));
	marker_parse(m, text, strlen(text));
}

static void assert_text(const struct marker *m, const char *want)
{
	struct bytes out = { 0 };

	marker_format(m, &out);
	assert_string_equal(out.buf, want);
	bytes_release(&out);
}

/* What a text becomes when it is read and written again. */
static void assert_reads_as(const char *text, const char *want)
{
	struct marker m;

	parse(&m, text);
	assert_text(&m, want);
	marker_release(&m);
}

static void set(struct marker *m, const char *key, int64_t mtime)
{
	marker_set(m, key, strlen(key), mtime);
}

static int64_t mtime(const struct marker *m, const char *key)
{
	return marker_mtime(m, key, strlen(key));
}

static void a_marker_reads_back_as_it_was_written(void **state)
{
	static const char text[] = HEAD "id " ID_A "\n"
		"date 1107569105 1795432857.M105140P16343.vm,S=112,W=119\n"
		"date 0 1795432858.M1\n"
		"date 12 foo %\n"
		"date 13 msg.\xff\n";

	(void)state;
	assert_reads_as(text, text);
	assert_reads_as(HEAD, HEAD);
	assert_reads_as("", HEAD);
}

static void a_broken_marker_is_read_as_far_as_it_makes_sense(void **state)
{
	(void)state;
	assert_reads_as("id " ID_A "\nid " ID_B "\n", HEAD "id " ID_A "\n");
	assert_reads_as("id 3FA426069921046BD73F000083ECC375\nid x\nid \nid\n", HEAD);
	assert_reads_as("id " ID_A, HEAD);
	assert_reads_as("what is this\n\ndate 5 a\r\n", HEAD);
	assert_reads_as("date -5 a\ndate a\ndate  a\ndate 5\ndate 5 \ndate 5x a\n", HEAD);
	assert_reads_as("date 5 a:2,S\ndate 5 a/b\ndate 5 .a\n", HEAD);
	assert_reads_as("date 99999999999999999999999 a\ndate 1099511627776 a\n", HEAD);
	assert_reads_as("date 1 b\ndate 2 a\ndate 3 b\ndate 4", HEAD "date 2 a\ndate 1 b\n");
	assert_reads_as("date 007 a\n", HEAD "date 7 a\n");
}

static void any_bytes_make_a_marker_that_reads_back(void **state)
{
	static const char good[] = HEAD "id " ID_A "\ndate 1107569105 1795432857.M1,S=112\ndate 5 a\ndate 6 b\n";
	uint32_t seed = 1;
	int round, i;

	(void)state;
	for (round = 0; round < 5000; round++) {
		struct marker m = { 0 }, again = { 0 };
		struct bytes out = { 0 }, out2 = { 0 };
		char *text = malloc(sizeof(good));
		size_t len;

		assert_non_null(text);
		memcpy(text, good, sizeof(good));
		for (i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % sizeof(good)] = "\n \0id4:\xff"[seed >> 24 & 7];
		}
		len = (seed >> 4) % sizeof(good);
		marker_parse(&m, text, len);
		free(text);
		marker_format(&m, &out);
		marker_parse(&again, out.buf, out.len);
		marker_format(&again, &out2);
		assert_string_equal(out.buf, out2.buf);
		bytes_release(&out);
		bytes_release(&out2);
		marker_release(&m);
		marker_release(&again);
	}
}

static void the_date_is_in_the_marker_or_in_the_name_or_unknown(void **state)
{
	struct marker m;

	(void)state;
	parse(&m, "date 5 1795432857.M1\ndate 6 msg.a\n");
	assert_int_equal(mtime(&m, "1795432857.M1"), 5);
	assert_int_equal(mtime(&m, "1795432857.M2"), 1795432857);
	assert_int_equal(mtime(&m, "msg.a"), 6);
	assert_int_equal(mtime(&m, "msg.b"), -1);
	assert_int_equal(mtime(&m, ""), -1);
	marker_release(&m);
}

static void only_an_odd_date_is_noted(void **state)
{
	struct marker m = { 0 };

	(void)state;
	set(&m, "1795432857.M1", 1795432857);
	assert_int_equal(m.n, 0);
	set(&m, "1795432857.M1", 5);
	set(&m, "100.b", 6);
	set(&m, "zzz", 0);
	set(&m, "100.b", 7);
	assert_text(&m, HEAD "date 7 100.b\ndate 5 1795432857.M1\ndate 0 zzz\n");
	set(&m, "1795432857.M1", 1795432857);
	set(&m, "zzz", -1);
	marker_forget(&m, "no such", 7);
	assert_text(&m, HEAD "date 7 100.b\n");
	marker_forget(&m, "100.b", 5);
	assert_text(&m, HEAD);
	marker_release(&m);
}

static void a_key_cannot_smuggle_in_a_line(void **state)
{
	struct marker m = { 0 };

	(void)state;
	set(&m, "a\nid " ID_A, 5);
	set(&m, "a:2,S", 5);
	set(&m, "", 5);
	set(&m, "a", (int64_t)1 << 40);
	assert_int_equal(m.n, 0);
	marker_release(&m);
}

static void many_dates_can_come_in_any_order(void **state)
{
	struct marker m = { 0 };
	char key[32];
	unsigned i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		int n = snprintf(key, sizeof(key), "k%u", i * 7919 % 10000);

		marker_add(&m, key, (size_t)n, 20000 - i);
	}
	marker_sort(&m);
	assert_int_equal(m.n, 10000);
	for (i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%u", i * 7919 % 10000);
		assert_int_equal(mtime(&m, key), 10000 - i);
		if (i)
			assert_true(strcmp(m.v[i - 1].key, m.v[i].key) < 0);
	}
	marker_release(&m);
}

static void assert_merges(const char *base, const char *a, const char *b, const char *want)
{
	struct marker mb, ma, mt, ab = { 0 }, ba = { 0 };

	parse(&mb, base ? base : "");
	parse(&ma, a);
	parse(&mt, b);
	marker_merge(&ab, base ? &mb : NULL, &ma, &mt);
	marker_merge(&ba, base ? &mb : NULL, &mt, &ma);
	assert_text(&ab, want);
	assert_text(&ba, want);
	marker_release(&mb);
	marker_release(&ma);
	marker_release(&mt);
	marker_release(&ab);
	marker_release(&ba);
}

static void dates_merge_three_way_by_key(void **state)
{
	(void)state;
	assert_merges("date 1 a\n", "date 1 a\n", "date 1 a\n", HEAD "date 1 a\n");
	assert_merges("date 1 a\n", "date 2 a\n", "date 1 a\n", HEAD "date 2 a\n");
	assert_merges("date 1 a\n", "", "date 1 a\n", HEAD);
	assert_merges("date 1 a\n", "", "date 2 a\n", HEAD "date 2 a\n");
	assert_merges("date 1 a\n", "date 3 a\n", "date 2 a\n", HEAD "date 2 a\n");
	assert_merges("date 1 a\n", "", "", HEAD);
	assert_merges("", "date 1 a\ndate 3 c\n", "date 2 b\n", HEAD "date 1 a\ndate 2 b\ndate 3 c\n");
	assert_merges(NULL, "date 1 a\n", "date 2 a\ndate 3 b\n", HEAD "date 1 a\ndate 3 b\n");
}

static void the_id_of_a_folder_is_not_lost(void **state)
{
	(void)state;
	assert_merges("id " ID_A "\n", "id " ID_A "\n", "id " ID_A "\n", HEAD "id " ID_A "\n");
	assert_merges("id " ID_A "\n", "id " ID_B "\n", "id " ID_A "\n", HEAD "id " ID_B "\n");
	assert_merges("id " ID_A "\n", "", "id " ID_A "\n", HEAD "id " ID_A "\n");
	assert_merges("id " ID_A "\n", "", "id " ID_B "\n", HEAD "id " ID_B "\n");
	assert_merges("id " ID_A "\n", "", "", HEAD "id " ID_A "\n");
	assert_merges(NULL, "id " ID_B "\n", "id " ID_A "\n", HEAD "id " ID_A "\n");
	assert_merges(NULL, "id " ID_B "\n", "", HEAD "id " ID_B "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_marker_reads_back_as_it_was_written),
		cmocka_unit_test(a_broken_marker_is_read_as_far_as_it_makes_sense),
		cmocka_unit_test(any_bytes_make_a_marker_that_reads_back),
		cmocka_unit_test(the_date_is_in_the_marker_or_in_the_name_or_unknown),
		cmocka_unit_test(only_an_odd_date_is_noted),
		cmocka_unit_test(a_key_cannot_smuggle_in_a_line),
		cmocka_unit_test(many_dates_can_come_in_any_order),
		cmocka_unit_test(dates_merge_three_way_by_key),
		cmocka_unit_test(the_id_of_a_folder_is_not_lost),
	};

	return cmocka_run_group_tests_name("marker", tests, NULL, NULL);
}
