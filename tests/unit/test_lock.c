/*
 * test_lock.c -- a folder's lock, as Dovecot and we understand it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "diskbox.h"

#include <sys/mman.h>

#include "disk/lock.h"

static void lock_of(const struct box *b, long pid, const char *host, int age)
{
	char text[400];

	snprintf(text, sizeof(text), "%ld:%s", pid, host);
	box_file(b, LOCK_NAME, text);
	box_age(b, LOCK_NAME, age);
}

static void read_lock(const struct box *b, char out[400])
{
	FILE *f = fopen(box_path(b, LOCK_NAME), "r");

	assert_non_null(f);
	out[fread(out, 1, 399, f)] = '\0';
	fclose(f);
}

/* Tries for wait seconds; the lock is given back when it was got. */
static int try_for(struct box *b, int wait, struct err *err)
{
	struct lock l;
	int rc;

	b->disk.lock_wait = wait;
	rc = lock_folder(&l, &b->disk, b->disk.root, ".Work", err);
	assert_int_equal(l.dirfd >= 0, !rc);
	lock_release(&l);
	return rc;
}

static void a_lock_is_the_file_that_dovecot_makes(void **state)
{
	struct box *b = *state;
	char text[400], want[400];
	mode_t mask = umask(027);
	struct stat st;
	struct lock l;

	assert_int_equal(lock_folder(&l, &b->disk, b->disk.root, "", NULL), 0);
	umask(mask);
	read_lock(b, text);
	snprintf(want, sizeof(want), "%ld:%s", (long)getpid(), b->disk.host);
	assert_string_equal(text, want);
	assert_int_equal(stat(box_path(b, LOCK_NAME), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	lock_release(&l);
	assert_int_equal(box_count(b, ""), 0);
	lock_release(&l); /* once more does nothing */
}

static void a_lock_of_a_living_process_is_waited_for_and_never_taken(void **state)
{
	struct box *b = *state;
	int64_t begin = box_now_ms();
	struct err err;
	char want[400];

	lock_of(b, (long)getppid(), b->disk.host, 86400);
	assert_int_equal(try_for(b, 1, &err), ERR_BUSY);
	assert_in_range(box_now_ms() - begin, 990, 1900);
	snprintf(want, sizeof(want), "folder 'Work' is locked by process %ld on '%s'", (long)getppid(),
		 b->disk.host);
	assert_string_equal(err.msg, want);
	assert_true(box_has(b, LOCK_NAME));
}

static void a_lock_that_is_given_back_is_had_soon_after(void **state)
{
	struct box *b = *state;
	pid_t pid;
	int64_t begin;

	lock_of(b, (long)getppid(), b->disk.host, 0);
	begin = box_now_ms();
	pid = fork();
	if (!pid) {
		box_sleep_ms(100);
		unlink(box_path(b, LOCK_NAME));
		_exit(0);
	}
	assert_int_equal(try_for(b, 5, NULL), 0);
	assert_in_range(box_now_ms() - begin, 90, 1000);
	waitpid(pid, NULL, 0);
}

static void a_lock_of_a_dead_process_is_taken_over_after_two_seconds(void **state)
{
	struct box *b = *state;
	int64_t begin = box_now_ms();

	lock_of(b, (long)box_dead_pid(), b->disk.host, 1);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	/* Not even when the clock that stamped it is a day ahead. */
	lock_of(b, (long)box_dead_pid(), b->disk.host, -86400);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	assert_int_equal(try_for(b, 5, NULL), 0);
	assert_in_range(box_now_ms() - begin, 1990, 3500);
	assert_int_equal(box_count(b, ""), 0);
}

static void an_old_lock_of_a_dead_process_costs_no_wait(void **state)
{
	struct box *b = *state;
	int64_t begin = box_now_ms();

	lock_of(b, (long)box_dead_pid(), b->disk.host, 3);
	assert_int_equal(try_for(b, 0, NULL), 0);
	assert_true(box_now_ms() - begin < 900);
	assert_int_equal(box_count(b, ""), 0);
}

static void a_lock_of_another_host_is_taken_over_after_two_minutes(void **state)
{
	struct box *b = *state;
	struct err err;

	lock_of(b, 1, "mx2.example", 110);
	assert_int_equal(try_for(b, 0, &err), ERR_BUSY);
	assert_string_equal(err.msg, "folder 'Work' is locked by process 1 on 'mx2.example'");
	lock_of(b, 1, "mx2.example", 121);
	assert_int_equal(try_for(b, 0, NULL), 0);
}

static void an_empty_lock_is_taken_over_after_two_minutes(void **state)
{
	struct box *b = *state;

	box_file(b, LOCK_NAME, "");
	box_age(b, LOCK_NAME, 110);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	box_age(b, LOCK_NAME, 121);
	assert_int_equal(try_for(b, 0, NULL), 0);
}

/* The first process of a container has the same number after a crash. */
static void a_lock_with_our_own_pid_that_is_not_ours_is_taken_over_after_two_minutes(void **state)
{
	struct box *b = *state;

	lock_of(b, (long)getpid(), b->disk.host, 60);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	lock_of(b, (long)getpid(), b->disk.host, 121);
	assert_int_equal(try_for(b, 0, NULL), 0);
}

static void nonsense_in_a_lock_is_not_taken_for_a_pid(void **state)
{
	static const char *const text[] = {
		":",	"0:h",	"-1:h", "99999999999999999999:h", "4294967297:h",   "1 :h",
		"x:h",	"\n\n", "12",	"\x1b[2J:\x07",		  " 1:h",	    "+1:h", "1e3:h",
	};
	struct box *b = *state;
	struct err err;
	size_t i, k;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		box_file(b, LOCK_NAME, text[i]);
		assert_int_equal(try_for(b, 0, &err), ERR_BUSY);
		assert_null(strstr(err.msg, "process"));
		for (k = 0; err.msg[k]; k++)
			assert_in_range((unsigned char)err.msg[k], 0x20, 0x7e);
	}
}

static void something_that_is_no_file_is_never_removed(void **state)
{
	struct box *b = *state;

	box_dir(b, LOCK_NAME);
	box_age(b, LOCK_NAME, 86400);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	assert_int_equal(rmdir(box_path(b, LOCK_NAME)), 0);
	assert_int_equal(mkfifo(box_path(b, LOCK_NAME), 0600), 0);
	box_age(b, LOCK_NAME, 86400);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	assert_int_equal(unlink(box_path(b, LOCK_NAME)), 0);
	assert_int_equal(symlink("nowhere", box_path(b, LOCK_NAME)), 0);
	box_age(b, LOCK_NAME, 86400);
	assert_int_equal(try_for(b, 0, NULL), ERR_BUSY);
	assert_true(box_has(b, LOCK_NAME));
	assert_false(box_has(b, "nowhere"));
}

static void a_lock_that_was_taken_from_us_is_not_removed(void **state)
{
	struct box *b = *state;
	struct lock l;
	char text[400];

	assert_int_equal(lock_folder(&l, &b->disk, b->disk.root, "", NULL), 0);
	box_sleep_ms(15);
	/* The new file very probably gets the inode number of the old one. */
	assert_int_equal(unlink(box_path(b, LOCK_NAME)), 0);
	lock_of(b, 7, "mx2.example", 0);
	lock_release(&l);
	read_lock(b, text);
	assert_string_equal(text, "7:mx2.example");
}

static void a_folder_that_is_gone_cannot_be_locked(void **state)
{
	struct box *b = *state;
	struct lock l;
	int fd;

	box_dir(b, "gone");
	fd = open(box_path(b, "gone"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(rmdir(box_path(b, "gone")), 0);
	assert_int_equal(lock_folder(&l, &b->disk, fd, "gone", NULL), ERR_NOTFOUND);
	lock_release(&l);
	close(fd);
}

/* Several find the same stale lock, and then hand the new one round: never two at a time. */
static void waiters_for_a_stale_lock_do_not_remove_each_others_new_lock(void **state)
{
	enum { WAITERS = 6, ROUNDS = 5 };
	struct box *b = *state;
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i, k, status, bad = 0;

	assert_true(shared != MAP_FAILED);
	lock_of(b, (long)box_dead_pid(), b->disk.host, 3);
	for (i = 0; i < WAITERS; i++) {
		if (fork())
			continue;
		b->disk.pid = getpid();
		for (k = 0; k < ROUNDS; k++) {
			struct lock l;

			if (lock_folder(&l, &b->disk, b->disk.root, "", NULL))
				_exit(1);
			if (__atomic_add_fetch(&shared[0], 1, __ATOMIC_SEQ_CST) != 1)
				_exit(2);
			box_sleep_ms(1);
			__atomic_sub_fetch(&shared[0], 1, __ATOMIC_SEQ_CST);
			__atomic_add_fetch(&shared[1], 1, __ATOMIC_SEQ_CST);
			lock_release(&l);
		}
		_exit(0);
	}
	for (i = 0; i < WAITERS; i++) {
		assert_true(wait(&status) > 0);
		bad += !WIFEXITED(status) || WEXITSTATUS(status);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(shared[1], WAITERS * ROUNDS);
	assert_int_equal(box_count(b, ""), 0);
	munmap(shared, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_lock_is_the_file_that_dovecot_makes),
		box_test(a_lock_of_a_living_process_is_waited_for_and_never_taken),
		box_test(a_lock_that_is_given_back_is_had_soon_after),
		box_test(a_lock_of_a_dead_process_is_taken_over_after_two_seconds),
		box_test(an_old_lock_of_a_dead_process_costs_no_wait),
		box_test(a_lock_of_another_host_is_taken_over_after_two_minutes),
		box_test(an_empty_lock_is_taken_over_after_two_minutes),
		box_test(a_lock_with_our_own_pid_that_is_not_ours_is_taken_over_after_two_minutes),
		box_test(nonsense_in_a_lock_is_not_taken_for_a_pid),
		box_test(something_that_is_no_file_is_never_removed),
		box_test(a_lock_that_was_taken_from_us_is_not_removed),
		box_test(a_folder_that_is_gone_cannot_be_locked),
		box_test(waiters_for_a_stale_lock_do_not_remove_each_others_new_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
