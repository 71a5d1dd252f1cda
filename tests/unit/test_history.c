/*
 * test_history.c -- views, the frontier and merge bases, with stock git as the judge.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/history.h"
#include "repo/walk.h"

static struct err err;
static struct repo repo;
static char tree_hex[OID_HEX + 1];

static int setup(void **state)
{
	if (box_setup(state) < 0 || box_sh("git init -q r") != 0 || repo_open(&repo, box_path("r"), &err) < 0)
		return -1;
	snprintf(tree_hex, sizeof(tree_hex), "%s", box_out("git -C r write-tree"));
	return 0;
}

static int teardown(void **state)
{
	repo_close(&repo);
	return box_teardown(state);
}

static struct oid parse(const char *hex)
{
	struct oid o;

	assert_true(oid_parse(&o, hex));
	return o;
}

/* commit: a change by git commit-tree. parents are names of commits made before; the date is in seconds. */
static struct oid commit(const char *name, const char *author, long date, const char *parents)
{
	struct oid o = parse(box_out("cd r; args=; for p in %s; do args=\"$args -p refs/c/$p\"; done;"
				     "c=$(GIT_AUTHOR_NAME='%s' GIT_AUTHOR_DATE='@%ld +0130' GIT_COMMITTER_DATE='@%ld -0230' git commit-tree -m 'did %s' $args %s 2>/dev/null);"
				     "git update-ref refs/c/%s $c; echo $c", parents, author, date, date, name, tree_hex, name));
	return o;
}

static struct oid view(const struct oid *const *parents, size_t n)
{
	struct objects_batch *b = objects_begin(&repo);
	struct oid tree = parse(tree_hex), out;
	struct oids l = { 0 };

	for (size_t i = 0; i < n; i++)
		oids_add(&l, parents[i]);
	oids_sort(&l);
	assert_int_equal(history_view(&repo, b, &l, &tree, false, &out, &err), 0);
	assert_int_equal(objects_flush(b, &err), 0);
	objects_end(b);
	oids_release(&l);
	return out;
}
#define VIEW(...) view((const struct oid *const[]){ __VA_ARGS__ }, sizeof((const struct oid *const[]){ __VA_ARGS__ }) / sizeof(struct oid *))

static void name_ref(const char *name, const struct oid *o)
{
	char hex[OID_HEX + 1];

	must("git -C r update-ref refs/c/%s %s", name, oid_hex(o, hex));
}

static void assert_ids(const struct oids *got, const struct oid *const *want, size_t n)
{
	struct oids l = { 0 };

	for (size_t i = 0; i < n; i++)
		oids_add(&l, want[i]);
	oids_sort(&l);
	assert_int_equal(got->n, l.n);
	for (size_t i = 0; i < l.n; i++)
		assert_true(oid_eq(&got->v[i], &l.v[i]));
	oids_release(&l);
}

static void frontier_is(const struct oid *const *heads, size_t nh, const struct oid *const *want, size_t n)
{
	struct oids h = { 0 }, out = { 0 };

	for (size_t i = 0; i < nh; i++)
		oids_add(&h, heads[i]);
	if (history_frontier(&repo, &h, &out, &err) != 0)
		fail_msg("%s", err.msg);
	assert_ids(&out, want, n);
	oids_release(&h);
	oids_release(&out);
}
#define LIST(...) (const struct oid *const[]){ __VA_ARGS__ }, sizeof((const struct oid *const[]){ __VA_ARGS__ }) / sizeof(struct oid *)

static void a_commit_reads_as_git_shows_it(void **state)
{
	struct oid a = commit("a", "Bob B. <x", 1700000000, ""), b = commit("b", "Eve", 1700000100, "a");
	struct history_commit c;

	(void)state;
	assert_int_equal(history_read(&repo, &b, &c, &err), 0);
	assert_int_equal(c.parents.n, 1);
	assert_true(oid_eq(&c.parents.v[0], &a));
	assert_string_equal(c.author, "Eve <ada@example.org>");
	assert_string_equal(c.committer, "Ada <ada@example.org>");
	assert_int_equal(c.author_time, 1700000100);
	assert_int_equal(c.author_tz, 90);
	assert_int_equal(c.committer_tz, -150);
	assert_string_equal(c.message, "did b\n");
	history_commit_release(&c);
}

static void a_commit_written_is_the_one_git_writes(void **state)
{
	struct oid a = commit("a", "Eve", 1700000000, ""), b = commit("b", "Eve", 1700000100, "a"), out;
	struct objects_batch *batch = objects_begin(&repo);
	struct history_commit c;

	(void)state;
	(void)a;
	assert_int_equal(history_read(&repo, &b, &c, &err), 0);
	assert_int_equal(history_write(batch, &c, &out, &err), 0);
	assert_true(oid_eq(&out, &b));
	objects_end(batch);
	history_commit_release(&c);
}

static void a_view_says_nothing_of_who_makes_it(void **state)
{
	struct oid a = commit("a", "mx2", 1700000000, ""), b = commit("b", "mx1", 1700000200, ""), c = commit("c", "mx2", 1700000100, "");
	struct oid v = VIEW(&a, &b, &c), again;
	char hex[OID_HEX + 1];
	const char *order;

	(void)state;
	setenv("GIT_AUTHOR_NAME", "Other", 1);
	setenv("GIT_COMMITTER_NAME", "Other", 1);
	again = VIEW(&c, &b, &a);
	assert_true(oid_eq(&v, &again));
	oid_hex(&v, hex);
	assert_string_equal(box_out("git -C r log -1 --format='%%an %%ae %%cn %%at %%ct %%ai' %s", hex),
			    "git-maildir view@git-maildir git-maildir 1700000200 1700000200 2023-11-14 22:16:40 +0000");
	assert_string_equal(box_out("git -C r log -1 --format=%%s %s", hex), "Merge the changes of mx1 and mx2");
	assert_string_equal(box_out("git -C r log -1 --format=%%b %s | grep . | sort", hex), "* mx1: did b\n* mx2: did a\n* mx2: did c");
	order = box_out("cd r; [ \"$(git log -1 --format=%%P %s | tr ' ' '\\n')\" = \"$(git rev-parse refs/c/a refs/c/b refs/c/c | sort)\" ] && echo sorted", hex);
	assert_string_equal(order, "sorted");
	must("git -C r update-ref refs/heads/main %s && git -C r fsck --strict 2>&1 | (! grep .)", hex);
	assert_int_equal(history_is_view(&repo, &v, &err), 1);
}

static void what_is_not_derived_to_the_byte_is_a_change(void **state)
{
	struct oid a = commit("a", "mx2", 1700000000, ""), b = commit("b", "mx1", 1700000200, ""), v = VIEW(&a, &b), o;
	char hex[OID_HEX + 1];

	(void)state;
	oid_hex(&v, hex);
	assert_int_equal(history_is_view(&repo, &a, &err), 0);
	/* another message, date, identity, order of parents, a signature: not a view. Another tree: still one. */
	static const char *const edits[] = { "s/^Merge/merge/", "s/1700000200/1700000201/", "s/^author git/author Git/", "$a trailing", "s/^committer .*/&\\nencoding x/" };

	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		o = parse(box_out("cd r; git cat-file commit %s | sed '%s' | git hash-object -t commit -w --stdin", hex, edits[i]));
		assert_false(oid_eq(&o, &v));
		assert_int_equal(history_is_view(&repo, &o, &err), 0);
	}
	o = parse(box_out("cd r; git cat-file commit %s | awk '/^parent/{if(!p){p=$0;next}else{print; print p; next}}{print}' | git hash-object -t commit -w --stdin", hex));
	assert_false(oid_eq(&o, &v));
	assert_int_equal(history_is_view(&repo, &o, &err), 0);
	o = parse(box_out("cd r; t=$(echo x | git hash-object -w --stdin | sed 's/.*/100644 blob &\\tx/' | git mktree);"
			  "git cat-file commit %s | sed \"s/^tree .*/tree $t/\" | git hash-object -t commit -w --stdin", hex));
	assert_false(oid_eq(&o, &v));
	assert_int_equal(history_is_view(&repo, &o, &err), 1);
}

static void a_merge_made_by_hand_is_a_change(void **state)
{
	struct oid a = commit("a", "mx1", 1700000000, ""), b = commit("b", "mx2", 1700000001, ""), m = commit("m", "Ada", 1700000002, "a b");

	(void)state;
	assert_int_equal(history_is_view(&repo, &m, &err), 0);
	frontier_is(LIST(&m, &a, &b), LIST(&m));
}

static void members_that_know_the_same_have_the_same_frontier(void **state)
{
	struct oid root = commit("root", "mx1", 1700000000, ""), a = commit("a", "mx1", 1700000001, "root"), b = commit("b", "mx2", 1700000002, "root"),
		   c = commit("c", "mx3", 1700000003, "root");
	struct oid ab = VIEW(&a, &b), ac = VIEW(&a, &c), abc = VIEW(&a, &b, &c), d, dv;

	(void)state;
	frontier_is(LIST(&root), LIST(&root));
	frontier_is(LIST(&a, &a, &root), LIST(&a));
	frontier_is(LIST(&ab), LIST(&a, &b));
	frontier_is(LIST(&ab, &ac), LIST(&a, &b, &c));
	frontier_is(LIST(&ab, &c), LIST(&a, &b, &c));
	frontier_is(LIST(&abc, &root, &a), LIST(&a, &b, &c));
	name_ref("ab", &ab);
	d = commit("d", "mx1", 1700000004, "ab"); /* a delivery on top of the view */
	frontier_is(LIST(&d, &ab, &ac), LIST(&c, &d));
	dv = VIEW(&c, &d);
	assert_int_equal(history_is_view(&repo, &dv, &err), 1);
	frontier_is(LIST(&dv, &abc), LIST(&c, &d));
}

static void views_of_views_from_a_hostile_peer_end(void **state)
{
	struct oid a = commit("a", "mx1", 1700000000, ""), b = commit("b", "mx2", 1700000001, ""), c = commit("c", "mx3", 1700000002, "");
	struct oid v = VIEW(&a, &b), vv = VIEW(&v, &c), tower = vv, other = v;
	struct oids h = { 0 }, out = { 0 };

	(void)state;
	assert_int_equal(history_is_view(&repo, &vv, &err), 0);
	/* what a member makes of it is a view again, whether or not the forgery looks like one */
	struct oid honest = VIEW(&vv, &a);

	assert_int_equal(history_is_view(&repo, &honest, &err), 1);
	frontier_is(LIST(&vv, &v), LIST(&vv));
	for (int i = 0; i < 60; i++) { /* each over both below it: 2^60 ways down */
		struct oid next = VIEW(&tower, &other);

		other = tower;
		tower = next;
	}
	oids_add(&h, &tower);
	assert_int_equal(history_frontier(&repo, &h, &out, &err), 0);
	assert_true(out.n >= 1);
	oids_release(&h);
	oids_release(&out);
}

static void broken_and_missing_commits_are_named(void **state)
{
	struct oids h = { 0 }, out = { 0 };
	struct oid none = parse("0123456789012345678901234567890123456789"), a = commit("a", "mx1", 1700000000, ""), bad;
	struct history_commit c;

	(void)state;
	oids_add(&h, &a);
	oids_add(&h, &none);
	assert_int_equal(history_frontier(&repo, &h, &out, &err), ERR_NOTFOUND);
	assert_non_null(strstr(err.msg, "0123456789012345678901234567890123456789"));
	static const char *const forms[] = {
		"tree @", "tree xyz\\n\\n", "tree @\\nparent 12\\nauthor a <b> 1 +0000\\ncommitter a <b> 1 +0000\\n\\n", "tree @\\nauthor a <b> 1 +0000\\n\\n", "\\n", "",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		bad = parse(box_out("cd r; printf '%s' | sed 's/@/%s/' | git hash-object --literally -t commit -w --stdin", forms[i], tree_hex));
		if (history_read(&repo, &bad, &c, &err) != ERR_FAIL)
			fail_msg("%s", forms[i]);
		assert_non_null(strstr(err.msg, "is broken"));
	}
	/* odd, but git reads them */
	static const char *const odd[] = {
		"tree @\\nauthor  1 +0000\\ncommitter x 99999999999999999999 +99999\\n", "tree @\\nauthor <> -5 x\\ncommitter > \\ngpgsig a\\n b\\n\\n\\001\\033",
		"tree @\\nauthor a <b> 1 +0000\\ncommitter a <b> 1 +0000\\nunfinished",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		struct oid v;

		bad = parse(box_out("cd r; printf '%s' | sed 's/@/%s/' | git hash-object --literally -t commit -w --stdin", odd[i], tree_hex));
		assert_int_equal(history_read(&repo, &bad, &c, &err), 0);
		history_commit_release(&c);
		v = VIEW(&a, &bad);
		assert_int_equal(history_is_view(&repo, &v, &err), 1);
		name_ref("odd", &v);
		assert_string_equal(box_out("git -C r cat-file commit refs/c/odd | git hash-object -t commit --stdin 2>&1 | tail -1"),
				    box_out("git -C r rev-parse refs/c/odd"));
	}
	/* a peer's ref to something that is no commit */
	bad = parse(tree_hex);
	assert_true(history_read(&repo, &bad, &c, &err) < 0);
	oids_release(&h);
	oids_release(&out);
}

/* A random graph with clocks that are wrong, its answers compared with git's. */
static void random_history_is_seen_as_git_sees_it(void **state)
{
	enum { N = 40, ROUNDS = 60 };
	struct oid ids[N];
	unsigned seed = 20050423;

	(void)state;
	for (int i = 0; i < N; i++) {
		char name[16], parents[64] = "";
		size_t k = 0;

		snprintf(name, sizeof(name), "n%d", i);
		for (int p = 0; i && p < 1 + rand_r(&seed) % 3; p++)
			k += (size_t)snprintf(parents + k, sizeof(parents) - k, "n%d ", i - 1 - rand_r(&seed) % (i < 6 ? i : 6));
		ids[i] = commit(name, "mx", 1700000000 + i * 10 - (long)(rand_r(&seed) % 5 == 0 ? rand_r(&seed) % 300 : 0), i % 13 == 7 ? "" : parents);
	}
	for (int i = 0; i < ROUNDS; i++) {
		struct oids heads = { 0 }, others = { 0 }, got = { 0 }, want = { 0 };
		char args[1024] = "", hex[OID_HEX + 1];
		int n = 2 + rand_r(&seed) % 4;
		const char *p;

		for (int k = 0; k < n; k++) {
			const struct oid *o = &ids[rand_r(&seed) % N];

			oids_add(&heads, o);
			if (k)
				oids_add(&others, o);
			strcat(strcat(args, " "), oid_hex(o, hex));
		}
		for (p = box_out("git -C r merge-base --all %s", args); *p; p += strcspn(p, "\n"), p += *p == '\n') {
			struct oid o = parse(p);

			oids_add(&want, &o);
		}
		oids_sort(&want);
		assert_int_equal(history_bases(&repo, &heads.v[0], &others, &got, &err), 0);
		assert_int_equal(got.n, want.n);
		for (size_t k = 0; k < got.n; k++)
			assert_true(oid_eq(&got.v[k], &want.v[k]));
		assert_int_equal(history_is_ancestor(&repo, &heads.v[0], &heads.v[1], &err),
				 box_sh("git -C r merge-base --is-ancestor $(echo %s | cut -d' ' -f1,2)", args) == 0);
		got.n = want.n = 0;
		for (p = box_out("git -C r merge-base --independent %s", args); *p; p += strcspn(p, "\n"), p += *p == '\n') {
			struct oid o = parse(p);

			oids_add(&want, &o);
		}
		oids_sort(&want);
		assert_int_equal(history_frontier(&repo, &heads, &got, &err), 0);
		assert_int_equal(got.n, want.n);
		for (size_t k = 0; k < got.n; k++)
			assert_true(oid_eq(&got.v[k], &want.v[k]));
		oids_release(&heads);
		oids_release(&others);
		oids_release(&got);
		oids_release(&want);
	}
}

/* Two branches of 400 commits each, made by fast-import: too far for a short walk. */
static void long_histories_are_asked_of_git(void **state)
{
	struct oid a, b, root;
	struct oids others = { 0 }, out = { 0 };
	size_t ahead, behind;
	struct walk *w;

	(void)state;
	must("cd r; { echo 'commit refs/heads/root'; echo 'committer A <a> 1600000000 +0000'; printf 'data 1\\nx\\n';"
	     "for b in a b; do echo reset refs/heads/$b; echo from refs/heads/root; echo;"
	     "for i in $(seq 400); do echo commit refs/heads/$b; echo \"committer A <a> $((1600000000+i)) +0000\"; printf 'data 1\\nx\\n'; echo M 644 inline $b; printf 'data 1\\nx\\n';"
	     " done; done; } | git fast-import --quiet");
	a = parse(box_out("git -C r rev-parse a"));
	b = parse(box_out("git -C r rev-parse b"));
	root = parse(box_out("git -C r rev-parse root"));
	oids_add(&others, &b);
	assert_int_equal(walk_begin(&w, &repo, &err), 0);
	assert_int_equal(walk_bases(w, &a, &others, &out, &err), ERR_AGAIN);
	walk_end(w);
	assert_int_equal(history_bases(&repo, &a, &others, &out, &err), 0);
	assert_ids(&out, LIST(&root));
	assert_int_equal(history_is_ancestor(&repo, &root, &a, &err), 1);
	assert_int_equal(history_is_ancestor(&repo, &a, &b, &err), 0);
	frontier_is(LIST(&a, &b, &root), LIST(&a, &b));
	assert_int_equal(history_ahead_behind(&repo, &a, &b, &ahead, &behind, &err), 0);
	assert_int_equal(ahead, 400);
	assert_int_equal(behind, 400);
	oids_release(&others);
	oids_release(&out);
}

static void views_are_not_counted_as_ahead(void **state)
{
	struct oid root = commit("root", "mx1", 1700000000, ""), a = commit("a", "mx1", 1700000001, "root"), b = commit("b", "mx2", 1700000002, "root");
	struct oid ab = VIEW(&a, &b);
	size_t ahead, behind;

	(void)state;
	(void)root;
	assert_int_equal(history_ahead_behind(&repo, &ab, &b, &ahead, &behind, &err), 0);
	assert_int_equal(ahead, 1);
	assert_int_equal(behind, 0);
	assert_int_equal(history_ahead_behind(&repo, &a, &b, &ahead, &behind, &err), 0);
	assert_int_equal(ahead, 1);
	assert_int_equal(behind, 1);
	assert_int_equal(history_ahead_behind(&repo, &a, &a, &ahead, &behind, &err), 0);
	assert_int_equal(ahead + behind, 0);
}

static void behind_the_shallow_boundary_there_is_nothing(void **state)
{
	struct oid root = commit("root", "mx1", 1700000000, ""), x = commit("x", "mx1", 1700000001, "root"), a = commit("a", "mx1", 1700000002, "x"),
		   b = commit("b", "mx2", 1700000003, "x"), v = VIEW(&a, &b), c, out_v;
	struct oids others = { 0 }, out = { 0 };
	char hex[OID_HEX + 1];
	struct walk *w;

	(void)state;
	must("cd r; git update-ref -d refs/c/root; echo %s > .git/shallow; rm -f .git/objects/%s", oid_hex(&x, hex),
	     box_out("h=%s; echo ${h%%%%??????????????????????????????????????}/${h#??}", oid_hex(&root, hex)));
	oid_hex(&x, hex);
	must("git -C r rev-list refs/c/a > /dev/null");
	oids_add(&others, &b);
	assert_int_equal(history_bases(&repo, &a, &others, &out, &err), 0);
	assert_ids(&out, LIST(&x));
	assert_int_equal(history_is_ancestor(&repo, &x, &a, &err), 1);
	assert_int_equal(history_is_ancestor(&repo, &a, &x, &err), 0);
	frontier_is(LIST(&v, &x), LIST(&a, &b));
	/* history cut at the view itself: it counts as a change */
	name_ref("v", &v);
	c = commit("c", "mx1", 1700000004, "v");
	must("git -C r rev-parse refs/c/v > r/.git/shallow");
	assert_int_equal(history_is_view(&repo, &v, &err), 0);
	frontier_is(LIST(&v), LIST(&v));
	frontier_is(LIST(&v, &c), LIST(&c));
	out_v = VIEW(&c, &x);
	assert_int_equal(history_is_view(&repo, &out_v, &err), 1);
	must("echo garbage > r/.git/shallow");
	assert_int_equal(walk_begin(&w, &repo, &err), ERR_FAIL);
	oids_release(&others);
	oids_release(&out);
}

static void a_view_of_missing_parents_is_a_change(void **state)
{
	struct oid a = commit("a", "mx1", 1700000000, ""), b = commit("b", "mx2", 1700000001, ""), v = VIEW(&a, &b);
	char hex[OID_HEX + 1];

	(void)state;
	oid_hex(&a, hex);
	must("rm -f r/.git/objects/%.2s/%s", hex, hex + 2);
	repo_close(&repo);
	assert_int_equal(repo_open(&repo, box_path("r"), &err), 0);
	assert_int_equal(history_is_view(&repo, &v, &err), 0);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_commit_reads_as_git_shows_it),
		T(a_commit_written_is_the_one_git_writes),
		T(a_view_says_nothing_of_who_makes_it),
		T(what_is_not_derived_to_the_byte_is_a_change),
		T(a_merge_made_by_hand_is_a_change),
		T(members_that_know_the_same_have_the_same_frontier),
		T(views_of_views_from_a_hostile_peer_end),
		T(broken_and_missing_commits_are_named),
		T(random_history_is_seen_as_git_sees_it),
		T(long_histories_are_asked_of_git),
		T(views_are_not_counted_as_ahead),
		T(behind_the_shallow_boundary_there_is_nothing),
		T(a_view_of_missing_parents_is_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
