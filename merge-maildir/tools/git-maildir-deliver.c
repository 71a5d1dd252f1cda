/*
 * git-maildir-deliver.c -- a mail delivery agent: a message on standard input is on disk here, and on other members, when it ends with 0.
 *
 * Started for every message: without libgit2, whose start takes longer than the delivery.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "../core/mem.h"
#include "../disk/arrival.h"
#include "../disk/folder.h"
#include "../repo/await.h"
#include "../repo/gitdir.h"
#include "../repo/io.h"
#include "../repo/note.h"
#include "../repo/policy.h"

/* In the home directory. */
#define DEFAULT_MAILDIR "Maildir"

/* What the command line asks for; what it does not say comes from the configuration. */
struct options {
	const char *folder, *maildir;
	long ack, timeout; /* -1: not given */
	bool defer, defer_given;
};

static struct arrival arrival;
static volatile sig_atomic_t placed; /* the message is in new/: a signal only ends the waiting */
static volatile sig_atomic_t stopped;

/* One line for the log of the mail server, whatever bytes are in names. */
__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	char line[1500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *s = line; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	fprintf(stderr, "git-maildir-deliver: %s\n", line);
}

/* Whatever an administrator can put right makes the mail server try again. Only what no time can mend is for the sender. */
static int failed(const struct err *err)
{
	say("%s", err->msg);
	return err->code == ERR_UNSAFE ? EX_USAGE : EX_TEMPFAIL;
}

/* --- signals */

static void on_signal(int sig)
{
	static const char text[] = "git-maildir-deliver: ended by a signal before the message was stored\n";
	ssize_t ignored;

	(void)sig;
	stopped = 1;
	if (placed)
		return;
	arrival_abort(&arrival);
	ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void)ignored;
	_exit(EX_TEMPFAIL);
}

static void on_limit(int sig)
{
	(void)sig; /* The write fails, and says why. */
}

static void catch_signals(void)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU };
	struct sigaction sa = { .sa_handler = on_signal }, before;
	sigset_t none;

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(ending) / sizeof(*ending); i++)
		sigaddset(&sa.sa_mask, ending[i]);
	for (size_t i = 0; i < sizeof(ending) / sizeof(*ending); i++)
		/* As nohup(1) has it. */
		if (sigaction(ending[i], NULL, &before) < 0 || before.sa_handler != SIG_IGN)
			sigaction(ending[i], &sa, NULL);
	sa.sa_handler = on_limit;
	sigaction(SIGXFSZ, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Mail servers may have ignored or blocked what they start us with. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The name is changed and "placed" set in one piece, as far as signals go. */
static int place(const char *host, struct err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	rc = arrival_place(&arrival, host, err);
	placed = !rc;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
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
static char *find_maildir(const struct options *o, struct err *err)
{
	const char *home = getenv("HOME");
	char cwd[PATH_MAX], *found = NULL, *path;

	if (!o->maildir && getcwd(cwd, sizeof(cwd)) && *cwd == '/' && (found = gitdir_above(cwd)))
		return found;
	if (!o->maildir && (!home || *home != '/')) {
		err_set(err, ERR_NOTMEMBER, "no Maildir was named, and HOME is not set");
		return NULL;
	}
	path = o->maildir ? io_join(o->maildir, "") : io_join(home, DEFAULT_MAILDIR);
	found = realpath(path, NULL);
	if (!found)
		err_errno(err, "cannot find Maildir '%s'", o->maildir ? o->maildir : path);
	free(path);
	return found;
}

/* Files of root's in the Maildir of a user: no mail server of the user's could read them. */
static int check_owner(const struct disk *d, struct err *err)
{
	struct stat st;

	if (geteuid() != 0 || fstat(d->root, &st) < 0 || st.st_uid == 0)
		return 0;
	return err_set(err, ERR_ENV, "'%s' belongs to user %lu: run as that user, not as root", d->path, (unsigned long)st.st_uid);
}

/* git-maildir, beside us. malloc'ed. */
static char *find_program(void)
{
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = '\0';
	/* Without /proc the one in PATH will have to do. */
	if (!(slash = strrchr(self, '/')))
		return strdup("git-maildir");
	*slash = '\0';
	return io_join(self, "git-maildir");
}

/* --- the message */

static int receive(struct disk *d, const char *folder, const char *host, struct err *err)
{
	pid_t parent = getppid();
	int rc = arrival_open(&arrival, d, folder, err);

	if (!rc)
		rc = arrival_read(&arrival, STDIN_FILENO, err);
	/* Whoever hands us the message and dies in the middle cannot be told from one who is done, but by this. There is nobody to take our answer: it will be handed over again. */
	if (!rc && getppid() != parent)
		rc = err_set(err, ERR_AGAIN, "the process that handed over the message died");
	return rc ? rc : place(host, err);
}

/* What keeps the peers that have not answered: the first reason that is known, behind "; ". */
static void why_not(const struct await *w, char *out, size_t size)
{
	*out = '\0';
	if (w->trouble.code)
		snprintf(out, size, "; %.400s", w->trouble.msg);
	for (size_t i = 0; i < w->npeers && !*out; i++) {
		struct moment known;
		struct note note;

		ack_peer(w->gitdir, w->peers[i], &known);
		note_read(&note, w->gitdir, w->peers[i]);
		if (!moment_reached(&known, &w->since) && note.trouble)
			snprintf(out, size, "; %.400s", note.trouble);
		note_release(&note);
	}
}

/* Too few peers have the message. */
static int too_few(const struct await *w, bool defer)
{
	char why[512];
	struct err err;
	int rc = 0;

	why_not(w, why, sizeof(why));
	if (!defer) {
		say("accepted: '%s' is on %zu of %zu peers so far, %zu were asked for%s", arrival.name, w->acked, w->npeers, w->wanted, why);
		return EX_OK;
	}
	rc = arrival_withdraw(&arrival, &err);
	if (rc == 1) {
		say("accepted: '%s' is on %zu of %zu peers so far, %zu were asked for, but a client has it already%s", arrival.name, w->acked, w->npeers,
		    w->wanted, why);
		return EX_OK;
	}
	if (rc) {
		/* It is there, and if the mail server tries again it is there twice; that is better than not at all. */
		say("%s", err.msg);
		return EX_TEMPFAIL;
	}
	/* Those who have it already are told, too. */
	await_start(&(struct await){ .gitdir = w->gitdir, .maildir = w->maildir, .program = w->program });
	say("deferred: the message was on %zu of %zu peers, %zu were asked for%s", w->acked, w->npeers, w->wanted, why);
	return EX_TEMPFAIL;
}

/* Postfix limits the size of files: what we start is to write packs. */
static void raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur != r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_FSIZE, &r);
	}
}

static int deliver_to(struct disk *d, const char *gitdir, const struct policy *p, const char *path)
{
	char *program = find_program();
	struct await w = { .gitdir = gitdir, .maildir = d->path, .program = program, .peers = p->peers, .npeers = p->npeers, .wanted = p->ack,
			   .timeout = p->timeout, .skip_down = !p->defer, .stop = &stopped };
	struct err err;
	int status = EX_OK;

	if (p->defer && p->ack > p->npeers) {
		say("deferred: %zu peers were asked for, and there are %zu", p->ack, p->npeers);
		status = EX_TEMPFAIL;
	} else if (receive(d, path, p->name, &err)) {
		status = failed(&err);
	} else {
		moment_now(&w.since);
		raise_limits();
		await_start(&w);
		if (w.wanted && await_peers(&w) < w.wanted)
			status = too_few(&w, p->defer);
		else if (w.trouble.code)
			say("%s: the message is recorded later", w.trouble.msg);
	}
	arrival_release(&arrival);
	free(program);
	return status;
}

/* The folder, made if it is not there. */
static int find_folder(struct disk *d, const char *meant, char path[PATH_MAX], struct err *err)
{
	int rc = folder_find(d, meant, path, err);

	return rc < 0 ? rc : rc ? 0 : folder_make(d, path, err);
}

static int deliver(const struct options *o)
{
	struct policy p = { 0 };
	char *maildir, *gitdir = NULL, path[PATH_MAX];
	struct disk d = { 0 };
	struct err err;
	int status, rc;

	if (!(maildir = find_maildir(o, &err)))
		return failed(&err);
	rc = disk_open(&d, maildir, &err);
	if (!rc)
		rc = check_owner(&d, &err);
	if (!rc && !(gitdir = gitdir_of(maildir, &err)))
		rc = err.code;
	if (!rc)
		rc = policy_read(&p, gitdir, &err);
	if (!rc)
		rc = find_folder(&d, o->folder, path, &err);
	if (rc) {
		status = failed(&err);
	} else {
		p.ack = o->ack >= 0 ? (size_t)o->ack : p.ack;
		p.timeout = o->timeout >= 0 ? (int)o->timeout : p.timeout;
		p.defer = o->defer_given ? o->defer : p.defer;
		status = deliver_to(&d, gitdir, &p, path);
	}
	policy_release(&p);
	disk_close(&d);
	free(gitdir);
	free(maildir);
	return status;
}

static const char usage[] = "usage: git-maildir-deliver [--folder=<folder>] [--ack=<peers>] [--ack-timeout=<seconds>] [--too-few=accept|defer] [<maildir>]";

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
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct options o = { .folder = "", .ack = -1, .timeout = -1 };
	int c;

	open_streams();
	catch_signals();
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
		case 'h': puts(usage); return EX_OK;
		default: return bad_usage(NULL, NULL);
		}
	if (argc - optind > 1)
		return bad_usage(NULL, NULL);
	o.maildir = argc > optind ? argv[optind] : NULL;
	return deliver(&o);
}
