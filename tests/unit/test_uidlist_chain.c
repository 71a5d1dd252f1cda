/*
 * test_uidlist_chain.c -- chains of merges: members that number new messages while they are apart, and merge each other's lists in any
 * order, over and over, with clashes in nearly every merge.
 *
 * A member's list is the merge of the newest changes that it knows; a merge that handed out fresh UIDs is sealed: followed by a change of
 * its own, so that it is never made again differently. Checked: all members end with one list, and on none of them a UID ever named two
 * messages, or came back.
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

#define COMMITS 4096
#define WORDS (COMMITS / 64)
#define MEMBERS 5
#define ROUNDS 6 /* in which something happens */
#define CUT 200
#define SEEDS 40
#define VALIDITIES 32
#define MOST_UIDS 4096

enum kind { ROOT, CHANGE, MERGE, SEAL };

/* A folder: its list, and which of the messages 0 to 63 it has. */
struct tree {
	struct bytes text;
	uint64_t set;
};

struct commit {
	enum kind kind;
	struct tree tree;
	uint64_t ancestors[WORDS]; /* itself included */
};

/* A set of commits, ascending: who comes first in a merge is the same for all. */
struct tips {
	unsigned v[64];
	size_t n;
};

static struct commit commits[COMMITS];
static unsigned ncommits;

/* The views that were made, by the changes that they join. */
static struct {
	struct tips of;
	unsigned head;
} views[COMMITS];
static unsigned nviews;

/* The same for merged bases: criss-cross merges ask for them again and again. */
static struct {
	struct tips of;
	struct tree tree;
} bases[COMMITS];
static unsigned nbases;

static bool has(const uint64_t *set, unsigned i)
{
	return set[i / 64] >> i % 64 & 1;
}

static void message_key(char out[16], unsigned k)
{
	snprintf(out, 16, "%u.M%u", 100 + k * 7 % 64, k);
}

static unsigned commit_new(enum kind kind, const struct tips *parents, struct tree tree)
{
	struct commit *c = &commits[ncommits];
	size_t i, w;

	assert_true(ncommits < COMMITS);
	c->kind = kind;
	c->tree = tree;
	memset(c->ancestors, 0, sizeof(c->ancestors));
	c->ancestors[ncommits / 64] |= (uint64_t)1 << ncommits % 64;
	for (i = 0; i < parents->n; i++)
		for (w = 0; w < WORDS; w++)
			c->ancestors[w] |= commits[parents->v[i]].ancestors[w];
	return ncommits++;
}

static void forget_all(void)
{
	while (ncommits)
		bytes_release(&commits[--ncommits].tree.text);
	while (nbases)
		bytes_release(&bases[--nbases].tree.text);
	nviews = 0;
}

/* Those of a set that no other one descends from. */
static void maximal(const uint64_t *set, struct tips *out)
{
	uint64_t covered[WORDS] = { 0 };
	unsigned i, w;

	out->n = 0;
	for (i = ncommits; i-- > 0;)
		if (has(set, i) && !has(covered, i)) {
			assert_true(out->n < 64);
			out->v[out->n++] = i;
			for (w = 0; w < WORDS; w++)
				covered[w] |= commits[i].ancestors[w];
		}
	for (i = 0; i < out->n / 2; i++) {
		unsigned swap = out->v[i];

		out->v[i] = out->v[out->n - 1 - i];
		out->v[out->n - 1 - i] = swap;
	}
}

struct sets {
	uint64_t base, a, b, merged;
};

static unsigned status(void *ctx, const char *key, size_t keylen)
{
	const struct sets *s = ctx;
	uint64_t bit = (uint64_t)1 << uids_number(key, keylen);

	if (!(s->merged & bit))
		return UIDLIST_GONE;
	return (s->base & bit ? UIDLIST_BASE : 0) | (s->a & bit ? UIDLIST_A : 0) | (s->b & bit ? UIDLIST_B : 0);
}

static struct tree tree_copy(const struct tree *t)
{
	struct tree copy = { .set = t->set };

	bytes_add(&copy.text, t->text.buf, t->text.len);
	return copy;
}

static uint32_t next_of(const struct tree *t)
{
	struct uidlist l;
	uint32_t next;

	uids_parse(&l, t->text.buf);
	next = l.next;
	uidlist_release(&l);
	return next;
}

/* Each message has a UID. */
static void check_whole(const struct tree *t)
{
	struct uidlist l;
	char key[16];
	unsigned k, n = 0;

	uids_parse(&l, t->text.buf);
	assert_int_equal(l.trouble, 0);
	for (k = 0; k < 64; k++)
		if (t->set >> k & 1) {
			message_key(key, k);
			assert_non_null(uidlist_find(&l, key, strlen(key)));
			n++;
		}
	assert_int_equal(l.n, n);
	uidlist_release(&l);
}

static struct tree merge(const struct tree *base, const struct tree *a, const struct tree *b, bool *fresh)
{
	struct sets s = { base->set, a->set, b->set, 0 };
	struct uidlist_merge_ops ops = { &s, status };
	struct uidlist lb, la, lt, out = { 0 };
	struct tree t = { .set = 0 };

	s.merged = t.set = (a->set & b->set) | (a->set & ~base->set) | (b->set & ~base->set);
	uids_parse(&lb, base->text.buf);
	uids_parse(&la, a->text.buf);
	uids_parse(&lt, b->text.buf);
	*fresh |= uidlist_merge(&out, &lb, &la, &lt, &ops, NULL, 0) > 0;
	uidlist_format(&out, &t.text);
	uidlist_release(&out);
	uidlist_release(&lb);
	uidlist_release(&la);
	uidlist_release(&lt);
	check_whole(&t);
	return t;
}

/* Commits that all of done together and one more descend from. */
static void common(const uint64_t *done, unsigned with, struct tips *out)
{
	uint64_t set[WORDS];
	unsigned w;

	for (w = 0; w < WORDS; w++)
		set[w] = done[w] & commits[with].ancestors[w];
	maximal(set, out);
}

static void join(uint64_t *set, const uint64_t *more)
{
	for (unsigned w = 0; w < WORDS; w++)
		set[w] |= more[w];
}

static bool same_tips(const struct tips *a, const struct tips *b)
{
	return a->n == b->n && memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0;
}

static const struct tree *base_of(const struct tips *tips);

/* Folds commits into one tree, each with the merge of what it has in common with those before. */
static struct tree fold(const struct tips *tips, bool *fresh)
{
	uint64_t done[WORDS] = { 0 };
	struct tree t = tree_copy(&commits[tips->v[0]].tree), merged;
	struct tips shared;
	size_t i;

	join(done, commits[tips->v[0]].ancestors);
	for (i = 1; i < tips->n; i++) {
		common(done, tips->v[i], &shared);
		merged = merge(base_of(&shared), &t, &commits[tips->v[i]].tree, fresh);
		bytes_release(&t.text);
		t = merged;
		join(done, commits[tips->v[i]].ancestors);
	}
	return t;
}

static const struct tree *base_of(const struct tips *tips)
{
	bool ignored = false;
	struct tree t;
	unsigned i;

	if (tips->n == 1)
		return &commits[tips->v[0]].tree;
	for (i = 0; i < nbases; i++)
		if (same_tips(&bases[i].of, tips))
			return &bases[i].tree;
	t = fold(tips, &ignored);
	assert_true(nbases < COMMITS);
	bases[nbases].of = *tips;
	bases[nbases].tree = t;
	return &bases[nbases++].tree;
}

static bool comes_first(unsigned a, unsigned b)
{
	uint32_t x = next_of(&commits[a].tree), y = next_of(&commits[b].tree);

	return x != y ? x < y : a < b;
}

static unsigned view(const struct tips *frontier)
{
	struct tips order = *frontier, one = { .n = 1 };
	bool fresh = false;
	struct tree t;
	unsigned i, j, m;

	if (frontier->n == 1)
		return frontier->v[0];
	for (i = 0; i < nviews; i++)
		if (same_tips(&views[i].of, frontier))
			return views[i].head;
	for (i = 1; i < order.n; i++)
		for (j = i; j > 0 && comes_first(order.v[j], order.v[j - 1]); j--) {
			unsigned swap = order.v[j];

			order.v[j] = order.v[j - 1];
			order.v[j - 1] = swap;
		}
	t = fold(&order, &fresh);
	m = commit_new(MERGE, frontier, t);
	if (fresh) {
		one.v[0] = m;
		m = commit_new(SEAL, &one, tree_copy(&t));
	}
	views[nviews].of = *frontier;
	views[nviews++].head = m;
	return m;
}

struct member {
	unsigned head;
	uint64_t known[WORDS];
	bool wants_to_push;
	unsigned push_at;
	uint32_t validity;
	uint32_t next[VALIDITIES];
	uint8_t shown[VALIDITIES][MOST_UIDS]; /* message + 1 */
};

static struct {
	struct member m[MEMBERS];
	unsigned n;
	struct {
		unsigned at, to, commit;
	} post[COMMITS];
	unsigned nposts;
	unsigned nmessages;
	unsigned seals;
} world;

/* What a session sees of the list now. */
static void show(struct member *m)
{
	struct uidlist l;
	size_t i;

	uids_parse(&l, commits[m->head].tree.text.buf);
	assert_true(l.validity >= m->validity && l.validity < VALIDITIES && l.next < MOST_UIDS);
	m->validity = l.validity;
	for (i = 0; i < l.n; i++) {
		uint8_t *shown = &m->shown[l.validity][l.v[i].uid];
		unsigned k = uids_number(l.v[i].key, l.v[i].keylen);

		assert_true(*shown == k + 1 || (!*shown && l.v[i].uid >= m->next[l.validity]));
		*shown = (uint8_t)(k + 1);
	}
	/* What vanished was taken away, and must not come back. */
	for (i = 1; i < m->next[l.validity]; i++) {
		size_t j;

		for (j = 0; j < l.n && l.v[j].uid != i; j++)
			;
		if (j == l.n)
			m->shown[l.validity][i] = UINT8_MAX;
	}
	assert_true(l.next >= m->next[l.validity]);
	m->next[l.validity] = l.next;
	uidlist_release(&l);
}

static bool drop_it(void *ctx, const char *key, size_t keylen)
{
	return uids_number(key, keylen) != *(unsigned *)ctx;
}

static bool drop_all(void *ctx, const char *key, size_t keylen)
{
	(void)ctx;
	(void)key;
	(void)keylen;
	return false;
}

static void number(struct uidlist *l, uint64_t set)
{
	static char names[64][16];
	struct uidlist_key keys[64];
	unsigned k, n = 0;

	for (k = 0; k < 64; k++)
		if (set >> k & 1) {
			message_key(names[k], k);
			keys[n++] = (struct uidlist_key){ names[k], (uint8_t)strlen(names[k]) };
		}
	uidlist_number(l, keys, n);
}

static unsigned one_of(uint64_t set, uint32_t *seed)
{
	unsigned k = uids_random(seed) % 64;

	while (!(set >> k & 1))
		k = (k + 1) % 64;
	return k;
}

/* A member's own change: new messages, and now and then a deleted one, one that is numbered again, or a new list. */
static void change(struct member *m, uint32_t *seed)
{
	struct tips parent = { { m->head }, 1 };
	struct tree old = tree_copy(&commits[m->head].tree), t = { .set = old.set };
	struct uidlist l;
	unsigned k, n = 1 + uids_random(seed) % 2;

	uids_parse(&l, old.text.buf);
	if (uids_chance(seed, 4)) {
		uidlist_keep(&l, drop_all, NULL);
		l.validity++;
		l.next = 1;
	}
	if (t.set && uids_chance(seed, 30)) {
		k = one_of(t.set, seed);
		t.set &= ~((uint64_t)1 << k);
		uidlist_keep(&l, drop_it, &k);
	}
	if (t.set && uids_chance(seed, 15)) {
		k = one_of(t.set, seed);
		uidlist_keep(&l, drop_it, &k);
	}
	for (; n && world.nmessages < 64; n--)
		t.set |= (uint64_t)1 << world.nmessages++;
	number(&l, t.set);
	uidlist_format(&l, &t.text);
	uidlist_release(&l);
	bytes_release(&old.text);
	check_whole(&t);
	m->head = commit_new(CHANGE, &parent, t);
}

static void receive(struct member *m, unsigned me, unsigned now)
{
	unsigned i, n = 0;

	for (i = 0; i < world.nposts; i++)
		if (world.post[i].to == me && world.post[i].at <= now)
			join(m->known, commits[world.post[i].commit].ancestors);
		else
			world.post[n++] = world.post[i];
	world.nposts = n;
}

static void look(struct member *m)
{
	uint64_t changes[WORDS];
	struct tips frontier;
	unsigned i;

	join(m->known, commits[m->head].ancestors);
	memcpy(changes, m->known, sizeof(changes));
	for (i = 0; i < ncommits; i++)
		if (commits[i].kind == MERGE)
			changes[i / 64] &= ~((uint64_t)1 << i % 64);
	maximal(changes, &frontier);
	i = ncommits;
	m->head = view(&frontier);
	world.seals += m->head >= i && commits[m->head].kind == SEAL;
	show(m);
}

static void push(unsigned me, unsigned now, unsigned latency, uint32_t *seed)
{
	for (unsigned to = 0; to < world.n; to++)
		if (to != me) {
			assert_true(world.nposts < COMMITS);
			world.post[world.nposts].at = now + 1 + uids_random(seed) % latency;
			world.post[world.nposts].to = to;
			world.post[world.nposts++].commit = world.m[me].head;
		}
}

static bool quiet(void)
{
	unsigned i;

	for (i = 0; i < world.n; i++)
		if (world.m[i].wants_to_push || world.m[i].head != world.m[0].head)
			return false;
	return !world.nposts;
}

static void start(unsigned n)
{
	struct tips none = { .n = 0 };
	struct tree t = { .set = 0 };
	unsigned i;

	forget_all();
	memset(&world.m, 0, sizeof(world.m));
	world.n = n;
	world.nposts = world.nmessages = 0;
	bytes_addstr(&t.text, "3 V5 N1\n");
	commit_new(ROOT, &none, t);
	for (i = 0; i < n; i++)
		join(world.m[i].known, commits[0].ancestors);
}

/* pause: what was only merged is pushed a little later, which differs by member. */
struct setting {
	unsigned members, latency;
	bool pause;
};

static void turn(const struct setting *s, unsigned i, unsigned now, uint32_t *seed)
{
	struct member *m = &world.m[i];
	unsigned head = m->head;
	bool own = now < ROUNDS && uids_chance(seed, 50);

	receive(m, i, now);
	look(m);
	if (own) {
		change(m, seed);
		show(m);
	}
	if (m->head != head) {
		m->wants_to_push = true;
		m->push_at = own || !s->pause ? now : now + uids_random(seed) % (i + 1);
	}
	if (m->wants_to_push && now >= m->push_at) {
		m->wants_to_push = false;
		push(i, now, s->latency, seed);
	}
}

/* Returns after how many rounds from the last change all were equal; CUT if never. */
static unsigned run(const struct setting *s, uint32_t seed)
{
	unsigned now, i;

	start(s->members);
	for (now = 0; now < CUT; now++) {
		if (now >= ROUNDS && quiet())
			return now - ROUNDS;
		for (i = 0; i < s->members; i++)
			turn(s, i, now, &seed);
	}
	return CUT;
}

static void run_many(const struct setting *s)
{
	unsigned seed, most = 0, sum = 0;

	world.seals = 0;
	for (seed = 1; seed <= SEEDS; seed++) {
		unsigned rounds = run(s, seed * 7919);

		assert_true(rounds < CUT);
		most = rounds > most ? rounds : most;
		sum += rounds;
	}
	print_message("%u members, latency up to %u, %s pause: one list after %.1f rounds, at most %u; %u merges handed out UIDs\n",
		      s->members, s->latency, s->pause ? "a" : "no", (double)sum / SEEDS, most, world.seals);
	assert_true(world.seals > SEEDS);
}

static void members_that_merge_in_any_order_end_with_one_list_and_no_uid_names_two_messages(void **state)
{
	struct setting s;
	int pause;

	(void)state;
	for (pause = 0; pause < 2; pause++)
		for (s.latency = 1; s.latency <= 3; s.latency += 2)
			for (s.members = 2; s.members <= MEMBERS; s.members++) {
				s.pause = pause;
				run_many(&s);
			}
	forget_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_that_merge_in_any_order_end_with_one_list_and_no_uid_names_two_messages),
	};

	return cmocka_run_group_tests_name("uidlist_chain", tests, NULL, NULL);
}
