/*
 * compare.c -- what is different between the last recorded state and the live Maildir, by name and inode.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../disk/file.h"
#include "../core/hash.h"

/* How often what others keep changing is read again before messages that are missing are left for next time. */
#define CONFIRM_TRIES 6
/* A message that is nowhere in so many scans of everything, one after the other, is gone, although none of them was undisturbed. */
#define CONFIRM_SCANS 3

static const char *const sub_name[] = { [NAME_NEW] = "new", [NAME_CUR] = "cur" };

char *compare_path(struct arena *a, const char *folder, enum name_sub sub, const char *name)
{
	return arena_printf(a, "%s%s%s/%s", folder, *folder ? "/" : "", sub_name[sub], name);
}

static void add_gone(struct compare *c, size_t i)
{
	MEM_GROW(c->gone, c->ngone, c->gone_cap);
	c->gone[c->ngone++] = i;
}

static void add_waiting(struct compare *c, size_t i)
{
	MEM_GROW(c->waiting, c->nwaiting, c->waiting_cap);
	c->waiting[c->nwaiting++] = i;
}

/* A name on disk, as it is recorded. */
struct named {
	const char *name;
	uint8_t len;
};

static void add_fresh(struct compare *c, const char *folder, enum name_sub sub, const struct scan_entry *e, const struct named *as, size_t was)
{
	MEM_GROW(c->fresh, c->nfresh, c->fresh_cap);
	c->fresh[c->nfresh++] = (struct compare_fresh){ folder, sub, e, as->name, as->len, was };
}

static struct scan_folder *find_folder(const struct scan *s, const char *path, size_t len)
{
	size_t lo = 0, hi = s->nfolders;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int cmp = strncmp(s->folders[mid].path, path, len);

		if (!cmp && s->folders[mid].path[len])
			cmp = 1;
		if (!cmp)
			return &s->folders[mid];
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Whether a message that has the same name and another inode, or any message when opts->full, is still what was recorded. */
static bool same_stat(const struct disk *d, const char *path, const struct index_entry *e)
{
	struct stat st;

	if (fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true; /* gone this moment: the next scan sees it */
	return (uint32_t)st.st_size == e->st.size && (uint32_t)st.st_mtime == e->st.mtime_s;
}

/* The name with which the message of this key is recorded in the folder, or NULL. */
static const char *recorded_name(struct arena *a, const struct index *ix, const char *folder, const struct scan_entry *e)
{
	size_t keylen = strcspn(e->name, ":");

	for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++) {
		char *key = compare_path(a, folder, sub, arena_strn(a, e->name, keylen));
		size_t lo = 0, hi = ix->n, len = strlen(key);

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (strcmp(ix->v[mid].path, key) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		/* "key,S=1" may come between "key" and "key:2,". */
		for (; lo < ix->n && !strncmp(ix->v[lo].path, key, len); lo++)
			if (!ix->v[lo].path[len] || ix->v[lo].path[len] == ':')
				return ix->v[lo].path + len - keylen;
	}
	return NULL;
}

/* The names of a directory as they are recorded: an array to be freed. */
static int name_all(struct compare *c, const struct index *ix, const struct compare_opts *opts, const struct scan_folder *f,
		    const struct scan_dir *dir, struct named **out, struct err *err)
{
	struct words_folder *words = NULL;
	char name[NAME_LONGEST + 1];
	int ret = dir->n ? words_of(opts->words, f->path, &words, err) : 0;
	bool plain = !words || words_is_plain(words);

	if (ret < 0)
		return ret;
	*out = mem_alloc((dir->n + 1) * sizeof(**out));
	for (size_t k = 0; k < dir->n; k++) {
		const struct scan_entry *e = &dir->v[k];
		size_t len;

		(*out)[k] = (struct named){ e->name, e->len };
		if (plain)
			continue;
		len = words_canonical(words, name, e->name, e->len,
				      words->hidden ? recorded_name(&c->scan.arena, ix, f->path, e) : NULL);
		if (len != e->len || memcmp(name, e->name, len) != 0)
			(*out)[k] = (struct named){ arena_strn(&c->scan.arena, name, len), (uint8_t)len };
	}
	return 0;
}

/* Matches the names on disk in one directory with the index entries from lo up to hi, whose paths begin with prefix bytes of directory. */
static int compare_dir(struct compare *c, const struct index *ix, const struct disk *d, const struct compare_opts *opts,
		       const struct scan_folder *f, enum name_sub sub, size_t lo, size_t hi, size_t prefix, struct err *err)
{
	const struct scan_dir *dir = &f->sub[sub];
	struct hash_table t;
	struct named *as = NULL;
	bool *seen;
	int ret = name_all(c, ix, opts, f, dir, &as, err);

	if (ret < 0)
		return ret;
	hash_init(&t, dir->n);
	for (size_t k = 0; k < dir->n; k++)
		hash_add(&t, hash_bytes(as[k].name, as[k].len), k);
	seen = mem_zalloc(dir->n + 1);
	for (size_t i = lo; i < hi; i++) {
		const struct index_entry *e = &ix->v[i];
		const char *name = e->path + prefix;
		size_t len = e->len - prefix, it = 0, k;
		uint32_t h = hash_bytes(name, len);
		bool found = false;

		while (hash_next(&t, h, &it, &k))
			if (as[k].len == len && !memcmp(as[k].name, name, len)) {
				found = true;
				break;
			}
		if (!found) {
			add_gone(c, i);
			continue;
		}
		seen[k] = true;
		if ((opts->full || (uint32_t)dir->v[k].ino != e->st.ino) &&
		    !same_stat(d, compare_path(&c->scan.arena, f->path, sub, dir->v[k].name), e))
			add_fresh(c, f->path, sub, &dir->v[k], &as[k], i);
	}
	for (size_t k = 0; k < dir->n; k++)
		if (!seen[k])
			add_fresh(c, f->path, sub, &dir->v[k], &as[k], COMPARE_NONE);
	free(seen);
	free(as);
	hash_release(&t);
	return 0;
}

static void add_lost(struct compare *c, const struct scan_folder *f, enum name_sub sub, size_t messages)
{
	MEM_GROW(c->lost, c->nlost, c->lost_cap);
	c->lost[c->nlost++] = (struct compare_lost){ f->path, sub, messages };
}

static int file_cmp(const void *a, const void *b)
{
	return strcmp(a, ((const struct scan_file *)b)->path);
}

/* UIDs and keywords belong to a folder; files of that name elsewhere are no business of ours. */
static bool is_of_folder(enum path_class class)
{
	return class == PATH_UIDLIST || class == PATH_KEYWORDS;
}

static void compare_one_file(struct compare *c, const struct disk *d, const struct index_entry *e, size_t i, const struct path *p,
			     bool *file_seen)
{
	const struct scan_file *f = c->scan.nfiles ? bsearch(e->path, c->scan.files, c->scan.nfiles,
							     sizeof(*c->scan.files), file_cmp) : NULL;
	const struct scan_folder *in = is_of_folder(p->class) ? find_folder(&c->scan, e->path, p->folderlen) : NULL;
	struct stat st;

	if (is_of_folder(p->class) && !(in && in->sub[NAME_CUR].present)) {
		add_gone(c, i);
		return;
	}
	/* A folder does not lose its UIDs because their list is gone. */
	if (!f && in)
		return;
	if (!f) {
		/* A file that is replaced by rename while its directory is read can be missed by the scan: ask for it by name. */
		if (fstatat(d->root, e->path, &st, AT_SYMLINK_NOFOLLOW) < 0 && (errno == ENOENT || errno == ENOTDIR))
			add_gone(c, i);
		return;
	}
	file_seen[f - c->scan.files] = true;
	MEM_GROW(c->files, c->nfiles, c->files_cap);
	c->files[c->nfiles++] = (struct compare_file){ f, i };
}

/* Whether a file that is not recorded is one to record. */
static bool is_new_file(const struct compare *c, const struct scan_file *file)
{
	const struct scan_folder *in;
	struct path p;

	if (!is_of_folder(file->class))
		return true;
	path_parse(&p, file->path, strlen(file->path));
	in = find_folder(&c->scan, file->path, p.folderlen);
	return in && in->sub[NAME_CUR].present;
}

/* Goes once over the index and the scan. */
static int compare_all(struct compare *c, const struct index *ix, const struct disk *d, const struct compare_opts *opts, struct err *err)
{
	bool *dir_seen = mem_zalloc(2 * c->scan.nfolders + 1), *file_seen = mem_zalloc(c->scan.nfiles + 1);
	size_t i = 0;
	int ret = 0;

	c->ngone = c->nfresh = c->nfiles = c->nlost = c->messages = 0;
	while (i < ix->n && !ret) {
		const struct index_entry *e = &ix->v[i];
		struct path p;
		const struct scan_folder *f;
		size_t lo, hi, prefix;
		char *dir;

		path_parse(&p, e->path, e->len);
		if (p.class == PATH_IGNORED || (e->mode & 0170000) != 0100000) {
			add_gone(c, i++);
			continue;
		}
		if (p.class != PATH_MESSAGE) {
			compare_one_file(c, d, e, i++, &p, file_seen);
			continue;
		}
		prefix = (size_t)(p.name - e->path);
		dir = arena_strn(&c->scan.arena, e->path, prefix - 1);
		index_range(ix, dir, &lo, &hi);
		c->messages += hi - i;
		f = find_folder(&c->scan, e->path, p.folderlen);
		if (!f) {
			while (i < hi)
				add_gone(c, i++);
			continue;
		}
		dir_seen[2 * (f - c->scan.folders) + p.sub] = true;
		if (!f->sub[p.sub].present)
			add_lost(c, f, p.sub, hi - i);
		else if (!f->sub[p.sub].unchanged)
			ret = compare_dir(c, ix, d, opts, f, p.sub, i, hi, prefix, err);
		i = hi;
	}
	for (size_t k = 0; k < c->scan.nfolders; k++)
		for (unsigned sub = NAME_NEW; sub <= NAME_CUR && !ret; sub++)
			if (!dir_seen[2 * k + sub])
				ret = compare_dir(c, ix, d, opts, &c->scan.folders[k], sub, 0, 0, 0, err);
	for (size_t k = 0; k < c->scan.nfiles && !ret; k++)
		if (!file_seen[k] && is_new_file(c, &c->scan.files[k])) {
			MEM_GROW(c->files, c->nfiles, c->files_cap);
			c->files[c->nfiles++] = (struct compare_file){ &c->scan.files[k], COMPARE_NONE };
		}
	free(dir_seen);
	free(file_seen);
	return ret;
}

/*
 * A file can be renamed while its directory is read, and then show up under both names. Of two names with one inode in one
 * folder those that are no longer there are taken out of the scan. True if there was any.
 */
static bool drop_ghosts(struct compare *c, const struct disk *d)
{
	struct hash_table t;
	bool any = false;

	hash_init(&t, c->nfresh);
	for (size_t k = 0; k < c->nfresh; k++)
		hash_add(&t, hash_bytes(&c->fresh[k].entry->ino, sizeof(uint64_t)), k);
	for (size_t i = 0; i < c->scan.nfolders && c->nfresh; i++)
		for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++) {
			struct scan_dir *dir = &c->scan.folders[i].sub[sub];
			size_t keep = 0;

			if (dir->stable || dir->unchanged)
				continue;
			for (size_t k = 0; k < dir->n; k++) {
				size_t it = 0, j;
				bool ghost = false;

				while (hash_next(&t, hash_bytes(&dir->v[k].ino, sizeof(uint64_t)), &it, &j))
					if (c->fresh[j].entry->ino == dir->v[k].ino) {
						struct arena a = { 0 };
						struct stat st;

						ghost = fstatat(d->root, compare_path(&a, c->scan.folders[i].path, sub, dir->v[k].name),
								&st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
						arena_release(&a);
						break;
					}
				if (ghost)
					any = true;
				else
					dir->v[keep++] = dir->v[k];
			}
			dir->n = keep;
		}
	hash_release(&t);
	return any;
}

static uint32_t place_hash(const char *folder, size_t folderlen, const char *key, size_t keylen)
{
	return hash_bytes(key, keylen) * 31 + hash_bytes(folder, folderlen);
}

/*
 * Moves those gone messages to waiting whose key did not turn up in the same folder under a new name and whose folder's
 * directories changed while they were read.
 */
static void find_waiting(struct compare *c, const struct index *ix)
{
	struct hash_table t;
	size_t keep = 0;

	c->nwaiting = 0;
	hash_init(&t, c->nfresh);
	for (size_t k = 0; k < c->nfresh; k++) {
		const struct compare_fresh *f = &c->fresh[k];

		hash_add(&t, place_hash(f->folder, strlen(f->folder), f->entry->name, name_key_length(f->entry->name, f->entry->len)), k);
	}
	for (size_t g = 0; g < c->ngone; g++) {
		const struct index_entry *e = &ix->v[c->gone[g]];
		const struct scan_folder *f;
		size_t it = 0, k, keylen;
		bool renamed = false;
		struct path p;

		path_parse(&p, e->path, e->len);
		f = p.class == PATH_MESSAGE ? find_folder(&c->scan, e->path, p.folderlen) : NULL;
		keylen = name_key_length(p.name, p.namelen);
		while (f && hash_next(&t, place_hash(e->path, p.folderlen, p.name, keylen), &it, &k)) {
			const struct scan_entry *s = c->fresh[k].entry;

			if (name_same_key(s->name, s->len, p.name, p.namelen) &&
			    !strcmp(c->fresh[k].folder, f->path))
				renamed = true;
		}
		if (f && !renamed &&
		    ((f->sub[NAME_NEW].present && !f->sub[NAME_NEW].stable && !f->sub[NAME_NEW].unchanged) ||
		     (f->sub[NAME_CUR].present && !f->sub[NAME_CUR].stable && !f->sub[NAME_CUR].unchanged))) {
			add_waiting(c, c->gone[g]);
		} else {
			c->gone[keep++] = c->gone[g];
		}
	}
	c->ngone = keep;
	hash_release(&t);
}

/* What was found that the index does not have, to look for what it lacks. */
struct found {
	const struct compare *c;
	struct hash_table by_ino, by_key;
};

static void found_init(struct found *f, const struct compare *c)
{
	f->c = c;
	hash_init(&f->by_ino, c->nfresh);
	hash_init(&f->by_key, c->nfresh);
	for (size_t k = 0; k < c->nfresh; k++) {
		const struct scan_entry *e = c->fresh[k].entry;
		uint32_t ino = (uint32_t)e->ino;

		hash_add(&f->by_ino, hash_bytes(&ino, sizeof(ino)), k);
		hash_add(&f->by_key, hash_bytes(e->name, name_key_length(e->name, e->len)), k);
	}
}

static void found_release(struct found *f)
{
	hash_release(&f->by_ino);
	hash_release(&f->by_key);
}

/* Whether nothing that was found can be this message: neither its file nor, moved by copying, its name. */
static bool is_nowhere(const struct found *f, const struct index_entry *e, const struct path *p)
{
	size_t it = 0, k, keylen = name_key_length(p->name, p->namelen);

	while (e->st.ino && hash_next(&f->by_ino, hash_bytes(&e->st.ino, sizeof(e->st.ino)), &it, &k))
		if ((uint32_t)f->c->fresh[k].entry->ino == e->st.ino)
			return false;
	it = 0;
	while (hash_next(&f->by_key, hash_bytes(p->name, keylen), &it, &k)) {
		const struct scan_entry *s = f->c->fresh[k].entry;

		if (name_same_key(s->name, s->len, p->name, p->namelen))
			return false;
	}
	return true;
}

/* In how many scans of everything each message was nowhere, the last ones without a break. An array as long as the index, to be freed. */
static uint8_t *count_missed(const struct compare *c, const struct index *ix, const uint8_t *before)
{
	uint8_t *missed = mem_zalloc(ix->n + 1);
	struct found f;

	found_init(&f, c);
	for (size_t k = 0; k < c->ngone + c->nwaiting; k++) {
		size_t i = k < c->ngone ? c->gone[k] : c->waiting[k - c->ngone];
		struct path p;

		path_parse(&p, ix->v[i].path, ix->v[i].len);
		if (p.class == PATH_MESSAGE && is_nowhere(&f, &ix->v[i], &p))
			missed[i] = (uint8_t)((before ? before[i] : 0) + 1);
	}
	found_release(&f);
	return missed;
}

/*
 * Others never stopped. A message that was moved from a folder that was not yet read to one that was is in neither, in any one scan: what was not missed
 * in several is not gone.
 */
static void keep_missed(struct compare *c, const struct index *ix, const uint8_t *missed)
{
	struct found f;
	size_t keep = 0;

	found_init(&f, c);
	for (size_t g = 0; g < c->ngone; g++) {
		const struct index_entry *e = &ix->v[c->gone[g]];
		struct path p;

		path_parse(&p, e->path, e->len);
		if (p.class == PATH_MESSAGE && missed[c->gone[g]] < CONFIRM_SCANS && is_nowhere(&f, e, &p))
			add_waiting(c, c->gone[g]);
		else
			c->gone[keep++] = c->gone[g];
	}
	c->ngone = keep;
	found_release(&f);
}

/* Reads the folders of messages that wait again. 1 if one is not there any more, or a negative code. */
static int rescan(struct compare *c, const struct index *ix, const struct disk *d, struct err *err)
{
	size_t last = COMPARE_NONE;
	bool gone = false;
	int ret;

	for (size_t k = 0; k < c->nwaiting; k++) {
		const struct index_entry *e = &ix->v[c->waiting[k]];
		const struct scan_folder *f;
		struct path p;

		path_parse(&p, e->path, e->len);
		f = find_folder(&c->scan, e->path, p.folderlen);
		if (!f || (size_t)(f - c->scan.folders) == last)
			continue;
		last = (size_t)(f - c->scan.folders);
		if ((ret = scan_folder_again(&c->scan, last, d, err)) < 0)
			return ret;
		gone |= f->gone;
	}
	return gone;
}

static int scan_again(struct compare *c, const struct disk *d, const struct compare_opts *opts, struct err *err)
{
	struct scan_opts so = { opts->stamps, opts->stamps && !opts->full ? stamps_unchanged : NULL };

	scan_release(&c->scan);
	memset(&c->scan, 0, sizeof(c->scan));
	return scan_store(&c->scan, d, &so, err);
}

int compare_disk(struct compare *c, const struct index *ix, const struct disk *d, const struct compare_opts *opts, struct err *err)
{
	uint8_t *missed = NULL, *before;
	bool whole = true, current;
	int ret = 0;

	for (int tries = 0;; tries++) {
		if (whole && (ret = scan_again(c, d, opts, err)) < 0)
			break;
		words_again(opts->words);
		if ((ret = compare_all(c, ix, d, opts, err)) < 0 || (drop_ghosts(c, d) && (ret = compare_all(c, ix, d, opts, err)) < 0))
			break;
		if (!c->scan.nfolders && c->messages) {
			ret = err_set(err, ERR_NOTMEMBER,
				      "'%s' has no folder at all, but %zu messages are recorded in it: is it mounted?", d->path, c->messages);
			break;
		}
		find_waiting(c, ix);
		current = !c->ngone || scan_is_current(&c->scan, d);
		if (!c->nwaiting && current)
			break;
		if (whole) {
			before = missed;
			missed = count_missed(c, ix, before);
			free(before);
		}
		if (tries == CONFIRM_TRIES) {
			if (!current)
				keep_missed(c, ix, missed);
			break;
		}
		/*
		 * Those of a folder that was disturbed are looked for in a calmer moment of this folder; and in between everything is read again. A
		 * message that was moved from a folder not yet read to one read already is in neither. It was gone from its own
		 * folder in a scan that nothing disturbed, so that scans which start after that find it in the other one,
		 * unless it moves again.
		 */
		whole = !c->nwaiting || (!whole && tries < CONFIRM_TRIES - 1);
		if (!whole) {
			if ((ret = rescan(c, ix, d, err)) < 0)
				break;
			/* Where it went, with all its messages, only a scan of everything can tell. */
			whole = ret == 1;
		}
	}
	free(missed);
	return ret < 0 ? ret : 0;
}

void compare_release(struct compare *c)
{
	scan_release(&c->scan);
	free(c->gone);
	free(c->waiting);
	free(c->fresh);
	free(c->files);
	free(c->lost);
	memset(c, 0, sizeof(*c));
}
