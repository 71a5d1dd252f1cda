/*
 * smtp.c -- the server's side of SMTP, on standard input and output.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "smtp.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../core/mailbox.h"
#include "../core/smtp_data.h"
#include "../core/smtp_line.h"
#include "say.h"

/* More than any mail server does by mistake. */
#define FAULTS_MOST 50

struct session {
	const struct smtp *how;
	char in[64 * 1024]; /* what has come: from pos to end */
	size_t pos, end;
	struct bytes out; /* replies that are not written yet */
	int closed;	  /* no more of this: the exit status is in status */
	int status;
	bool hello, mail;
	int faults;
	struct smtp_line cmd;
	char sender[SMTP_LINE_MOST + 1];
	struct delivery delivery;
	size_t recipients;
};

/* --- the connection */

static void leave(struct session *s, int status)
{
	if (!s->closed)
		s->status = status;
	s->closed = 1;
}

__attribute__((format(printf, 2, 3))) static void reply(struct session *s, const char *fmt, ...)
{
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	s->faults += *line == '5' && strncmp(line, "550", 3) != 0;
	bytes_addf(&s->out, "%s\r\n", line);
}

static bool can(int fd, short what, int timeout)
{
	struct pollfd p = { .fd = fd, .events = what };
	int n;

	do {
		n = poll(&p, 1, timeout * 1000);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static void flush(struct session *s)
{
	size_t done = 0;

	while (done < s->out.len) {
		ssize_t n = can(STDOUT_FILENO, POLLOUT, s->how->timeout) ? write(STDOUT_FILENO, s->out.buf + done, s->out.len - done) : -1;

		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			leave(s, EX_TEMPFAIL);
			break;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	bytes_clear(&s->out);
}

/* More of what the client says, when all that was there is used up. False when there will be none. */
static bool fill(struct session *s)
{
	ssize_t n;

	flush(s);
	if (s->closed)
		return false;
	s->pos = s->end = 0;
	for (;;) {
		if (!can(STDIN_FILENO, POLLIN, s->how->timeout)) {
			reply(s, "421 4.4.2 Nothing was said for too long");
			leave(s, EX_TEMPFAIL);
			return false;
		}
		n = read(STDIN_FILENO, s->in, sizeof(s->in));
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	if (n <= 0) {
		/* Between messages that is rude, and no more. */
		leave(s, s->mail ? EX_TEMPFAIL : EX_OK);
		return false;
	}
	s->end = (size_t)n;
	return true;
}

/* The next line, without its end, or as much of it as SMTP_LINE_MOST + 1. -1 at the end of the connection. */
static ssize_t read_line(struct session *s, char line[SMTP_LINE_MOST + 2])
{
	size_t len = 0;

	for (;;) {
		char c;

		if (s->pos == s->end && !fill(s))
			return -1;
		c = s->in[s->pos++];
		if (c == '\n')
			break;
		if (len <= SMTP_LINE_MOST)
			line[len++] = c;
	}
	if (len && len <= SMTP_LINE_MOST && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return (ssize_t)len;
}

/* --- a transaction */

static void reset(struct session *s)
{
	delivery_release(&s->delivery);
	s->mail = false;
	s->recipients = 0;
}

static void on_hello(struct session *s, bool extended)
{
	reset(s);
	s->hello = true;
	if (!extended) {
		reply(s, "250 localhost");
		return;
	}
	reply(s, "250-localhost");
	reply(s, "250-PIPELINING");
	reply(s, "250-SIZE");
	reply(s, "250-8BITMIME");
	reply(s, "250-SMTPUTF8");
	reply(s, "250 ENHANCEDSTATUSCODES");
}

static void on_mail(struct session *s)
{
	if (!s->hello || s->mail) {
		reply(s, s->mail ? "503 5.5.1 There is a sender already" : "503 5.5.1 Say EHLO or HELO first");
		return;
	}
	s->mail = true;
	memcpy(s->sender, s->cmd.address, strlen(s->cmd.address) + 1);
	reply(s, "250 2.1.0 Ok");
}

/* Whether what is the same for all users is there, and not an empty directory on which their disk is to be mounted. */
static bool is_mounted(const char *pattern)
{
	struct bytes fixed = { 0 }, path = { 0 };
	struct dirent *e;
	bool found = false;
	DIR *dir = NULL;

	bytes_add(&fixed, pattern, mailbox_fixed(pattern));
	bytes_addstr(&fixed, ".");
	if (!mailbox_path(fixed.buf, "", "", &path, NULL))
		dir = opendir(path.buf);
	while (dir && !found && (e = readdir(dir)))
		found = e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	bytes_release(&fixed);
	bytes_release(&path);
	return found;
}

/* The Maildir of the recipient, malloc'ed; NULL with err: ERR_NOTFOUND if there is no such user. */
static char *find_recipient(const struct session *s, struct err *err)
{
	const char *pattern = s->how->pattern;
	struct bytes path = { 0 };
	char *found = NULL;
	int e;

	if (!pattern && !s->how->maildir) {
		*err = s->how->why;
		/* Not the recipient's fault. */
		err->code = ERR_ENV;
	} else if (!pattern) {
		found = strdup(s->how->maildir);
	} else if (!mailbox_path(pattern, s->cmd.local, s->cmd.domain, &path, err)) {
		bytes_add(&path, "", 1);
		found = realpath(path.buf, NULL);
		e = errno;
		if (!found && (e == ENOENT || e == ENOTDIR) && is_mounted(pattern)) {
			err_set(err, ERR_NOTFOUND, "there is no '%s'", path.buf);
		} else if (!found) {
			errno = e;
			err_errno(err, "cannot find Maildir '%s'", path.buf);
			err->code = ERR_ENV;
		}
	}
	bytes_release(&path);
	return found;
}

/* Lines as local(8) puts them in front. */
static void add_head(const struct session *s, struct target *t)
{
	if (!t->head.len)
		bytes_addf(&t->head, "Return-Path: <%s>\n", s->sender);
	bytes_addf(&t->head, "Delivered-To: %s\n", s->cmd.address);
}

static void on_rcpt(struct session *s)
{
	struct target *t = NULL;
	struct err err;
	char *maildir;

	if (!s->mail) {
		reply(s, "503 5.5.1 There is no sender yet");
		return;
	}
	if (s->recipients >= DELIVERY_MOST) {
		reply(s, "452 4.5.3 No more recipients at a time");
		return;
	}
	maildir = find_recipient(s, &err);
	if (!maildir && err.code == ERR_NOTFOUND) {
		reply(s, "550 5.1.1 There is no such user here");
		return;
	}
	if (maildir)
		t = delivery_add(&s->delivery, maildir, s->how->wishes, &err);
	free(maildir);
	if (!t) {
		say("for <%s>: %s", s->cmd.address, err.msg);
		reply(s, err.code == ERR_NOSPACE ? "452 4.3.1 The disk is full, try again later" : err.code == ERR_UNREACHABLE ?
			 "451 4.3.0 There are too few servers, try again later" : "451 4.3.0 The mailbox is out of order, try again later");
		return;
	}
	add_head(s, t);
	s->recipients++;
	reply(s, "250 2.1.5 Ok");
}

/* Reads the message to its end, whatever becomes of it. An err_code, and the errno in err_no. Nothing to answer if the connection is at its end. */
static int receive(struct session *s, struct err *err, int *err_no)
{
	struct smtp_data data = { 0 };
	struct bytes text = { 0 };
	int rc = delivery_begin(&s->delivery, err);

	*err_no = errno;
	while (!data.done) {
		if (s->pos == s->end && !fill(s))
			break;
		s->pos += smtp_data_feed(&data, s->in + s->pos, s->end - s->pos, &text);
		if (!rc) {
			rc = delivery_write(&s->delivery, text.buf, text.len, err);
			*err_no = errno;
		}
		bytes_clear(&text);
	}
	bytes_release(&text);
	return rc;
}

static void on_data(struct session *s)
{
	char name[NAME_LONGEST + 1];
	int rc, e = 0;
	struct err err;

	if (!s->mail || !s->recipients) {
		reply(s, s->mail ? "554 5.5.1 There are no recipients" : "503 5.5.1 There is no sender yet");
		return;
	}
	reply(s, "354 Go on, a line with a single dot ends it");
	rc = receive(s, &err, &e);
	if (s->closed)
		return;
	if (!rc) {
		rc = delivery_place(&s->delivery, &err);
		e = 0;
	}
	if (rc) {
		say("from <%s>: %s", s->sender, err.msg);
		reply(s, rc == ERR_NOSPACE ? "452 4.3.1 The disk is full, try again later" : e == EFBIG ? "552 5.3.4 The message is too large" :
			 "451 4.3.0 The message could not be stored, try again later");
	} else {
		memcpy(name, s->delivery.targets[0]->arrival.name, sizeof(name));
		if (delivery_wait(&s->delivery) == EX_OK)
			reply(s, "250 2.0.0 Ok: stored as %s", name);
		else
			reply(s, "451 4.3.0 Too few servers have the message, try again later");
	}
	reset(s);
}

static void obey(struct session *s, const char *line, size_t len)
{
	const char *fault = smtp_line(&s->cmd, line, len);

	if (fault) {
		reply(s, "%s", fault);
		return;
	}
	switch (s->cmd.verb) {
	case SMTP_EHLO:
	case SMTP_HELO: on_hello(s, s->cmd.verb == SMTP_EHLO); break;
	case SMTP_MAIL: on_mail(s); break;
	case SMTP_RCPT: on_rcpt(s); break;
	case SMTP_DATA: on_data(s); break;
	case SMTP_RSET:
		reset(s);
		reply(s, "250 2.0.0 Ok");
		break;
	case SMTP_VRFY: reply(s, "252 2.5.0 Send it, and you will know"); break;
	case SMTP_QUIT:
		reply(s, "221 2.0.0 Goodbye");
		leave(s, EX_OK);
		break;
	default: reply(s, "250 2.0.0 Ok"); break;
	}
}

int smtp_serve(const struct smtp *how)
{
	struct session *s = mem_zalloc(sizeof(*s));
	char line[SMTP_LINE_MOST + 2];
	ssize_t len;
	int status;

	s->how = how;
	reply(s, "220 localhost ESMTP git-maildir");
	while (!s->closed && (len = read_line(s, line)) >= 0) {
		obey(s, line, (size_t)len);
		if (!s->closed && (delivery_stopped() || s->faults > FAULTS_MOST)) {
			reply(s, "%s", delivery_stopped() ? "421 4.3.2 Closing down, try again later" : "421 4.7.0 Too many mistakes");
			leave(s, EX_TEMPFAIL);
		}
	}
	flush(s);
	reset(s);
	bytes_release(&s->out);
	status = s->status;
	free(s);
	return status;
}
