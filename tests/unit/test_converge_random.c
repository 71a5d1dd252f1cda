/*
 * test_converge_random.c -- random cases as commits: members that know the same changes make the same view of
 * them, to the id.
 *
 * Two repositories get the same commits in different order, and have different things recorded as their own.
 * CONVERGE_CASES and CONVERGE_SEED in the environment say how many cases, and which is the first.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "casegen.h"
#include "casemerge.h"

#include "repo/converge.h"
#include "repo/history.h"
#include "repo/index.h"

#define TREES 5
#define CHANGES 6

/* What the changes of a case look like: two that came from one, three, two with two bases, two strangers. */
enum shape { PAIR, TRIPLE, CRISS_CROSS, STRANGERS, SHAPES };

struct change {
	unsigned tree;
	size_t parent[2], nparents; /* earlier changes of the job */
	const char *who;
	struct oid id;
};

struct job {
	uint64_t seed;
	enum shape shape;
	struct oid tree[TREES];
	struct change v[CHANGES];
	size_t n;
	struct oids frontier;
};

static struct repo member[2];
static struct err err;

static void ok(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, err.msg);
}

static int setup(void **state)
{
	if (box_setup(state) || box_sh("git init -q --bare one && git init -q --bare two"))
		return -1;
	return repo_open(&member[0], box_path("one"), &err) || repo_open(&member[1], box_path("two"), &err) ? -1
													    : 0;
}

static int teardown(void **state)
{
	repo_close(&member[0]);
	repo_close(&member[1]);
	return box_teardown(state);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoul(value, NULL, 10) : otherwise;
}

/* The case of a job, or another one whose sides are changes in it, too. Files are merged by git here, and in
 * memory by the tests' own rule: none that both changed. */
static void job_case(const struct job *j, unsigned which, struct tcase *c)
{
	gen_case(c, j->seed + 1000003u * which);
	for (unsigned f = 1; f < CASE_FILES; f++)
		if (c->file[f][OURS].text != c->file[f][THEIRS].text &&
		    c->file[f][OURS].text != c->file[f][BASE].text)
			c->file[f][OURS].text = c->file[f][BASE].text;
	if (j->shape == STRANGERS) {
		for (size_t i = 0; i < c->n; i++)
			c->m[i].at[BASE].here = false;
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			c->mark[f][BASE].here = false;
		memset(c->file, 0, sizeof(c->file));
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			memset(&c->imap[f][BASE], 0, sizeof(c->imap[f][BASE]));
	}
	/* No commit has a tree of another case's making without the markers that ours always have. */
	c->foreign = false;
	case_settle(c);
}

struct edits {
	struct index_edit *v;
	size_t n, cap;
	struct arena arena;
};

static void add_edit(struct edits *e, const char *path, const struct oid *oid, unsigned mode)
{
	MEM_GROW(e->v, e->n, e->cap);
	memset(&e->v[e->n], 0, sizeof(*e->v));
	e->v[e->n].path = path;
	e->v[e->n].len = (uint32_t)strlen(path);
	e->v[e->n].remove = !oid;
	if (oid)
		e->v[e->n].oid = *oid;
	e->v[e->n++].mode = mode;
}

static bool has_path(const struct store *s, const char *path, int sub, const struct msg *m)
{
	const struct folder *f = store_find_folder(s, path);

	for (size_t i = 0; f && i < f->sub[sub].n; i++)
		if (strcmp(f->sub[sub].v[i].name, m->name) == 0)
			return true;
	return false;
}

/* Edits that put all of a store where it belongs (unless is NULL), or remove what another store has not. */
static void add_edits(struct edits *e, const struct store *s, const struct store *unless)
{
	for (size_t i = 0; i < s->nfolders; i++)
		for (int sub = 0; sub < 2; sub++)
			for (size_t j = 0; j < s->folders[i].sub[sub].n; j++) {
				const struct msg *m = &s->folders[i].sub[sub].v[j];
				const char *path = s->folders[i].path;

				if (!unless || !has_path(unless, path, sub, m))
					add_edit(e,
						 arena_printf(&e->arena, "%s%s%s/%s", path, *path ? "/" : "",
							      sub ? "cur" : "new", m->name),
						 unless ? NULL : &m->oid, 0100644);
			}
	for (size_t i = 0; i < s->nfiles; i++)
		if (!unless || !store_find_file(unless, s->files[i].path))
			add_edit(e, s->files[i].path, unless ? NULL : &s->files[i].oid, s->files[i].mode);
}

/* The tree that these edits make of another one (or of nothing). */
static struct oid write_edits(struct repo *r, struct objects_batch *b, const struct oid *from, struct edits *e)
{
	struct index ix = { 0 };
	struct oid root;

	ok(index_load(&ix, r, from, &err));
	index_edit(&ix, e->v, e->n);
	ok(index_write_tree(&ix, b, &root, &err));
	index_release(&ix);
	free(e->v);
	arena_release(&e->arena);
	return root;
}

static struct oid write_store(struct repo *r, struct objects_batch *b, const struct store *s)
{
	struct edits e = { 0 };

	add_edits(&e, s, NULL);
	return write_edits(r, b, NULL, &e);
}

/* One side of a case, with all that is in it, as a tree. */
static struct oid write_side(struct repo *r, struct objects_batch *b, const struct tcase *c, int side)
{
	struct blobs blobs = { 0 };
	struct store s;
	struct oid oid, root;
	char text[80];

	case_store(c, side, &blobs, &s);
	for (size_t i = blobs.n; i-- > 0;)
		ok(objects_add(b, OBJECTS_BLOB, blobs.v[i].b.buf, blobs.v[i].b.len, &oid, &err));
	for (size_t i = 0; i < c->n; i++)
		if (c->m[i].at[side].here)
			ok(objects_add(b, OBJECTS_BLOB, text,
				       (size_t)content_text(text, sizeof(text), c->m[i].at[side].content), &oid,
				       &err));
	root = write_store(r, b, &s);
	store_release(&s);
	blobs_release(&blobs);
	return root;
}

static void add_change(struct job *j, unsigned tree, const char *who, size_t nparents, size_t first,
		       size_t second)
{
	struct change *c = &j->v[j->n++];

	*c = (struct change){ .tree = tree, .nparents = nparents, .parent = { first, second }, .who = who };
}

static void shape_job(struct job *j, uint64_t seed, enum shape shape)
{
	memset(j, 0, sizeof(*j));
	j->seed = seed;
	j->shape = shape;
	if (shape == STRANGERS) {
		add_change(j, OURS, "mx1", 0, 0, 0);
		add_change(j, THEIRS, "mx2", 0, 0, 0);
		return;
	}
	add_change(j, BASE, "mx1", 0, 0, 0);
	add_change(j, OURS, "mx1", 1, 0, 0);
	add_change(j, THEIRS, "mx2", 1, 0, 0);
	if (shape == TRIPLE)
		add_change(j, 3, "mx3", 1, 0, 0);
	if (shape == CRISS_CROSS) {
		add_change(j, 3, "mx1", 2, 1, 2);
		add_change(j, 4, "mx2", 2, 2, 1);
	}
}

static void write_change(struct objects_batch *b, const struct job *j, size_t i, struct oid *out)
{
	const struct change *c = &j->v[i];
	struct history_commit h = { .tree = j->tree[c->tree],
				    .author_time = 1700000000 + (int64_t)i,
				    .committer_time = 1700000000 + (int64_t)i };
	char who[40], message[60];

	snprintf(who, sizeof(who), "%s <%s@example.org>", c->who, c->who);
	snprintf(message, sizeof(message), "Case %llu, change %zu\n", (unsigned long long)j->seed, i);
	h.author = h.committer = who;
	h.message = message;
	for (size_t k = 0; k < c->nparents; k++)
		oids_add(&h.parents, &j->v[c->parent[k]].id);
	ok(history_write(b, &h, out, &err));
	oids_release(&h.parents);
}

static unsigned job_trees(const struct job *j)
{
	return j->shape == CRISS_CROSS ? 5 : j->shape == TRIPLE ? 4 : 3;
}

/* What the trees of a job are: the sides of its case, and those of another. */
static struct oid write_tree(struct repo *r, struct objects_batch *b, const struct job *j, unsigned tree)
{
	static struct tcase c;

	job_case(j, tree >= 3, &c);
	return write_side(r, b, &c, tree < 3 ? (int)tree : (int)tree - 2);
}

static void feed_first(struct job *j, struct objects_batch *b)
{
	for (unsigned t = 0; t < job_trees(j); t++)
		j->tree[t] = write_tree(&member[0], b, j, t);
	for (size_t i = 0; i < j->n; i++)
		write_change(b, j, i, &j->v[i].id);
	for (size_t i = 0; i < j->n; i++) {
		bool top = true;

		for (size_t k = 0; k < j->n; k++)
			for (size_t p = 0; p < j->v[k].nparents; p++)
				top &= j->v[k].parent[p] != i;
		if (top)
			oids_add(&j->frontier, &j->v[i].id);
	}
	oids_sort(&j->frontier);
}

/* The other way round, in small parts. */
static void feed_second(struct job *j, struct objects_batch *b)
{
	struct oid got;

	for (size_t i = j->n; i-- > 0;) {
		write_change(b, j, i, &got);
		assert_true(oid_eq(&got, &j->v[i].id));
	}
	for (unsigned t = job_trees(j); t-- > 0;) {
		got = write_tree(&member[1], b, j, t);
		assert_true(oid_eq(&got, &j->tree[t]));
	}
}

/* The view that a member makes of the frontier when this is what it has recorded (NULL: nothing). */
static struct oid view(struct repo *r, const struct job *j, const struct oid *head, bool keep_flagged,
		       struct oid *root, struct bytes *dump, size_t *fresh)
{
	const struct merge_opts opts = { keep_flagged };
	struct objects_batch *b = objects_begin(r);
	struct converge c = { 0 };
	struct edits e = { 0 };
	struct oid id;

	ok(converge_frontier(&c, r, &j->frontier, head, b, &opts, NULL, &err));
	add_edits(&e, c.head, c.target);
	add_edits(&e, c.target, NULL);
	store_dump(c.target, dump);
	*fresh = c.fresh;
	*root = write_edits(r, b, head, &e);
	converge_release(&c);
	ok(history_view(r, b, &j->frontier, root, false, &id, &err));
	ok(objects_flush(b, &err));
	objects_end(b);
	return id;
}

static void show_and_fail(const struct job *j, const char *what, const struct bytes *one,
			  const struct bytes *two)
{
	static struct tcase c;
	struct bytes out = { 0 };

	for (unsigned which = 0; which < 1u + (job_trees(j) > 3); which++) {
		job_case(j, which, &c);
		case_show(&c, &out);
	}
	bytes_addf(&out, "one:\n%sother:\n%s", one->len ? one->buf : "", two->len ? two->buf : "");
	for (char *line = strtok(out.buf, "\n"); line; line = strtok(NULL, "\n"))
		print_error("%s\n", line);
	bytes_release(&out);
	fail_msg("seed %llu, shape %d: %s", (unsigned long long)j->seed, (int)j->shape, what);
}

/* The same by the merge alone, of the whole stores. */
static void check_in_memory(const struct job *j, struct objects_batch *b, const struct tcase *c,
			    const struct oid *root, const struct bytes *dump, size_t fresh)
{
	struct sides s = { .c = c };
	struct bytes why = { 0 }, want = { 0 }, apart = { 0 };
	struct oid all;

	for (int i = 0; i < THREE; i++)
		case_store(c, i, &s.blobs, &s.side[i]);
	merge(&s, &s.side[BASE], &s.side[OURS], &s.side[THEIRS], &s.result, &want, &why);
	assert_int_equal(why.len, 0);
	all = write_store(&member[0], b, &s.result);
	if (s.told != fresh && oid_eq(&all, root))
		show_and_fail(j, "the merge in memory gives out more or fewer UIDs", dump, &want);
	if (!oid_eq(&all, root) && !merge_apart(&s, &apart, &why))
		show_and_fail(j, "the tree is not that of the merge in memory", dump, &want);
	bytes_release(&want);
	bytes_release(&apart);
	store_release(&s.result);
	for (int i = 0; i < THREE; i++)
		store_release(&s.side[i]);
	blobs_release(&s.blobs);
}

/* Every member's view is the same, whatever it has recorded itself. Returns its id. */
static struct oid check_job(const struct job *j)
{
	static struct tcase c;
	const struct oid *heads[] = { &j->tree[OURS], &j->tree[THEIRS], NULL, &j->tree[BASE] };
	struct bytes dump = { 0 }, first = { 0 };
	struct oid id, again, root, root2;
	size_t fresh, fresh2;

	job_case(j, 0, &c);
	id = view(&member[0], j, heads[0], c.keep_flagged, &root, &first, &fresh);
	for (size_t i = 1; i < 4; i++) {
		again = view(&member[i % 2], j, j->shape == STRANGERS && i == 3 ? NULL : heads[i],
			     c.keep_flagged, &root2, &dump, &fresh2);
		if (!oid_eq(&again, &id))
			show_and_fail(j,
				      i % 2 ? "two members make different views"
					    : "a member makes another view when it has nothing",
				      &first, &dump);
		if (fresh2 != fresh)
			show_and_fail(j, "two members give out different numbers of UIDs", &first, &dump);
	}
	if (j->shape == PAIR || j->shape == STRANGERS) {
		struct objects_batch *b = objects_begin(&member[0]);

		check_in_memory(j, b, &c, &root, &first, fresh);
		objects_end(b);
	}
	bytes_release(&dump);
	bytes_release(&first);
	return id;
}

static void members_that_know_the_same_changes_make_the_same_view(void **state)
{
	size_t n = setting("CONVERGE_CASES", 300), seed = setting("CONVERGE_SEED", 1);
	struct job *jobs = mem_zalloc(n * sizeof(*jobs));
	struct objects_batch *b = objects_begin(&member[0]);
	char hex[OID_HEX + 1];
	FILE *refs;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		shape_job(&jobs[i], seed + i, i % 8 < 5 ? PAIR : (enum shape)(i % 8 - 4));
		feed_first(&jobs[i], b);
	}
	ok(objects_flush(b, &err));
	objects_end(b);
	b = objects_begin(&member[1]);
	for (size_t i = n; i-- > 0;) {
		feed_second(&jobs[i], b);
		if (i % 16 == 0)
			ok(objects_flush(b, &err));
	}
	objects_end(b);
	refs = fopen(box_path("refs"), "w");
	assert_non_null(refs);
	for (size_t i = 0; i < n; i++) {
		struct oid id = check_job(&jobs[i]);

		fprintf(refs, "create refs/heads/%s%zu %s\n", i ? "v" : "main", i, oid_hex(&id, hex));
		if (!i)
			fprintf(refs, "create refs/heads/main %s\n", hex);
		oids_release(&jobs[i].frontier);
	}
	assert_int_equal(fclose(refs), 0);
	free(jobs);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "two" : "one";

		must("git -C %s update-ref --stdin <refs", name);
		assert_string_equal(box_out("git -C %s fsck --strict --no-dangling --no-progress 2>&1", name),
				    "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(members_that_know_the_same_changes_make_the_same_view, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
