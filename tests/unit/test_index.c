/*
 * test_index.c -- the index and the trees that we make of it, judged by stock git.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include <sys/wait.h>

#include "repo/index.h"

static struct repo r;
static struct err err;
static struct index ix;

static int setup(void **state)
{
	if (box_setup(state) || box_sh("git init -q . && git config gc.auto 0 && echo .gitconfig >>.git/info/exclude") || repo_open(&r, box, &err))
		return -1;
	memset(&ix, 0, sizeof(ix));
	return 0;
}

static int teardown(void **state)
{
	index_release(&ix);
	repo_close(&r);
	return box_teardown(state);
}

static void ok(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, err.msg);
}

/* Files as a Maildir has them, with directories whose order in a tree is not that of their names. */
static void make_maildir(void)
{
	must("mkdir -p cur new tmp .Work/cur .Work/new .Work.Old/cur .Work/x && "
	     "for i in 1 2 3 4 5; do echo inbox $i >cur/1795432$i.M1.vm:2,; echo work $i >.Work/cur/18954$i.M2.vm:2,S; done && "
	     "echo new >new/1.N && echo old >.Work.Old/cur/1 && echo m >.gitmaildir && echo m >.Work/.gitmaildir && echo x >.Work/x/y && "
	     "echo z >.Work-file && chmod +x .Work-file && find . -path ./.git -prune -o -type f -print0 | xargs -0 touch -d 2020-01-01");
}

static void commit_all(void)
{
	must("git add -A && git commit -qm all");
}

static struct oid rev(const char *what)
{
	struct oid oid;

	assert_true(oid_parse(&oid, box_out("git rev-parse %s", what)));
	return oid;
}

static void load_head(void)
{
	struct oid tree = rev("HEAD^{tree}");

	index_release(&ix);
	ok(index_load(&ix, &r, &tree, &err));
}

static struct index_edit put(const char *path, const char *content, struct objects_batch *b)
{
	struct index_edit e = { .path = path, .len = (uint32_t)strlen(path), .mode = 0100644 };
	struct stat st;
	FILE *f;

	must("mkdir -p \"$(dirname '%s')\"", path);
	f = fopen(box_path(path), "w");
	assert_non_null(f);
	fputs(content, f);
	fclose(f);
	must("touch -d 2021-01-01 '%s'", path);
	assert_int_equal(lstat(box_path(path), &st), 0);
	index_stat_from(&e.st, &st);
	ok(objects_add(b, OBJECTS_BLOB, content, strlen(content), &e.oid, &err));
	return e;
}

static struct index_edit gone(const char *path)
{
	struct index_edit e = { .path = path, .len = (uint32_t)strlen(path), .remove = true };

	unlink(box_path(path));
	return e;
}

/* A rename on disk: two edits. */
static void move(struct index_edit e[2], const char *from, const char *to)
{
	ssize_t at = index_find(&ix, from, strlen(from));
	struct stat st;

	assert_true(at >= 0);
	assert_int_equal(rename(box_path(from), box_path(to)), 0);
	e[0] = gone(from);
	e[1] = (struct index_edit){ .path = to, .len = (uint32_t)strlen(to), .mode = ix.v[at].mode, .oid = ix.v[at].oid };
	assert_int_equal(lstat(box_path(to), &st), 0);
	index_stat_from(&e[1].st, &st);
}

/* Writes the trees and the index, commits, and asks git whether all of it is right. */
static void finish(struct objects_batch *b)
{
	char hex[OID_HEX + 1];
	struct oid root;

	ok(index_write_tree(&ix, b, &root, &err));
	ok(objects_flush(b, &err));
	ok(index_save(&ix, &r, &err));
	objects_end(b);
	oid_hex(&root, hex);
	must("git update-ref refs/heads/main $(git commit-tree -m x %s)", hex);
	assert_string_equal(box_out("git status --porcelain 2>&1"), "");
	assert_string_equal(box_out("git --no-optional-locks diff-files --raw"), "");
	must("git ls-files --stage | sort >a && git ls-tree -r HEAD | sed 's/ blob / /; s/ commit / /; s/\t/ 0\t/' | sort >b && cmp a b && rm a b");
	assert_string_equal(box_out("git fsck --strict --full 2>&1 | grep -v '^dangling\\|^notice'"), "");
	/* git takes the ids of the trees from the index, and finds the same without them. */
	assert_string_equal(box_out("git write-tree"), hex);
	assert_string_equal(box_out("cp .git/index x; GIT_INDEX_FILE=x git update-index --force-remove none; GIT_INDEX_FILE=x git read-tree --empty; "
				    "git ls-files --stage | GIT_INDEX_FILE=x git update-index --index-info; GIT_INDEX_FILE=x git write-tree; rm x"), hex);
}

static void assert_in_step(void)
{
	load_head();
	assert_true(ix.in_step);
}

static void the_first_record_of_an_empty_repository(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[3];
	struct oid root;
	char hex[OID_HEX + 1];

	(void)state;
	ok(index_load(&ix, &r, NULL, &err));
	assert_true(ix.in_step);
	assert_int_equal(ix.n, 0);
	ok(index_write_tree(&ix, b, &root, &err));
	assert_string_equal(oid_hex(&root, hex), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	e[0] = put("new/1.M1.vm", "one\n", b);
	e[1] = put(".gitmaildir", "marker\n", b);
	e[2] = put("cur/2.M2.vm:2,S", "two\n", b);
	index_edit(&ix, e, 3);
	finish(b);
	assert_in_step();
	assert_int_equal(ix.n, 3);
}

static void an_index_of_git_is_in_step_with_its_commit(void **state)
{
	(void)state;
	make_maildir();
	commit_all();
	for (int version = 2; version <= 4; version++) {
		must("git update-index --index-version %d", version);
		assert_in_step();
		assert_string_equal(ix.v[0].path, ".Work-file");
		assert_int_equal(ix.v[0].mode, 0100755);
		assert_string_equal(ix.v[1].path, ".Work.Old/cur/1");
		for (size_t i = 0; i < ix.n; i++)
			assert_int_equal(strlen(ix.v[i].path), ix.v[i].len);
		assert_int_equal(atoi(box_out("git ls-files | wc -l")), ix.n);
	}
}

static void stat_data_is_read_and_written_as_git_has_it(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[2];

	(void)state;
	make_maildir();
	commit_all();
	load_head();
	must("git ls-files --stage --debug .gitmaildir new .Work.Old .Work-file >.git/before");
	move(e, "cur/17954321.M1.vm:2,", "cur/17954321.M1.vm:2,S");
	index_edit(&ix, e, 2);
	move(e, ".Work/cur/189543.M2.vm:2,S", ".Work/new/189543.M2.vm");
	index_edit(&ix, e, 2);
	move(e, ".Work/new/189543.M2.vm", ".Work/cur/189543.M2.vm:2,S");
	index_edit(&ix, e, 2);
	finish(b);
	must("git ls-files --stage --debug .gitmaildir new .Work.Old .Work-file >.git/after && cmp .git/before .git/after");
	assert_in_step();
}

static void a_flag_change_writes_only_the_trees_above_it(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[2];

	(void)state;
	make_maildir();
	commit_all();
	must("git gc -q");
	load_head();
	move(e, ".Work/cur/189542.M2.vm:2,S", ".Work/cur/189542.M2.vm:2,FS");
	index_edit(&ix, e, 2);
	finish(b);
	/* cur, .Work, the root, and the commit. */
	assert_int_equal(atoi(box_out("git count-objects")), 4);
}

static void folders_come_and_go(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[12];
	size_t n = 0;

	(void)state;
	make_maildir();
	commit_all();
	load_head();
	for (size_t i = 0; i < ix.n; i++)
		if (!strncmp(ix.v[i].path, ".Work/", 6))
			e[n++] = gone(ix.v[i].path);
	must("find .Work -type d -empty -delete");
	e[n++] = put(".Work", "a file now\n", b);
	e[n++] = put(".Alpha/cur/1", "1\n", b);
	e[n++] = put("zeta/Sub/cur/1", "2\n", b);
	e[n++] = gone("never/was/there");
	index_edit(&ix, e, n);
	finish(b);
	assert_in_step();
	assert_int_equal(index_find(&ix, ".Work/x/y", 9), -1);
	assert_true(index_find(&ix, ".Work", 5) >= 0);
}

static void everything_can_be_deleted(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit *e;
	size_t n;

	(void)state;
	make_maildir();
	commit_all();
	load_head();
	n = ix.n;
	e = mem_alloc(n * sizeof(*e));
	for (size_t i = 0; i < n; i++)
		e[i] = gone(ix.v[i].path);
	index_edit(&ix, e, n);
	free(e);
	finish(b);
	assert_in_step();
	assert_int_equal(ix.n, 0);
}

static void nothing_changed_writes_nothing(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e;
	struct stat before, after;
	struct oid root, head;

	(void)state;
	make_maildir();
	commit_all();
	load_head();
	stat(box_path(".git/index"), &before);
	e = (struct index_edit){ .path = ix.v[3].path, .len = ix.v[3].len, .mode = ix.v[3].mode, .oid = ix.v[3].oid, .st = ix.v[3].st };
	index_edit(&ix, &e, 1);
	ok(index_write_tree(&ix, b, &root, &err));
	ok(index_save(&ix, &r, &err));
	stat(box_path(".git/index"), &after);
	assert_int_equal(before.st_ino, after.st_ino);
	head = rev("HEAD^{tree}");
	assert_true(oid_eq(&root, &head));
	/* Only the stat data: no tree is made, but the index is. */
	e = (struct index_edit){ .path = ix.v[3].path, .len = ix.v[3].len, .mode = ix.v[3].mode, .oid = ix.v[3].oid };
	e.st.ino = 7;
	index_edit(&ix, &e, 1);
	ok(index_write_tree(&ix, b, &root, &err));
	assert_true(oid_eq(&root, &head));
	ok(index_save(&ix, &r, &err));
	stat(box_path(".git/index"), &after);
	assert_int_not_equal(before.st_ino, after.st_ino);
	objects_end(b);
	assert_in_step();
	assert_int_equal(ix.v[3].st.ino, 7);
}

static void an_index_out_of_step_gives_the_tree_and_what_stat_data_still_holds(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	ssize_t kept, changed;

	(void)state;
	make_maildir();
	commit_all();
	must("echo changed >.gitmaildir && echo staged >staged && touch -d 2020-01-01 staged .gitmaildir && git add staged .gitmaildir");
	load_head();
	assert_false(ix.in_step);
	assert_int_equal(index_find(&ix, "staged", 6), -1);
	kept = index_find(&ix, "new/1.N", 7);
	changed = index_find(&ix, ".gitmaildir", 11);
	assert_true(kept >= 0 && changed >= 0);
	assert_int_not_equal(ix.v[kept].st.ino, 0);
	assert_int_equal(ix.v[changed].st.ino, 0);
	must("rm staged; git cat-file -p HEAD:.gitmaildir >.gitmaildir; touch -d 2020-01-01 .gitmaildir");
	finish(b);
	assert_in_step();
}

static void a_broken_or_strange_index_is_replaced(void **state)
{
	static const char *const harm[] = {
		"rm .git/index",
		": >.git/index",
		"truncate -s -1 .git/index",
		"printf x | dd of=.git/index bs=1 seek=100 conv=notrunc 2>/dev/null",
		"head -c 4000 /dev/urandom >.git/index",
		"printf 'DIRC\\0\\0\\0\\2\\377\\377\\377\\377' >.git/index; head -c 100 /dev/zero >>.git/index",
		"rm .git/index; mkdir .git/index; rmdir .git/index; ln -s /nowhere .git/index",
		"git update-index --split-index",
		"git update-index --skip-worktree .gitmaildir",
		"git update-index --assume-unchanged new/1.N",
		"echo i >ita; git add -N ita; rm ita",
		"git rm -q --cached new/1.N",
		"h=$(git hash-object -w .gitmaildir); printf '100644 %s 1\\tclash\\n100644 %s 2\\tclash\\n' $h $h | git update-index --index-info",
		"git read-tree --empty",
	};

	(void)state;
	make_maildir();
	commit_all();
	for (size_t i = 0; i < sizeof(harm) / sizeof(*harm); i++) {
		struct objects_batch *b = objects_begin(&r);

		if (box_sh("%s", harm[i]))
			fail_msg("%s", harm[i]);
		load_head();
		assert_false(ix.in_step);
		assert_int_equal(ix.n, atoi(box_out("git ls-tree -r HEAD | wc -l")));
		if (index_find(&ix, "clash", 5) >= 0)
			fail_msg("%s", harm[i]);
		finish(b);
		assert_in_step();
		must("git read-tree HEAD && git update-index -q --refresh");
	}
}

static void an_index_with_all_of_gits_extensions_is_read(void **state)
{
	(void)state;
	make_maildir();
	commit_all();
	must("git update-index --untracked-cache --force-untracked-cache && git -c index.threads=2 status >/dev/null && git status >/dev/null");
	assert_in_step();
}

static void a_file_that_changed_while_the_index_was_written_is_doubted(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	ssize_t message, file;

	(void)state;
	must("mkdir cur new && echo 1 >cur/1 && echo a >subscriptions && git add -A && git commit -qm x && touch -r subscriptions .git/index");
	assert_in_step();
	message = index_find(&ix, "cur/1", 5);
	file = index_find(&ix, "subscriptions", 13);
	assert_int_not_equal(ix.v[message].st.size, 0);
	assert_int_equal(ix.v[file].st.size, 0);
	assert_int_equal(ix.v[file].st.mtime_s, 0);
	objects_end(b);
}

static void a_symbolic_link_and_a_submodule_in_the_tree_stay(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[1];

	(void)state;
	make_maildir();
	commit_all();
	must("ln -s x link && git add link && git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),module && git commit -qm y && mkdir module && "
	     "rm .git/index");
	load_head();
	e[0] = put("cur/more", "more\n", b);
	index_edit(&ix, e, 1);
	finish(b);
	assert_in_step();
	assert_string_equal(box_out("git ls-tree HEAD link module | cut -c 1-6"), "120000\n160000");
}

static void a_path_cannot_be_a_file_and_a_directory(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct index_edit e[4] = { put("a/x", "1\n", b), put("a.b", "2\n", b), put("a!c", "3\n", b), { .path = "a", .len = 1, .mode = 0100644 } };
	struct index_edit empty = { .path = "b//c", .len = 4, .mode = 0100644 };
	struct oid root;

	(void)state;
	ok(index_load(&ix, &r, NULL, &err));
	index_edit(&ix, e, 4);
	assert_int_equal(index_write_tree(&ix, b, &root, &err), ERR_FAIL);
	assert_string_equal(err.msg, "'a' is a file and a directory");
	index_release(&ix);
	ok(index_load(&ix, &r, NULL, &err));
	index_edit(&ix, &empty, 1);
	assert_int_equal(index_write_tree(&ix, b, &root, &err), ERR_FAIL);
	objects_end(b);
}

static void entries_are_found_by_path_and_by_directory(void **state)
{
	size_t lo, hi;

	(void)state;
	make_maildir();
	commit_all();
	load_head();
	for (size_t i = 0; i < ix.n; i++)
		assert_int_equal(index_find(&ix, ix.v[i].path, ix.v[i].len), i);
	assert_int_equal(index_find(&ix, "cur", 3), -1);
	assert_int_equal(index_find(&ix, "cur/1zzz", 5), -1);
	index_range(&ix, "", &lo, &hi);
	assert_int_equal(hi - lo, ix.n);
	index_range(&ix, "cur", &lo, &hi);
	assert_int_equal(hi - lo, 5);
	index_range(&ix, ".Work", &lo, &hi);
	assert_int_equal(hi - lo, 7);
	index_range(&ix, ".Work/x", &lo, &hi);
	assert_int_equal(hi - lo, 1);
	index_range(&ix, ".Wor", &lo, &hi);
	assert_int_equal(hi - lo, 0);
}

static void a_long_path_is_kept(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	char path[4096] = "";
	struct index_edit e = { .path = path, .mode = 0100644 };
	struct oid root;

	(void)state;
	for (int i = 0; i < 20; i++)
		snprintf(path + strlen(path), sizeof(path) - strlen(path), "%0200d/", i);
	strcat(path, "ab");
	e.len = (uint32_t)strlen(path);
	objects_add(b, OBJECTS_BLOB, "x", 1, &e.oid, &err);
	for (int i = 0; i < 2; i++) {
		ok(index_load(&ix, &r, NULL, &err));
		index_edit(&ix, &e, 1);
		ok(index_write_tree(&ix, b, &root, &err));
		ok(objects_flush(b, &err));
		ok(index_save(&ix, &r, &err));
		assert_int_equal(strlen(box_out("git ls-files")), e.len);
		index_release(&ix);
		ok(index_load(&ix, &r, &root, &err));
		assert_true(ix.in_step);
		assert_string_equal(ix.v[0].path, path);
		index_release(&ix);
		must("rm .git/index");
		/* Then at 4,095 bytes: the length that the entry has no more room for. */
		memset(path + e.len, 'c', 4095 - e.len);
		path[4095] = '\0';
		e.len = 4095;
	}
	objects_end(b);
}

static void a_lock_of_git_is_waited_for_and_then_told(void **state)
{
	struct index_edit e = { .path = "x", .len = 1, .mode = 0100644 };
	pid_t pid;

	(void)state;
	objects_hash(OBJECTS_BLOB, "x", 1, &e.oid);
	ok(index_load(&ix, &r, NULL, &err));
	index_edit(&ix, &e, 1);
	must("touch .git/index.lock");
	assert_int_equal(index_save(&ix, &r, &err), ERR_BUSY);
	must("touch -d '3 hours ago' .git/index.lock");
	assert_int_equal(index_save(&ix, &r, &err), ERR_BUSY);
	assert_non_null(strstr(err.msg, "for 3 hours"));
	pid = fork();
	if (!pid) {
		usleep(200000);
		_exit(unlink(box_path(".git/index.lock")) < 0);
	}
	ok(index_save(&ix, &r, &err));
	waitpid(pid, NULL, 0);
	assert_string_equal(box_out("git ls-files; ls .git | grep index."), "x");
}

static void what_a_kill_left_is_cleaned_up_under_the_lock(void **state)
{
	struct index_edit e = { .path = "x", .len = 1, .mode = 0100644 };

	(void)state;
	objects_hash(OBJECTS_BLOB, "x", 1, &e.oid);
	ok(index_load(&ix, &r, NULL, &err));
	index_edit(&ix, &e, 1);
	/* Killed while holding the lock. */
	must("echo half >.git/index.maildir && ln .git/index.maildir .git/index.lock");
	assert_int_equal(index_save(&ix, &r, &err), ERR_BUSY);
	must("rm -f .git/index.lock; echo half >.git/index.maildir && ln .git/index.maildir .git/index.lock");
	ok(repo_lock(&r, 1, &err));
	ok(index_save(&ix, &r, &err));
	/* Killed after the rename: the index must not be written into. */
	must("ln .git/index .git/index.maildir && cp .git/index .git/copy && ln .git/index .git/same");
	e.path = "y";
	index_edit(&ix, &e, 1);
	ok(index_save(&ix, &r, &err));
	must("cmp .git/copy .git/same");
	assert_string_equal(box_out("git ls-files; ls .git | grep index."), "x\ny");
}

static void a_missing_tree_is_told(void **state)
{
	struct oid none;

	(void)state;
	memset(none.h, 0x42, sizeof(none.h));
	assert_int_equal(index_load(&ix, &r, &none, &err), ERR_NOTFOUND);
	index_release(&ix);
}

/* An index whose bytes are changed here and there and that is then sealed with a right checksum. */
static void a_hostile_index_does_no_harm(void **state)
{
	unsigned char *good, *bad;
	uint32_t seed = 1;
	struct stat st;
	struct oid tree;
	FILE *f;

	(void)state;
	make_maildir();
	commit_all();
	tree = rev("HEAD^{tree}");
	for (int version = 2; version <= 4; version += 2) {
		must("git update-index --index-version %d", version);
		stat(box_path(".git/index"), &st);
		good = mem_alloc((size_t)st.st_size);
		bad = mem_alloc((size_t)st.st_size);
		f = fopen(box_path(".git/index"), "r");
		assert_int_equal(fread(good, 1, (size_t)st.st_size, f), st.st_size);
		fclose(f);
		for (int round = 0; round < 3000; round++) {
			size_t len = (size_t)st.st_size;

			memcpy(bad, good, len);
			for (int k = 0; k <= round % 4; k++) {
				seed = seed * 1664525 + 1013904223;
				bad[(seed >> 8) % (len - 20)] = (unsigned char)(round % 3 ? seed >> 24 : 0xff);
			}
			if (round % 7 == 0)
				len = 20 + (seed >> 8) % (len - 20);
			objects_sha1(bad, len - 20, bad + len - 20);
			f = fopen(box_path(".git/index"), "w");
			fwrite(bad, 1, len, f);
			fclose(f);
			ok(index_load(&ix, &r, &tree, &err));
			assert_true(ix.n > 0);
			index_release(&ix);
		}
		f = fopen(box_path(".git/index"), "w");
		fwrite(good, 1, (size_t)st.st_size, f);
		fclose(f);
		free(good);
		free(bad);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_first_record_of_an_empty_repository),
		T(an_index_of_git_is_in_step_with_its_commit),
		T(stat_data_is_read_and_written_as_git_has_it),
		T(a_flag_change_writes_only_the_trees_above_it),
		T(folders_come_and_go),
		T(everything_can_be_deleted),
		T(nothing_changed_writes_nothing),
		T(an_index_out_of_step_gives_the_tree_and_what_stat_data_still_holds),
		T(a_broken_or_strange_index_is_replaced),
		T(an_index_with_all_of_gits_extensions_is_read),
		T(a_file_that_changed_while_the_index_was_written_is_doubted),
		T(a_symbolic_link_and_a_submodule_in_the_tree_stay),
		T(a_path_cannot_be_a_file_and_a_directory),
		T(entries_are_found_by_path_and_by_directory),
		T(a_long_path_is_kept),
		T(a_lock_of_git_is_waited_for_and_then_told),
		T(what_a_kill_left_is_cleaned_up_under_the_lock),
		T(a_missing_tree_is_told),
		T(a_hostile_index_does_no_harm),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
