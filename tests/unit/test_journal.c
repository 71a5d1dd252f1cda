/*
 * test_journal.c -- what the daemon tells people.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watchbox.h"

#include "watch/journal.h"

static char said[8192];

/* What do_it() writes to standard error is in said. */
static void listen_to(void (*do_it)(struct journal *j), struct journal *j)
{
	int saved = dup(STDERR_FILENO), p[2];
	ssize_t n;

	assert_int_equal(pipe(p), 0);
	dup2(p[1], STDERR_FILENO);
	close(p[1]);
	do_it(j);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(p[0], said, sizeof(said) - 1);
	said[n > 0 ? n : 0] = '\0';
	close(p[0]);
}

static void twice(struct journal *j)
{
	journal_warn(j, 1000, "/m", "peer '%s' is away", "b");
	journal_warn(j, 5000, "/m", "peer '%s' is away", "b");
	journal_warn(j, 6000, NULL, "peer '%s' is away", "c");
}

static void a_line_is_not_repeated(void **state)
{
	struct journal j = { 0 };

	(void)state;
	listen_to(twice, &j);
	assert_string_equal(said, "git-maildir-watch: /m: peer 'b' is away\ngit-maildir-watch: peer 'c' is away\n");
	listen_to(twice, &j);
	assert_string_equal(said, "");
	/* It had gone, and is back. */
	journal_calm(&j);
	listen_to(twice, &j);
	assert_string_equal(said, "git-maildir-watch: /m: peer 'b' is away\ngit-maildir-watch: peer 'c' is away\n");
}

static void later(struct journal *j)
{
	journal_warn(j, 5000 + 3600 * 1000, "/m", "peer '%s' is away", "b");
}

static void after_an_hour_it_is(void **state)
{
	struct journal j = { 0 };

	(void)state;
	listen_to(twice, &j);
	listen_to(later, &j);
	assert_string_equal(said, "git-maildir-watch: /m: peer 'b' is away\n");
}

static void many(struct journal *j)
{
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 8; i++)
			journal_warn(j, 1000, "/m", "%d", i);
}

static void several_lines_take_turns(void **state)
{
	struct journal j = { 0 };
	size_t n = 0;

	(void)state;
	listen_to(many, &j);
	for (const char *p = said; (p = strchr(p, '\n')); p++)
		n++;
	assert_int_equal(n, 8);
}

static void hostile(struct journal *j)
{
	(void)j;
	journal_say("/m\033[2J\n", "a\tb\x7f%s", "\r\n");
}

static void nothing_unprintable_gets_out(void **state)
{
	(void)state;
	listen_to(hostile, NULL);
	assert_string_equal(said, "git-maildir-watch: /m?[2J?: a?b???\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_not_repeated), cmocka_unit_test(after_an_hour_it_is), cmocka_unit_test(several_lines_take_turns),
		cmocka_unit_test(nothing_unprintable_gets_out),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
