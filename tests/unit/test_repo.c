/*
 * test_repo.c -- finding a member's repository, its configuration, lock and head.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/repo.h"

#include <signal.h>
#include <sys/wait.h>

/* libgit2 1.5.1 loses memory when a repository has extensions (git_regexp_match(), for every line of its configuration that is none). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libgit2\nleak:libpcre2\n";
}

static struct err err;

static void make_member(void)
{
	must("mkdir -p Maildir/cur Maildir/new Maildir/tmp && git init -q --separate-git-dir=Maildir.git Maildir && git -C Maildir config core.worktree ../Maildir"
	     " && git -C Maildir config maildir.name mx1 && touch Maildir/cur/1 && git -C Maildir add -A && git -C Maildir commit -qm one");
}

static struct oid oid_of(const char *dir, const char *rev)
{
	struct oid o;

	assert_true(oid_parse(&o, box_out("git -C '%s' rev-parse '%s'", dir, rev)));
	return o;
}

static void open_in(struct repo *r, const char *dir)
{
	int rc;

	assert_int_equal(chdir(box_path(dir)), 0);
	rc = repo_open(r, NULL, &err);
	if (rc)
		fail_msg("%s", err.msg);
}

static void assert_is_member(struct repo *r)
{
	assert_string_equal(r->gitdir, box_path("Maildir.git"));
	assert_non_null(r->worktree);
	assert_string_equal(r->worktree, box_path("Maildir"));
	assert_string_equal(r->branch, "refs/heads/main");
	assert_string_equal(r->name, "mx1");
	repo_close(r);
}

static void a_member_is_found_from_wherever_git_finds_it(void **state)
{
	struct repo r;

	(void)state;
	make_member();
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_is_member(&r);
	assert_int_equal(repo_open(&r, box_path("Maildir/cur"), &err), 0);
	assert_is_member(&r);
	assert_int_equal(repo_open(&r, box_path("Maildir.git"), &err), 0);
	assert_is_member(&r);
	open_in(&r, "Maildir/cur");
	assert_is_member(&r);
	setenv("GIT_DIR", "../../Maildir.git", 1);
	open_in(&r, "Maildir/new");
	assert_is_member(&r);
	setenv("GIT_WORK_TREE", "..", 1);
	open_in(&r, "Maildir/new");
	assert_is_member(&r);
	unsetenv("GIT_DIR");
	unsetenv("GIT_WORK_TREE");
	repo_close(&r); /* twice is fine */
}

static void a_hook_with_git_dir_dot_finds_the_maildir(void **state)
{
	struct repo r;

	(void)state;
	make_member();
	setenv("GIT_DIR", ".", 1);
	open_in(&r, "Maildir.git");
	assert_is_member(&r);
	/* Older set-ups have no core.worktree, only the file Maildir/.git. */
	must("unset GIT_DIR; git --git-dir=Maildir.git config --unset core.worktree");
	open_in(&r, "Maildir.git");
	assert_is_member(&r);
	/* And when nothing says where the Maildir is, the directory beside it must not be taken for it. */
	must("mv Maildir.git elsewhere");
	open_in(&r, "elsewhere");
	assert_null(r.worktree);
	repo_close(&r);
	unsetenv("GIT_DIR");
}

static void a_real_receive_hook_finds_the_maildir(void **state)
{
	(void)state;
	make_member();
	must("git clone -q Maildir.git other && printf '#!/bin/sh\\npwd >\"%s/where\"; echo \"$GIT_DIR\" >>\"%s/where\"\\n' > Maildir.git/hooks/post-receive"
	     " && chmod +x Maildir.git/hooks/post-receive && git -C other push -q origin HEAD:refs/remotes/x/main", box, box);
	assert_string_equal(box_out("sed -n 1p where"), box_path("Maildir.git"));
	assert_string_equal(box_out("sed -n 2p where"), ".");
}

static void a_repository_inside_the_maildir_and_a_bare_one_open(void **state)
{
	struct repo r;

	(void)state;
	must("git init -q in && git init -q --bare bare.git");
	assert_int_equal(repo_open(&r, box_path("in"), &err), 0);
	assert_string_equal(r.gitdir, box_path("in/.git"));
	assert_string_equal(r.worktree, box_path("in"));
	assert_null(r.name);
	repo_close(&r);
	setenv("GIT_DIR", ".", 1);
	open_in(&r, "in/.git");
	assert_string_equal(r.worktree, box_path("in"));
	repo_close(&r);
	unsetenv("GIT_DIR");
	assert_int_equal(repo_open(&r, box_path("bare.git"), &err), 0);
	assert_null(r.worktree);
	repo_close(&r);
}

static void what_is_no_usable_repository_is_named(void **state)
{
	struct repo r;

	(void)state;
	must("mkdir none; git init -q --object-format=sha256 new; git init -q ext; git -C ext config core.repositoryFormatVersion 1;"
	     "git -C ext config extensions.frobnicate true; git init -q broken; rm broken/.git/HEAD; echo 'gitdir: /no/such' > none/.git");
	assert_int_equal(repo_open(&r, box_path("none"), &err), ERR_NOTMEMBER);
	must("rm none/.git");
	setenv("GIT_CEILING_DIRECTORIES", box, 1);
	assert_int_equal(repo_open(&r, box_path("none"), &err), ERR_NOTMEMBER);
	assert_non_null(strstr(err.msg, box_path("none")));
	assert_int_equal(repo_open(&r, box_path("gone"), &err), ERR_NOTMEMBER);
	unsetenv("GIT_CEILING_DIRECTORIES");
	assert_int_equal(repo_open(&r, box_path("new"), &err), ERR_ENV);
	assert_int_equal(repo_open(&r, box_path("ext"), &err), ERR_ENV);
	setenv("GIT_DIR", box_path("none"), 1);
	assert_int_equal(repo_open(&r, NULL, &err), ERR_NOTMEMBER);
	unsetenv("GIT_DIR");
	assert_null(r.git);
}

static void a_repository_of_somebody_else_is_refused(void **state)
{
	struct repo r;

	(void)state;
	if (geteuid() != 0)
		skip();
	make_member();
	must("chown -R 12345 Maildir Maildir.git");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), ERR_ENV);
	assert_non_null(strstr(err.msg, "belongs to another user"));
}

static void a_maildir_that_is_not_mounted_is_named(void **state)
{
	struct repo r;
	int rc;

	(void)state;
	make_member();
	must("git -C Maildir config core.worktree ../Maildir; mv Maildir away");
	rc = repo_open(&r, box_path("Maildir.git"), &err);
	if (rc == 0) {
		assert_string_equal(r.worktree, box_path("Maildir.git/../Maildir"));
		repo_close(&r);
	} else {
		fail_msg("%d %s", rc, err.msg);
	}
}

static void the_configuration_is_read(void **state)
{
	struct repo r;

	(void)state;
	make_member();
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(r.max_delete_percent, 50);
	assert_int_equal(r.max_delete_count, 20);
	assert_int_equal(r.peer_timeout, 60);
	assert_int_equal(r.lock_wait, 30);
	assert_true(r.auto_push);
	assert_false(r.flag_beats_delete);
	repo_close(&r);
	must("cd Maildir; git config maildir.maxDelete 500; git config maildir.peerTimeout 5; git config maildir.lockWait 0;"
	     "git config maildir.autoPush no; git config maildir.deleteVsFlag keep");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(r.max_delete_percent, -1);
	assert_int_equal(r.max_delete_count, 500);
	assert_int_equal(r.peer_timeout, 5);
	assert_int_equal(r.lock_wait, 0);
	assert_false(r.auto_push);
	assert_true(r.flag_beats_delete);
	repo_close(&r);
	must("git -C Maildir config maildir.maxDelete 7%%");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(r.max_delete_percent, 7);
	assert_int_equal(r.max_delete_count, 20);
	repo_close(&r);
}

static void a_bad_value_is_an_error_and_not_a_guess(void **state)
{
	static const char *const bad[] = { "maxDelete 101%", "maxDelete -1", "maxDelete x", "maxDelete 99999999999999999999", "maxDelete ''", "peerTimeout 1m",
					   "lockWait -3", "autoPush maybe", "deleteVsFlag flag" };
	struct repo r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		must("git init -q m%zu && cd m%zu && git config maildir.%s", i, i, bad[i]);
		char dir[16];

		snprintf(dir, sizeof(dir), "m%zu", i);
		assert_int_equal(repo_open(&r, box_path(dir), &err), ERR_FAIL);
		assert_non_null(strstr(err.msg, "maildir."));
		assert_null(r.git);
	}
}

static void configuration_written_is_what_git_reads(void **state)
{
	struct repo r;
	char *v;

	(void)state;
	make_member();
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	if (repo_config_set(&r, "maildir.ackPeers", "a # \"b\" \\ ", &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(box_out("git -C Maildir config maildir.ackPeers"), "a # \"b\" \\ ");
	assert_int_equal(repo_config_set(&r, "maildir.ackPeers", "two", &err), 0);
	assert_string_equal(box_out("git -C Maildir config --get-all maildir.ackPeers"), "two");
	v = repo_config_get(&r, "maildir.ackPeers");
	assert_string_equal(v, "two");
	free(v);
	assert_int_equal(repo_config_set(&r, "maildir.ackPeers", NULL, &err), 0);
	assert_int_equal(repo_config_set(&r, "maildir.ackPeers", NULL, &err), 0);
	assert_null(repo_config_get(&r, "maildir.ackPeers"));
	assert_int_equal(repo_config_set(&r, "nonsense", "x", &err), ERR_FAIL);
	repo_close(&r);
}

static void the_lock_excludes_and_a_killed_holder_gives_it_back(void **state)
{
	struct repo r, other;
	int ready[2];
	pid_t pid;
	char c, who[64];

	(void)state;
	make_member();
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (repo_open(&r, box_path("Maildir"), NULL) == 0 && repo_lock(&r, 0, NULL) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(repo_open(&other, box_path("Maildir"), &err), 0);
	assert_int_equal(repo_lock(&other, 0, &err), ERR_BUSY);
	snprintf(who, sizeof(who), "is held by process %ld,", (long)pid);
	assert_non_null(strstr(err.msg, who));
	assert_int_equal(repo_lock(&other, 1, &err), ERR_BUSY);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(repo_lock(&other, 1, &err), 0);
	assert_true(fcntl(other.lockfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(repo_lock(&other, 0, &err), 0);
	repo_unlock(&other);
	assert_int_equal(other.lockfd, -1);
	repo_close(&other);
	close(ready[0]);
	close(ready[1]);
}

static void head_moves_only_from_where_it_was(void **state)
{
	struct repo r;
	struct oid one, two, got;

	(void)state;
	must("git init -q --separate-git-dir=Maildir.git Maildir");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(repo_head(&r, &got, &err), ERR_NOTFOUND);
	must("cd Maildir && t=$(git write-tree) && git update-ref refs/t/1 $(git commit-tree -m 1 $t) && git update-ref refs/t/2 $(git commit-tree -m 2 $t)");
	one = oid_of("Maildir", "refs/t/1");
	two = oid_of("Maildir", "refs/t/2");
	assert_int_equal(repo_set_head(&r, &one, &two, "x", &err), ERR_AGAIN);
	assert_int_equal(repo_set_head(&r, &one, NULL, "record: first", &err), 0);
	assert_int_equal(repo_set_head(&r, &two, NULL, "x", &err), ERR_AGAIN);
	assert_int_equal(repo_set_head(&r, &two, &two, "x", &err), ERR_AGAIN);
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &one));
	must("git -C Maildir pack-refs --all");
	assert_int_equal(repo_set_head(&r, &two, &one, "merge: second", &err), 0);
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &two));
	assert_string_equal(box_out("git -C Maildir reflog --format=%%gs"), "merge: second\nrecord: first");
	assert_string_equal(box_out("git -C Maildir rev-parse HEAD refs/t/2 | uniq | wc -l"), "1");
	/* a commit that git makes meanwhile is seen */
	must("git -C Maildir update-ref refs/heads/main refs/t/1");
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &one));
	repo_close(&r);
}

static void a_lock_of_another_git_is_named_and_an_old_one_removed(void **state)
{
	struct repo r;
	struct oid one;

	(void)state;
	make_member();
	one = oid_of("Maildir", "HEAD");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	must("touch Maildir.git/refs/heads/main.lock");
	assert_int_equal(repo_set_head(&r, &one, &one, "x", &err), ERR_BUSY);
	assert_non_null(strstr(err.msg, box_path("Maildir.git/refs/heads/main.lock")));
	must("touch -d '11 minutes ago' Maildir.git/refs/heads/main.lock");
	assert_int_equal(repo_set_head(&r, &one, &one, "x", &err), 0);
	must("! ls Maildir.git/refs/heads/*.lock 2>/dev/null");
	repo_close(&r);
}

/* As a kill between any two steps leaves it. */
static void a_lock_that_we_left_when_killed_does_not_stop_us(void **state)
{
	struct repo r;
	struct oid one, two, got;

	(void)state;
	make_member();
	one = oid_of("Maildir", "HEAD");
	must("git -C Maildir update-ref refs/t/2 $(git -C Maildir commit-tree -m 2 HEAD^{tree})");
	two = oid_of("Maildir", "refs/t/2");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	must("mkdir -p Maildir.git/maildir; echo half > Maildir.git/maildir/ref; ln Maildir.git/maildir/ref Maildir.git/refs/heads/main.lock");
	assert_int_equal(repo_set_head(&r, &two, &one, "x", &err), 0);
	/* after the rename, before the end */
	must("ln Maildir.git/refs/heads/main Maildir.git/maildir/ref");
	assert_int_equal(repo_set_head(&r, &one, &two, "x", &err), 0);
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &one));
	must("[ ! -e Maildir.git/maildir/ref ] && ! ls Maildir.git/refs/heads/*.lock 2>/dev/null && git -C Maildir fsck --strict && [ $(stat -c %%h Maildir.git/refs/heads/main) = 1 ]");
	repo_close(&r);
}

static void a_branch_in_a_directory_and_a_detached_head_move(void **state)
{
	struct repo r;
	struct oid one, two, got;

	(void)state;
	make_member();
	one = oid_of("Maildir", "HEAD");
	must("cd Maildir && git update-ref refs/t/2 $(git commit-tree -m 2 HEAD^{tree}) && git checkout -qb deep/er/branch && git pack-refs --all && rm -rf ../Maildir.git/refs/heads/deep");
	two = oid_of("Maildir", "refs/t/2");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(repo_set_head(&r, &two, &one, "multi\nline", &err), 0);
	assert_string_equal(box_out("git -C Maildir reflog -1 --format='%%gs %%gn %%ge' deep/er/branch"), "multi Ada ada@example.org");
	assert_string_equal(box_out("git -C Maildir reflog -1 --format=%%gs HEAD"), "multi");
	repo_close(&r);
	must("cd Maildir && git checkout -q --detach main");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(repo_set_head(&r, &two, &one, "moved", &err), 0);
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &two));
	assert_string_equal(box_out("git -C Maildir rev-parse main HEAD | uniq | wc -l; git -C Maildir reflog -1 --format=%%gs; cat Maildir/.git | wc -l"), "2\nmoved\n1");
	/* somebody attached it meanwhile */
	must("cd Maildir && git checkout -q main");
	assert_int_equal(repo_set_head(&r, &two, &one, "moved", &err), ERR_FAIL);
	assert_non_null(strstr(err.msg, "symbolic"));
	repo_close(&r);
}

static void head_never_names_what_is_missing(void **state)
{
	struct repo r;
	struct oid one, none;

	(void)state;
	make_member();
	one = oid_of("Maildir", "HEAD");
	memset(none.h, 0x77, OID_RAW);
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_int_equal(repo_set_head(&r, &none, &one, "x", &err), ERR_NOTFOUND);
	repo_close(&r);
}

static void a_detached_head_is_its_own_branch(void **state)
{
	struct repo r;
	struct oid got, one;

	(void)state;
	make_member();
	must("cd Maildir && git checkout -q --detach");
	one = oid_of("Maildir", "HEAD");
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	assert_string_equal(r.branch, "HEAD");
	assert_int_equal(repo_head(&r, &got, &err), 0);
	assert_true(oid_eq(&got, &one));
	repo_close(&r);
}

static void state_files_lie_in_a_directory_of_their_own(void **state)
{
	struct repo r;
	char *p;

	(void)state;
	make_member();
	assert_int_equal(repo_open(&r, box_path("Maildir"), &err), 0);
	p = repo_state_path(&r, "hold");
	assert_string_equal(p, box_path("Maildir.git/maildir/hold"));
	must("[ -d Maildir.git/maildir ]");
	free(p);
	repo_close(&r);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(a_member_is_found_from_wherever_git_finds_it),
		T(a_hook_with_git_dir_dot_finds_the_maildir),
		T(a_real_receive_hook_finds_the_maildir),
		T(a_repository_inside_the_maildir_and_a_bare_one_open),
		T(what_is_no_usable_repository_is_named),
		T(a_repository_of_somebody_else_is_refused),
		T(a_maildir_that_is_not_mounted_is_named),
		T(the_configuration_is_read),
		T(a_bad_value_is_an_error_and_not_a_guess),
		T(configuration_written_is_what_git_reads),
		T(the_lock_excludes_and_a_killed_holder_gives_it_back),
		T(head_moves_only_from_where_it_was),
		T(a_lock_of_another_git_is_named_and_an_old_one_removed),
		T(a_lock_that_we_left_when_killed_does_not_stop_us),
		T(a_branch_in_a_directory_and_a_detached_head_move),
		T(head_never_names_what_is_missing),
		T(a_detached_head_is_its_own_branch),
		T(state_files_lie_in_a_directory_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
