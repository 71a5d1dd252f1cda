/*
 * test_gitcmd.c -- what a git client asks ssh to run: that alone is understood which git itself sends.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/gitcmd.h"

static void accepted(const char *line, enum gitcmd_verb verb, const char *path)
{
	struct gitcmd cmd;

	assert_null(gitcmd_parse(&cmd, line));
	assert_int_equal(cmd.verb, verb);
	assert_string_equal(cmd.path.buf, path);
	gitcmd_release(&cmd);
}

static void what_git_sends_is_understood(void **state)
{
	(void)state;
	accepted("git-upload-pack '/home/joe/Maildir.git'", GITCMD_UPLOAD_PACK, "/home/joe/Maildir.git");
	accepted("git upload-pack 'Maildir.git'", GITCMD_UPLOAD_PACK, "Maildir.git");
	accepted("git-receive-pack '~/Mail dir'", GITCMD_RECEIVE_PACK, "~/Mail dir");
	accepted("git receive-pack 'x'", GITCMD_RECEIVE_PACK, "x");
	accepted("git-receive-pack 'it'\\''s'", GITCMD_RECEIVE_PACK, "it's");
	accepted("git-receive-pack ''\\'''", GITCMD_RECEIVE_PACK, "'");
	accepted("git-receive-pack 'a'\\!'b'", GITCMD_RECEIVE_PACK, "a!b");
	accepted("git-receive-pack '$(id) ; `id` | x \"y\" \\'", GITCMD_RECEIVE_PACK, "$(id) ; `id` | x \"y\" \\");
	accepted("git-receive-pack '\xc3\xa4'", GITCMD_RECEIVE_PACK, "\xc3\xa4");
}

static void everything_else_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "id", "sh", "git", "git ", "git status", "git-upload-pack", "git-upload-pack ", "git-upload-pack x", "git-upload-pack \"x\"", "git-upload-pack  'x'",
		" git-upload-pack 'x'", "git-upload-pack 'x' ", "git-upload-pack 'x' 'y'", "git-upload-pack 'x'; id", "git-upload-pack 'x'\nid", "git-upload-pack 'x", "git-upload-pack '",
		"git-upload-pack ''", "git-upload-pack 'x''y'", "git-upload-pack 'x'\\", "git-upload-pack 'x'\\'", "git-upload-pack 'x'\\'y", "git-upload-pack 'x'\\a'y'", "git-upload-pack 'x'$(id)",
		"git-upload-pack '--upload-pack=id'", "git-upload-pack '-x'", "git-upload-pack --strict 'x'", "git-upload-pack --help", "git-upload-pack 'a\nb'", "git-upload-pack 'a\x7f'", "git-upload-pack 'a\x01'",
		"git-upload-archive 'x'", "git upload-archive 'x'", "git-shell 'x'", "/usr/bin/git-upload-pack 'x'", "git-upload-packs 'x'", "git\tupload-pack 'x'", "GIT-UPLOAD-PACK 'x'",
		"git-receive-pack 'x'#", "scp -t /tmp", "internal-sftp", "/usr/lib/openssh/sftp-server",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct gitcmd cmd;

		if (!gitcmd_parse(&cmd, bad[i]))
			fail_msg("taken: %s", bad[i]);
		gitcmd_release(&cmd);
	}
}

static void a_line_is_shown_without_harm(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	gitcmd_show(&b, "a b\n\x1b[2J\\\xff", 100);
	assert_string_equal(b.buf, "a b\\x0a\\x1b[2J\\\\\\xff");
	bytes_clear(&b);
	gitcmd_show(&b, "abcdef", 3);
	assert_string_equal(b.buf, "abc...");
	bytes_clear(&b);
	gitcmd_show(&b, "abc", 3);
	assert_string_equal(b.buf, "abc");
	bytes_clear(&b);
	gitcmd_show(&b, "", 3);
	assert_string_equal(b.buf, "");
	bytes_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_git_sends_is_understood),
		cmocka_unit_test(everything_else_is_refused),
		cmocka_unit_test(a_line_is_shown_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
