/*
 * stock.c -- which packs and loose objects a repository has, and since when; and how to be rid of them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "stock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"

/* git prune and git gc remove tmp_* in objects/pack. */
#define RENAMED "tmp_pack_prune-"
#define IDX_FANOUT 8
#define IDX_NAMES (IDX_FANOUT + 256 * 4)

/* Calls fn for each name in a directory; a directory that is not there has none. */
static void each_name(const char *dir, void (*fn)(void *ctx, const char *dir, const char *name), void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			fn(ctx, dir, e->d_name);
	if (d)
		closedir(d);
}

static void each_fan(const char *objdir, void (*fn)(void *ctx, const char *dir, const char *name), void *ctx)
{
	for (unsigned i = 0; i < 256; i++) {
		char hex[3], *dir;

		snprintf(hex, sizeof(hex), "%02x", i);
		dir = io_join(objdir, hex);
		each_name(dir, fn, ctx);
		free(dir);
	}
}

static bool ends_in(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a > b && strcmp(s + a - b, end) == 0;
}

/* "<base><end>", malloc'ed. */
static char *with_end(const char *base, const char *end)
{
	struct bytes b = { 0 };

	bytes_addf(&b, "%s%s", base, end);
	return b.buf;
}

static bool has_end(const char *base, const char *end)
{
	char *path = with_end(base, end);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* 0: it is not there. */
static int64_t changed_at(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

static bool is_young(int64_t changed, int64_t started)
{
	return changed / 1000000000 > started - STOCK_YOUNG;
}

static void take_pack(void *ctx, const char *dir, const char *name)
{
	struct stock *s = ctx;
	struct stock_pack *p;
	char *path, *base;

	if (strncmp(name, "pack-", 5) != 0 || !ends_in(name, ".pack"))
		return;
	path = io_join(dir, name);
	base = io_join(dir, name);
	base[strlen(base) - 5] = '\0';
	/* One without an index is in the making, or half removed. */
	if (!has_end(base, ".idx")) {
		free(path);
		free(base);
		return;
	}
	MEM_GROW(s->packs, s->npacks, s->packs_cap);
	p = &s->packs[s->npacks++];
	*p = (struct stock_pack){ .base = base, .changed = changed_at(path) };
	p->keep = has_end(base, ".keep") || has_end(base, ".promisor");
	free(path);
}

static void take_loose(void *ctx, const char *dir, const char *name)
{
	struct stock *s = ctx;
	char hex[OID_HEX + 1], *path;
	struct stock_loose l;

	if (strlen(name) != OID_HEX - 2)
		return;
	snprintf(hex, sizeof(hex), "%.2s%s", dir + strlen(dir) - 2, name);
	if (!oid_parse(&l.oid, hex))
		return;
	path = io_join(dir, name);
	l.changed = changed_at(path);
	free(path);
	MEM_GROW(s->loose, s->nloose, s->loose_cap);
	s->loose[s->nloose++] = l;
}

int stock_read(struct stock *s, const char *objdir, struct err *err)
{
	char *packs = io_join(objdir, "pack");
	int rc = 0;

	s->objdir = io_join(objdir, "");
	s->objdir[strlen(s->objdir) - 1] = '\0';
	if (access(packs, R_OK) < 0 && errno != ENOENT)
		rc = err_errno(err, "cannot read '%s'", packs);
	each_name(packs, take_pack, s);
	each_fan(objdir, take_loose, s);
	free(packs);
	return rc;
}

void stock_release(struct stock *s)
{
	for (size_t i = 0; i < s->npacks; i++) {
		free(s->packs[i].base);
		oids_release(&s->packs[i].ids);
	}
	free(s->packs);
	free(s->loose);
	free(s->objdir);
	memset(s, 0, sizeof(*s));
}

static uint32_t get32(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* The ids in a pack's index: git's gitformat-pack(5), version 2. */
static int load_ids(struct stock_pack *p, struct err *err)
{
	char *path = with_end(p->base, ".idx");
	struct bytes b = { 0 };
	size_t n;
	int rc = 0;

	if (p->ids.n)
		goto out;
	if (io_read(path, &b) < 0) {
		rc = err_errno(err, "cannot read '%s'", path);
		goto out;
	}
	n = b.len < IDX_NAMES || memcmp(b.buf, "\377tOc\0\0\0\2", 8) != 0 ? 0 : get32(b.buf + IDX_NAMES - 4);
	if (!n || n > (b.len - IDX_NAMES) / OID_RAW) {
		rc = err_set(err, ERR_FAIL, "'%s' is not a pack index of version 2", path);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		struct oid id;

		memcpy(id.h, b.buf + IDX_NAMES + i * OID_RAW, OID_RAW);
		oids_add(&p->ids, &id);
	}
out:
	bytes_release(&b);
	free(path);
	return rc;
}

int stock_add_pack(struct stock *s, const char *packs, const char *name, struct err *err)
{
	struct stock_pack *p;
	char *base = io_join(packs, "pack-");

	MEM_GROW(s->packs, s->npacks, s->packs_cap);
	p = &s->packs[s->npacks++];
	*p = (struct stock_pack){ .base = with_end(base, name), .keep = true };
	free(base);
	return load_ids(p, err);
}

void stock_keep(struct stock *s, const char *name)
{
	for (size_t i = 0; i < s->npacks; i++)
		if (ends_in(s->packs[i].base, name))
			s->packs[i].keep = true;
}

static int cmp_oid(const void *a, const void *b)
{
	return oid_cmp(a, b);
}

static bool in_ids(const struct oids *ids, const struct oid *oid)
{
	return ids->n && bsearch(oid, ids->v, ids->n, sizeof(*ids->v), cmp_oid);
}

static bool in_packs(const struct stock *made, const struct oid *oid)
{
	for (size_t i = 0; i < made->npacks; i++)
		if (in_ids(&made->packs[i].ids, oid))
			return true;
	return false;
}

bool stock_young(struct stock *old, const struct stock *made, int64_t started, struct oids *loose, struct oids *packed)
{
	struct err ignored;

	for (size_t i = 0; i < old->nloose; i++)
		if (is_young(old->loose[i].changed, started) && !in_packs(made, &old->loose[i].oid))
			oids_add(loose, &old->loose[i].oid);
	for (size_t i = 0; i < old->npacks; i++) {
		struct stock_pack *p = &old->packs[i];

		if (p->keep || !is_young(p->changed, started))
			continue;
		/* What cannot be read cannot be judged. */
		if (load_ids(p, &ignored) < 0)
			p->keep = true;
		for (size_t k = 0; k < p->ids.n; k++)
			if (!in_packs(made, &p->ids.v[k]))
				oids_add(packed, &p->ids.v[k]);
		oids_release(&p->ids);
	}
	oids_sort(loose);
	oids_sort(packed);
	return loose->n || packed->n;
}

void stock_subtract(struct oids *ids, const struct oids *less)
{
	size_t n = 0;

	for (size_t i = 0; i < ids->n; i++)
		if (!in_ids(less, &ids->v[i]))
			ids->v[n++] = ids->v[i];
	ids->n = n;
}

/* What a multi-pack-index names must be there. */
static void drop_midx(void *ctx, const char *dir, const char *name)
{
	char *path = io_join(dir, name);

	(void)ctx;
	if (strncmp(name, "multi-pack-index", 16) == 0)
		unlink(path);
	free(path);
}

/* The pack goes first: an index without its pack is nothing to git. */
int stock_rename_packs(struct stock *s, struct err *err)
{
	static const char *const ends[] = { ".pack", ".idx", ".rev", ".bitmap", ".mtimes" };
	char *packs = io_join(s->objdir, "pack");
	int rc = 0;

	each_name(packs, drop_midx, NULL);
	for (size_t i = 0; i < s->npacks; i++) {
		const struct stock_pack *p = &s->packs[i];
		char *pack = with_end(p->base, ".pack");
		bool goes = !p->keep && changed_at(pack) == p->changed && !has_end(p->base, ".keep");

		free(pack);
		for (size_t k = 0; goes && !rc && k < sizeof(ends) / sizeof(*ends); k++) {
			char *from = with_end(p->base, ends[k]);
			struct bytes to = { 0 };

			bytes_addf(&to, "%s/" RENAMED "%s%s", packs, strrchr(p->base, '/') + 1, ends[k]);
			if (rename(from, to.buf) < 0 && errno != ENOENT)
				rc = err_errno(err, "cannot rename '%s'", from);
			bytes_release(&to);
			free(from);
		}
	}
	free(packs);
	return rc;
}

static void remove_renamed(void *ctx, const char *dir, const char *name)
{
	char *path = io_join(dir, name);

	(void)ctx;
	if (strncmp(name, RENAMED, strlen(RENAMED)) == 0)
		unlink(path);
	free(path);
}

void stock_remove_renamed(const char *objdir)
{
	char *packs = io_join(objdir, "pack");

	each_name(packs, remove_renamed, NULL);
	free(packs);
}

static char *loose_path(const struct stock *s, const struct oid *oid)
{
	char hex[OID_HEX + 1];
	struct bytes b = { 0 };

	oid_hex(oid, hex);
	bytes_addf(&b, "%s/%.2s/%s", s->objdir, hex, hex + 2);
	return b.buf;
}

void stock_remove_packed(const struct stock *s, const struct stock *made)
{
	for (size_t i = 0; i < s->nloose; i++)
		if (in_packs(made, &s->loose[i].oid)) {
			char *path = loose_path(s, &s->loose[i].oid);

			unlink(path);
			free(path);
		}
}

size_t stock_remove_loose(const struct stock *s, const struct stock *made, const struct oids *young, size_t from, size_t count)
{
	size_t i;

	for (i = from; i < s->nloose && i < from + count; i++) {
		char *path;

		if (in_packs(made, &s->loose[i].oid) || in_ids(young, &s->loose[i].oid))
			continue;
		path = loose_path(s, &s->loose[i].oid);
		if (changed_at(path) == s->loose[i].changed)
			unlink(path);
		free(path);
	}
	return i;
}

struct temporary {
	int64_t started;
	bool packs;
};

static void remove_temporary(void *ctx, const char *dir, const char *name)
{
	const struct temporary *t = ctx;
	char *path = io_join(dir, name), *base = io_join(dir, name);
	char *dot = strrchr(base, '.');
	bool left = strncmp(name, "tmp_", 4) == 0;

	if (t->packs && dot && strncmp(name, "pack-", 5) == 0) {
		*dot = '\0';
		left |= (ends_in(name, ".pack") && !has_end(base, ".idx")) || (!ends_in(name, ".pack") && !has_end(base, ".pack"));
	}
	if (left && !is_young(changed_at(path), t->started))
		unlink(path);
	free(path);
	free(base);
}

void stock_remove_temporary(const char *objdir, int64_t started)
{
	struct temporary t = { started, false };
	char *packs = io_join(objdir, "pack");

	each_fan(objdir, remove_temporary, &t);
	t.packs = true;
	each_name(packs, remove_temporary, &t);
	free(packs);
}

static void remove_file(void *ctx, const char *dir, const char *name)
{
	char *path = io_join(dir, name);

	(void)ctx;
	unlink(path);
	free(path);
}

void stock_empty(const char *dir)
{
	each_name(dir, remove_file, NULL);
}

static void add_size(void *ctx, const char *dir, const char *name)
{
	char *path = io_join(dir, name);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		*(uint64_t *)ctx += (uint64_t)st.st_size;
	free(path);
}

uint64_t stock_size(const char *objdir)
{
	char *packs = io_join(objdir, "pack");
	uint64_t sum = 0;

	each_name(packs, add_size, &sum);
	each_fan(objdir, add_size, &sum);
	free(packs);
	return sum;
}
