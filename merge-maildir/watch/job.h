/*
 * job.h -- a piece of work for one member, done by a child process: what hangs or dies there holds up nobody else, and its memory goes with it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCH_JOB_H
#define WATCH_JOB_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/mem.h"
#include "ward.h"

enum job_kind { JOB_WORK, JOB_FETCH, JOB_PUSH };

struct job {
	enum job_kind kind;
	struct ward *ward;
	struct link *link; /* NULL for JOB_WORK */
	struct host *host; /* that it counts for; may be NULL */
	bool full;
	pid_t pid;
	int64_t since;
	int out, report; /* what it says to people, and to us; nonblocking */
	struct bytes said, reported;
};


/* job_start: forks. NULL with errno when that cannot be done. The child has no descriptor of ours but its own. */
struct job *job_start(enum job_kind kind, struct ward *ward, struct link *link, bool full, bool verbose, int64_t now);

/* job_read: takes what it has written so far. line() is called for each line for people that is complete (all, at the end). */
void job_read(struct job *j, bool end, void (*line)(struct job *j, const char *text));
/* job_free: after it has ended. */
void job_free(struct job *j);

#endif
