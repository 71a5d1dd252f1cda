/*
 * tree.c -- git trees to stores.
 *
 * The sides are read side by side, directory by directory: where all have the same tree nothing is read,
 * and a tree that several have is read once. Names are not copied, they stay where libgit2 has inflated
 * them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include "../core/hash.h"
#include "../core/keywords.h"
#include "objects.h"
#include "rawtree.h"

#define PATH_MOST 3500 /* as in path_unsafe(), which sees one component at a time here */

struct tree_set {
	struct cached {
		struct oid oid;
		struct objects_view view;
	} *v;
	size_t n, cap;
	struct hash_table by_oid;
	size_t by_oid_room;
};

struct loader {
	struct repo *r;
	struct store *out;
	size_t n;
	struct tree_set *set;
	struct bytes path; /* of the directory that is being read, with a '/' at its end unless it is the root */
	size_t *entries;   /* read so far, a side */
	size_t *which;
	struct err *err;
};

/* One side's files and directories in one directory. */
struct listing {
	struct rawtree_entry *v;
	size_t n, cap;
	bool borrowed; /* v is another side's */
	size_t at;     /* walk_dirs: what comes next */
};

static int load_dir(struct loader *l, const struct oid *const *ids);

static uint32_t oid_hash(const struct oid *oid)
{
	uint32_t h;

	memcpy(&h, oid->h, sizeof(h));
	return h;
}

static void remember(struct tree_set *s, const struct oid *oid, const struct objects_view *view)
{
	if (s->n == s->by_oid_room) {
		if (s->by_oid_room)
			hash_release(&s->by_oid);
		s->by_oid_room = s->by_oid_room ? s->by_oid_room * 4 : 64;
		hash_init(&s->by_oid, s->by_oid_room);
		for (size_t i = 0; i < s->n; i++)
			hash_add(&s->by_oid, oid_hash(&s->v[i].oid), i);
	}
	hash_add(&s->by_oid, oid_hash(oid), s->n);
	MEM_GROW(s->v, s->n, s->cap);
	s->v[s->n++] = (struct cached){ *oid, *view };
}

static int open_tree(struct loader *l, const struct oid *oid, struct rawtree *out)
{
	struct tree_set *s = l->set;
	struct objects_view view;
	size_t it = 0, at;
	int ret;

	while (s->by_oid_room && hash_next(&s->by_oid, oid_hash(oid), &it, &at))
		if (oid_eq(&s->v[at].oid, oid)) {
			out->p = s->v[at].view.buf;
			out->end = out->p + s->v[at].view.len;
			return 0;
		}
	ret = objects_open(l->r, oid, OBJECTS_TREE, &view, l->err);
	if (ret)
		return ret;
	remember(s, oid, &view);
	out->p = view.buf;
	out->end = view.buf + view.len;
	return 0;
}

/* Refuses an entry. What its name may hold must not reach a terminal. */
static int unsafe(struct loader *l, const struct rawtree_entry *e, const char *why)
{
	char shown[200];
	size_t n = 0;

	for (size_t i = 0; i < l->path.len && n < sizeof(shown) - 1; i++, n++)
		shown[n] = l->path.buf[i];
	for (size_t i = 0; e && i < e->len && n < sizeof(shown) - 1; i++, n++)
		shown[n] = e->name[i];
	shown[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)shown[i] < 0x20 || shown[i] == 0x7f)
			shown[i] = '?';
	return err_set(l->err, ERR_UNSAFE, "tree has '%s', which %s", shown, why);
}

/*
 * Whether a name is a message's that nothing can be said against, at a glance: printable ASCII that
 * begins with a digit, as every server makes them. There may be a hundred thousand in a folder. All
 * others go the long way.
 */
static bool is_plain_message(const struct rawtree_entry *e)
{
	const unsigned char *s = (const unsigned char *)e->name;
	unsigned odd = s[0] < '0' || s[0] > '9' || e->len > NAME_LONGEST || e->kind != RAWTREE_FILE;

	for (size_t i = 0; i < e->len; i++)
		odd |= (unsigned)(s[i] - 0x20u > 0x5eu) | (s[i] == '/');
	return !odd;
}

/* What no entry may be, whatever directory it is in. The path of the directory is safe already. */
static int check(struct loader *l, const struct rawtree_entry *e, const struct rawtree_entry *last, bool plain)
{
	const char *why = plain ? NULL : path_unsafe(e->name, e->len);

	if (!why && l->path.len + e->len > PATH_MOST)
		why = "has more than 3,500 bytes";
	if (!why && !plain && memchr(e->name, '/', e->len))
		why = "has a '/' in its name";
	if (!why && e->kind == RAWTREE_LINK)
		why = "is a symbolic link";
	if (!why && e->kind == RAWTREE_MODULE)
		why = "is a submodule";
	if (!why && e->kind == RAWTREE_UNKNOWN)
		why = "is neither a file nor a directory";
	if (!why && last && rawtree_cmp(last, e) >= 0)
		why = "is not in order";
	return why ? unsafe(l, e, why) : 0;
}

static int count(struct loader *l, size_t side)
{
	if (++l->entries[side] > RAWTREE_ENTRIES_MOST)
		return unsafe(l, NULL, "is in a tree with too many entries");
	return 0;
}

/* Reads one side's messages in cur/ or new/, which l->path names. */
static int load_messages(struct loader *l, size_t side, enum name_sub sub, size_t folderlen,
			 const struct oid *oid)
{
	struct rawtree_entry e[2], *x = &e[0], *last = NULL;
	struct folder *f = NULL;
	struct rawtree raw;
	int ret = open_tree(l, oid, &raw), more = 0;

	while (!ret && (more = rawtree_next(&raw, x)) > 0) {
		bool plain = is_plain_message(x);

		ret = count(l, side);
		if (!ret)
			ret = check(l, x, last, plain);
		if (!ret && (plain || (x->kind == RAWTREE_FILE && name_is_message(x->name, x->len)))) {
			if (!f)
				f = store_folder(&l->out[side], l->path.buf, folderlen);
			store_add_msg(f, sub, x->name, x->len, x->oid);
		}
		last = x;
		x = x == &e[0] ? &e[1] : &e[0];
	}
	if (!ret && more < 0)
		ret = unsafe(l, NULL, "is no tree");
	return ret;
}

static bool is_named(const struct rawtree_entry *e, const char *name)
{
	return strlen(name) == e->len && memcmp(e->name, name, e->len) == 0;
}

/* Whether the listing has a file of the same name as this directory. */
static bool is_file_too(const struct listing *list, const struct rawtree_entry *dir)
{
	struct rawtree_entry file = *dir;
	size_t lo = 0, hi = list->n;

	file.kind = RAWTREE_FILE;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = rawtree_cmp(&list->v[mid], &file);

		if (!d)
			return true;
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int read_listing(struct loader *l, const struct oid *oid, struct listing *list)
{
	struct rawtree_entry e;
	struct rawtree raw;
	int ret = open_tree(l, oid, &raw), more = 0;

	while (!ret && (more = rawtree_next(&raw, &e)) > 0) {
		ret = check(l, &e, list->n ? &list->v[list->n - 1] : NULL, false);
		if (!ret && e.kind == RAWTREE_FILE &&
		    (is_named(&e, "cur") || is_named(&e, "new") || is_named(&e, "tmp")))
			ret = unsafe(l, &e, "is a file where a folder has a directory");
		if (!ret && e.kind == RAWTREE_DIR && is_file_too(list, &e))
			ret = unsafe(l, &e, "is a file and a directory");
		MEM_GROW(list->v, list->n, list->cap);
		list->v[list->n++] = e;
	}
	if (!ret && more < 0)
		ret = unsafe(l, NULL, "is no tree");
	return ret;
}

static int add_files(struct loader *l, size_t side, const struct listing *list)
{
	size_t before = l->path.len;
	int ret = 0;

	for (size_t i = 0; i < list->n && !ret; i++) {
		const struct rawtree_entry *e = &list->v[i];

		ret = count(l, side);
		if (e->kind != RAWTREE_FILE)
			continue;
		bytes_add(&l->path, e->name, e->len);
		store_add_path(&l->out[side], l->path.buf, l->path.len, e->oid, e->mode);
		l->path.len = before;
	}
	return ret;
}

static const struct rawtree_entry *next_dir(struct listing *list)
{
	while (list->at < list->n && list->v[list->at].kind != RAWTREE_DIR)
		list->at++;
	return list->at < list->n ? &list->v[list->at] : NULL;
}

static bool all_same(const struct oid *const *ids, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (!ids[0] != !ids[i] || (ids[0] && !oid_eq(ids[0], ids[i])))
			return false;
	return true;
}

static const struct oid *map_of(const struct listing *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == RAWTREE_FILE && list->v[i].len == strlen(KEYWORDS_NAME) &&
		    memcmp(list->v[i].name, KEYWORDS_NAME, list->v[i].len) == 0)
			return list->v[i].oid;
	return NULL;
}

/* Whether the letters for keywords mean the same in this directory on all sides. */
static bool same_letters(const struct loader *l, const struct listing *lists)
{
	const struct oid **maps = mem_alloc(l->n * sizeof(*maps));
	bool same;

	for (size_t i = 0; i < l->n; i++)
		maps[i] = map_of(&lists[i]);
	same = all_same(maps, l->n);
	free(maps);
	return same;
}

/* Goes into the directory of this name, which the sides have with these ids, NULL where it is not. */
static int enter(struct loader *l, const char *name, size_t len, const struct oid *const *ids, bool letters)
{
	bool is_new = len == 3 && memcmp(name, "new", 3) == 0, is_cur = len == 3 && memcmp(name, "cur", 3) == 0;
	bool is_mail = is_new || is_cur;
	size_t before = l->path.len, folderlen = before ? before - 1 : 0;
	int ret = 0;

	if ((l->n > 1 && all_same(ids, l->n) && (letters || !is_mail)) || (!is_mail && path_skip_dir(name, len)))
		return 0;
	bytes_add(&l->path, name, len);
	bytes_add(&l->path, "/", 1);
	if (!is_mail)
		ret = load_dir(l, ids);
	for (size_t i = 0; is_mail && i < l->n && !ret; i++) {
		if (!ids[i])
			continue;
		ret = load_messages(l, i, is_cur ? NAME_CUR : NAME_NEW, folderlen, ids[i]);
		if (ret)
			*l->which = i;
	}
	l->path.len = before;
	return ret;
}

/* Enters every directory that one of the listings has, all sides together. */
static int walk_dirs(struct loader *l, struct listing *lists)
{
	const struct oid **ids = mem_alloc(l->n * sizeof(*ids));
	bool letters = same_letters(l, lists);
	int ret = 0;

	while (!ret) {
		const struct rawtree_entry *first = NULL, *e;

		for (size_t i = 0; i < l->n; i++) {
			e = next_dir(&lists[i]);
			if (e && (!first || rawtree_cmp(e, first) < 0))
				first = e;
		}
		if (!first)
			break;
		for (size_t i = 0; i < l->n; i++) {
			e = next_dir(&lists[i]);
			ids[i] = e && rawtree_cmp(e, first) == 0 ? e->oid : NULL;
			lists[i].at += ids[i] != NULL;
		}
		ret = enter(l, first->name, first->len, ids, letters);
	}
	free(ids);
	return ret;
}

/*
 * Reads the directory that l->path names. All its files are put into the stores, those that are equal on
 * all sides, too: so a folder's marker is there whenever anything of that folder is.
 */
static int load_dir(struct loader *l, const struct oid *const *ids)
{
	struct listing *lists = mem_zalloc(l->n * sizeof(*lists));
	int ret = 0;

	for (size_t i = 0; i < l->n && !ret; i++) {
		size_t same = 0;

		if (!ids[i])
			continue;
		while (same < i && !(ids[same] && oid_eq(ids[same], ids[i])))
			same++;
		if (same < i) {
			lists[i] = lists[same];
			lists[i].borrowed = true;
		} else {
			ret = read_listing(l, ids[i], &lists[i]);
		}
		if (!ret)
			ret = add_files(l, i, &lists[i]);
		if (ret)
			*l->which = i;
	}
	if (!ret)
		ret = walk_dirs(l, lists);
	for (size_t i = 0; i < l->n; i++)
		if (!lists[i].borrowed)
			free(lists[i].v);
	free(lists);
	return ret;
}

int tree_load(struct store *out, const struct oid *const *ids, size_t n, struct repo *r,
	      struct tree_set **set, size_t *which, struct err *err)
{
	size_t ignored = 0;
	struct loader l = { .r = r, .out = out, .n = n, .which = which ? which : &ignored, .err = err };
	int ret = 0;

	l.set = *set = mem_zalloc(sizeof(**set));
	l.entries = mem_zalloc(n * sizeof(*l.entries));
	if (n == 1 || !all_same(ids, n))
		ret = load_dir(&l, ids);
	for (size_t i = 0; i < n && !ret; i++)
		store_sort(&out[i]);
	free(l.entries);
	bytes_release(&l.path);
	return ret;
}

void tree_release(struct tree_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		objects_close(&set->v[i].view);
	if (set->by_oid_room)
		hash_release(&set->by_oid);
	free(set->v);
	free(set);
}

int tree_of(struct repo *r, const struct oid *commit, struct oid *tree, struct err *err)
{
	struct objects_view v;
	char hex[OID_HEX + 1];
	int ret = objects_open(r, commit, OBJECTS_COMMIT, &v, err);

	if (ret)
		return ret;
	if (v.len < 5 + OID_HEX + 1 || memcmp(v.buf, "tree ", 5) != 0 ||
	    !oid_parse(tree, (const char *)v.buf + 5))
		ret = err_set(err, ERR_FAIL, "commit '%s' is broken", oid_hex(commit, hex));
	objects_close(&v);
	return ret;
}
