/*
 * test_keyline.c -- lines of authorized_keys.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/keyline.h"

static void is_line(const char *program, const char *root, const char *line)
{
	struct bytes b = { 0 };

	assert_true(keyline(&b, program, root, "mx2", "ssh-ed25519 AAAA joe@mx2"));
	assert_string_equal(b.buf, line);
	bytes_release(&b);
}

static void a_line_is_quoted_for_the_shell_and_for_sshd(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	is_line("/usr/local/bin/git-maildir-shell", "/home/joe", "restrict,command=\"/usr/local/bin/git-maildir-shell --root=/home/joe mx2\" ssh-ed25519 AAAA joe@mx2");
	is_line("/s", NULL, "restrict,command=\"/s mx2\" ssh-ed25519 AAAA joe@mx2");
	is_line("/my dir/s", "/a b", "restrict,command=\"'/my dir/s' --root='/a b' mx2\" ssh-ed25519 AAAA joe@mx2");
	is_line("/s", "/it's", "restrict,command=\"/s --root='/it'\\''s' mx2\" ssh-ed25519 AAAA joe@mx2");
	is_line("/s", "/a\"b", "restrict,command=\"/s --root='/a\\\"b' mx2\" ssh-ed25519 AAAA joe@mx2");
	is_line("/s", "/$(id)\\", "restrict,command=\"/s --root='/$(id)\\' mx2\" ssh-ed25519 AAAA joe@mx2");
	assert_false(keyline(&b, "/s", "/a\nb", "mx2", "key"));
	assert_int_equal(b.len, 0);
	bytes_release(&b);
}

static void a_public_key_is_known(void **state)
{
	static const char rest[] = " AAAAC3NzaC1lZDI1NTE5AAAAI";
	static const char *const good[] = { "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com" };
	struct bytes b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		bytes_clear(&b);
		bytes_addf(&b, "%s%s joe@mx2\nmore", good[i], rest);
		assert_int_equal(keyline_key(b.buf), strlen(good[i]) + strlen(rest) + 8);
	}
	bytes_release(&b);
	assert_int_equal(keyline_key(""), 0);
	assert_int_equal(keyline_key("ssh-ed25519"), 0);
	assert_int_equal(keyline_key("ssh-ed25519 AAAA"), 0);
	assert_int_equal(keyline_key("-----BEGIN OPENSSH PRIVATE KEY-----"), 0);
	assert_int_equal(keyline_key("command=\"x\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), 0);
	assert_int_equal(keyline_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI \x1b[2J"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_quoted_for_the_shell_and_for_sshd),
		cmocka_unit_test(a_public_key_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
