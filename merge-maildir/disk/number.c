/*
 * number.c -- UIDs are given where the mail arrives.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "live.h"
#include "lock.h"
#include "lookup.h"
#include "validity.h"

/*
 * A list that is gone is put back as it was recorded. What the mail server numbered since then is not known: so many UIDs are passed over, so
 * that none of these comes to mean another message.
 */
#define LOST_GAP 1000
/* A list with more than so many dead lines for each living one is rid of them when it is written anyway. */
#define DEAD_MOST 1
#define DEAD_FEW 100

struct work {
	struct disk *d;
	struct number *in;
	int fd;
	struct uidlist live;
	struct lookup look;
	bool changed;
	struct bytes before_text;
	struct uidlist before;
	bool before_read;
};

static int cmp_key(const char *a, size_t alen, const char *b, size_t blen)
{
	int c = memcmp(a, b, alen < blen ? alen : blen);

	return c ? c : (alen > blen) - (alen < blen);
}

static int cmp_message(const void *a, const void *b)
{
	const struct number_message *x = a, *y = b;

	return cmp_key(x->name, x->keylen, y->name, y->keylen);
}

static void sort(struct number *in)
{
	size_t i;

	for (i = 1; i < in->n; i++)
		if (cmp_message(&in->v[i - 1], &in->v[i]) > 0)
			break;
	if (i < in->n)
		qsort(in->v, in->n, sizeof(*in->v), cmp_message);
}

static const struct number_message *find(const struct number *in, const char *key, size_t keylen)
{
	size_t lo = 0, hi = in->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = cmp_key(in->v[mid].name, in->v[mid].keylen, key, keylen);

		if (!c)
			return &in->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static bool is_recorded(void *ctx, const char *key, size_t keylen)
{
	return find(ctx, key, keylen) != NULL;
}

static bool is_to_stay(void *ctx, const char *key, size_t keylen)
{
	const struct number_message *m = find(ctx, key, keylen);

	return !m || !m->renew;
}

static bool has_uid(const struct uidlist *l, uint32_t uid)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->v[mid].uid == uid)
			return true;
		if (l->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int cmp_line(const void *a, const void *b)
{
	const struct uidlist_line *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static int read_before(struct work *w, struct err *err)
{
	int rc = w->before_read ? 0 : w->in->before(w->in->ctx, &w->before_text, err);

	if (!rc && !w->before_read && w->before_text.len)
		uidlist_parse(&w->before, w->before_text.buf, w->before_text.len);
	w->before_read = true;
	return rc;
}

static void work_release(struct work *w)
{
	lookup_clear(&w->look);
	uidlist_release(&w->live);
	uidlist_release(&w->before);
	bytes_release(&w->before_text);
}

/* Messages without a line have the UID that was recorded, if nothing else has got it. With so many lines nothing can be missing. */
static int take_recorded(struct work *w, size_t full, struct err *err)
{
	const struct number *in = w->in;
	struct uidlist *l = &w->live, kept = { 0 };

	for (size_t i = 0; i < in->n && l->n < full; i++) {
		const struct uidlist_line *was;
		int rc;

		if (in->v[i].renew || uidlist_find(l, in->v[i].name, in->v[i].keylen))
			continue;
		rc = read_before(w, err);
		if (rc) {
			free(kept.v);
			return rc;
		}
		was = w->before.validity == l->validity ? uidlist_find(&w->before, in->v[i].name, in->v[i].keylen) : NULL;
		if (!was || was->uid >= l->next || has_uid(l, was->uid))
			continue;
		MEM_GROW(kept.v, kept.n, kept.cap);
		kept.v[kept.n++] = *was;
	}
	for (size_t i = 0; i < kept.n; i++) {
		MEM_GROW(l->v, l->n, l->cap);
		l->v[l->n++] = kept.v[i];
	}
	if (kept.n) {
		qsort(l->v, l->n, sizeof(*l->v), cmp_line);
		uidlist_index(l);
	}
	free(kept.v);
	return 0;
}

/* From the list as it is live to its normal form. What is recorded and is not on disk (its deletion is held back) keeps its UID. */
static int normalise(struct work *w, struct bytes *text, struct err *err)
{
	int rc;

	uidlist_keep(&w->live, is_recorded, (void *)w->in);
	rc = take_recorded(w, w->in->n, err);
	if (rc)
		return rc;
	uidlist_uncache(&w->live);
	uidlist_format(&w->live, text);
	return NUMBER_DONE;
}

/*
 * Lines are lost in a list that is torn or has lines that make no sense. What was recorded is still true of them. Not where a UID is that of two
 * messages: clients may have seen the other one.
 */
static int mend(struct work *w, struct err *err)
{
	int rc;

	if (!(w->live.trouble & (UIDLIST_TORN | UIDLIST_BAD_LINE)) || w->live.trouble & UIDLIST_SHARED)
		return 0;
	rc = read_before(w, err);
	if (rc || w->before.validity != w->live.validity)
		return rc;
	if (w->live.next < w->before.next)
		w->live.next = w->before.next;
	return take_recorded(w, w->in->n + w->live.n, err);
}

static int open_subs(int fd, int sub[2])
{
	sub[NAME_NEW] = openat(fd, "new", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	sub[NAME_CUR] = openat(fd, "cur", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return sub[NAME_NEW] < 0 || sub[NAME_CUR] < 0 ? -1 : 0;
}

/* What is in the folder now, by key. */
static int look(struct work *w, struct err *err)
{
	int sub[2], rc;

	if (w->look.read)
		return 0;
	rc = open_subs(w->fd, sub);
	if (!rc)
		rc = lookup_read(&w->look, sub);
	else if (errno == ENOENT)
		rc = 0;
	if (rc)
		rc = err_errno(err, "cannot read folder '%s'", w->in->folder);
	for (int i = 0; i < 2; i++)
		if (sub[i] >= 0)
			close(sub[i]);
	return rc;
}

/* 1 there, 0 not, or an err_code. Under the name that it had when it was recorded, or another of its key. */
static int is_there(struct work *w, const struct number_message *m, struct err *err)
{
	char path[NAME_LONGEST + 8];
	struct stat st;
	size_t it = 0;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", m->sub == NAME_CUR ? "cur" : "new", m->name);
	if (!w->look.read && !fstatat(w->fd, path, &st, AT_SYMLINK_NOFOLLOW))
		return 1;
	rc = look(w, err);
	return rc ? rc : lookup_next(&w->look, m->name, m->keylen, &it) != NULL;
}

static int number(struct work *w, size_t *given, unsigned *trouble, struct err *err)
{
	struct uidlist_key *keys = mem_alloc((w->in->n + 1) * sizeof(*keys));
	size_t i, n = 0;
	int rc = 0;

	for (i = 0; i < w->in->n && rc >= 0; i++) {
		const struct number_message *m = &w->in->v[i];

		if (uidlist_find(&w->live, m->name, m->keylen))
			continue;
		rc = is_there(w, m, err);
		if (rc > 0)
			keys[n++] = (struct uidlist_key){ m->name, m->keylen };
	}
	if (rc >= 0 && n) {
		*given = uidlist_number(&w->live, keys, n);
		w->changed |= *given != 0;
		if (w->live.next == UINT32_MAX)
			*trouble |= NUMBER_FULL;
	}
	free(keys);
	return rc < 0 ? rc : 0;
}

static bool is_alive(void *ctx, const char *key, size_t keylen)
{
	struct work *w = ctx;
	size_t it = 0;

	return find(w->in, key, keylen) || lookup_next(&w->look, key, keylen, &it);
}

static int drop_dead(struct work *w, struct err *err)
{
	int rc = 0;

	if (w->live.n > (DEAD_MOST + 1) * w->in->n + DEAD_FEW) {
		rc = look(w, err);
		if (!rc)
			uidlist_keep(&w->live, is_alive, w);
	}
	return rc;
}

/* Under the lock, with the live list in w. */
static int work_on(struct work *w, struct bytes *text, struct stat *st, size_t *given, unsigned *trouble, struct err *err)
{
	int rc;

	uidlist_keep(&w->live, is_to_stay, w->in);
	rc = mend(w, err);
	if (!rc)
		rc = number(w, given, trouble, err);
	if (!rc && w->changed)
		rc = drop_dead(w, err);
	/* That messages came a server sees by itself. */
	if (!rc && w->changed && *trouble)
		live_wake(w->fd);
	if (!rc && w->changed)
		rc = live_write_uidlist(w->d, w->fd, w->in->folder, &w->live, err);
	if (rc)
		return rc;
	if (fstatat(w->fd, UIDLIST_NAME, st, AT_SYMLINK_NOFOLLOW))
		return err_errno(err, "cannot stat '" UIDLIST_NAME "' of folder '%s'", w->in->folder);
	return normalise(w, text, err);
}

/* A folder has no list, or an empty one: what was recorded comes back, or a new one begins. */
static int begin(struct work *w, unsigned *trouble, struct err *err)
{
	int rc = read_before(w, err);

	if (rc)
		return rc;
	if (w->before.known) {
		uidlist_parse(&w->live, w->before_text.buf, w->before_text.len);
		w->live.next = w->live.next < UINT32_MAX - LOST_GAP ? w->live.next + LOST_GAP : UINT32_MAX;
		*trouble |= NUMBER_LOST;
	} else if (w->in->make) {
		rc = validity_next(w->d, &w->live.validity, err);
		if (rc)
			return rc;
		validity_new_guid(w->live.guid);
		w->live.known = true;
		w->live.next = 1;
	} else {
		return NUMBER_NONE;
	}
	w->changed = true;
	return NUMBER_DONE;
}

int number_folder(struct disk *d, struct number *in, struct bytes *text, struct stat *st, size_t *given, unsigned *trouble, struct err *err)
{
	struct work w = { .d = d, .in = in, .fd = file_open_dir(d, in->folder) };
	struct lock l = { .dirfd = -1 };
	struct bytes live = { 0 };
	int rc;

	*given = 0;
	*trouble = 0;
	if (w.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? NUMBER_NONE
									     : err_errno(err, "cannot open folder '%s'", in->folder);
	sort(in);
	rc = lock_folder(&l, d, w.fd, in->folder, err);
	if (rc) {
		rc = rc == ERR_NOTFOUND ? NUMBER_NONE : rc;
		goto out;
	}
	rc = live_read(w.fd, in->folder, UIDLIST_NAME, &live, NULL, err);
	if (rc == ERR_NOTFOUND)
		rc = 0;
	if (rc)
		goto out;
	if (live.len)
		uidlist_parse(&w.live, live.buf, live.len);
	*trouble = w.live.trouble;
	w.changed = w.live.trouble != 0;
	if (w.live.trouble & UIDLIST_FOREIGN)
		rc = NUMBER_KEPT;
	else
		rc = w.live.known ? NUMBER_DONE : begin(&w, trouble, err);
	if (rc == NUMBER_DONE)
		rc = work_on(&w, text, st, given, trouble, err);
	/* The folder was removed under our hands: what is there now is to be looked at again. */
	if (rc == ERR_NOTFOUND)
		rc = ERR_AGAIN;
out:
	lock_release(&l);
	close(w.fd);
	work_release(&w);
	bytes_release(&live);
	return rc;
}

int number_normal(struct number *in, const struct bytes *live, struct bytes *text, struct err *err)
{
	struct work w = { .in = in, .fd = -1 };
	int rc = NUMBER_KEPT;

	sort(in);
	if (live->len)
		uidlist_parse(&w.live, live->buf, live->len);
	if (w.live.known && !(w.live.trouble & UIDLIST_FOREIGN))
		rc = normalise(&w, text, err);
	work_release(&w);
	return rc;
}
