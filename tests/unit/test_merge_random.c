/*
 * test_merge_random.c -- thousands of random three-sided cases, each judged by an oracle that knows which
 * message is which.
 *
 * MERGE_CASES and MERGE_SEED in the environment say how many, and which is the first: a seed that was printed
 * shows its case again.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "casegen.h"
#include "casemerge.h"

static void differ(const struct bytes *have, const struct bytes *want, const char *what, struct bytes *why)
{
	if (have->len == want->len && (!have->len || memcmp(have->buf, want->buf, want->len) == 0))
		return;
	bytes_addf(why, "%s; it gives\n%sinstead of\n%s", what, have->len ? have->buf : "nothing\n",
		   want->len ? want->buf : "nothing\n");
}

static void expect(struct sides *s, const struct store *base, const struct store *a, const struct store *b,
		   const struct bytes *want, const char *what, struct bytes *why)
{
	struct bytes dump = { 0 };
	struct store out;

	merge(s, base, a, b, &out, &dump, why);
	differ(&dump, want, what, why);
	store_release(&out);
	bytes_release(&dump);
}

/* What is the same everywhere may be left out, as whole directories; without a base, what both sides have. */
static void check_partial(struct sides *s, const struct bytes *want, struct bytes *why)
{
	struct bytes dump = { 0 };

	if (!merge_apart(s, &dump, why)) {
		differ(&dump, want, "the merge of what differs is not the merge of all", why);
		if (s->told != s->fresh)
			bytes_addf(why, "of what differs, the merge told of %zu fresh UIDs; of all, of %zu\n", s->told, s->fresh);
	}
	bytes_release(&dump);
}

/* Laws that hold whatever the sides are. */
static void check_laws(struct sides *s, const struct bytes *dump, struct bytes *why)
{
	const struct store *b = &s->side[BASE], *x = &s->side[OURS], *y = &s->side[THEIRS];
	struct bytes xdump = { 0 }, ydump = { 0 };

	store_dump(x, &xdump);
	store_dump(y, &ydump);
	expect(s, b, x, y, dump, "the same merge twice is not the same", why);
	expect(s, b, y, x, dump, "merge(base, ours, theirs) is not merge(base, theirs, ours)", why);
	if (!s->c->foreign) {
		expect(s, b, x, x, &xdump, "merge(base, ours, ours) is not ours", why);
		expect(s, b, y, y, &ydump, "merge(base, theirs, theirs) is not theirs", why);
		expect(s, b, b, y, &ydump, "merge(base, base, theirs) is not theirs", why);
		expect(s, b, x, b, &xdump, "merge(base, ours, base) is not ours", why);
		expect(s, x, &s->result, x, dump, "merge(ours, result, ours) is not the result", why);
		check_partial(s, dump, why);
	}
	bytes_release(&xdump);
	bytes_release(&ydump);
}

/* judge: what is wrong with the merge of a case; nothing is added to why if all is well. */
static void judge(const struct tcase *c, struct oracle *o, struct bytes *why)
{
	struct sides s = { .c = c };
	struct bytes dump = { 0 };

	for (int i = 0; i < THREE; i++)
		case_store(c, i, &s.blobs, &s.side[i]);
	merge(&s, &s.side[BASE], &s.side[OURS], &s.side[THEIRS], &s.result, &dump, why);
	s.fresh = s.told;
	oracle_ask(o, c);
	name_keywords(&s, why);
	check_uids(&s, o->unsure ? NULL : o, why);
	check_form(&s.result, c->foreign, why);
	check_kept(&s, why);
	if (!o->unsure)
		check_messages(&s, o, why);
	check_markers(&s, o->unsure ? NULL : o, why);
	for (unsigned f = 0; f < CASE_FILES; f++)
		check_file(&s, f, why);
	check_laws(&s, &dump, why);
	bytes_release(&dump);
	store_release(&s.result);
	store_release(&s.named);
	for (int i = 0; i < THREE; i++)
		store_release(&s.side[i]);
	blobs_release(&s.blobs);
}

static bool is_bad(const struct tcase *c)
{
	static struct oracle o;
	struct bytes why = { 0 };
	bool bad;

	judge(c, &o, &why);
	bad = why.len > 0;
	bytes_release(&why);
	return bad;
}

/* Keeps an edit of the case if it is still a case and still bad. */
static bool keep_if_bad(struct tcase *c, const struct tcase *before)
{
	bool whole;

	case_settle(c);
	whole = case_is_normal(c);
	for (size_t i = 0; i < c->n; i++)
		for (int s = 0; s < THREE; s++)
			whole &= !c->m[i].at[s].here || !case_path_taken(c, s, i);
	if (whole && is_bad(c))
		return true;
	*c = *before;
	return false;
}

static bool shrink_mails(struct tcase *c, struct tcase *before)
{
	bool better = false;

	for (size_t i = c->n; i-- > 0;) {
		*before = *c;
		memmove(&c->m[i], &c->m[i + 1], (--c->n - i) * sizeof(*c->m));
		if (keep_if_bad(c, before)) {
			better = true;
			continue;
		}
		for (int s = OURS; s < THREE; s++) {
			*before = *c;
			if (!c->m[i].at[BASE].here || same_inst(&c->m[i].at[s], &c->m[i].at[BASE]))
				continue;
			c->m[i].at[s] = c->m[i].at[BASE];
			better |= keep_if_bad(c, before);
		}
	}
	return better;
}

/* Takes away the marker of a folder on one side, or on all. */
static bool drop_mark(struct tcase *c, struct tcase *before, unsigned folder, int side)
{
	bool had = false;

	*before = *c;
	for (int s = 0; s < THREE; s++)
		if (s == side || side == THREE) {
			had |= c->mark[folder][s].here;
			c->mark[folder][s].here = false;
		}
	return had && keep_if_bad(c, before);
}

static bool drop_uid(struct tcase *c, struct tcase *before, size_t i, int side)
{
	*before = *c;
	if (!c->m[i].at[side].here || !c->m[i].at[side].uid)
		return false;
	c->m[i].at[side].uid = 0;
	return keep_if_bad(c, before);
}

/* Takes away the list of a folder, or its map, on one side, or on all. */
static bool drop_imap(struct tcase *c, struct tcase *before, unsigned folder, int side)
{
	bool better = false;

	for (int words = 0; words < 2; words++) {
		bool had = false;

		*before = *c;
		for (int s = 0; s < THREE; s++) {
			struct imap *l = &c->imap[folder][s];
			bool *has = words ? &l->has_words : &l->has_list;

			if (s == side || side == THREE) {
				had |= *has;
				*has = false;
			}
		}
		better |= had && keep_if_bad(c, before);
	}
	return better;
}

static bool shrink_rest(struct tcase *c, struct tcase *before)
{
	bool better = false;

	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		for (int s = BASE; s <= THREE; s++) {
			better |= drop_mark(c, before, f, s);
			better |= drop_imap(c, before, f, s);
		}
	for (size_t i = 0; i < c->n; i++)
		for (int s = BASE; s < THREE; s++)
			better |= drop_uid(c, before, i, s);
	for (unsigned f = 0; f < CASE_FILES; f++) {
		*before = *c;
		if (!c->file[f][BASE].here && !c->file[f][OURS].here && !c->file[f][THEIRS].here)
			continue;
		memset(c->file[f], 0, sizeof(c->file[f]));
		better |= keep_if_bad(c, before);
	}
	return better;
}

/* fail_with: shows the smallest case found that is bad in some way, and what the rules say. */
static void fail_with(const struct tcase *c, const struct bytes *first)
{
	static struct tcase small, before;
	static struct oracle o;
	struct bytes out = { 0 };
	char *line;

	small = *c;
	for (int i = 0; i < 8 && (shrink_mails(&small, &before) + shrink_rest(&small, &before)); i++)
		;
	bytes_addf(&out, "what was found first:\n%.1500s\nsmallest ", first->buf);
	case_show(&small, &out);
	judge(&small, &o, &out);
	for (line = strtok(out.buf, "\n"); line; line = strtok(NULL, "\n"))
		print_error("%s\n", line);
	bytes_release(&out);
	fail_msg("seed %llu", (unsigned long long)c->seed);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 10) : otherwise;
}

static void every_random_merge_obeys_the_rules(void **state)
{
	static struct tcase c;
	static struct oracle o;
	static unsigned long rows[ROWS];
	unsigned long n = setting("MERGE_CASES", 6000), seed = setting("MERGE_SEED", 1), sure = 0;

	(void)state;
	for (unsigned long i = 0; i < n; i++) {
		struct bytes why = { 0 };

		gen_case(&c, seed + i);
		judge(&c, &o, &why);
		if (why.len)
			fail_with(&c, &why);
		bytes_release(&why);
		sure += !o.unsure;
		for (unsigned r = 0; r < ROWS && !o.unsure; r++)
			rows[r] += o.seen[r];
	}
	print_message("%lu cases, %lu of them to the letter\n", n, sure);
	for (unsigned r = 0; r < ROWS; r++) {
		print_message("%8lu %s\n", rows[r], row_text[r]);
		if (n >= 6000)
			assert_true(rows[r] >= 30);
	}
	if (n >= 6000)
		assert_true(sure >= n / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_random_merge_obeys_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
