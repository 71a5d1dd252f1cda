/*
 * test_uidlist.c -- dovecot-uidlist: which IMAP UID each message of a folder has.
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

#include "core/uidlist.h"

#define GUID "3fa426069921046bd73f000083ecc375"
#define HEAD "3 V5 N8 G" GUID "\n"

static void parse(struct uidlist *l, const char *text)
{
	memset(l, 0, sizeof(*l));
	uidlist_parse(l, text, strlen(text));
}

static void assert_text(const struct uidlist *l, const char *want)
{
	struct bytes out = { 0 };

	uidlist_format(l, &out);
	assert_string_equal(out.buf ? out.buf : "", want);
	bytes_release(&out);
}

/* What a text becomes when it is read and written again, and what is said of it. */
static void assert_reads_as(const char *text, const char *want, unsigned trouble)
{
	struct uidlist l;

	parse(&l, text);
	assert_text(&l, want);
	assert_int_equal(l.trouble, trouble);
	uidlist_release(&l);
}

static uint32_t uid_of(struct uidlist *l, const char *key)
{
	const struct uidlist_line *line = uidlist_find(l, key, strlen(key));

	return line ? line->uid : 0;
}

static void a_list_reads_back_as_it_was_written(void **state)
{
	static const char text[] = "3 V1795432857 N8 G" GUID " P2\n"
		"5 G1795433502.M559893P22549.vm,S=112,W=119 :1795433503.M211378P22567.vm,S=112,W=119\n"
		"6 Pa:b/c W3 :1795433504.a b\n"
		"7 :1795433510.M105140P16343.vm,S=112,W=119\n";

	(void)state;
	assert_reads_as(text, text, 0);
	assert_reads_as("3 V1 N1\n", "3 V1 N1\n", 0);
	assert_reads_as("3 V4294967295 N4294967295\n4294967294 :a\n", "3 V4294967295 N4294967295\n4294967294 :a\n", 0);
}

static void a_header_is_written_in_one_order_only(void **state)
{
	(void)state;
	assert_reads_as("3  X9 G3FA426069921046BD73F000083ECC375 N8 B V5  A1 \n", "3 V5 N8 G" GUID " A1 B X9\n", 0);
	assert_reads_as("3 V4 N3 V5 N8\n", "3 V5 N8\n", 0);
}

static void a_stale_next_uid_is_made_the_real_one(void **state)
{
	(void)state;
	assert_reads_as("3 V5 N1\n1 :a\n6 :b\n", "3 V5 N7\n1 :a\n6 :b\n", 0);
	assert_reads_as("3 V5 N9\n1 :a\n", "3 V5 N9\n1 :a\n", 0);
}

static void no_list_is_no_trouble(void **state)
{
	struct uidlist l;

	(void)state;
	parse(&l, "");
	assert_false(l.known);
	assert_int_equal(l.validity, 0);
	assert_int_equal(l.next, 1);
	assert_int_equal(l.trouble, 0);
	assert_null(uidlist_find(&l, "a", 1));
	assert_text(&l, "");
	uidlist_release(&l);
}

static void a_header_that_is_not_understood_makes_the_list_foreign(void **state)
{
	static const char *const heads[] = {
		"1 5 8", "4 V5 N8", "3", "3 ", "3V5 N8", "x", "", " 3 V5 N8", "3 V5", "3 N8", "3 V0 N8", "3 V5 N0", "3 V N8",
		"3 V5 Nx", "3 V5x N8", "3 V-5 N8", "3 V4294967296 N8", "3 V5 N4294967296", "3 V5 N99999999999999999999999",
		"3 V5 N8\r", "3 V5\tN8", "3 V5 N8 G", "3 V5 N8 G3fa4", "3 V5 N8 Gxfa426069921046bd73f000083ecc375",
		"3 V5 N8 G3fa426069921046bd73f000083ecc3755", "33 V5 N8"
	};
	struct bytes text = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		struct uidlist l;

		bytes_clear(&text);
		bytes_addf(&text, "%s\n1 :a\n", heads[i]);
		parse(&l, text.buf);
		assert_false(l.known);
		assert_int_equal(l.trouble, UIDLIST_FOREIGN);
		assert_int_equal(l.n, 0);
		assert_int_equal(l.validity, 0);
		assert_int_equal(l.next, 1);
		assert_string_equal(l.guid, "");
		assert_null(l.extra);
		uidlist_release(&l);
	}
	bytes_release(&text);
	assert_reads_as("3 V5 N8", "", UIDLIST_FOREIGN | UIDLIST_TORN);
}

static void a_torn_line_is_left_out_but_its_uid_was_given(void **state)
{
	(void)state;
	assert_reads_as(HEAD "3 :a\n8 :b", "3 V5 N9 G" GUID "\n3 :a\n", UIDLIST_TORN);
	assert_reads_as(HEAD "3 :a\n12", "3 V5 N13 G" GUID "\n3 :a\n", UIDLIST_TORN);
	assert_reads_as(HEAD "3 :a\n9x", HEAD "3 :a\n", UIDLIST_TORN);
	assert_reads_as(HEAD "3 :a\n3", HEAD "3 :a\n", UIDLIST_TORN);
}

static void uids_that_do_not_ascend_are_sorted(void **state)
{
	(void)state;
	assert_reads_as(HEAD "7 :c\n3 :a\n5 :b\n", HEAD "3 :a\n5 :b\n7 :c\n", UIDLIST_UNORDERED);
}

static void of_two_uids_of_a_message_the_larger_counts(void **state)
{
	(void)state;
	assert_reads_as(HEAD "3 :a\n4 :b\n5 :a\n", HEAD "4 :b\n5 :a\n", UIDLIST_TWICE);
	assert_reads_as(HEAD "3 :a\n4 :a\n5 :a\n6 :b\n", HEAD "5 :a\n6 :b\n", UIDLIST_TWICE);
	assert_reads_as(HEAD "5 :a\n3 :a\n", HEAD "5 :a\n", UIDLIST_TWICE | UIDLIST_UNORDERED);
	assert_reads_as(HEAD "3 G1 :a\n3 G2 :a\n", HEAD "3 G2 :a\n", UIDLIST_TWICE);
}

static void a_uid_of_two_messages_is_nobodys(void **state)
{
	(void)state;
	assert_reads_as(HEAD "3 :a\n3 :b\n4 :c\n", HEAD "4 :c\n", UIDLIST_SHARED);
	assert_reads_as(HEAD "3 :a\n4 :c\n3 :b\n3 :a\n", HEAD "4 :c\n", UIDLIST_SHARED | UIDLIST_UNORDERED);
	assert_reads_as(HEAD "3 :a\n3 :b\n5 :b\n", HEAD "5 :b\n", UIDLIST_SHARED);
	assert_reads_as("3 V5 N1\n9 :a\n9 :b\n", "3 V5 N10\n", UIDLIST_SHARED);
}

static void lines_that_are_none_are_left_out(void **state)
{
	static const char *const lines[] = {
		"", "a", ":a", " :a", "5", "5 ", "5 :", "5 a", "5 G1", "5 G1:a", "5:a", "5x :a", "0 :a", "-5 :a", "+5 :a", "4294967295 :a",
		"4294967296 :a", "99999999999999999999999999 :a", "5 :a/b", "5 :/", "5 :a\r", "5 ::2,S"
	};
	struct bytes text = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		bytes_clear(&text);
		bytes_addf(&text, HEAD "1 :x\n%s\n7 :y\n", lines[i]);
		assert_reads_as(text.buf, HEAD "1 :x\n7 :y\n", UIDLIST_BAD_LINE);
	}
	bytes_release(&text);
	/* Their UIDs were given nevertheless. */
	assert_reads_as("3 V5 N1\n9 :a/b\n", "3 V5 N10\n", UIDLIST_BAD_LINE);
	assert_reads_as("3 V5 N1\n9 \n", "3 V5 N10\n", UIDLIST_BAD_LINE);
	assert_reads_as("3 V5 N1\n4294967294 :a/\n", "3 V5 N4294967295\n", UIDLIST_BAD_LINE);
}

static void a_key_with_a_zero_byte_is_none(void **state)
{
	static const char text[] = HEAD "1 :x\n2 :a\0b\n3 G\0 W3 :c\n7 :y\n";
	struct uidlist l = { 0 };

	(void)state;
	uidlist_parse(&l, text, sizeof(text) - 1);
	assert_text(&l, HEAD "1 :x\n3 W3 :c\n7 :y\n");
	assert_int_equal(l.trouble, UIDLIST_BAD_LINE);
	uidlist_release(&l);
}

static void a_key_ends_where_its_flags_begin(void **state)
{
	(void)state;
	assert_reads_as(HEAD "1 :x:2,S\n2 :y:\n", HEAD "1 :x\n2 :y\n", 0);
	assert_reads_as(HEAD "1 :x:2,S\n2 :x:2,\n", HEAD "2 :x\n", UIDLIST_TWICE);
}

static void fields_of_a_line_are_kept_and_what_is_none_is_removed(void **state)
{
	(void)state;
	assert_reads_as(HEAD "1 G1  W2   :x\n", HEAD "1 G1 W2 :x\n", 0);
	assert_reads_as(HEAD "1   G1 :x\n", HEAD "1 G1 :x\n", 0);
	assert_reads_as(HEAD "1 g1 W2 ? :x\n2 q :y\n", HEAD "1 W2 :x\n2 :y\n", 0);
	assert_reads_as(HEAD "007 :x\n", HEAD "7 :x\n", 0);
}

static void a_huge_key_or_field_does_not_fit(void **state)
{
	struct bytes text = { 0 }, want = { 0 };
	size_t i;

	(void)state;
	bytes_addstr(&text, HEAD "1 :");
	for (i = 0; i < 256; i++)
		bytes_addstr(&text, "k");
	bytes_addstr(&text, "\n2 :");
	bytes_addstr(&want, HEAD "2 :");
	for (i = 0; i < 255; i++) {
		bytes_addstr(&text, "k");
		bytes_addstr(&want, "k");
	}
	bytes_addstr(&text, "\n3 G");
	for (i = 0; i < 65535; i++)
		bytes_addstr(&text, "g");
	bytes_addstr(&text, " :x\n4 G");
	bytes_addstr(&want, "\n4 G");
	for (i = 0; i < 65534; i++) {
		bytes_addstr(&text, "g");
		bytes_addstr(&want, "g");
	}
	bytes_addstr(&text, " :x\n");
	bytes_addstr(&want, " :x\n");
	assert_reads_as(text.buf, want.buf, UIDLIST_BAD_LINE);
	bytes_release(&text);
	bytes_release(&want);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* format(parse(x)) is what it is read as, whatever x is. */
static void assert_settles(const char *text, size_t len)
{
	struct uidlist l = { 0 }, again = { 0 };
	struct bytes out = { 0 }, out2 = { 0 };
	size_t i;

	uidlist_parse(&l, text, len);
	for (i = 0; i < l.n; i++) {
		assert_true(l.v[i].uid && l.v[i].uid <= UIDLIST_MOST && l.v[i].uid < l.next);
		assert_true(!i || l.v[i - 1].uid < l.v[i].uid);
		assert_ptr_equal(uidlist_find(&l, l.v[i].key, l.v[i].keylen), &l.v[i]);
	}
	uidlist_format(&l, &out);
	uidlist_parse(&again, out.buf, out.len);
	uidlist_format(&again, &out2);
	assert_int_equal(again.trouble, 0);
	assert_int_equal(again.known, l.known);
	assert_int_equal(out.len, out2.len);
	assert_memory_equal(out.buf ? out.buf : "", out2.buf ? out2.buf : "", out.len);
	bytes_release(&out);
	bytes_release(&out2);
	uidlist_release(&l);
	uidlist_release(&again);
}

static void any_bytes_make_a_list_that_reads_back(void **state)
{
	static const char good[] = "3 V5 N8 G" GUID " P1\n1 :a,S=1\n2 G1 :b\n3 W1 P/ :c\n14 :d\n15 :a:2,S\n4294967294 :e\n";
	static const char noise[] = { '\n', '\n', ' ', '\0', '1', '2', '9', 'a', 'b', 'G', ':', ':', '/', '\r', '\xff' };
	uint32_t seed = 1;
	unsigned round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		size_t len = next_random(&seed) % sizeof(good), at = round & 1 ? sizeof("3 V5 N8 G" GUID " P1\n") - 1 : 0;
		char *text;

		if (len < at || round % 3 == 0)
			len = sizeof(good) - 1;
		/* Exactly as long as the text, so that a read behind it is seen. */
		text = malloc(len ? len : 1);
		assert_non_null(text);
		memcpy(text, good, len);
		for (i = next_random(&seed) % 8; i && len > at; i--) {
			uint32_t r = next_random(&seed);

			text[at + r % (len - at)] = noise[(r >> 12) % sizeof(noise)];
		}
		assert_settles(text, len);
		free(text);
	}
}

static void lines_of_any_bytes_make_a_list_that_reads_back(void **state)
{
	static const char alphabet[] = "\n\n :1239abG/\r";
	uint32_t seed = 2;
	unsigned round, i;

	(void)state;
	for (round = 0; round < 20000; round++) {
		char text[200] = HEAD;
		size_t len = strlen(text);

		for (i = next_random(&seed) % 120; i; i--)
			text[len++] = round % 8 ? alphabet[next_random(&seed) % (sizeof(alphabet) - 1)] : (char)next_random(&seed);
		assert_settles(text, len);
	}
}

static bool is_even(void *ctx, const char *key, size_t keylen)
{
	(void)ctx;
	return (key[keylen - 1] - '0') % 2 == 0;
}

static void lines_of_messages_that_are_gone_go_and_the_next_uid_stays(void **state)
{
	struct uidlist l;

	(void)state;
	parse(&l, HEAD "1 :k1\n2 :k2\n3 :k3\n4 :k4\n5 :k5\n");
	uidlist_keep(&l, is_even, NULL);
	assert_text(&l, HEAD "2 :k2\n4 :k4\n");
	assert_int_equal(uid_of(&l, "k4"), 4);
	assert_int_equal(uid_of(&l, "k5"), 0);
	uidlist_release(&l);
}

static void a_message_is_found_among_many(void **state)
{
	struct bytes text = { 0 };
	struct uidlist l;
	char key[32];
	unsigned i;

	(void)state;
	bytes_addstr(&text, HEAD);
	for (i = 1; i <= 5000; i++)
		bytes_addf(&text, "%u :%u.M%u\n", i * 3, i * 7919 % 5003, i);
	parse(&l, text.buf);
	for (i = 1; i <= 5000; i++) {
		snprintf(key, sizeof(key), "%u.M%u", i * 7919 % 5003, i);
		assert_int_equal(uid_of(&l, key), i * 3);
	}
	assert_int_equal(uid_of(&l, "1.M5001"), 0);
	uidlist_release(&l);
	bytes_release(&text);
}

/* Numbers keys that are given in one string, separated by blanks. */
static size_t number(struct uidlist *l, const char *keys)
{
	struct uidlist_key v[16];
	size_t n = 0;

	while (*keys) {
		size_t len = strcspn(keys, " ");

		v[n++] = (struct uidlist_key){ keys, (uint8_t)len };
		keys += len;
		keys += *keys == ' ';
	}
	return uidlist_number(l, v, n);
}

static void messages_without_a_uid_get_the_next_ones_in_the_order_of_time(void **state)
{
	struct uidlist l;

	(void)state;
	parse(&l, HEAD "3 :7.old\n");
	assert_int_equal(number(&l, "10.b 9.z 10.a 7.old msg.x 9.z 100.a 10.a"), 5);
	assert_text(&l, "3 V5 N13 G" GUID "\n3 :7.old\n8 :msg.x\n9 :9.z\n10 :10.a\n11 :10.b\n12 :100.a\n");
	assert_int_equal(number(&l, "1.new"), 1);
	assert_int_equal(uid_of(&l, "1.new"), 13);
	assert_int_equal(number(&l, "1.new 10.b"), 0);
	assert_int_equal(uidlist_number(&l, NULL, 0), 0);
	uidlist_release(&l);
}

static void a_key_that_no_line_can_hold_gets_no_uid(void **state)
{
	struct uidlist_key v[] = { { "a\n9 :b", 6 }, { "a\r", 2 }, { "a/b", 3 }, { "", 0 }, { NULL, 0 }, { "a\0b", 3 }, { "a:2,S", 5 } };
	struct uidlist l;

	(void)state;
	parse(&l, HEAD);
	assert_int_equal(uidlist_number(&l, v, sizeof(v) / sizeof(*v)), 0);
	assert_text(&l, HEAD);
	uidlist_release(&l);
}

static void when_no_uid_is_left_nothing_gets_one(void **state)
{
	struct uidlist l;

	(void)state;
	parse(&l, "3 V5 N4294967293\n");
	assert_int_equal(number(&l, "1.a 2.b 3.c"), 2);
	assert_text(&l, "3 V5 N4294967295\n4294967293 :1.a\n4294967294 :2.b\n");
	assert_int_equal(number(&l, "3.c"), 0);
	uidlist_release(&l);
}

static void without_a_list_nothing_gets_a_uid(void **state)
{
	struct uidlist l;

	(void)state;
	parse(&l, "");
	assert_int_equal(number(&l, "1.a"), 0);
	uidlist_release(&l);
}

static void a_list_grows_one_message_at_a_time(void **state)
{
	static char keys[1000][8];
	struct uidlist l;
	unsigned i;

	(void)state;
	parse(&l, HEAD);
	for (i = 0; i < 1000; i++) {
		struct uidlist_key k = { keys[i], (uint8_t)snprintf(keys[i], sizeof(keys[i]), "%u", i) };

		assert_int_equal(uidlist_number(&l, &k, 1), 1);
		assert_int_equal(uidlist_number(&l, &k, 1), 0);
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(uid_of(&l, keys[i]), 8 + i);
	uidlist_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_reads_back_as_it_was_written),
		cmocka_unit_test(a_header_is_written_in_one_order_only),
		cmocka_unit_test(a_stale_next_uid_is_made_the_real_one),
		cmocka_unit_test(no_list_is_no_trouble),
		cmocka_unit_test(a_header_that_is_not_understood_makes_the_list_foreign),
		cmocka_unit_test(a_torn_line_is_left_out_but_its_uid_was_given),
		cmocka_unit_test(uids_that_do_not_ascend_are_sorted),
		cmocka_unit_test(of_two_uids_of_a_message_the_larger_counts),
		cmocka_unit_test(a_uid_of_two_messages_is_nobodys),
		cmocka_unit_test(lines_that_are_none_are_left_out),
		cmocka_unit_test(a_key_with_a_zero_byte_is_none),
		cmocka_unit_test(a_key_ends_where_its_flags_begin),
		cmocka_unit_test(fields_of_a_line_are_kept_and_what_is_none_is_removed),
		cmocka_unit_test(a_huge_key_or_field_does_not_fit),
		cmocka_unit_test(any_bytes_make_a_list_that_reads_back),
		cmocka_unit_test(lines_of_any_bytes_make_a_list_that_reads_back),
		cmocka_unit_test(lines_of_messages_that_are_gone_go_and_the_next_uid_stays),
		cmocka_unit_test(a_message_is_found_among_many),
		cmocka_unit_test(messages_without_a_uid_get_the_next_ones_in_the_order_of_time),
		cmocka_unit_test(a_key_that_no_line_can_hold_gets_no_uid),
		cmocka_unit_test(when_no_uid_is_left_nothing_gets_one),
		cmocka_unit_test(without_a_list_nothing_gets_a_uid),
		cmocka_unit_test(a_list_grows_one_message_at_a_time),
	};

	return cmocka_run_group_tests_name("uidlist", tests, NULL, NULL);
}
