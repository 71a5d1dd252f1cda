/*
 * test_policy.c -- what the configuration asks of a delivery, and that what is remembered of it is never old.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/gitdir.h"
#include "repo/policy.h"

static struct policy p;
static struct err err;

#define PARSE(text) (policy_release(&p), policy_parse(&p, text, sizeof(text) - 1, &err))

static void defaults_and_values(void **state)
{
	(void)state;
	assert_int_equal(PARSE("maildir.name\na\0"), 0);
	assert_string_equal(p.name, "a");
	assert_int_equal(p.ack, 0);
	assert_int_equal(p.timeout, 10);
	assert_false(p.defer);
	assert_int_equal(PARSE("maildir.name\na\0remote.mx3.url\nx\0remote.mx2.url\ny\0"), 0);
	assert_int_equal(p.npeers, 2);
	assert_string_equal(p.peers[0], "mx2");
	assert_string_equal(p.peers[1], "mx3");
	assert_int_equal(p.ack, 1);
	assert_int_equal(PARSE("maildir.autopush\nfalse\0maildir.name\na\0remote.mx2.url\ny\0"), 0);
	assert_int_equal(p.ack, 0);
	assert_int_equal(PARSE("maildir.autopush\0maildir.name\na\0remote.mx2.url\ny\0"), 0);
	assert_int_equal(p.ack, 1);
	/* The last one counts. */
	assert_int_equal(PARSE("maildir.ackpeers\n1\0maildir.ackpeers\n3\0maildir.acktimeout\n7\0maildir.ackfallback\nDefer\0maildir.name\na\0"), 0);
	assert_int_equal(p.ack, 3);
	assert_int_equal(p.timeout, 7);
	assert_true(p.defer);
	policy_release(&p);
}

static void remotes_that_are_no_peers(void **state)
{
	(void)state;
	assert_int_equal(PARSE("maildir.name\na\0remote.a/b.url\nx\0remote.x.lock.url\nx\0remote.nourl.fetch\nx\0remote.no.url\nx\0remote.no.maildirpeer\noff\0"
			       "remote.pushdefault\nyes\0remote.yes.url\nx\0remote.yes.maildirpeer\0remote.odd.maildirpeer\nmaybe\0remote.odd.url\nx\0"),
			 0);
	assert_int_equal(p.npeers, 2);
	assert_string_equal(p.peers[0], "odd");
	assert_string_equal(p.peers[1], "yes");
	policy_release(&p);
}

static void nonsense_is_named(void **state)
{
	(void)state;
	assert_int_equal(PARSE(""), ERR_NOTMEMBER);
	assert_int_equal(PARSE("maildir.name\n../x\0"), ERR_NOTMEMBER);
	assert_int_equal(PARSE("maildir.name\na\0maildir.ackpeers\n-1\0"), ERR_ENV);
	assert_string_equal(err.msg, "value '-1' of 'maildir.ackPeers' is not a number of peers");
	assert_int_equal(PARSE("maildir.ackpeers\0"), ERR_ENV);
	assert_int_equal(PARSE("maildir.acktimeout\n5 m\0remote.x.url\ny\0"), ERR_ENV);
	assert_int_equal(PARSE("maildir.acktimeout\n99999999999999999999\0"), ERR_ENV);
	assert_int_equal(PARSE("maildir.ackfallback\nbounce\0"), ERR_ENV);
	assert_int_equal(PARSE("maildir.autopush\nmaybe\0"), ERR_ENV);
	policy_release(&p);
}

static size_t ack_of(const char *gitdir)
{
	size_t ack;

	assert_int_equal(policy_read(&p, gitdir, &err), 0);
	ack = p.ack;
	policy_release(&p);
	return ack;
}

static void what_is_remembered_is_never_old(void **state)
{
	const char *gitdir;

	(void)state;
	must("git init -q --separate-git-dir=a.git a && mkdir a.git/maildir && git -C a config maildir.name a && git -C a config maildir.ackPeers 2");
	gitdir = box_path("a.git");
	assert_int_equal(ack_of(gitdir), 2);
	/* What has just changed can change again in the same tick of the clock. */
	must("[ ! -e a.git/maildir/policy ] && sleep 3.1");
	assert_int_equal(ack_of(gitdir), 2);
	must("[ -s a.git/maildir/policy ]");
	assert_int_equal(ack_of(gitdir), 2);
	/* It is what is read. */
	must("python3 -c \"p='a.git/maildir/policy'; d=open(p,'rb').read(); open(p,'wb').write(d.replace(b'ackpeers\\n2',b'ackpeers\\n5'))\"");
	assert_int_equal(ack_of(gitdir), 5);
	must("git -C a config maildir.ackPeers 3");
	assert_int_equal(ack_of(gitdir), 3);
	/* The user's own configuration counts, too. */
	must("git -C a config --unset maildir.ackPeers && git config --global maildir.ackPeers 4");
	assert_int_equal(ack_of(gitdir), 4);
	/* Torn, or of another time: not believed. */
	must("sleep 3.1");
	assert_int_equal(ack_of(gitdir), 4);
	must("head -c 50 a.git/maildir/policy >x && cp x a.git/maildir/policy");
	assert_int_equal(ack_of(gitdir), 4);
	must("printf junk >a.git/maildir/policy");
	assert_int_equal(ack_of(gitdir), 4);
	/* Files that include others are not remembered. */
	must("rm -f a.git/maildir/policy; git config -f more maildir.ackPeers 6; git -C a config include.path \"$PWD/more\"; sleep 3.1");
	assert_int_equal(ack_of(gitdir), 6);
	must("[ ! -e a.git/maildir/policy ]");
	must("git -C a config --unset include.path");
	setenv("GIT_CONFIG_PARAMETERS", "'maildir.ackpeers=8'", 1);
	assert_int_equal(ack_of(gitdir), 8);
	unsetenv("GIT_CONFIG_PARAMETERS");
	must("git config --global --unset maildir.ackPeers");
}

static void a_repository_is_found_as_git_finds_it(void **state)
{
	char *found;

	(void)state;
	must("git init -q --separate-git-dir=a.git a && mkdir -p a/x/y && printf 'gitdir: ../a.git\\n' > a/.git");
	assert_null(gitdir_of(box_path("a"), &err));
	assert_int_equal(err.code, ERR_NOTMEMBER);
	assert_null(gitdir_above(box_path("a/x/y")));
	must("mkdir a.git/maildir");
	found = gitdir_of(box_path("a"), &err);
	assert_non_null(found);
	assert_string_equal(strrchr(found, '/'), "/a.git");
	free(found);
	found = gitdir_above(box_path("a/x/y"));
	assert_string_equal(found, box_path("a"));
	free(found);
	assert_null(gitdir_of(box_path("a/x"), &err));
	assert_null(gitdir_above("/"));
	must("printf 'gitdir: ' > a/.git");
	assert_null(gitdir_of(box_path("a"), &err));
	must("printf 'gitdir: nowhere\\n' > a/.git");
	assert_null(gitdir_of(box_path("a"), &err));
	must("rm a/.git; mkfifo a/.git");
	assert_null(gitdir_of(box_path("a"), &err));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, box_setup, box_teardown)
	const struct CMUnitTest tests[] = {
		T(defaults_and_values),
		T(remotes_that_are_no_peers),
		T(nonsense_is_named),
		T(what_is_remembered_is_never_old),
		T(a_repository_is_found_as_git_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
