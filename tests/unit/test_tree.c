/*
 * test_tree.c -- trees that git made, and trees that no git would make, read into stores.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/objects.h"
#include "repo/rawtree.h"
#include "repo/tree.h"

static struct repo r;
static struct err err;
static struct store s[3];
static struct tree_set *set;

static int setup(void **state)
{
	if (box_setup(state) || box_sh("git init -q . && git config gc.auto 0 && echo .gitconfig >>.git/info/exclude") || repo_open(&r, box, &err))
		return -1;
	memset(s, 0, sizeof(s));
	set = NULL;
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < 3; i++)
		store_release(&s[i]);
	tree_release(set);
	set = NULL;
}

static int teardown(void **state)
{
	forget();
	repo_close(&r);
	return box_teardown(state);
}

static void ok(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, err.msg);
}

static struct oid commit(const char *script)
{
	struct oid c, tree, said;

	must("%s\ngit add -A && git commit -q --allow-empty -m x", script);
	assert_true(oid_parse(&c, box_out("git rev-parse HEAD")));
	assert_true(oid_parse(&said, box_out("git rev-parse HEAD^{tree}")));
	ok(tree_of(&r, &c, &tree, &err));
	assert_true(oid_eq(&tree, &said));
	return tree;
}

/* The paths in a store, one a line, each with a '*' if its id is not that of the tree that git has at HEAD. */
static const char *paths(const struct store *st)
{
	static struct bytes out;
	static const char *const sub[] = { "new", "cur" };

	bytes_clear(&out);
	bytes_addstr(&out, "");
	for (size_t i = 0; i < st->nfolders; i++)
		for (int k = 0; k < 2; k++)
			for (size_t j = 0; j < st->folders[i].sub[k].n; j++) {
				const struct msg *m = &st->folders[i].sub[k].v[j];

				assert_int_equal(m->sub, k);
				assert_int_equal(m->len, strlen(m->name));
				if (j)
					assert_true(strcmp(m[-1].name, m->name) < 0);
				bytes_addf(&out, "%s|%s|%s\n", st->folders[i].path, sub[k], m->name);
			}
	for (size_t i = 0; i < st->nfiles; i++)
		bytes_addf(&out, "%s\n", st->files[i].path);
	return out.buf;
}

static void load(size_t n, const struct oid *a, const struct oid *b, const struct oid *c)
{
	const struct oid *ids[3] = { a, b, c };

	forget();
	ok(tree_load(s, ids, n, &r, &set, NULL, &err));
}

#define MAILDIR                                                                                                                     \
	"mkdir -p cur new tmp .Work/cur .Work/new .Work.Old/cur fs/Sub/cur fs/Sub/new; for d in . .Work .Work.Old fs/Sub; do "      \
	"echo m$d >$d/.gitmaildir; done; echo 1 >cur/1.M1.vm:2,; echo 2 >cur/2.M1.vm:2,S; echo 3 >new/3.M1.vm; echo 4 >.Work/cur/4:2,; " \
	"echo 5 >.Work.Old/cur/5; echo 6 >fs/Sub/cur/6; echo 7 >fs/Sub/new/7; echo s >subscriptions; echo p >fs/plain"

static void one_tree_is_read_whole(void **state)
{
	struct oid a = commit(MAILDIR), blob;
	const struct folder *f;
	const struct file *file;

	(void)state;
	load(1, &a, NULL, NULL);
	assert_string_equal(paths(&s[0]), "|new|3.M1.vm\n|cur|1.M1.vm:2,\n|cur|2.M1.vm:2,S\n.Work|cur|4:2,\n.Work.Old|cur|5\n"
					  "fs/Sub|new|7\nfs/Sub|cur|6\n.Work.Old/.gitmaildir\n.Work/.gitmaildir\n.gitmaildir\nfs/Sub/.gitmaildir\n"
					  "fs/plain\nsubscriptions\n");
	f = store_find_folder(&s[0], "fs/Sub");
	assert_non_null(f);
	assert_true(oid_parse(&blob, box_out("git rev-parse HEAD:fs/Sub/new/7")));
	assert_true(oid_eq(&f->sub[NAME_NEW].v[0].oid, &blob));
	assert_int_equal(store_find_folder(&s[0], "")->sub[NAME_CUR].v[0].keylen, 7);
	file = store_find_file(&s[0], "subscriptions");
	assert_int_equal(file->class, PATH_SUBSCRIPTIONS);
	assert_int_equal(file->mode, 0100644);
	load(1, NULL, NULL, NULL);
	assert_string_equal(paths(&s[0]), "");
}

static void equal_directories_are_left_out_but_not_the_markers_of_the_others(void **state)
{
	struct oid a = commit(MAILDIR), b = commit("mv .Work/cur/4:2, .Work/cur/4:2,S"), c = commit("echo 8 >fs/Sub/new/8; git rm -qr .Work.Old");

	(void)state;
	load(2, &a, &a, NULL);
	assert_string_equal(paths(&s[0]), "");
	assert_string_equal(paths(&s[1]), "");
	load(2, &a, &b, NULL);
	assert_string_equal(paths(&s[0]), ".Work|cur|4:2,\n.Work/.gitmaildir\n.gitmaildir\nsubscriptions\n");
	assert_string_equal(paths(&s[1]), ".Work|cur|4:2,S\n.Work/.gitmaildir\n.gitmaildir\nsubscriptions\n");
	load(3, &a, &b, &c);
	assert_string_equal(paths(&s[0]), ".Work|cur|4:2,\n.Work.Old|cur|5\nfs/Sub|new|7\n.Work.Old/.gitmaildir\n.Work/.gitmaildir\n.gitmaildir\n"
					  "fs/Sub/.gitmaildir\nfs/plain\nsubscriptions\n");
	assert_string_equal(paths(&s[1]), ".Work|cur|4:2,S\n.Work.Old|cur|5\nfs/Sub|new|7\n.Work.Old/.gitmaildir\n.Work/.gitmaildir\n.gitmaildir\n"
					  "fs/Sub/.gitmaildir\nfs/plain\nsubscriptions\n");
	assert_string_equal(paths(&s[2]), ".Work|cur|4:2,S\nfs/Sub|new|7\nfs/Sub|new|8\n.Work/.gitmaildir\n.gitmaildir\n"
					  "fs/Sub/.gitmaildir\nfs/plain\nsubscriptions\n");
	load(2, NULL, &c, NULL);
	assert_string_equal(paths(&s[0]), "");
	assert_int_equal(store_msg_count(&s[1]), 7);
}

static void where_letters_for_keywords_differ_equal_names_are_not_left_out(void **state)
{
	struct oid a = commit(MAILDIR "; echo '0 red' >.Work/dovecot-keywords"), b = commit("echo '1 blue' >>.Work/dovecot-keywords");

	(void)state;
	load(2, &a, &b, NULL);
	assert_string_equal(paths(&s[0]), ".Work|cur|4:2,\n.Work/.gitmaildir\n.Work/dovecot-keywords\n.gitmaildir\nsubscriptions\n");
	assert_string_equal(paths(&s[1]), ".Work|cur|4:2,\n.Work/.gitmaildir\n.Work/dovecot-keywords\n.gitmaildir\nsubscriptions\n");
}

static void what_is_no_mail_and_no_file_of_ours_is_left_out(void **state)
{
	struct oid a = commit("mkdir -p cur/sub new tmp/x .T/cur; echo 1 >cur/sub/1; echo 2 >tmp/2; echo 3 >cur/.hidden; echo 4 >cur/dovecot-uidlist; "
			      "echo 5 >dovecot-uidlist.lock; echo 6 >dovecot.index.cache; echo 7 >.T/dovecot-uidvalidity.00000001; echo 8 >.T/cur/8; echo 9 >tmp/x/.git-not");

	(void)state;
	load(1, &a, NULL, NULL);
	assert_string_equal(paths(&s[0]), ".T|cur|8\n");
}

/* Makes a tree by hand from "mode name" lines; every blob is the same one, every directory the tree of the last call. */
static struct oid forge(const char *const *lines)
{
	static struct oid dir;
	struct objects_batch *b = objects_begin(&r);
	struct bytes tree = { 0 };
	struct oid blob, oid;

	ok(objects_add(b, OBJECTS_BLOB, "x", 1, &blob, &err));
	for (; *lines; lines++) {
		unsigned mode = (unsigned)strtoul(*lines, NULL, 8);
		const char *name = strchr(*lines, ' ') + 1;

		rawtree_add(&tree, mode, name, strlen(name), mode == 040000 ? &dir : &blob);
	}
	ok(objects_add(b, OBJECTS_TREE, tree.buf, tree.len, &oid, &err));
	ok(objects_flush(b, &err));
	objects_end(b);
	bytes_release(&tree);
	dir = oid;
	return oid;
}

#define FORGE(...) forge((const char *const[]){ __VA_ARGS__, NULL })

static void assert_unsafe(const struct oid *bad, const char *why)
{
	struct oid good = FORGE("100644 fine");
	const struct oid *ids[3] = { &good, NULL, bad };
	size_t which = 9;

	forget();
	assert_int_equal(tree_load(s, ids, 3, &r, &set, &which, &err), ERR_UNSAFE);
	assert_int_equal(which, 2);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
	for (const char *p = err.msg; *p; p++)
		assert_true((unsigned char)*p >= 0x20);
}

static void what_must_never_reach_a_disk_is_refused(void **state)
{
	static const struct {
		const char *line, *why;
	} bad[] = {
		{ "100644 ..", "'..', which contains" },
		{ "100644 .", "'.', which contains" },
		{ "40000 ..", "'..', which contains" },
		{ "100644 .git", "which contains '.git'" },
		{ "40000 .GiT", "which contains '.git'" },
		{ "40000 git~1", "git~1" },
		{ "100644 a/b", "'a/b'" },
		{ "100644 /etc", "'/etc'" },
		{ "100644 ../../x", "'../../x'" },
		{ "100644 a\033[31mb", "'a?[31mb', which contains control bytes" },
		{ "120000 link", "'link', which is a symbolic link" },
		{ "160000 module", "'module', which is a submodule" },
		{ "100644 cur", "'cur', which is a file where" },
		{ "100644 new", "'new', which is a file where" },
		{ "100644 tmp", "'tmp', which is a file where" },
		{ "10000 fifo", "'fifo', which is neither" },
		{ "0 zero", "'zero', which is neither" },
	};
	char longest[400];
	struct oid t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		FORGE("100644 1");
		t = FORGE(bad[i].line);
		assert_unsafe(&t, bad[i].why);
		/* Deeper, and where the messages are. */
		FORGE(bad[i].line);
		t = FORGE("40000 .Folder");
		assert_unsafe(&t, "'.Folder/");
		if (!strncmp(bad[i].line, "100644 ", 7) && strlen(bad[i].line) == 10)
			continue;
		FORGE(bad[i].line);
		t = FORGE("40000 cur");
		assert_unsafe(&t, "'cur/");
	}
	snprintf(longest, sizeof(longest), "100644 %0256d", 1);
	t = FORGE(longest);
	assert_unsafe(&t, "more than 255 bytes");
	FORGE("100644 x");
	for (int i = 0; i < 2000; i++)
		t = FORGE("40000 a");
	assert_unsafe(&t, "more than 3,500 bytes");
}

static void a_tree_out_of_order_or_with_a_name_twice_is_refused(void **state)
{
	struct oid t;

	(void)state;
	t = FORGE("100644 b", "100644 a");
	assert_unsafe(&t, "'a', which is not in order");
	t = FORGE("100644 a", "100644 a");
	assert_unsafe(&t, "'a', which is not in order");
	FORGE("100644 x");
	t = FORGE("100644 a", "100644 a!", "40000 a");
	assert_unsafe(&t, "'a', which is a file and a directory");
	FORGE("100644 2", "100644 1");
	t = FORGE("40000 new");
	assert_unsafe(&t, "'new/1', which is not in order");
}

static void a_tree_that_names_billions_of_files_is_refused(void **state)
{
	const char *const wide[] = { "40000 a", "40000 b", "40000 c", "40000 d", "40000 e", "40000 f", "40000 g", "40000 h", "40000 i", "40000 j", NULL };
	struct oid t = FORGE("100644 x", "100644 y");

	(void)state;
	for (int i = 0; i < 12; i++)
		t = forge(wide);
	assert_unsafe(&t, "too many entries");
}

static void broken_trees_and_missing_objects_are_told(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = { { "100644 x", 8 }, { "100644 x\0too short", 18 }, { " x\0aaaaaaaaaaaaaaaaaaaa", 23 }, { "100644", 6 }, { "9 x\0aaaaaaaaaaaaaaaaaaaa", 24 },
		    { "100644 \0aaaaaaaaaaaaaaaaaaaa", 28 }, { "10064400 x\0aaaaaaaaaaaaaaaaaaaa", 31 } };
	struct objects_batch *b = objects_begin(&r);
	const struct oid *ids[1];
	struct oid oid;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ok(objects_add(b, OBJECTS_TREE, bad[i].bytes, bad[i].len, &oid, &err));
		ok(objects_flush(b, &err));
		assert_unsafe(&oid, "is no tree");
	}
	objects_end(b);
	memset(oid.h, 7, sizeof(oid.h));
	forget();
	ids[0] = &oid;
	assert_int_equal(tree_load(s, ids, 1, &r, &set, NULL, &err), ERR_NOTFOUND);
	assert_int_equal(tree_of(&r, &oid, &oid, &err), ERR_NOTFOUND);
	/* A blob is no tree, a tree no commit. */
	oid = FORGE("100644 x");
	assert_int_equal(tree_of(&r, &oid, &oid, &err), ERR_FAIL);
	objects_hash(OBJECTS_BLOB, "x", 1, &oid);
	forget();
	assert_int_equal(tree_load(s, ids, 1, &r, &set, NULL, &err), ERR_FAIL);
	tree_release(NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(one_tree_is_read_whole),
		T(equal_directories_are_left_out_but_not_the_markers_of_the_others),
		T(where_letters_for_keywords_differ_equal_names_are_not_left_out),
		T(what_is_no_mail_and_no_file_of_ours_is_left_out),
		T(what_must_never_reach_a_disk_is_refused),
		T(a_tree_out_of_order_or_with_a_name_twice_is_refused),
		T(a_tree_that_names_billions_of_files_is_refused),
		T(broken_trees_and_missing_objects_are_told),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
