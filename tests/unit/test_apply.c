/*
 * test_apply.c -- plans that are repeated, cut off anywhere, hostile, or met by others at work.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include <sched.h>
#include <sys/mount.h>

#include "disk/lock.h"
#include "disk/repair.h"

/* --- what must not happen */

static void nothing_hostile_reaches_the_disk(void **state)
{
	static const char *const folders[] = { "..", "../x", "/x", "a/../b", ".git", "a/.GIT", "cur", "a/new", "tmp", "a//b", "a/", "a\nb", "." };
	static const char *const names[] = { "cur/../../x", "cur/a/b", "cur/", "cur/.hidden", "cur/a\x01", "cur/dovecot-uidlist", "cur/:2,S" };
	static const char *const files[] = { "", "../x", "/etc/x", "cur/1.x", "cur/a/b", "tmp/x", "dovecot-uidlist", "dovecot.index", ".git/config", "a/./b", "x\n" };
	struct box *b = *state;
	struct plan p = { 0 };
	size_t i;

	box_folder(b, "");
	for (i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		mkfolder(&p, "fine");
		mkfolder(&p, folders[i]);
		fails(b, &p, ERR_UNSAFE);
		add(&p, folders[i], "cur/1.x", "mail", 0);
		fails(b, &p, ERR_UNSAFE);
		link_from(&p, folders[i], "cur/1.x", "", "cur/1.x", "mail");
		fails(b, &p, ERR_UNSAFE);
		del(&p, folders[i], "cur/1.x", "mail");
		fails(b, &p, ERR_UNSAFE);
		rmfolder(&p, folders[i]);
		fails(b, &p, ERR_UNSAFE);
	}
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		add(&p, "", names[i], "mail", 0);
		fails(b, &p, ERR_UNSAFE);
		ren(&p, "", names[i], "cur/1.x", "mail");
		fails(b, &p, ERR_UNSAFE);
		ren(&p, "", "cur/1.x", names[i], "mail");
		fails(b, &p, ERR_UNSAFE);
		replace(&p, "", "cur/1.x", "old", names[i], "mail");
		fails(b, &p, ERR_UNSAFE);
		del(&p, "", names[i], "mail");
		fails(b, &p, ERR_UNSAFE);
	}
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		put(&p, files[i], NULL, "text");
		fails(b, &p, ERR_UNSAFE);
		unl(&p, files[i], "text");
		fails(b, &p, ERR_UNSAFE);
	}
}

static void no_symbolic_link_is_followed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char *before, *after;

	box_folder(b, "");
	box_folder(b, ".Real/");
	box_file(b, ".Real/cur/1.x:2,", "mail");
	box_file(b, ".Real/notes", "text");
	assert_int_equal(symlink(".Real", box_path(b, ".Link")), 0);
	box_dir(b, ".Half");
	box_dir(b, ".Half/new");
	box_dir(b, ".Half/tmp");
	assert_int_equal(symlink("../.Real/cur", box_path(b, ".Half/cur")), 0);
	assert_int_equal(symlink(".Real/notes", box_path(b, "notes")), 0);
	before = snapshot(b);
	add(&p, ".Link", "cur/2.x", "mail", 0);
	fails(b, &p, ERR_FAIL);
	ren(&p, ".Link", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	fails(b, &p, ERR_FAIL);
	add(&p, ".Half", "cur/2.x", "mail", 0);
	fails(b, &p, ERR_FAIL);
	del(&p, ".Half", "cur/1.x:2,", "mail");
	fails(b, &p, ERR_FAIL);
	put(&p, "notes", "text", "other text");
	fails(b, &p, ERR_UNSAFE);
	put(&p, ".Link/notes", "text", "other text");
	fails(b, &p, ERR_FAIL);
	rmfolder(&p, ".Link");
	once(b, &p, NULL);
	plan_release(&p);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void a_link_in_place_of_a_message_is_no_message(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".To/");
	box_file(b, "secret", "mail");
	assert_int_equal(symlink("../secret", box_path(b, "cur/1.x:2,")), 0);
	link_from(&p, "", "cur/1.x:2,", ".To", "cur/1.x:2,", "mail");
	add(&p, "", "cur/1.x:2,", "mail", 0);
	twice(b, &p);
	assert_true(S_ISREG(stat_of(b, ".To/cur/1.x:2,").st_mode));
	assert_true(S_ISLNK(stat_of(b, "cur/1.x:2,").st_mode));
	assert_int_equal(box_count(b, "cur"), 2);
}

static void a_lock_that_is_held_too_long_stops_everything_cleanly(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char text[300];

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "mail");
	snprintf(text, sizeof(text), "%ld:%s", (long)getppid(), b->disk.host);
	box_file(b, LOCK_NAME, text);
	b->disk.lock_wait = 0;
	add(&p, "", "cur/2.x", "mail", 0);
	fails(b, &p, ERR_BUSY);
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,S", "mail");
	fails(b, &p, ERR_BUSY);
	replace(&p, "", "cur/1.x:2,", "mail", "cur/1.x:2,", "more mail");
	fails(b, &p, ERR_BUSY);
	del(&p, "", "cur/1.x:2,", "mail");
	fails(b, &p, ERR_BUSY);
	b->disk.lock_wait = 30;
}

static void a_missing_object_stops_everything_cleanly(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	add(&p, "", "cur/1.x", "mail", 0);
	add(&p, "", "cur/2.x", "mail", 0);
	memset(&p.v[1].oid, 7, sizeof(p.v[1].oid));
	fails(b, &p, ERR_FAIL);
}

/* In a namespace of its own, with a file system of 300 KB. Exit status 77: not allowed here. */
static int fill_up(const char *root)
{
	char big[200 * 1024];
	struct box b;
	struct plan p = { 0 };
	struct apply_result res;
	struct err err = { 0 };
	int rc;

	memset(&b, 0, sizeof(b));
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 77;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", root, "tmpfs", 0, "size=300k"))
		return 77;
	snprintf(b.root, sizeof(b.root), "%s", root);
	if (disk_open(&b.disk, root, &err))
		return 1;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	mkfolder(&p, "");
	add(&p, "", "cur/1.x", big, 0);
	big[0] = 'y';
	add(&p, "", "cur/2.x", big, 0);
	big[0] = 'z';
	add(&p, "", "cur/3.x", big, 0);
	rc = apply_plan(&b.disk, &p, &ops, NULL, &res, &err);
	if (rc != ERR_NOSPACE || err.code != rc || !strstr(err.msg, "/2.x"))
		return 2;
	if (box_count(&b, "tmp") || box_has(&b, "cur") || box_has(&b, LOCK_NAME))
		return 3;
	return 0;
}

static void a_full_disk_is_said_and_leaves_nothing_half_done(void **state)
{
	struct box *b = *state;
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fill_up(b->root));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* --- cut off anywhere */

static void story_before(struct box *b)
{
	box_folder(b, "");
	box_folder(b, ".Work/");
	box_folder(b, ".Old/");
	box_file(b, ".Old/.gitmaildir", "m");
	box_file(b, "subscriptions", "A\nMine\n");
	box_file(b, "notes", "ours");
	box_file(b, "new/1.M1.x", "one");
	box_file(b, "cur/2.M1.x:2,F", "two");	   /* flagged since */
	box_file(b, "cur/3.M1.x:2,", "three");
	box_file(b, "cur/4.M1.x:2,R", "four");	   /* answered since, and to be moved */
	box_file(b, "cur/5.M1.x:2,", "five");
	box_file(b, "cur/6.M1.x:2,", "six, ours"); /* changed since */
	box_file(b, "cur/7.M1.x:2,S", "seven");	   /* seen since, and to be deleted */
	box_file(b, ".Work/cur/8.M1.x:2,", "other");
	box_file(b, ".Old/cur/9.M1.x:2,", "nine");
	box_folder(b, ".Was/");
	box_file(b, ".Was/.gitmaildir", "was");
	box_file(b, ".Was/new/20.M1.x", "twenty");
	box_file(b, ".Was/cur/21.M1.x:2,F", "flagged since");
	box_file(b, ".Was/new/22.M1.x", "came since");
	box_file(b, ".Was/cur/23.M1.x:2,", "twenty-three");
}

static void story_plan(struct plan *p)
{
	mvfolder(p, ".Was", ".Is");
	mkfolder(p, ".New");
	add(p, "", "new/10.M1.x", "ten", 10);
	add(p, "", "cur/11.M1.x:2,S", "eleven", 11);
	link_from(p, ".Old", "cur/9.M1.x:2,", ".New", "cur/9.M1.x:2,", "nine");
	link_from(p, "", "cur/4.M1.x:2,", ".New", "cur/4.M1.x:2,S", "four");
	add(p, ".Work", "cur/8.M1.x:2,", "eight", 8);
	add(p, ".Is", "new/24.M1.x", "twenty-four", 24);
	ren(p, ".Is", "new/20.M1.x", "cur/20.M1.x:2,S", "twenty");
	ren(p, ".Is", "cur/21.M1.x:2,", "cur/21.M1.x:2,S", "flagged since");
	del(p, ".Is", "cur/23.M1.x:2,", "twenty-three");
	ren(p, "", "new/1.M1.x", "cur/1.M1.x:2,S", "one");
	ren(p, "", "cur/2.M1.x:2,", "cur/2.M1.x:2,S", "two");
	ren(p, "", "cur/99.M1.x:2,", "cur/99.M1.x:2,S", "never was");
	replace(p, "", "cur/5.M1.x:2,", "five", "cur/5.M1.x:2,S", "five, changed");
	replace(p, "", "cur/6.M1.x:2,", "six", "cur/6.M1.x:2,", "six, theirs");
	del(p, "", "cur/3.M1.x:2,", "three");
	del(p, "", "cur/4.M1.x:2,", "four");
	del(p, "", "cur/7.M1.x:2,", "seven");
	del(p, ".Old", "cur/9.M1.x:2,", "nine");
	put(p, "subscriptions", "A\n", "A\nTheirs\n");
	put(p, "notes", "old", "theirs");
	put(p, ".New/.gitmaildir", NULL, "m");
	unl(p, ".Old/.gitmaildir", "m");
	rmfolder(p, ".Old");
}

static char *story_end(struct box *b)
{
	struct plan p = { 0 };

	story_plan(&p);
	story_before(b);
	once(b, &p, NULL);
	plan_release(&p);
	return snapshot(b);
}

static void a_plan_cut_off_after_any_step_ends_the_same(void **state)
{
	struct plan p = { 0 };
	char *want = story_end(*state), *is;
	size_t k;

	assert_text(*state, ".New/cur/4.M1.x:2,RS", "four");
	assert_text(*state, "cur/2.M1.x:2,FS", "two");
	assert_false(box_has(*state, ".Old"));
	assert_text(*state, ".Is/cur/21.M1.x:2,FS", "flagged since");
	assert_false(box_has(*state, ".Was"));
	story_plan(&p);
	for (k = 0; k <= p.n; k++) {
		struct plan part = { .v = p.v, .n = k };
		void *other = NULL;
		struct box *b;

		assert_int_equal(box_setup(&other), 0);
		b = other;
		story_before(b);
		once(b, &part, NULL);
		once(b, &p, NULL);
		once(b, &p, NULL);
		is = snapshot(b);
		assert_string_equal(is, want);
		free(is);
		box_teardown(&other);
	}
	plan_release(&p);
	free(want);
}

static void an_apply_killed_in_the_middle_ends_the_same(void **state)
{
	struct plan p = { 0 };
	char *want = story_end(*state), *is;
	int k, status = 1;

	story_plan(&p);
	for (k = 0; status; k++) {
		void *other = NULL;
		struct box *b;
		pid_t pid;

		assert_true(k < 100);
		assert_int_equal(box_setup(&other), 0);
		b = other;
		story_before(b);
		pid = fork();
		if (!pid) {
			reads_left = k;
			b->disk.pid = getpid();
			once(b, &p, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		once(b, &p, NULL);
		assert_int_equal(repair_tmp(&b->disk, false, NULL, NULL), 0);
		is = snapshot(b);
		assert_string_equal(is, want);
		free(is);
		box_teardown(&other);
	}
	assert_true(k > 5);
	plan_release(&p);
	free(want);
}

static void a_mail_server_at_work_beside_us_loses_nothing(void **state)
{
	struct box *b = *state;
	static char *expected[400], *wanted[400];
	struct arena strings = { 0 };
	struct plan p = { 0 };
	int i, n, status;
	pid_t pid;

	box_folder(b, "");
	for (i = 0; i < 400; i++) {
		expected[i] = arena_printf(&strings, "cur/%d.x:2,", i);
		wanted[i] = arena_printf(&strings, "cur/%d.x:2,S", i);
		box_file(b, expected[i], "mail");
		ren(&p, "", expected[i], wanted[i], "mail");
	}
	pid = fork();
	if (!pid) {
		struct lock l;
		int fd = open(b->root, O_RDONLY | O_DIRECTORY);

		/* Somebody flags every message, whatever its name is, a few under each lock. */
		b->disk.pid = getpid();
		for (i = 0; i < 400; i++) {
			char to_name[64];

			if (i % 20 == 0 && lock_folder(&l, &b->disk, fd, "", NULL))
				_exit(1);
			snprintf(to_name, sizeof(to_name), "cur/%d.x:2,F", i);
			if (rename(box_path(b, expected[i]), box_path(b, to_name))) {
				snprintf(to_name, sizeof(to_name), "cur/%d.x:2,FS", i);
				if (rename(box_path(b, wanted[i]), box_path(b, to_name)))
					_exit(2);
			}
			if (i % 20 == 19)
				lock_release(&l);
		}
		_exit(0);
	}
	once(b, &p, NULL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (i = n = 0; i < 400; i++) {
		char name[64];

		snprintf(name, sizeof(name), "cur/%d.x:2,FS", i);
		n += box_has(b, name);
	}
	assert_int_equal(n, 400);
	assert_int_equal(box_count(b, "cur"), 400);
	plan_release(&p);
	arena_release(&strings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(nothing_hostile_reaches_the_disk),
		box_test(no_symbolic_link_is_followed),
		box_test(a_link_in_place_of_a_message_is_no_message),
		box_test(a_lock_that_is_held_too_long_stops_everything_cleanly),
		box_test(a_missing_object_stops_everything_cleanly),
		box_test(a_full_disk_is_said_and_leaves_nothing_half_done),
		box_test(a_plan_cut_off_after_any_step_ends_the_same),
		box_test(an_apply_killed_in_the_middle_ends_the_same),
		box_test(a_mail_server_at_work_beside_us_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
