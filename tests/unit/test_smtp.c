/*
 * test_smtp.c -- what a mail server says by SMTP, taken apart: commands, messages, and whom an address means.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mailbox.h"
#include "core/smtp_data.h"
#include "core/smtp_line.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* The message, when the bytes come in pieces of this size. */
static void message(const char *in, size_t len, size_t piece, struct bytes *out, size_t *taken)
{
	struct smtp_data d = { 0 };

	*taken = 0;
	bytes_add(out, "", 0);
	while (*taken < len && !d.done) {
		size_t n = len - *taken < piece ? len - *taken : piece;
		size_t k = smtp_data_feed(&d, in + *taken, n, out);

		assert_true(k == n || d.done);
		*taken += k;
	}
	assert_true(d.done);
}

static void a_message_ends_where_it_ends_and_is_what_it_was(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ ".\r\n", "" },
		{ "A: b\r\n\r\nx\r\n.\r\n", "A: b\n\nx\n" },
		{ "A: b\r\n\r\n..\r\n.x\r\n...\r\n.\r\n", "A: b\n\n.\nx\n..\n" },
		{ "A: b\r\n\r\nx\n.\ny\r\n.\r\n", "A: b\n\nx\n.\ny\n" },
		{ "A: b\r\n\r\nx\n.\r\ny\r\n.\r\n", "A: b\n\nx\n.\ny\n" },
		{ "A: b\r\n\r\nx\r\n.\ny\r\n.\r\n", "A: b\n\nx\n\ny\n" },
		{ "A: b\r\n\r\nx\r.\ry\r\n.\r\n", "A: b\n\nx\r.\ry\n" },
		{ "A: b\r\n\r\nx\r\n.\ry\r\n.\r\n", "A: b\n\nx\n\ry\n" },
		{ "A: b\r\n\r\nx\r\n.\r\r\n.\r\n", "A: b\n\nx\n\r\n" },
		{ "A: b\r\n\r\nx\r\r\n.\r\n", "A: b\n\nx\r\n" },
		{ "text\r\n.\r\n", "\ntext\n" },
		{ "A: b\r\ntext\r\nC: d\r\n.\r\n", "A: b\n\ntext\nC: d\n" },
		{ "A: b\r\n c\r\nD : e\r\n.\r\n", "A: b\n c\nD : e\n" },
		{ " c\r\nA: b\r\n.\r\n", "\n c\nA: b\n" },
		{ ": b\r\n.\r\n", "\n: b\n" },
		{ "A b: c\r\n.\r\n", "\nA b: c\n" },
		{ "From me\r\nA: b\r\n\r\nFrom me\r\n.\r\n", "A: b\n\nFrom me\n" },
		{ "From me\r\nFrom you\r\n.\r\n", "\nFrom you\n" },
		{ "From: me\r\n.\r\n", "From: me\n" },
		{ "From\r\n.\r\n", "\nFrom\n" },
		{ "A: b\nC\r\n.\r\n", "A: b\n\nC\n" },
	};
	char more[200];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t piece = 1; piece < 60; piece++) {
			struct bytes out = { 0 };
			size_t taken;

			/* What follows is the next command. */
			snprintf(more, sizeof(more), "%sQUIT\r\n", cases[i].in);
			message(more, strlen(more), piece, &out, &taken);
			assert_string_equal(out.buf, cases[i].out);
			assert_int_equal(taken, strlen(cases[i].in));
			bytes_release(&out);
		}
}

static void a_line_of_the_header_can_be_long_and_a_name_cannot(void **state)
{
	(void)state;
	for (size_t len = 1; len < 2 * SMTP_NAME_MOST; len++) {
		struct bytes in = { 0 }, out = { 0 };
		size_t taken;

		for (size_t i = 0; i < len; i++)
			bytes_add(&in, "x", 1);
		bytes_addstr(&in, ": y\r\n.\r\n");
		message(in.buf, in.len, 7, &out, &taken);
		assert_true(out.len == len + 4 || (out.len == len + 5 && out.buf[0] == '\n'));
		assert_int_equal(out.buf[0] == '\n', len > SMTP_NAME_MOST);
		bytes_release(&in);
		bytes_release(&out);
	}
}

static void commands_are_taken_apart(void **state)
{
	static const struct {
		const char *line;
		enum smtp_verb verb;
		const char *local, *domain, *address;
	} cases[] = {
		{ "EHLO x", SMTP_EHLO, "", "", "" },
		{ "helo x", SMTP_HELO, "", "", "" },
		{ "QUIT", SMTP_QUIT, "", "", "" },
		{ "quit ", SMTP_QUIT, "", "", "" },
		{ "NOOP what ever", SMTP_NOOP, "", "", "" },
		{ "MAIL FROM:<>", SMTP_MAIL, "", "", "" },
		{ "MAIL FROM:<> SIZE=1", SMTP_MAIL, "", "", "" },
		{ "MAIL FROM:<a@b> SIZE=12 BODY=7bit SMTPUTF8 RET=HDRS ENVID=x AUTH=<>", SMTP_MAIL, "a", "b", "a@b" },
		{ "Mail From: <a@b>", SMTP_MAIL, "a", "b", "a@b" },
		{ "MAIL FROM:a@b size=1", SMTP_MAIL, "a", "b", "a@b" },
		{ "RCPT TO:<@x,@y:a@b>", SMTP_RCPT, "a", "b", "a@b" },
		{ "RCPT TO:<postmaster>", SMTP_RCPT, "postmaster", "", "postmaster" },
		{ "RCPT TO:<\"a \\\"@b\"@c> NOTIFY=NEVER ORCPT=rfc822;a@b", SMTP_RCPT, "a \"@b", "c", "\"a \\\"@b\"@c" },
		{ "RCPT TO:<a@[1.2.3.4]>", SMTP_RCPT, "a", "[1.2.3.4]", "a@[1.2.3.4]" },
	};
	static const char *const bad[] = {
		"", " ", "MAIL", "MAIL FROM", "MAIL FROM:", "MAIL FROM:<", "MAIL FROM:<a", "MAIL FROM:<a@", "MAIL FROM:<a@>", "MAIL FROM:<a@b", "MAIL FROM:<a@b>x", "MAIL FROM:<@x:>",
		"MAIL FROM:<@x>", "MAIL FROM:<a@b@c>", "MAIL FROM:<a b@c>", "MAIL FROM:<\"a@c>", "MAIL FROM:<\"a", "MAIL FROM:<\"", "MAIL FROM:<\"\\", "MAIL FROM:<a@b> SIZE=", "MAIL FROM:<a@b> SIZE=-1",
		"MAIL FROM:<a@b> X=1", "MAIL FROM:<a@b> SMTPUTF8=1", "RCPT TO:<>", "RCPT TO:<a@b> SIZE=1", "DATA now", "EHLO", "EHLO ", "MAIL FROM:<a\tb@c>",
	};
	struct smtp_line cmd;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_null(smtp_line(&cmd, cases[i].line, strlen(cases[i].line)));
		assert_int_equal(cmd.verb, cases[i].verb);
		assert_string_equal(cmd.local, cases[i].local);
		assert_string_equal(cmd.domain, cases[i].domain);
		assert_string_equal(cmd.address, cases[i].address);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		const char *said = smtp_line(&cmd, bad[i], strlen(bad[i]));

		assert_non_null(said);
		assert_int_equal(said[0], '5');
	}
	assert_non_null(smtp_line(&cmd, "NOOP \0", 6));
}

static void an_address_means_a_directory_below_its_place(void **state)
{
	static const struct {
		const char *pattern, *local, *domain, *path;
	} cases[] = {
		{ "/v/%d/%u/Maildir", "Joe.Doe", "Example.ORG", "/v/example.org/joe.doe/Maildir" },
		{ "/v/%u", "joe+lists", "", "/v/joe" },
		{ "/v/%u%%%u", "a_b-c=1", "", "/v/a_b-c=1%a_b-c=1" },
		{ "/v/%%u", "joe", "", "/v/%u" },
		{ "/v", "../x", "..", "/v" },
		{ "/v/%u", "..", "", NULL },
		{ "/v/%u", ".joe", "", NULL },
		{ "/v/%u", "", "", NULL },
		{ "/v/%u", "+x", "", NULL },
		{ "/v/%u", "a/b", "", NULL },
		{ "/v/%u", "a\\b", "", NULL },
		{ "/v/%u", "a b", "", NULL },
		{ "/v/%u", "j\xc3\xb6", "", NULL },
		{ "/v/%d/%u", "joe", "", NULL },
		{ "/v/%d/%u", "joe", "..", NULL },
		{ "/v/%d/%u", "joe", "[1.2.3.4]", NULL },
		{ "/v/%d/%u", "joe", "a/b", NULL },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes out = { 0 };
		int rc = mailbox_path(cases[i].pattern, cases[i].local, cases[i].domain, &out, &err);

		assert_int_equal(rc, cases[i].path ? 0 : ERR_NOTFOUND);
		if (cases[i].path)
			assert_string_equal(out.buf, cases[i].path);
		bytes_release(&out);
	}
	assert_int_equal(mailbox_check("/v/%d/%u/%%", &err), 0);
	assert_int_equal(mailbox_check("/v/%x", &err), ERR_UNSAFE);
	assert_int_equal(mailbox_check("/v/%", &err), ERR_UNSAFE);
	assert_true(mailbox_varies("/v/%u"));
	assert_false(mailbox_varies("/v/%%u"));
	assert_int_equal(mailbox_fixed("/v/x%d/%u"), 3);
	assert_int_equal(mailbox_fixed("%u"), 0);
	assert_int_equal(mailbox_fixed("/v/%%/%u"), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_ends_where_it_ends_and_is_what_it_was),
		cmocka_unit_test(a_line_of_the_header_can_be_long_and_a_name_cannot),
		cmocka_unit_test(commands_are_taken_apart),
		cmocka_unit_test(an_address_means_a_directory_below_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
