/*
 * await.c -- waits until a message is on enough peers, and sees to it that somebody works on that.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "await.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "note.h"
#include "run.h"
#include "watcher.h"

/* Milliseconds. A look is a small file to read for each peer. */
#define LOOK_FIRST 1
#define LOOK_MOST 25
/* How often the larger things are looked at: the watcher, and which peers are down. */
#define CARE_EVERY 200
/* After this time without enough answers, and then twice, four times ..., another sync is started: the first can have failed, or have been killed. */
#define AGAIN_AFTER 1000
/* What nobody waits for is recorded together with what comes within this time. */
#define SETTLE "50"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void await_start(struct await *w)
{
	char option[32];
	const char *argv[] = { w->program, "sync", option, w->wanted ? NULL : "--settle=" SETTLE, NULL };
	int fd;

	/* The place in the queue is taken here, or all deliveries of the next milliseconds would start one, too. */
	if (watcher_is_there(w->gitdir) || !watcher_queue(w->gitdir, &fd))
		return;
	snprintf(option, sizeof(option), fd < 0 ? "--background" : "--background=%d", RUN_FD);
	if (run_detached_with(argv, w->maildir, fd, &w->trouble) == 0)
		w->trouble.code = 0;
	if (fd >= 0)
		close(fd);
}

static void count_acked(struct await *w)
{
	w->acked = 0;
	for (size_t i = 0; i < w->npeers; i++) {
		struct moment known;

		ack_peer(w->gitdir, w->peers[i], &known);
		w->acked += moment_reached(&known, &w->since);
	}
}

/* How many answers are worth waiting for. */
static size_t expected(const struct await *w)
{
	int64_t now = time(NULL);
	size_t n = 0;

	for (size_t i = 0; i < w->npeers; i++) {
		struct moment known;
		struct note note;

		note_read(&note, w->gitdir, w->peers[i]);
		ack_peer(w->gitdir, w->peers[i], &known);
		n += !w->skip_down || !note_is_down(&note, now) || moment_reached(&known, &w->since);
		note_release(&note);
	}
	return n < w->wanted ? n : w->wanted;
}

size_t await_peers(struct await *w)
{
	int64_t begun = now_ms(), now = begun, care = begun, again = begun + AGAIN_AFTER, pause = LOOK_FIRST;
	bool watched = watcher_is_there(w->gitdir), is;
	size_t enough = w->wanted;

	for (;;) {
		count_acked(w);
		if (w->acked >= w->wanted)
			break;
		if (now >= care) {
			care = now + CARE_EVERY;
			enough = expected(w);
			is = watcher_is_there(w->gitdir);
			if (!is && (watched || now >= again)) {
				await_start(w);
				again = now + 2 * (now - begun) + AGAIN_AFTER;
			}
			watched = is;
		}
		if (w->acked >= enough || now - begun >= w->timeout * 1000LL || *w->stop)
			break;
		nanosleep(&(struct timespec){ 0, pause * 1000000 }, NULL);
		pause = pause * 2 < LOOK_MOST ? pause * 2 : LOOK_MOST;
		now = now_ms();
	}
	return w->acked;
}
