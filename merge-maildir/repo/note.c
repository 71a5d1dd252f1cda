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

#define NOTE_MAX 4096

static char *path_of(const struct repo *r, const char *peer)
{
	char *dir = repo_state_path(r, "peer");
	struct bytes b = { 0 };

	mkdir(dir, 0700);
	bytes_addf(&b, "%s/%s", dir, peer);
	free(dir);
	return b.buf;
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
	}
}

void note_read(struct note *n, const struct repo *r, const char *peer)
{
	char *path = path_of(r, peer), buf[NOTE_MAX], *save, *line;
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

/*
 * The process id makes the temporary name ours: a push, a sync and a hook can write at the same time. No peer's name
 * begins with a dot.
 */
void note_write(const struct note *n, const struct repo *r, const char *peer)
{
	char *path = path_of(r, peer), *tmp, hex[OID_HEX + 1];
	struct bytes b = { 0 }, name = { 0 };
	bool ok = false;
	int fd;

	if (!oid_is_zero(&n->sent))
		bytes_addf(&b, "sent %s\n", oid_hex(&n->sent, hex));
	if (n->contact)
		bytes_addf(&b, "contact %lld\n", (long long)n->contact);
	if (n->trouble)
		bytes_addf(&b, "trouble %.*s\n", (int)strcspn(n->trouble, "\n"), n->trouble);
	bytes_addf(&name, ".%s.%ld", peer, (long)getpid());
	tmp = path_of(r, name.buf);
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

void note_remove(const struct repo *r, const char *peer)
{
	char *path = path_of(r, peer);

	unlink(path);
	free(path);
}
