/*
 * duty.h -- what the children of a watch do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCH_DUTY_H
#define WATCH_DUTY_H

#include "job.h"

/* duty_warm: once in the parent: what all children would do at their start. */
void duty_warm(void);

/*
 * duty_do: the job, in the current process, which is changed by it (its directory, its environment). Tells people on standard error, and with verbose on standard output
 * what was recorded and merged. Writes lines to report: "name <member>", "recorded <0|1>", "unfinished <0|1>" (sync_outcome), "push <0|1>" (maildir.autoPush), "peer <name> <url>" for each, "head <id>" and "unsent <name>" for each peer that is not known to have it after JOB_WORK; "away <0|1>" and "changed <0|1>" after JOB_FETCH and JOB_PUSH: whether
 * the peer's host did not answer, and whether something was sent or got. Returns an exit status. On SIGTERM the process ends, and the git
 * that it waits for.
 */
int duty_do(const struct job *j, bool verbose, int report);

#endif
