/*
 * mailbox.h -- which Maildir the mail for an address goes to.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "mem.h"

/* mailbox_varies: whether pattern holds %u or %d: it means another Maildir for each address. mailbox_fixed: how many of its bytes, up to a '/', are the same for all. */
bool mailbox_varies(const char *pattern);
size_t mailbox_fixed(const char *pattern);

/* mailbox_check: ERR_UNSAFE if '%' stands before anything but 'u', 'd' and '%'. */
int mailbox_check(const char *pattern, struct err *err);

/*
 * mailbox_path: appends pattern with the user in place of %u, the domain of %d, and '%' of %%. Both become small letters; the user loses what follows a '+'. ERR_NOTFOUND where one that is used is empty,
 * begins with a dot, or holds other than ASCII letters, digits, '.', '_', '-' and '=': there is nobody of that name.
 */
int mailbox_path(const char *pattern, const char *local, const char *domain, struct bytes *out, struct err *err);

#endif
