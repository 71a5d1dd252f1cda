/*
 * test_apply_imap.c -- UIDs and keywords on a live disk: with the messages they belong to, beside a server that goes on with them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include <sys/inotify.h>

#include "core/keywords.h"
#include "core/uidlist.h"
#include "disk/lock.h"
#include "disk/repair.h"

#define UIDS UIDLIST_NAME
#define WORDS KEYWORDS_NAME
#define G " G0123456789abcdef0123456789abcdef"

static int imap_setup(void **state)
{
	imap_forget();
	with = &imap_ops;
	return box_setup(state);
}

static void uids(const char *folder, const char *before, const char *target)
{
	imap(folder, PATH_UIDLIST, before, target);
}

static void words(const char *folder, const char *before, const char *target)
{
	imap(folder, PATH_KEYWORDS, before, target);
}

static struct plan_step *with_uid(struct plan_step *s, uint32_t uid)
{
	s->uid = uid;
	return s;
}

static struct plan_step *last(struct plan *p)
{
	return &p->v[p->n - 1];
}

/* --- UIDs */

static void a_message_comes_with_its_uid(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat st;

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N1" G "\n4 :1.x\n");
	box_file(b, "cur/1.x:2,", "one");
	box_age(b, UIDS, -5);
	st = stat_of(b, UIDS);
	uids("", "3 V7 N5" G "\n4 :1.x\n", "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	add(&p, "", "cur/2.x:2,S", "two", 7);
	with_uid(last(&p), 8);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).done, 2);
	assert_text(b, UIDS, "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	assert_text(b, "cur/2.x:2,S", "two");
	/* A new file, and not an older one, though the clock of whoever wrote the last was wrong. */
	assert_int_not_equal(stat_of(b, UIDS).st_ino, st.st_ino);
	assert_true(stat_of(b, UIDS).st_mtim.tv_sec >= st.st_mtim.tv_sec);
	assert_int_equal(stat_of(b, UIDS).st_mode & 07777, 0600);
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_false(box_has(b, LOCK_NAME));
}

static void what_a_server_did_meanwhile_stays(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	/* Delivered here since: uid 5. Deleted here since: uid 4. */
	box_file(b, UIDS, "3 V7 N6" G " Pz\n5 W9 :9.x\n");
	box_file(b, "cur/9.x:2,", "nine");
	uids("", "3 V7 N5" G "\n4 :1.x\n", "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	add(&p, "", "new/2.x", "two", 7);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).done, 2);
	assert_text(b, UIDS, "3 V7 N9" G " Pz\n5 W9 :9.x\n8 :2.x\n");
}

static void a_uid_that_was_given_out_meanwhile_stops_the_apply_before_anything_changes(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct apply_result res;
	struct err err = { 0 };
	char *before, *after;

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N9" G "\n8 :9.x\n");
	box_file(b, "cur/9.x:2,", "nine");
	box_file(b, "cur/3.x:2,", "three");
	uids("", "3 V7 N5" G "\n", "3 V7 N9" G "\n8 :2.x\n");
	words("", NULL, "0 Work\n");
	add(&p, "", "new/2.x", "two", 7);
	ren(&p, "", "cur/3.x:2,", "cur/3.x:2,Sa", "three");
	imap_step(&p, "");
	before = snapshot(b);
	assert_int_equal(apply_plan(&b->disk, &p, with, NULL, &res, &err), ERR_AGAIN);
	assert_string_equal(err.msg, "UIDs were given out in folder 'INBOX' meanwhile: what is there must be merged first");
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
	plan_release(&p);
}

/* Two folders, and the UIDs of the second are given out here. */
static void plan_of_two(struct box *b, struct plan *p)
{
	box_folder(b, "");
	box_folder(b, ".Work/");
	box_file(b, UIDS, "3 V7 N5" G "\n");
	box_file(b, ".Work/" UIDS, "3 V8 N5" G "\n");
	uids("", "3 V7 N5" G "\n", "3 V7 N6" G "\n5 :1.x\n");
	uids(".Work", "3 V8 N5" G "\n", "3 V8 N6" G "\n5 :2.x\n");
	with_uid((add(p, "", "new/1.x", "one", 7), last(p)), 5);
	imap_step(p, "");
	with_uid((add(p, ".Work", "new/2.x", "two", 7), last(p)), 5);
	imap_step(p, ".Work");
}

static void nothing_is_done_in_any_folder_when_the_uids_of_one_were_given_out(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct apply_result res;
	struct err err = { 0 };
	char *before, *after;

	plan_of_two(b, &p);
	box_file(b, ".Work/" UIDS, "3 V8 N6" G "\n5 :9.x\n");
	box_file(b, ".Work/cur/9.x:2,", "nine");
	before = snapshot(b);
	assert_int_equal(apply_plan(&b->disk, &p, with, NULL, &res, &err), ERR_AGAIN);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
	plan_release(&p);
}

static struct box *between_box;

/* A client appends to the second folder when the first one is done. */
static int between_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	int rc = blob_read(ctx, oid, out, err);

	if (!rc && out->len == 3 && !memcmp(out->buf, "two", 3) && !box_has(between_box, ".Work/cur/9.x:2,")) {
		box_file(between_box, ".Work/" UIDS, "3 V8 N6" G "\n5 :9.x\n");
		box_file(between_box, ".Work/cur/9.x:2,", "nine");
	}
	return rc;
}

static void a_uid_that_is_given_out_when_half_is_done_does_not_stop_the_apply(void **state)
{
	struct box *b = *state;
	struct apply_ops with_read = imap_ops;
	struct plan p = { 0 };
	struct apply_result res;
	struct err err = { 0 };

	plan_of_two(b, &p);
	between_box = b;
	with_read.read = between_read;
	assert_int_equal(apply_plan(&b->disk, &p, &with_read, NULL, &res, &err), 0);
	assert_true(res.differs > 0);
	assert_text(b, UIDS, "3 V7 N6" G "\n5 :1.x\n");
	assert_text(b, ".Work/" UIDS, "3 V8 N7" G "\n5 :9.x\n6 :2.x\n");
	assert_text(b, ".Work/new/2.x", "two");
	assert_int_equal(box_count(b, ".Work/tmp"), 0);
	plan_release(&p);
}

static void settled_the_message_gets_a_uid_of_its_own_here(void **state)
{
	struct box *b = *state;
	struct apply_opts opts = { .settle = true };
	struct apply_result res;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N9" G "\n8 :9.x\n");
	box_file(b, "cur/9.x:2,", "nine");
	uids("", "3 V7 N5" G "\n", "3 V7 N9" G "\n8 :2.x\n");
	add(&p, "", "new/2.x", "two", 7);
	imap_step(&p, "");
	res = once(b, &p, &opts);
	assert_int_equal(res.done, 1);
	assert_int_equal(res.differs, 1);
	assert_text(b, UIDS, "3 V7 N10" G "\n8 :9.x\n9 :2.x\n");
	assert_text(b, "new/2.x", "two");
	res = once(b, &p, &opts);
	assert_int_equal(res.already, 2);
	assert_text(b, UIDS, "3 V7 N10" G "\n8 :9.x\n9 :2.x\n");
	plan_release(&p);
}

static void a_list_that_does_not_change_is_not_even_read(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	ino_t ino;

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "one");
	/* It would be an error to read it. */
	box_dir(b, UIDS);
	uids("", "3 V7 N5" G "\n4 :1.x\n", "3 V7 N5" G "\n4 :1.x\n");
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,S", "one");
	assert_int_equal(twice(b, &p).done, 1);
	assert_int_equal(imap_asked, 0);
	add(&p, "", "new/2.x", "two", 7);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).done, 1);
	assert_int_equal(rmdir(box_path(b, UIDS)), 0);
	/* Nor is one written that is right already. */
	imap_forget();
	box_file(b, UIDS, "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	ino = stat_of(b, UIDS).st_ino;
	uids("", "3 V7 N5" G "\n4 :1.x\n", "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	imap_step(&p, "");
	assert_int_equal(once(b, &p, NULL).already, 1);
	assert_int_equal(stat_of(b, UIDS).st_ino, ino);
	plan_release(&p);
}

static void a_list_of_an_unknown_kind_is_left_alone(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, UIDS, "9 something new\n");
	uids("", NULL, "3 V7 N9" G "\n8 :2.x\n");
	add(&p, "", "new/2.x", "two", 7);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).differs, 1);
	assert_text(b, UIDS, "9 something new\n");
	assert_text(b, "new/2.x", "two");
	assert_non_null(strstr(notes, "INBOX has a dovecot-uidlist of an unknown kind"));
}

static void a_folder_without_a_list_gets_one(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, ".Work/");
	uids(".Work", NULL, "3 V7 N9" G "\n");
	imap_step(&p, ".Work");
	imap_step(&p, ".Gone");
	uids(".Gone", NULL, "3 V8 N9" G "\n");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, ".Work/" UIDS, "3 V7 N9" G "\n");
	assert_false(box_has(b, ".Gone"));
}

static void three_thousand_messages_come_in_the_order_of_their_uids(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct bytes list = { 0 };
	struct arena strings = { 0 };
	struct apply_result res;
	int i;

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N1" G "\n");
	bytes_addf(&list, "3 V7 N3502" G "\n");
	for (i = 0; i < 3500; i++) {
		/* Not in this order in the plan; and some that have none. */
		int n = (i * 1237) % 3500;

		add(&p, "", arena_printf(&strings, "cur/%d.x:2,", n), "mail", 7);
		last(&p)->uid = n % 7 ? (uint32_t)n + 1 : 0;
		if (i % 7)
			bytes_addf(&list, "%d :%d.x\n", i + 1, i);
	}
	imap_step(&p, "");
	uids("", "3 V7 N1" G "\n", list.buf);
	res = once(b, &p, NULL);
	assert_int_equal(res.done, 3501);
	assert_text(b, UIDS, list.buf);
	assert_int_equal(box_count(b, "cur"), 3500);
	assert_int_equal(box_count(b, "tmp"), 0);
	plan_release(&p);
	arena_release(&strings);
	bytes_release(&list);
}

static const struct box *late_box;
static int late_reads;

/* A server gives out the next UID while the second batch is being written. */
static int late_read(void *ctx, const struct oid *oid, struct bytes *out, struct err *err)
{
	if (++late_reads == 1500) {
		FILE *f = fopen(box_path(late_box, UIDS), "a");

		assert_non_null(f);
		fprintf(f, "1025 :here.x\n");
		assert_int_equal(fclose(f), 0);
		box_file(late_box, "cur/here.x:2,", "ours");
	}
	return blob_read(ctx, oid, out, err);
}

static void a_server_that_comes_between_two_batches_finds_a_list_in_order(void **state)
{
	static struct apply_ops late;
	struct box *b = *state;
	struct plan p = { 0 };
	struct bytes list = { 0 }, want = { 0 };
	struct arena strings = { 0 };
	struct apply_result res;
	struct err err = { 0 };
	int i;

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N1" G "\n");
	bytes_addf(&list, "3 V7 N3000" G "\n");
	for (i = 1; i < 3000; i++) {
		add(&p, "", arena_printf(&strings, "cur/%d.x:2,", i), "mail", 7);
		last(&p)->uid = (uint32_t)i;
		bytes_addf(&list, "%d :%d.x\n", i, i);
	}
	imap_step(&p, "");
	uids("", "3 V7 N1" G "\n", list.buf);
	late = imap_ops;
	late.read = late_read;
	late_box = b;
	late_reads = 0;
	/* What has begun comes to its end. Only the one message whose UID is gone gets another, after all others. */
	assert_int_equal(apply_plan(&b->disk, &p, &late, NULL, &res, &err), 0);
	assert_true(res.differs > 0);
	assert_int_equal(box_count(b, "tmp"), 0);
	bytes_addf(&want, "3 V7 N3001" G "\n");
	for (i = 1; i < 3000; i++)
		bytes_addf(&want, "%d :%s.x\n", i, i == 1025 ? "here" : arena_printf(&strings, "%d", i));
	bytes_addf(&want, "3000 :1025.x\n");
	assert_text(b, UIDS, want.buf);
	assert_int_equal(box_count(b, "cur"), 3000);
	plan_release(&p);
	arena_release(&strings);
	bytes_release(&list);
	bytes_release(&want);
}

/* The names that come, go or change in the folder, in their order. */
static void watch(int fd, char *out, size_t size)
{
	char buf[16384] __attribute__((aligned(8)));
	size_t len = 0;
	ssize_t n, at;

	out[0] = '\0';
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			at += (ssize_t)(sizeof(*e) + e->len);
			if (e->len && strncmp(e->name, "git-maildir.", 12))
				len += (size_t)snprintf(out + len, size - len, "%s%s\n", e->mask & IN_DELETE ? "-" : e->mask & IN_MOVED_FROM ? "<" : "+", e->name);
		}
}

static void map_list_and_messages_change_in_this_order_under_the_lock(void **state)
{
	static const char *const parts[] = { "", "cur", "new" };
	struct box *b = *state;
	struct plan p = { 0 };
	char seen[4096];
	int i, fd = inotify_init1(IN_NONBLOCK);

	box_folder(b, "");
	box_file(b, UIDS, "3 V7 N5" G "\n");
	box_file(b, "cur/1.x:2,", "one");
	uids("", "3 V7 N5" G "\n", "3 V7 N9" G "\n8 :2.x\n");
	words("", NULL, "0 x\n");
	add(&p, "", "new/2.x", "two", -1);
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,a", "one");
	imap_step(&p, "");
	if (fd < 0)
		skip();
	for (i = 0; i < 3; i++)
		assert_true(inotify_add_watch(fd, box_path(b, parts[i]), IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) >= 0);
	once(b, &p, NULL);
	watch(fd, seen, sizeof(seen));
	/* Servers are woken before the list is there, and wait for the lock: a kill after the list leaves none asleep. */
	assert_string_equal(seen, "+" LOCK_NAME "\n+" WORDS "\n+.git-maildir.wake\n-.git-maildir.wake\n+" UIDS "\n+2.x\n<1.x:2,\n+1.x:2,a\n-" LOCK_NAME "\n");
	close(fd);
	plan_release(&p);
}

static void idle_clients_see_that_only_a_uid_changed(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat st;

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "one");
	box_file(b, "cur/.git-maildir.wake", "left by a kill");
	box_file(b, UIDS, "3 V7 N5" G "\n4 :1.x\n");
	box_age(b, "cur", 1000);
	st = stat_of(b, "cur");
	uids("", "3 V7 N5" G "\n4 :1.x\n", "3 V7 N9" G "\n8 :1.x\n");
	imap_step(&p, "");
	assert_int_equal(once(b, &p, NULL).done, 1);
	assert_text(b, UIDS, "3 V7 N9" G "\n8 :1.x\n");
	assert_true(stat_of(b, "cur").st_mtim.tv_sec > st.st_mtim.tv_sec);
	assert_int_equal(box_count(b, "cur"), 1);
	box_age(b, "cur", 1000);
	st = stat_of(b, "cur");
	assert_int_equal(once(b, &p, NULL).already, 1);
	assert_true(stat_of(b, "cur").st_mtim.tv_sec == st.st_mtim.tv_sec);
	plan_release(&p);
}

/* --- keywords */

static void letters_of_the_tree_become_those_of_the_folder(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat st;

	box_folder(b, "");
	box_file(b, WORDS, "2 Work\n");
	box_file(b, "cur/1.x:2,Sc", "one");
	box_age(b, WORDS, -3);
	st = stat_of(b, WORDS);
	words("", "0 Work\n", "0 Home\n1 Work\n2 Car\n");
	ren(&p, "", "cur/1.x:2,Sa", "cur/1.x:2,ab", "one");
	add(&p, "", "cur/2.x:2,Fc", "two", 7);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).done, 3);
	/* Home gets its letter, Car another one, since c is taken. */
	assert_text(b, WORDS, "0 Home\n1 Car\n2 Work\n");
	assert_text(b, "cur/1.x:2,ac", "one");
	assert_text(b, "cur/2.x:2,Fb", "two");
	/* Open sessions look again only when the second is another. */
	assert_int_equal(stat_of(b, WORDS).st_mtim.tv_sec, st.st_mtim.tv_sec + 1);
	assert_string_equal(notes, "");
}

static void one_letter_of_two_meanings_stays_what_it_is_here(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Old/");
	box_file(b, WORDS, "2 x\n");
	box_file(b, ".Old/" WORDS, "0 y\n1 x\n");
	box_file(b, "cur/1.x:2,c", "one");
	box_file(b, "cur/2.x:2,Sc", "two");
	box_file(b, "cur/3.x:2,", "three");
	box_file(b, ".Old/cur/4.x:2,b", "four");
	box_file(b, ".Old/cur/5.x:2,Fab", "five");
	words("", "2 x\n", "2 y\n3 x\n");
	words(".Old", "2 x\n", "2 x\n");
	/* A name that only the tree spells in another way. */
	ren(&p, "", "cur/1.x:2,c", "cur/1.x:2,d", "one");
	/* Seen here meanwhile. */
	ren(&p, "", "cur/2.x:2,c", "cur/2.x:2,cd", "two");
	replace(&p, "", "cur/3.x:2,", "three", "cur/3.x:2,c", "three, changed");
	link_from(&p, ".Old", "cur/4.x:2,c", "", "cur/4.x:2,d", "four");
	/* Flagged, and y added, meanwhile. */
	link_from(&p, ".Old", "cur/5.x:2,c", "", "cur/5.x:2,Sd", "five");
	imap_step(&p, "");
	del(&p, ".Old", "cur/4.x:2,c", "four");
	del(&p, ".Old", "cur/5.x:2,c", "five");
	twice(b, &p);
	assert_text(b, WORDS, "0 y\n2 x\n");
	assert_text(b, "cur/1.x:2,c", "one");
	assert_text(b, "cur/2.x:2,Sac", "two");
	assert_text(b, "cur/3.x:2,a", "three, changed");
	assert_text(b, "cur/4.x:2,c", "four");
	assert_text(b, "cur/5.x:2,FSac", "five");
	assert_int_equal(box_count(b, "cur"), 5);
	assert_int_equal(box_count(b, ".Old/cur"), 0);
	assert_text(b, ".Old/" WORDS, "0 y\n1 x\n");
}

static void a_keyword_that_is_used_for_the_first_time_where_a_moved_message_was_goes_with_it(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_folder(b, ".Old/");
	box_file(b, ".Old/" WORDS, "0 urgent\n");
	box_file(b, ".Old/cur/1.x:2,a", "one");
	link_from(&p, ".Old", "cur/1.x:2,", "", "cur/1.x:2,S", "one");
	del(&p, ".Old", "cur/1.x:2,", "one");
	twice(b, &p);
	assert_text(b, "cur/1.x:2,Sa", "one");
	assert_text(b, WORDS, "0 urgent\n");
}

static void a_keyword_without_a_letter_is_left_out_and_said_once(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct bytes full = { 0 };
	int i;

	box_folder(b, "");
	for (i = 0; i < 26; i++)
		bytes_addf(&full, "%d k%d\n", i, i);
	box_file(b, WORDS, full.buf);
	box_file(b, "cur/1.x:2,", "one");
	box_file(b, "cur/2.x:2,", "two");
	words("", NULL, "0 more\n1 k3\n");
	ren(&p, "", "cur/1.x:2,", "cur/1.x:2,Sab", "one");
	ren(&p, "", "cur/2.x:2,", "cur/2.x:2,a", "two");
	imap_step(&p, "");
	once(b, &p, NULL);
	assert_string_equal(notes, "INBOX has no letter left for the keyword 'more': it is not shown here\n");
	assert_text(b, "cur/1.x:2,Sd", "one");
	assert_text(b, "cur/2.x:2,", "two");
	assert_text(b, WORDS, full.buf);
	twice(b, &p);
	bytes_release(&full);
}

static void what_another_step_wants_is_asked_in_the_letters_of_the_tree(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, WORDS, "4 Work\n");
	/* Two messages of one key: one is as it is to be, the other is not found. */
	box_file(b, "cur/1.x:2,Fe", "other");
	words("", "0 Work\n", "0 Work\n");
	wanted_path = "cur/1.x:2,Fa";
	ren(&p, "", "cur/1.x:2,a", "cur/1.x:2,Sa", "one");
	assert_int_equal(twice(b, &p).differs, 1);
	wanted_path = NULL;
	assert_text(b, "cur/1.x:2,Fe", "other");
	assert_int_equal(box_count(b, "cur"), 1);
}

static void a_message_whose_name_stays_is_never_removed_by_its_own_rename(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, WORDS, "0 Work\n");
	box_file(b, "cur/1.x:2,a", "one");
	words("", "3 Work\n", "4 Work\n");
	ren(&p, "", "cur/1.x:2,d", "cur/1.x:2,e", "one");
	ren(&p, "", "cur/2.x:2,d", "cur/2.x:2,e", "never was");
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).already, 2);
	assert_text(b, "cur/1.x:2,a", "one");
}

/* --- folders that are new */

static void a_new_folder_appears_with_all_that_is_in_it(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	struct stat st;
	ino_t ino;

	box_folder(b, "");
	box_file(b, WORDS, "5 Work\n");
	box_file(b, "cur/1.x:2,f", "one");
	ino = stat_of(b, "cur/1.x:2,f").st_ino;
	uids("a/.New", NULL, "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	words("a/.New", NULL, "1 Work\n3 Home\n");
	words("", "0 Work\n", "0 Work\n");
	mkfolder(&p, "a/.New");
	link_from(&p, "", "cur/1.x:2,a", "a/.New", "cur/1.x:2,bd", "one");
	add(&p, "a/.New", "new/2.x", "two", 7);
	imap_step(&p, "a/.New");
	del(&p, "", "cur/1.x:2,a", "one");
	assert_int_equal(twice(b, &p).done, 5);
	assert_text(b, "a/.New/" UIDS, "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	assert_text(b, "a/.New/" WORDS, "1 Work\n3 Home\n");
	assert_text(b, "a/.New/new/2.x", "two");
	assert_int_equal(stat_of(b, "a/.New/new/2.x").st_mtim.tv_sec, 7);
	st = stat_of(b, "a/.New/cur/1.x:2,bd");
	assert_int_equal(st.st_ino, ino);
	assert_int_equal(stat_of(b, "a/.New").st_mode & 07777, 0700);
	assert_int_equal(box_count(b, "a/.New/tmp"), 0);
	assert_int_equal(box_count(b, "tmp"), 0);
	/* It never was anywhere without its messages: no lock was needed. */
	assert_false(box_has(b, "a/.New/" LOCK_NAME));
}

static void a_directory_becomes_a_folder_with_its_uids_first(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_dir(b, "Work");
	box_folder(b, "Work/Sub/");
	uids("Work", NULL, "3 V7 N9" G "\n8 :2.x\n");
	words("Work", NULL, "0 x\n");
	mkfolder(&p, "Work");
	add(&p, "Work", "cur/2.x:2,a", "two", 7);
	imap_step(&p, "Work");
	assert_int_equal(twice(b, &p).done, 3);
	assert_text(b, "Work/" UIDS, "3 V7 N9" G "\n8 :2.x\n");
	assert_text(b, "Work/" WORDS, "0 x\n");
	assert_text(b, "Work/cur/2.x:2,a", "two");
	assert_true(box_has(b, "Work/new") && box_has(b, "Work/tmp") && box_has(b, "Work/Sub/cur"));
	assert_int_equal(box_count(b, "tmp"), 0);
	assert_false(box_has(b, "Work/" LOCK_NAME));
}

static void a_folder_that_somebody_made_meanwhile_is_filled_as_any_other(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_dir(b, "Work");
	box_dir(b, "Work/tmp");
	/* Its server gave it a UIDVALIDITY of its own already. */
	box_file(b, "Work/" UIDS, "3 V5 N1" G "\n");
	uids("Work", NULL, "3 V7 N9" G "\n8 :2.x\n");
	mkfolder(&p, "Work");
	add(&p, "Work", "cur/2.x:2,", "two", 7);
	imap_step(&p, "Work");
	assert_int_equal(twice(b, &p).done, 3);
	assert_text(b, "Work/" UIDS, "3 V7 N9" G "\n8 :2.x\n");
	assert_text(b, "Work/cur/2.x:2,", "two");
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void what_a_kill_leaves_of_a_folder_that_is_built_goes_with_its_mail(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char name[128];
	int k, status = 1, left = 0;

	box_folder(b, "");
	box_file(b, "cur/1.x:2,", "one");
	uids(".New", NULL, "3 V7 N9" G "\n4 :1.x\n8 :2.x\n");
	mkfolder(&p, ".New");
	link_from(&p, "", "cur/1.x:2,", ".New", "cur/1.x:2,", "one");
	add(&p, ".New", "new/2.x", "two", 7);
	add(&p, ".New", "new/3.x", "three", 7);
	imap_step(&p, ".New");
	for (k = 0; status; k++) {
		pid_t pid = fork();

		assert_true(k < 10);
		if (!pid) {
			b->disk.pid = getpid();
			reads_left = k;
			once(b, &p, NULL);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status) {
			assert_false(box_has(b, ".New"));
			left += box_count(b, "tmp");
			assert_int_equal(repair_tmp(&b->disk, false, NULL, NULL), 0);
		}
		assert_int_equal(box_count(b, "tmp"), 0);
		assert_text(b, "cur/1.x:2,", "one");
	}
	assert_true(left > 1);
	assert_text(b, ".New/new/3.x", "three");
	/* One of a process that lives is not touched. */
	snprintf(name, sizeof(name), "tmp/git-maildir.%lld.%ld.0.00000000.lock.new/", (long long)time(NULL), (long)getppid());
	box_folder(b, name);
	assert_int_equal(repair_tmp(&b->disk, false, NULL, NULL), 0);
	assert_int_equal(box_count(b, "tmp"), 1);
	plan_release(&p);
}

/* --- cut off anywhere */

static void a_kill_between_list_and_messages_is_made_up_for(void **state)
{
	static const char *const before = "3 V7 N5" G "\n4 :1.x\n";
	static const char *const target = "3 V7 N9" G "\n4 :1.x\n7 :2.x\n8 :3.x\n";
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	/* The map and the list were written, and one of two messages was named. */
	box_file(b, WORDS, "0 x\n");
	box_file(b, UIDS, target);
	box_file(b, "cur/1.x:2,", "one");
	box_file(b, "cur/2.x:2,a", "two");
	uids("", before, target);
	words("", NULL, "0 x\n");
	add(&p, "", "cur/2.x:2,a", "two", -1);
	add(&p, "", "cur/3.x:2,a", "three", -1);
	imap_step(&p, "");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, UIDS, target);
	assert_int_equal(box_count(b, "cur"), 3);
}

static void a_lock_that_is_held_too_long_leaves_list_and_map_alone(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char text[300];

	box_folder(b, "");
	snprintf(text, sizeof(text), "%ld:%s", (long)getppid(), b->disk.host);
	box_file(b, LOCK_NAME, text);
	box_file(b, UIDS, "3 V7 N5" G "\n");
	b->disk.lock_wait = 0;
	uids("", "3 V7 N5" G "\n", "3 V7 N9" G "\n8 :2.x\n");
	words("", NULL, "0 x\n");
	add(&p, "", "cur/2.x:2,a", "two", -1);
	imap_step(&p, "");
	fails(b, &p, ERR_BUSY);
}

int main(void)
{
#define imap_test(f) cmocka_unit_test_setup_teardown(f, imap_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		imap_test(a_message_comes_with_its_uid),
		imap_test(what_a_server_did_meanwhile_stays),
		imap_test(a_uid_that_was_given_out_meanwhile_stops_the_apply_before_anything_changes),
		imap_test(nothing_is_done_in_any_folder_when_the_uids_of_one_were_given_out),
		imap_test(a_uid_that_is_given_out_when_half_is_done_does_not_stop_the_apply),
		imap_test(settled_the_message_gets_a_uid_of_its_own_here),
		imap_test(a_list_that_does_not_change_is_not_even_read),
		imap_test(a_list_of_an_unknown_kind_is_left_alone),
		imap_test(a_folder_without_a_list_gets_one),
		imap_test(three_thousand_messages_come_in_the_order_of_their_uids),
		imap_test(a_server_that_comes_between_two_batches_finds_a_list_in_order),
		imap_test(map_list_and_messages_change_in_this_order_under_the_lock),
		imap_test(idle_clients_see_that_only_a_uid_changed),
		imap_test(letters_of_the_tree_become_those_of_the_folder),
		imap_test(one_letter_of_two_meanings_stays_what_it_is_here),
		imap_test(a_keyword_that_is_used_for_the_first_time_where_a_moved_message_was_goes_with_it),
		imap_test(a_keyword_without_a_letter_is_left_out_and_said_once),
		imap_test(what_another_step_wants_is_asked_in_the_letters_of_the_tree),
		imap_test(a_message_whose_name_stays_is_never_removed_by_its_own_rename),
		imap_test(a_new_folder_appears_with_all_that_is_in_it),
		imap_test(a_directory_becomes_a_folder_with_its_uids_first),
		imap_test(a_folder_that_somebody_made_meanwhile_is_filled_as_any_other),
		imap_test(what_a_kill_leaves_of_a_folder_that_is_built_goes_with_its_mail),
		imap_test(a_kill_between_list_and_messages_is_made_up_for),
		imap_test(a_lock_that_is_held_too_long_leaves_list_and_map_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
