/*
 * held.c -- what peers hold back of history, in words: for prune and status.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "held.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../repo/history.h"
#include "../repo/io.h"
#include "../repo/run.h"

/* What is behind the cut that there would be without this peer. */
static int count_bytes(struct member *m, const struct cut_peer *p, int64_t *bytes, struct err *err)
{
	const char *argv[] = { "git", "rev-list", "--objects", "--disk-usage", "--stdin", NULL };
	struct bytes dir = { 0 }, in = { 0 };
	struct run run = { .clean_env = true };
	struct history_commit c = { 0 };
	const char *with_dir[8];
	char hex[OID_HEX + 1], why[512];
	int ret = history_read(&m->repo, &p->without, &c, err);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < c.parents.n; i++)
		bytes_addf(&in, "%s\n", oid_hex(&c.parents.v[i], hex));
	bytes_addf(&in, "^%s\n", oid_hex(&c.tree, hex));
	bytes_addf(&dir, "--git-dir=%s", m->repo.gitdir);
	with_dir[0] = argv[0];
	with_dir[1] = dir.buf;
	memcpy(with_dir + 2, argv + 1, sizeof(argv) - sizeof(*argv));
	run.argv = with_dir;
	run.in = in.buf;
	run.inlen = in.len;
	ret = run_all(&run, 1, err);
	if (!ret && run.status != 0)
		ret = err_set(err, ERR_FAIL, "cannot count what is kept for peer '%s': %s", p->name, run_reason(why, sizeof(why), &run));
	else if (!ret)
		*bytes = strtoll(run.out.buf ? run.out.buf : "", NULL, 10);
	bytes_release(&run.out);
	bytes_release(&run.err);
	bytes_release(&dir);
	bytes_release(&in);
	history_commit_release(&c);
	return ret;
}

int held_measure(const struct cut *c, struct member *m, struct err *err)
{
	char *path = repo_state_path(&m->repo, "held");
	struct bytes b = { 0 };
	int ret = 0;
	FILE *f;

	for (size_t i = 0; i < c->npeers && !ret; i++) {
		int64_t bytes = 0;

		if (!c->peers[i].holds || c->peers[i].let_go)
			continue;
		ret = count_bytes(m, &c->peers[i], &bytes, err);
		bytes_addf(&b, "%s %" PRId64 "\n", c->peers[i].name, bytes);
	}
	/* Only for people: not worth an error. */
	if (!ret && (f = fopen(path, "we"))) {
		if (b.len)
			fwrite(b.buf, 1, b.len, f);
		fclose(f);
	}
	bytes_release(&b);
	free(path);
	return ret;
}

int64_t held_bytes(const struct member *m, const char *peer)
{
	char *path = repo_state_path(&m->repo, "held");
	struct bytes b = { 0 };
	size_t len = strlen(peer);
	int64_t bytes = -1;

	if (io_read(path, &b) == 0)
		for (size_t pos = 0; pos < b.len; pos += strcspn(b.buf + pos, "\n") + 1)
			if (strncmp(b.buf + pos, peer, len) == 0 && b.buf[pos + len] == ' ')
				bytes = strtoll(b.buf + pos + len, NULL, 10);
	bytes_release(&b);
	free(path);
	return bytes;
}

const char *held_size(char *out, int64_t bytes)
{
	if (bytes < 1000000)
		snprintf(out, 32, "%.1f KB", (double)bytes / 1e3);
	else
		snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
	return out;
}

const char *held_span(char *out, int64_t seconds)
{
	int64_t n = seconds < 3600 ? seconds / 60 : seconds < 2 * 86400 ? seconds / 3600 : seconds / 86400;

	snprintf(out, 32, "%" PRId64 " %s%s", n, seconds < 3600 ? "minute" : seconds < 2 * 86400 ? "hour" : "day", n == 1 ? "" : "s");
	return out;
}

const char *held_date(char *out, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d", &tm))
		snprintf(out, 32, "?");
	return out;
}

void held_line(struct bytes *out, const struct cut_peer *p, int64_t bytes)
{
	char text[32];

	bytes_clear(out);
	if (!p->holds)
		return;
	bytes_addf(out, "holds back %zu commit%s", p->holds, p->holds == 1 ? "" : "s");
	if (bytes >= 0)
		bytes_addf(out, " (%s)", held_size(text, bytes));
	bytes_addf(out, " since %s", held_date(text, p->contact));
}
