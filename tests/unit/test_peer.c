/*
 * test_peer.c -- peers that answer, refuse, hang, die half-way, or are not there.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include "repo/note.h"
#include "repo/peer.h"
#include "repo/reason.h"

static struct err err;
static struct repo repo;
static struct peers peers;

/* Three members: a is ours, b and c are peers of it by path. */
static int setup(void **state)
{
	if (box_setup(state) < 0 ||
	    box_sh("for m in a b c; do git init -q --separate-git-dir=$m.git $m && git -C $m config maildir.name $m && git -C $m config core.worktree ../$m"
		   " && echo $m > $m/$m && git -C $m add -A && git -C $m commit -qm \"first of $m\" || exit 1; done;"
		   "git -C a config maildir.peerTimeout 5") != 0)
		return -1;
	if (repo_open(&repo, box_path("a"), &err) < 0)
		return -1;
	return chdir(box);
}

static int teardown(void **state)
{
	peers_release(&peers);
	repo_close(&repo);
	unsetenv("GIT_SSH_COMMAND");
	return box_teardown(state);
}

static void add(const char *name, const char *url)
{
	if (peer_add(&repo, name, url, &err) < 0)
		fail_msg("%s", err.msg);
}

static void list(void)
{
	peers_release(&peers);
	assert_int_equal(peer_list(&peers, &repo, &err), 0);
}

/* All peers at once; results in the order of names. */
static struct peer_result res[8];

static void all(bool push, bool even_if_sent)
{
	struct peer *v[8];

	list();
	for (size_t i = 0; i < peers.n; i++)
		v[i] = &peers.v[i];
	assert_int_equal(push ? peer_push(&repo, v, peers.n, even_if_sent, res, &err) : peer_fetch(&repo, v, peers.n, res, &err), 0);
}

static void names_that_can_be_refs_and_files_are_good(void **state)
{
	static const char *const good[] = { "mx1", "a", "mx-2.example.org", "A_b", "x.lock2", "1" };
	static const char *const bad[] = { "", "-a", ".a", "a.", "a..b", "a/b", "a b", "a.lock", "a~", "a:b", "\xc3\xa4", "a\n", "*", "@{",
					   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(peer_name_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(peer_name_ok(bad[i]));
}

static void a_peer_added_works_for_git_by_hand(void **state)
{
	(void)state;
	add("b", "b");
	add("b", box_path("b")); /* again is fine */
	assert_string_equal(box_out("git -C a config remote.b.url"), box_path("b"));
	must("git -C a fetch -q b && git -C a rev-parse -q --verify refs/remotes/b/main >/dev/null");
	must("git -C a push -q b && [ \"$(git -C a rev-parse HEAD)\" = \"$(git -C b rev-parse refs/remotes/a/main)\" ]");
	must("git -C a commit -q --amend -m sideways && git -C a push -q b");
	assert_int_equal(peer_add(&repo, "b", "/elsewhere", &err), ERR_FAIL);
	assert_non_null(strstr(err.msg, "there is a peer 'b' already"));
	assert_int_equal(peer_add(&repo, "../b", "x", &err), ERR_FAIL);
	list();
	assert_int_equal(peers.n, 1);
	assert_true(peers.v[0].known);
	assert_string_equal(peers.v[0].url, box_path("b"));
	assert_null(peer_find(&peers, "c"));
}

static void remotes_that_are_no_peers_are_left_alone(void **state)
{
	(void)state;
	add("c", "c");
	add("b", "ssh://mx2/var/mail");
	must("cd a; git remote add backup /x; git config remote.backup.maildirPeer false; git remote add we/ird /y; git config remote.nourl.fetch x");
	list();
	assert_int_equal(peers.n, 2);
	assert_string_equal(peers.v[0].name, "b");
	assert_string_equal(peers.v[0].url, "ssh://mx2/var/mail");
	assert_string_equal(peers.v[1].name, "c");
	assert_false(peers.v[1].known);
}

static void removing_a_peer_leaves_nothing_of_it(void **state)
{
	(void)state;
	add("b", "b");
	all(false, false);
	must("git -C a update-ref refs/remotes/b/other HEAD; [ -f a.git/maildir/peer/b ]");
	assert_int_equal(peer_remove(&repo, "b", &err), 0);
	assert_string_equal(box_out("git -C a for-each-ref refs/remotes; git -C a config --get-regexp remote; ls -A a.git/maildir/peer"), "");
	assert_int_equal(peer_remove(&repo, "b", &err), ERR_NOTFOUND);
	assert_string_equal(err.msg, "there is no peer 'b'");
}

static void a_member_says_what_it_is_called(void **state)
{
	char *name, *branch;

	(void)state;
	must("git -C a update-ref refs/maildir/name/old $(echo | git -C a hash-object -w --stdin)");
	assert_int_equal(peer_publish_name(&repo, &err), 0);
	assert_int_equal(peer_publish_name(&repo, &err), 0);
	assert_string_equal(box_out("git -C a for-each-ref --format='%%(refname) %%(objecttype)' refs/maildir"), "refs/maildir/name/a blob");
	assert_int_equal(peer_ask(&repo, box_path("a"), &name, &branch, &err), 0);
	assert_string_equal(name, "a");
	assert_string_equal(branch, "main");
	free(name);
	free(branch);
	assert_int_equal(peer_ask(&(struct repo){ .lockfd = -1 }, box_path("b"), &name, &branch, &err), 0);
	assert_null(name);
	free(branch);
	must("git init -q --bare empty.git");
	assert_int_equal(peer_ask(&repo, box_path("empty.git"), &name, &branch, &err), 0);
	assert_null(name);
	assert_null(branch);
	assert_int_equal(peer_ask(&repo, "/no/such", &name, &branch, &err), ERR_UNREACHABLE);
	assert_string_equal(err.msg, "cannot reach '/no/such': '/no/such' does not appear to be a git repository");
	assert_int_equal(peer_ask(&repo, "--upload-pack=touch x", &name, &branch, &err), ERR_UNREACHABLE);
	must("[ ! -e x ]");
}

static void fetching_and_pushing_tells_both_what_the_other_has(void **state)
{
	(void)state;
	add("b", "b");
	add("c", "c");
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed && res[1].changed);
	list();
	assert_true(peers.v[0].known);
	assert_true(peers.v[0].contact > 1700000000);
	all(false, false);
	assert_false(res[0].changed || res[1].changed);
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_int_equal(res[1].state, 0);
	assert_true(res[0].changed && res[1].changed);
	must("h=$(git -C a rev-parse HEAD); for m in b c; do [ $h = $(git -C $m rev-parse refs/remotes/a/main) ] || exit 1; done");
	list();
	assert_false(oid_is_zero(&peers.v[0].sent));
	/* what it has is not sent again, not even asked */
	must("mv b.git away.git");
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_false(res[0].changed);
	must("mv away.git b.git");
	all(true, true);
	assert_int_equal(res[0].state, 0);
	assert_false(res[0].changed);
	/* a view moves sideways */
	must("git -C a commit -q --amend -m other");
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
	must("[ $(git -C a rev-parse HEAD) = $(git -C b rev-parse refs/remotes/a/main) ]; git -C b fsck --strict 2>&1 | grep -v dangling | (! grep .)");
	must("[ ! -e a.git/FETCH_HEAD ]");
}

static void a_hook_environment_changes_nothing(void **state)
{
	(void)state;
	add("b", "b");
	setenv("GIT_DIR", box_path("c.git"), 1);
	setenv("GIT_QUARANTINE_PATH", box_path("c.git"), 1);
	all(false, false);
	assert_int_equal(res[0].state, 0);
	all(true, false);
	assert_int_equal(res[0].state, 0);
	unsetenv("GIT_DIR");
	unsetenv("GIT_QUARANTINE_PATH");
	must("[ $(git -C a rev-parse HEAD) = $(git -C b rev-parse refs/remotes/a/main) ]");
}

static void a_peer_that_is_gone_delays_no_other_and_is_named(void **state)
{
	char want[PATH_MAX + 200];

	(void)state;
	add("b", "b");
	add("c", "c");
	must("mv c.git gone.git");
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
	assert_int_equal(res[1].state, ERR_UNREACHABLE);
	snprintf(want, sizeof(want), "cannot reach peer 'c' at '%s': ", box_path("c"));
	assert_memory_equal(res[1].err.msg, want, strlen(want));
	assert_null(strstr(res[1].err.msg, "Could not read from remote"));
	list();
	assert_string_equal(peers.v[1].trouble, res[1].err.msg);
	assert_int_equal(peers.v[1].contact, 0);
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_int_equal(res[1].state, ERR_UNREACHABLE);
	list();
	assert_true(oid_is_zero(&peers.v[1].sent));
	/* it comes back */
	must("mv gone.git c.git");
	all(false, false);
	list();
	assert_null(peers.v[1].trouble);
}

static void a_peer_that_has_recorded_nothing_yet_is_no_trouble(void **state)
{
	(void)state;
	must("git init -q --bare d.git");
	add("d", "d.git");
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_false(res[0].changed);
	list();
	assert_false(peers.v[0].known);
	assert_null(peers.v[0].trouble);
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
}

static void a_member_with_no_commit_pushes_nothing(void **state)
{
	(void)state;
	must("git init -q e && git -C e config maildir.name e");
	repo_close(&repo);
	assert_int_equal(repo_open(&repo, box_path("e"), &err), 0);
	add("b", "b");
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_false(res[0].changed);
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
}

static void the_reason_that_the_peers_hook_gives_is_told(void **state)
{
	(void)state;
	add("b", "b");
	must("printf '#!/bin/sh\\necho checking >&2\\necho \"git-maildir: tree holds a symbolic link\" >&2\\nexit 1\\n' > b.git/hooks/update; chmod +x b.git/hooks/update");
	all(true, false);
	assert_int_equal(res[0].state, ERR_UNREACHABLE);
	assert_string_equal(res[0].err.msg, "peer 'b' refused our push: git-maildir: tree holds a symbolic link");
	must("printf '#!/bin/sh\\nexit 1\\n' > b.git/hooks/update");
	all(true, false);
	assert_string_equal(res[0].err.msg, "peer 'b' refused our push: hook declined");
	list();
	assert_string_equal(peers.v[0].trouble, res[0].err.msg);
	assert_true(oid_is_zero(&peers.v[0].sent));
}

static void a_peer_that_hangs_is_given_up(void **state)
{
	time_t t = time(NULL);

	(void)state;
	add("b", "b");
	add("c", "ssh://c.invalid/c");
	must("git -C a config maildir.peerTimeout 1; printf '#!/bin/sh\\necho $$ >> pids\\nsleep 60 & echo $! >> pids; wait\\n' > hang; chmod +x hang");
	repo_close(&repo);
	assert_int_equal(repo_open(&repo, box_path("a"), &err), 0);
	setenv("GIT_SSH_COMMAND", box_path("hang"), 1);
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_int_equal(res[1].state, ERR_UNREACHABLE);
	assert_string_equal(res[1].err.msg, "cannot reach peer 'c' at 'ssh://c.invalid/c': no answer for 1 s");
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_int_equal(res[1].state, ERR_UNREACHABLE);
	assert_true(time(NULL) - t < 10);
	assert_string_equal(box_out("cat a/pids pids 2>/dev/null | while read p; do [ -d /proc/$p ] && sed -n 's/^State:.\\([A-Z]\\).*/\\1/p' /proc/$p/status; done | grep -v Z"), "");
}

/* A stub for ssh that runs the other side and cuts what it sends after so many bytes. */
static void a_peer_that_dies_half_way_leaves_nothing_behind(void **state)
{
	(void)state;
	add("c", "ssh://host/dev/null");
	must("head -c 300000 /dev/urandom > c/big && git -C c add big && git -C c commit -qm big && git -C a config --replace-all remote.c.url ssh://host%s", box_path("c.git"));
	must("printf '#!/bin/sh\\n[ \"$1\" = -G ] && exit 1\\nfor cmd; do :; done\\neval \"$cmd\" | head -c 20000\\n' > cut; chmod +x cut");
	setenv("GIT_SSH_COMMAND", box_path("cut"), 1);
	all(false, false);
	assert_int_equal(res[0].state, ERR_UNREACHABLE);
	assert_non_null(strstr(res[0].err.msg, "cannot reach peer 'c' at 'ssh://host/"));
	list();
	assert_false(peers.v[0].known);
	must("git -C a fsck --strict");
	/* and the other way: it stops reading and goes away */
	must("printf '#!/bin/sh\\n[ \"$1\" = -G ] && exit 1\\nfor cmd; do :; done\\nhead -c 20000 | eval \"$cmd\"\\n' > cut");
	must("cp c/big a/big2 && git -C a add big2 && git -C a commit -qm big2");
	all(true, false);
	assert_int_equal(res[0].state, ERR_UNREACHABLE);
	must("git -C c fsck --strict && ! git -C c rev-parse -q --verify refs/remotes/a/main");
	unsetenv("GIT_SSH_COMMAND");
	must("git -C a config remote.c.url %s", box_path("c"));
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
}

static void a_reference_that_two_want_at_once_is_tried_again(void **state)
{
	(void)state;
	add("b", "b");
	all(false, false);
	must("git -C b commit -q --allow-empty -m more; mkdir -p a.git/refs/remotes/b; touch a.git/refs/remotes/b/main.lock; (sleep 0.05; rm a.git/refs/remotes/b/main.lock) &");
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
	must("mkdir -p b.git/refs/remotes/a; touch b.git/refs/remotes/a/main.lock; (sleep 0.05; rm b.git/refs/remotes/a/main.lock) &");
	all(true, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
	/* but not for ever */
	must("git -C a commit -q --allow-empty -m more; touch b.git/refs/remotes/a/main.lock");
	all(true, false);
	assert_int_equal(res[0].state, ERR_UNREACHABLE);
	assert_non_null(strstr(res[0].err.msg, "peer 'b' refused our push: cannot lock ref 'refs/remotes/a/main'"));
	assert_non_null(strstr(res[0].err.msg, "main.lock': File exists"));
	must("git -C b commit -q --allow-empty -m more2; touch a.git/refs/remotes/b/main.lock");
	all(false, false);
	assert_int_equal(res[0].state, ERR_BUSY);
	assert_non_null(strstr(res[0].err.msg, "a.git/refs/remotes/b/main.lock' is there"));
	/* what a killed push left long ago is cleared away */
	must("touch -d '11 minutes ago' a.git/refs/remotes/b/main.lock");
	all(false, false);
	assert_int_equal(res[0].state, 0);
	assert_true(res[0].changed);
}

static void ssh_does_not_ask_for_passwords(void **state)
{
	(void)state;
	add("c", "ssh://host/c");
	must("mkdir bin; printf '#!/bin/sh\\necho \"$@\" >> %s/args; echo \"ssh: connect to host host port 22: Connection refused\" >&2; exit 255\\n' > bin/ssh; chmod +x bin/ssh", box);
	char *path = strdup(getenv("PATH")), ours[PATH_MAX * 2];

	snprintf(ours, sizeof(ours), "%s/bin:%s", box, path);
	setenv("PATH", ours, 1);
	all(false, false);
	assert_string_equal(res[0].err.msg, "cannot reach peer 'c' at 'ssh://host/c': Connection refused");
	must("grep -q 'BatchMode=yes.*ConnectTimeout=5 ' args && rm args");
	must("git -C a config core.sshCommand 'ssh -o UsersOwn=1'");
	all(false, false);
	must("grep -q UsersOwn=1 args && ! grep -q BatchMode args");
	setenv("PATH", path, 1);
	free(path);
}

static void a_push_from_a_peer_counts_as_contact(void **state)
{
	(void)state;
	add("b", "b");
	peer_heard(&repo, "b");
	peer_heard(&repo, "../../x");
	list();
	assert_true(peers.v[0].contact > 1700000000);
	must("[ ! -e a.git/x ] && [ ! -e x ]");
}

static void broken_notes_read_as_nothing(void **state)
{
	char two_lines[] = "two\nlines";
	struct note n = { .contact = 5 }, m;

	(void)state;
	memset(n.sent.h, 0xab, OID_RAW);
	n.trouble = two_lines;
	note_write(&n, repo.gitdir, "b");
	note_read(&m, repo.gitdir, "b");
	assert_int_equal(m.contact, 5);
	assert_true(oid_eq(&m.sent, &n.sent));
	assert_string_equal(m.trouble, "two");
	note_release(&m);
	must("printf 'sent 12\\ncontact x\\ntrouble \\nfuture 1\\n\\001\\002' > a.git/maildir/peer/b");
	note_read(&m, repo.gitdir, "b");
	assert_true(oid_is_zero(&m.sent));
	assert_int_equal(m.contact, 0);
	assert_null(m.trouble);
	must("head -c 100000 /dev/zero > a.git/maildir/peer/b");
	note_read(&m, repo.gitdir, "b");
	assert_null(m.trouble);
	assert_string_equal(box_out("ls -A a.git/maildir/peer"), "b");
}

static void it_is_noted_since_when_a_peer_is_down(void **state)
{
	struct note n = { .contact = 5 };

	(void)state;
	assert_false(note_is_down(&n, 1000000));
	note_trouble(&n, "no route", false, 1000000);
	note_trouble(&n, "refused", true, 1000050);
	note_write(&n, repo.gitdir, "b");
	note_release(&n);
	note_read(&n, repo.gitdir, "b");
	assert_int_equal(n.since, 1000000);
	assert_int_equal(n.failed, 1000050);
	assert_true(n.refused);
	assert_string_equal(n.trouble, "refused");
	assert_false(note_is_down(&n, 1000060));
	assert_true(note_is_down(&n, 1000061));
	/* Nobody has tried for a long time. */
	assert_false(note_is_down(&n, 1000650));
	/* The clock was set back: the next failure puts it right. */
	assert_false(note_is_down(&n, 5000));
	note_trouble(&n, "no route", false, 5000);
	assert_int_equal(n.since, 5000);
	note_trouble(&n, "no route", false, 5070);
	assert_true(note_is_down(&n, 5070));
	note_no_trouble(&n);
	assert_false(note_is_down(&n, 5070));
	note_write(&n, repo.gitdir, "b");
	assert_string_equal(box_out("cat a.git/maildir/peer/b"), "contact 5");
	note_release(&n);
}

static void a_peer_that_only_gives_is_still_in_trouble(void **state)
{
	struct note n;

	(void)state;
	add("b", "b");
	must("printf '#!/bin/sh\necho full >&2; exit 1\n' > b.git/hooks/update; chmod +x b.git/hooks/update");
	all(true, false);
	assert_int_equal(res[0].state, ERR_UNREACHABLE);
	all(false, false);
	assert_int_equal(res[0].state, 0);
	note_read(&n, repo.gitdir, "b");
	assert_true(n.refused && n.since && n.trouble);
	assert_non_null(strstr(n.trouble, "full"));
	note_release(&n);
	must("rm b.git/hooks/update");
	all(true, false);
	note_read(&n, repo.gitdir, "b");
	assert_false(n.refused || n.since || n.trouble);
	note_release(&n);
}

static void a_detached_head_is_no_state_to_exchange(void **state)
{
	struct peer *none[1];

	(void)state;
	must("git -C a checkout -q --detach");
	repo_close(&repo);
	assert_int_equal(repo_open(&repo, box_path("a"), &err), 0);
	assert_int_equal(peer_fetch(&repo, none, 0, res, &err), ERR_FAIL);
	assert_int_equal(peer_push(&repo, none, 0, false, res, &err), ERR_FAIL);
	assert_int_equal(peer_add(&repo, "b", "b", &err), ERR_NOTMEMBER);
}

static void remote_reason(const char *text, const char *want)
{
	struct bytes b = { 0 };
	char out[64];

	bytes_addstr(&b, text);
	assert_string_equal(reason_remote(out, sizeof(out), &b), want);
	bytes_release(&b);
}

static void what_a_hook_says_is_found_among_progress(void **state)
{
	(void)state;
	remote_reason("Writing objects: 100% (1/1)\rremote: Resolving deltas: 100% (1/1), done.        \nremote: no room\x1b[0m   \nremote: error: hook declined to update refs/x        \n", "no room?[0m");
	remote_reason("remote: \nTo x\n", "");
	remote_reason("", "");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_can_be_refs_and_files_are_good),
		cmocka_unit_test(what_a_hook_says_is_found_among_progress),
		T(a_peer_added_works_for_git_by_hand),
		T(remotes_that_are_no_peers_are_left_alone),
		T(removing_a_peer_leaves_nothing_of_it),
		T(a_member_says_what_it_is_called),
		T(fetching_and_pushing_tells_both_what_the_other_has),
		T(a_hook_environment_changes_nothing),
		T(a_peer_that_is_gone_delays_no_other_and_is_named),
		T(a_peer_that_has_recorded_nothing_yet_is_no_trouble),
		T(a_member_with_no_commit_pushes_nothing),
		T(the_reason_that_the_peers_hook_gives_is_told),
		T(a_peer_that_hangs_is_given_up),
		T(a_peer_that_dies_half_way_leaves_nothing_behind),
		T(a_reference_that_two_want_at_once_is_tried_again),
		T(ssh_does_not_ask_for_passwords),
		T(a_push_from_a_peer_counts_as_contact),
		T(broken_notes_read_as_nothing),
		T(it_is_noted_since_when_a_peer_is_down),
		T(a_peer_that_only_gives_is_still_in_trouble),
		T(a_detached_head_is_no_state_to_exchange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
