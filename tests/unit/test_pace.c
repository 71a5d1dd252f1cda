/*
 * test_pace.c -- when a watch acts: bursts of changes, and peers that do not answer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/pace.h"

static void nothing_is_due_when_nothing_changed(void **state)
{
	struct pace p = { 0 };

	(void)state;
	assert_true(pace_due(&p, 50) == PACE_NEVER);
	pace_touch(&p, 100);
	pace_done(&p);
	assert_true(pace_due(&p, 50) == PACE_NEVER);
}

static void a_change_is_due_after_the_settle_time(void **state)
{
	struct pace p = { 0 };

	(void)state;
	pace_touch(&p, 1000);
	assert_int_equal(pace_due(&p, 50), 1050);
	assert_int_equal(pace_due(&p, 0), 1000);
	pace_touch(&p, 1030);
	assert_int_equal(pace_due(&p, 50), 1080);
}

static void constant_change_is_due_after_the_longest_time(void **state)
{
	struct pace p = { 0 };

	(void)state;
	for (int64_t t = 1000; t <= 3000; t += 10)
		pace_touch(&p, t);
	assert_int_equal(pace_due(&p, 50), 1000 + PACE_LONGEST);
	/* With a settle time that is longer, that is the longest. */
	assert_int_equal(pace_due(&p, 800), 1800);
	pace_done(&p);
	pace_touch(&p, 3010);
	assert_int_equal(pace_due(&p, 50), 3060);
}

static void pauses_grow_and_end_with_an_answer(void **state)
{
	static const int64_t pauses[] = { 250, 500, 1000, 2000, 2000, 2000 };
	struct retry r = { 0 };
	int64_t now = 5000;

	(void)state;
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		retry_failed(&r, now);
		assert_int_equal(r.next - now, pauses[i]);
		now = r.next;
	}
	assert_true(retry_ok(&r));
	assert_false(retry_ok(&r));
	assert_int_equal(r.next, 0);
	retry_failed(&r, now);
	assert_int_equal(r.next - now, 250);
}

static void after_a_long_time_the_pause_is_half_a_minute(void **state)
{
	struct retry r = { 0 };
	int64_t now = 0, last = 0;

	(void)state;
	while (now < 3600 * 1000) {
		retry_failed(&r, now);
		assert_true(r.next > now);
		assert_true(r.next - now <= 30000);
		assert_true(r.next - now >= last || last == 30000);
		last = r.next - now;
		now = r.next;
	}
	assert_int_equal(last, 30000);
	/* In the first half minute it is asked every two seconds at least: a short partition is over at once. */
	r = (struct retry){ 0 };
	for (now = 0; now < 30000; now = r.next) {
		retry_failed(&r, now);
		assert_true(r.next - now <= 2000);
	}
}

static void one_that_was_heard_of_is_asked_at_once(void **state)
{
	struct retry r = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		retry_failed(&r, 1000000 * (i + 1));
	retry_now(&r);
	assert_int_equal(r.next, 0);
	assert_int_equal(r.fails, 10);
	retry_failed(&r, 11000000);
	assert_int_equal(r.next, 11030000);
}

static void many_failures_do_not_overflow(void **state)
{
	struct retry r = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++) {
		retry_failed(&r, i);
		assert_true(r.next > i && r.next <= i + 30000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_due_when_nothing_changed), cmocka_unit_test(a_change_is_due_after_the_settle_time),
		cmocka_unit_test(constant_change_is_due_after_the_longest_time), cmocka_unit_test(pauses_grow_and_end_with_an_answer),
		cmocka_unit_test(after_a_long_time_the_pause_is_half_a_minute), cmocka_unit_test(one_that_was_heard_of_is_asked_at_once),
		cmocka_unit_test(many_failures_do_not_overflow),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
