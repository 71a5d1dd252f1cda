/*
 * smtp.h -- the server's side of SMTP, on standard input and output, for a mail server that passes on what its client says before it answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SMTP_H
#define SMTP_H

#include "delivery.h"

struct smtp {
	const char *pattern; /* the Maildir of a recipient: see mailbox_path(). NULL: maildir is that of all */
	const char *maildir; /* an absolute path without symbolic links; NULL with why: it could not be found */
	struct err why;
	const struct wishes *wishes;
	int timeout; /* seconds for which the client may be silent */
};

/* What is told to the client when a signal ends us. */
#define SMTP_LAST_WORDS "421 4.3.2 Closing down, try again later\r\n"

/*
 * smtp_serve: one connection, with as many messages as the client has. A message that was answered with 250 is delivered as one that git-maildir-deliver ends with 0 for; one that was not leaves nothing.
 * EX_OK: the client said goodbye, or went between messages; EX_TEMPFAIL: in the middle of one, or it was silent for too long.
 */
int smtp_serve(const struct smtp *how);

#endif
