/*
 * stamps.c -- what the directories of the Maildir looked like when they were last recorded.
 *
 * The file: a line with the tree's id, then a line a directory: sub, dev, inode, mtime and ctime in nanoseconds, folder. Folder names
 * hold no newline, because scan.c leaves alone what path_unsafe() rejects.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stamps.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int by_place(const void *a, const void *b)
{
	const struct stamps_entry *x = a, *y = b;
	int c = strcmp(x->folder, y->folder);

	return c ? c : (int)x->sub - (int)y->sub;
}

void stamps_load(struct stamps *s, struct repo *r, const struct oid *tree)
{
	char *path = repo_state_path(r, "stamps"), *line = NULL, hex[OID_HEX + 1];
	size_t cap = 0;
	ssize_t len;
	FILE *f;

	memset(s, 0, sizeof(*s));
	f = fopen(path, "re");
	free(path);
	if (!f)
		return;
	oid_hex(tree, hex);
	len = getline(&line, &cap, f);
	if (len != OID_HEX + 1 || memcmp(line, hex, OID_HEX) != 0)
		goto out;
	while ((len = getline(&line, &cap, f)) > 0) {
		struct stamps_entry e;
		unsigned sub;
		int at = 0;

		if (line[len - 1] != '\n')
			break;
		line[len - 1] = '\0';
		if (sscanf(line, "%u %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64 " %n", &sub, &e.stamp.dev,
			   &e.stamp.ino, &e.stamp.mtime_ns, &e.stamp.ctime_ns, &at) != 5 || !at || sub > NAME_CUR)
			break;
		e.sub = sub;
		e.folder = arena_strn(&s->arena, line + at, strlen(line + at));
		MEM_GROW(s->v, s->n, s->cap);
		s->v[s->n++] = e;
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_place);
out:
	free(line);
	fclose(f);
}

bool stamps_unchanged(void *ctx, const char *folder, enum name_sub sub, const struct scan_stamp *stamp)
{
	const struct stamps *s = ctx;
	struct stamps_entry key = { .folder = folder, .sub = sub }, *e;

	e = s->n ? bsearch(&key, s->v, s->n, sizeof(*s->v), by_place) : NULL;
	return e && e->stamp.dev == stamp->dev && e->stamp.ino == stamp->ino &&
	       e->stamp.mtime_ns == stamp->mtime_ns && e->stamp.ctime_ns == stamp->ctime_ns;
}

void stamps_save(struct repo *r, const struct oid *tree, const struct scan *scan,
		 bool (*skip)(void *ctx, const char *folder, enum name_sub sub), void *ctx)
{
	char *path = repo_state_path(r, "stamps"), *tmp = repo_state_path(r, "stamps.tmp"), hex[OID_HEX + 1];
	FILE *f = fopen(tmp, "we");

	if (!f)
		goto out;
	fprintf(f, "%s\n", oid_hex(tree, hex));
	for (size_t i = 0; i < scan->nfolders; i++)
		for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++) {
			const struct scan_dir *d = &scan->folders[i].sub[sub];

			if (!d->present || !(d->stable || d->unchanged) || (skip && skip(ctx, scan->folders[i].path, sub)))
				continue;
			fprintf(f, "%u %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " %s\n", sub, d->stamp.dev,
				d->stamp.ino, d->stamp.mtime_ns, d->stamp.ctime_ns, scan->folders[i].path);
		}
	if (fclose(f) != 0 || rename(tmp, path) != 0)
		unlink(tmp);
out:
	free(path);
	free(tmp);
}

void stamps_release(struct stamps *s)
{
	free(s->v);
	arena_release(&s->arena);
	memset(s, 0, sizeof(*s));
}
