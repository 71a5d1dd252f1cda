/*
 * test_notify.c -- in which directories something changed, asked of the kernel.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watchbox.h"

#include <sys/wait.h>

#include "watch/notify.h"

static struct err err;

static int box(void **state)
{
	return watchbox_make(state) || notify_open(&err);
}

static int unbox(void **state)
{
	notify_close();
	return watchbox_remove(state);
}

/* The next event is about this name ("": none; NULL: the directory itself) in this directory. */
static void assert_next(const char *dir, const char *name)
{
	struct notify_event e;

	assert_int_equal(notify_next(&e, &err), 1);
	assert_non_null(e.dir);
	assert_string_equal(e.dir, at(dir));
	if (name)
		assert_string_equal(e.name, name);
	else
		assert_null(e.name);
}

static void skip_all(void)
{
	struct notify_event e;

	while (notify_next(&e, &err) > 0)
		continue;
}

static void assert_none(void)
{
	struct notify_event e;

	assert_int_equal(notify_next(&e, &err), 0);
}

static void what_changes_is_told_with_its_directory(void **state)
{
	struct notify_event e;

	(void)state;
	make_dir("new");
	assert_none();
	assert_true(notify_add(at("new"), &err) > 0);
	assert_none();
	assert_int_equal(rename(at("new"), at("new")), 0);
	make_file("new/one", "x");
	assert_next("new", "one");
	assert_next("new", "one");
	assert_none();
	assert_int_equal(rename(at("new/one"), at("new/two")), 0);
	assert_next("new", "one");
	assert_next("new", "two");
	make_dir("new/sub");
	assert_int_equal(notify_next(&e, &err), 1);
	assert_true(e.is_dir);
	assert_string_equal(e.name, "sub");
	assert_none();
	/* Who only reads changes nothing. */
	assert_int_equal(close(open(at("new/two"), O_RDONLY)), 0);
	assert_none();
}

static void what_is_no_directory_is_not_watched(void **state)
{
	(void)state;
	make_file("file", "");
	assert_int_equal(symlink(".", at("link")), 0);
	assert_int_equal(notify_add(at("file"), &err), ERR_NOTFOUND);
	assert_int_equal(notify_add(at("link"), &err), ERR_NOTFOUND);
	assert_int_equal(notify_add(at("nothing"), &err), ERR_NOTFOUND);
}

static void a_renamed_directory_goes_on_under_the_name_that_it_is_added_with(void **state)
{
	int wd;

	(void)state;
	make_dir("work");
	wd = notify_add(at("work"), &err);
	assert_true(notify_has(wd, at("work")));
	assert_int_equal(rename(at("work"), at("job")), 0);
	assert_next("work", NULL);
	assert_int_equal(notify_add(at("job"), &err), wd);
	assert_false(notify_has(wd, at("work")));
	assert_true(notify_has(wd, at("job")));
	make_file("job/one", "");
	assert_next("job", "one");
	skip_all();
	/* A new one in its old place is another one. */
	make_dir("work");
	assert_true(notify_add(at("work"), &err) != wd);
	make_file("work/two", "");
	assert_next("work", "two");
	skip_all();
	make_file("job/three", "");
	assert_next("job", "three");
}

static void a_directory_that_is_gone_is_not_watched_any_more(void **state)
{
	int wd, again;

	(void)state;
	make_dir("work");
	wd = notify_add(at("work"), &err);
	remove_tree("work");
	make_dir("work");
	assert_next("work", NULL);
	assert_next("work", NULL);
	assert_none();
	assert_false(notify_has(wd, at("work")));
	make_file("work/one", "");
	assert_none();
	again = notify_add(at("work"), &err);
	assert_true(again != wd && notify_has(again, at("work")));
	make_file("work/two", "");
	assert_next("work", "two");
}

static void a_watch_that_is_dropped_is_silent(void **state)
{
	int wd;

	(void)state;
	make_dir("work");
	wd = notify_add(at("work"), &err);
	notify_drop(wd, at("elsewhere"));
	assert_true(notify_has(wd, at("work")));
	notify_drop(wd, at("work"));
	notify_drop(wd, at("work"));
	assert_false(notify_has(wd, at("work")));
	make_file("work/one", "");
	assert_none();
}

static void thousands_come_and_go(void **state)
{
	char name[32];
	int wd;

	(void)state;
	make_dir("stays");
	wd = notify_add(at("stays"), &err);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		make_dir(name);
		assert_true(notify_add(at(name), &err) > 0);
		if (i % 7) {
			assert_int_equal(rmdir(at(name)), 0);
			assert_next(name, NULL);
			assert_next(name, NULL);
		}
	}
	assert_true(notify_has(wd, at("stays")));
	make_file("d2996/x", "");
	assert_next("d2996", "x");
	skip_all();
	make_file("d7/x", "");
	assert_next("d7", "x");
	skip_all();
	make_file("stays/x", "");
	assert_next("stays", "x");
}

static void events_that_are_lost_are_told(void **state)
{
	struct notify_event e;
	bool lost = false;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	int most = 0, wd;

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &most), 1);
	fclose(f);
	if (most > 100000)
		skip();
	make_dir("work");
	wd = notify_add(at("work"), &err);
	make_file("work/0", "");
	for (int i = 0; i <= most / 2; i++) {
		assert_int_equal(rename(at(i % 2 ? "work/1" : "work/0"), at(i % 2 ? "work/0" : "work/1")), 0);
	}
	while (notify_next(&e, &err) > 0)
		lost |= !e.dir;
	assert_true(lost);
	/* To be added again, for all that is known; it is the same watch if it was not lost. */
	assert_int_equal(notify_add(at("work"), &err), wd);
}

static void closed_and_opened_again_it_knows_nothing(void **state)
{
	int wd;

	(void)state;
	make_dir("work");
	wd = notify_add(at("work"), &err);
	notify_close();
	notify_close();
	assert_int_equal(notify_fd(), -1);
	assert_none();
	assert_false(notify_has(wd, at("work")));
	assert_int_equal(notify_add(at("work"), &err), ERR_ENV);
	assert_int_equal(notify_open(&err), 0);
	assert_int_equal(notify_open(&err), 0);
	assert_true(notify_fd() > 2);
	assert_int_equal(fcntl(notify_fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	make_file("work/one", "");
	assert_none();
	assert_true(notify_add(at("work"), &err) > 0);
	make_file("work/two", "");
	assert_next("work", "two");
}

static void a_look_tells_whether_names_changed(void **state)
{
	struct notify_stamp last = { 0, 0 };
	const int64_t second = 1000000000, later = 4000000000 * second;

	(void)state;
	make_dir("work");
	assert_true(notify_look(at("work"), later, &last));
	assert_false(notify_look(at("work"), later, &last));
	/* Until the clock of the file system has moved on, something that happens now cannot be told from what happened just before. */
	usleep(30000);
	make_file("work/one", "");
	assert_true(notify_look(at("work"), later, &last));
	assert_false(notify_look(at("work"), later, &last));
	assert_true(notify_look(at("work"), last.ctime_ns + 1000000, &last) || last.ctime_ns == -1);
	assert_true(notify_look(at("work"), later, &last));
	assert_false(notify_look(at("work"), later, &last));
	/* One whose clock is ahead of ours does not change for ever. */
	assert_false(notify_look(at("work"), last.ctime_ns - 3600 * second, &last));
	assert_false(notify_look(at("work"), last.ctime_ns - 3600 * second, &last));
	remove_tree("work");
	assert_true(notify_look(at("work"), later, &last));
	assert_false(notify_look(at("work"), later, &last));
}

#define T(name) cmocka_unit_test_setup_teardown(name, box, unbox)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_changes_is_told_with_its_directory), T(what_is_no_directory_is_not_watched),
		T(a_renamed_directory_goes_on_under_the_name_that_it_is_added_with), T(a_directory_that_is_gone_is_not_watched_any_more),
		T(a_watch_that_is_dropped_is_silent), T(thousands_come_and_go), T(events_that_are_lost_are_told),
		T(closed_and_opened_again_it_knows_nothing), T(a_look_tells_whether_names_changed),
	};

	return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
