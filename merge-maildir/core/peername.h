/*
 * peername.h -- what a member can be called.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PEERNAME_H
#define PEERNAME_H

#include <stdbool.h>

/*
 * peer_name_ok: whether this can be a member's name, which is part of references, configuration keys and file names: letters, digits, '-', '_', '.', not beginning with '-'
 * or '.', not ending in ".lock" or '.', no "..", 1 to 64 bytes.
 */
bool peer_name_ok(const char *name);

#endif
