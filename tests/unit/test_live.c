/*
 * test_live.c -- dovecot-uidlist and dovecot-keywords of a folder: read with care, replaced as servers need it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include "disk/live.h"
#include "disk/repair.h"

static int read_list(const struct box *b, const char *name, struct bytes *out, struct err *err)
{
	int fd = open(b->root, O_RDONLY | O_DIRECTORY), rc;

	assert_true(fd >= 0);
	rc = live_read(fd, ".Work", name, out, NULL, err);
	close(fd);
	return rc;
}

static void refuses(const struct box *b, const char *why)
{
	struct bytes out = { 0 };
	struct err err;

	bytes_addstr(&out, "before");
	assert_int_equal(read_list(b, UIDLIST_NAME, &out, &err), ERR_FAIL);
	assert_non_null(strstr(err.msg, "'" UIDLIST_NAME "' in folder 'Work'"));
	if (!strstr(err.msg, why))
		fail_msg("%s", err.msg);
	assert_int_equal(out.len, 6);
	bytes_release(&out);
}

static void a_list_is_read_only_if_it_is_a_file_of_a_possible_size(void **state)
{
	struct box *b = *state;
	struct bytes out = { 0 };
	struct err err;

	assert_int_equal(read_list(b, UIDLIST_NAME, &out, &err), ERR_NOTFOUND);
	box_file(b, UIDLIST_NAME, "3 V1 N1\n");
	bytes_addstr(&out, "x");
	assert_int_equal(read_list(b, UIDLIST_NAME, &out, &err), 0);
	assert_string_equal(out.buf, "x3 V1 N1\n");
	bytes_release(&out);
	assert_int_equal(truncate(box_path(b, UIDLIST_NAME), ((off_t)1 << 30) + 1), 0);
	refuses(b, "larger than 1 GB");
	assert_int_equal(unlink(box_path(b, UIDLIST_NAME)), 0);
	assert_int_equal(symlink("/etc/passwd", box_path(b, UIDLIST_NAME)), 0);
	refuses(b, "symbolic links");
	assert_int_equal(unlink(box_path(b, UIDLIST_NAME)), 0);
	assert_int_equal(mkfifo(box_path(b, UIDLIST_NAME), 0600), 0);
	refuses(b, "not a regular file");
}

static void write_list(struct box *b, const char *text)
{
	struct uidlist l = { 0 };
	struct err err;
	int fd = open(b->root, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	uidlist_parse(&l, text, strlen(text));
	if (live_write_uidlist(&b->disk, fd, "", &l, &err))
		fail_msg("%s", err.msg);
	close(fd);
	uidlist_release(&l);
	assert_text(b, UIDLIST_NAME, text);
}

static void write_words(struct box *b, const char *text)
{
	struct keywords k = { 0 };
	struct err err;
	int fd = open(b->root, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	keywords_parse(&k, text, strlen(text));
	if (live_write_keywords(&b->disk, fd, "", &k, &err))
		fail_msg("%s", err.msg);
	close(fd);
	keywords_release(&k);
	assert_text(b, KEYWORDS_NAME, text);
}

static bool is_later(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec > b->st_mtim.tv_sec
						      : a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}

static void a_new_list_is_another_file_and_never_as_old_as_the_one_before(void **state)
{
	struct box *b = *state;
	struct stat old, new;
	int ahead;

	box_folder(b, "");
	write_list(b, "3 V1 N1\n");
	assert_int_equal(stat_of(b, UIDLIST_NAME).st_mode & 07777, 0600);
	for (ahead = -100; ahead <= 100; ahead += 100) {
		box_age(b, UIDLIST_NAME, -ahead);
		old = stat_of(b, UIDLIST_NAME);
		/* Equal sizes, so that only the date tells. */
		write_list(b, ahead ? "3 V1 N2\n" : "3 V1 N3\n");
		new = stat_of(b, UIDLIST_NAME);
		assert_int_not_equal(new.st_ino, old.st_ino);
		assert_true(is_later(&new, &old));
	}
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void a_new_map_has_a_date_in_another_second(void **state)
{
	struct box *b = *state;
	struct stat old, new;
	int i;

	box_folder(b, "");
	write_words(b, "0 a\n");
	for (i = 0; i < 5; i++) {
		old = stat_of(b, KEYWORDS_NAME);
		write_words(b, i % 2 ? "0 a\n" : "0 b\n");
		new = stat_of(b, KEYWORDS_NAME);
		assert_true(new.st_mtim.tv_sec > old.st_mtim.tv_sec);
		assert_true(new.st_mtim.tv_sec <= time(NULL) + 6);
	}
}

static void a_directory_without_tmp_is_left_clean_as_well(void **state)
{
	struct box *b = *state;

	write_list(b, "3 V1 N1\n");
	write_words(b, "3 Work\n");
	assert_int_equal(box_count(b, ""), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_list_is_read_only_if_it_is_a_file_of_a_possible_size),
		box_test(a_new_list_is_another_file_and_never_as_old_as_the_one_before),
		box_test(a_new_map_has_a_date_in_another_second),
		box_test(a_directory_without_tmp_is_left_clean_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
