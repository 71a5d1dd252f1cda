/*
 * wake.c -- wakes mail servers once more, a moment after their folders were changed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "wake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../disk/file.h"
#include "../disk/live.h"
#include "exit.h"
#include "verbs.h"

#define SERVER_LOG "dovecot.index.log"

/* Dovecot waits for half a second, and believes no time of a directory that was less than a second old when it was read. */
#define PAUSE_MS 1500
/* A session that is there has written to its index since: at most so long ago, with all that came before the pause. */
#define RECENT_S 10
/* What is told to that process is part of a command line. So many folders are not open at once. */
#define BYTES_MOST 65536

static bool is_changed(const struct plan_step *s)
{
	switch (s->kind) {
	case PLAN_ADD:
		/* What is new in new/ a server finds by itself: nobody notes the time of that directory without having read it. */
		return s->sub == NAME_CUR;
	case PLAN_RENAME:
	case PLAN_REPLACE:
	case PLAN_IMAP:
	case PLAN_DELETE:
		return true;
	default:
		return false;
	}
}

static bool has_server(const struct member *m, const char *folder, time_t since)
{
	struct arena a = { 0 };
	struct stat st;
	bool has = fstatat(m->disk.root, arena_printf(&a, "%s%s" SERVER_LOG, folder, *folder ? "/" : ""), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		   st.st_mtime >= since;

	arena_release(&a);
	return has;
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void wake_later(struct member *m, const struct plan *p)
{
	const char **args = mem_alloc((p->n + 2) * sizeof(*args));
	size_t n = 0, keep = 1, bytes = 0;

	args[n++] = "wake";
	for (size_t i = 0; i < p->n; i++)
		if (is_changed(&p->v[i]) && (n == 1 || strcmp(args[n - 1], p->v[i].folder) != 0))
			args[n++] = p->v[i].folder;
	qsort(args + 1, n - 1, sizeof(*args), by_string);
	for (size_t i = 1; i < n && bytes < BYTES_MOST; i++)
		if ((keep == 1 || strcmp(args[keep - 1], args[i]) != 0) && has_server(m, args[i], 0)) {
			args[keep++] = args[i];
			bytes += strlen(args[i]) + 1;
		}
	args[keep] = NULL;
	if (keep > 1)
		member_spawn(m, args);
	free(args);
}

static void wake(const struct member *m, const char *folder)
{
	int fd = file_open_dir(&m->disk, folder);

	if (fd < 0)
		return;
	live_wake(fd);
	close(fd);
}

/* "git-maildir wake <folder>..." */
int wake_main(int argc, char **argv)
{
	struct timespec pause = { PAUSE_MS / 1000, PAUSE_MS % 1000 * 1000000 };
	struct member m;
	struct err err;

	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	/* Nobody has to wait for the Maildir because of this. */
	if (chdir("/") == 0 && member_lock(&m, &err) == 0)
		repo_unlock(&m.repo);
	nanosleep(&pause, NULL);
	for (int i = 1; i < argc; i++)
		if (has_server(&m, argv[i], time(NULL) - RECENT_S))
			wake(&m, argv[i]);
	member_close(&m);
	return EXIT_DONE;
}
