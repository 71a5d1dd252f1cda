/*
 * index_file.c -- the file "index" of a repository: git's gitformat-index(5).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/path.h"
#include "io.h"
#include "sha1.h"

#define HEADER_SIZE 12
#define ENTRY_SIZE 62 /* without the name */

#define FLAG_ASSUME_VALID 0x8000u
#define FLAG_EXTENDED 0x4000u
#define FLAG_STAGES 0x3000u
#define FLAG_NAME 0x0fffu /* length, or this if it is longer */

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(unsigned char *p, uint32_t x)
{
	p[0] = (unsigned char)(x >> 24);
	p[1] = (unsigned char)(x >> 16);
	p[2] = (unsigned char)(x >> 8);
	p[3] = (unsigned char)x;
}

struct reader {
	struct index_file *f;
	const unsigned char *p, *end; /* end: where the SHA-1 begins */
	uint32_t version;
	struct bytes last; /* version 4: path of the entry before */
};

/* Version 4: how many bytes of the path before to drop, then what to append. */
static bool read_path_v4(struct reader *r, const char **path, size_t *len)
{
	const unsigned char *p = r->p, *nul;
	size_t drop;

	if (p == r->end)
		return false;
	drop = *p & 0x7f;
	while (*p++ & 0x80) {
		if (p == r->end || drop > INDEX_FILE_PATH_MOST)
			return false;
		drop = (drop + 1) << 7 | (*p & 0x7f);
	}
	nul = memchr(p, '\0', (size_t)(r->end - p));
	if (!nul || drop > r->last.len || nul - p > INDEX_FILE_PATH_MOST)
		return false;
	r->last.len -= drop;
	bytes_add(&r->last, p, (size_t)(nul - p));
	*len = r->last.len;
	*path = arena_strn(&r->f->arena, r->last.buf, *len);
	r->p = nul + 1;
	return true;
}

static bool read_path(struct reader *r, unsigned flags, size_t head, const unsigned char *begin,
		      const char **path, size_t *len)
{
	size_t left = (size_t)(r->end - r->p), n = flags & FLAG_NAME, size;
	const unsigned char *nul;

	if (r->version == 4)
		return read_path_v4(r, path, len);
	nul = memchr(r->p, '\0', left);
	if (!nul)
		return false;
	*len = (size_t)(nul - r->p);
	*path = (const char *)r->p;
	if (n < FLAG_NAME ? *len != n : *len < n)
		return false;
	size = (head + *len + 8) & ~(size_t)7;
	if (size > (size_t)(r->end - begin))
		return false;
	r->p = begin + size;
	return true;
}

static bool mode_ok(uint32_t mode)
{
	return mode == 0100644 || mode == 0100755 || mode == 0120000 || mode == 0160000;
}

static void read_stat(struct index_entry *e, const unsigned char *p)
{
	e->st = (struct index_stat){
		.ctime_s = get32(p),
		.ctime_ns = get32(p + 4),
		.mtime_s = get32(p + 8),
		.mtime_ns = get32(p + 12),
		.dev = get32(p + 16),
		.ino = get32(p + 20),
		.uid = get32(p + 28),
		.gid = get32(p + 32),
		.size = get32(p + 36),
	};
	e->mode = get32(p + 24);
	memcpy(e->oid.h, p + 40, OID_RAW);
}

static bool read_entry(struct reader *r)
{
	const unsigned char *begin = r->p;
	struct index_entry *e = &r->f->v[r->f->n];
	size_t head = ENTRY_SIZE, len;
	unsigned flags;

	if (r->end - begin < ENTRY_SIZE + 2)
		return false;
	flags = (unsigned)begin[60] << 8 | begin[61];
	if (flags & FLAG_EXTENDED) {
		if (r->version == 2)
			return false;
		head += 2;
		r->f->odd = true;
	}
	r->p += head;
	if (!read_path(r, flags, head, begin, &e->path, &len) || !len || len > INDEX_FILE_PATH_MOST)
		return false;
	if (flags & (FLAG_EXTENDED | FLAG_STAGES | FLAG_ASSUME_VALID)) {
		r->f->odd = true;
		return true;
	}
	e->len = (uint32_t)len;
	read_stat(e, begin);
	if (!mode_ok(e->mode) || (r->f->n && strcmp(e[-1].path, e->path) >= 0))
		return false;
	r->f->n++;
	return true;
}

/*
 * Extensions whose name begins with a capital can be ignored; a split or a sparse index cannot be
 * understood without the others.
 */
static bool read_extensions(struct reader *r)
{
	while (r->p < r->end) {
		uint32_t size;

		if (r->end - r->p < 8)
			return false;
		size = get32(r->p + 4);
		if (*r->p < 'A' || *r->p > 'Z' || size > (size_t)(r->end - r->p) - 8)
			return false;
		if (memcmp(r->p, "TREE", 4) == 0)
			r->f->tree = itree_parse(&r->f->arena, r->p + 8, size);
		r->p += 8 + size;
	}
	return true;
}

static bool read_all(struct index_file *f)
{
	const unsigned char *map = f->map;
	struct reader r = { .f = f };
	unsigned char sha1[SHA1_RAW];
	uint32_t n;

	if (f->maplen < HEADER_SIZE + SHA1_RAW || memcmp(map, "DIRC", 4) != 0)
		return false;
	r.version = get32(map + 4);
	n = get32(map + 8);
	r.p = map + HEADER_SIZE;
	r.end = map + f->maplen - SHA1_RAW;
	if (r.version < 2 || r.version > 4 || n > (size_t)(r.end - r.p) / ENTRY_SIZE)
		return false;
	/*
	 * Trees are made from this, and git makes nothing of it durable: a file that a power loss tore
	 * must not be believed.
	 */
	sha1_of(sha1, map, f->maplen - SHA1_RAW, NULL, 0);
	if (memcmp(sha1, r.end, SHA1_RAW) != 0)
		return false;
	f->v = mem_alloc((n + 1) * sizeof(*f->v));
	while (n && read_entry(&r))
		n--;
	bytes_release(&r.last);
	return !n && read_extensions(&r);
}

static bool is_message(const struct index_entry *e)
{
	struct path p;

	path_parse(&p, e->path, e->len);
	return p.class == PATH_MESSAGE;
}

static void doubt_racy(struct index_file *f, uint32_t written)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].st.mtime_s >= written && !is_message(&f->v[i]))
			memset(&f->v[i].st, 0, sizeof(f->v[i].st));
}

void index_file_read(struct index_file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	f->there = fd >= 0 || errno != ENOENT;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		/* git never writes into the file, it replaces it: the map cannot shrink. */
		f->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
		if (f->map == MAP_FAILED)
			f->map = NULL;
		else
			f->maplen = (size_t)st.st_size;
	}
	close(fd);
	if (f->map && read_all(f)) {
		f->usable = true;
		doubt_racy(f, (uint32_t)st.st_mtime);
		return;
	}
	index_file_release(f);
	f->there = true;
}

void index_file_release(struct index_file *f)
{
	if (f->map)
		munmap(f->map, f->maplen);
	free(f->v);
	arena_release(&f->arena);
	memset(f, 0, sizeof(*f));
}

/*
 * The file goes out in pieces that fit a processor's cache: hashed and copied by the kernel while they
 * are hot.
 */
struct out {
	int fd;
	int failed; /* errno */
	struct sha1 sum;
	size_t n;
	unsigned char buf[128 << 10];
};

static void out_flush(struct out *o)
{
	sha1_add(&o->sum, o->buf, o->n);
	if (!o->failed && io_write(o->fd, o->buf, o->n) < 0)
		o->failed = errno;
	o->n = 0;
}

static void out_add(struct out *o, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len) {
		size_t room = sizeof(o->buf) - o->n, n = len < room ? len : room;

		memcpy(o->buf + o->n, p, n);
		o->n += n;
		p += n;
		len -= n;
		if (o->n == sizeof(o->buf))
			out_flush(o);
	}
}

static void out_entry(struct out *o, const struct index_entry *e)
{
	size_t size = (ENTRY_SIZE + (size_t)e->len + 8) & ~(size_t)7;
	unsigned flags = e->len < FLAG_NAME ? e->len : FLAG_NAME;
	unsigned char *p;

	if (sizeof(o->buf) - o->n < size)
		out_flush(o);
	p = o->buf + o->n;
	put32(p, e->st.ctime_s);
	put32(p + 4, e->st.ctime_ns);
	put32(p + 8, e->st.mtime_s);
	put32(p + 12, e->st.mtime_ns);
	put32(p + 16, e->st.dev);
	put32(p + 20, e->st.ino);
	put32(p + 24, e->mode);
	put32(p + 28, e->st.uid);
	put32(p + 32, e->st.gid);
	put32(p + 36, e->st.size);
	memcpy(p + 40, e->oid.h, OID_RAW);
	p[60] = (unsigned char)(flags >> 8);
	p[61] = (unsigned char)flags;
	memcpy(p + ENTRY_SIZE, e->path, e->len);
	memset(p + ENTRY_SIZE + e->len, 0, size - ENTRY_SIZE - e->len);
	o->n += size;
}

int index_file_write(int fd, const struct index_entry *v, size_t n, const struct itree *tree)
{
	struct out *o = mem_alloc(sizeof(*o));
	struct bytes ext = { 0 };
	unsigned char head[HEADER_SIZE] = "DIRC\0\0\0\2", ext_head[8] = "TREE", sha1[SHA1_RAW];
	int failed;

	o->fd = fd;
	o->failed = 0;
	o->n = 0;
	sha1_begin(&o->sum);
	put32(head + 8, (uint32_t)n);
	out_add(o, head, sizeof(head));
	for (size_t i = 0; i < n; i++)
		out_entry(o, &v[i]);
	itree_format(tree, &ext);
	put32(ext_head + 4, (uint32_t)ext.len);
	out_add(o, ext_head, sizeof(ext_head));
	out_add(o, ext.buf, ext.len);
	bytes_release(&ext);
	out_flush(o);
	sha1_end(&o->sum, sha1);
	if (!o->failed && io_write(fd, sha1, sizeof(sha1)) < 0)
		o->failed = errno;
	failed = o->failed;
	free(o);
	errno = failed;
	return failed ? -1 : 0;
}
