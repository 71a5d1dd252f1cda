/*
 * test_uidlist_advance.c -- brings the list that a mail server works on to what was merged.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "uids.h"

#define CASES 20000
#define ALL UINT32_MAX
#define BEFORE "3 V5 N4 G" GUID_A "\n1 :a\n2 :b\n3 :c\n"

struct step {
	struct uidlist live, before, target, out;
	enum uidlist_advance result;
	bool settled;
};

static void step_run(struct step *s, const char *live, const char *before, const char *target, uint32_t bound, bool settle)
{
	uids_parse(&s->live, live);
	uids_parse(&s->before, before);
	uids_parse(&s->target, target);
	memset(&s->out, 0, sizeof(s->out));
	s->settled = true;
	s->result = uidlist_advance(&s->out, &s->live, &s->before, &s->target, bound, settle, &s->settled);
}

static void step_release(struct step *s)
{
	uidlist_release(&s->live);
	uidlist_release(&s->before);
	uidlist_release(&s->target);
	uidlist_release(&s->out);
}

/* want: the new list; NULL: the live one is right as it is; "moved". With a '+' in front: a fresh UID was given. */
static void assert_advances(const char *live, const char *before, const char *target, uint32_t bound, bool settle, const char *want)
{
	bool fresh = want && *want == '+';
	struct step s;

	step_run(&s, live, before, target, bound, settle);
	assert_int_equal(s.settled, fresh);
	if (!want || strcmp(want, "moved") == 0) {
		assert_int_equal(s.result, want ? UIDLIST_MOVED : UIDLIST_SAME);
		assert_false(s.out.known);
		assert_null(s.out.v);
	} else {
		assert_int_equal(s.result, UIDLIST_CHANGED);
		uids_assert_text(&s.out, want + fresh);
	}
	step_release(&s);
}

/* The same whether settling is allowed or not. */
static void assert_both(const char *live, const char *before, const char *target, uint32_t bound, const char *want)
{
	assert_advances(live, before, target, bound, false, want);
	assert_advances(live, before, target, bound, true, want);
}

static void a_list_that_nobody_touched_becomes_the_merged_one(void **state)
{
	(void)state;
	assert_both(BEFORE, BEFORE, "3 V5 N7 G" GUID_A "\n1 :a\n3 :c\n4 :d\n6 :b\n", ALL,
		    "3 V5 N7 G" GUID_A "\n1 :a\n3 :c\n4 :d\n6 :b\n");
	assert_both(BEFORE, BEFORE, BEFORE, ALL, NULL);
	assert_both(BEFORE, BEFORE, "3 V5 N9 G" GUID_A "\n1 :a\n2 :b\n3 :c\n", ALL, "3 V5 N9 G" GUID_A "\n1 :a\n2 :b\n3 :c\n");
}

static void lines_that_the_target_does_not_have_stay(void **state)
{
	(void)state;
	assert_both(BEFORE, BEFORE, "3 V5 N4 G" GUID_A "\n1 :a\n", ALL, NULL);
	assert_both("3 V5 N6 G" GUID_A "\n1 :a\n4 :x\n5 :y\n", BEFORE, "3 V5 N8 G" GUID_A "\n1 :a\n2 :b\n3 :c\n7 :z\n", ALL,
		    "3 V5 N8 G" GUID_A "\n1 :a\n4 :x\n5 :y\n7 :z\n");
}

static void what_the_server_did_to_other_messages_stays(void **state)
{
	(void)state;
	/* It gave b another UID, and has no line for c. */
	assert_both("3 V5 N5 G" GUID_A "\n1 :a\n4 :b\n", BEFORE, "3 V5 N6 G" GUID_A "\n1 :a\n2 :b\n3 :c\n5 :d\n", ALL,
		    "3 V5 N6 G" GUID_A "\n1 :a\n4 :b\n5 :d\n");
}

static void a_uid_that_the_list_has_already_is_fine(void **state)
{
	(void)state;
	assert_both("3 V5 N9 G" GUID_A "\n1 :a\n2 :b\n5 :d\n7 :c\n", BEFORE, "3 V5 N8 G" GUID_A "\n1 :a\n2 :b\n5 :d\n7 :c\n", ALL, NULL);
}

static void a_uid_that_was_given_out_here_meanwhile_stops_it(void **state)
{
	static const char target[] = "3 V5 N7 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :d\n6 :e\n";

	(void)state;
	assert_advances("3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :new\n", BEFORE, target, ALL, false, "moved");
	/* Though its message is gone again. */
	assert_advances("3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n", BEFORE, target, ALL, false, "moved");
	/* Not one above the bound. */
	assert_advances("3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :new\n", BEFORE, target, 4, false, NULL);
	assert_advances("3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :new\n", BEFORE, target, 5, false, "moved");
}

static void a_message_whose_uid_was_given_out_here_gets_a_fresh_one_when_it_must(void **state)
{
	static const char target[] = "3 V5 N9 G" GUID_A "\n1 :a\n4 :d\n5 :b\n6 W1 :e\n7 :c\n";

	(void)state;
	assert_advances("3 V5 N6 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :x\n5 :y\n", BEFORE, target, ALL, true,
			"+3 V5 N11 G" GUID_A "\n1 :a\n4 :x\n5 :y\n6 W1 :e\n7 :c\n9 :d\n10 :b\n");
	/* Above all that were given out here, too. */
	assert_advances("3 V5 N21 G" GUID_A "\n1 :a\n2 W3 :b\n3 :c\n20 :x\n", BEFORE, target, ALL, true,
			"+3 V5 N25 G" GUID_A "\n1 :a\n20 :x\n21 :d\n22 W3 :b\n23 W1 :e\n24 :c\n");
	/* Not before the last bound. */
	assert_advances("3 V5 N6 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :x\n5 :y\n", BEFORE, target, 7, true,
			"3 V5 N7 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :x\n5 :y\n6 W1 :e\n");
	/* It lost its old UID for good, and its new one is in use here: neither stays. */
	assert_advances("3 V5 N6 G" GUID_A "\n1 :a\n3 :c\n4 :x\n5 :d\n", BEFORE, "3 V5 N7 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :d\n6 :e\n",
			ALL, true, "+3 V5 N8 G" GUID_A "\n1 :a\n3 :c\n4 :x\n6 :e\n7 :d\n");
}

static void a_uid_that_was_settled_once_stays(void **state)
{
	static const char target[] = "3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :d\n";

	(void)state;
	assert_advances("3 V5 N6 G" GUID_A "\n1 :a\n2 :b\n3 :c\n5 :d\n", BEFORE, target, ALL, true, NULL);
	assert_advances("3 V5 N6 G" GUID_A "\n1 :a\n2 :b\n3 :c\n5 :d\n", BEFORE, target, ALL, false, "moved");
}

static void a_list_gets_there_in_steps(void **state)
{
	static const char target[] = "3 V5 N20 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n12 :e\n";

	(void)state;
	assert_both(BEFORE, BEFORE, target, 4, NULL);
	assert_both(BEFORE, BEFORE, target, 9, "3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :d\n");
	assert_both("3 V5 N5 G" GUID_A "\n1 :a\n2 :b\n3 :c\n4 :d\n", BEFORE, target, 10, "3 V5 N10 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n");
	assert_both("3 V5 N10 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n", BEFORE, target, 13, "3 V5 N13 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n12 :e\n");
	assert_both("3 V5 N13 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n12 :e\n", BEFORE, target, 19, NULL);
	assert_both("3 V5 N13 G" GUID_A "\n1 :a\n2 :b\n4 :d\n9 :c\n12 :e\n", BEFORE, target, 20, target);
}

static void fields_that_the_target_changed_are_taken(void **state)
{
	(void)state;
	assert_both("3 V5 N3 P1\n1 W1 :a\n2 W1 :b\n", "3 V5 N3 P1\n1 W1 :a\n2 W1 :b\n", "3 V5 N3 P2\n1 W2 :a\n2 :b\n", ALL,
		    "3 V5 N3 P2\n1 W2 :a\n2 :b\n");
	/* What only the server changed stays. */
	assert_both("3 V5 N3 P9\n1 W9 :a\n2 W1 :b\n", "3 V5 N3 P1\n1 W1 :a\n2 W1 :b\n", "3 V5 N4 P1\n1 W1 :a\n3 W1 :b\n", ALL,
		    "3 V5 N4 P9\n1 W9 :a\n3 W1 :b\n");
	assert_both("3 V5 N3\n1 W9 :a\n", "3 V5 N3\n1 W1 :a\n", "3 V5 N4\n3 W1 :a\n", ALL, "3 V5 N4\n3 W9 :a\n");
	assert_both("3 V5 N3\n1 W9 :a\n", "3 V5 N3\n1 W1 :a\n", "3 V5 N4\n3 W2 :a\n", ALL, "3 V5 N4\n3 W2 :a\n");
	assert_both("3 V5 N3\n1 W9 :a\n", "3 V5 N3\n1 W1 :a\n", "3 V5 N3\n1 W9 :a\n", ALL, NULL);
	assert_both("3 V5 N3 P1\n", "3 V5 N3 P1\n", "3 V5 N3\n", ALL, "3 V5 N3\n");
}

static void the_guid_that_the_target_changed_is_taken(void **state)
{
	(void)state;
	assert_both("3 V5 N3 G" GUID_A "\n", "3 V5 N3 G" GUID_A "\n", "3 V5 N3 G" GUID_B "\n", ALL, "3 V5 N3 G" GUID_B "\n");
	assert_both("3 V5 N3 G" GUID_C "\n", "3 V5 N3 G" GUID_A "\n", "3 V5 N3 G" GUID_A "\n", ALL, NULL);
	assert_both("3 V5 N3 G" GUID_A "\n", "3 V5 N3 G" GUID_A "\n", "3 V5 N3\n", ALL, NULL);
	assert_both("3 V5 N3\n", "", "3 V5 N3 G" GUID_A "\n", ALL, "3 V5 N3 G" GUID_A "\n");
}

static void a_larger_uidvalidity_of_the_target_replaces_the_list(void **state)
{
	static const char target[] = "3 V6 N9 G" GUID_B " P1\n1 :b\n3 W1 :a\n7 :z\n";

	(void)state;
	assert_both("3 V5 N40 G" GUID_A "\n1 :a\n2 :b\n39 :x\n", BEFORE, target, ALL, target);
	assert_both(BEFORE, BEFORE, target, 7, "3 V6 N4 G" GUID_B " P1\n1 :b\n3 W1 :a\n");
	assert_both(BEFORE, BEFORE, target, 1, "3 V6 N1 G" GUID_B " P1\n");
	assert_both("3 V6 N4 G" GUID_B " P1\n1 :b\n3 W1 :a\n", BEFORE, target, 9, target);
	/* The server numbered a message in between. */
	assert_advances("3 V6 N9 G" GUID_B " P1\n1 :b\n3 W1 :a\n8 :new\n", BEFORE, target, ALL, false, "moved");
	assert_advances("3 V6 N9 G" GUID_B " P1\n1 :b\n3 W1 :a\n8 :new\n", BEFORE, target, ALL, true,
			"+3 V6 N10 G" GUID_B " P1\n1 :b\n3 W1 :a\n8 :new\n9 :z\n");
}

static void a_smaller_uidvalidity_of_the_target_stops_it(void **state)
{
	(void)state;
	assert_advances("3 V6 N2\n1 :a\n", BEFORE, "3 V5 N5\n1 :a\n4 :d\n", ALL, false, "moved");
	assert_advances("3 V6 N2\n1 :a\n", BEFORE, "3 V5 N5\n1 :a\n4 :d\n", ALL, true, NULL);
}

static void a_folder_without_a_list_gets_the_targets(void **state)
{
	(void)state;
	assert_both("", "", "3 V5 N6\n1 :a\n4 :d\n", ALL, "3 V5 N6\n1 :a\n4 :d\n");
	assert_both("", BEFORE, BEFORE, ALL, BEFORE);
	assert_both("", "", "3 V5 N6\n1 :a\n4 :d\n", 3, "3 V5 N2\n1 :a\n");
	assert_both("", "", "3 V5 N6\n", ALL, "3 V5 N6\n");
}

static void a_list_that_is_not_understood_is_left_alone(void **state)
{
	(void)state;
	assert_both("1 5 4\n1 a\n", "", "3 V5 N6\n1 :a\n4 :d\n", ALL, NULL);
	assert_both("3 V5 N4", "", "3 V6 N6\n1 :a\n4 :d\n", ALL, NULL);
}

static void a_target_without_a_list_changes_nothing(void **state)
{
	(void)state;
	assert_both(BEFORE, BEFORE, "", ALL, NULL);
	assert_both("", BEFORE, "", ALL, NULL);
	assert_both(BEFORE, BEFORE, "1 5 4\n1 a\n", ALL, NULL);
}

static void what_was_recorded_under_another_uidvalidity_says_nothing(void **state)
{
	(void)state;
	assert_both("3 V6 N2\n1 :b\n", BEFORE, "3 V6 N4\n1 :b\n3 :c\n", ALL, "3 V6 N4\n1 :b\n3 :c\n");
}

static void a_list_that_was_never_recorded_keeps_what_it_gave_out(void **state)
{
	(void)state;
	assert_advances("3 V5 N3\n1 :a\n2 :x\n", "", "3 V5 N4\n1 :a\n2 :b\n3 :c\n", ALL, false, "moved");
	assert_advances("3 V5 N3\n1 :a\n2 :x\n", "", "3 V5 N4\n1 :a\n2 :b\n3 :c\n", ALL, true, "+3 V5 N5\n1 :a\n2 :x\n3 :c\n4 :b\n");
}

static void a_list_that_was_lost_gets_its_lines_back_in_steps(void **state)
{
	(void)state;
	assert_both("", BEFORE, BEFORE, 3, "3 V5 N3 G" GUID_A "\n1 :a\n2 :b\n");
	assert_both("3 V5 N3 G" GUID_A "\n1 :a\n2 :b\n", BEFORE, BEFORE, ALL, BEFORE);
	/* What was given out here since is not taken away again. */
	assert_both("3 V5 N4 G" GUID_A "\n1 :a\n2 :b\n3 :x\n", BEFORE, BEFORE, ALL, NULL);
	assert_both("3 V5 N4 G" GUID_A "\n1 :a\n2 :b\n", BEFORE, BEFORE, ALL, NULL);
}

static void when_no_uids_are_left_a_message_has_no_line(void **state)
{
	(void)state;
	assert_advances("3 V5 N4294967294\n1 :a\n2 :b\n", "3 V5 N3\n1 :a\n2 :b\n", "3 V5 N5\n1 :a\n3 :b\n4 :c\n", ALL, true,
			"+3 V5 N4294967295\n1 :a\n4294967294 :b\n");
	assert_advances("3 V5 N4294967295\n1 :a\n2 :b\n", "3 V5 N3\n1 :a\n2 :b\n", "3 V5 N5\n1 :a\n3 :b\n4 :c\n", ALL, true,
			"3 V5 N4294967295\n1 :a\n");
	assert_both("3 V5 N4\n1 :a\n", "3 V5 N4\n1 :a\n", "3 V5 N4294967295\n1 :a\n4294967294 :b\n", ALL,
		    "3 V5 N4294967295\n1 :a\n4294967294 :b\n");
}

static void nobody_needs_to_ask_whether_it_was_settled(void **state)
{
	struct step s;

	(void)state;
	step_run(&s, "3 V5 N5\n1 :a\n4 :x\n", "3 V5 N2\n1 :a\n", "3 V5 N3\n1 :a\n2 :b\n", ALL, true);
	uidlist_release(&s.out);
	assert_int_equal(uidlist_advance(&s.out, &s.live, &s.before, &s.target, ALL, true, NULL), UIDLIST_CHANGED);
	step_release(&s);
}

/* Random: before, what a server made of it meanwhile, and what a merge made of it. */
struct lists {
	struct folder live_folder, before_folder, target_folder;
	struct bytes live, before, target;
};

static void events_of_server(struct folder *f, uint32_t *seed, unsigned n)
{
	while (n--) {
		unsigned k = uids_random(seed) % UIDS_KEYS;

		f->content[k] = 1;
		if (uids_chance(seed, 60))
			uids_give(f, k);
		else if (uids_chance(seed, 50))
			f->uid[k] = 0;
		else if (uids_chance(seed, 50))
			f->fields[k] = (uint8_t)(uids_random(seed) % 4);
	}
}

static void lists_gen(struct lists *l, uint32_t *seed)
{
	memset(l, 0, sizeof(*l));
	uids_start(&l->before_folder, seed);
	l->live_folder = l->target_folder = l->before_folder;
	if (uids_chance(seed, 60))
		events_of_server(&l->live_folder, seed, uids_random(seed) % 6);
	uids_events(&l->target_folder, seed, uids_random(seed) % 20);
	if (uids_chance(seed, 50) && l->target_folder.next < UINT32_MAX - 200) {
		l->target_folder.next += uids_random(seed) % 40;
		uids_events(&l->target_folder, seed, uids_random(seed) % 20);
	}
	if (uids_chance(seed, 5))
		uids_renew(&l->target_folder, 6);
	if (uids_chance(seed, 5))
		uids_renew(&l->live_folder, 6);
	if (uids_chance(seed, 3))
		l->live_folder.validity = 0;
	if (uids_chance(seed, 3))
		l->before_folder.validity = 0;
	if (uids_chance(seed, 3))
		l->target_folder.validity = 0;
	uids_text(&l->live_folder, &l->live);
	uids_text(&l->before_folder, &l->before);
	uids_text(&l->target_folder, &l->target);
}

static void lists_release(struct lists *l)
{
	bytes_release(&l->live);
	bytes_release(&l->before);
	bytes_release(&l->target);
}

/* What a list that becomes another one may not do: give a UID twice, or take the next UID back. */
static void check_safe(struct uidlist *from, struct uidlist *to)
{
	size_t i;

	assert_true(to->n == 0 || to->next > to->v[to->n - 1].uid);
	if (from->known && to->validity == from->validity) {
		assert_true(to->next >= from->next);
		for (i = 0; i < to->n; i++) {
			const struct uidlist_line *old = uidlist_find(from, to->v[i].key, to->v[i].keylen);

			if (to->v[i].uid < from->next)
				assert_true(old && old->uid == to->v[i].uid);
		}
	} else {
		assert_true(to->validity > from->validity);
	}
}

/* Every message that target gives another UID has that, or, when settled, one that nobody else can have. */
static void check_reached(const struct step *s, struct uidlist *out)
{
	struct uidlist *before = (struct uidlist *)(uintptr_t)&s->before;
	size_t i;

	if (s->target.validity < s->live.validity)
		return;
	assert_true(out->next >= s->target.next);
	for (i = 0; i < s->target.n; i++) {
		const struct uidlist_line *t = &s->target.v[i];
		const struct uidlist_line *old = uidlist_find(before, t->key, t->keylen);
		const struct uidlist_line *now = uidlist_find(out, t->key, t->keylen);

		if (old && old->uid == t->uid && s->before.validity == s->target.validity)
			continue;
		assert_true(now || out->next > UIDLIST_MOST);
		assert_true(!now || now->uid == t->uid || now->uid >= s->target.next);
	}
}

/* Lines of messages to which the target does nothing are as they were. */
static void check_kept(struct step *s)
{
	size_t i;

	if (s->out.validity != s->live.validity)
		return;
	for (i = 0; i < s->live.n; i++) {
		const struct uidlist_line *l = &s->live.v[i];
		const struct uidlist_line *now = uidlist_find(&s->out, l->key, l->keylen);
		const struct uidlist_line *t = uidlist_find(&s->target, l->key, l->keylen);
		const struct uidlist_line *b = uidlist_find(&s->before, l->key, l->keylen);

		if (t && !(b && b->uid == t->uid && s->before.validity == s->target.validity))
			continue;
		assert_true(now && now->uid == l->uid);
		if (!t)
			assert_ptr_equal(now->ext, l->ext);
	}
}

static void whatever_a_server_did_no_uid_is_given_twice(void **state)
{
	unsigned i, n[3] = { 0 }, fresh = 0;
	uint32_t seed = 1;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct step s, again;
		struct lists l;
		bool settle = i & 1;

		lists_gen(&l, &seed);
		step_run(&s, l.live.buf, l.before.buf, l.target.buf, ALL, settle);
		n[s.result]++;
		fresh += s.settled;
		assert_false(settle && s.result == UIDLIST_MOVED);
		assert_false(s.settled && (!settle || s.result != UIDLIST_CHANGED));
		if (s.result == UIDLIST_CHANGED) {
			struct bytes text = { 0 };

			check_safe(&s.live, &s.out);
			check_reached(&s, &s.out);
			check_kept(&s);
			uidlist_format(&s.out, &text);
			step_run(&again, text.buf, l.before.buf, l.target.buf, ALL, settle);
			assert_int_equal(again.result, UIDLIST_SAME);
			assert_int_equal(again.live.trouble, 0);
			step_release(&again);
			bytes_release(&text);
		}
		step_release(&s);
		lists_release(&l);
	}
	print_message("%u same, %u changed, %u moved, %u with fresh UIDs\n", n[UIDLIST_SAME], n[UIDLIST_CHANGED], n[UIDLIST_MOVED], fresh);
	assert_true(n[UIDLIST_SAME] > CASES / 50 && n[UIDLIST_CHANGED] > CASES / 4 && n[UIDLIST_MOVED] > CASES / 50 && fresh > CASES / 50);
}

/* The list may borrow from what is in the file. */
static void write_again(struct bytes *file, const struct uidlist *l)
{
	struct bytes text = { 0 };

	bytes_add(&text, "", 0);
	uidlist_format(l, &text);
	bytes_release(file);
	*file = text;
}

/* Goes there in random steps. False if it was stopped. at: the list after the last one. */
static bool walk(const struct lists *l, bool settle, uint32_t *seed, struct bytes *at, bool *settled)
{
	uint32_t bound = 0;

	*settled = false;
	bytes_add(at, l->live.buf, l->live.len);
	while (bound != ALL) {
		struct step s;

		bound += uids_random(seed) % 12;
		if (bound >= l->target_folder.next || l->target_folder.next > 5000)
			bound = ALL;
		step_run(&s, at->buf, l->before.buf, l->target.buf, bound, settle);
		*settled |= s.settled;
		if (s.result == UIDLIST_MOVED) {
			step_release(&s);
			return false;
		}
		if (s.result == UIDLIST_CHANGED) {
			check_safe(&s.live, &s.out);
			if (bound < s.target.next)
				assert_true(s.out.next <= bound || s.out.next == s.live.next || s.out.next == 1);
			write_again(at, &s.out);
		}
		step_release(&s);
	}
	return true;
}

static void many_steps_lead_to_the_same_list_as_one(void **state)
{
	uint32_t seed = 2;
	unsigned i;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct bytes at = { 0 };
		struct lists l;
		struct step s;
		bool settle = i & 1, settled, whole;

		lists_gen(&l, &seed);
		step_run(&s, l.live.buf, l.before.buf, l.target.buf, ALL, settle);
		whole = walk(&l, settle, &seed, &at, &settled);
		assert_int_equal(whole, s.result != UIDLIST_MOVED);
		if (whole) {
			assert_int_equal(settled, s.settled);
			if (s.result == UIDLIST_CHANGED)
				uids_assert_text(&s.out, at.buf);
			else
				assert_string_equal(at.buf, l.live.buf);
		}
		step_release(&s);
		bytes_release(&at);
		lists_release(&l);
	}
}

/* Every UID that a session ever saw, under each UIDVALIDITY. */
#define SEEN 256
struct seen {
	uint8_t message[8][SEEN]; /* number of the message + 1 */
	uint32_t next[8];
};

static void see(struct seen *seen, const struct uidlist *l)
{
	size_t i;

	if (!l->known)
		return;
	for (i = 0; i < l->n; i++) {
		uint8_t *slot = &seen->message[l->validity][l->v[i].uid];
		unsigned k = uids_number(l->v[i].key, l->v[i].keylen);

		assert_true(l->v[i].uid < SEEN);
		assert_true(*slot == k + 1 || (!*slot && l->v[i].uid >= seen->next[l->validity]));
		*slot = (uint8_t)(k + 1);
	}
	assert_true(l->next >= seen->next[l->validity]);
	seen->next[l->validity] = l->next;
}

/* The server does something to the list between two steps. */
static void disturb(struct bytes *at, uint32_t *seed)
{
	struct uidlist l;
	struct uidlist_key key;
	char name[16];

	uids_parse(&l, at->buf);
	uids_key(name, uids_random(seed) % UIDS_KEYS);
	key = (struct uidlist_key){ name, (uint8_t)strlen(name) };
	uidlist_number(&l, &key, 1);
	write_again(at, &l);
	uidlist_release(&l);
}

static void a_server_that_delivers_between_the_steps_never_sees_a_uid_change_its_message(void **state)
{
	uint32_t seed = 3;
	unsigned i, arrived = 0;

	(void)state;
	for (i = 0; i < CASES; i++) {
		static struct seen seen;
		struct bytes at = { 0 };
		struct lists l = { .live = { 0 } };
		uint32_t bound = 0;
		struct step s;

		do {
			lists_release(&l);
			lists_gen(&l, &seed);
		} while (l.live_folder.next > 200 || l.target_folder.next > 200);
		memset(&seen, 0, sizeof(seen));
		bytes_add(&at, l.live.buf, l.live.len);
		while (bound != ALL) {
			bound += 1 + uids_random(&seed) % 12;
			if (bound >= l.target_folder.next)
				bound = ALL;
			step_run(&s, at.buf, l.before.buf, l.target.buf, bound, i & 1);
			see(&seen, &s.live);
			if (s.result == UIDLIST_CHANGED && bound == ALL) {
				check_reached(&s, &s.out);
				arrived++;
			}
			if (s.result == UIDLIST_CHANGED) {
				see(&seen, &s.out);
				write_again(&at, &s.out);
			}
			if (s.result == UIDLIST_MOVED)
				bound = ALL;
			step_release(&s);
			if (uids_chance(&seed, 30))
				disturb(&at, &seed);
		}
		bytes_release(&at);
		lists_release(&l);
	}
	assert_true(arrived > CASES / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_that_nobody_touched_becomes_the_merged_one),
		cmocka_unit_test(lines_that_the_target_does_not_have_stay),
		cmocka_unit_test(what_the_server_did_to_other_messages_stays),
		cmocka_unit_test(a_uid_that_the_list_has_already_is_fine),
		cmocka_unit_test(a_uid_that_was_given_out_here_meanwhile_stops_it),
		cmocka_unit_test(a_message_whose_uid_was_given_out_here_gets_a_fresh_one_when_it_must),
		cmocka_unit_test(a_uid_that_was_settled_once_stays),
		cmocka_unit_test(a_list_gets_there_in_steps),
		cmocka_unit_test(fields_that_the_target_changed_are_taken),
		cmocka_unit_test(the_guid_that_the_target_changed_is_taken),
		cmocka_unit_test(a_larger_uidvalidity_of_the_target_replaces_the_list),
		cmocka_unit_test(a_smaller_uidvalidity_of_the_target_stops_it),
		cmocka_unit_test(a_folder_without_a_list_gets_the_targets),
		cmocka_unit_test(a_list_that_is_not_understood_is_left_alone),
		cmocka_unit_test(a_target_without_a_list_changes_nothing),
		cmocka_unit_test(what_was_recorded_under_another_uidvalidity_says_nothing),
		cmocka_unit_test(a_list_that_was_never_recorded_keeps_what_it_gave_out),
		cmocka_unit_test(a_list_that_was_lost_gets_its_lines_back_in_steps),
		cmocka_unit_test(when_no_uids_are_left_a_message_has_no_line),
		cmocka_unit_test(nobody_needs_to_ask_whether_it_was_settled),
		cmocka_unit_test(whatever_a_server_did_no_uid_is_given_twice),
		cmocka_unit_test(many_steps_lead_to_the_same_list_as_one),
		cmocka_unit_test(a_server_that_delivers_between_the_steps_never_sees_a_uid_change_its_message),
	};

	return cmocka_run_group_tests_name("uidlist_advance", tests, NULL, NULL);
}
