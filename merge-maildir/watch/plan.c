/*
 * plan.c -- what a watch does next: which jobs are due, and what follows from one that ended.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../cmd/exit.h"
#include "../cmd/sync.h"
#include "../core/hash.h"
#include "../repo/watcher.h"

/* Fewer sessions than an sshd allows in one connection (MaxSessions 10). */
#define HOST_JOBS 6
#define TALKS_MOST 48
#define LOCK_EVERY 2000
/* Work that takes longer waits for something, a lock or a disk, and no longer for the processors: others may begin. */
#define SLOW 2000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t work_due(const struct crew *c, const struct ward *w)
{
	int64_t due = pace_due(&w->pace, c->settle);

	if (w->job)
		return PACE_NEVER;
	/* What was seen to change before we were told to end is recorded. */
	if (c->stopping)
		return w->last && (w->pace.dirty || w->now) && !w->retry.fails && w->lock >= 0 ? 0 : PACE_NEVER;
	if (w->now || w->behind || w->full)
		due = 0;
	else if (w->check_at < due)
		due = w->check_at;
	if (w->rest.fails && w->rest.next < due)
		due = w->rest.next;
	return due == PACE_NEVER ? due : later_of(due, w->retry.next);
}

static int64_t talk_due(const struct link *l)
{
	int64_t due;

	/* First what is on disk: then the peer is sent it together with the rest. */
	if (l->job || l->ward->behind || l->ward->lock < 0 || !(l->fetch || l->push))
		return PACE_NEVER;
	due = later_of(l->fetch && !(l->push && l->push_first) ? 0 : l->push_at, l->retry.next);
	if (l->host) {
		due = later_of(due, l->host->retry.next);
		/* Of a host that does not answer one is enough to find out. */
		if (l->host->jobs >= (l->host->retry.fails ? 1 : HOST_JOBS))
			return PACE_NEVER;
	}
	return due;
}

static size_t count(const struct crew *c, bool work, int64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < c->njobs; i++)
		n += (c->jobs[i]->kind == JOB_WORK) == work && (!work || now - c->jobs[i]->since < SLOW);
	return n;
}

int64_t plan_next(const struct crew *c, int64_t now)
{
	bool work_full = count(c, true, now) >= c->work_most, talks_full = count(c, false, now) >= TALKS_MOST;
	int64_t next = PACE_NEVER;

	for (size_t i = 0; i < c->wards.n; i++) {
		const struct ward *w = c->wards.v[i];
		int64_t due = work_full ? PACE_NEVER : work_due(c, w);

		for (size_t k = 0; k < w->nlinks && !talks_full && !c->stopping; k++)
			due = talk_due(w->links[k]) < due ? talk_due(w->links[k]) : due;
		next = due < next ? due : next;
	}
	/* Then what is slow does not count any more. */
	if (work_full && now + SLOW < next)
		next = now + SLOW;
	return next;
}

static struct job *begin(struct crew *c, enum job_kind kind, struct ward *w, struct link *l, bool full, int64_t now)
{
	struct job *j = job_start(kind, w, l, full, c->verbose, now);

	if (!j) {
		journal_warn(&w->journal, now, w->root, "cannot start a process: %s", strerror(errno));
		return NULL;
	}
	MEM_GROW(c->jobs, c->njobs, c->jobs_cap);
	c->jobs[c->njobs++] = j;
	return j;
}

static bool take_lock(struct ward *w, int64_t now)
{
	struct err err;
	int fd;

	if (w->lock >= 0 && ward_has_lock(w))
		return true;
	fd = watcher_take(w->gitdir, &err);
	if (fd >= 0) {
		w->lock = fd;
		w->walk = w->renew = true;
		return true;
	}
	retry_failed(&w->retry, now);
	/* Once is no trouble: a child of a watch that was killed has the lock until it has closed its descriptors. */
	if (w->retry.fails > 1)
		journal_warn(&w->journal, now, w->root, "%s", err.msg);
	/* Between its end and our beginning nobody watches. */
	if (w->retry.next > now + LOCK_EVERY)
		w->retry.next = now + LOCK_EVERY;
	return false;
}

static void start_work(struct crew *c, struct ward *w, int64_t now)
{
	char why[sizeof(((struct err *)0)->msg)];

	if (!take_lock(w, now))
		return;
	/* What was not seen to change is looked at as well, now and then. */
	if (now >= w->check_at)
		w->walk = w->renew = true;
	if (w->walk) {
		ward_walk(w, why, sizeof(why));
		/* That there is no instance at all has been said. */
		if (*why && notify_fd() >= 0)
			journal_warn(&c->journal, now, NULL, "%s; until then directories without a watch are looked at once a second", why);
	}
	w->job = begin(c, JOB_WORK, w, NULL, w->full || now >= w->check_at, now);
	if (!w->job) {
		retry_failed(&w->retry, now);
		return;
	}
	pace_done(&w->pace);
	w->now = w->full = w->last = false;
	if (now >= w->check_at) {
		/* Not all of them at the same time. */
		w->check_at = now + c->check + (int64_t)(hash_bytes(w->root, strlen(w->root)) % 1000) * c->check / 10000;
		for (size_t i = 0; i < w->nlinks; i++)
			w->links[i]->fetch = true;
	}
}

static void start_talk(struct crew *c, struct link *l, int64_t now)
{
	/* A peer that only one of them works with gets the other one all the same. */
	bool fetch = l->fetch && !(l->push && l->push_first);

	l->job = begin(c, fetch ? JOB_FETCH : JOB_PUSH, l->ward, l, false, now);
	if (!l->job) {
		retry_failed(&l->retry, now);
		return;
	}
	if (fetch)
		l->fetch = false;
	else
		l->push = false;
	if (l->host)
		l->host->jobs++;
}

void plan_start(struct crew *c, int64_t now)
{
	/* Beginning with another one each time: none is last for ever. */
	c->turn++;
	for (size_t i = 0; i < c->wards.n; i++) {
		struct ward *w = c->wards.v[(i + c->turn) % c->wards.n];

		if (work_due(c, w) <= now && count(c, true, now) < c->work_most)
			start_work(c, w, now);
	}
	for (size_t i = 0; i < c->wards.n && !c->stopping; i++) {
		struct ward *w = c->wards.v[(i + c->turn) % c->wards.n];

		for (size_t k = 0; k < w->nlinks; k++)
			if (talk_due(w->links[k]) <= now && count(c, false, now) < TALKS_MOST)
				start_talk(c, w->links[k], now);
	}
}

void plan_line(struct job *j, const char *text)
{
	static const char ours[] = "git-maildir: ";

	if (!strncmp(text, ours, sizeof(ours) - 1))
		journal_warn(&j->ward->journal, now_ms(), j->ward->root, "%s", text + sizeof(ours) - 1);
	else
		journal_say(j->ward->root, "%s", text);
}

/* One that is under way may have begun too early to say what was recorded by now. */
static void push_soon(struct link *l)
{
	if (l && !l->push) {
		l->push = true;
		l->push_at = 0;
	}
}

static void work_ended(struct crew *c, struct ward *w, const struct job *j, int status, int64_t now)
{
	bool recorded = j->reported.len && strstr(j->reported.buf, "\nrecorded 1\n");
	char *save = NULL, *line, name[65] = "", url[2048], head[41] = "";
	bool ok = status == EXIT_DONE || status == EXIT_INCOMPLETE;

	w->job = NULL;
	if (!ok) {
		/* When it is there again, perhaps other directories are. */
		w->now = w->walk = true;
		w->full |= j->full;
		retry_failed(&w->retry, now);
		return;
	}
	if (retry_ok(&w->retry)) {
		journal_calm(&w->journal);
		journal_say(w->root, "is in order again");
	}
	w->behind = false;
	/* Mail that could not be looked at for certain, and a lock that is given back, need not be followed by an event. */
	if (j->reported.len && strstr(j->reported.buf, "unfinished 1"))
		retry_failed(&w->rest, now);
	else
		retry_ok(&w->rest);
	for (size_t i = 0; i < w->nlinks; i++)
		w->links[i]->listed = false;
	for (line = j->reported.len ? strtok_r(j->reported.buf, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "peer %64s %2047[^\n]", name, url) == 2)
			ward_set_link(&c->wards, w, name, url);
		else if (sscanf(line, "unsent %64s", name) == 1 && w->auto_push)
			push_soon(ward_link(w, name));
		else if (sscanf(line, "name %64s", w->name) != 1 && sscanf(line, "head %40s", head) != 1)
			w->auto_push = !strcmp(line, "push 1") || (w->auto_push && strcmp(line, "push 0") != 0);
	ward_drop_links(w);
	if (!*head || !strcmp(head, w->head))
		return;
	if (!w->auto_push)
		return;
	memcpy(w->head, head, sizeof(head));
	for (size_t i = 0; i < w->nlinks; i++) {
		struct link *l = w->links[i];
		int64_t at = recorded ? 0 : now + sync_pause_ms(w->name);

		/* What waits for its turn already does not wait longer because more came. */
		l->push_at = l->push && l->push_at < at ? l->push_at : at;
		l->push = true;
	}
}

/* Those who failed while it was away did so because of that. */
static void host_answers(struct crew *c, struct host *h)
{
	if (!retry_ok(&h->retry))
		return;
	journal_say(NULL, "'%s' answers again", h->name);
	for (size_t i = 0; i < c->wards.n; i++)
		for (size_t k = 0; k < c->wards.v[i]->nlinks; k++)
			if (c->wards.v[i]->links[k]->host == h)
				retry_now(&c->wards.v[i]->links[k]->retry);
}

static void talk_ended(struct crew *c, struct link *l, const struct job *j, int status, int64_t now)
{
	const char *about = l->ward->root;
	bool away = j->reported.len && strstr(j->reported.buf, "away 1"), changed = j->reported.len && strstr(j->reported.buf, "changed 1");

	l->job = NULL;
	if (j->host)
		j->host->jobs--;
	if (status != EXIT_DONE) {
		l->fetch |= j->kind == JOB_FETCH;
		l->push |= j->kind == JOB_PUSH;
		l->push_first = j->kind == JOB_FETCH;
		retry_failed(&l->retry, now);
		if (away && l->host)
			retry_failed(&l->host->retry, now);
		return;
	}
	l->push_first = false;
	if (l->host)
		host_answers(c, l->host);
	if (retry_ok(&l->retry)) {
		/* What it did meanwhile is here sooner than by its own next try. */
		l->fetch |= j->kind == JOB_PUSH;
		journal_calm(&l->ward->journal);
		journal_say(about, "peer '%s' is in reach again", l->name);
	}
	if (j->kind == JOB_FETCH && changed)
		l->ward->now = true;
}

void plan_ended(struct crew *c, struct job *j, int status, int64_t now)
{
	size_t i = 0;

	while (c->jobs[i] != j)
		i++;
	c->jobs[i] = c->jobs[--c->njobs];
	job_read(j, true, plan_line);
	if (status >= 125 && !c->stopping)
		journal_warn(&j->ward->journal, now, j->ward->root, "a process for it ended with status %d", status);
	if (j->kind == JOB_WORK)
		work_ended(c, j->ward, j, status, now);
	else
		talk_ended(c, j->link, j, status, now);
	job_free(j);
}
