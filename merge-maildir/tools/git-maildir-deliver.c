/*
 * git-maildir-deliver.c -- a mail delivery agent: a message on standard input is on disk here, and on other members, when it ends with 0, or answers 250.
 *
 * Started for every message: without libgit2, whose start takes longer than the delivery.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "../core/mailbox.h"
#include "../repo/gitdir.h"
#include "../repo/io.h"
#include "delivery.h"
#include "say.h"
#include "smtp.h"

/* In the home directory. */
#define DEFAULT_MAILDIR "Maildir"

/* Seconds for which RFC 5321 lets a client be silent. */
#define SMTP_TIMEOUT 300

/* Whatever an administrator can put right makes the mail server try again. Only what no time can mend is for the sender. */
static int failed(const struct err *err)
{
	say("%s", err->msg);
	return err->code == ERR_UNSAFE ? EX_USAGE : EX_TEMPFAIL;
}

/* --- where to */

/* A closed standard stream would be given to the next file that is opened: to the message, and a warning would go into it. */
static void open_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* The Maildir: what was named, or the member that we are in, or the user's. malloc'ed. */
static char *find_maildir(const char *named, struct err *err)
{
	const char *home = getenv("HOME");
	char cwd[PATH_MAX], *found = NULL, *path;

	if (!named && getcwd(cwd, sizeof(cwd)) && *cwd == '/' && (found = gitdir_above(cwd)))
		return found;
	if (!named && (!home || *home != '/')) {
		err_set(err, ERR_NOTMEMBER, "no Maildir was named, and HOME is not set");
		return NULL;
	}
	path = named ? io_join(named, "") : io_join(home, DEFAULT_MAILDIR);
	found = realpath(path, NULL);
	if (!found)
		err_errno(err, "cannot find Maildir '%s'", named ? named : path);
	free(path);
	return found;
}

/* --- one message, on standard input */

#define PF_EXITING 0x4u

/*
 * Whether the process that was our parent is dead or dies just now: a pipe comes to its end before the kernel gives the children of a dying process to another one. The ninth of the fields
 * of proc(5)'s stat, counted from behind the name, in which anything can be, is the flags word; PF_EXITING is from the kernel's sched.h.
 */
static bool is_dying(pid_t parent)
{
	char path[64], stat[1024], state;
	unsigned flags = 0;
	const char *rest;
	ssize_t n;
	int fd;

	if (getppid() != parent)
		return true;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)parent);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return getppid() != parent;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	rest = strrchr(stat, ')');
	if (!rest || sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return getppid() != parent;
	return flags & PF_EXITING || state == 'Z' || state == 'X' || getppid() != parent;
}

static int receive(struct delivery *dl, struct err *err)
{
	pid_t parent = getppid();
	int rc = delivery_read(dl, STDIN_FILENO, err);

	/* Whoever hands us the message and dies in the middle cannot be told from one who is done, but by this. There is nobody to take our answer: it will be handed over again. */
	if (!rc && is_dying(parent))
		rc = err_set(err, ERR_AGAIN, "the process that handed over the message died");
	return rc ? rc : delivery_place(dl, err);
}

static int deliver(const char *named, const struct wishes *w)
{
	struct delivery dl = { 0 };
	char *maildir;
	struct err err;
	int status;

	delivery_catch(STDERR_FILENO, "git-maildir-deliver: ended by a signal before the message was stored\n");
	if (!(maildir = find_maildir(named, &err)))
		return failed(&err);
	if (!delivery_add(&dl, maildir, w, &err) || receive(&dl, &err))
		status = failed(&err);
	else
		status = delivery_wait(&dl);
	delivery_release(&dl);
	free(maildir);
	return status;
}

/* --- a connection */

/* spawn(8) and inetd(8) give us the connection as standard error, too: what is for the log would be taken for an answer. */
static bool errors_go_to_client(void)
{
	struct stat in, out, err;

	if (isatty(2) || fstat(2, &err))
		return false;
	return (!fstat(0, &in) && in.st_dev == err.st_dev && in.st_ino == err.st_ino) || (!fstat(1, &out) && out.st_dev == err.st_dev && out.st_ino == err.st_ino);
}

/* They tell us nothing of the user either; git and ssh want to know. */
static void find_home(void)
{
	struct passwd *pw = getenv("HOME") ? NULL : getpwuid(geteuid());

	if (pw)
		setenv("HOME", pw->pw_dir, 1);
}

/* As find_maildir(), of a name in which "%%" is a '%'. */
static char *find_fixed(const char *named, struct err *err)
{
	struct bytes path = { 0 };
	char *found = NULL;

	if (!named)
		return find_maildir(NULL, err);
	bytes_add(&path, "", 0);
	if (!mailbox_path(named, "", "", &path, err))
		found = find_maildir(path.buf, err);
	bytes_release(&path);
	return found;
}

static int serve(const char *named, const struct wishes *w, int timeout)
{
	struct smtp how = { .wishes = w, .timeout = timeout };
	char *maildir = NULL;
	int status, null;

	if (errors_go_to_client()) {
		say_to_log();
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0)
			dup2(null, 2);
	}
	find_home();
	delivery_catch(STDOUT_FILENO, SMTP_LAST_WORDS);
	if (named && mailbox_check(named, &how.why))
		return failed(&how.why);
	if (named && mailbox_varies(named))
		how.pattern = named;
	else
		how.maildir = maildir = find_fixed(named, &how.why);
	status = smtp_serve(&how);
	free(maildir);
	return status;
}

static const char usage[] = "usage: git-maildir-deliver [--folder=<folder>] [--ack=<peers>] [--ack-timeout=<seconds>] [--too-few=accept|defer] [<maildir>]\n"
			    "       git-maildir-deliver --smtp [--smtp-timeout=<seconds>] [--folder=<folder>] [--ack=<peers>] [--ack-timeout=<seconds>] "
			    "[--too-few=accept|defer] [<maildir>]";

static int bad_usage(const char *option, const char *value)
{
	if (value)
		say("bad value '%s' of %s", value, option);
	else
		fprintf(stderr, "%s\n", usage);
	return EX_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = { { "folder", required_argument, NULL, 'f' },
						  { "ack", required_argument, NULL, 'a' },
						  { "ack-timeout", required_argument, NULL, 't' },
						  { "too-few", required_argument, NULL, 'w' },
						  { "smtp", no_argument, NULL, 's' },
						  { "smtp-timeout", required_argument, NULL, 'i' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct wishes o = { .folder = "", .ack = -1, .timeout = -1 };
	long silence = -1;
	bool smtp = false;
	const char *maildir;
	int c;

	open_streams();
	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'f': o.folder = optarg; break;
		case 'a':
			if ((o.ack = policy_number(optarg)) < 0)
				return bad_usage("--ack", optarg);
			break;
		case 't':
			if ((o.timeout = policy_number(optarg)) < 0)
				return bad_usage("--ack-timeout", optarg);
			break;
		case 'w':
			if (!policy_fallback(optarg, &o.defer))
				return bad_usage("--too-few", optarg);
			o.defer_given = true;
			break;
		case 's': smtp = true; break;
		case 'i':
			if ((silence = policy_number(optarg)) < 1)
				return bad_usage("--smtp-timeout", optarg);
			break;
		case 'h': puts(usage); return EX_OK;
		default: return bad_usage(NULL, NULL);
		}
	if (argc - optind > 1 || (silence >= 0 && !smtp))
		return bad_usage(NULL, NULL);
	maildir = argc > optind ? argv[optind] : NULL;
	return smtp ? serve(maildir, &o, silence > 0 ? (int)silence : SMTP_TIMEOUT) : deliver(maildir, &o);
}
