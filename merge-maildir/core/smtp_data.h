/*
 * smtp_data.h -- a message as SMTP sends it after DATA, on its way to a file: dots, line ends, and where it ends.
 *
 * Only CR LF "." CR LF ends a message. Whoever takes LF "." LF for the end as well lets a sender put a second message, with any sender he likes, into the first: so a line feed
 * or CR that stands alone is like any other byte, and stays. CR LF becomes LF.
 *
 * The header is looked at on the way, because lines are put in front of it: one line before it that begins with "From " is mbox's, and goes; and where a line comes that can belong to no header, an empty
 * line is put in front of it, or the text would be part of the header. Mail servers do that when they store mail.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

/* The longest name of a header field that is believed to be one. */
#define SMTP_NAME_MOST 250

/* Zero-initialise to start a message. */
struct smtp_data {
	bool done;	      /* the end was seen */
	int at;		      /* where in a line, as the wire has it */
	bool in_body, begun;  /* as the file has it */
	int part;	      /* of a line of the header */
	size_t nheld;
	char held[SMTP_NAME_MOST + 8]; /* the beginning of a line of which is not known yet what it is */
};

/* smtp_data_feed: appends to out what these bytes give. Returns how many were taken: all, or those up to the end of the message, and then done is set. */
size_t smtp_data_feed(struct smtp_data *d, const char *in, size_t len, struct bytes *out);

#endif
