/*
 * delivery.c -- one message into the Maildir of a member, or of several, and onto their peers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "../disk/folder.h"
#include "../repo/gitdir.h"
#include "../repo/io.h"
#include "../repo/note.h"
#include "say.h"

/* For the handler of signals. */
static struct delivery *current;
static volatile sig_atomic_t placed; /* the message is in new/: a signal only ends the waiting */
static volatile sig_atomic_t stopped;
static int words_fd = -1;
static const char *words = "";

/* --- signals */

static void on_signal(int sig)
{
	ssize_t ignored;

	(void)sig;
	stopped = 1;
	if (placed)
		return;
	for (size_t i = 0; current && i < current->n; i++)
		arrival_abort(&current->targets[i]->arrival);
	ignored = write(words_fd, words, strlen(words));
	(void)ignored;
	_exit(EX_TEMPFAIL);
}

static void on_limit(int sig)
{
	(void)sig; /* The write fails, and says why. */
}

void delivery_catch(int fd, const char *last_words)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU };
	struct sigaction sa = { .sa_handler = on_signal }, before;
	sigset_t none;

	words_fd = fd;
	words = last_words;
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

bool delivery_stopped(void)
{
	return stopped;
}

static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, before);
}

static void restore_signals(const sigset_t *before)
{
	sigprocmask(SIG_SETMASK, before, NULL);
}

/* --- where to */

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

/* The folder, made if it is not there. */
static int find_folder(struct disk *d, const char *meant, char path[PATH_MAX], struct err *err)
{
	int rc = folder_find(d, meant, path, err);

	return rc < 0 ? rc : rc ? 0 : folder_make(d, path, err);
}

static void target_free(struct target *t)
{
	arrival_release(&t->arrival);
	policy_release(&t->policy);
	disk_close(&t->disk);
	bytes_release(&t->head);
	free(t->maildir);
	free(t->gitdir);
	free(t->program);
	free(t);
}

static int target_open(struct target *t, const struct wishes *w, struct err *err)
{
	struct policy *p = &t->policy;
	int rc = disk_open(&t->disk, t->maildir, err);

	if (!rc)
		rc = check_owner(&t->disk, err);
	if (!rc && !(t->gitdir = gitdir_of(t->maildir, err)))
		rc = err->code;
	if (!rc)
		rc = policy_read(p, t->gitdir, err);
	if (!rc)
		rc = find_folder(&t->disk, w->folder, t->folder, err);
	if (rc)
		return rc;
	p->ack = w->ack >= 0 ? (size_t)w->ack : p->ack;
	p->timeout = w->timeout >= 0 ? (int)w->timeout : p->timeout;
	p->defer = w->defer_given ? w->defer : p->defer;
	if (p->defer && p->ack > p->npeers)
		return err_set(err, ERR_UNREACHABLE, "deferred: %zu peers were asked for, and there are %zu", p->ack, p->npeers);
	t->program = find_program();
	t->await = (struct await){ .gitdir = t->gitdir, .maildir = t->disk.path, .program = t->program, .peers = p->peers, .npeers = p->npeers,
				   .wanted = p->ack, .timeout = p->timeout, .skip_down = !p->defer, .stop = &stopped };
	return 0;
}

struct target *delivery_add(struct delivery *dl, const char *maildir, const struct wishes *w, struct err *err)
{
	struct target *t;

	for (size_t i = 0; i < dl->n; i++)
		if (!strcmp(dl->targets[i]->maildir, maildir))
			return dl->targets[i];
	if (dl->n == DELIVERY_MOST) {
		err_set(err, ERR_NOSPACE, "no more than %d Maildirs can get a message at a time", DELIVERY_MOST);
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	t->maildir = memcpy(mem_alloc(strlen(maildir) + 1), maildir, strlen(maildir) + 1);
	if (target_open(t, w, err)) {
		target_free(t);
		return NULL;
	}
	current = dl;
	dl->targets[dl->n] = t;
	dl->n++;
	return t;
}

/* --- the message */

int delivery_read(struct delivery *dl, int fd, struct err *err)
{
	struct target *t = dl->targets[0];
	int rc = arrival_open(&t->arrival, &t->disk, t->folder, err);

	return rc ? rc : arrival_read(&t->arrival, fd, err);
}

int delivery_begin(struct delivery *dl, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < dl->n && !rc; i++) {
		struct target *t = dl->targets[i];

		rc = arrival_open(&t->arrival, &t->disk, t->folder, err);
		if (!rc)
			rc = arrival_begin(&t->arrival, err);
		if (!rc)
			rc = arrival_write(&t->arrival, t->head.buf, t->head.len, err);
	}
	return rc;
}

int delivery_write(struct delivery *dl, const char *buf, size_t len, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < dl->n && !rc; i++)
		rc = arrival_write(&dl->targets[i]->arrival, buf, len, err);
	return rc;
}

/* Takes it back, and tells those who have it already. As arrival_withdraw(). */
static int withdraw(struct target *t, struct err *err)
{
	int rc = arrival_withdraw(&t->arrival, err);

	if (!rc)
		await_start(&(struct await){ .gitdir = t->await.gitdir, .maildir = t->await.maildir, .program = t->await.program });
	return rc;
}

/* The names are changed and "placed" set in one piece, as far as signals go. */
int delivery_place(struct delivery *dl, struct err *err)
{
	sigset_t before;
	size_t n = 0;
	int rc = 0;

	block_signals(&before);
	while (n < dl->n && !(rc = arrival_place(&dl->targets[n]->arrival, dl->targets[n]->policy.name, err)))
		n++;
	if (rc)
		while (n)
			withdraw(dl->targets[--n], NULL);
	placed = !rc;
	restore_signals(&before);
	return rc;
}

/* --- its peers */

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

static void say_accepted(const struct target *t, const char *but)
{
	const struct await *w = &t->await;
	char why[512];

	why_not(w, why, sizeof(why));
	say("accepted: '%s' is on %zu of %zu peers so far, %zu were asked for%s%s", t->arrival.name, w->acked, w->npeers, w->wanted, but, why);
}

/* Too few peers have the message, and it is not to stay then. Whether it is gone, or could not be taken back. */
static bool defer(struct target *t)
{
	const struct await *w = &t->await;
	char why[512];
	struct err err;
	int rc;

	why_not(w, why, sizeof(why));
	rc = withdraw(t, &err);
	if (rc == 1)
		say_accepted(t, ", but a client has it already");
	else if (rc) /* It is there, and if the mail server tries again it is there twice; that is better than not at all. */
		say("%s", err.msg);
	else
		say("deferred: the message was on %zu of %zu peers, %zu were asked for%s", w->acked, w->npeers, w->wanted, why);
	return rc != 1;
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

static int now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int)t.tv_sec;
}

/* All wait at the same time, as it were: gone seconds of it have been spent on others. */
static void wait_for(struct target *t, int gone)
{
	struct await *w = &t->await;

	w->timeout = gone < w->timeout ? w->timeout - gone : 0;
	t->few = w->wanted && await_peers(w) < w->wanted;
	if (t->few && !t->policy.defer)
		say_accepted(t, "");
	else if (!t->few && w->trouble.code)
		say("%s: the message is recorded later", w->trouble.msg);
}

int delivery_wait(struct delivery *dl)
{
	int since = now_s();
	bool deferred = false;
	struct moment now;
	size_t i;

	moment_now(&now);
	raise_limits();
	for (i = 0; i < dl->n; i++) {
		now.ns = dl->targets[i]->arrival.placed_ns;
		dl->targets[i]->await.since = now;
		await_start(&dl->targets[i]->await);
	}
	for (i = 0; i < dl->n; i++)
		wait_for(dl->targets[i], i ? now_s() - since : 0);
	for (i = 0; i < dl->n; i++)
		if (dl->targets[i]->few && dl->targets[i]->policy.defer)
			deferred |= defer(dl->targets[i]);
	/* The mail server will hand it over again for all. */
	for (i = 0; i < dl->n && deferred; i++)
		if (!dl->targets[i]->few || !dl->targets[i]->policy.defer)
			withdraw(dl->targets[i], NULL);
	return deferred ? EX_TEMPFAIL : EX_OK;
}

void delivery_release(struct delivery *dl)
{
	sigset_t before;

	block_signals(&before);
	for (size_t i = 0; i < dl->n; i++)
		target_free(dl->targets[i]);
	dl->n = 0;
	placed = 0;
	restore_signals(&before);
}
