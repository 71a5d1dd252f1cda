/*
 * plan.h -- what a watch does next: which jobs are due, and what follows from one that ended. Time is an argument.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCH_PLAN_H
#define WATCH_PLAN_H

#include "job.h"

/* How a watch was told to work, and the jobs under way. */
struct crew {
	struct wards wards;
	int64_t settle, check; /* milliseconds: of changes on disk; between two full looks at a member, and fetches from its peers */
	bool verbose;
	bool stopping; /* nothing new is begun, but for one last look at a ward that has changed (ward.last) */
	struct journal journal; /* of what is no matter of a single ward */
	size_t work_most; /* so many at a time */
	size_t turn;
	struct job **jobs;
	size_t njobs, jobs_cap;
};

/* plan_next: when something is due next, PACE_NEVER if nothing is. */
int64_t plan_next(const struct crew *c, int64_t now);
/* plan_start: starts what is due. */
void plan_start(struct crew *c, int64_t now);
/* plan_ended: takes notice of what a job said, which ended with this exit status (128 + signal), and frees it. */
void plan_ended(struct crew *c, struct job *j, int status, int64_t now);
/* plan_line: tells people what a job says. */
void plan_line(struct job *j, const char *text);

#endif
