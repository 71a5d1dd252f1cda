/*
 * test_ssh.c -- which urls are for ssh, which of them share a connection, and what ssh says of host keys.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "repo/reason.h"
#include "repo/ssh.h"

static void host_is(const char *url, const char *host)
{
	size_t len = 0;
	const char *s = ssh_host(url, &len);

	if (!host) {
		assert_null(s);
		return;
	}
	assert_non_null(s);
	assert_int_equal(len, strlen(host));
	assert_memory_equal(s, host, len);
}

static void a_url_for_ssh_is_known(void **state)
{
	(void)state;
	host_is("mx2:Maildir.git", "mx2");
	host_is("joe@mx2:/home/joe/Maildir.git", "joe@mx2");
	host_is("[::1]:Maildir.git", "[::1]");
	host_is("ssh://joe@mx2:2222/~/Maildir.git", "ssh://joe@mx2:2222");
	host_is("ssh://mx2", "ssh://mx2");
	host_is("git+ssh://mx2/x", "git+ssh://mx2");
	host_is("ssh+git://[::1]:22/x", "ssh+git://[::1]:22");
	host_is("/home/joe/Maildir.git", NULL);
	host_is("../Maildir.git", NULL);
	host_is("Maildir.git", NULL);
	host_is("./a:b", NULL);
	host_is("dir/a:b", NULL);
	host_is(":x", NULL);
	host_is("[::1", NULL);
	host_is("ssh:///x", NULL);
	host_is("https://mx2/x", NULL);
	host_is("file:///x", NULL);
	host_is("git://mx2/x", NULL);
	host_is("", NULL);
}

static void the_path_of_a_url_is_known(void **state)
{
	(void)state;
	assert_string_equal(ssh_path("mx2:Maildir.git"), "Maildir.git");
	assert_string_equal(ssh_path("mx2:/srv/a.git"), "/srv/a.git");
	assert_string_equal(ssh_path("[::1]:~/a.git"), "~/a.git");
	assert_string_equal(ssh_path("ssh://mx2:22/srv/a.git"), "/srv/a.git");
	assert_string_equal(ssh_path("ssh://mx2/~/a.git"), "~/a.git");
	assert_string_equal(ssh_path("ssh://mx2"), "");
	assert_null(ssh_path("/srv/a.git"));
	assert_null(ssh_path("https://mx2/a.git"));
}

/* The environment as it would be for a repository that shares connections in /run/x. */
static const char *socket_of(struct arena *a, const char *url, bool alone)
{
	struct ssh s = { .asked = true, .ours = true, .dir = "/run/x" };
	const char *socket;
	const char *const *env = ssh_env(&s, url, alone, a, &socket);
	bool said = false;

	for (; *env; env++)
		said |= strncmp(*env, "GIT_SSH_COMMAND=", 16) == 0 && socket && strstr(*env, socket);
	assert_true(said == (socket != NULL));
	return socket;
}

static void one_host_has_one_connection(void **state)
{
	struct arena a = { 0 };

	(void)state;
	assert_string_equal(socket_of(&a, "mx2:a.git", false), socket_of(&a, "mx2:b.git", false));
	assert_string_equal(socket_of(&a, "ssh://mx2:22/a", false), socket_of(&a, "ssh://mx2:22/b", false));
	assert_string_not_equal(socket_of(&a, "mx2:a.git", false), socket_of(&a, "mx3:a.git", false));
	assert_string_not_equal(socket_of(&a, "mx2:a.git", false), socket_of(&a, "joe@mx2:a.git", false));
	assert_string_not_equal(socket_of(&a, "ssh://mx2:22/a", false), socket_of(&a, "ssh://mx2:23/a", false));
	assert_null(socket_of(&a, "mx2:a.git", true));
	assert_null(socket_of(&a, "/home/joe/a.git", false));
	arena_release(&a);
}

static void reason_is(const char *stderr_text, const char *reason)
{
	struct bytes b = { 0 };
	char out[512];

	bytes_addstr(&b, stderr_text);
	assert_string_equal(reason_of(out, sizeof(out), &b), reason);
	bytes_release(&b);
}

static void a_host_key_is_one_line(void **state)
{
	static const char end[] = "Host key verification failed.\r\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n";
	struct bytes b = { 0 };
	char out[512];

	(void)state;
	bytes_addstr(&b, "@@@@@@@@@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@@@@@@@@@\r\nIT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n"
			 "The fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc.\r\nPlease contact your system administrator.\r\n"
			 "Add correct host key in /home/joe/.ssh/known_hosts to get rid of this message.\r\nOffending ED25519 key in /home/joe/.ssh/known_hosts:3\r\n"
			 "  remove with:\r\n  ssh-keygen -f \"/home/joe/.ssh/known_hosts\" -R \"mx2\"\r\nHost key for mx2 has changed and you have requested strict checking.\r\n");
	bytes_addstr(&b, end);
	assert_string_equal(reason_of(out, sizeof(out), &b), "its host key has changed: if that is right, remove the old one, '/home/joe/.ssh/known_hosts:3'");
	bytes_clear(&b);
	bytes_addstr(&b, "No ED25519 host key is known for mx2 and you have requested strict checking.\r\n");
	bytes_addstr(&b, end);
	assert_string_equal(reason_of(out, sizeof(out), &b), "its host key is not known here: log in once by hand, and compare it");
	/* Cut in any place it does no harm. */
	for (size_t n = b.len; n-- > 0;) {
		b.buf[n] = '\0';
		b.len = n;
		reason_of(out, sizeof(out), &b);
	}
	bytes_release(&b);
	bytes_addstr(&b, "mux_client_request_session: read from master failed: Broken pipe\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n");
	assert_false(reason_is_there(&b));
	bytes_addstr(&b, "git-maildir-shell: no\n");
	assert_true(reason_is_there(&b));
	bytes_release(&b);
	reason_is("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n", "its host key has changed: if that is right, remove the old one, 'known_hosts'");
	reason_is("mux_client_request_session: session request failed: Session open refused by peer\nControlSocket /run/x already exists, disabling multiplexing\n"
		  "git-maildir-shell: 'x' is not for you\nfatal: Could not read from remote repository.\n", "git-maildir-shell: 'x' is not for you");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_for_ssh_is_known),
		cmocka_unit_test(the_path_of_a_url_is_known),
		cmocka_unit_test(one_host_has_one_connection),
		cmocka_unit_test(a_host_key_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
