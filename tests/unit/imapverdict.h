/*
 * imapverdict.h -- looks at the UIDs and keywords in the result of a merge: what a mail client was told stays true, and every message
 * has the keywords that people gave it. Complaints are text; none is good.
 *
 * Nothing here knows how the merge works: lists and maps are read with a few lines of our own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef IMAPVERDICT_H
#define IMAPVERDICT_H

#include "verdict.h"

struct uid_line {
	unsigned uid;
	char key[NAME_LONGEST + 1];
};

/* A dovecot-uidlist. */
struct uids {
	bool here;
	unsigned validity, next;
	struct uid_line v[2 * CASE_MAILS];
	size_t n;
};

/* One folder: what each side has of it, under its name or, if the other side renamed it, under its old one; and what the result has. */
struct uid_case {
	const struct sides *s;
	const char *path;
	const struct folder *mail[THREE], *result_mail;
	bool bound[THREE]; /* what the side handed out is a promise: the folder is the same one, and not only its messages are */
	struct uids side[THREE], result;
};

static inline const struct blob *file_in(const struct sides *s, const struct store *store, unsigned folder,
					 const char *name)
{
	struct arena a = { 0 };
	const struct file *f = store_find_file(store, path_in(&a, folder, name));

	arena_release(&a);
	return f ? blobs_find(&s->blobs, &f->oid) : NULL;
}

static inline void read_uids(struct uids *l, const struct blob *b, struct bytes *why)
{
	const char *p = b ? b->b.buf : NULL;

	l->here = p;
	l->n = 0;
	if (!p)
		return;
	if (sscanf(p, "3 V%u N%u", &l->validity, &l->next) != 2)
		bytes_addf(why, "no list of UIDs: %.100s\n", p);
	while ((p = strchr(p, '\n')) && *++p && l->n < 2 * CASE_MAILS) {
		struct uid_line *line = &l->v[l->n++];

		if (sscanf(p, "%u :%255[^\n]", &line->uid, line->key) != 2)
			bytes_addf(why, "no line of a list of UIDs: %.100s\n", p);
	}
}

static inline const struct uid_line *line_of(const struct uids *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->v[i].key) == key_len(name) && same_key(l->v[i].key, name))
			return &l->v[i];
	return NULL;
}

static inline const struct uid_line *line_with(const struct uids *l, unsigned uid)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].uid == uid)
			return &l->v[i];
	return NULL;
}

/* The message of this key, NULL if there is none, or *n is not 1. */
static inline const struct msg *only_msg(const struct folder *f, const char *key, size_t *n)
{
	const struct msg *found = NULL;

	*n = 0;
	for (int sub = 0; f && sub < 2; sub++)
		for (size_t i = 0; i < f->sub[sub].n; i++)
			if (same_key(f->sub[sub].v[i].name, key)) {
				found = &f->sub[sub].v[i];
				++*n;
			}
	return *n == 1 ? found : NULL;
}

/* Whether some side has two messages of this key, or the result has: a server gives them one UID. */
static inline bool is_doubled(const struct uid_case *u, const char *key)
{
	bool doubled = false;
	size_t n;

	for (int s = 0; s < THREE; s++) {
		only_msg(u->mail[s], key, &n);
		doubled |= n > 1;
	}
	only_msg(u->result_mail, key, &n);
	return doubled || n > 1;
}

/* Whether that side has this message of the result, and nothing else under its key. */
static inline bool has_it(const struct uid_case *u, int side, const struct msg *m)
{
	size_t n;
	const struct msg *theirs = only_msg(u->mail[side], m->name, &n);

	return theirs && oid_eq(&theirs->oid, &m->oid);
}

static inline void complain_uid(const struct uid_case *u, struct bytes *why, const char *what, unsigned uid, const char *key)
{
	bytes_addf(why, "UIDs of '%s': %s: %u %.*s\n", u->path, what, uid, (int)key_len(key), key);
}

static inline void check_order(const struct uid_case *u, struct bytes *why)
{
	const struct uids *l = &u->result;

	for (size_t i = 0; i < l->n; i++) {
		size_t n;

		if (i && l->v[i].uid <= l->v[i - 1].uid)
			complain_uid(u, why, "not ascending", l->v[i].uid, l->v[i].key);
		if (l->v[i].uid >= l->next)
			complain_uid(u, why, "not below the next one", l->v[i].uid, l->v[i].key);
		if (line_of(l, l->v[i].key) != &l->v[i])
			complain_uid(u, why, "a message twice", l->v[i].uid, l->v[i].key);
		only_msg(u->result_mail, l->v[i].key, &n);
		if (!n)
			complain_uid(u, why, "a message that is not there", l->v[i].uid, l->v[i].key);
	}
}

/* What a side handed out means the same in the result, and what is new to a side is above all that it handed out. */
static inline void check_promises(const struct uid_case *u, int side, struct bytes *why)
{
	const struct uids *l = &u->side[side];

	if (l->here && u->result.validity == l->validity && u->result.next < l->next)
		bytes_addf(why, "UIDs of '%s': the next one is below a side's\n", u->path);
	if (l->here && u->result.validity < l->validity)
		bytes_addf(why, "UIDs of '%s': the UIDVALIDITY is below a side's\n", u->path);
	for (size_t i = 0; l->here && u->result.validity == l->validity && i < u->result.n; i++) {
		const struct uid_line *x = &u->result.v[i], *theirs = line_with(l, x->uid);
		const struct msg *m, *was;
		size_t n;

		if (is_doubled(u, x->key))
			continue;
		if (!theirs && x->uid < l->next)
			complain_uid(u, why, "new to a side, and not above what it handed out", x->uid, x->key);
		if (!theirs)
			continue;
		m = only_msg(u->result_mail, x->key, &n);
		was = only_msg(u->mail[side], theirs->key, &n);
		if (strcmp(theirs->key, x->key) != 0 || (m && was && !oid_eq(&m->oid, &was->oid)))
			complain_uid(u, why, "means another message on a side", x->uid, x->key);
	}
}

/* A message has none only where a side that has a list has it without one, too, or both sides have. */
static inline bool may_lack(const struct uid_case *u, const struct msg *m)
{
	bool without[THREE];

	for (int s = OURS; s < THREE; s++) {
		without[s] = has_it(u, s, m) && !line_of(&u->side[s], m->name);
		if (without[s] && u->side[s].here)
			return true;
	}
	return without[OURS] && without[THEIRS];
}

/* Nobody gets another UID without need: where both sides agree, where only one has a list, or where the other handed out nothing. */
static inline unsigned owed_uid(const struct uid_case *u, const struct msg *m)
{
	const struct uids *b = &u->side[BASE];

	for (int s = OURS; s < THREE; s++) {
		const struct uids *x = &u->side[s], *y = &u->side[other_side(s)];
		const struct uid_line *line = line_of(x, m->name), *other = line_of(y, m->name);

		if (!line || !has_it(u, s, m))
			continue;
		if (!y->here)
			return line->uid;
		if (x->validity == y->validity && other && other->uid == line->uid && has_it(u, other_side(s), m))
			return line->uid;
		if (b->here && x->validity == y->validity && b->validity == x->validity && y->next == b->next &&
		    line->uid >= b->next)
			return line->uid;
	}
	return 0;
}

static inline void check_all_have_one(const struct uid_case *u, struct bytes *why)
{
	for (int sub = 0; u->result_mail && sub < 2; sub++)
		for (size_t i = 0; i < u->result_mail->sub[sub].n; i++) {
			const struct msg *m = &u->result_mail->sub[sub].v[i];
			const struct uid_line *line = line_of(&u->result, m->name);

			if (is_doubled(u, m->name))
				continue;
			if (!line && !may_lack(u, m))
				complain_uid(u, why, "a message has none", 0, m->name);
			if (owed_uid(u, m) && (!line || line->uid != owed_uid(u, m)))
				complain_uid(u, why, "a message has not the one that it had", line ? line->uid : 0, m->name);
		}
}

/* UIDs that no side has for this message; the base counts if both sides lost their lists. */
static inline size_t count_fresh(const struct uid_case *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->result.n; i++) {
		bool known = false;

		for (int s = u->side[OURS].here || u->side[THEIRS].here ? OURS : BASE; s < THREE; s++) {
			const struct uid_line *line = line_with(&u->side[s], u->result.v[i].uid);

			known |= line && u->side[s].validity == u->result.validity && strcmp(line->key, u->result.v[i].key) == 0;
		}
		n += !known;
	}
	return n;
}

/* The folder that a side has for one of the result: that of this name, or what it was before the other side renamed it. */
static inline unsigned old_folder(const struct oracle *o, unsigned folder, int side)
{
	if (!case_has_folder(o->c, side, folder) && !case_has_folder(o->c, BASE, folder))
		for (unsigned f = 1; f < CASE_FOLDERS; f++)
			if (o->renamed[OURS][f] == (int)folder || o->renamed[THEIRS][f] == (int)folder)
				return f;
	return folder;
}

/* Whether a folder goes on under another name, and its list with it. */
static inline bool goes_on(const struct tcase *c, unsigned from, unsigned to, int side)
{
	const struct mark *old = &c->mark[from][BASE], *new = &c->mark[to][side];

	return old->here && new->here && old->id && old->id == new->id;
}

/* check_uids: o knows which folders were renamed; it is NULL if that is not sure. */
static inline void check_uids(const struct sides *s, const struct oracle *o, struct bytes *why)
{
	static struct uid_case u;
	size_t fresh = 0;
	bool all_sure = true;

	if (!two_sided(s))
		return;
	for (unsigned f = 0; f < CASE_FOLDERS; f++) {
		bool any = false, sure = o || case_has_folder(s->c, BASE, f);

		u.s = s;
		u.path = folder_path[f];
		for (int i = 0; i < THREE; i++) {
			unsigned from = o ? old_folder(o, f, i) : f;

			u.mail[i] = store_find_folder(&s->side[i], folder_path[from]);
			read_uids(&u.side[i], file_in(s, &s->side[i], from, UIDLIST_NAME), why);
			any |= u.side[i].here && from == f;
			u.bound[i] = from == f || (i != BASE && goes_on(s->c, from, f, other_side(i)));
		}
		u.result_mail = store_find_folder(&s->result, folder_path[f]);
		read_uids(&u.result, file_in(s, &s->result, f, UIDLIST_NAME), why);
		if (any && !u.result.here && (u.result_mail || marker_of(&s->result, f)))
			bytes_addf(why, "UIDs of '%s': none\n", u.path);
		if (!u.result.here)
			continue;
		check_order(&u, why);
		for (int i = OURS; i < THREE; i++)
			if (u.bound[i])
				check_promises(&u, i, why);
		if (sure)
			check_all_have_one(&u, why);
		all_sure &= sure;
		fresh += count_fresh(&u);
	}
	if (all_sure && fresh != s->fresh)
		bytes_addf(why, "%zu UIDs are fresh, and %zu were told\n", fresh, s->fresh);
}

/* What the letters of a folder of the result mean: to[] has, for each of its letters, that of the case, and 1. */
static inline void read_words(const struct blob *b, unsigned folder, uint8_t to[KEYWORDS_MOST], struct bytes *why)
{
	char name[64];
	unsigned at;

	memset(to, 0, KEYWORDS_MOST);
	for (const char *p = b ? b->b.buf : NULL; p && *p; p = strchr(p, '\n'), p += p != NULL) {
		bool known = false;

		if (sscanf(p, "%u %63[^\n]", &at, name) != 2 || at >= KEYWORDS_MOST)
			bytes_addf(why, "keywords of '%s': no line: %.100s\n", folder_path[folder], p);
		for (unsigned w = 0; w < CASE_WORDS && at < KEYWORDS_MOST; w++)
			if (strcmp(name, word_name[w]) == 0) {
				to[at] = (uint8_t)(w + 1);
				known = true;
			}
		if (!known)
			bytes_addf(why, "keywords of '%s': nobody ever said '%s'\n", folder_path[folder], name);
	}
}

static inline bool same_letter(const struct imap *base, const struct imap *side, unsigned word)
{
	return !side->has_words || side->letter[word] == base->letter[word];
}

/* No keyword loses the letter that it had in the base and has on the sides: sessions of mail servers go by it. */
static inline void check_letters_stay(const struct sides *s, unsigned folder, const uint8_t to[KEYWORDS_MOST],
				      struct bytes *why)
{
	const struct imap *l = s->c->imap[folder], *base = &l[BASE];

	for (unsigned w = 0; w < CASE_WORDS && base->has_words; w++)
		if (base->letter[w] && same_letter(base, &l[OURS], w) && same_letter(base, &l[THEIRS], w) && to[base->letter[w] - 1] != w + 1)
			bytes_addf(why, "keywords of '%s': '%s' has another letter than before\n",
				   folder_path[folder], word_name[w]);
}

/* name_keywords: fills s->named: the result with the names of messages as the case has them, by what its letters mean. */
static inline void name_keywords(struct sides *s, struct bytes *why)
{
	bool both = two_sided(s);

	memset(&s->named, 0, sizeof(s->named));
	for (unsigned f = 0; f < CASE_FOLDERS; f++) {
		const struct folder *mail = store_find_folder(&s->result, folder_path[f]);
		uint8_t to[KEYWORDS_MOST];

		read_words(file_in(s, &s->result, f, KEYWORDS_NAME), f, to, why);
		if (s->c->words && both && (mail || marker_of(&s->result, f)))
			check_letters_stay(s, f, to, why);
		for (int sub = 0; mail && sub < 2; sub++)
			for (size_t i = 0; i < mail->sub[sub].n; i++) {
				const struct msg *m = &mail->sub[sub].v[i];
				char name[NAME_LONGEST + 1];

				memcpy(name, m->name, strlen(m->name) + 1);
				if (s->c->words)
					with_letters(name, m->name, to);
				if (strlen(name) != strlen(m->name))
					complain_msg(why, "a letter that stands for nothing", folder_path[f], sub, m->name);
				store_add_msg(store_folder(&s->named, folder_path[f], strlen(folder_path[f])), (enum name_sub)sub,
					      arena_strn(&s->named.arena, name, strlen(name)), strlen(name), &m->oid);
			}
	}
}

#endif
