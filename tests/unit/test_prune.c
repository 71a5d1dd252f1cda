/*
 * test_prune.c -- random histories of members that record, merge, stay away and prune: what git says of the unpruned history, it says of the pruned one.
 *
 * Members are simulated as they work: each knows commits, and works on the view of the frontier of what it knows. The commits are made in one repository that nobody prunes, which is the oracle; the
 * pruned one borrows its objects and has a shallow file. PRUNE_CASES and PRUNE_SEED in the environment say how many histories, and which is the first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/history.h"
#include "repo/prune.h"
#include "repo/run.h"

#define MEMBERS 6
#define STEPS 40

static struct repo whole, pruned;
static struct err err;
static uint64_t rng;

static unsigned rnd(unsigned n)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(rng >> 33) % n;
}

static void ok(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, err.msg);
}

static int setup(void **state)
{
	/* Each commit is synced to the disk, which is not what is tested here. */
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	if (box_setup(state) || box_sh("git init -q --bare whole && git init -q --bare pruned && echo \"$PWD/whole/objects\" >pruned/objects/info/alternates"))
		return -1;
	return repo_open(&whole, box_path("whole"), &err) || repo_open(&pruned, box_path("pruned"), &err) ? -1 : 0;
}

static int teardown(void **state)
{
	repo_close(&whole);
	repo_close(&pruned);
	return box_teardown(state);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 10) : otherwise;
}

/* One history. */
struct world {
	struct oid tree, head[MEMBERS], got[MEMBERS][MEMBERS]; /* got[a][b]: what a last received from b */
	bool has_got[MEMBERS][MEMBERS], away[MEMBERS];
	unsigned n, members;
	int64_t time;
	struct oids all; /* every commit that was made, oldest first */
	struct objects_batch *batch;
};

/* A change of a member on its head, or by hand: a merge of its head and what it got. */
static void change(struct world *w, unsigned m, const struct oid *second)
{
	struct history_commit c = { .author = (char *)"Somebody <somebody@example.org>", .committer = (char *)"Somebody <somebody@example.org>" };
	char text[80];

	c.tree = w->tree;
	if (!oid_is_zero(&w->head[m]))
		oids_add(&c.parents, &w->head[m]);
	if (second)
		oids_add(&c.parents, second);
	c.author_time = c.committer_time = w->time += rnd(3);
	snprintf(text, sizeof(text), "change %u of %u\n", w->n++, m);
	c.message = text;
	ok(history_write(w->batch, &c, &w->head[m], &err));
	ok(objects_flush(w->batch, &err));
	oids_add(&w->all, &w->head[m]);
	oids_release(&c.parents);
}

/* The head for what is known, as sync makes it. */
static struct oid settle(struct world *w, struct repo *r, const struct oids *heads)
{
	struct oids frontier = { 0 };
	struct oid id;

	ok(history_frontier(r, heads, &frontier, &err));
	id = frontier.v[0];
	if (frontier.n > 1) {
		ok(history_view(r, w->batch, &frontier, &w->tree, false, &id, &err));
		ok(objects_flush(w->batch, &err));
	}
	oids_release(&frontier);
	return id;
}

static void known_to(const struct world *w, unsigned m, struct oids *heads)
{
	oids_add(heads, &w->head[m]);
	for (unsigned i = 0; i < w->members; i++)
		if (w->has_got[m][i])
			oids_add(heads, &w->got[m][i]);
}

static void receive(struct world *w, unsigned to, unsigned from)
{
	struct oids heads = { 0 };
	struct oid before = w->head[to];

	w->got[to][from] = w->head[from];
	w->has_got[to][from] = true;
	known_to(w, to, &heads);
	w->head[to] = settle(w, &whole, &heads);
	if (!oid_eq(&before, &w->head[to]))
		oids_add(&w->all, &w->head[to]);
	oids_release(&heads);
}

/* Everybody who is there talks to everybody. */
static void talk(struct world *w)
{
	for (unsigned round = 0; round < 2; round++)
		for (unsigned a = 0; a < w->members; a++)
			for (unsigned b = 0; b < w->members; b++)
				if (a != b && !w->away[a] && !w->away[b])
					receive(w, a, b);
}

static void step(struct world *w)
{
	unsigned m = rnd(w->members), other = rnd(w->members);

	if (rnd(w->away[m] ? 6 : 20) == 0)
		w->away[m] = !w->away[m];
	if (rnd(10) == 0)
		talk(w);
	if (rnd(3) == 0) {
		change(w, m, NULL);
	} else if (rnd(25) == 0 && w->has_got[m][other] && m != other && history_is_ancestor(&whole, &w->got[m][other], &w->head[m], &err) == 0) {
		change(w, m, &w->got[m][other]);
	} else if (m != other && !w->away[m] && !w->away[other]) {
		receive(w, m, other);
	}
}

static void begin(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	rng = seed * 2654435761u + 1;
	w->members = 2 + rnd(MEMBERS - 1);
	w->time = 1700000000;
	w->batch = objects_begin(&whole);
	ok(objects_add(w->batch, OBJECTS_TREE, "", 0, &w->tree, &err));
	change(w, 0, NULL);
	for (unsigned i = 1; i < w->members; i++) {
		w->head[i] = w->head[0];
		w->got[i][0] = w->head[0];
		w->has_got[i][0] = true;
		for (unsigned k = 0; k < i; k++) {
			w->got[k][i] = w->head[0];
			w->has_got[k][i] = true;
			w->got[i][k] = w->head[0];
			w->has_got[i][k] = true;
		}
	}
	for (unsigned i = 0; i < STEPS; i++)
		step(w);
}

static void end(struct world *w)
{
	objects_end(w->batch);
	oids_release(&w->all);
}

/* The cut of a member now, by git's list of the whole history. */
static bool cut_of(const struct world *w, unsigned m, struct oid *cut, struct prune_graph *g, struct prune_cut *res)
{
	const char *argv[MEMBERS + 8] = { "git", "rev-list", "--topo-order", "--timestamp", "--parents" };
	char hex[MEMBERS + 1][OID_HEX + 1];
	struct oids heads = { 0 };
	struct bytes out = { 0 };
	size_t at[MEMBERS + 1];

	known_to(w, m, &heads);
	for (size_t i = 0; i < heads.n; i++)
		argv[5 + i] = oid_hex(&heads.v[i], hex[i]);
	ok(run_git(whole.gitdir, argv, &out, &err));
	ok(prune_parse(g, out.buf, out.len, &err));
	bytes_release(&out);
	for (size_t i = 0; i < heads.n; i++)
		at[i] = prune_find(g, &heads.v[i]);
	prune_compute(g, at, heads.n, PRUNE_ANY_AGE, res);
	if (res->at != PRUNE_NONE)
		*cut = g->v[res->at].oid;
	oids_release(&heads);
	return res->at != PRUNE_NONE;
}

/* No newer commit can be the cut: each that was kept is no ancestor of some head, or something kept leads past it. */
static void assert_newest(const struct prune_graph *g, const struct prune_cut *res, const struct world *w, unsigned m)
{
	struct oids heads = { 0 };

	known_to(w, m, &heads);
	for (size_t i = 0; i < (res->at == PRUNE_NONE ? g->n : res->at); i++) {
		bool possible = g->v[i].nparents > 0;

		for (size_t k = 0; k < heads.n && possible; k++)
			possible = prune_descends(g, prune_find(g, &heads.v[k]), i);
		for (size_t k = 0; k < g->n && possible; k++)
			for (size_t p = 0; p < g->v[k].nparents && possible && k != i; p++)
				possible = !(prune_descends(g, k, i) && !prune_descends(g, g->parents[g->v[k].first + p], i));
		assert_false(possible);
	}
	oids_release(&heads);
}

static void write_cut(const struct oid *cut)
{
	char hex[OID_HEX + 1];
	FILE *f = fopen(box_path("pruned/shallow"), "we");

	assert_non_null(f);
	fprintf(f, "%s\n", oid_hex(cut, hex));
	assert_int_equal(fclose(f), 0);
}

static void assert_same_ids(const struct oids *a, const struct oids *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_memory_equal(a->v[i].h, b->v[i].h, OID_RAW);
}

static size_t questions;

/* Bases as fold() of converge.c asks for them, and of several bases those that they have. */
static void assert_same_bases(const struct oids *list, unsigned depth)
{
	struct oids done = { 0 };

	for (size_t i = 0; i < list->n; i++) {
		struct oids a = { 0 }, b = { 0 };

		if (i) {
			ok(history_bases(&whole, &list->v[i], &done, &a, &err));
			ok(history_bases(&pruned, &list->v[i], &done, &b, &err));
			questions++;
			assert_same_ids(&a, &b);
			if (depth < 10)
				assert_same_bases(&a, depth + 1);
		}
		oids_add(&done, &list->v[i]);
		oids_release(&a);
		oids_release(&b);
	}
	oids_release(&done);
}

/* The member that pruned comes to the same view of what it knows as it would have without. A boundary that is a view is an element of its own frontier, and nothing else differs. */
static void compare(struct world *w, unsigned m, const struct oid *cut)
{
	struct oids heads = { 0 }, a = { 0 }, b = { 0 };
	struct oid ours, theirs;

	known_to(w, m, &heads);
	ok(history_frontier(&whole, &heads, &a, &err));
	ok(history_frontier(&pruned, &heads, &b, &err));
	ours = settle(w, &whole, &heads);
	theirs = settle(w, &pruned, &heads);
	assert_memory_equal(ours.h, theirs.h, OID_RAW);
	if (b.n == 1 && oid_eq(&b.v[0], cut)) {
		assert_memory_equal(ours.h, cut->h, OID_RAW);
	} else {
		assert_same_ids(&a, &b);
		assert_same_bases(&b, 0);
	}
	oids_release(&a);
	oids_release(&b);
	/* Each head with each other, as git itself is asked. */
	for (size_t i = 1; i < heads.n; i++) {
		struct oids pair = { 0 };

		oids_add(&pair, &heads.v[0]);
		oids_add(&pair, &heads.v[i]);
		assert_same_bases(&pair, 0);
		oids_release(&pair);
	}
	oids_release(&heads);
}

static void a_pruned_member_answers_every_question_as_before(void **state)
{
	unsigned long cases = setting("PRUNE_CASES", 500), first = setting("PRUNE_SEED", 1);
	size_t kept = 0, dropped = 0, cuts = 0;

	(void)state;
	for (unsigned long i = 0; i < cases; i++) {
		struct prune_graph g = { 0 };
		struct prune_cut res;
		struct world w;
		struct oid cut;
		unsigned m;

		begin(&w, first + i);
		m = rnd(w.members);
		bool cuts_something = cut_of(&w, m, &cut, &g, &res);

		if (i % 20 == 0)
			assert_newest(&g, &res, &w, m);
		if (cuts_something) {
			write_cut(&cut);
			cuts++;
			kept += res.kept;
			dropped += res.dropped;
			compare(&w, m, &cut);
			/* What others do from here on, those who were away as well. */
			for (unsigned k = 0; k < STEPS / 2; k++) {
				if (k == STEPS / 4)
					memset(w.away, 0, sizeof(w.away));
				step(&w);
				if (k % 4 == 3)
					compare(&w, m, &cut);
			}
		}
		prune_release(&g);
		end(&w);
	}
	print_message("%lu histories, %zu cut: %zu commits kept, %zu dropped; %zu questions\n", cases, cuts, kept, dropped, questions);
	/* A search that finds nothing would pass as well. */
	assert_true(cuts * 2 > cases || cases < 10);
	unlink(box_path("pruned/shallow"));
}

/* Histories by hand: "a b c" is commit a with the parents b and c. */
static void graph(struct prune_graph *g, const char *const *lines)
{
	struct bytes b = { 0 };

	for (int64_t t = 1000; *lines; lines++, t--) {
		bytes_addf(&b, "%lld", (long long)t);
		for (const char *s = *lines; *s; s++)
			if (*s != ' ') {
				bytes_addstr(&b, " ");
				for (int i = 0; i < OID_HEX; i++)
					bytes_add(&b, s, 1);
			}
		bytes_addstr(&b, "\n");
	}
	ok(prune_parse(g, b.buf, b.len, &err));
	bytes_release(&b);
}

static char cut_at(const char *const *lines, const char *heads, int64_t before)
{
	struct prune_graph g = { 0 };
	struct prune_cut res;
	size_t at[8], n = 0;
	char hex[OID_HEX + 1] = "-";

	graph(&g, lines);
	for (; *heads; heads++) {
		struct oid o;
		char id[OID_HEX + 1];

		memset(id, *heads, OID_HEX);
		id[OID_HEX] = '\0';
		assert_true(oid_parse(&o, id));
		at[n++] = prune_find(&g, &o);
		assert_true(at[n - 1] != PRUNE_NONE);
	}
	prune_compute(&g, at, n, before, &res);
	if (res.at != PRUNE_NONE)
		oid_hex(&g.v[res.at].oid, hex);
	prune_release(&g);
	return hex[0];
}

static void when_all_have_the_same_one_commit_is_left(void **state)
{
	static const char *const line[] = { "a b", "b c", "c d", "d", NULL };
	static const char *const merge[] = { "a b c", "b d", "c d", "d e", "e", NULL };

	(void)state;
	assert_int_equal(cut_at(line, "aa", PRUNE_ANY_AGE), 'a');
	assert_int_equal(cut_at(merge, "aaa", PRUNE_ANY_AGE), 'a');
}

static void a_peer_that_stayed_behind_holds_what_it_has(void **state)
{
	static const char *const line[] = { "a b", "b c", "c d", "d", NULL };
	static const char *const merge[] = { "a b c", "b d", "c d", "d e", "e", NULL };

	(void)state;
	assert_int_equal(cut_at(line, "ac", PRUNE_ANY_AGE), 'c');
	assert_int_equal(cut_at(line, "ad", PRUNE_ANY_AGE), '-');
	assert_int_equal(cut_at(merge, "ab", PRUNE_ANY_AGE), 'd');
	assert_int_equal(cut_at(merge, "bc", PRUNE_ANY_AGE), 'd');
}

static void a_criss_cross_is_kept_whole(void **state)
{
	static const char *const cross[] = { "a c d", "b c d", "c e", "d e", "e f", "f", NULL };

	(void)state;
	assert_int_equal(cut_at(cross, "ab", PRUNE_ANY_AGE), 'e');
}

static void maildirs_that_met_late_are_cut_after_they_met(void **state)
{
	static const char *const two[] = { "a b", "b c d", "c e", "d", "e", NULL };

	(void)state;
	assert_int_equal(cut_at(two, "a", PRUNE_ANY_AGE), 'a');
	assert_int_equal(cut_at(two, "bc", PRUNE_ANY_AGE), '-');
}

static void what_is_young_stays_even_under_a_wrong_clock(void **state)
{
	static const char *const line[] = { "a b", "b c", "c d", "d", NULL };

	(void)state;
	/* Times are 1000, 999, 998, 997. */
	assert_int_equal(cut_at(line, "a", 1000), 'b');
	assert_int_equal(cut_at(line, "a", 999), 'c');
	assert_int_equal(cut_at(line, "a", 900), '-');
}

static void garbage_is_no_history(void **state)
{
	static const char *const bad[] = { "x\n", "1 22\n", "1 \n", " \n", "5 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bb\n",
					   "5 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" };
	struct prune_graph g;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(prune_parse(&g, bad[i], strlen(bad[i]), &err), ERR_FAIL);
	ok(prune_parse(&g, "", 0, &err));
	prune_release(&g);
}

static void ages_are_read_with_their_units(void **state)
{
	int64_t s;

	(void)state;
	assert_true(repo_parse_age("7d", &s) && s == 7 * 86400);
	assert_true(repo_parse_age("12h", &s) && s == 12 * 3600);
	assert_true(repo_parse_age("2w", &s) && s == 14 * 86400);
	assert_true(repo_parse_age("0", &s) && s == 0);
	assert_false(repo_parse_age("", &s));
	assert_false(repo_parse_age("d", &s));
	assert_false(repo_parse_age("-1d", &s));
	assert_false(repo_parse_age("1x", &s));
	assert_false(repo_parse_age("1dd", &s));
	assert_false(repo_parse_age("99999999999999999999d", &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_all_have_the_same_one_commit_is_left),
		cmocka_unit_test(a_peer_that_stayed_behind_holds_what_it_has),
		cmocka_unit_test(a_criss_cross_is_kept_whole),
		cmocka_unit_test(maildirs_that_met_late_are_cut_after_they_met),
		cmocka_unit_test(what_is_young_stays_even_under_a_wrong_clock),
		cmocka_unit_test(garbage_is_no_history),
		cmocka_unit_test(ages_are_read_with_their_units),
		cmocka_unit_test_setup_teardown(a_pruned_member_answers_every_question_as_before, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
