/*
 * reason.h -- picks from what git wrote on standard error the one line that tells a person what went wrong.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef REASON_H
#define REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/mem.h"

/*
 * reason_of: the last line that is no progress, advice or closing phrase, without "fatal:", "error:", "remote:" and the like; "" if there is no line at all. Where ssh distrusts the other host's key, that
 * in one line.
 * reason_remote: the last line that the other side's hook wrote ("remote: ..."); "" if there is none. Unprintable bytes become '?'. Both return out.
 */
char *reason_of(char *out, size_t size, const struct bytes *err);
char *reason_remote(char *out, size_t size, const struct bytes *err);

/* reason_is_there: whether any line says more than that the other end is gone. */
bool reason_is_there(const struct bytes *err);

#endif
