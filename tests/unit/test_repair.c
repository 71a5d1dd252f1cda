/*
 * test_repair.c -- what a checkout by stock git and a killed apply leave behind.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "diskbox.h"

#include <errno.h>

#include "core/mem.h"
#include "disk/aside.h"
#include "disk/file.h"
#include "disk/lock.h"
#include "disk/repair.h"

static struct bytes notes;

static void note(void *ctx UNUSED, const char *path, const char *what)
{
	bytes_addf(&notes, "%s: %s\n", path, what);
}

static const struct repair_ops ops = { .note = note };

static void assert_notes(const char *want)
{
	assert_string_equal(notes.len ? notes.buf : "", want);
	bytes_release(&notes);
}

static void store(struct box *b, int64_t since, bool check_only)
{
	struct err err = { 0 };

	if (repair_store(&b->disk, since, check_only, &ops, &err))
		fail_msg("%s", err.msg);
}

static void tmp(struct box *b, bool check_only)
{
	struct err err = { 0 };

	if (repair_tmp(&b->disk, check_only, &ops, &err))
		fail_msg("%s", err.msg);
}

static mode_t mode_of(const struct box *b, const char *path)
{
	struct stat st;

	assert_int_equal(lstat(box_path(b, path), &st), 0);
	return st.st_mode & 07777;
}

static int64_t date_of(const struct box *b, const char *path)
{
	struct stat st;

	assert_int_equal(lstat(box_path(b, path), &st), 0);
	return st.st_mtim.tv_sec;
}

static void set_date(const struct box *b, const char *path, time_t date)
{
	struct timespec t[2] = { { .tv_sec = date }, { .tv_sec = date } };

	assert_int_equal(utimensat(AT_FDCWD, box_path(b, path), t, AT_SYMLINK_NOFOLLOW), 0);
}

/* A name as an apply that has ended gave it. */
static char *left_name(struct box *b, const char *end)
{
	static char out[4][128];
	static unsigned n;
	char name[FILE_TMP_NAME], *p = out[n++ % 4];
	pid_t own = b->disk.pid;
	int fd = file_open_dir(&b->disk, "");

	b->disk.pid = box_dead_pid();
	assert_int_equal(file_write_tmp(&b->disk, fd, name, "", 0, -1, false, NULL), 0);
	b->disk.pid = own;
	assert_int_equal(unlinkat(fd, name, 0), 0);
	close(fd);
	snprintf(p, sizeof(out[0]), "tmp/%.*s%s", (int)strlen(name) - 5, name, end);
	return p;
}

static void a_folder_that_git_made_gets_its_directories(void **state)
{
	struct box *b = *state;

	box_dir(b, "cur");
	box_dir(b, ".A");
	box_file(b, ".A/.gitmaildir", "git-maildir folder 1\n");
	box_dir(b, "b");
	box_dir(b, "b/c");
	box_dir(b, "b/c/new");
	box_dir(b, "plain");
	store(b, 0, true);
	assert_false(box_has(b, "new"));
	bytes_release(&notes);
	store(b, 0, false);
	assert_true(box_has(b, "new") && box_has(b, "tmp"));
	assert_true(box_has(b, ".A/cur") && box_has(b, ".A/new") && box_has(b, ".A/tmp"));
	assert_true(box_has(b, "b/c/cur") && box_has(b, "b/c/tmp"));
	assert_int_equal(box_count(b, "plain"), 0);
	assert_int_equal(box_count(b, "b"), 1);
	bytes_release(&notes);
	store(b, 0, false);
	assert_notes("");
}

static void mail_that_others_could_read_is_closed_to_them(void **state)
{
	struct box *b = *state;

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, "cur/1.x:2,", "mail");
	box_file(b, ".A/new/2.x", "mail");
	set_date(b, "cur/1.x:2,", 1);
	set_date(b, ".A/new/2.x", 2);
	assert_int_equal(chmod(box_path(b, "cur/1.x:2,"), 0644), 0);
	assert_int_equal(chmod(box_path(b, ".A/new/2.x"), 0400), 0);
	assert_int_equal(chmod(box_path(b, ".A"), 0755), 0);
	assert_int_equal(chmod(box_path(b, ".A/cur"), 02775), 0);
	store(b, 0, true);
	assert_int_equal(mode_of(b, "cur/1.x:2,"), 0644);
	bytes_release(&notes);
	store(b, 0, false);
	assert_non_null(strstr(notes.buf, "cur/1.x:2,: its mode is 0644, not 0600\n"));
	assert_int_equal(mode_of(b, "cur/1.x:2,"), 0600);
	assert_int_equal(mode_of(b, ".A/new/2.x"), 0400);
	assert_int_equal(mode_of(b, ".A"), 0700);
	assert_int_equal(mode_of(b, ".A/cur"), 02700);
	bytes_release(&notes);
	store(b, 0, false);
	assert_notes("");
}

static void a_message_gets_back_the_date_it_arrived(void **state)
{
	struct box *b = *state;

	box_folder(b, "");
	box_file(b, ".gitmaildir", "git-maildir folder 1\ndate 1107569105 1795432857.M1P1.mx1,S=4\n");
	box_file(b, "cur/1795432857.M1P1.mx1,S=4:2,S", "mail");
	box_file(b, "new/1795432858.M1P1.mx1", "mail");
	box_file(b, "new/no-date.at.all", "mail");
	set_date(b, "new/no-date.at.all", 77);
	store(b, 0, true);
	assert_true(date_of(b, "cur/1795432857.M1P1.mx1,S=4:2,S") != 1107569105);
	bytes_release(&notes);
	store(b, 0, false);
	assert_non_null(strstr(notes.buf, ", not 2005-02-05 02:05:05 UTC\n"));
	assert_int_equal(date_of(b, "cur/1795432857.M1P1.mx1,S=4:2,S"), 1107569105);
	assert_int_equal(date_of(b, "new/1795432858.M1P1.mx1"), 1795432858);
	assert_int_equal(date_of(b, "new/no-date.at.all"), 77);
	bytes_release(&notes);
	store(b, 0, false);
	assert_notes("");
}

static void a_date_from_before_the_checkout_is_left_alone(void **state)
{
	struct box *b = *state;

	box_folder(b, "");
	box_file(b, "new/1795432858.M1P1.mx1", "mail");
	set_date(b, "new/1795432858.M1P1.mx1", 5);
	store(b, time(NULL) + 100, false);
	assert_int_equal(date_of(b, "new/1795432858.M1P1.mx1"), 5);
	store(b, time(NULL) - 100, false);
	assert_int_equal(date_of(b, "new/1795432858.M1P1.mx1"), 1795432858);
	bytes_release(&notes);
}

static void repair_follows_no_link(void **state)
{
	struct box *b = *state;

	box_folder(b, "");
	box_dir(b, "outside");
	box_file(b, "outside/5.x", "mail");
	assert_int_equal(chmod(box_path(b, "outside/5.x"), 0644), 0);
	assert_int_equal(symlink("../outside/5.x", box_path(b, "cur/5.x:2,")), 0);
	box_dir(b, ".A");
	box_dir(b, ".A/new");
	assert_int_equal(symlink("../outside", box_path(b, ".A/cur")), 0);
	assert_int_equal(symlink("outside", box_path(b, ".B")), 0);
	store(b, 0, false);
	assert_int_equal(mode_of(b, "outside/5.x"), 0644);
	assert_int_equal(box_count(b, "outside"), 1);
	assert_true(box_has(b, ".A/tmp"));
	bytes_release(&notes);
}

static void what_a_killed_apply_left_is_cleared_away(void **state)
{
	struct box *b = *state;
	char sub[140], bare[140], name[FILE_TMP_NAME];
	const char *root;
	int fd;

	box_folder(b, "");
	box_folder(b, ".A/");
	box_dir(b, "sieve");
	root = left_name(b, ".lock");
	box_file(b, root, "half a message");
	snprintf(sub, sizeof(sub), ".A/%s", left_name(b, ".lock"));
	box_file(b, sub, "half a message");
	/* Where there is no tmp/, a file is written beside its target. */
	snprintf(bare, sizeof(bare), "sieve/%s", left_name(b, ".lock") + 4);
	box_file(b, bare, "half a file");
	/* Of others, and of one that is at work just now. */
	box_file(b, "tmp/1795432858.M1P1.mx1", "a delivery");
	box_file(b, "tmp/git-maildir.notes", "not ours");
	box_file(b, "tmp/git-maildir.1.1.1.00000000.lock", "another host's");
	fd = file_open_dir(&b->disk, "tmp");
	assert_int_equal(file_write_tmp(&b->disk, fd, name, "", 0, 5, false, NULL), 0);
	close(fd);
	tmp(b, true);
	assert_true(box_has(b, root) && box_has(b, sub) && box_has(b, bare));
	bytes_release(&notes);
	tmp(b, false);
	assert_false(box_has(b, root) || box_has(b, sub) || box_has(b, bare));
	assert_int_equal(box_count(b, "tmp"), 4);
	bytes_release(&notes);
	tmp(b, false);
	assert_notes("");
}

static void a_folder_that_was_being_made_is_cleared_away(void **state)
{
	struct box *b = *state;
	char dir[128], part[140];

	box_folder(b, "");
	snprintf(dir, sizeof(dir), "%s", left_name(b, ".lock"));
	box_dir(b, dir);
	snprintf(part, sizeof(part), "%s/cur", dir);
	box_dir(b, part);
	tmp(b, false);
	assert_int_equal(box_count(b, "tmp"), 0);
	bytes_release(&notes);
}

/* A folder that was ".Work" and is in tmp/, with its origin beside it if told; returns its path. */
static const char *take_aside(struct box *b, bool origin)
{
	static char dir[128];
	char file[128], sub[200];

	box_folder(b, "");
	snprintf(dir, sizeof(dir), "%s", left_name(b, ".gone"));
	snprintf(sub, sizeof(sub), "%s/", dir);
	box_folder(b, sub);
	snprintf(sub, sizeof(sub), "%s/%s", dir, LOCK_NAME);
	box_file(b, sub, "1:nowhere");
	snprintf(file, sizeof(file), "%.*s.lock", (int)strlen(dir) - 5, dir);
	if (origin)
		box_file(b, file, ".Work");
	return dir;
}

static void put_mail(struct box *b, const char *dir, const char *place)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, place);
	box_file(b, path, "mail");
}

static void a_removal_that_was_cut_off_is_finished(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, true);

	put_mail(b, dir, "dovecot-uidlist");
	tmp(b, true);
	assert_true(box_has(b, dir));
	bytes_release(&notes);
	tmp(b, false);
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_false(box_has(b, ".Work"));
	bytes_release(&notes);
}

static void mail_in_a_folder_on_its_way_out_brings_it_back(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, true);

	put_mail(b, dir, "new/1.x");
	tmp(b, false);
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_true(box_has(b, ".Work/new/1.x"));
	assert_true(box_has(b, ".Work/cur"));
	assert_false(box_has(b, ".Work/" LOCK_NAME));
	bytes_release(&notes);
}

static void mail_comes_back_into_a_folder_that_was_made_again(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, true);

	put_mail(b, dir, "new/1.x");
	put_mail(b, dir, "cur/2.x:2,S");
	put_mail(b, dir, "notes");
	box_dir(b, ".Work");
	box_dir(b, ".Work/cur");
	box_file(b, ".Work/cur/3.x:2,", "mail");
	tmp(b, false);
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_true(box_has(b, ".Work/new/1.x"));
	assert_true(box_has(b, ".Work/cur/2.x:2,S"));
	assert_true(box_has(b, ".Work/cur/3.x:2,"));
	assert_true(box_has(b, ".Work/notes"));
	assert_false(box_has(b, ".Work/" LOCK_NAME));
	bytes_release(&notes);
}

static void mail_that_cannot_come_back_stays_where_it_is(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, true);
	char path[200];

	put_mail(b, dir, "new/1.x");
	put_mail(b, dir, "new/2.x");
	box_folder(b, ".Work/");
	box_file(b, ".Work/new/1.x", "another mail");
	snprintf(path, sizeof(path), "%s/new/1.x", dir);
	tmp(b, false);
	assert_true(box_has(b, path));
	assert_true(box_has(b, ".Work/new/2.x"));
	assert_non_null(strstr(notes.buf, "cannot be cleared away"));
	bytes_release(&notes);
}

static void mail_without_an_origin_is_not_thrown_away(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, false);
	char path[200];

	put_mail(b, dir, "new/1.x");
	snprintf(path, sizeof(path), "%s/new/1.x", dir);
	tmp(b, false);
	assert_true(box_has(b, path));
	assert_non_null(strstr(notes.buf, "there is mail in"));
	bytes_release(&notes);
}

static void a_hostile_origin_leads_nowhere(void **state)
{
	struct box *b = *state;
	const char *dir = take_aside(b, false);
	char path[200], file[200];

	put_mail(b, dir, "new/1.x");
	snprintf(file, sizeof(file), "%.*s.lock", (int)strlen(dir) - 5, dir);
	box_file(b, file, "../../outside");
	snprintf(path, sizeof(path), "%s/new/1.x", dir);
	tmp(b, false);
	assert_true(box_has(b, path));
	bytes_release(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(a_folder_that_git_made_gets_its_directories),
		box_test(mail_that_others_could_read_is_closed_to_them),
		box_test(a_message_gets_back_the_date_it_arrived),
		box_test(a_date_from_before_the_checkout_is_left_alone),
		box_test(repair_follows_no_link),
		box_test(what_a_killed_apply_left_is_cleared_away),
		box_test(a_folder_that_was_being_made_is_cleared_away),
		box_test(a_removal_that_was_cut_off_is_finished),
		box_test(mail_in_a_folder_on_its_way_out_brings_it_back),
		box_test(mail_comes_back_into_a_folder_that_was_made_again),
		box_test(mail_that_cannot_come_back_stays_where_it_is),
		box_test(mail_without_an_origin_is_not_thrown_away),
		box_test(a_hostile_origin_leads_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
