/*
 * when.h -- points in time, as people write and read them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WHEN_H
#define WHEN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * when_parse: "2026-11-23 18:05:30", "2026-11-23T18:05", "2026-11-23" (its first second), each with "Z" or "+0100" behind it or else local time; "@1795432857"; "18:05"
 * (today); "2 hours ago", "90m". False if it is none of these.
 */
bool when_parse(const char *s, time_t now, int64_t *out);

#define WHEN_SHOWN 32
/* when_show: "2026-11-23 18:05:30", local time. Returns out. */
const char *when_show(char out[WHEN_SHOWN], int64_t when);

#endif
