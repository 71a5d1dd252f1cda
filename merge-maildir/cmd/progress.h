/*
 * progress.h -- "Reading messages: 1234/20000" on a terminal, nothing elsewhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
	const char *what;
	bool shown, on;
};

void progress_start(struct progress *p, const char *what);
/* progress_step: fits the callbacks of the other layers; ctx is the struct progress. Says nothing about a few hundred. */
void progress_step(void *ctx, size_t done, size_t total);
void progress_end(struct progress *p);

#endif
