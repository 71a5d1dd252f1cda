/*
 * test_file.c -- files that are complete before anybody sees them, and paths that stay inside the store.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "diskbox.h"

#include <errno.h>
#include <sys/resource.h>

#include "disk/file.h"

static struct stat stat_of(const struct box *b, const char *path)
{
	struct stat st;

	assert_int_equal(lstat(box_path(b, path), &st), 0);
	return st;
}

static void assert_text(const struct box *b, const char *path, const char *want)
{
	struct bytes out = { 0 };

	assert_int_equal(file_read(&b->disk, path, &out, NULL, NULL), 0);
	assert_string_equal(out.buf, want);
	bytes_release(&out);
}

static void a_root_that_is_no_directory_is_no_member(void **state)
{
	struct box *b = *state;
	struct disk d;
	struct err err;

	box_file(b, "file", "");
	assert_int_equal(disk_open(&d, box_path(b, "file"), &err), ERR_NOTMEMBER);
	disk_close(&d);
	assert_int_equal(disk_open(&d, box_path(b, "nothing"), &err), ERR_NOTMEMBER);
	disk_close(&d);
	memset(&d, 0, sizeof(d));
	disk_close(&d);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void modes_of_new_files_come_from_the_root(void **state)
{
	struct box *b = *state;
	struct disk d;

	assert_int_equal(b->disk.file_mode, 0600);
	assert_int_equal(b->disk.dir_mode, 0700);
	assert_int_equal(chmod(b->root, 0770), 0);
	assert_int_equal(disk_open(&d, b->root, NULL), 0);
	assert_int_equal(d.file_mode, 0660);
	assert_int_equal(d.dir_mode, 0770);
	disk_close(&d);
}

static void a_directory_is_a_maildir_when_it_or_one_in_it_has_cur(void **state)
{
	struct box *b = *state;

	assert_false(disk_is_maildir(&b->disk));
	box_dir(b, "Work");
	box_dir(b, ".git");
	box_file(b, "cur", "");
	assert_false(disk_is_maildir(&b->disk));
	box_dir(b, "Work/cur");
	assert_true(disk_is_maildir(&b->disk));
	assert_int_equal(unlink(box_path(b, "cur")), 0);
	box_dir(b, "cur");
	assert_true(disk_is_maildir(&b->disk));
}

static void no_path_leads_out_of_the_root(void **state)
{
	static const char *const bad[] = {
		"..", "../x", "a/..", "a/../..", "/", "/etc", "a//b", "a/", ".", "./a", "link", "link/c", "a/link", "file",
	};
	struct box *b = *state;
	size_t i;
	int fd;

	box_dir(b, "a");
	box_dir(b, "a/b");
	box_dir(b, "a/b/c");
	box_file(b, "file", "");
	assert_int_equal(symlink("a/b", box_path(b, "link")), 0);
	assert_int_equal(symlink("/", box_path(b, "a/link")), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		assert_int_equal(file_open_dir(&b->disk, bad[i]), -1);
		assert_int_not_equal(errno, 0);
	}
	fd = file_open_dir(&b->disk, "a/b/c");
	assert_true(fd >= 0);
	close(fd);
	fd = file_open_dir(&b->disk, "");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_open_dir(&b->disk, "a/none"), -1);
	assert_int_equal(errno, ENOENT);
}

static void directories_are_made_with_the_roots_mode_whatever_the_umask(void **state)
{
	struct box *b = *state;
	mode_t mask = umask(077);
	struct err err;

	b->disk.dir_mode = 0750;
	assert_int_equal(file_mkdirs(&b->disk, "x/y/z", &err), 0);
	assert_int_equal(file_mkdirs(&b->disk, "x/y/z", &err), 0);
	umask(mask);
	assert_int_equal(stat_of(b, "x").st_mode & 07777, 0750);
	assert_int_equal(stat_of(b, "x/y/z").st_mode & 07777, 0750);
	assert_int_equal(file_mkdirs(&b->disk, "x/../../z", &err), ERR_UNSAFE);
	assert_int_equal(file_mkdirs(&b->disk, "x/.git", &err), ERR_UNSAFE);
	box_file(b, "file", "");
	assert_int_equal(file_mkdirs(&b->disk, "file/x", &err), ERR_FAIL);
	assert_int_equal(symlink("/tmp", box_path(b, "link")), 0);
	assert_int_equal(file_mkdirs(&b->disk, "link/git-maildir-must-not-be", &err), ERR_FAIL);
	assert_int_equal(file_mkdirs(&b->disk, "", &err), 0);
}

static void a_message_is_written_with_its_date_and_mode(void **state)
{
	struct box *b = *state;
	char one[FILE_TMP_NAME], two[FILE_TMP_NAME];
	mode_t mask = umask(077);
	struct stat st;

	b->disk.file_mode = 0640;
	assert_int_equal(file_write_tmp(&b->disk, b->disk.root, one, "Subject: a\n", 11, 1107569105, true,
					NULL),
			 0);
	assert_int_equal(file_write_tmp(&b->disk, b->disk.root, two, NULL, 0, -1, false, NULL), 0);
	umask(mask);
	assert_string_not_equal(one, two);
	st = stat_of(b, one);
	assert_int_equal(st.st_mtim.tv_sec, 1107569105);
	assert_int_equal(st.st_mtim.tv_nsec, 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_text(b, one, "Subject: a\n");
	st = stat_of(b, two);
	/* time(2) may be a tick behind the clock of the file system, and so a second. */
	assert_in_range(st.st_mtim.tv_sec, time(NULL) - 100, time(NULL) + 1);
	assert_int_equal(st.st_size, 0);
}

static void a_message_that_does_not_fit_leaves_nothing_behind(void **state)
{
	struct box *b = *state;
	struct rlimit old, small;
	char name[FILE_TMP_NAME], *buf = calloc(1, 100000);
	struct err err;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 5000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(file_write_tmp(&b->disk, b->disk.root, name, buf, 100000, -1, true, &err), ERR_FAIL);
	assert_int_equal(file_replace(&b->disk, "subscriptions", buf, 100000, false, &err), ERR_FAIL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(box_count(b, ""), 0);
	free(buf);
}

static void a_file_is_never_written_over_by_a_rename_to_a_new_name(void **state)
{
	struct box *b = *state;
	int fd = b->disk.root;

	box_file(b, "one", "1");
	box_file(b, "two", "2");
	assert_int_equal(file_rename_new(fd, "one", fd, "two"), -1);
	assert_int_equal(errno, EEXIST);
	assert_text(b, "one", "1");
	assert_text(b, "two", "2");
	assert_int_equal(file_rename_new(fd, "one", fd, "three"), 0);
	assert_text(b, "three", "1");
	assert_false(box_has(b, "one"));
	assert_int_equal(file_rename_new(fd, "none", fd, "four"), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_file_is_replaced_by_another_one_not_changed(void **state)
{
	struct box *b = *state;
	struct err err;
	ino_t before;

	box_folder(b, ".Work/");
	assert_int_equal(file_replace(&b->disk, ".Work/subscriptions", "a\n", 2, false, &err), 0);
	before = stat_of(b, ".Work/subscriptions").st_ino;
	assert_int_equal(file_replace(&b->disk, ".Work/subscriptions", "b\nc\n", 4, false, &err), 0);
	assert_int_not_equal(stat_of(b, ".Work/subscriptions").st_ino, before);
	assert_text(b, ".Work/subscriptions", "b\nc\n");
	assert_int_equal(stat_of(b, ".Work/subscriptions").st_mode & 07777, 0600);
	assert_int_equal(file_replace(&b->disk, "script", "#!/bin/sh\n", 10, true, &err), 0);
	assert_int_equal(stat_of(b, "script").st_mode & 07777, 0700);
	assert_int_equal(box_count(b, ".Work/tmp"), 0);
	assert_int_equal(box_count(b, ""), 2);
	assert_int_equal(file_replace(&b->disk, "none/file", "", 0, false, &err), ERR_NOTFOUND);
	assert_int_equal(file_replace(&b->disk, "../file", "", 0, false, &err), ERR_UNSAFE);
	assert_int_equal(file_replace(&b->disk, ".Work", "", 0, false, &err), ERR_FAIL);
	assert_int_equal(box_count(b, ".Work/tmp"), 0);
	assert_int_equal(box_count(b, ""), 2);
}

static void only_regular_files_are_read(void **state)
{
	struct box *b = *state;
	struct bytes out = { 0 };
	struct stat st;
	struct err err;

	bytes_addstr(&out, "kept ");
	box_file(b, "file", "text");
	box_dir(b, "dir");
	assert_int_equal(symlink("file", box_path(b, "link")), 0);
	assert_int_equal(mkfifo(box_path(b, "fifo"), 0600), 0);
	assert_int_equal(file_read(&b->disk, "link", &out, NULL, &err), ERR_FAIL);
	assert_int_equal(file_read(&b->disk, "fifo", &out, NULL, &err), ERR_FAIL);
	assert_int_equal(file_read(&b->disk, "dir", &out, NULL, &err), ERR_FAIL);
	assert_int_equal(file_read(&b->disk, "none", &out, NULL, &err), ERR_NOTFOUND);
	assert_int_equal(file_read(&b->disk, "none/x", &out, NULL, &err), ERR_NOTFOUND);
	assert_int_equal(file_read(&b->disk, "file", &out, &st, &err), 0);
	assert_string_equal(out.buf, "kept text");
	assert_int_equal(st.st_size, 4);
	bytes_release(&out);
}

static void a_large_file_is_read_whole(void **state)
{
	struct box *b = *state;
	struct bytes out = { 0 };
	size_t i, len = 300001;
	char *buf = malloc(len);

	for (i = 0; i < len; i++)
		buf[i] = (char)(i * 7);
	assert_int_equal(file_replace(&b->disk, "large", buf, len, false, NULL), 0);
	assert_int_equal(file_read(&b->disk, "large", &out, NULL, NULL), 0);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.buf, buf, len);
	free(buf);
	bytes_release(&out);
}

static void a_temporary_file_is_left_over_only_when_its_process_on_this_host_is_dead(void **state)
{
	static const char *const not_ours[] = {
		"",
		"git-maildir.",
		"git-maildir.1.2.3.4",
		"git-maildir.x.2.3.4.lock",
		"git-maildir.1.-2.3.4.lock",
		"git-maildir.1.99999999999999999999.3.4.lock",
		"1795432857.M1P2.vm",
	};
	struct box *b = *state;
	char name[FILE_TMP_NAME], other[FILE_TMP_NAME + 1];
	size_t i;

	b->disk.pid = box_dead_pid();
	assert_int_equal(file_write_tmp(&b->disk, b->disk.root, name, "", 0, -1, false, NULL), 0);
	assert_false(file_tmp_is_left(&b->disk, name)); /* we are not dead */
	b->disk.pid = getpid();
	assert_true(file_tmp_is_left(&b->disk, name));
	snprintf(other, sizeof(other), "%sx", name);
	assert_false(file_tmp_is_left(&b->disk, other));
	strcat(b->disk.host, "x");
	assert_false(file_tmp_is_left(&b->disk, name));
	b->disk.host[strlen(b->disk.host) - 1] = '\0';
	for (i = 0; i < sizeof(not_ours) / sizeof(not_ours[0]); i++)
		assert_false(file_tmp_is_left(&b->disk, not_ours[i]));
	b->disk.pid = getppid();
	assert_int_equal(file_write_tmp(&b->disk, b->disk.root, name, "", 0, -1, false, NULL), 0);
	b->disk.pid = getpid();
	assert_false(file_tmp_is_left(&b->disk, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_root_that_is_no_directory_is_no_member),
		box_test(modes_of_new_files_come_from_the_root),
		box_test(a_directory_is_a_maildir_when_it_or_one_in_it_has_cur),
		box_test(no_path_leads_out_of_the_root),
		box_test(directories_are_made_with_the_roots_mode_whatever_the_umask),
		box_test(a_message_is_written_with_its_date_and_mode),
		box_test(a_message_that_does_not_fit_leaves_nothing_behind),
		box_test(a_file_is_never_written_over_by_a_rename_to_a_new_name),
		box_test(a_file_is_replaced_by_another_one_not_changed),
		box_test(only_regular_files_are_read),
		box_test(a_large_file_is_read_whole),
		box_test(a_temporary_file_is_left_over_only_when_its_process_on_this_host_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
