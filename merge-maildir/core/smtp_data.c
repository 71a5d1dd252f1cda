/*
 * smtp_data.c -- a message as SMTP sends it after DATA, on its way to a file: dots, line ends, and where it ends.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "smtp_data.h"

#include <string.h>

/* Where in a line of the wire: it has CR LF at its end. */
enum { AT_START, AT_MIDDLE, AT_CR, AT_DOT, AT_DOT_CR };
/* What of a line of the header is known: it has LF at its end. */
enum { PART_NAME, PART_BLANK, PART_REST, PART_MBOX };

#define MBOX_FROM "From "

static bool is_name(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* The line that is held is a field of the header, or goes on with one. */
static void keep(struct smtp_data *d, struct bytes *out)
{
	bytes_add(out, d->held, d->nheld);
	d->nheld = 0;
	d->part = PART_REST;
}

/* It is none: what is held begins the text. */
static void begin_text(struct smtp_data *d, struct bytes *out)
{
	bytes_addstr(out, "\n");
	bytes_add(out, d->held, d->nheld);
	d->nheld = 0;
	d->in_body = true;
}

/* The line ended that was looked at, after its line feed. */
static void end_line(struct smtp_data *d)
{
	d->begun = true;
	d->part = PART_NAME;
	d->nheld = 0;
}

static void header_byte(struct smtp_data *d, char c, struct bytes *out)
{
	if (d->part == PART_MBOX || d->part == PART_REST) {
		if (d->part == PART_REST)
			bytes_add(out, &c, 1);
		if (c == '\n')
			end_line(d);
		return;
	}
	d->held[d->nheld++] = c;
	if (d->nheld == 1 && c == '\n') {
		bytes_add(out, d->held, d->nheld);
		d->nheld = 0;
		d->in_body = true;
	} else if (d->nheld == 1 && (c == ' ' || c == '\t')) {
		/* A first line cannot go on with anything. */
		if (d->begun)
			keep(d, out);
		else
			begin_text(d, out);
	} else if (c == ':' && d->nheld > 1) {
		keep(d, out);
	} else if (c == ' ' || c == '\t') {
		d->part = PART_BLANK;
		if (!d->begun && d->nheld == strlen(MBOX_FROM) && !memcmp(d->held, MBOX_FROM, d->nheld)) {
			/* What follows it is where the message begins. */
			d->nheld = 0;
			d->part = PART_MBOX;
		}
	} else if (d->part == PART_BLANK || !is_name((unsigned char)c)) {
		begin_text(d, out);
	}
	if (!d->in_body && d->nheld > SMTP_NAME_MOST)
		begin_text(d, out);
}

static void put(struct smtp_data *d, const char *s, size_t len, struct bytes *out)
{
	while (len && !d->in_body) {
		header_byte(d, *s++, out);
		len--;
	}
	if (len)
		bytes_add(out, s, len);
}

size_t smtp_data_feed(struct smtp_data *d, const char *in, size_t len, struct bytes *out)
{
	const char *s = in, *end = in + len, *cr;

	while (s < end && !d->done)
		switch (d->at) {
		case AT_START:
			if (*s == '.') {
				d->at = AT_DOT;
				s++;
			} else {
				d->at = AT_MIDDLE;
			}
			break;
		case AT_MIDDLE:
			cr = memchr(s, '\r', (size_t)(end - s));
			put(d, s, (size_t)((cr ? cr : end) - s), out);
			if (cr)
				d->at = AT_CR;
			s = cr ? cr + 1 : end;
			break;
		case AT_CR:
			if (*s == '\n') {
				put(d, "\n", 1, out);
				d->at = AT_START;
				s++;
			} else {
				put(d, "\r", 1, out);
				d->at = *s == '\r' ? AT_CR : AT_MIDDLE;
				s += *s == '\r';
			}
			break;
		case AT_DOT: /* It was put in front of a line that begins with a dot, or is the end. */
			if (*s == '\r') {
				d->at = AT_DOT_CR;
				s++;
			} else {
				d->at = AT_MIDDLE;
			}
			break;
		default:
			if (*s == '\n') {
				d->done = true;
				s++;
			} else {
				d->at = AT_CR;
			}
		}
	return (size_t)(s - in);
}
