/*
 * mem.h -- memory for the pure layers: checked allocation, arenas, byte buffers.
 *
 * Out of memory ends the process as if it had been killed at that point. Every
 * command survives a kill at any point, so this is safe, and no caller needs an
 * error path for it. Nothing is printed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef MEM_H
#define MEM_H

#include <stddef.h>

/* mem_alloc, mem_zalloc, mem_realloc: as malloc, calloc and realloc, never NULL. free(3) frees. */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *p, size_t size);

/*
 * MEM_GROW(v, n, cap): makes room for one more element in the array v of n elements.
 */
#define MEM_GROW(v, n, cap)                                                      \
	do {                                                                     \
		if ((n) == (cap)) {                                              \
			(cap) = (cap) ? (cap) * 2 : 16;                          \
			(v) = mem_realloc((v), (cap) * sizeof(*(v)));            \
		}                                                                \
	} while (0)

/* An arena: strings and structs that all die together. Zero-initialise to start one. */
struct mem_chunk;
struct arena {
	struct mem_chunk *chunks;
	char *next;
	size_t left;
};

/* arena_alloc: size bytes, aligned for any object, not zeroed. Lives until arena_release(). */
void *arena_alloc(struct arena *a, size_t size);
/* arena_strn: a NUL-terminated copy of the len bytes at s. */
char *arena_strn(struct arena *a, const char *s, size_t len);
/* arena_printf: a formatted string. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* arena_release: frees all of it and makes the arena usable again. */
void arena_release(struct arena *a);

/* A growing byte buffer. Zero-initialise to start one; buf is NUL-terminated once anything was added. */
struct bytes {
	char *buf;
	size_t len, cap;
};

void bytes_add(struct bytes *b, const void *data, size_t len);
void bytes_addstr(struct bytes *b, const char *s);
void bytes_addf(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* bytes_reserve: room for len more bytes; returns where they go. The caller then adds to b->len. */
char *bytes_reserve(struct bytes *b, size_t len);
/* bytes_clear: empties, keeps the memory. bytes_release: frees; the buffer can be used again. */
void bytes_clear(struct bytes *b);
void bytes_release(struct bytes *b);

#endif
