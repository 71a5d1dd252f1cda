/*
 * test_plan.c -- what is to be done to a disk, and in which order.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/plan.h"
#include "sides.h"

/* Expects these steps, as people see them, one a line. The list of changes is released before the plan is read. */
static void expect(struct store from, struct store to, const char *want)
{
	struct changes c;
	struct plan p;
	struct bytes got = { 0 };

	change_find(&c, &from, &to);
	plan_build(&p, &c, NULL);
	changes_release(&c);
	for (size_t i = 0; i < p.n; i++) {
		plan_show(&p.v[i], &got);
		bytes_addstr(&got, "\n");
	}
	assert_string_equal(got.buf ? got.buf : "", want);
	bytes_release(&got);
	plan_release(&p);
	store_release(&from);
	store_release(&to);
}

static void nothing_to_do(void **state)
{
	(void)state;
	expect(NOTHING, NOTHING, "");
	expect(SIDE("A cur/1:2,", "r .gitmaildir"), SIDE("A cur/1:2,", "r .gitmaildir"), "");
}

static void each_change_of_a_message_has_its_step(void **state)
{
	(void)state;
	expect(SIDE("A new/1", "B cur/2:2,", "C cur/3:2,", "D cur/4:2,", "E cur/5:2,"),
	       SIDE("A cur/1:2,S", "F cur/2:2,", "G cur/3:2,S", "E cur/5:2,", "H new/6"),
	       "add new/6\nrename new/1 to cur/1:2,S\nreplace cur/2:2,\nreplace cur/3:2, by "
	       "cur/3:2,S\ndelete cur/4:2,\n");
}

static void a_move_adds_before_it_deletes(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "r .gitmaildir", "m .Work/.gitmaildir"),
	       SIDE("A .Work/cur/1:2,S", "r .gitmaildir", "m .Work/.gitmaildir"),
	       "add .Work/cur/1:2,S from cur/1:2,\ndelete cur/1:2,\n");
}

static void additions_and_moves_to_a_folder_come_together(void **state)
{
	(void)state;
	expect(SIDE("A .A/cur/1:2,", "B .B/cur/2:2,", "C .C/cur/3:2,", "D .D/cur/4:2,", "m .D/.gitmaildir"),
	       SIDE("A .D/cur/1:2,", "B .C/cur/2:2,", "C .D/cur/3:2,", "D .D/cur/4:2,", "E .C/cur/5:2,",
		    "m .D/.gitmaildir"),
	       "add .C/cur/2:2, from .B/cur/2:2,\nadd .C/cur/5:2,\n"
	       "add .D/cur/1:2, from .A/cur/1:2,\nadd .D/cur/3:2, from .C/cur/3:2,\n"
	       "delete .A/cur/1:2,\ndelete .B/cur/2:2,\ndelete .C/cur/3:2,\n");
}

static void a_new_folder_is_made_before_its_mail_and_its_marker_comes_after(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir"),
	       SIDE("r .gitmaildir", "m Work/.gitmaildir", "n Work/Sub/.gitmaildir", "A Work/Sub/new/1"),
	       "make folder Work\nmake folder Work/Sub\nadd Work/Sub/new/1\n"
	       "write Work/.gitmaildir\nwrite Work/Sub/.gitmaildir\n");
}

static void a_folder_without_a_marker_is_made_for_its_first_message(void **state)
{
	(void)state;
	expect(NOTHING, SIDE("A .Work/new/1", "B .Work/new/2", "C new/3"),
	       "make folder .Work\nadd new/3\nadd .Work/new/1\nadd .Work/new/2\n");
	expect(SIDE("A cur/1:2,"), SIDE("A .Work/cur/1:2,", "B .Work/new/2"),
	       "make folder .Work\nadd .Work/new/2\nadd .Work/cur/1:2, from cur/1:2,\ndelete cur/1:2,\n");
	expect(SIDE("A .Work/new/1"), SIDE("A .Work/new/1", "B .Work/new/2"), "add .Work/new/2\n");
	expect(SIDE("m .Work/.gitmaildir"), SIDE("m .Work/.gitmaildir", "B .Work/new/2"),
	       "add .Work/new/2\n");
}

static void many_moves_make_a_folder_once(void **state)
{
	(void)state;
	expect(SIDE("A cur/1:2,", "B cur/2:2,", "C cur/3:2,"),
	       SIDE("A .A/cur/1:2,", "B .B/cur/2:2,", "C .A/cur/3:2,"),
	       "make folder .A\nmake folder .B\n"
	       "add .A/cur/1:2, from cur/1:2,\nadd .A/cur/3:2, from cur/3:2,\nadd .B/cur/2:2, from cur/2:2,\n"
	       "delete cur/1:2,\ndelete cur/2:2,\ndelete cur/3:2,\n");
}

static void a_folder_goes_last_and_the_deepest_first(void **state)
{
	(void)state;
	expect(SIDE("m Old/.gitmaildir", "n Old/Sub/.gitmaildir", "A Old/Sub/cur/1:2,", "x Old/sieve"),
	       NOTHING,
	       "delete Old/Sub/cur/1:2,\nremove Old/.gitmaildir\nremove Old/Sub/.gitmaildir\nremove "
	       "Old/sieve\n"
	       "remove folder Old/Sub\nremove folder Old\n");
}

static void the_root_is_never_removed(void **state)
{
	(void)state;
	expect(SIDE("r .gitmaildir", "A cur/1:2,"), NOTHING, "delete cur/1:2,\nremove .gitmaildir\n");
}

static void a_folder_that_lost_its_marker_but_not_its_mail_stays(void **state)
{
	(void)state;
	expect(SIDE("m .Work/.gitmaildir", "A .Work/cur/1:2,"), SIDE("A .Work/cur/1:2,"),
	       "remove .Work/.gitmaildir\n");
	expect(SIDE("m .Work/.gitmaildir"), SIDE("A .Work/new/1"),
	       "add .Work/new/1\nremove .Work/.gitmaildir\n");
}

static void a_file_in_the_place_of_a_new_folder_goes_first(void **state)
{
	(void)state;
	expect(SIDE("x Work", "y Work-1", "A new/1"), SIDE("m Work/.gitmaildir", "B Work/new/2"),
	       "remove Work\nmake folder Work\nadd Work/new/2\ndelete new/1\nwrite Work/.gitmaildir\nremove "
	       "Work-1\n");
	expect(SIDE("x a"), SIDE("x a/b"), "remove a\nwrite a/b\n");
}

static void a_file_in_the_place_of_an_old_folder_comes_last(void **state)
{
	(void)state;
	expect(SIDE("m Work/.gitmaildir", "B Work/new/2"), SIDE("x Work", "y Work-1"),
	       "delete Work/new/2\nwrite Work-1\nremove Work/.gitmaildir\nremove folder Work\nwrite Work\n");
}

static void a_renamed_folder_is_made_filled_emptied_and_removed(void **state)
{
	(void)state;
	expect(SIDE("m .A/.gitmaildir", "A .A/cur/1:2,"), SIDE("m .B/.gitmaildir", "A .B/cur/1:2,"),
	       "make folder .B\nadd .B/cur/1:2, from .A/cur/1:2,\ndelete .A/cur/1:2,\n"
	       "write .B/.gitmaildir\nremove .A/.gitmaildir\nremove folder .A\n");
}

static void uids_and_keywords_come_with_the_messages_of_their_folder(void **state)
{
	(void)state;
	expect(SIDE("A .A/cur/1:2,", "u .A/dovecot-uidlist", "k .B/dovecot-keywords", "B .B/cur/2:2,", "C .A/cur/3:2,"),
	       SIDE("A .A/cur/1:2,S", "v .A/dovecot-uidlist", "l .B/dovecot-keywords", "B .B/cur/2:2,", "D .A/cur/3:2,", "E .A/new/4",
		    "v dovecot-uidlist", "k dovecot-keywords"),
	       "set UIDs and keywords of .\n"
	       "add .A/new/4\nrename .A/cur/1:2, to cur/1:2,S\nreplace .A/cur/3:2,\nset UIDs and keywords of .A\n"
	       "set UIDs and keywords of .B\n");
}

static void uids_and_keywords_are_never_taken_away(void **state)
{
	(void)state;
	expect(SIDE("u .A/dovecot-uidlist", "k .A/dovecot-keywords", "m .A/.gitmaildir"), SIDE("m .A/.gitmaildir"), "");
	expect(SIDE("u .A/dovecot-uidlist", "m .A/.gitmaildir"), NOTHING, "remove .A/.gitmaildir\nremove folder .A\n");
}

static void the_last_uidvalidity_is_a_file_of_its_own(void **state)
{
	(void)state;
	expect(SIDE("u dovecot-uidvalidity"), SIDE("v dovecot-uidvalidity"), "write dovecot-uidvalidity\n");
}

static int64_t date(void *ctx, const char *folder, const char *key, size_t keylen)
{
	++*(int *)ctx;
	assert_int_equal(keylen, 1);
	return *key - '0' + (*folder ? 100 : 0);
}

static uint32_t descending(void *ctx, const char *folder, const char *key, size_t keylen)
{
	(void)ctx;
	(void)folder;
	assert_int_equal(keylen, 1);
	return *key == '7' ? 0 : 100 - (uint32_t)(*key - '0');
}

static void messages_come_in_the_order_of_their_uids(void **state)
{
	struct store from = SIDE("X cur/5:2,", "Y cur/6,S=1:2,", "Z cur/8:2,");
	struct store to = SIDE("A cur/1:2,", "B new/2", "C cur/3:2,", "D cur/4:2,", "E cur/7:2,", "X cur/5:2,S", "Y cur/6:2,", "Q cur/8:2,");
	static const uint32_t want[] = { 0, 96, 97, 98, 99, 0, 94, 92 };
	static const char names[] = "74321568";
	int asked = 0;
	struct plan_facts facts = { .ctx = &asked, .mtime = date, .uid = descending };
	struct changes c;
	struct plan p;

	(void)state;
	change_find(&c, &from, &to);
	plan_build(&p, &c, &facts);
	assert_int_equal(p.n, 8);
	for (size_t i = 0; i < p.n; i++) {
		assert_int_equal(p.v[i].name[0], names[i]);
		assert_int_equal(p.v[i].uid, want[i]);
	}
	plan_release(&p);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

static void steps_hold_contents_modes_and_dates(void **state)
{
	struct store from = SIDE("A cur/1:2,", "B cur/2:2,", "C cur/3:2,", "s subscriptions", "x old");
	struct store to = SIDE("A .W/cur/1:2,S", "D cur/2:2,F", "C cur/3:2,S", "E new/4", "t subscriptions",
			       "y new-file");
	int asked = 0;
	struct plan_facts dates = { .ctx = &asked, .mtime = date };
	struct oid none = { { 0 } }, a = content('A'), b = content('B'), d = content('D'), e = content('E');
	struct oid s = content('s'), t = content('t'), x = content('x');
	struct changes c;
	struct plan p;

	(void)state;
	change_find(&c, &from, &to);
	plan_build(&p, &c, &dates);
	assert_int_equal(p.n, 9);
	assert_int_equal(asked, 3);
	assert_true(p.v[0].kind == PLAN_MKFOLDER);
	assert_true(p.v[1].kind == PLAN_ADD && p.v[1].mtime == 4 && oid_eq(&p.v[1].oid, &e));
	assert_null(p.v[1].from_folder);
	assert_true(p.v[2].kind == PLAN_RENAME && p.v[2].mtime == -1);
	assert_true(p.v[3].kind == PLAN_REPLACE && p.v[3].mtime == 2);
	assert_true(oid_eq(&p.v[3].oid, &d) && oid_eq(&p.v[3].from_oid, &b));
	assert_true(p.v[4].kind == PLAN_ADD && p.v[4].mtime == 101 && oid_eq(&p.v[4].oid, &a));
	assert_string_equal(p.v[4].from_folder, "");
	assert_string_equal(p.v[4].from_name, "1:2,");
	assert_int_equal(p.v[4].from_sub, NAME_CUR);
	assert_true(p.v[5].kind == PLAN_DELETE && oid_eq(&p.v[5].from_oid, &a));
	assert_true(p.v[6].kind == PLAN_PUT && oid_eq(&p.v[6].from_oid, &none) && p.v[6].mode == 0100644);
	assert_true(p.v[7].kind == PLAN_PUT && oid_eq(&p.v[7].from_oid, &s) && oid_eq(&p.v[7].oid, &t));
	assert_true(p.v[8].kind == PLAN_UNLINK && oid_eq(&p.v[8].from_oid, &x));
	plan_release(&p);
	changes_release(&c);
	store_release(&from);
	store_release(&to);
}

static void a_step_is_shown_without_harm_to_a_terminal(void **state)
{
	(void)state;
	expect(NOTHING, SIDE("A new/a b\\c\xc3\xa4\x9b"), "add new/a b\\x5cc\\xc3\\xa4\\x9b\n");
}

/* A disk as a list of places, to carry out plans on. */
struct place {
	char path[64];
	struct oid oid;
};

struct model {
	struct place v[200];
	size_t n;
};

static struct place *look(struct model *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].path, path) == 0)
			return &m->v[i];
	return NULL;
}

static void put(struct model *m, const char *path, const struct oid *oid)
{
	struct place *p = &m->v[m->n];

	assert_true(m->n < 200 && strlen(path) < sizeof(p->path));
	assert_null(look(m, path));
	m->n++;
	strcpy(p->path, path);
	p->oid = *oid;
}

static void take(struct model *m, const char *path, const struct oid *oid)
{
	struct place *p = look(m, path);

	assert_non_null(p);
	assert_true(oid_eq(&p->oid, oid));
	*p = m->v[--m->n];
}

static const char *place_of(char out[64], const char *folder, unsigned sub, const char *name)
{
	snprintf(out, 64, "%s%s%s/%s", folder, *folder ? "/" : "", sub == NAME_CUR ? "cur" : "new", name);
	return out;
}

static void carry_out(struct model *m, const struct plan_step *s)
{
	char to[64], from[64];

	if (s->name)
		place_of(to, s->folder, s->sub, s->name);
	if (s->from_name)
		place_of(from, s->from_folder ? s->from_folder : s->folder, s->from_sub, s->from_name);
	switch (s->kind) {
	case PLAN_ADD:
		if (s->from_folder)
			assert_true(oid_eq(&look(m, from)->oid, &s->oid));
		put(m, to, &s->oid);
		break;
	case PLAN_RENAME:
		assert_true(oid_eq(&s->oid, &s->from_oid));
		take(m, from, &s->from_oid);
		put(m, to, &s->oid);
		break;
	case PLAN_REPLACE:
		take(m, from, &s->from_oid);
		put(m, to, &s->oid);
		break;
	case PLAN_DELETE:
		take(m, from, &s->from_oid);
		break;
	case PLAN_PUT:
		if (!oid_is_zero(&s->from_oid))
			take(m, s->folder, &s->from_oid);
		put(m, s->folder, &s->oid);
		break;
	case PLAN_UNLINK:
		take(m, s->folder, &s->from_oid);
		break;
	case PLAN_MVFOLDER:
		for (size_t i = 0; i < m->n; i++) {
			size_t len = strlen(s->from_folder);

			assert_false(strncmp(m->v[i].path, s->folder, strlen(s->folder)) == 0 && m->v[i].path[strlen(s->folder)] == '/');
			if (strncmp(m->v[i].path, s->from_folder, len) != 0 || m->v[i].path[len] != '/')
				continue;
			snprintf(to, sizeof(to), "%s%s", s->folder, m->v[i].path + len);
			strcpy(m->v[i].path, to);
		}
		break;
	case PLAN_MKFOLDER:
	case PLAN_IMAP:
	case PLAN_RMFOLDER:
		break;
	}
}

static unsigned dice(uint64_t *seed, unsigned sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % sides;
}

/* A few messages out of few folders, keys, flags and contents, so that everything clashes with everything. */
static void random_side(struct store *s, struct model *m, uint64_t *seed)
{
	static const char *const folders[] = { "", ".A/", ".B/", ".B.C/" };
	static const char *const infos[] = { "", ":2,", ":2,S", ",S=1:2,", ",S=1:2,S" };

	memset(m, 0, sizeof(*m));
	for (unsigned n = dice(seed, 12); n > 0; n--) {
		char entry[64];
		struct oid oid;

		if (dice(seed, 5) == 0)
			snprintf(entry, sizeof(entry), "%c %s%s", 'p' + dice(seed, 3), folders[dice(seed, 4)],
				 dice(seed, 2) ? ".gitmaildir" : "sieve");
		else
			snprintf(entry, sizeof(entry), "%c %s%s/%u%s", 'A' + dice(seed, 3),
				 folders[dice(seed, 4)], dice(seed, 3) ? "cur" : "new", dice(seed, 4),
				 infos[dice(seed, 5)]);
		if (look(m, entry + 2))
			continue;
		oid = content(entry[0]);
		put(m, entry + 2, &oid);
		side_add(s, entry);
	}
	store_sort(s);
}

/* The same store, in which two folders have other names, and a few things are gone. */
static void renamed_side(struct store *s, struct model *m, const struct model *before, uint64_t *seed)
{
	memset(m, 0, sizeof(*m));
	for (size_t i = 0; i < before->n; i++) {
		const struct place *p = &before->v[i];
		char entry[64];

		if (dice(seed, 6) == 0)
			continue;
		if (!strncmp(p->path, ".A/", 3) || !strncmp(p->path, ".B.C/", 5))
			snprintf(entry, sizeof(entry), "%c .New%s", p->oid.h[0], p->path);
		else
			snprintf(entry, sizeof(entry), "%c %s", p->oid.h[0], p->path);
		put(m, entry + 2, &p->oid);
		side_add(s, entry);
	}
	store_sort(s);
}

static void no_message_is_added_that_could_have_been_moved(const struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t j = 0; c->v[i].kind == CHANGE_ADD && j < c->n; j++)
			assert_false(c->v[j].kind == CHANGE_DELETE &&
				     oid_eq(&c->v[i].to->oid, &c->v[j].from->oid));
}

static const char *no_id(void *ctx, bool before, const char *folder)
{
	(void)ctx;
	(void)before;
	(void)folder;
	return "";
}

static bool all_are_one(void *ctx, const char *one, const char *other)
{
	(void)one;
	(void)other;
	++*(int *)ctx;
	return true;
}

static void a_plan_leads_from_any_store_to_any_other_and_no_step_is_in_the_way_of_another(void **state)
{
	uint64_t seed = 20050423;
	int renamed = 0;

	(void)state;
	for (int round = 0; round < 40000; round++) {
		struct store from = { 0 }, to = { 0 };
		struct model disk, want;
		struct mvfolders moves = { 0 };
		struct store moved = { 0 };
		struct changes c;
		struct plan p;

		random_side(&from, &disk, &seed);
		if (round % 2)
			renamed_side(&to, &want, &disk, &seed);
		else
			random_side(&to, &want, &seed);
		change_find(&c, &from, &to);
		no_message_is_added_that_could_have_been_moved(&c);
		/* Mostly folders are renamed as a whole. */
		if (round % 4) {
			mvfolder_find(&moves, &c, &(struct mvfolder_facts){ &renamed, no_id, all_are_one });
			mvfolder_store(&moved, &from, &moves);
			changes_release(&c);
			change_find(&c, &moved, &to);
		}
		plan_build(&p, &c, NULL);
		plan_move_folders(&p, &moves);
		for (size_t i = 0; i < p.n; i++)
			carry_out(&disk, &p.v[i]);
		assert_int_equal(disk.n, want.n);
		for (size_t i = 0; i < want.n; i++)
			take(&disk, want.v[i].path, &want.v[i].oid);
		plan_release(&p);
		changes_release(&c);
		store_release(&from);
		store_release(&to);
		store_release(&moved);
		mvfolders_release(&moves);
	}
	assert_true(renamed > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(each_change_of_a_message_has_its_step),
		cmocka_unit_test(a_move_adds_before_it_deletes),
		cmocka_unit_test(additions_and_moves_to_a_folder_come_together),
		cmocka_unit_test(a_new_folder_is_made_before_its_mail_and_its_marker_comes_after),
		cmocka_unit_test(a_folder_without_a_marker_is_made_for_its_first_message),
		cmocka_unit_test(many_moves_make_a_folder_once),
		cmocka_unit_test(a_folder_goes_last_and_the_deepest_first),
		cmocka_unit_test(the_root_is_never_removed),
		cmocka_unit_test(a_folder_that_lost_its_marker_but_not_its_mail_stays),
		cmocka_unit_test(a_file_in_the_place_of_a_new_folder_goes_first),
		cmocka_unit_test(a_file_in_the_place_of_an_old_folder_comes_last),
		cmocka_unit_test(a_renamed_folder_is_made_filled_emptied_and_removed),
		cmocka_unit_test(uids_and_keywords_come_with_the_messages_of_their_folder),
		cmocka_unit_test(uids_and_keywords_are_never_taken_away),
		cmocka_unit_test(the_last_uidvalidity_is_a_file_of_its_own),
		cmocka_unit_test(messages_come_in_the_order_of_their_uids),
		cmocka_unit_test(steps_hold_contents_modes_and_dates),
		cmocka_unit_test(a_step_is_shown_without_harm_to_a_terminal),
		cmocka_unit_test(
			a_plan_leads_from_any_store_to_any_other_and_no_step_is_in_the_way_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
