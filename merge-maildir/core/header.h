/*
 * header.h -- the header of a message: a field of it, and how it is shown to people.
 *
 * Messages come from anybody: any byte can be anywhere, and nothing has to be a header at all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

/*
 * header_field: appends the value of the first field of this name, unfolded and without white space around it; at most 2,000
 * bytes of it. False, and nothing appended, if the header, which ends at the first empty line, has no such field.
 */
bool header_field(const char *message, size_t len, const char *field, struct bytes *value);

/* header_bare_id: the part of a Message-ID between '<' and '>', or all of it if it has no such part. Points into s. */
const char *header_bare_id(const char *s, size_t len, size_t *barelen);

/*
 * header_show: appends s fit for a terminal and for one line, at most most bytes: well-formed UTF-8 stays, but for controls and
 * what changes the direction of writing; of what is left each byte becomes '?', white space a single space.
 */
void header_show(struct bytes *out, const char *s, size_t len, size_t most);

#endif
