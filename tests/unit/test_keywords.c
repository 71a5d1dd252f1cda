/*
 * test_keywords.c -- dovecot-keywords: which keyword each letter in a message's name means.
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

#include "core/keywords.h"

static void parse(struct keywords *k, const char *text)
{
	memset(k, 0, sizeof(*k));
	keywords_parse(k, text, strlen(text));
}

static void assert_text(const struct keywords *k, const char *want)
{
	struct bytes out = { 0 };

	keywords_format(k, &out);
	assert_string_equal(out.buf ? out.buf : "", want);
	bytes_release(&out);
}

/* What a text becomes when it is read and written again, and what is said of it. */
static void assert_reads_as(const char *text, const char *want, unsigned trouble)
{
	struct keywords k;

	parse(&k, text);
	assert_text(&k, want);
	assert_int_equal(k.trouble, trouble);
	keywords_release(&k);
}

static void a_map_reads_back_as_it_was_written(void **state)
{
	static const char text[] = "0 $Forwarded\n1 Work\n2 NonJunk\n25 \xc3\xa4 b\n";

	(void)state;
	assert_reads_as(text, text, 0);
	assert_reads_as("", "", 0);
	assert_reads_as("3 c\n1 b\n0 a\n", "0 a\n1 b\n3 c\n", 0);
}

static void a_broken_map_is_read_as_far_as_it_makes_sense(void **state)
{
	(void)state;
	assert_reads_as("0 a\n1 b", "0 a\n", KEYWORDS_BAD_LINE);
	assert_reads_as("0 a\n\nx\n1\n2 \n-1 m\n 3 c\n4\tq\n5 z\n", "0 a\n5 z\n", KEYWORDS_BAD_LINE);
	assert_reads_as("0 a\r\n1 b\x01\n2 c\x7f\n3 d\n", "3 d\n", KEYWORDS_BAD_LINE);
	assert_reads_as("0 a\n0 b\n1 c\n", "0 a\n1 c\n", KEYWORDS_TWICE);
	assert_reads_as("0 Work\n1 work\n2 c\n", "0 Work\n2 c\n", KEYWORDS_TWICE);
	assert_reads_as("26 a\n99999999999999999999999 b\n25 c\n", "25 c\n", KEYWORDS_TOO_MANY);
	assert_reads_as("007 a\n", "7 a\n", 0);
	assert_reads_as("0  a\n", "0  a\n", 0);
}

static void a_map_with_a_zero_byte_in_a_name_does_not_end_there(void **state)
{
	struct keywords k = { 0 };

	(void)state;
	keywords_parse(&k, "0 a\0b\n1 c\n", 10);
	assert_text(&k, "1 c\n");
	assert_int_equal(k.trouble, KEYWORDS_BAD_LINE);
	keywords_release(&k);
}

static void of_forty_keywords_the_first_twenty_six_have_letters(void **state)
{
	struct bytes text = { 0 }, want = { 0 };
	unsigned i;

	(void)state;
	for (i = 0; i < 40; i++) {
		bytes_addf(&text, "%u k%u\n", i, i);
		if (i < KEYWORDS_MOST)
			bytes_addf(&want, "%u k%u\n", i, i);
	}
	assert_reads_as(text.buf, want.buf, KEYWORDS_TOO_MANY);
	bytes_release(&text);
	bytes_release(&want);
}

static void any_bytes_make_a_map_that_reads_back(void **state)
{
	static const char good[] = "0 $Forwarded\n1 Work\n2 NonJunk\n3 $MDNSent\n13 later\n25 last\n";
	uint32_t seed = 1;
	int round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct keywords k = { 0 }, again = { 0 };
		struct bytes out = { 0 }, out2 = { 0 };
		char *text = malloc(sizeof(good));
		size_t len;

		assert_non_null(text);
		memcpy(text, good, sizeof(good));
		for (i = 0; i < 4; i++) {
			seed = seed * 1664525 + 1013904223;
			text[(seed >> 8) % sizeof(good)] = "\n \0012wW\xff"[seed >> 24 & 7];
		}
		len = (seed >> 4) % sizeof(good);
		keywords_parse(&k, text, len);
		free(text);
		keywords_format(&k, &out);
		keywords_parse(&again, out.buf, out.len);
		keywords_format(&again, &out2);
		assert_int_equal(again.trouble, 0);
		assert_int_equal(out.len, out2.len);
		assert_memory_equal(out.buf ? out.buf : "", out2.buf ? out2.buf : "", out.len);
		bytes_release(&out);
		bytes_release(&out2);
		keywords_release(&k);
		keywords_release(&again);
	}
}

static void a_keyword_is_found_in_any_case(void **state)
{
	struct keywords k;

	(void)state;
	parse(&k, "0 $Forwarded\n2 Work\n");
	assert_int_equal(keywords_find(&k, "$FORWARDED"), 0);
	assert_int_equal(keywords_find(&k, "work"), 2);
	assert_int_equal(keywords_find(&k, "wor"), -1);
	assert_int_equal(keywords_find(&k, "works"), -1);
	assert_int_equal(keywords_find(&k, ""), -1);
	keywords_release(&k);
}

static void a_new_keyword_gets_the_letter_it_wants_or_the_first_free_one(void **state)
{
	struct keywords k;
	char name[] = "Later";

	(void)state;
	parse(&k, "0 a\n2 c\n");
	assert_int_equal(keywords_add(&k, "C", 5), 2);
	assert_int_equal(keywords_add(&k, name, 7), 7);
	name[0] = 'X';
	assert_int_equal(keywords_add(&k, "b", 7), 1);
	assert_int_equal(keywords_add(&k, "d", -1), 3);
	assert_int_equal(keywords_add(&k, "e", 26), 4);
	assert_int_equal(keywords_add(&k, "", -1), -1);
	assert_int_equal(keywords_add(&k, "x\ny", -1), -1);
	assert_text(&k, "0 a\n1 b\n2 c\n3 d\n4 e\n7 Later\n");
	keywords_release(&k);
}

/* Adds to k all of a map that has no letter left. */
static void fill(struct keywords *k, const char *prefix)
{
	char name[16];
	unsigned i;

	memset(k, 0, sizeof(*k));
	for (i = 0; i < KEYWORDS_MOST; i++) {
		snprintf(name, sizeof(name), "%s%02u", prefix, i);
		assert_int_equal(keywords_add(k, name, -1), i);
	}
}

static void the_twenty_seventh_keyword_gets_no_letter(void **state)
{
	struct keywords k;

	(void)state;
	fill(&k, "k");
	assert_int_equal(keywords_add(&k, "more", -1), -1);
	assert_int_equal(keywords_add(&k, "more", 3), -1);
	assert_int_equal(keywords_add(&k, "K07", -1), 7);
	keywords_release(&k);
}

static void assert_merges(const char *base, const char *a, const char *b, const char *want)
{
	struct keywords kb, ka, kt, ab = { 0 }, ba = { 0 };

	parse(&kb, base ? base : "");
	parse(&ka, a);
	parse(&kt, b);
	keywords_merge(&ab, base ? &kb : NULL, &ka, &kt, NULL, NULL);
	keywords_merge(&ba, base ? &kb : NULL, &kt, &ka, NULL, NULL);
	keywords_release(&kb);
	keywords_release(&ka);
	keywords_release(&kt);
	assert_text(&ab, want);
	assert_text(&ba, want);
	keywords_release(&ab);
	keywords_release(&ba);
}

static void keywords_of_both_sides_keep_their_letters_where_they_can(void **state)
{
	(void)state;
	assert_merges("0 a\n", "0 a\n1 x\n", "0 a\n2 y\n", "0 a\n1 x\n2 y\n");
	assert_merges("0 a\n", "0 a\n1 x\n", "0 a\n1 y\n", "0 a\n1 x\n2 y\n");
	assert_merges("0 a\n", "0 a\n1 y\n2 x\n", "0 a\n1 x\n2 y\n", "0 a\n1 x\n2 y\n");
	assert_merges(NULL, "0 y\n1 z\n", "0 x\n1 z\n", "0 x\n1 z\n2 y\n");
	assert_merges(NULL, "0 y\n", "0 x\n1 w\n", "0 x\n1 w\n2 y\n");
	assert_merges(NULL, "3 m\n", "5 m\n", "3 m\n");
	assert_merges(NULL, "3 m\n", "5 m\n3 b\n", "0 m\n3 b\n");
	assert_merges("0 a\n", "", "", "0 a\n");
	assert_merges("0 a\n", "0 other\n", "", "0 a\n1 other\n");
	assert_merges("0 a\n", "0 z\n", "0 z\n", "0 a\n1 z\n");
	assert_merges("4 a\n", "1 a\n", "2 a\n", "4 a\n");
	assert_merges(NULL, "", "", "");
}

static void a_letter_that_both_sides_gave_to_one_name_is_taken_by_no_smaller_name(void **state)
{
	(void)state;
	assert_merges(NULL, "2 z\n0 y\n", "2 z\n", "0 y\n2 z\n");
	assert_merges("0 q\n", "1 z\n", "1 z\n0 a\n", "0 q\n1 z\n2 a\n");
}

static void two_spellings_of_a_keyword_are_one_keyword(void **state)
{
	(void)state;
	assert_merges(NULL, "1 work\n", "1 Work\n", "1 Work\n");
	assert_merges("0 work\n", "0 work\n", "0 WORK\n1 Work\n", "0 work\n");
	assert_merges(NULL, "2 work\n", "1 Work\n", "1 Work\n");
}

static void a_map_that_is_not_there_adds_nothing(void **state)
{
	struct keywords a, out = { 0 };

	(void)state;
	parse(&a, "0 a\n4 b\n");
	keywords_merge(&out, NULL, &a, NULL, NULL, NULL);
	assert_text(&out, "0 a\n4 b\n");
	keywords_release(&out);
	keywords_merge(&out, NULL, NULL, NULL, NULL, NULL);
	assert_text(&out, "");
	keywords_release(&out);
	keywords_release(&a);
}

static void note_full(void *ctx, const char *name)
{
	bytes_addf(ctx, "%s ", name);
}

static void keywords_for_which_no_letter_is_left_are_told(void **state)
{
	struct keywords a, b, out = { 0 };
	struct bytes told = { 0 };

	(void)state;
	fill(&a, "a");
	parse(&b, "0 zeta\n1 eta\n2 A03\n");
	keywords_merge(&out, NULL, &a, &b, note_full, &told);
	assert_string_equal(told.buf, "eta zeta ");
	assert_int_equal(keywords_find(&out, "a25"), 25);
	bytes_clear(&told);
	keywords_release(&out);
	keywords_merge(&out, &a, &b, NULL, note_full, &told);
	assert_string_equal(told.buf, "eta zeta ");
	bytes_release(&told);
	keywords_release(&out);
	keywords_release(&a);
	keywords_release(&b);
}

static void random_map(struct keywords *k, uint32_t *seed, const struct keywords *base)
{
	char name[8];
	int i, n;

	memset(k, 0, sizeof(*k));
	for (i = 0; base && i < KEYWORDS_MOST; i++)
		if (base->name[i])
			keywords_add(k, base->name[i], i);
	*seed = *seed * 1664525 + 1013904223;
	n = (int)(*seed >> 24 & 15);
	for (i = 0; i < n; i++) {
		*seed = *seed * 1664525 + 1013904223;
		snprintf(name, sizeof(name), "%c%u", *seed >> 30 & 1 ? 'k' : 'K', *seed >> 8 & 31);
		keywords_add(k, name, (int)(*seed >> 16 & 31) - 4);
	}
}

static void assert_same_maps(const struct keywords *a, const struct keywords *b)
{
	struct bytes text = { 0 };

	keywords_format(b, &text);
	assert_text(a, text.buf ? text.buf : "");
	bytes_release(&text);
}

/* What each name of a side becomes: it is there, and where base or both sides have it, at the same letter. */
static void assert_kept(const struct keywords *out, const struct keywords *base, const struct keywords *a, const struct keywords *b, bool full)
{
	int i, at;

	for (i = 0; i < KEYWORDS_MOST; i++) {
		if (base->name[i])
			assert_string_equal(out->name[i], base->name[i]);
		if (!a->name[i])
			continue;
		at = keywords_find(out, a->name[i]);
		assert_true(at >= 0 || full);
		if (!base->name[i] && keywords_find(base, a->name[i]) < 0 && keywords_find(b, a->name[i]) == i)
			assert_int_equal(at, i);
	}
}

static void no_merge_loses_a_keyword_or_depends_on_the_order_of_the_sides(void **state)
{
	uint32_t seed = 7;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		struct keywords base, a, b, ab = { 0 }, ba = { 0 }, aa = { 0 }, more = { 0 };
		struct bytes full = { 0 }, full2 = { 0 };

		random_map(&base, &seed, NULL);
		random_map(&a, &seed, round & 1 ? &base : NULL);
		random_map(&b, &seed, round & 2 ? &base : NULL);
		keywords_merge(&ab, &base, &a, &b, note_full, &full);
		keywords_merge(&ba, &base, &b, &a, note_full, &full2);
		assert_same_maps(&ab, &ba);
		assert_string_equal(full.buf ? full.buf : "", full2.buf ? full2.buf : "");
		assert_kept(&ab, &base, &a, &b, full.len);
		assert_kept(&ab, &base, &b, &a, full.len);
		if (round & 1) {
			keywords_merge(&aa, &base, &a, &a, NULL, NULL);
			assert_same_maps(&aa, &a);
		}
		keywords_merge(&more, &a, &ab, &ab, NULL, NULL);
		if (round & 1)
			assert_kept(&more, &a, &ab, &ab, full.len);
		bytes_release(&full);
		bytes_release(&full2);
		keywords_release(&base);
		keywords_release(&a);
		keywords_release(&b);
		keywords_release(&ab);
		keywords_release(&ba);
		keywords_release(&aa);
		keywords_release(&more);
	}
}

static void make_map(struct keywords_map *m, const char *from, const char *to)
{
	struct keywords f, t;

	parse(&f, from);
	parse(&t, to);
	keywords_map(m, &f, &t);
	keywords_release(&f);
	keywords_release(&t);
}

static void assert_renames(const struct keywords_map *m, const char *name, const char *want)
{
	char out[NAME_LONGEST + 1];
	size_t len = keywords_rename(out, m, name, strlen(name));

	assert_string_equal(out, want);
	assert_int_equal(len, strlen(want));
}

static void letters_go_from_one_map_to_another_by_name(void **state)
{
	struct keywords_map m;

	(void)state;
	make_map(&m, "0 x\n1 y\n2 z\n", "0 Y\n3 x\n5 q\n");
	assert_false(m.same);
	assert_int_equal(m.to[0], 3);
	assert_int_equal(m.to[1], 0);
	assert_int_equal(m.to[2], -1);
	assert_int_equal(m.to[3], -1);
	assert_int_equal(m.to[4], 4);
	assert_int_equal(m.to[5], -1);
	assert_int_equal(m.to[25], 25);
	assert_renames(&m, "1.M1,S=5:2,FSab", "1.M1,S=5:2,FSad");
	assert_renames(&m, "1.M1:2,Sbc", "1.M1:2,Sa");
	assert_renames(&m, "1.M1:2,ca,x=1", "1.M1:2,d,x=1");
	assert_renames(&m, "1.M1:2,ez", "1.M1:2,ez");
	assert_renames(&m, "1.M1:2,f", "1.M1:2,");
}

static void a_name_whose_flags_stay_is_copied_to_the_byte(void **state)
{
	struct keywords_map m, same;
	char long_name[NAME_LONGEST + 2], out[NAME_LONGEST + 1];

	(void)state;
	make_map(&m, "0 x\n1 y\n", "0 y\n1 x\n");
	make_map(&same, "0 x\n4 y\n", "0 X\n4 Y\n");
	assert_true(same.same);
	assert_renames(&m, "1.ab", "1.ab");
	assert_renames(&m, "1.ab:", "1.ab:");
	assert_renames(&m, "1.ab:1,ab", "1.ab:1,ab");
	assert_renames(&m, "1.ab:2,SSF", "1.ab:2,SSF");
	assert_renames(&m, "1.ab:2,zcSa2", "1.ab:2,Sbcz2");
	assert_renames(&m, "1.ab:2,ba", "1.ab:2,ba");
	assert_renames(&same, "1.ab:2,ebS", "1.ab:2,ebS");
	assert_renames(&m, "", "");
	memset(long_name, 'x', sizeof(long_name));
	memcpy(long_name + NAME_LONGEST - 6, ":2,SSa", 6);
	assert_int_equal(keywords_rename(out, &m, long_name, NAME_LONGEST), NAME_LONGEST - 1);
	assert_int_equal(keywords_rename(out, &m, long_name, NAME_LONGEST + 1), 0);
}

static void flags_that_are_no_keywords_stay(void **state)
{
	struct keywords_map m;
	name_flags all = name_flag('S') | name_flag('A') | name_flag('Z') | name_flag('a') | name_flag('b');

	(void)state;
	make_map(&m, "0 x\n1 y\n", "7 x\n1 other\n");
	assert_int_equal(keywords_translate(&m, all), name_flag('S') | name_flag('A') | name_flag('Z') | name_flag('h'));
}

static void there_and_back_every_keyword_that_has_a_letter_is_the_same(void **state)
{
	uint32_t seed = 3;
	int round, i;

	(void)state;
	for (round = 0; round < 5000; round++) {
		struct keywords a, b;
		struct keywords_map there, back;

		random_map(&a, &seed, NULL);
		random_map(&b, &seed, NULL);
		keywords_map(&there, &a, &b);
		keywords_map(&back, &b, &a);
		for (i = 0; i < KEYWORDS_MOST; i++)
			assert_true(there.to[i] < 0 || back.to[there.to[i]] == i);
		keywords_release(&a);
		keywords_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_map_reads_back_as_it_was_written),
		cmocka_unit_test(a_broken_map_is_read_as_far_as_it_makes_sense),
		cmocka_unit_test(a_map_with_a_zero_byte_in_a_name_does_not_end_there),
		cmocka_unit_test(of_forty_keywords_the_first_twenty_six_have_letters),
		cmocka_unit_test(any_bytes_make_a_map_that_reads_back),
		cmocka_unit_test(a_keyword_is_found_in_any_case),
		cmocka_unit_test(a_new_keyword_gets_the_letter_it_wants_or_the_first_free_one),
		cmocka_unit_test(the_twenty_seventh_keyword_gets_no_letter),
		cmocka_unit_test(keywords_of_both_sides_keep_their_letters_where_they_can),
		cmocka_unit_test(a_letter_that_both_sides_gave_to_one_name_is_taken_by_no_smaller_name),
		cmocka_unit_test(two_spellings_of_a_keyword_are_one_keyword),
		cmocka_unit_test(a_map_that_is_not_there_adds_nothing),
		cmocka_unit_test(keywords_for_which_no_letter_is_left_are_told),
		cmocka_unit_test(no_merge_loses_a_keyword_or_depends_on_the_order_of_the_sides),
		cmocka_unit_test(letters_go_from_one_map_to_another_by_name),
		cmocka_unit_test(a_name_whose_flags_stay_is_copied_to_the_byte),
		cmocka_unit_test(flags_that_are_no_keywords_stay),
		cmocka_unit_test(there_and_back_every_keyword_that_has_a_letter_is_the_same),
	};

	return cmocka_run_group_tests_name("keywords", tests, NULL, NULL);
}
