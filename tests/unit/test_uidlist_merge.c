/*
 * test_uidlist_merge.c -- the three-way merge of a folder's UIDs.
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

/* What a written case says of its messages: words "key=status"; the others are the same everywhere. */
static unsigned said_status(void *ctx, const char *key, size_t keylen)
{
	const char *s = ctx;

	for (; *s; s += strcspn(s, " "), s += *s == ' ')
		if (strncmp(s, key, keylen) == 0 && s[keylen] == '=')
			return (unsigned)(s[keylen + 1] - '0');
	return UIDLIST_ALL;
}

/* The same, seen from the other side. */
static unsigned turned_status(void *ctx, const char *key, size_t keylen)
{
	unsigned s = said_status(ctx, key, keylen);

	return (s & (UIDLIST_GONE | UIDLIST_BASE)) | (s & UIDLIST_A ? UIDLIST_B : 0) | (s & UIDLIST_B ? UIDLIST_A : 0);
}

static size_t split(const char *words, struct uidlist_key *v)
{
	size_t n = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		v[n++] = (struct uidlist_key){ words, (uint8_t)len };
		words += len;
		words += *words == ' ';
	}
	return n;
}

static void assert_one_way(const char *base, const char *a, const char *b, const char *said, bool turned, const char *more,
			   const char *want, size_t fresh)
{
	struct uidlist_merge_ops ops = { (void *)(uintptr_t)said, turned ? turned_status : said_status };
	struct uidlist_key keys[16];
	struct uidlist lb, la, lt, out = { 0 };
	size_t n = split(more, keys);

	uids_parse(&lb, base);
	uids_parse(&la, a);
	uids_parse(&lt, b);
	assert_int_equal(uidlist_merge(&out, &lb, &la, &lt, &ops, keys, n), fresh);
	uids_assert_text(&out, want);
	assert_int_equal(out.known, *want != '\0');
	uidlist_release(&out);
	uidlist_release(&lb);
	uidlist_release(&la);
	uidlist_release(&lt);
}

/* more: keys that have no line. fresh: how many UIDs are handed out. */
static void assert_merges(const char *base, const char *a, const char *b, const char *said, const char *more, const char *want,
			  size_t fresh)
{
	assert_one_way(base, a, b, said, false, more, want, fresh);
	assert_one_way(base, b, a, said, true, more, want, fresh);
}

static void a_uid_that_both_sides_have_stays(void **state)
{
	(void)state;
	assert_merges("3 V5 N3\n1 :a\n", "3 V5 N3\n1 :a\n", "3 V5 N3\n1 :a\n", "", "", "3 V5 N3\n1 :a\n", 0);
	assert_merges("", "3 V5 N3\n1 :a\n", "3 V5 N9\n1 :a\n", "", "", "3 V5 N9\n1 :a\n", 0);
	assert_merges("3 V5 N2\n1 :a\n", "3 V5 N9\n7 :a\n", "3 V5 N9\n7 :a\n", "", "", "3 V5 N9\n7 :a\n", 0);
}

static void a_new_uid_stays_if_the_other_side_never_gave_it_out(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	assert_merges(base, "3 V5 N4\n1 :a\n2 :b\n3 :c\n", base, "", "", "3 V5 N4\n1 :a\n2 :b\n3 :c\n", 0);
	assert_merges(base, "3 V5 N4\n1 :a\n3 :c\n", "3 V5 N3\n1 :a\n", "b=8", "", "3 V5 N4\n1 :a\n3 :c\n", 0);
}

static void two_new_messages_of_one_uid_both_get_fresh_ones(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	assert_merges(base, "3 V5 N4\n1 :a\n2 :b\n3 :c\n", "3 V5 N4\n1 :a\n2 :b\n3 :d\n", "", "",
		      "3 V5 N6\n1 :a\n2 :b\n4 :c\n5 :d\n", 2);
	/* As dsync does it: of B's two the one that A never gave out stays. */
	assert_merges(base, "3 V5 N4\n1 :a\n2 :b\n3 :z\n", "3 V5 N5\n1 :a\n2 :b\n3 :d\n4 :e\n", "", "",
		      "3 V5 N7\n1 :a\n2 :b\n4 :e\n5 :d\n6 :z\n", 2);
	/* A's message is gone, but its UID was given. */
	assert_merges(base, "3 V5 N4\n1 :a\n2 :b\n", "3 V5 N4\n1 :a\n2 :b\n3 :d\n", "", "", "3 V5 N5\n1 :a\n2 :b\n4 :d\n", 1);
}

static void fresh_uids_come_in_the_order_of_those_that_messages_had(void **state)
{
	(void)state;
	assert_merges("3 V5 N1\n", "3 V5 N6\n1 :z\n2 :y\n5 :x\n", "3 V5 N6\n1 :b\n4 :c\n5 :a\n", "", "99.n 9.n m",
		      "3 V5 N15\n6 :b\n7 :z\n8 :y\n9 :c\n10 :a\n11 :x\n12 :m\n13 :9.n\n14 :99.n\n", 9);
	/* The larger one of two. */
	assert_merges("", "3 V5 N9\n1 :x\n8 :z\n", "3 V5 N9\n2 :y\n3 :z\n5 :x\n", "", "", "3 V5 N12\n9 :y\n10 :x\n11 :z\n", 3);
}

static void of_two_new_uids_of_a_message_the_valid_one_stays(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	assert_merges(base, "3 V5 N4\n1 :a\n3 :b\n", "3 V5 N8\n1 :a\n7 :b\n", "", "", "3 V5 N8\n1 :a\n7 :b\n", 0);
	assert_merges(base, "3 V5 N8\n1 :a\n3 :b\n", "3 V5 N8\n1 :a\n7 :b\n", "", "", "3 V5 N9\n1 :a\n8 :b\n", 1);
}

static void a_uid_of_the_base_loses_to_a_new_one(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	assert_merges(base, base, "3 V5 N4\n2 :b\n3 :a\n", "", "", "3 V5 N4\n2 :b\n3 :a\n", 0);
	assert_merges(base, "3 V5 N9\n1 :a\n2 :b\n", "3 V5 N4\n2 :b\n3 :a\n", "", "", "3 V5 N10\n2 :b\n9 :a\n", 1);
}

static void a_uid_that_one_side_took_away_does_not_come_back(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	/* Deleted on one side, and kept nevertheless, because its flags changed on the other. */
	assert_merges(base, "3 V5 N3\n2 :b\n", base, "a=5", "", "3 V5 N4\n2 :b\n3 :a\n", 1);
	assert_merges(base, "3 V5 N3\n2 :b\n", "3 V5 N3\n2 :b\n", "", "a", "3 V5 N4\n2 :b\n3 :a\n", 1);
	/* Even when that side's next UID is a lie. */
	assert_merges(base, "3 V5 N1\n", base, "a=5 b=8", "", "3 V5 N4\n3 :a\n", 1);
	assert_merges(base, "3 V5 N3\n2 :b\n", "3 V5 N8\n2 :b\n7 :a\n", "", "", "3 V5 N8\n2 :b\n7 :a\n", 0);
}

static void lines_of_messages_that_are_gone_go_and_the_next_uid_stays(void **state)
{
	(void)state;
	assert_merges("3 V5 N9\n1 :a\n2 :b\n", "3 V5 N9\n1 :a\n2 :b\n", "3 V5 N9\n1 :a\n", "b=8", "", "3 V5 N9\n1 :a\n", 0);
	assert_merges("3 V5 N3\n1 :a\n", "3 V5 N12\n1 :a\n11 :c\n", "3 V5 N3\n", "a=8 c=8", "", "3 V5 N12\n", 0);
}

static void a_uid_does_not_go_over_to_another_mail_of_the_same_key(void **state)
{
	static const char base[] = "3 V5 N3\n1 :a\n2 :b\n";

	(void)state;
	/* Changed on one side. */
	assert_merges(base, base, base, "a=2", "", "3 V5 N4\n2 :b\n3 :a\n", 1);
	/* What both sides have under one key is not the same; the other one has another key now. */
	assert_merges("3 V5 N1\n", "3 V5 N2\n1 :a\n", "3 V5 N2\n1 :a\n", "a=4", "a.derived", "3 V5 N4\n2 :a\n3 :a.derived\n", 2);
	assert_merges("3 V5 N1\n", "3 V5 N2\n1 :a\n", "3 V5 N9\n8 :a\n", "a=4", "a.derived", "3 V5 N10\n8 :a\n9 :a.derived\n", 1);
	/* The base's message was another, so its UID is not taken away from this one; but it was given. */
	assert_merges(base, base, base, "a=6", "", base, 0);
	/* No side has it. */
	assert_merges(base, base, base, "a=0", "", "3 V5 N4\n2 :b\n3 :a\n", 1);
	assert_merges(base, base, base, "a=1", "c", "3 V5 N5\n2 :b\n3 :a\n4 :c\n", 2);
}

static void the_larger_uidvalidity_wins(void **state)
{
	static const char base[] = "3 V5 N4 G" GUID_A "\n1 :a\n2 :b\n3 :c\n";
	static const char renewed[] = "3 V6 N3 G" GUID_B "\n1 :b\n2 :a\n";

	(void)state;
	assert_merges(base, base, renewed, "", "", "3 V6 N4 G" GUID_B "\n1 :b\n2 :a\n3 :c\n", 1);
	assert_merges(base, "3 V5 N90 G" GUID_A "\n1 :a\n2 :b\n80 :d\n60 :e\n", renewed, "", "f",
		      "3 V6 N6 G" GUID_B "\n1 :b\n2 :a\n3 :e\n4 :d\n5 :f\n", 3);
	assert_merges(base, base, "3 V6 N3\n1 :b\n2 :a\n", "c=8", "", "3 V6 N3\n1 :b\n2 :a\n", 0);
	assert_merges(base, base, renewed, "a=3 c=8", "", "3 V6 N4 G" GUID_B "\n1 :b\n3 :a\n", 1);
	/* Both made it anew and came to the same number. */
	assert_merges(base, renewed, "3 V6 N3 G" GUID_C "\n1 :b\n2 :c\n", "", "",
		      "3 V6 N5 G" GUID_B "\n1 :b\n3 :a\n4 :c\n", 2);
}

static void a_list_that_one_side_does_not_have_is_the_others(void **state)
{
	static const char list[] = "3 V5 N4 G" GUID_A " P2\n1 :a\n3 W1 :c\n";

	(void)state;
	assert_merges("", list, "", "", "", list, 0);
	assert_merges(list, list, "", "", "b", "3 V5 N5 G" GUID_A "\n1 :a\n3 W1 :c\n4 :b\n", 1);
	assert_merges("", list, "1 5 4\n2 a\n", "a=5", "", "3 V5 N5 G" GUID_A " P2\n3 W1 :c\n4 :a\n", 1);
	assert_merges(list, "", "", "", "a", "", 0);
	assert_merges("", "", "", "", "", "", 0);
}

static void messages_without_a_line_get_uids(void **state)
{
	(void)state;
	assert_merges("", "3 V5 N1\n", "3 V5 N1\n", "", "20.b 3.a 20.b", "3 V5 N3\n1 :3.a\n2 :20.b\n", 2);
	assert_merges("", "3 V5 N8\n7 :a\n", "", "", "a b", "3 V5 N9\n7 :a\n8 :b\n", 1);
}

static void fields_of_a_line_merge_three_way(void **state)
{
	(void)state;
	assert_merges("3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 W2 :a\n", "", "", "3 V5 N2\n1 W2 :a\n", 0);
	assert_merges("3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 :a\n", "", "", "3 V5 N2\n1 :a\n", 0);
	assert_merges("3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 W3 :a\n", "3 V5 N2\n1 W2 :a\n", "", "", "3 V5 N2\n1 W2 :a\n", 0);
	assert_merges("", "3 V5 N2\n1 G9 :a\n", "3 V5 N2\n1 :a\n", "", "", "3 V5 N2\n1 G9 :a\n", 0);
	assert_merges("3 V5 N2\n1 W1 :a\n", "3 V5 N2\n1 W1 :a\n", "3 V5 N3\n2 W2 :a\n", "", "", "3 V5 N3\n2 W2 :a\n", 0);
	/* They are of that message only. */
	assert_merges("3 V5 N1\n", "3 V5 N2\n1 G1 :a\n", "3 V5 N9\n8 G2 :a\n", "a=4", "", "3 V5 N9\n8 G2 :a\n", 0);
	assert_merges("3 V5 N1\n", "3 V5 N2\n1 G1 :a\n", "3 V5 N2\n1 G2 :a\n", "a=0", "", "3 V5 N3\n2 :a\n", 1);
	assert_merges("3 V4 N2\n1 W1 :a\n", "3 V5 N2\n1 W1 :a\n", "3 V6 N2\n1 W2 :a\n", "", "", "3 V6 N2\n1 W2 :a\n", 0);
	/* A fresh UID takes them along. */
	assert_merges("3 V5 N1\n", "3 V5 N2\n1 G1 :a\n", "3 V5 N2\n1 :b\n", "", "", "3 V5 N4\n2 G1 :a\n3 :b\n", 2);
}

static void fields_of_the_header_merge_three_way(void **state)
{
	(void)state;
	assert_merges("3 V5 N1 P1\n", "3 V5 N1 P1\n", "3 V5 N1 P2\n", "", "", "3 V5 N1 P2\n", 0);
	assert_merges("3 V5 N1 P1\n", "3 V5 N1 P3\n", "3 V5 N1 P2\n", "", "", "3 V5 N1 P2\n", 0);
	assert_merges("3 V5 N1 P1\n", "3 V5 N1\n", "3 V5 N1 P1\n", "", "", "3 V5 N1\n", 0);
	assert_merges("3 V5 N1\n", "3 V5 N1\n", "3 V6 N1 P1\n", "", "", "3 V6 N1 P1\n", 0);
}

static void the_guid_of_a_folder_is_not_lost(void **state)
{
	(void)state;
	assert_merges("3 V5 N1 G" GUID_A "\n", "3 V5 N1 G" GUID_A "\n", "3 V5 N1 G" GUID_B "\n", "", "", "3 V5 N1 G" GUID_B "\n", 0);
	assert_merges("3 V5 N1 G" GUID_A "\n", "3 V5 N1 G" GUID_C "\n", "3 V5 N1 G" GUID_B "\n", "", "", "3 V5 N1 G" GUID_B "\n", 0);
	assert_merges("", "3 V5 N1 G" GUID_C "\n", "3 V5 N1 G" GUID_B "\n", "", "", "3 V5 N1 G" GUID_B "\n", 0);
	assert_merges("3 V5 N1 G" GUID_A "\n", "3 V5 N1 G" GUID_A "\n", "3 V5 N1\n", "", "", "3 V5 N1 G" GUID_A "\n", 0);
	assert_merges("3 V5 N1 G" GUID_A "\n", "3 V5 N1 G" GUID_A "\n", "3 V6 N1\n", "", "", "3 V6 N1\n", 0);
}

static void when_no_uids_are_left_a_message_has_none(void **state)
{
	static const char base[] = "3 V5 N4294967293\n1 :a\n";

	(void)state;
	assert_merges(base, "3 V5 N4294967294\n1 :a\n4294967293 :b\n", "3 V5 N4294967294\n1 :a\n4294967293 :c\n", "", "d",
		      "3 V5 N4294967295\n1 :a\n4294967294 :b\n", 1);
	assert_merges(base, "3 V5 N4294967295\n1 :a\n4294967294 :b\n", base, "", "d",
		      "3 V5 N4294967295\n1 :a\n4294967294 :b\n", 0);
}

/* A random case: three folders, and what is in the merged one. */
struct tcase {
	struct folder base, a, b;
	uint8_t merged[UIDS_KEYS];
	bool turned;
};

static unsigned case_status(void *ctx, const char *key, size_t keylen)
{
	const struct tcase *c = ctx;
	unsigned k = uids_number(key, keylen), status = 0;

	if (!c->merged[k])
		return UIDLIST_GONE;
	status |= c->merged[k] == c->base.content[k] ? UIDLIST_BASE : 0;
	status |= c->merged[k] == c->a.content[k] ? (c->turned ? UIDLIST_B : UIDLIST_A) : 0;
	status |= c->merged[k] == c->b.content[k] ? (c->turned ? UIDLIST_A : UIDLIST_B) : 0;
	return status;
}

/* A list that has nothing to do with the base, though it says that it has. */
static void gen_stranger(struct folder *f, uint32_t *seed)
{
	unsigned k;

	memset(f, 0, sizeof(*f));
	f->validity = 5;
	f->next = 1 + uids_random(seed) % 40;
	for (k = 0; k < UIDS_KEYS; k++) {
		f->content[k] = (uint8_t)(uids_random(seed) % 4);
		if (uids_chance(seed, 60))
			uids_give(f, k);
		f->next += uids_random(seed) % 2;
	}
}

static void gen_side(struct folder *f, const struct folder *base, uint32_t *seed)
{
	*f = *base;
	uids_events(f, seed, uids_random(seed) % 16);
	if (uids_chance(seed, 8)) {
		uids_renew(f, f->validity + 1 + uids_random(seed) % 2);
		uids_events(f, seed, uids_random(seed) % 6);
	}
	if (uids_chance(seed, 5))
		f->validity = 0;
	if (uids_chance(seed, 5))
		gen_stranger(f, seed);
	if (!f->validity)
		memset(f->uid, 0, sizeof(f->uid));
}

/* Whichever content the merge of messages may choose; now and then one that no side has. */
static void gen_case(struct tcase *c, uint32_t *seed)
{
	unsigned k;

	memset(c, 0, sizeof(*c));
	uids_start(&c->base, seed);
	gen_side(&c->a, &c->base, seed);
	gen_side(&c->b, &c->base, seed);
	if (uids_chance(seed, 10))
		memset(&c->base, 0, sizeof(c->base));
	for (k = 0; k < UIDS_KEYS; k++) {
		uint8_t a = c->a.content[k], b = c->b.content[k], base = c->base.content[k];

		c->merged[k] = a == base ? b : b == base || a < b ? a : b;
		if (uids_chance(seed, 6))
			c->merged[k] = (uint8_t)(uids_random(seed) % 4);
	}
}

struct lists {
	struct bytes text[3], more, out_text;
	struct uidlist base, a, b, out;
	size_t fresh;
};

/* Merges a case; keys are the merged folder's messages without a line, or all of them. */
static void run_case(struct tcase *c, const struct folder *base, const struct folder *a, const struct folder *b, bool all, struct lists *l)
{
	struct uidlist_merge_ops ops = { c, case_status };
	struct uidlist_key keys[UIDS_KEYS];
	static char names[UIDS_KEYS][16];
	unsigned k, n = 0;

	memset(l, 0, sizeof(*l));
	uids_text(base, &l->text[0]);
	uids_text(a, &l->text[1]);
	uids_text(b, &l->text[2]);
	uidlist_parse(&l->base, l->text[0].buf, l->text[0].len);
	uidlist_parse(&l->a, l->text[1].buf, l->text[1].len);
	uidlist_parse(&l->b, l->text[2].buf, l->text[2].len);
	assert_int_equal(l->base.trouble | l->a.trouble | l->b.trouble, 0);
	for (k = 0; k < UIDS_KEYS; k++)
		if (c->merged[k] && (all || (!a->uid[k] && !b->uid[k]))) {
			uids_key(names[k], k);
			keys[n++] = (struct uidlist_key){ names[k], (uint8_t)strlen(names[k]) };
		}
	l->fresh = uidlist_merge(&l->out, &l->base, &l->a, &l->b, &ops, keys, n);
	uidlist_format(&l->out, &l->out_text);
	bytes_add(&l->out_text, "", 0);
}

static void lists_release(struct lists *l)
{
	for (int i = 0; i < 3; i++)
		bytes_release(&l->text[i]);
	bytes_release(&l->out_text);
	uidlist_release(&l->base);
	uidlist_release(&l->a);
	uidlist_release(&l->b);
	uidlist_release(&l->out);
}

/* The merged list as numbers. */
static void read_out(const struct uidlist *out, struct folder *f)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	f->validity = out->validity;
	f->next = out->next;
	for (i = 0; i < out->n; i++)
		f->uid[uids_number(out->v[i].key, out->v[i].keylen)] = out->v[i].uid;
}

/* No UID that this side ever gave out means another message now, and none comes back. */
static void check_side(const struct tcase *c, const struct folder *out, const struct folder *side)
{
	unsigned k;

	if (side->validity != out->validity)
		return;
	assert_true(out->next >= side->next);
	for (k = 0; k < UIDS_KEYS; k++)
		if (out->uid[k] && out->uid[k] < side->next) {
			assert_int_equal(out->uid[k], side->uid[k]);
			assert_int_equal(c->merged[k], side->content[k]);
		}
}

/* The UID that the rules let a message keep, in the order of words in which they are written; 0: none. */
static uint32_t rule(const struct tcase *c, unsigned k)
{
	const struct folder *a = &c->a, *b = &c->b, *base = &c->base;
	uint32_t ua = a->content[k] == c->merged[k] ? a->uid[k] : 0;
	uint32_t ub = b->content[k] == c->merged[k] ? b->uid[k] : 0;
	uint32_t u0 = base->validity == a->validity && base->content[k] == c->merged[k] ? base->uid[k] : 0;
	bool a_ok, b_ok;

	if (a->validity != b->validity)
		return a->validity > b->validity ? ua : ub;
	if (ua && ua == ub)
		return ua;
	a_ok = ua && ua != u0 && ua >= b->next;
	b_ok = ub && ub != u0 && ub >= a->next;
	assert_false(a_ok && b_ok);
	return a_ok ? ua : b_ok ? ub : 0;
}

static uint32_t had(const struct tcase *c, unsigned k)
{
	uint32_t ua = c->a.content[k] == c->merged[k] ? c->a.uid[k] : 0;
	uint32_t ub = c->b.content[k] == c->merged[k] ? c->b.uid[k] : 0;

	return ua > ub ? ua : ub;
}

static void check_rules(const struct tcase *c, const struct folder *out, size_t fresh)
{
	const struct folder *winner = c->a.validity >= c->b.validity ? &c->a : &c->b;
	uint32_t from = winner->next;
	size_t seen = 0;
	unsigned k, j;

	if (c->a.validity == c->b.validity && c->b.next > from)
		from = c->b.next;
	assert_int_equal(out->validity, winner->validity);
	assert_int_equal(out->next, from + fresh);
	for (k = 0; k < UIDS_KEYS; k++) {
		uint32_t keep = c->merged[k] ? rule(c, k) : 0;

		if (keep || !c->merged[k]) {
			assert_int_equal(out->uid[k], keep);
			continue;
		}
		assert_true(out->uid[k] >= from || (!out->uid[k] && out->next > UIDLIST_MOST));
		seen += out->uid[k] > 0;
		for (j = 0; j < UIDS_KEYS; j++)
			if (out->uid[j] > out->uid[k] && out->uid[k])
				assert_true(!had(c, j) || (had(c, k) && had(c, k) <= had(c, j)));
	}
	assert_int_equal(seen, fresh);
}

static void assert_same_bytes(const struct bytes *a, const struct bytes *b)
{
	assert_string_equal(a->buf, b->buf);
}

static void no_merge_gives_a_uid_to_two_messages(void **state)
{
	uint32_t seed = 1;
	unsigned i, fresh = 0, kept = 0;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct folder out;
		struct tcase c;
		struct lists l;

		gen_case(&c, &seed);
		run_case(&c, &c.base, &c.a, &c.b, i & 1, &l);
		read_out(&l.out, &out);
		if (!c.a.validity && !c.b.validity) {
			assert_string_equal(l.out_text.buf, "");
		} else {
			check_rules(&c, &out, l.fresh);
			check_side(&c, &out, &c.a);
			check_side(&c, &out, &c.b);
		}
		fresh += l.fresh > 0;
		kept += l.out.n > l.fresh;
		lists_release(&l);
	}
	print_message("%u cases: %u with fresh UIDs, %u with kept ones\n", i, fresh, kept);
	assert_true(fresh > CASES / 10 && kept > CASES / 10);
}

static void a_merge_is_the_same_to_the_byte_from_both_sides(void **state)
{
	uint32_t seed = 2;
	unsigned i;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct tcase c;
		struct lists ab, ba;
		struct uidlist again;

		gen_case(&c, &seed);
		run_case(&c, &c.base, &c.a, &c.b, false, &ab);
		c.turned = true;
		run_case(&c, &c.base, &c.b, &c.a, i & 1, &ba);
		assert_same_bytes(&ab.out_text, &ba.out_text);
		assert_int_equal(ab.fresh, ba.fresh);
		uids_parse(&again, ab.out_text.buf);
		assert_int_equal(again.trouble, 0);
		uids_assert_text(&again, ab.out_text.buf);
		uidlist_release(&again);
		lists_release(&ab);
		lists_release(&ba);
	}
}

/* Only lines of messages, and a line for each: what a record makes of a list. */
static void tidy(struct folder *f)
{
	for (unsigned k = 0; k < UIDS_KEYS; k++) {
		if (!f->content[k])
			f->uid[k] = 0;
		else if (!f->uid[k] && f->validity)
			uids_give(f, k);
		if (!f->uid[k])
			f->content[k] = 0;
	}
}

/* Takes back what nobody does to a mail: other content under the same UID. The merge would give it a fresh one. */
static void unchange(struct folder *f, const struct folder *base)
{
	for (unsigned k = 0; k < UIDS_KEYS; k++)
		if (f->uid[k] && f->uid[k] == base->uid[k])
			f->content[k] = base->content[k];
}

static void a_merge_with_the_same_or_with_the_base_changes_nothing(void **state)
{
	uint32_t seed = 3;
	unsigned i;

	(void)state;
	for (i = 0; i < CASES; i++) {
		struct lists same, old, new;
		struct tcase c;

		memset(&c, 0, sizeof(c));
		uids_start(&c.base, &seed);
		tidy(&c.base);
		c.a = c.base;
		uids_events(&c.a, &seed, uids_random(&seed) % 16);
		if (uids_chance(&seed, 10))
			uids_renew(&c.a, 9);
		if (!c.a.guid)
			c.a.guid = c.base.guid;
		tidy(&c.a);
		unchange(&c.a, &c.base);
		c.b = c.a;
		memcpy(c.merged, c.a.content, sizeof(c.merged));
		run_case(&c, &c.base, &c.a, &c.a, true, &same);
		assert_same_bytes(&same.out_text, &same.text[1]);
		assert_int_equal(same.fresh, 0);
		lists_release(&same);
		c.b = c.base;
		run_case(&c, &c.base, &c.a, &c.base, true, &old);
		assert_same_bytes(&old.out_text, &old.text[1]);
		lists_release(&old);
		c.turned = true;
		run_case(&c, &c.base, &c.base, &c.a, true, &new);
		assert_same_bytes(&new.out_text, &new.text[2]);
		lists_release(&new);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uid_that_both_sides_have_stays),
		cmocka_unit_test(a_new_uid_stays_if_the_other_side_never_gave_it_out),
		cmocka_unit_test(two_new_messages_of_one_uid_both_get_fresh_ones),
		cmocka_unit_test(fresh_uids_come_in_the_order_of_those_that_messages_had),
		cmocka_unit_test(of_two_new_uids_of_a_message_the_valid_one_stays),
		cmocka_unit_test(a_uid_of_the_base_loses_to_a_new_one),
		cmocka_unit_test(a_uid_that_one_side_took_away_does_not_come_back),
		cmocka_unit_test(lines_of_messages_that_are_gone_go_and_the_next_uid_stays),
		cmocka_unit_test(a_uid_does_not_go_over_to_another_mail_of_the_same_key),
		cmocka_unit_test(the_larger_uidvalidity_wins),
		cmocka_unit_test(a_list_that_one_side_does_not_have_is_the_others),
		cmocka_unit_test(messages_without_a_line_get_uids),
		cmocka_unit_test(fields_of_a_line_merge_three_way),
		cmocka_unit_test(fields_of_the_header_merge_three_way),
		cmocka_unit_test(the_guid_of_a_folder_is_not_lost),
		cmocka_unit_test(when_no_uids_are_left_a_message_has_none),
		cmocka_unit_test(no_merge_gives_a_uid_to_two_messages),
		cmocka_unit_test(a_merge_is_the_same_to_the_byte_from_both_sides),
		cmocka_unit_test(a_merge_with_the_same_or_with_the_base_changes_nothing),
	};

	return cmocka_run_group_tests_name("uidlist_merge", tests, NULL, NULL);
}
