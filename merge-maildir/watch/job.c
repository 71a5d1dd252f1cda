/*
 * job.c -- a piece of work for one member, done by a child process.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "duty.h"

/* Above the standard streams only what it reports to. */
#define REPORT_FD 3

static void close_pair(int fd[2])
{
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static _Noreturn void child(struct job *j, bool verbose, int out, int report)
{
	static const int reset[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	sigset_t none;
	int status;

	/* ^C on a terminal is for the watcher, which lets its children finish. */
	setpgid(0, 0);
	/* Not through our descriptors: a watcher's lock must go with the watcher, and a child may outlive it. */
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 || dup2(report, REPORT_FD) < 0)
		_exit(125);
	close_range(REPORT_FD + 1, ~0U, 0);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		signal(reset[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	status = duty_do(j, verbose, REPORT_FD);
	fflush(stdout);
	_exit(status);
}

struct job *job_start(enum job_kind kind, struct ward *ward, struct link *link, bool full, bool verbose, int64_t now)
{
	struct job *j = mem_zalloc(sizeof(*j));
	int out[2] = { -1, -1 }, report[2] = { -1, -1 };

	*j = (struct job){ .kind = kind, .ward = ward, .link = link, .host = link ? link->host : NULL, .full = full, .since = now };
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) < 0 ||
	    fcntl(report[0], F_SETFL, O_NONBLOCK) < 0 || (fflush(NULL), j->pid = fork()) < 0) {
		int e = errno;

		close_pair(out);
		close_pair(report);
		free(j);
		errno = e;
		return NULL;
	}
	if (j->pid == 0)
		child(j, verbose, out[1], report[1]);
	close(out[1]);
	close(report[1]);
	j->out = out[0];
	j->report = report[0];
	return j;
}

static void take(int *fd, struct bytes *to)
{
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, bytes_reserve(to, 4096), 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(*fd);
			*fd = -1;
			return;
		}
		to->len += (size_t)n;
		to->buf[to->len] = '\0';
	}
}

void job_read(struct job *j, bool end, void (*line)(struct job *j, const char *text))
{
	size_t at = 0;

	take(&j->out, &j->said);
	take(&j->report, &j->reported);
	while (at < j->said.len) {
		char *text = j->said.buf + at, *nl = memchr(text, '\n', j->said.len - at);

		if (!nl && !end)
			break;
		at = nl ? (size_t)(nl - j->said.buf) + 1 : j->said.len;
		if (nl)
			*nl = '\0';
		if (*text)
			line(j, text);
	}
	if (at) {
		memmove(j->said.buf, j->said.buf + at, j->said.len - at);
		j->said.len -= at;
	}
}

void job_free(struct job *j)
{
	if (j->out >= 0)
		close(j->out);
	if (j->report >= 0)
		close(j->report);
	bytes_release(&j->said);
	bytes_release(&j->reported);
	free(j);
}
