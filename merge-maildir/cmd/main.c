/*
 * main.c -- git-maildir, and the two names that git itself calls it by.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "self.h"
#include "verbs.h"

/* Programs of their own: they must start fast, or need what would make the others start late. */
static int other_main(int argc, char **argv)
{
	char name[64];

	(void)argc;
	snprintf(name, sizeof(name), "git-maildir-%s", argv[0]);
	execv(self_program(name), argv);
	exit_warn("cannot run '%s': %s", self_program(name), strerror(errno));
	return EXIT_ENVIRONMENT;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
} verbs[] = {
	{ "init", init_main, "turn an existing Maildir into a member" },
	{ "clone", clone_main, "make a new member from a living one" },
	{ "peer", peers_main, "add, remove and list the other members" },
	{ "record", record_main, "commit what changed in the Maildir" },
	{ "sync", sync_main, "record, fetch, merge, apply and push" },
	{ "watch", other_main, "do all of that at once whenever something changes" },
	{ "push", push_main, "send the recorded state to the peers" },
	{ "status", status_main, "show peers and changes that are not recorded" },
	{ "prune", prune_main, "drop history that nobody needs any more" },
	{ "verify", verify_main, "audit the member" },
	{ "log", log_main, "show what happened to a folder or a message" },
	{ "restore", restore_main, "bring back what was deleted" },
	{ "deliver", deliver_main, "take a message from a mail server" },
	{ "hook", hook_main, NULL }, /* called by the hooks that init installs */
	{ "wake", wake_main, NULL },   /* called by whoever applies a merge */
	{ "clean", clean_main, NULL }, /* called by git: the filter that init configures */
};

static int help(FILE *to)
{
	fprintf(to, "usage: git maildir <command> [<args>]\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (verbs[i].does)
			fprintf(to, "    %-8s %s\n", verbs[i].name, verbs[i].does);
	fprintf(to, "\nSee 'man git-maildir' and 'man gitmaildir'.\n");
	return to == stdout ? EXIT_DONE : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *base = strrchr(argv[0], '/');

	base = base ? base + 1 : argv[0];
	/* A peer that dies while we write to it is an error to report, not a reason to die silently. */
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(base, "git-merge-maildir"))
		return strategy_main(argc, argv);
	if (!strcmp(base, "merge-maildir"))
		return driver_main(argc, argv);
	if (argc < 2)
		return help(stderr);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help"))
		return help(stdout);
	if (!strcmp(argv[1], "--version")) {
		puts("git-maildir " GIT_MAILDIR_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	exit_warn("'%s' is not a command", argv[1]);
	return help(stderr);
}
