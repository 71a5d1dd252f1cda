/*
 * progress.c -- "Reading messages: 1234/20000" on a terminal, nothing elsewhere.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

void progress_start(struct progress *p, const char *what)
{
	p->what = what;
	p->shown = false;
	p->on = isatty(STDERR_FILENO);
}

void progress_step(void *ctx, size_t done, size_t total)
{
	struct progress *p = ctx;

	if (!p->on || total < 500)
		return;
	fprintf(stderr, "\r%s: %zu/%zu", p->what, done, total);
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputc('\n', stderr);
	p->shown = false;
}
