/*
 * apply_letters.c -- the letters for keywords in the names of a folder's messages: those of the plan and those on
 * disk.
 *
 * A plan has the letters of the stores' own maps: its old names those of what was recorded here, its new names those
 * of what is to be reached. On disk they are what the folder's dovecot-keywords says. That file belongs to a server
 * whose open sessions remember it: it gets what it lacks, and no letter in it ever comes to mean something else.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "../core/name.h"
#include "apply_step.h"
#include "live.h"

/* The flags a to z in a set. */
#define KEYWORD_FLAGS (~(((name_flags)1 << 26) - 1))

bool apply_letters_in(const char *s)
{
	struct name n;

	if (!s)
		return false;
	name_parse(&n, s, strlen(s));
	return n.flags & KEYWORD_FLAGS;
}

/* What a store says of the folder's keywords. */
static int ask(struct apply *a, const struct apply_folder *f, bool before, struct keywords *out, struct err *err)
{
	struct bytes text = { 0 };
	int rc = a->ops->imap(a->ops->ctx, f->path, PATH_KEYWORDS, before, &text, err);

	if (!rc || rc == ERR_NOTFOUND) {
		keywords_parse(out, text.buf, text.len);
		rc = 0;
	}
	bytes_release(&text);
	return rc;
}

/* Once for a folder and keyword, though the folder may be worked on in several batches. */
static void tell_full(struct apply *a, struct apply_folder *f, int letter)
{
	char what[512];

	if (!a->ops->note || f->letters.told & 1u << letter)
		return;
	f->letters.told |= 1u << letter;
	snprintf(what, sizeof(what), "has no letter left for the keyword '%.400s': it is not shown here",
		 f->letters.target.name[letter]);
	a->ops->note(a->ops->ctx, f->path, what);
}

static void grow(struct apply *a, struct apply_folder *f)
{
	struct apply_letters *l = &f->letters;
	int i;

	l->used = true;
	for (i = 0; i < KEYWORDS_MOST; i++) {
		if (!l->target.name[i] || keywords_find(&l->live, l->target.name[i]) >= 0)
			continue;
		if (keywords_add(&l->live, l->target.name[i], i) < 0)
			tell_full(a, f, i);
		else
			l->grew = true;
	}
}

static void map(struct apply_letters *l)
{
	keywords_map(&l->before_live, &l->before, &l->live);
	keywords_map(&l->target_live, &l->target, &l->live);
	keywords_map(&l->live_target, &l->live, &l->target);
}

static bool same_text(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->buf, b->buf, a->len));
}

/* The text becomes l's. */
static void take(struct apply_letters *l, struct bytes *text)
{
	bytes_release(&l->text);
	l->text = *text;
	*text = (struct bytes){ 0 };
	keywords_release(&l->live);
	memset(&l->live, 0, sizeof(l->live));
	keywords_parse(&l->live, l->text.buf, l->text.len);
	l->grew = false;
}

int apply_letters_read(struct apply *a, struct apply_folder *f, bool growing, struct err *err)
{
	struct apply_letters *l = &f->letters;
	struct bytes text = { 0 };
	bool same, before = l->read;
	int rc = 0;

	if (!a->ops->imap)
		return 0;
	if (!l->asked) {
		rc = ask(a, f, true, &l->before, err);
		if (!rc)
			rc = ask(a, f, false, &l->target, err);
		l->asked = true;
	}
	if (!rc)
		rc = live_read(f->fd, f->path, KEYWORDS_NAME, &text, NULL, err);
	if (rc && rc != ERR_NOTFOUND)
		return rc;
	same = before && same_text(&text, &l->text);
	if (!same)
		take(l, &text);
	if (growing && !(same && l->used))
		grow(a, f);
	map(l);
	l->read = true;
	bytes_release(&text);
	return before && !same;
}

void apply_letters_learn(struct apply_folder *f, const struct keywords *from, const char *name)
{
	struct apply_letters *l = &f->letters;
	struct name n;
	int i;

	name_parse(&n, name, strlen(name));
	for (i = 0; i < KEYWORDS_MOST; i++)
		if (from->name[i] && n.flags & name_flag((char)('a' + i)) && keywords_find(&l->live, from->name[i]) < 0 &&
		    keywords_add(&l->live, from->name[i], i) >= 0)
			l->grew = true;
	map(l);
}

int apply_letters_write(struct apply *a, struct apply_folder *f, struct err *err)
{
	struct apply_letters *l = &f->letters;
	int rc = live_write_keywords(a->d, f->fd, f->path, &l->live, err);

	if (rc)
		return rc;
	bytes_clear(&l->text);
	keywords_format(&l->live, &l->text);
	l->grew = false;
	return 0;
}

const char *apply_letters_name(struct arena *arena, const struct keywords_map *m, const char *name)
{
	char out[NAME_LONGEST + 1];
	size_t len;

	if (m->same || !apply_letters_in(name))
		return name;
	len = keywords_rename(out, m, name, strlen(name));
	return arena_strn(arena, out, len);
}

/*
 * The keywords of from that the store which is to be reached has no letter for, because 26 others have them all: they
 * are lost to it, but need not be lost here.
 */
static const char *keep_lost(struct arena *arena, const struct apply_letters *l, const char *name, const char *from)
{
	char out[NAME_LONGEST + 1];
	name_flags lost = 0;
	struct name n, was;
	size_t len;
	int i;

	name_parse(&was, from, strlen(from));
	for (i = 0; i < KEYWORDS_MOST; i++)
		if (l->live.name[i] && l->live_target.to[i] < 0)
			lost |= was.flags & name_flag((char)('a' + i));
	name_parse(&n, name, strlen(name));
	len = lost ? name_join(out, n.s, n.keylen, n.flags | lost, n.tail, n.taillen) : 0;
	return len ? arena_strn(arena, out, len) : name;
}

const struct plan_step *apply_letters_step(struct arena *arena, const struct apply_letters *l, const struct plan_step *s)
{
	const char *name = s->name, *from = s->from_name;
	struct plan_step *out;

	if (!l->read)
		return s;
	if (name)
		name = apply_letters_name(arena, &l->target_live, name);
	/* A message that moves comes from a folder with letters of its own. */
	if (from && !s->from_folder)
		from = apply_letters_name(arena, &l->before_live, from);
	if (name && from && !s->from_folder)
		name = keep_lost(arena, l, name, from);
	if (name == s->name && from == s->from_name)
		return s;
	out = arena_alloc(arena, sizeof(*out));
	*out = *s;
	out->name = name;
	out->from_name = from;
	return out;
}

void apply_letters_release(struct apply_letters *l)
{
	keywords_release(&l->live);
	keywords_release(&l->before);
	keywords_release(&l->target);
	bytes_release(&l->text);
	memset(l, 0, sizeof(*l));
}

bool apply_is_wanted(struct apply *a, struct apply_folder *f, const struct lookup_entry *e)
{
	char name[NAME_LONGEST + 1];

	if (!a->ops->wanted)
		return false;
	if (!a->ops->imap || !apply_letters_in(e->name))
		return a->ops->wanted(a->ops->ctx, f->path, (enum name_sub)e->sub, e->name);
	/* What cannot be known is left alone. */
	if (!f->letters.read && apply_letters_read(a, f, false, NULL) < 0)
		return true;
	keywords_rename(name, &f->letters.live_target, e->name, e->len);
	return a->ops->wanted(a->ops->ctx, f->path, (enum name_sub)e->sub, name);
}
