/*
 * deed.h -- one change in words: "INBOX: opened, seen".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DEED_H
#define DEED_H

#include "change.h"
#include "mem.h"

/* deed_show: appends what a change is, with its folder, without newline. */
void deed_show(const struct change *c, struct bytes *out);

#endif
