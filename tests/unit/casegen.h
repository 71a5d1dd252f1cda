/*
 * casegen.h -- makes random three-sided cases from a seed: a base, and what two sides did to it while they were
 * apart.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CASEGEN_H
#define CASEGEN_H

#include "cases.h"

/* Contents: below 200 one for each message of the base, then two edits of each of these, then deliveries. */
#define BASE_MAILS 30
#define EDITS 200
#define DELIVERIES 480

static uint64_t rnd_state;

/* rnd: below n. The generator is splitmix64. */
static inline unsigned rnd(unsigned n)
{
	uint64_t z = rnd_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	return (unsigned)((z >> 16) % n);
}

static inline bool chance(unsigned percent)
{
	return rnd(100) < percent;
}

/* What happened to a message on a side. */
enum fate {
	KEEP,
	FLAG,
	TO_CUR,
	TO_NEW,
	MOVE,
	MOVE_REKEYED,
	REKEY,
	SUFFIX,
	EDIT,
	MOVE_EDIT,
	DELETE,
	TAIL,
	DATE
};

static inline enum fate pick_fate(void)
{
	static const unsigned char weight[] = { 25, 18, 6, 2, 10, 5, 3, 5, 6, 2, 11, 2, 3 };
	unsigned r = rnd(98), i = 0;

	while (r >= weight[i])
		r -= weight[i++];
	return (enum fate)i;
}

static inline void gen_date(struct inst *x, unsigned odd)
{
	x->mtime = chance(odd) ? 1100000000 + rnd(4) : name_seconds(x->name, key_len(x->name));
}

/* A new key before the info that the name has. */
static inline void set_key(struct inst *x, const char *key)
{
	char info[NAME_LONGEST + 1] = "";

	memcpy(info, x->name + key_len(x->name), strlen(x->name) - key_len(x->name));
	write_name(x->name, key, strlen(key), info);
}

static inline void set_info(struct inst *x, const char *info)
{
	write_name(x->name, x->name, key_len(x->name), info);
}

static inline void toggle_flags(struct inst *x)
{
	static const char letters[] = "DFPRSTabcd";
	char out[NAME_LONGEST + 1];
	struct name n;

	name_parse(&n, x->name, strlen(x->name));
	if (n.has_info && !n.has_flags)
		return;
	for (unsigned i = 1 + rnd(2); i; i--)
		n.flags ^= name_flag(letters[rnd(10)]);
	if (name_join(out, n.s, n.keylen, n.flags, n.tail, n.taillen))
		memcpy(x->name, out, sizeof(out));
	if (chance(95))
		x->sub = NAME_CUR;
}

static inline void gen_info(struct inst *x)
{
	unsigned r = rnd(100);

	if (x->sub == NAME_NEW && r < 90)
		return;
	if (r < 3)
		return;
	if (r < 5)
		set_info(x, chance(50) ? ":1,op" : ":");
	else if (r < 9)
		set_info(x, chance(50) ? ":2,FS,tail" : ":2,-x");
	else
		set_info(x, chance(50) ? ":2," : ":2,S");
	if (chance(40) && x->sub == NAME_CUR)
		toggle_flags(x);
}

/* A key of few kinds: any two messages may have the same. */
static inline void loose_key(char *key, size_t size)
{
	static const char *const suffix[] = { "", "", ",S=1", ",S=1,W=2", ",W=2" };
	unsigned r = rnd(100);

	if (r < 3)
		snprintf(key, size, "%s", chance(50) ? "x" : "msg.y");
	else if (r < 5)
		snprintf(key, size, "%0*u%s", 190 + (int)rnd(60), rnd(2), suffix[rnd(5)]);
	else
		snprintf(key, size, "%u.M%u.h%s", 1000000000 + rnd(2), rnd(3), suffix[rnd(5)]);
}

/* A folder of that side, or now and then a new one. */
static inline unsigned pick_folder(const struct tcase *c, int side)
{
	unsigned f = rnd(CASE_FOLDERS);

	if (!chance(5))
		for (unsigned i = 0; i < 40 && !c->mark[f][side].here; i++)
			f = rnd(CASE_FOLDERS);
	return f;
}

/* Names that come on both sides: few, so that they meet. */
static inline void added_key(char *key, size_t size)
{
	snprintf(key, size, "%u.A%u.mx", 2000000000 + rnd(2), rnd(4));
}

static inline void new_key(const struct tcase *c, char *key, size_t size, size_t i)
{
	if (c->loose)
		loose_key(key, size);
	else if (chance(15))
		added_key(key, size);
	else
		snprintf(key, size, "%u.R%zu_%u.mx", 1500000000 + (unsigned)i, i, rnd(2));
}

static inline void change_suffix(struct inst *x)
{
	char key[NAME_LONGEST + 1];
	size_t full = key_len(x->name), part = short_len(x->name);

	if (full > 200)
		return;
	snprintf(key, sizeof(key), "%.*s%s", (int)part, x->name,
		 full > part  ? ""
		 : chance(50) ? ",S=77"
			      : ",S=77,W=79");
	set_key(x, key);
}

static inline void apply_fate(const struct tcase *c, int side, size_t i, struct inst *x, enum fate fate)
{
	char key[NAME_LONGEST + 1];

	switch (fate) {
	case KEEP:
		break;
	case FLAG:
		toggle_flags(x);
		break;
	case TO_CUR:
		x->sub = NAME_CUR;
		if (!strchr(x->name, ':') && chance(80))
			set_info(x, ":2,");
		break;
	case TO_NEW:
		x->sub = NAME_NEW;
		if (chance(70))
			set_info(x, "");
		break;
	case MOVE:
	case MOVE_EDIT:
	case MOVE_REKEYED:
		x->folder = (uint8_t)pick_folder(c, side);
		break;
	case SUFFIX:
		change_suffix(x);
		break;
	case DELETE:
		x->here = false;
		break;
	case TAIL:
		set_info(x, chance(50) ? ":2,S,more" : chance(60) ? ":2,F,tail" : ":1,other");
		break;
	case DATE:
		gen_date(x, 80);
		break;
	case REKEY:
	case EDIT:
		break;
	}
	if (fate == MOVE_REKEYED || fate == REKEY) {
		new_key(c, key, sizeof(key), i);
		set_key(x, key);
		if (chance(60))
			gen_date(x, 20);
	}
	if (fate == EDIT || fate == MOVE_EDIT)
		x->content = (uint16_t)(c->loose ? rnd(5) : EDITS + 2 * i + rnd(2));
}

static inline void gen_base(struct tcase *c)
{
	size_t n = chance(20) ? rnd(4) : rnd(BASE_MAILS + 1);

	for (unsigned f = 0; f < 4 + chance(10) * 5u; f++)
		if (f == 0 || chance(80))
			c->mark[f][BASE] = (struct mark){ true, f + 1 };
	for (size_t i = 0; i < n; i++) {
		struct inst *x = &c->m[c->n].at[BASE];
		char key[NAME_LONGEST + 1];

		memset(&c->m[c->n], 0, sizeof(*c->m));
		x->folder = (uint8_t)pick_folder(c, BASE);
		x->sub = chance(25) ? NAME_NEW : NAME_CUR;
		if (c->loose)
			loose_key(key, sizeof(key));
		else
			snprintf(key, sizeof(key), "%u.M%zuP7.mx%s", 1000000000 + rnd(9), i,
				 chance(30) ? ",S=7" : "");
		x->content = (uint16_t)(c->loose ? rnd(5) : i);
		if (!c->loose && c->n && chance(12)) {
			const struct inst *y = &c->m[rnd((unsigned)c->n)].at[BASE];

			if (chance(50))
				snprintf(key, sizeof(key), "%.*s", (int)key_len(y->name), y->name);
			else
				x->content = y->content;
			if (chance(30))
				x->folder = y->folder;
		}
		snprintf(x->name, sizeof(x->name), "%s", key);
		gen_info(x);
		gen_date(x, 25);
		x->here = name_is_message(x->name, strlen(x->name));
		if (x->here && !case_path_taken(c, BASE, c->n))
			c->n++;
	}
}

/* Folders that a side renames, deletes with all that is in them, or empties into another. */
static inline void gen_folder_moves(struct tcase *c, int side)
{
	for (unsigned f = 1; f < CASE_FOLDERS; f++) {
		unsigned r = rnd(100), to = rnd(CASE_FOLDERS);
		bool delete = r >= 8 && r < 13;

		if (!c->mark[f][BASE].here || r >= 16 || to == f)
			continue;
		if (side == THEIRS && chance(40))
			for (unsigned g = 0; g < CASE_FOLDERS; g++)
				if (!c->mark[g][BASE].here && c->mark[g][OURS].here &&
				    c->mark[g][OURS].id == c->mark[f][BASE].id)
					to = g;
		if (r < 8) {
			if (c->mark[to][BASE].here || c->mark[to][side].here)
				continue;
			c->mark[to][side] = c->mark[f][side];
			if (chance(10))
				c->mark[to][side].id = 50 + to;
		}
		c->mark[f][side].here = false;
		for (size_t i = 0; i < c->n; i++) {
			struct inst *x = &c->m[i].at[side];

			if (x->here && x->folder == f && delete)
				x->here = false;
			else if (x->here && x->folder == f)
				x->folder = (uint8_t)to;
		}
	}
	if (chance(15)) {
		unsigned f = rnd(CASE_FOLDERS);

		if (!c->mark[f][side].here)
			c->mark[f][side] =
				(struct mark){ true, 60 + f + (chance(50) ? 20u * (unsigned)side : 0) };
	}
}

static inline void gen_fates(struct tcase *c, int side, unsigned busy)
{
	for (size_t i = 0; i < c->n; i++) {
		struct inst *x = &c->m[i].at[side];

		if (!c->m[i].at[BASE].here || !x->here)
			continue;
		if (side == THEIRS && chance(25)) {
			*x = c->m[i].at[OURS];
			if (x->here && chance(40))
				toggle_flags(x);
		} else if (chance(busy)) {
			apply_fate(c, side, i, x, pick_fate());
			if (x->here && chance(30))
				apply_fate(c, side, i, x, chance(70) ? FLAG : pick_fate());
		}
		if (x->here && (!name_is_message(x->name, strlen(x->name)) || case_path_taken(c, side, i)))
			*x = c->m[i].at[BASE];
		if (x->here && case_path_taken(c, side, i))
			x->here = false;
	}
}

static inline void gen_added(struct tcase *c, int side, struct inst *x)
{
	char key[NAME_LONGEST + 1];
	const struct inst *y = c->n ? &c->m[rnd((unsigned)c->n)].at[side] : NULL;

	x->folder = (uint8_t)pick_folder(c, side);
	x->sub = chance(50) ? NAME_NEW : NAME_CUR;
	if (c->loose)
		loose_key(key, sizeof(key));
	else
		added_key(key, sizeof(key));
	x->content = (uint16_t)(c->loose ? rnd(5) : DELIVERIES + rnd(5));
	if (y && y->here && !c->loose) {
		if (chance(12))
			snprintf(key, sizeof(key), "%.*s", (int)key_len(y->name), y->name);
		if (chance(12))
			x->content = y->content;
	}
	snprintf(x->name, sizeof(x->name), "%s", key);
	gen_info(x);
	gen_date(x, 25);
}

/* The same delivery seen by both sides, more or less. */
static inline void gen_again(const struct tcase *c, struct inst *x)
{
	const struct mail *m = &c->m[rnd((unsigned)c->n)];

	if (m->at[BASE].here || !m->at[OURS].here)
		return;
	*x = m->at[OURS];
	if (chance(40))
		toggle_flags(x);
	if (chance(25)) {
		char key[NAME_LONGEST + 1];

		added_key(key, sizeof(key));
		set_key(x, key);
	}
	if (chance(20))
		x->content = (uint16_t)(c->loose ? rnd(5) : DELIVERIES + rnd(5));
	if (chance(20))
		gen_date(x, 60);
}

static inline void gen_adds(struct tcase *c, int side)
{
	for (unsigned n = rnd(chance(70) ? 6 : 16); n && c->n < CASE_MAILS / 2 + 20u * (unsigned)side; n--) {
		struct inst *x = &c->m[c->n].at[side];

		memset(&c->m[c->n], 0, sizeof(*c->m));
		gen_added(c, side, x);
		if (side == THEIRS && c->n && chance(50))
			gen_again(c, x);
		x->here = name_is_message(x->name, strlen(x->name));
		if (x->here && !case_path_taken(c, side, c->n))
			c->n++;
	}
}

/* What one side moved the other copied to the same place, under the same name. */
static inline void gen_copies(struct tcase *c)
{
	for (size_t i = 0, n = c->n; i < n; i++) {
		const struct inst *b = &c->m[i].at[BASE], *x = &c->m[i].at[OURS], *y = &c->m[i].at[THEIRS];
		struct inst *copy = &c->m[c->n].at[THEIRS];

		if (!b->here || !x->here || !y->here || x->folder == b->folder || y->folder != b->folder)
			continue;
		memset(&c->m[c->n], 0, sizeof(*c->m));
		*copy = *x;
		if (chance(40))
			toggle_flags(copy);
		if (!case_path_taken(c, THEIRS, c->n))
			c->n++;
		return;
	}
}

static inline void gen_files(struct tcase *c)
{
	for (unsigned f = 0; f < CASE_FILES; f++) {
		struct version *v = c->file[f];
		unsigned texts = f ? 27 : 32;

		if (!chance(f ? 20 : 60))
			continue;
		v[BASE] = (struct version){ chance(70), rnd(texts), chance(10) ? 0100755 : 0100644 };
		for (int s = OURS; s < THREE; s++) {
			unsigned r = rnd(100);

			v[s] = v[BASE];
			if (r < 20)
				v[s].here = !v[s].here;
			else if (r < 50)
				v[s].text = rnd(texts);
			else if (r < 60)
				v[s].mode ^= 0111;
		}
	}
}

/* No base is known: what both sides have of it came from somewhere, and nobody knows that it is the same. */
static inline void drop_base(struct tcase *c)
{
	for (size_t i = 0, n = c->n; i < n; i++) {
		struct mail *m = &c->m[i];

		m->at[BASE].here = false;
		if (!m->at[OURS].here || !m->at[THEIRS].here)
			continue;
		memset(&c->m[c->n], 0, sizeof(*c->m));
		c->m[c->n++].at[THEIRS] = m->at[THEIRS];
		m->at[THEIRS].here = false;
	}
	for (unsigned f = 0; f < CASE_FOLDERS; f++)
		c->mark[f][BASE].here = false;
	for (unsigned f = 0; f < CASE_FILES; f++)
		c->file[f][BASE].here = false;
}

/* Takes back what makes it unclear which message is which. */
static inline void make_clear(struct tcase *c, int side)
{
	size_t i, j;

	for (unsigned n = 0; n < 60 && case_unclear(c, side, &i, &j); n++) {
		struct inst *x = &c->m[j].at[side];
		const struct inst *base = &c->m[j].at[BASE];

		if (base->here && !same_inst(x, base))
			*x = *base;
		else if (base->here && !c->m[i].at[side].here) {
			j = i;
			x = &c->m[i].at[side];
			*x = c->m[i].at[BASE];
		} else
			x->here = false;
		if (x->here && case_path_taken(c, side, j))
			x->here = false;
	}
}

/* The folder of the base that this folder of a side was: itself, or what it was renamed from; -1: none. */
static inline int came_from(const struct tcase *c, unsigned folder, int side)
{
	if (case_has_folder(c, BASE, folder))
		return (int)folder;
	for (unsigned f = 1; f < CASE_FOLDERS; f++)
		if (c->mark[f][BASE].here && !case_has_folder(c, side, f) && c->mark[folder][side].here &&
		    c->mark[f][BASE].id == c->mark[folder][side].id)
			return (int)f;
	return -1;
}

/* The UID that a message still has from the base, 0 if it has none. */
static inline uint32_t old_uid(const struct tcase *c, size_t i, int side, int from)
{
	const struct inst *b = &c->m[i].at[BASE], *x = &c->m[i].at[side];

	return b->here && b->folder == from && same_key(b->name, x->name) && b->content == x->content ? b->uid : 0;
}

/* What others of this key in this folder have: a list has one line for them all. */
static inline bool same_key_before(const struct tcase *c, size_t i, int side, uint32_t *uid)
{
	const struct inst *x = &c->m[i].at[side];

	for (size_t j = 0; j < i; j++) {
		const struct inst *y = &c->m[j].at[side];

		if (y->here && y->folder == x->folder && same_key(y->name, x->name)) {
			*uid = y->uid;
			return true;
		}
	}
	return false;
}

/* The next UID of a list; now and then some are missing, of mail that came and is gone. */
static inline uint32_t hand_out(struct imap *l)
{
	l->next += chance(10) ? 1 + rnd(3) : 0;
	return l->next++;
}

static inline void gen_uids(struct tcase *c, unsigned folder, int side, int from, bool goes_on)
{
	struct imap *l = &c->imap[folder][side];
	bool backwards = chance(50);
	unsigned renew = chance(10) ? 20 : 0, without = chance(15) ? 30 : 0;

	for (size_t i = 0; i < c->n; i++) {
		struct inst *x = &c->m[i].at[side];

		if (x->here && x->folder == folder)
			x->uid = l->has_list && goes_on && !chance(renew) ? old_uid(c, i, side, from) : 0;
	}
	for (size_t k = 0; k < c->n && l->has_list; k++) {
		struct inst *x = &c->m[backwards ? c->n - 1 - k : k].at[side];

		if (x->here && x->folder == folder && !x->uid && !chance(without))
			x->uid = hand_out(l);
	}
	for (size_t i = 0; i < c->n; i++)
		if (c->m[i].at[side].here && c->m[i].at[side].folder == folder)
			same_key_before(c, i, side, &c->m[i].at[side].uid);
	if (chance(8))
		hand_out(l);
}

/*
 * A list goes on from the base's: messages that are what they were keep their UIDs, others get the next ones. Or it was lost, or made
 * anew, or is that of a folder that only this side has.
 */
static inline void gen_list(struct tcase *c, unsigned folder, int side)
{
	struct imap *l = &c->imap[folder][side];
	int from = side == BASE ? -1 : came_from(c, folder, side);
	const struct imap *old = from >= 0 && c->imap[from][BASE].has_list ? &c->imap[from][BASE] : NULL;
	bool goes_on = old && chance(94);

	if (!case_has_folder(c, side, folder))
		return;
	*l = (struct imap){ .has_list = chance(side == BASE ? 85 : old ? 95 : 60), .validity = 3 + rnd(2), .next = 1 + rnd(3) };
	l->guid = chance(80) ? 16 * folder + (unsigned)side + 1 : 0;
	if (goes_on) {
		l->validity = old->validity;
		l->next = old->next;
		l->guid = chance(95) ? old->guid : l->guid;
	} else if (old) {
		l->validity = old->validity + 1 + rnd(2);
	}
	gen_uids(c, folder, side, from, goes_on);
}

static inline bool is_letter_taken(const struct imap *l, uint8_t letter)
{
	return memchr(l->letter, letter, CASE_WORDS) != NULL;
}

/* A keyword that is new in a folder gets the next letter, or, where others were there before, a later one. */
static inline void give_letter(struct imap *l, unsigned word)
{
	uint8_t letter = (uint8_t)(1 + (chance(25) ? rnd(6) : 0));

	while (is_letter_taken(l, letter))
		letter++;
	l->letter[word] = letter;
}

static inline void gen_words(struct tcase *c, unsigned folder, int side)
{
	struct imap *l = &c->imap[folder][side];
	int from = side == BASE ? -1 : came_from(c, folder, side);
	unsigned first = rnd(CASE_WORDS);
	name_flags used = 0;

	if (!case_has_folder(c, side, folder))
		return;
	for (size_t i = 0; i < c->n; i++) {
		const struct inst *x = &c->m[i].at[side];
		struct name n;

		name_parse(&n, x->name, strlen(x->name));
		if (x->here && x->folder == folder)
			used |= n.flags;
	}
	l->has_words = used >> 26 || !chance(20);
	if (from >= 0 && c->imap[from][BASE].has_words && !chance(4))
		memcpy(l->letter, c->imap[from][BASE].letter, sizeof(l->letter));
	for (unsigned k = 0; k < CASE_WORDS; k++) {
		unsigned w = (first + k) % CASE_WORDS;

		if (!l->letter[w] && (used & name_flag((char)('a' + (int)w)) || chance(10)))
			give_letter(l, w);
	}
}

static inline bool has_word(const struct inst *x, unsigned word)
{
	struct name n;

	name_parse(&n, x->name, strlen(x->name));
	return n.flags & name_flag((char)('a' + (int)word));
}

/* Whether a UID could have been given to this message: by the base, or after all that the base gave out. */
static inline bool is_earned(const struct tcase *c, size_t i, int side)
{
	const struct inst *x = &c->m[i].at[side];
	int from = side == BASE ? -1 : came_from(c, x->folder, side);
	const struct imap *l = &c->imap[x->folder][side], *old = from >= 0 ? &c->imap[from][BASE] : NULL;

	if (!old || !old->has_list || !l->has_list || l->validity != old->validity)
		return true;
	for (size_t j = 0; j < c->n; j++)
		if (c->m[j].at[side].here && c->m[j].at[side].folder == x->folder &&
		    same_key(c->m[j].at[side].name, x->name) && old_uid(c, j, side, from) == x->uid)
			return true;
	return x->uid >= old->next;
}

/* case_is_normal: whether lists and maps are where folders are, no UID is there twice, and every keyword of a message has a letter. */
static inline bool case_is_normal(const struct tcase *c)
{
	for (int s = 0; s < THREE; s++)
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			if ((c->imap[f][s].has_list || c->imap[f][s].has_words) && !case_has_folder(c, s, f))
				return false;
	for (int s = 0; s < THREE; s++)
		for (size_t i = 0; i < c->n; i++) {
			const struct inst *x = &c->m[i].at[s];

			for (unsigned w = 0; x->here && c->words && w < CASE_WORDS; w++)
				if (has_word(x, w) &&
				    (!c->imap[x->folder][s].has_words || !c->imap[x->folder][s].letter[w]))
					return false;
			if (x->here && x->uid && !is_earned(c, i, s))
				return false;
			for (size_t j = 0; j < i; j++) {
				const struct inst *y = &c->m[j].at[s];

				if (x->here && y->here && x->folder == y->folder && x->uid && x->uid == y->uid &&
				    !same_key(x->name, y->name))
					return false;
			}
		}
	return true;
}

static inline void gen_case(struct tcase *c, uint64_t seed)
{
	unsigned busy;

	memset(c, 0, offsetof(struct tcase, m));
	memset(c->mark, 0, sizeof(c->mark));
	memset(c->file, 0, sizeof(c->file));
	memset(c->imap, 0, sizeof(c->imap));
	c->seed = seed;
	rnd_state = seed * 0x2545f4914f6cdd1dull + 1;
	c->loose = chance(35);
	c->keep_flagged = chance(20);
	c->foreign = chance(4);
	c->words = chance(60);
	gen_base(c);
	for (int s = OURS; s < THREE; s++) {
		for (size_t i = 0; i < c->n; i++)
			c->m[i].at[s] = c->m[i].at[BASE];
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			c->mark[f][s] = c->mark[f][BASE];
	}
	gen_files(c);
	busy = chance(50) ? 100 : 1 + rnd(60);
	for (int s = OURS; s < THREE; s++) {
		if (chance(50))
			gen_folder_moves(c, s);
		gen_fates(c, s, chance(8) ? 0 : busy);
		gen_adds(c, s);
	}
	if (chance(10)) {
		drop_base(c);
	} else {
		if (chance(8))
			gen_copies(c);
		for (int s = OURS; s < THREE && !c->loose; s++)
			make_clear(c, s);
	}
	if (c->foreign)
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			for (int s = 0; s < THREE; s++)
				if (chance(50))
					c->mark[f][s].here = false;
	case_settle(c);
	if (chance(85))
		for (int s = 0; s < THREE; s++)
			for (unsigned f = 0; f < CASE_FOLDERS; f++)
				gen_list(c, f, s);
	for (int s = 0; s < THREE && c->words; s++)
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			gen_words(c, f, s);
}

#endif
