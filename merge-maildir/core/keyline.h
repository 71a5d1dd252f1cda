/*
 * keyline.h -- a line of authorized_keys that binds a key to a member.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef KEYLINE_H
#define KEYLINE_H

#include <stdbool.h>

#include "mem.h"

/*
 * keyline: adds to out "restrict,command="<program> --root=<root> <peer>" <key>" without a line end, quoted for the shell that sshd(8) runs the command with, and then for authorized_keys. root NULL: no
 * --root. False, with out as it was, when a path holds control bytes, which no such line can.
 */
bool keyline(struct bytes *out, const char *program, const char *root, const char *peer, const char *key);

/* keyline_key: the length of the public key at the beginning of a file "*.pub", as one line; 0 if it is none. */
size_t keyline_key(const char *text);

#endif
