/*
 * mem.c -- memory for the pure layers: checked allocation, arenas, byte buffers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Small enough to cost a tiny store nothing, large enough that malloc's own overhead per message vanishes. */
#define CHUNK_SIZE (64 * 1024 - 64)

struct mem_chunk {
	struct mem_chunk *older;
	max_align_t data[];
};

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *mem_zalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		abort();
	return p;
}

void *mem_realloc(void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p)
		abort();
	return p;
}

static void *chunk_new(struct arena *a, size_t size)
{
	struct mem_chunk *c;

	if (size > SIZE_MAX - sizeof(*c))
		abort();
	c = mem_alloc(sizeof(*c) + size);
	c->older = a->chunks;
	a->chunks = c;
	return c->data;
}

/* align is a power of two. */
static void *arena_take(struct arena *a, size_t size, size_t align)
{
	size_t pad = -(uintptr_t)a->next & (align - 1);
	char *p;

	if (a->left >= pad && a->left - pad >= size && a->next) {
		p = a->next + pad;
		a->next = p + size;
		a->left -= pad + size;
		return p;
	}
	/* A large object gets a chunk of its own, so that what is left of the current one is not wasted. */
	if (size > CHUNK_SIZE / 4)
		return chunk_new(a, size);
	p = chunk_new(a, CHUNK_SIZE);
	a->next = p + size;
	a->left = CHUNK_SIZE - size;
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return arena_take(a, size, _Alignof(max_align_t));
}

char *arena_strn(struct arena *a, const char *s, size_t len)
{
	char *p = arena_take(a, len + 1, 1);

	if (len)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	p = arena_take(a, (size_t)n + 1, 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void arena_release(struct arena *a)
{
	struct mem_chunk *c, *older;

	for (c = a->chunks; c; c = older) {
		older = c->older;
		free(c);
	}
	memset(a, 0, sizeof(*a));
}

char *bytes_reserve(struct bytes *b, size_t len)
{
	size_t need;

	if (len > SIZE_MAX / 2 - b->len)
		abort();
	need = b->len + len + 1;
	if (need > b->cap) {
		size_t cap = b->cap * 2 > need ? b->cap * 2 : need;

		if (cap < 64)
			cap = 64;
		b->buf = mem_realloc(b->buf, cap);
		b->cap = cap;
	}
	return b->buf + b->len;
}

void bytes_add(struct bytes *b, const void *data, size_t len)
{
	char *p = bytes_reserve(b, len);

	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->buf[b->len] = '\0';
}

void bytes_addstr(struct bytes *b, const char *s)
{
	bytes_add(b, s, strlen(s));
}

void bytes_addf(struct bytes *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	bytes_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(b->buf + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void bytes_clear(struct bytes *b)
{
	b->len = 0;
	if (b->buf)
		b->buf[0] = '\0';
}

void bytes_release(struct bytes *b)
{
	free(b->buf);
	memset(b, 0, sizeof(*b));
}
