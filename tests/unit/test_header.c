/*
 * test_header.c -- fields of message headers, and how they are shown.
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

#include "core/header.h"

static const char *field(struct bytes *b, const char *message, const char *name)
{
	bytes_clear(b);
	return header_field(message, strlen(message), name, b) ? (b->buf && b->len ? b->buf : "") : NULL;
}

static void a_field_is_found_in_any_case(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	assert_string_equal(field(&b, "From: a\nMESSAGE-id: <x@y>\n\n", "Message-ID"), "<x@y>");
	assert_string_equal(field(&b, "From: a\r\nSubject : \t hello \r\n\r\n", "Subject"), "hello");
	assert_string_equal(field(&b, "Subject: last line without an end", "Subject"), "last line without an end");
	assert_string_equal(field(&b, "Subject:\n\n", "Subject"), "");
	bytes_release(&b);
}

static void a_folded_field_is_one_line(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	assert_string_equal(field(&b, "Message-ID:\r\n <x@y>\r\nTo: b\r\n\r\n", "Message-ID"), "<x@y>");
	assert_string_equal(field(&b, "Subject: one\n\ttwo  \n   three\nTo: b\n\n", "Subject"), "one two three");
	bytes_release(&b);
}

static void the_body_is_no_header(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	assert_null(field(&b, "From: a\n\nSubject: body\n", "Subject"));
	assert_null(field(&b, "From: a\r\n\r\nSubject: body\r\n", "Subject"));
	assert_null(field(&b, "\nSubject: body\n", "Subject"));
	assert_null(field(&b, "X-Subject: other\nSubjects: more\n folded Subject: x\n\n", "Subject"));
	assert_null(field(&b, "", "Subject"));
	bytes_release(&b);
}

static void a_huge_field_is_cut(void **state)
{
	struct bytes m = { 0 }, b = { 0 };

	(void)state;
	bytes_addstr(&m, "Subject: ");
	for (int i = 0; i < 5000; i++)
		bytes_addstr(&m, "xxxxxxxxx\n ");
	assert_true(header_field(m.buf, m.len, "Subject", &b));
	assert_true(b.len <= 2000 && b.len > 1900);
	bytes_release(&m);
	bytes_release(&b);
}

static void any_bytes_are_fine(void **state)
{
	static const char m[] = "\0: x\nSub\0ject: y\nSubject: a\0b\n\n";
	struct bytes b = { 0 };

	(void)state;
	assert_true(header_field(m, sizeof(m) - 1, "Subject", &b));
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.buf, "a\0b", 3);
	bytes_release(&b);
}

static void assert_bare(const char *s, const char *wanted)
{
	size_t len;
	const char *bare = header_bare_id(s, strlen(s), &len);

	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(bare, wanted, len);
}

static void an_id_is_bare_without_brackets(void **state)
{
	(void)state;
	assert_bare("<x@y>", "x@y");
	assert_bare("  <x@y> (comment)", "x@y");
	assert_bare(" x@y\t", "x@y");
	assert_bare("<x@y", "<x@y");
	assert_bare("<>", "<>");
	assert_bare("", "");
}

static void assert_shown(const char *s, size_t most, const char *wanted)
{
	struct bytes b = { 0 };

	bytes_add(&b, "", 0);
	header_show(&b, s, strlen(s), most);
	assert_string_equal(b.buf ? b.buf : "", wanted);
	bytes_release(&b);
}

static void what_is_shown_does_a_terminal_no_harm(void **state)
{
	(void)state;
	assert_shown("plain", 100, "plain");
	assert_shown("gr\303\274n \342\202\254", 100, "gr\303\274n \342\202\254");
	assert_shown("\033[2J\007\177", 100, "?[2J??");
	assert_shown("c1 \302\233 x", 100, "c1 ? x");
	assert_shown("bidi \342\200\256 x \342\201\246", 100, "bidi ? x ?");
	assert_shown("broken \377\303 \303", 100, "broken ?? ?");
	assert_shown("overlong \300\257 \340\200\257", 100, "overlong ?? ???");
	assert_shown("surrogate \355\240\200", 100, "surrogate ???");
	assert_shown("a \t\r\n b", 100, "a b");
	assert_shown("cut here", 3, "cut");
	assert_shown("ab\303\274", 3, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_found_in_any_case),
		cmocka_unit_test(a_folded_field_is_one_line),
		cmocka_unit_test(the_body_is_no_header),
		cmocka_unit_test(a_huge_field_is_cut),
		cmocka_unit_test(any_bytes_are_fine),
		cmocka_unit_test(an_id_is_bare_without_brackets),
		cmocka_unit_test(what_is_shown_does_a_terminal_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
