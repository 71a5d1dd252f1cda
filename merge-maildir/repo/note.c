/*
 * note.c -- what this member remembers of its contact with a peer: <gitdir>/maildir/peer/<name>.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "note.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/mem.h"

#define NOTE_MAX 4096
/* Seconds: how long a peer fails before it counts as down, and how long a failure is fresh. */
#define DOWN_AFTER 60
#define FRESH 600

static char *path_of(const char *gitdir, const char *peer)
{
	struct bytes b = { 0 };

	bytes_addf(&b, "%s/maildir/peer/%s", gitdir, peer);
	return b.buf;
}

static void make_dirs(const char *gitdir)
{
	struct bytes b = { 0 };

	bytes_addf(&b, "%s/maildir", gitdir);
	mkdir(b.buf, 0700);
	bytes_addstr(&b, "/peer");
	mkdir(b.buf, 0700);
	bytes_release(&b);
}

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

static void read_line(struct note *n, const char *line)
{
	struct oid o;

	if (strncmp(line, "sent ", 5) == 0 && strlen(line) == 5 + OID_HEX && oid_parse(&o, line + 5)) {
		n->sent = o;
	} else if (strncmp(line, "contact ", 8) == 0) {
		n->contact = strtoll(line + 8, NULL, 10);
	} else if (strncmp(line, "trouble ", 8) == 0 && line[8]) {
		free(n->trouble);
		n->trouble = copy(line + 8);
	} else if (strncmp(line, "since ", 6) == 0) {
		n->since = strtoll(line + 6, NULL, 10);
	} else if (strncmp(line, "failed ", 7) == 0) {
		n->failed = strtoll(line + 7, NULL, 10);
	} else if (strcmp(line, "refused") == 0) {
		n->refused = true;
	}
}

void note_read(struct note *n, const char *gitdir, const char *peer)
{
	char *path = path_of(gitdir, peer), buf[NOTE_MAX], *save, *line;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t k;

	memset(n, 0, sizeof(*n));
	free(path);
	if (fd < 0)
		return;
	k = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[k > 0 ? k : 0] = '\0';
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		read_line(n, line);
}

void note_release(struct note *n)
{
	free(n->trouble);
	memset(n, 0, sizeof(*n));
}

void note_trouble(struct note *n, const char *why, bool refused, int64_t now)
{
	free(n->trouble);
	n->trouble = copy(why);
	n->refused = refused;
	/* A time that has not come yet is from a clock that was wrong. */
	if (!n->since || n->since > now)
		n->since = now;
	n->failed = now;
}

void note_no_trouble(struct note *n)
{
	free(n->trouble);
	n->trouble = NULL;
	n->since = n->failed = 0;
	n->refused = false;
}

bool note_is_down(const struct note *n, int64_t now)
{
	return n->trouble && n->since && now - n->since > DOWN_AFTER && now >= n->failed && now - n->failed < FRESH;
}

/*
 * The process id makes the temporary name ours: a push, a sync and a hook can write at the same time. No peer's name
 * begins with a dot.
 */
void note_write(const struct note *n, const char *gitdir, const char *peer)
{
	char *path = path_of(gitdir, peer), *tmp, hex[OID_HEX + 1];
	struct bytes b = { 0 }, name = { 0 };
	bool ok = false;
	int fd;

	if (!oid_is_zero(&n->sent))
		bytes_addf(&b, "sent %s\n", oid_hex(&n->sent, hex));
	if (n->contact)
		bytes_addf(&b, "contact %lld\n", (long long)n->contact);
	if (n->trouble)
		bytes_addf(&b, "trouble %.*s\n", (int)strcspn(n->trouble, "\n"), n->trouble);
	if (n->trouble && n->since)
		bytes_addf(&b, "since %lld\n", (long long)n->since);
	if (n->trouble && n->failed)
		bytes_addf(&b, "failed %lld\n", (long long)n->failed);
	if (n->trouble && n->refused)
		bytes_addstr(&b, "refused\n");
	bytes_addf(&name, ".%s.%ld", peer, (long)getpid());
	tmp = path_of(gitdir, name.buf);
	make_dirs(gitdir);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		ok = !b.len || write(fd, b.buf, b.len) == (ssize_t)b.len;
		ok = close(fd) == 0 && ok && rename(tmp, path) == 0;
	}
	if (fd >= 0 && !ok)
		unlink(tmp);
	bytes_release(&b);
	bytes_release(&name);
	free(path);
	free(tmp);
}

void note_remove(const char *gitdir, const char *peer)
{
	char *path = path_of(gitdir, peer);

	unlink(path);
	free(path);
}
