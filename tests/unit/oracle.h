/*
 * oracle.h -- what a merge has to give, worked out from what is known of each message instead of from how the
 * merge finds it out.
 *
 * The case knows which message of a side is which of the base, so here is no search for partners: only the
 * table of merge rules, row by row. Where the rules leave something open the oracle says so, and nothing is
 * asserted about the messages of that case.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "labels.h"

enum row {
	ROW_UNCHANGED,
	ROW_ONE_RENAMED,
	ROW_BOTH_RENAMED,
	ROW_TO_CUR,
	ROW_DELETED,
	ROW_KEPT,
	ROW_NEW_KEY,
	ROW_DELETED_BOTH,
	ROW_MOVED,
	ROW_MOVED_RENAMED,
	ROW_MOVED_DELETED,
	ROW_MOVED_SAME,
	ROW_MOVED_TWO,
	ROW_CONTENT,
	ROW_CONTENT_DELETED,
	ROW_CONTENT_SAME,
	ROW_CONTENT_BOTH,
	ROW_ADDED,
	ROW_ADDED_SAME,
	ROW_ADDED_PAIRED,
	ROW_ADDED_CLASH,
	ROW_CLASH,
	ROW_CLASH_SAME,
	ROW_FOLDER_RENAMED,
	ROWS
};

static const char *const row_text[ROWS] = {
	"present | unchanged | unchanged -> unchanged",
	"present | renamed (flags, key) | unchanged -> as renamed",
	"present | flags changed | flags changed -> each flag three-way",
	"present | new/ -> cur/ | unchanged -> cur/",
	"present | deleted | unchanged or flags changed -> deleted",
	"present | deleted | flags changed -> kept (deleteVsFlag)",
	"present | deleted | same content under another short key -> stays, as if delivered again",
	"present | deleted | deleted -> deleted",
	"present | moved to F | unchanged -> moved to F",
	"present | moved to F | flags changed -> moved to F with the flag changes",
	"present | moved to F | deleted -> in F",
	"present | moved to F | moved to F -> one message in F",
	"present | moved to F | moved to G -> a copy in F and a copy in G",
	"present | content changed | unchanged -> the changed content",
	"present | content changed | deleted -> the changed content stays",
	"present | content changed | content changed to the same -> that",
	"present | content changed | content changed, differently -> both",
	"absent | added | absent -> added",
	"absent | added | added, same key, same content -> one, flags united",
	"absent | added, same folder, same content, other key -> paired off",
	"absent | added | added, same key, other content -> both, the larger id under a derived key",
	"two messages want one key -> both, the larger id under a derived key",
	"two copies of one message want one key -> one, flags united",
	"folder renamed on one side -> the other side's new messages go along"
};

/* A message that the result must have. */
struct want {
	uint8_t folder, sub;
	uint8_t mask; /* bit 1 << side: that side has it in this folder under this key */
	bool vague;   /* the rules do not say what its mask is */
	bool dead;
	uint16_t content;
	enum row row;
	int64_t mtime; /* -1: not said */
	size_t mail;
	char name[NAME_LONGEST + 1];
};

struct oracle {
	const struct tcase *c;
	const char *unsure;		  /* why nothing can be said about the messages, or NULL */
	int renamed[THREE][CASE_FOLDERS]; /* what that side calls this folder of the base now, or -1 */
	bool torn[CASE_FOLDERS];	  /* one of the two that the sides renamed one folder to */
	unsigned seen[ROWS];
	size_t n;
	struct want v[4 * CASE_MAILS];
};

static inline void oracle_unsure(struct oracle *o, const char *why)
{
	if (!o->unsure)
		o->unsure = why;
}

/* Name and sub of a message that three sides have; key, if not NULL, is the name whose key it gets in any case.
 */
static inline void combine_name(struct oracle *o, struct want *w, const struct inst *b, const struct inst *x,
				const struct inst *y, const char *key)
{
	bool xsame = x->sub == b->sub && strcmp(x->name, b->name) == 0,
	     ysame = y->sub == b->sub && strcmp(y->name, b->name) == 0;
	char info[NAME_LONGEST + 64];

	if (xsame || ysame || (x->sub == y->sub && strcmp(x->name, y->name) == 0)) {
		const struct inst *z = xsame ? y : x;

		w->sub = z->sub;
		snprintf(info, sizeof(info), "%s", info_of(z->name));
		if (!key)
			key = z->name;
	} else {
		w->sub = x->sub | y->sub;
		if (!three_way_info(info, sizeof(info), b->name, x->name, y->name))
			oracle_unsure(o, "info of no known kind");
		if (!key)
			key = same_key(x->name, b->name)   ? y->name
			      : same_key(y->name, b->name) ? x->name
							   : smaller_key(x->name, y->name);
	}
	if (key_len(key) + strlen(info) > NAME_LONGEST)
		oracle_unsure(o, "too long a name");
	write_name(w->name, key, key_len(key), info);
}

/* Two that become one without a base: flags unite. */
static inline void unite(struct oracle *o, struct want *w, const struct want *x, const struct want *y)
{
	const char *key = smaller_key(x->name, y->name);
	struct name a = parsed(x->name), b = parsed(y->name);
	char letters[53], info[NAME_LONGEST + 64] = "", name[NAME_LONGEST + 1];
	uint8_t sub = x->sub | y->sub;

	if (x->sub == y->sub && strcmp(x->name, y->name) == 0)
		return;
	if (strcmp(info_of(x->name), info_of(y->name)) == 0) {
		snprintf(info, sizeof(info), "%s", info_of(x->name));
	} else {
		if (opaque(&a) || opaque(&b) || strcmp(a.tail, b.tail) != 0)
			oracle_unsure(o, "two infos of no known kind");
		name_flag_letters(a.flags | b.flags, letters);
		snprintf(info, sizeof(info), ":2,%s%s", letters, a.tail);
	}
	if (key_len(key) + strlen(info) > NAME_LONGEST)
		oracle_unsure(o, "too long a name");
	write_name(name, key, key_len(key), info);
	memcpy(w->name, name, sizeof(name));
	w->sub = sub;
}

static inline struct want *new_want(struct oracle *o, size_t mail, enum row row)
{
	struct want *w = &o->v[o->n++];

	memset(w, 0, sizeof(*w));
	w->mail = mail;
	w->row = row;
	w->mtime = -1;
	return w;
}

/* Which folder of the base a side renamed to what: renamed[][], -1 if to nothing. */
static inline void find_renames(struct oracle *o)
{
	const struct tcase *c = o->c;

	memset(o->torn, 0, sizeof(o->torn));
	for (int s = OURS; s < THREE; s++)
		for (unsigned f = 0; f < CASE_FOLDERS; f++) {
			int by_id = -1, by_mail = -1;

			o->renamed[s][f] = -1;
			if (f == 0 || !case_has_folder(c, BASE, f) || case_has_folder(c, s, f))
				continue;
			for (unsigned g = 0; g < CASE_FOLDERS; g++) {
				if (!c->mark[f][BASE].here || !c->mark[f][BASE].id || !c->mark[g][s].here ||
				    c->mark[g][s].id != c->mark[f][BASE].id || case_has_folder(c, BASE, g))
					continue;
				if (by_id >= 0)
					oracle_unsure(o, "a folder renamed to two");
				by_id = (int)g;
			}
			for (size_t i = 0; i < c->n; i++) {
				const struct mail *m = &c->m[i];

				if (!m->at[BASE].here || m->at[BASE].folder != f || !m->at[s].here)
					continue;
				if (by_mail == -1)
					by_mail = m->at[s].folder;
				else if (by_mail != m->at[s].folder)
					by_mail = -2;
			}
			if (by_mail >= 0 && case_has_folder(c, BASE, (unsigned)by_mail))
				by_mail = -2;
			o->renamed[s][f] = by_id >= 0 ? by_id : by_mail >= 0 ? by_mail : -1;
		}
	for (unsigned f = 0; f < CASE_FOLDERS; f++) {
		int *x = &o->renamed[OURS][f], *y = &o->renamed[THEIRS][f];

		if (*x >= 0 && *y >= 0 && *x != *y) {
			o->torn[*x] = o->torn[*y] = true;
			*x = *y = -1;
		}
	}
	for (int s = OURS; s < THREE; s++)
		for (unsigned f = 0; f < CASE_FOLDERS; f++)
			for (unsigned g = 0; g < f; g++)
				for (int t = OURS; t <= s; t++)
					if (o->renamed[s][f] >= 0 && o->renamed[s][f] == o->renamed[t][g])
						oracle_unsure(o, "two folders renamed to one");
}

/* Where a message of that side belongs: what came into a folder that the other side renamed goes along. */
static inline uint8_t home(const struct oracle *o, int side, const struct inst *x, const struct inst *base)
{
	int to = o->renamed[other_side(side)][x->folder];

	return to >= 0 && !(base->here && base->folder == x->folder) ? (uint8_t)to : x->folder;
}

static inline void set_mask(struct want *w, const struct mail *m)
{
	for (int s = OURS; s < THREE; s++) {
		const struct inst *x = &m->at[s];

		if (!x->here || !same_key(x->name, w->name))
			continue;
		if (x->folder == w->folder)
			w->mask |= (uint8_t)(1 << s);
	}
}

/* A message that the base has and one side has not. */
static inline void one_gone(struct oracle *o, size_t i, int side)
{
	const struct mail *m = &o->c->m[i];
	const struct inst *b = &m->at[BASE], *x = &m->at[side];
	bool renamed = x->sub != b->sub || strcmp(x->name, b->name) != 0;
	enum row row = ROW_DELETED;
	struct want *w;

	if (x->folder != b->folder)
		row = ROW_MOVED_DELETED;
	else if (x->content != b->content)
		row = ROW_CONTENT_DELETED;
	else if (!same_span(x->name, short_len(x->name), b->name, short_len(b->name)))
		row = ROW_NEW_KEY;
	else if (o->c->keep_flagged && renamed)
		row = ROW_KEPT;
	o->seen[row]++;
	if (row == ROW_DELETED)
		return;
	if (x->folder == b->folder && o->renamed[other_side(side)][b->folder] >= 0)
		oracle_unsure(o, "stays in a folder that was renamed");
	w = new_want(o, i, row);
	w->folder = home(o, side, x, b);
	w->sub = x->sub;
	w->content = x->content;
	w->mtime = x->mtime;
	memcpy(w->name, x->name, sizeof(w->name));
	set_mask(w, m);
}

static inline enum row row_of(const struct inst *b, const struct inst *x, const struct inst *y, bool xmoved,
			      bool ymoved, bool same)
{
	bool xname = x->sub != b->sub || strcmp(x->name, b->name) != 0,
	     yname = y->sub != b->sub || strcmp(y->name, b->name) != 0;
	bool xtext = x->content != b->content, ytext = y->content != b->content;

	if (xtext && ytext)
		return x->content == y->content ? ROW_CONTENT_SAME : ROW_CONTENT_BOTH;
	if (xmoved && ymoved)
		return same ? ROW_MOVED_SAME : ROW_MOVED_TWO;
	if (xmoved || ymoved)
		return (xmoved ? yname : xname) ? ROW_MOVED_RENAMED : ROW_MOVED;
	if (xtext || ytext)
		return ROW_CONTENT;
	if (xname && yname)
		return ROW_BOTH_RENAMED;
	if (b->sub == 0 && x->sub + y->sub == 1)
		return ROW_TO_CUR;
	return xname || yname ? ROW_ONE_RENAMED : ROW_UNCHANGED;
}

/* A message that all three have. */
static inline void all_there(struct oracle *o, size_t i)
{
	const struct mail *m = &o->c->m[i];
	const struct inst *b = &m->at[BASE], *x = &m->at[OURS], *y = &m->at[THEIRS];
	uint8_t xhome = home(o, OURS, x, b), yhome = home(o, THEIRS, y, b);
	enum row row = row_of(b, x, y, xhome != b->folder, yhome != b->folder, xhome == yhome);
	unsigned two = xhome != b->folder && yhome != b->folder && xhome != yhome;
	uint16_t content = x->content == b->content ? y->content : x->content;

	o->seen[row]++;
	if (two && row == ROW_CONTENT_BOTH)
		oracle_unsure(o, "moved to two places and changed in both");
	for (unsigned copy = 0; copy <= two; copy++) {
		struct want *w = new_want(o, i, row);

		w->folder = two ? (copy ? yhome : xhome) : xhome == b->folder ? yhome : xhome;
		w->content = content;
		combine_name(o, w, b, x, y, two ? (copy ? y->name : x->name) : NULL);
		w->mtime = row == ROW_CONTENT_BOTH ? -1 : three_way_mtime(b, x, y);
		set_mask(w, m);
	}
	if (row == ROW_CONTENT_BOTH) {
		struct want *keeps = &o->v[o->n - 1], *other = new_want(o, i, row);
		bool xsmaller = oid_cmp(content_oid(x->content), content_oid(y->content)) < 0;
		char key[NAME_LONGEST + 1];
		size_t len;

		keeps->content = xsmaller ? x->content : y->content;
		keeps->vague = true;
		*other = *keeps;
		other->content = xsmaller ? y->content : x->content;
		len = name_derive(key, keeps->name, key_len(keeps->name), content_oid(other->content), 0);
		write_name(other->name, key, len, info_of(keeps->name));
	}
}

static inline int want_cmp(const void *a, const void *b)
{
	const struct want *x = a, *y = b;
	int d = strcmp(folder_path[x->folder], folder_path[y->folder]);

	if (!d)
		d = x->sub - y->sub;
	if (!d)
		d = strcmp(x->name, y->name);
	return d ? d : oid_cmp(content_oid(x->content), content_oid(y->content));
}

/*
 * The next message that was added on that side, is in no pair yet, and fits, in the order of names. Pass 0: to
 * the letter, 1: in key and content, 2: in content.
 */
static inline struct want *partner(struct want *side, size_t n, const struct want *to, int pass)
{
	struct want *best = NULL;

	for (size_t i = 0; i < n; i++) {
		struct want *w = &side[i];
		int d;

		if (w->dead || w->folder != to->folder || w->content != to->content ||
		    (pass < 2 && !same_key(w->name, to->name)))
			continue;
		if (pass == 0 && (w->sub != to->sub || strcmp(w->name, to->name) != 0))
			continue;
		d = best ? strcmp(w->name, best->name) : -1;
		if (d < 0 || (d == 0 && w->sub < best->sub))
			best = w;
	}
	return best;
}

static inline int by_name(const void *a, const void *b)
{
	const struct want *x = a, *y = b;
	int d = strcmp(x->name, y->name);

	return d ? d : x->sub - y->sub;
}

/* What came on either side: one, if it came on both. */
static inline void added(struct oracle *o)
{
	static struct want came[THREE][CASE_MAILS];
	size_t n[THREE] = { 0 };

	for (size_t i = 0; i < o->c->n; i++)
		for (int s = OURS; s < THREE; s++) {
			const struct inst *x = &o->c->m[i].at[s];
			struct want *w = &came[s][n[s]];

			if (!x->here || o->c->m[i].at[BASE].here)
				continue;
			n[s]++;
			memset(w, 0, sizeof(*w));
			w->folder = home(o, s, x, &o->c->m[i].at[BASE]);
			w->row = w->folder == x->folder ? ROW_ADDED : ROW_FOLDER_RENAMED;
			w->sub = x->sub;
			w->content = x->content;
			w->mtime = x->mtime;
			w->mail = i;
			w->mask = w->folder == x->folder ? (uint8_t)(1 << s) : 0;
			memcpy(w->name, x->name, sizeof(w->name));
		}
	for (int s = OURS; s < THREE; s++) {
		if (n[s])
			qsort(came[s], n[s], sizeof(**came), by_name);
		/* The case has other letters for keywords than the folder, and names in another order. */
		for (size_t i = 0; i < n[s] && o->c->words; i++)
			for (size_t j = 0; j < i; j++)
				if (came[s][i].folder == came[s][j].folder && came[s][i].content == came[s][j].content &&
				    same_key(came[s][i].name, came[s][j].name))
					oracle_unsure(o, "two of one key, in the order of letters");
	}
	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < n[OURS]; i++) {
			struct want *x = &came[OURS][i], *y, w;

			if (x->dead || !(y = partner(came[THEIRS], n[THEIRS], x, pass)))
				continue;
			w = *x;
			unite(o, &w, x, y);
			w.mask = (same_key(w.name, x->name) ? x->mask : 0) |
				 (same_key(w.name, y->name) ? y->mask : 0);
			w.mtime = came_mtime(x->name, x->mtime, y->name, y->mtime);
			w.row = pass < 2 ? ROW_ADDED_SAME : ROW_ADDED_PAIRED;
			o->v[o->n++] = w;
			o->seen[w.row]++;
			x->dead = y->dead = true;
		}
	for (int s = OURS; s < THREE; s++)
		for (size_t i = 0; i < n[s]; i++)
			if (!came[s][i].dead) {
				o->v[o->n++] = came[s][i];
				o->seen[came[s][i].row]++;
			}
}

static inline bool clashes(const struct want *x, const struct want *y)
{
	return !(x->mask & y->mask) || (x->sub == y->sub && strcmp(x->name, y->name) == 0);
}

static inline int by_content(const void *a, const void *b)
{
	const struct want *x = *(const struct want *const *)a, *y = *(const struct want *const *)b;
	int d = oid_cmp(content_oid(x->content), content_oid(y->content));

	if (!d)
		d = strcmp(x->name, y->name);
	return d ? d : x->sub - y->sub;
}

static inline bool key_free(const struct oracle *o, const struct want *w, const char *key, size_t len)
{
	for (size_t i = 0; i < o->n; i++)
		if (!o->v[i].dead && o->v[i].folder == w->folder &&
		    same_span(o->v[i].name, key_len(o->v[i].name), key, len))
			return false;
	return true;
}

static inline void derive(const struct oracle *o, struct want *w)
{
	char key[NAME_LONGEST + 1], name[NAME_LONGEST + 1];
	unsigned attempt = 0;
	size_t len;

	do
		len = name_derive(key, w->name, key_len(w->name), content_oid(w->content), attempt++);
	while (!key_free(o, w, key, len));
	write_name(name, key, len, info_of(w->name));
	memcpy(w->name, name, sizeof(name));
}

/* One folder and key: whoever cannot stay beside the others there gets another key, or is one of them. */
static inline void settle_group(struct oracle *o, struct want **v, size_t n)
{
	bool vague = false, any = false;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++) {
			struct want *x = v[i], *y = v[j];

			vague |= x->vague || y->vague;
			any |= clashes(x, y);
			if (x->content != y->content)
				continue;
			if (n > 2)
				oracle_unsure(o, "three of one key, two of them equal");
			if (!x->dead && !y->dead && clashes(x, y)) {
				unite(o, x, x, y);
				x->mask |= y->mask;
				x->mtime = -1;
				x->row = ROW_CLASH_SAME;
				o->seen[ROW_CLASH_SAME]++;
				y->dead = true;
			}
		}
	if (vague)
		oracle_unsure(o, "whose key it is is not said");
	if (!any)
		return;
	qsort(v, n, sizeof(*v), by_content);
	for (size_t i = 1; i < n; i++) {
		bool away = false;

		/* One that went away itself has another key by now. */
		for (size_t j = 0; j < i; j++)
			away |= !v[j]->dead && same_key(v[i]->name, v[j]->name) && clashes(v[i], v[j]);
		if (v[i]->dead || !away)
			continue;
		v[i]->row = v[i]->row == ROW_ADDED ? ROW_ADDED_CLASH : ROW_CLASH;
		o->seen[v[i]->row]++;
		derive(o, v[i]);
	}
}

static inline void clash(struct oracle *o)
{
	static bool done[4 * CASE_MAILS];
	struct want *group[4 * CASE_MAILS];

	memset(done, 0, sizeof(done));
	for (size_t i = 0; i < o->n; i++) {
		size_t n = 0;

		for (size_t j = i; j < o->n; j++)
			if (!done[j] && o->v[j].folder == o->v[i].folder &&
			    same_key(o->v[j].name, o->v[i].name)) {
				done[j] = true;
				group[n++] = &o->v[j];
			}
		if (n > 1)
			settle_group(o, group, n);
	}
}

/* oracle_ask: what the merge of a case must give. */
static inline void oracle_ask(struct oracle *o, const struct tcase *c)
{
	size_t i, j, n = 0;

	memset(o->seen, 0, sizeof(o->seen));
	o->c = c;
	o->n = 0;
	o->unsure = NULL;
	for (int s = OURS; s < THREE; s++)
		if (case_unclear(c, s, &i, &j)) {
			o->unsure = "which message is which is not clear";
			return;
		}
	find_renames(o);
	for (i = 0; i < c->n; i++) {
		const struct mail *m = &c->m[i];

		if (!m->at[BASE].here)
			continue;
		if (m->at[OURS].here && m->at[THEIRS].here)
			all_there(o, i);
		else if (m->at[OURS].here || m->at[THEIRS].here)
			one_gone(o, i, m->at[OURS].here ? OURS : THEIRS);
		else
			o->seen[ROW_DELETED_BOTH]++;
	}
	added(o);
	clash(o);
	for (i = 0; i < o->n; i++)
		if (!o->v[i].dead)
			o->v[n++] = o->v[i];
	o->n = n;
	if (n)
		qsort(o->v, n, sizeof(*o->v), want_cmp);
}

#endif
