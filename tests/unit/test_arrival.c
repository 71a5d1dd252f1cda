/*
 * test_arrival.c -- a message that arrives, in whatever pieces and at whatever time.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "diskbox.h"

#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>

#include "disk/arrival.h"
#include "disk/folder.h"

/* The time that arrivals see; 0: the real one. */
static int64_t frozen_sec;

int clock_gettime(clockid_t id, struct timespec *t)
{
	if (id == CLOCK_REALTIME && frozen_sec) {
		*t = (struct timespec){ frozen_sec, 123456789 };
		return 0;
	}
	return (int)syscall(SYS_clock_gettime, id, t);
}

/* The only file in a directory; its name stays until the next call. */
static const char *only(const struct box *b, const char *dir)
{
	static char name[512];
	DIR *d = opendir(box_path(b, dir));
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s", e->d_name);
			n++;
		}
	closedir(d);
	assert_int_equal(n, 1);
	return name;
}

static bool is_empty(const struct box *b, const char *dir)
{
	DIR *d = opendir(box_path(b, dir));
	bool empty = true;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		empty &= e->d_name[0] == '.';
	closedir(d);
	return empty;
}

static void inbox(const struct box *b)
{
	box_dir(b, "cur");
	box_dir(b, "new");
	box_dir(b, "tmp");
}

/* Feeds the bytes to a pipe, cut at cut, as two writes that are read one by one. */
static int feed(const void *text, size_t len, size_t cut)
{
	int p[2];

	assert_int_equal(pipe2(p, O_DIRECT), 0);
	if (cut)
		assert_int_equal(write(p[1], text, cut), cut);
	if (cut < len)
		assert_int_equal(write(p[1], (const char *)text + cut, len - cut), len - cut);
	close(p[1]);
	return p[0];
}

static void a_message_is_the_same_wherever_it_is_cut(void **state)
{
	static const char in[] = "From me\nA: b\r\n\n\rc\r\r\nd\n", out[] = "A: b\r\n\n\rc\r\r\nd\n";
	struct box *b = *state;
	struct arrival a;
	struct err err;

	inbox(b);
	for (size_t cut = 0; cut < strlen(in); cut++) {
		int fd = feed(in, strlen(in), cut);
		struct bytes got = { 0 };
		char path[600];

		assert_int_equal(arrival_open(&a, &b->disk, "", &err), 0);
		assert_int_equal(arrival_read(&a, fd, &err), 0);
		assert_true(is_empty(b, "new"));
		assert_int_equal(arrival_place(&a, "mx1", &err), 0);
		assert_true(is_empty(b, "tmp"));
		assert_int_equal(a.size, strlen(out));
		assert_int_equal(a.crlf_size, strlen(out) + 2);
		assert_string_equal(only(b, "new"), a.name);
		snprintf(path, sizeof(path), "new/%s", a.name);
		assert_int_equal(file_read(&b->disk, path, &got, NULL, NULL), 0);
		assert_string_equal(got.buf, out);
		bytes_release(&got);
		assert_int_equal(arrival_withdraw(&a, &err), 0);
		assert_int_equal(arrival_withdraw(&a, &err), 1);
		arrival_release(&a);
		close(fd);
	}
}

static void two_in_one_microsecond_have_two_names(void **state)
{
	struct box *b = *state;
	struct arrival a[3];
	char want[100];
	struct stat st;
	struct err err;

	inbox(b);
	frozen_sec = 1700000000;
	for (int i = 0; i < 3; i++) {
		int fd = feed("one\n", 4, 4);

		assert_int_equal(arrival_open(&a[i], &b->disk, "", &err), 0);
		assert_int_equal(arrival_read(&a[i], fd, &err), 0);
		assert_int_equal(arrival_place(&a[i], "mx1", &err), 0);
		close(fd);
		snprintf(want, sizeof(want), "1700000000.M%dP%ld.mx1,S=4,W=5", 123456 + i, (long)getpid());
		assert_string_equal(a[i].name, want);
		assert_int_equal(fstatat(a[i].newfd, want, &st, 0), 0);
		assert_int_equal(st.st_mtime, 1700000000);
		arrival_release(&a[i]);
	}
	frozen_sec = 0;
}

static void what_fails_leaves_nothing(void **state)
{
	struct box *b = *state;
	struct arrival a;
	struct err err;
	int fd;

	memset(&a, 0, sizeof(a));
	arrival_release(&a);
	inbox(b);
	assert_int_equal(arrival_open(&a, &b->disk, ".None", &err), ERR_NOTFOUND);
	arrival_release(&a);
	/* Cannot be read. */
	assert_int_equal(arrival_open(&a, &b->disk, "", &err), 0);
	fd = open(b->root, O_RDONLY);
	assert_int_equal(arrival_read(&a, fd, &err), ERR_FAIL);
	close(fd);
	assert_false(is_empty(b, "tmp"));
	arrival_abort(&a);
	assert_true(is_empty(b, "tmp"));
	arrival_release(&a);
	/* Empty. */
	assert_int_equal(arrival_open(&a, &b->disk, "", &err), 0);
	fd = feed("From x\n", 7, 2);
	assert_int_equal(arrival_read(&a, fd, &err), ERR_NOTFOUND);
	close(fd);
	arrival_release(&a);
	assert_true(is_empty(b, "tmp"));
	assert_true(is_empty(b, "new"));
}

/* As a sync does it that removes the folder. */
static void a_folder_that_goes_meanwhile_keeps_no_mail(void **state)
{
	struct box *b = *state;
	struct arrival a;
	struct err err;
	int fd;

	inbox(b);
	assert_int_equal(folder_make(&b->disk, ".Work", &err), 0);
	assert_int_equal(arrival_open(&a, &b->disk, ".Work", &err), 0);
	fd = feed("one\n", 4, 4);
	assert_int_equal(arrival_read(&a, fd, &err), 0);
	close(fd);
	assert_int_equal(rename(box_path(b, ".Work"), box_path(b, "tmp/aside")), 0);
	assert_int_equal(arrival_place(&a, "mx1", &err), ERR_AGAIN);
	arrival_release(&a);
	assert_true(is_empty(b, "tmp/aside/new"));
	assert_true(is_empty(b, "tmp/aside/tmp"));
}

static void a_folder_is_found_and_made_as_the_others_are(void **state)
{
	struct box *b = *state;
	char path[PATH_MAX];
	struct err err;

	inbox(b);
	assert_int_equal(folder_find(&b->disk, "Inbox", path, &err), 1);
	assert_string_equal(path, "");
	assert_int_equal(folder_find(&b->disk, "A/B", path, &err), 0);
	assert_string_equal(path, ".A.B");
	assert_int_equal(folder_make(&b->disk, path, &err), 0);
	assert_int_equal(folder_make(&b->disk, path, &err), 0);
	assert_true(is_empty(b, "tmp"));
	assert_int_equal(folder_find(&b->disk, "A.B", path, &err), 1);
	assert_string_equal(path, ".A.B");
	assert_int_equal(folder_find(&b->disk, "\xc3\xa4", path, &err), ERR_UNSAFE);
	box_dir(b, ".\xc3\xa4");
	box_dir(b, ".\xc3\xa4/cur");
	assert_int_equal(folder_find(&b->disk, "\xc3\xa4", path, &err), 1);
	/* In a directory that holds folders only below others. */
	assert_int_equal(rename(box_path(b, ".A.B"), box_path(b, "C")), 0);
	assert_int_equal(rmdir(box_path(b, ".\xc3\xa4/cur")), 0);
	assert_int_equal(folder_find(&b->disk, "X", path, &err), 0);
	assert_string_equal(path, "X");
	assert_int_equal(folder_find(&b->disk, "X/.Y", path, &err), ERR_UNSAFE);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(a_message_is_the_same_wherever_it_is_cut),
		T(two_in_one_microsecond_have_two_names),
		T(what_fails_leaves_nothing),
		T(a_folder_that_goes_meanwhile_keeps_no_mail),
		T(a_folder_is_found_and_made_as_the_others_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
