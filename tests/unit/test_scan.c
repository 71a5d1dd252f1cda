/*
 * test_scan.c -- reading a Maildir while others change it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "diskbox.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "disk/lock.h"
#include "disk/scan.h"

#define NEW (&s.folders[0].sub[NAME_NEW])
#define CUR (&s.folders[0].sub[NAME_CUR])

static const struct scan_folder *folder_of(const struct scan *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->nfolders; i++)
		if (!strcmp(s->folders[i].path, path))
			return &s->folders[i];
	return NULL;
}

static const char *odd_of(const struct scan *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->nodds; i++)
		if (!strcmp(s->odds[i].path, path))
			return s->odds[i].why;
	return NULL;
}

static const struct scan_entry *entry_of(const struct scan_dir *d, const char *name)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (!strcmp(d->v[i].name, name))
			return &d->v[i];
	return NULL;
}

static struct scan scan(struct box *b, const struct scan_opts *opts)
{
	struct scan s = { 0 };
	struct err err;

	assert_int_equal(scan_store(&s, &b->disk, opts, &err), 0);
	return s;
}

static void messages_are_found_with_their_inodes(void **state)
{
	struct box *b = *state;
	const struct scan_entry *e;
	struct stat st;
	struct scan s;

	box_folder(b, "");
	box_file(b, "new/1.a", "");
	box_file(b, "cur/2.b:2,S", "");
	box_file(b, "cur/3.\xff\xfe:2,", "");
	box_file(b, "tmp/4.d", "");
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, 1);
	assert_string_equal(s.folders[0].path, "");
	assert_true(s.folders[0].locked);
	assert_int_equal(NEW->n, 1);
	assert_int_equal(CUR->n, 2);
	assert_non_null(entry_of(NEW, "1.a"));
	assert_non_null(entry_of(CUR, "3.\xff\xfe:2,"));
	e = entry_of(CUR, "2.b:2,S");
	assert_non_null(e);
	assert_int_equal(lstat(box_path(b, "cur/2.b:2,S"), &st), 0);
	assert_int_equal(e->ino, st.st_ino);
	assert_int_equal(e->len, 7);
	assert_int_equal(s.nfiles + s.nodds, 0);
	assert_int_equal(box_count(b, ""), 3); /* the lock is gone */
	scan_release(&s);
}

static void folders_are_found_in_both_layouts_and_sorted(void **state)
{
	static const char *const want[] = { "", ".A", ".A.B", "Work", "Work/Deep/er", "marked" };
	struct box *b = *state;
	struct scan s;
	size_t i;

	box_folder(b, "");
	box_folder(b, ".A.B/");
	box_folder(b, ".A/");
	box_folder(b, "Work/");
	box_dir(b, "Work/Deep");
	box_folder(b, "Work/Deep/er/");
	box_dir(b, "marked");
	box_file(b, "marked/" PATH_MARKER_NAME, "");
	box_dir(b, "plain");
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, sizeof(want) / sizeof(want[0]));
	for (i = 0; i < s.nfolders; i++)
		assert_string_equal(s.folders[i].path, want[i]);
	assert_false(s.folders[5].sub[NAME_CUR].present);
	assert_true(s.folders[4].sub[NAME_CUR].present);
	scan_release(&s);
}

static void files_that_a_server_keeps_for_itself_are_left_out(void **state)
{
	struct box *b = *state;
	struct scan s;

	box_folder(b, "");
	box_folder(b, "..DOVECOT-TRASHED/");
	box_file(b, "..DOVECOT-TRASHED/cur/1.a", "");
	box_dir(b, ".git");
	box_file(b, ".git/config", "");
	box_file(b, "dovecot-uidlist.lock", "");
	box_file(b, "dovecot-uidvalidity.0000000a", "");
	box_file(b, "dovecot.index.log", "");
	box_file(b, "maildirsize", "");
	box_file(b, "subscriptions", "a\n");
	box_file(b, PATH_MARKER_NAME, "x");
	box_dir(b, "sieve");
	box_file(b, "sieve/main.sieve", "keep;");
	assert_int_equal(chmod(box_path(b, "sieve/main.sieve"), 0700), 0);
	box_file(b, "sieve/main.svbin", "");
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, 1);
	assert_int_equal(s.nodds, 0);
	assert_int_equal(s.nfiles, 3);
	assert_int_equal(s.files[0].class, PATH_MARKER);
	assert_int_equal(s.files[1].class, PATH_FILE);
	assert_int_equal(s.files[1].mode, 0100755);
	assert_int_equal(s.files[1].size, 5);
	assert_string_equal(s.files[2].path, "subscriptions");
	assert_int_equal(s.files[2].class, PATH_SUBSCRIPTIONS);
	assert_int_equal(s.files[2].mode, 0100644);
	scan_release(&s);
}

static void uids_and_keywords_are_found_beside_the_mail_they_belong_to(void **state)
{
	struct box *b = *state;
	struct scan s;

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, ".A/dovecot-keywords", "0 Work\n");
	box_file(b, ".A/dovecot-uidlist", "3 V1 N1\n");
	box_file(b, "dovecot-uidvalidity", "0000000a");
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, 2);
	assert_int_equal(s.nfiles, 3);
	assert_string_equal(s.files[0].path, ".A/dovecot-keywords");
	assert_int_equal(s.files[0].class, PATH_KEYWORDS);
	assert_int_equal(s.files[1].class, PATH_UIDLIST);
	assert_int_equal(s.files[1].size, 8);
	assert_int_equal(s.files[2].class, PATH_UIDVALIDITY);
	scan_release(&s);
}

static void odd_things_are_named_and_never_followed(void **state)
{
	struct box *b = *state;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct scan s;
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, ".A/cur/1.a", "");
	assert_int_equal(symlink(".A", box_path(b, ".B")), 0);
	assert_int_equal(symlink("..", box_path(b, "cur/loop")), 0);
	assert_int_equal(symlink("../.A/cur/1.a", box_path(b, "cur/2.b:2,S")), 0);
	assert_int_equal(mkfifo(box_path(b, "new/3.c"), 0600), 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", box_path(b, "sock"));
	assert_int_equal(bind(sock, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(sock);
	box_file(b, "cur/:2,S", "");
	box_file(b, "cur/bad\n:2,S", "");
	box_file(b, "cur/dovecot-uidlist", "");
	box_file(b, "cur/.hidden", "");
	box_file(b, "bell\a", "");
	box_dir(b, "esc\x1b[2J");
	box_file(b, "git~1", "");
	box_dir(b, "cur/dir");
	assert_int_equal(rename(box_path(b, ".A/new"), box_path(b, "elsewhere")), 0);
	assert_int_equal(symlink("../elsewhere", box_path(b, ".A/new")), 0);
	box_file(b, "elsewhere/9.z", "");
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, 2);
	assert_int_equal(NEW->n + CUR->n, 0);
	assert_false(folder_of(&s, ".A")->sub[NAME_NEW].present);
	assert_string_equal(odd_of(&s, ".B"), "is a symbolic link");
	assert_string_equal(odd_of(&s, ".A/new"), "is a symbolic link");
	assert_string_equal(odd_of(&s, "cur/loop"), "is a symbolic link");
	assert_string_equal(odd_of(&s, "cur/2.b:2,S"), "is a symbolic link");
	assert_string_equal(odd_of(&s, "new/3.c"), "is a fifo");
	assert_string_equal(odd_of(&s, "sock"), "is a socket");
	assert_non_null(strstr(odd_of(&s, "cur/:2,S"), "':'"));
	assert_non_null(strstr(odd_of(&s, "cur/bad\n:2,S"), "control"));
	assert_non_null(strstr(odd_of(&s, "bell\a"), "control"));
	assert_non_null(strstr(odd_of(&s, "esc\x1b[2J"), "control"));
	assert_non_null(odd_of(&s, "cur/dovecot-uidlist"));
	assert_non_null(odd_of(&s, "git~1"));
	assert_int_equal(s.nodds, 12);
	/* Reading a folder once more does not report them twice. */
	assert_int_equal(scan_folder_again(&s, 0, &b->disk, NULL), 0);
	assert_int_equal(s.nodds, 12);
	assert_int_equal(s.nfiles, 1);
	scan_release(&s);
}

static void a_bottomless_directory_ends_the_walk_not_the_program(void **state)
{
	struct box *b = *state;
	char path[512] = "";
	struct scan s;
	int i;

	for (i = 0; i < 70; i++) {
		strcat(path, i ? "/d" : "d");
		box_dir(b, path);
	}
	strcat(path, "/cur");
	box_dir(b, path);
	s = scan(b, NULL);
	assert_int_equal(s.nfolders, 0);
	assert_int_equal(s.nodds, 1);
	assert_string_equal(s.odds[0].why, "is nested too deeply");
	scan_release(&s);
}

/* As another user: root may read everything. */
static void a_folder_that_may_not_be_read_is_an_error_not_a_deletion(void **state)
{
	struct box *b = *state;
	int status;
	pid_t pid;

	box_folder(b, "");
	box_folder(b, ".A/");
	assert_int_equal(chmod(b->root, 0755), 0);
	assert_int_equal(chmod(box_path(b, "cur"), 0755), 0);
	assert_int_equal(chmod(box_path(b, "new"), 0755), 0);
	pid = fork();
	if (!pid) {
		struct scan s = { 0 };
		struct err err = { 0 };

		chmod(box_path(b, ".A"), 0);
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(1);
		_exit(scan_store(&s, &b->disk, NULL, &err) == ERR_FAIL && strstr(err.msg, "'.A'") ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(box_path(b, ".A"), 0700), 0);
}

static void a_folder_without_write_permission_is_read_without_its_lock(void **state)
{
	struct box *b = *state;
	int status;
	pid_t pid;

	box_folder(b, "");
	box_file(b, "cur/1.a:2,", "");
	box_age(b, "cur", 10);
	box_age(b, "new", 10);
	pid = fork();
	if (!pid) {
		struct scan s = { 0 };

		chmod(b->root, 0555);
		chmod(box_path(b, "cur"), 0555);
		chmod(box_path(b, "new"), 0555);
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(1);
		if (scan_store(&s, &b->disk, NULL, NULL) || s.nfolders != 1 || s.folders[0].locked)
			_exit(2);
		_exit(CUR->n == 1 && CUR->stable && NEW->stable ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(b->root, 0700), 0);
	assert_int_equal(chmod(box_path(b, "cur"), 0700), 0);
	assert_int_equal(chmod(box_path(b, "new"), 0700), 0);
}

static void a_folder_whose_lock_is_held_is_read_and_says_so(void **state)
{
	struct box *b = *state;
	struct lock l;
	struct scan s;

	box_folder(b, "");
	box_file(b, "cur/1.a:2,", "");
	box_age(b, "cur", 1);
	assert_int_equal(lock_folder(&l, &b->disk, b->disk.root, "", NULL), 0);
	b->disk.lock_wait = 0;
	s = scan(b, NULL);
	assert_false(s.folders[0].locked);
	assert_int_equal(CUR->n, 1);
	assert_true(CUR->stable);
	assert_int_equal(s.nfiles, 0);
	assert_true(box_has(b, LOCK_NAME));
	lock_release(&l);
	scan_release(&s);
}

static void a_directory_that_changed_just_now_is_not_stable_until_it_is_read_again(void **state)
{
	struct box *b = *state;
	struct scan s;
	bool was_stable;
	int i = 0;

	box_folder(b, "");
	box_file(b, "cur/1.a:2,", "");
	/* Should the machine be so slow that 20 ms went by, change it once more. */
	do {
		box_file(b, "cur/2.b:2,", "");
		assert_int_equal(unlink(box_path(b, "cur/2.b:2,")), 0);
		s = scan(b, NULL);
		was_stable = CUR->stable;
		if (was_stable)
			scan_release(&s);
	} while (was_stable && ++i < 50);
	assert_false(was_stable);
	assert_int_equal(CUR->n, 1);
	assert_int_equal(scan_folder_again(&s, 0, &b->disk, NULL), 0);
	assert_true(CUR->stable);
	assert_true(NEW->stable);
	assert_int_equal(CUR->n, 1);
	assert_true(s.folders[0].locked);
	scan_release(&s);
}

/* A file system that counts whole seconds hides more than one that counts ticks. */
static void a_whole_second_is_not_old_enough_before_it_is_over(void **state)
{
	struct box *b = *state;
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };
	struct scan s;

	box_folder(b, "");
	clock_gettime(CLOCK_REALTIME, &t[1]);
	t[1].tv_nsec = 0;
	assert_int_equal(utimensat(AT_FDCWD, box_path(b, "cur"), t, 0), 0);
	t[1].tv_sec -= 3;
	assert_int_equal(utimensat(AT_FDCWD, box_path(b, "new"), t, 0), 0);
	s = scan(b, NULL);
	assert_false(CUR->stable);
	assert_true(NEW->stable);
	scan_release(&s);
}

static bool same_as_before(void *ctx, const char *folder, enum name_sub sub, const struct scan_stamp *stamp)
{
	const struct scan_folder *f = folder_of(ctx, folder);

	return f && f->sub[sub].stable && !memcmp(&f->sub[sub].stamp, stamp, sizeof(*stamp));
}

static void a_directory_that_is_known_is_not_read_again(void **state)
{
	struct box *b = *state;
	struct scan s, again;
	struct scan_opts opts = { &s, same_as_before };

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, "cur/1.a:2,", "");
	box_file(b, ".A/new/2.b", "");
	box_sleep_ms(30);
	s = scan(b, NULL);
	assert_true(scan_is_current(&s, &b->disk));
	again = scan(b, &opts);
	assert_true(again.folders[0].sub[NAME_CUR].unchanged && again.folders[1].sub[NAME_NEW].unchanged);
	assert_true(again.folders[0].sub[NAME_CUR].stable);
	assert_int_equal(again.folders[0].sub[NAME_CUR].n, 0);
	assert_false(again.folders[0].locked);
	assert_true(scan_is_current(&again, &b->disk));
	scan_release(&again);
	assert_int_equal(rename(box_path(b, ".A/new/2.b"), box_path(b, ".A/new/2.b2")), 0);
	assert_false(scan_is_current(&s, &b->disk));
	again = scan(b, &opts);
	assert_true(again.folders[0].sub[NAME_CUR].unchanged);
	assert_false(again.folders[1].sub[NAME_NEW].unchanged);
	assert_true(again.folders[1].sub[NAME_CUR].unchanged);
	assert_true(again.folders[1].locked);
	assert_non_null(entry_of(&again.folders[1].sub[NAME_NEW], "2.b2"));
	scan_release(&again);
	scan_release(&s);
}

static void a_scan_is_no_longer_current_when_a_folder_comes_or_goes(void **state)
{
	struct box *b = *state;
	struct scan s;

	box_folder(b, "");
	box_dir(b, ".A");
	box_dir(b, ".A/cur");
	s = scan(b, NULL);
	assert_true(scan_is_current(&s, &b->disk));
	box_dir(b, ".A/new");
	assert_false(scan_is_current(&s, &b->disk));
	assert_int_equal(rmdir(box_path(b, ".A/new")), 0);
	assert_true(scan_is_current(&s, &b->disk));
	assert_int_equal(rename(box_path(b, ".A"), box_path(b, ".B")), 0);
	assert_false(scan_is_current(&s, &b->disk));
	scan_release(&s);
}

static void a_folder_that_went_away_reads_as_gone(void **state)
{
	struct box *b = *state;
	struct scan s;

	box_folder(b, ".A/");
	box_file(b, ".A/cur/1.a", "");
	s = scan(b, NULL);
	assert_int_equal(CUR->n, 1);
	assert_int_equal(rename(box_path(b, ".A"), box_path(b, ".B")), 0);
	assert_int_equal(scan_folder_again(&s, 0, &b->disk, NULL), 0);
	assert_false(CUR->present || NEW->present);
	assert_int_equal(CUR->n, 0);
	/* And may come back. */
	assert_int_equal(rename(box_path(b, ".B"), box_path(b, ".A")), 0);
	assert_int_equal(scan_folder_again(&s, 0, &b->disk, NULL), 0);
	assert_int_equal(CUR->n, 1);
	scan_release(&s);
}

struct other {
	struct box *box;
	volatile bool stop;
	int n;
	unsigned long done;
};

/* Changes flags without ever asking for the lock, in bursts. */
static void *flag_changer(void *arg)
{
	struct other *o = arg;
	char from[64], to[64];
	int dirfd = open(box_path(o->box, "cur"), O_RDONLY | O_DIRECTORY), i = 0, seen = 0;

	while (!o->stop) {
		snprintf(from, sizeof(from), "%d.message.of.mx1:2,%s", i, seen ? "S" : "");
		snprintf(to, sizeof(to), "%d.message.of.mx1:2,%s", i, seen ? "" : "S");
		if (renameat(dirfd, from, dirfd, to))
			break;
		if (++i == o->n) {
			i = 0;
			seen = !seen;
		}
		if (++o->done % 1500 == 0)
			box_sleep_ms(60);
	}
	close(dirfd);
	return NULL;
}

/* How many of the messages, by the number at the front of the name, are in the directory at least once. */
static int count_messages(const struct scan_dir *d, int n)
{
	bool *seen = calloc((size_t)n, sizeof(*seen));
	int count = 0;
	size_t i;

	for (i = 0; i < d->n; i++) {
		int k = atoi(d->v[i].name);

		assert_in_range(k, 0, n - 1);
		count += !seen[k];
		seen[k] = true;
	}
	free(seen);
	return count;
}

/* The same for the same names, in whatever order. */
static uint64_t sum_of_names(const struct scan_dir *d)
{
	uint64_t sum = 0;
	size_t i, k;

	for (i = 0; i < d->n; i++) {
		uint64_t h = 14695981039346656037u;

		for (k = 0; k < d->v[i].len; k++)
			h = (h ^ (unsigned char)d->v[i].name[k]) * 1099511628211u;
		sum += h;
	}
	return sum;
}

static void a_scan_is_called_stable_only_if_no_message_was_missed(void **state)
{
	struct box *b = *state;
	struct other o = { .box = b, .n = 2000 };
	int i, stable = 0, unstable = 0, missed = 0;
	struct scan_stamp last = { 0 };
	uint64_t sum = 0;
	int64_t end;
	char name[64];
	pthread_t t;
	struct scan s;

	box_folder(b, "");
	for (i = 0; i < o.n; i++) {
		snprintf(name, sizeof(name), "cur/%d.message.of.mx1:2,", i);
		box_file(b, name, "");
	}
	s = scan(b, NULL);
	assert_int_equal(pthread_create(&t, NULL, flag_changer, &o), 0);
	for (end = box_now_ms() + 1200; box_now_ms() < end;) {
		int found;

		assert_int_equal(scan_folder_again(&s, 0, &b->disk, NULL), 0);
		found = count_messages(CUR, o.n);
		if (CUR->stable) {
			stable++;
			assert_int_equal(found, o.n);
			assert_int_equal(CUR->n, o.n);
			/* While the stamp is the same, so are the names: on this a directory is left unread. */
			if (!memcmp(&last, &CUR->stamp, sizeof(last)))
				assert_true(sum == sum_of_names(CUR));
			last = CUR->stamp;
			sum = sum_of_names(CUR);
		} else {
			unstable++;
			missed += found < o.n;
		}
	}
	o.stop = true;
	pthread_join(t, NULL);
	assert_true(o.done > 100);
	assert_true(stable > 0);
	if (getenv("VERBOSE"))
		print_message("%d stable, %d not, of these %d missed messages; %lu flags changed\n", stable, unstable,
			      missed, o.done);
	scan_release(&s);
}

static void folder_deleter_round(const struct box *b)
{
	box_folder(b, ".Gone/");
	box_file(b, ".Gone/cur/1.a", "");
	box_file(b, ".Gone/dovecot-uidlist", "");
	assert_int_equal(rename(box_path(b, ".Gone"), box_path(b, "..DOVECOT-TRASHED")), 0);
	/* A scan that came before the rename may be at work in it, and puts a lock there. */
	while (nftw(box_path(b, "..DOVECOT-TRASHED"), box_remove, 10, FTW_DEPTH | FTW_PHYS))
		;
}

static void *folder_deleter(void *arg)
{
	struct other *o = arg;

	while (!o->stop) {
		folder_deleter_round(o->box);
		o->done++;
	}
	return NULL;
}

static void *folder_renamer(void *arg)
{
	struct other *o = arg;

	while (!o->stop) {
		const char *from = o->done % 2 ? ".B" : ".A", *to = o->done % 2 ? ".A" : ".B";

		assert_int_equal(rename(box_path(o->box, from), box_path(o->box, to)), 0);
		o->done++;
		box_sleep_ms(2);
	}
	return NULL;
}

static void folders_that_are_deleted_or_renamed_meanwhile_do_not_hurt_others(void **state)
{
	struct box *b = *state;
	struct other deleter = { .box = b }, renamer = { .box = b };
	pthread_t t[2];
	int64_t end;
	char name[32];
	int i;

	box_folder(b, "");
	box_folder(b, ".A/");
	box_file(b, ".A/cur/1.a", "");
	for (i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), ".Keep%d/", i);
		box_folder(b, name);
	}
	assert_int_equal(pthread_create(&t[0], NULL, folder_deleter, &deleter), 0);
	assert_int_equal(pthread_create(&t[1], NULL, folder_renamer, &renamer), 0);
	for (end = box_now_ms() + 700; box_now_ms() < end;) {
		struct scan s = scan(b, NULL);
		const struct scan_folder *f;

		for (i = 0; i < 50; i++) {
			snprintf(name, sizeof(name), ".Keep%d", i);
			assert_non_null(folder_of(&s, name));
		}
		f = folder_of(&s, ".A") ? folder_of(&s, ".A") : folder_of(&s, ".B");
		assert_non_null(f);
		assert_int_equal(f->sub[NAME_CUR].n, 1);
		assert_null(folder_of(&s, "..DOVECOT-TRASHED"));
		scan_release(&s);
	}
	deleter.stop = renamer.stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	assert_true(deleter.done > 5 && renamer.done > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		box_test(messages_are_found_with_their_inodes),
		box_test(folders_are_found_in_both_layouts_and_sorted),
		box_test(files_that_a_server_keeps_for_itself_are_left_out),
		box_test(uids_and_keywords_are_found_beside_the_mail_they_belong_to),
		box_test(odd_things_are_named_and_never_followed),
		box_test(a_bottomless_directory_ends_the_walk_not_the_program),
		box_test(a_folder_that_may_not_be_read_is_an_error_not_a_deletion),
		box_test(a_folder_without_write_permission_is_read_without_its_lock),
		box_test(a_folder_whose_lock_is_held_is_read_and_says_so),
		box_test(a_directory_that_changed_just_now_is_not_stable_until_it_is_read_again),
		box_test(a_whole_second_is_not_old_enough_before_it_is_over),
		box_test(a_directory_that_is_known_is_not_read_again),
		box_test(a_scan_is_no_longer_current_when_a_folder_comes_or_goes),
		box_test(a_folder_that_went_away_reads_as_gone),
		box_test(a_scan_is_called_stable_only_if_no_message_was_missed),
		box_test(folders_that_are_deleted_or_renamed_meanwhile_do_not_hurt_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
