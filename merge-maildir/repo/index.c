/*
 * index.c -- git's index as our memory of the disk, and the way from edits to trees.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "index_file.h"
#include "io.h"
#include "itree.h"
#include "rawtree.h"

#define LOCK_WAIT_MS 2000
#define LOCK_NAP_MS 20
#define LOCK_OLD 3600

struct index_priv {
	struct index_file file;
	struct itree *root;
	struct arena arena;   /* of root and of paths, when they are not the file's */
	struct index_entry *v; /* the array that ix->v is, when it is not the file's */
	bool differs;	      /* from the file */
};

/* Reads the trees of HEAD into entries. */
struct tree_reader {
	struct repo *r;
	struct arena *arena;
	struct index_entry *v;
	size_t n, cap;
	struct bytes path;
	struct err *err;
};

static int read_tree(struct tree_reader *t, const struct oid *oid, struct itree *node);

static int read_tree_entry(struct tree_reader *t, const struct rawtree_entry *e, struct itree *node)
{
	size_t before = t->path.len;
	struct index_entry *x;
	struct itree *sub;
	int ret;

	if (before + e->len > INDEX_FILE_PATH_MOST || t->n == RAWTREE_ENTRIES_MOST)
		return err_set(t->err, ERR_UNSAFE, "tree of HEAD is too deep or too large");
	if (e->kind == RAWTREE_UNKNOWN)
		return err_set(t->err, ERR_FAIL, "tree of HEAD has an entry of unknown mode");
	bytes_add(&t->path, e->name, e->len);
	if (e->kind == RAWTREE_DIR) {
		bytes_add(&t->path, "/", 1);
		sub = itree_new(t->arena, e->name, e->len);
		itree_append(t->arena, node, sub);
		ret = read_tree(t, e->oid, sub);
		t->path.len = before;
		return ret;
	}
	MEM_GROW(t->v, t->n, t->cap);
	x = &t->v[t->n];
	memset(x, 0, sizeof(*x));
	x->path = arena_strn(t->arena, t->path.buf, t->path.len);
	x->len = (uint32_t)t->path.len;
	x->mode = e->mode;
	x->oid = *e->oid;
	t->path.len = before;
	if (t->n && strcmp(x[-1].path, x->path) >= 0)
		return err_set(t->err, ERR_FAIL, "tree of HEAD is not in order");
	t->n++;
	return 0;
}

static int read_tree(struct tree_reader *t, const struct oid *oid, struct itree *node)
{
	struct objects_view view;
	struct rawtree raw;
	struct rawtree_entry e;
	size_t before = t->n;
	int ret = objects_open(t->r, oid, OBJECTS_TREE, &view, t->err), more = 0;

	if (ret)
		return ret;
	raw.p = view.buf;
	raw.end = view.buf + view.len;
	while (!ret && (more = rawtree_next(&raw, &e)) > 0)
		ret = read_tree_entry(t, &e, node);
	objects_close(&view);
	if (!ret && more < 0)
		ret = err_set(t->err, ERR_FAIL, "tree of HEAD is broken");
	node->oid = *oid;
	node->n = t->n - before;
	node->valid = true;
	return ret;
}

/* Takes over what the index file knows of files that are the same in the tree. */
static void take_stats(struct index_entry *v, size_t n, const struct index_file *f)
{
	size_t i = 0, k = 0;

	while (i < n && k < f->n) {
		int d = strcmp(v[i].path, f->v[k].path);

		if (!d && v[i].mode == f->v[k].mode && oid_eq(&v[i].oid, &f->v[k].oid))
			v[i].st = f->v[k].st;
		i += d <= 0;
		k += d >= 0;
	}
}

static int load_tree(struct index *ix, struct repo *r, const struct oid *tree, struct err *err)
{
	struct index_priv *p = ix->priv;
	struct tree_reader t = { .r = r, .arena = &p->arena, .err = err };
	int ret;

	p->root = itree_new(&p->arena, "", 0);
	ret = tree ? read_tree(&t, tree, p->root) : 0;
	bytes_release(&t.path);
	p->v = ix->v = t.v;
	ix->n = t.n;
	take_stats(ix->v, ix->n, &p->file);
	return ret;
}

int index_load(struct index *ix, struct repo *r, const struct oid *tree, struct err *err)
{
	struct index_priv *p = mem_zalloc(sizeof(*p));
	char *path = io_join(r->gitdir, "index");
	int ret;

	memset(ix, 0, sizeof(*ix));
	ix->priv = p;
	index_file_read(&p->file, path);
	free(path);
	if (!tree)
		ix->in_step = p->file.usable ? !p->file.odd && !p->file.n : !p->file.there;
	else
		ix->in_step = p->file.usable && !p->file.odd && p->file.tree &&
			      itree_whole(p->file.tree, p->file.n) && oid_eq(&p->file.tree->oid, tree);
	p->differs = !ix->in_step;
	if (tree && ix->in_step) {
		ix->v = p->file.v;
		ix->n = p->file.n;
		p->root = p->file.tree;
		return 0;
	}
	ret = load_tree(ix, r, tree, err);
	if (ret)
		index_release(ix);
	return ret;
}

void index_release(struct index *ix)
{
	if (ix->priv) {
		free(ix->priv->v);
		arena_release(&ix->priv->arena);
		index_file_release(&ix->priv->file);
		free(ix->priv);
	}
	memset(ix, 0, sizeof(*ix));
}

/* The first entry from lo on whose path is not before path. */
static size_t lower_bound(const struct index *ix, size_t lo, const char *path)
{
	size_t hi = ix->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(ix->v[mid].path, path) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

ssize_t index_find(const struct index *ix, const char *path, size_t len)
{
	size_t lo = 0, hi = ix->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct index_entry *e = &ix->v[mid];
		int d = memcmp(e->path, path, e->len < len ? e->len : len);

		if (!d && e->len == len)
			return (ssize_t)mid;
		if (d < 0 || (!d && e->len < len))
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

void index_range(const struct index *ix, const char *dir, size_t *lo, size_t *hi)
{
	size_t len = strlen(dir);
	char *end;

	*lo = 0;
	*hi = ix->n;
	if (!len)
		return;
	/* '0' is the byte after '/'. */
	end = io_join(dir, "");
	*lo = lower_bound(ix, 0, end);
	end[len] = '0';
	*hi = lower_bound(ix, *lo, end);
	free(end);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct index_edit *)a)->path, ((const struct index_edit *)b)->path);
}

/* Sets an entry that is there. */
static void set_entry(struct index_priv *p, struct index_entry *e, const struct index_edit *x)
{
	if (e->mode != x->mode || !oid_eq(&e->oid, &x->oid)) {
		e->mode = x->mode;
		e->oid = x->oid;
		itree_invalidate(p->root, x->path, x->len);
		p->differs = true;
	}
	if (memcmp(&e->st, &x->st, sizeof(e->st)) != 0) {
		e->st = x->st;
		p->differs = true;
	}
}

void index_edit(struct index *ix, struct index_edit *edits, size_t n)
{
	struct index_priv *p = ix->priv;
	struct index_entry *v;
	size_t i = 0, out = 0;

	if (!n)
		return;
	qsort(edits, n, sizeof(*edits), by_path);
	v = mem_alloc((ix->n + n) * sizeof(*v));
	for (size_t k = 0; k < n; k++) {
		const struct index_edit *x = &edits[k];
		size_t at = lower_bound(ix, i, x->path);
		bool there = at < ix->n && strcmp(ix->v[at].path, x->path) == 0;

		if (at > i)
			memcpy(v + out, ix->v + i, (at - i) * sizeof(*v));
		out += at - i;
		i = at + there;
		if (there && !x->remove) {
			v[out] = ix->v[at];
			set_entry(p, &v[out++], x);
		} else if (there || !x->remove) {
			if (!x->remove)
				v[out++] = (struct index_entry){ x->path, x->len, x->mode, x->oid, x->st };
			itree_invalidate(p->root, x->path, x->len);
			p->differs = true;
		}
	}
	if (ix->n > i)
		memcpy(v + out, ix->v + i, (ix->n - i) * sizeof(*v));
	out += ix->n - i;
	free(p->v);
	p->v = ix->v = v;
	ix->n = out;
}

int index_write_tree(struct index *ix, struct objects_batch *b, struct oid *root, struct err *err)
{
	struct index_priv *p = ix->priv;
	int ret = itree_write(p->root, &p->arena, ix->v, ix->n, b, err);

	if (!ret)
		*root = p->root->oid;
	return ret;
}

static bool same_inode(const char *path, const struct stat *st)
{
	struct stat other;

	return lstat(path, &other) == 0 && other.st_ino == st->st_ino && other.st_dev == st->st_dev;
}

/*
 * Gives our finished file the name index.lock, too, if nobody has it. So the lock is held for an instant
 * only, and when we are killed in that instant, the two names of one file show the next one of us that
 * nobody is at work behind the lock.
 */
static int take_lock(const char *tmp, const char *lock, const struct stat *ours, struct err *err)
{
	struct timespec nap = { 0, LOCK_NAP_MS * 1000000L };
	struct stat st;
	long age;

	for (int waited = 0;; waited += LOCK_NAP_MS) {
		int rc = link(tmp, lock);

		/* Without hard links. */
		if (rc < 0 && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS))
			rc = renameat2(AT_FDCWD, tmp, AT_FDCWD, lock, RENAME_NOREPLACE);
		if (rc == 0 && same_inode(lock, ours))
			return 0;
		/*
		 * Somebody who does not hold the repository's lock writes the index as well, and took our
		 * file's name.
		 */
		if (rc == 0)
			unlink(lock);
		else if (errno != EEXIST)
			return err_errno(err, "cannot make '%s'", lock);
		if (waited >= LOCK_WAIT_MS || rc == 0)
			break;
		nanosleep(&nap, NULL);
	}
	age = stat(lock, &st) == 0 ? (long)(time(NULL) - st.st_mtime) : 0;
	if (age > LOCK_OLD)
		return err_set(err, ERR_BUSY,
			       "cannot write the index: '%s' is there for %ld hours: remove it if no git process is at work",
			       lock, age / 3600);
	return err_set(err, ERR_BUSY, "cannot write the index: another git process holds '%s'", lock);
}

/*
 * What a kill in index_save() left behind. Only who holds the repository's lock knows that no other one
 * of us is at work.
 */
static void clean_up(const struct repo *r, const char *tmp, const char *lock)
{
	struct stat st;

	if (r->lockfd >= 0 && lstat(tmp, &st) == 0 && same_inode(lock, &st))
		unlink(lock);
	unlink(tmp);
}

static int write_file(const struct index *ix, const char *tmp, struct stat *st, struct err *err)
{
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), ret = 0;

	if (fd < 0)
		return err_errno(err, "cannot make '%s'", tmp);
	if (index_file_write(fd, ix->v, ix->n, ix->priv->root) < 0 || fstat(fd, st) < 0)
		ret = err_errno(err, "cannot write '%s'", tmp);
	if (close(fd) < 0 && !ret)
		ret = err_errno(err, "cannot write '%s'", tmp);
	return ret;
}

int index_save(struct index *ix, struct repo *r, struct err *err)
{
	char *tmp, *lock, *path;
	struct stat st;
	int ret;

	if (!ix->priv->differs)
		return 0;
	tmp = io_join(r->gitdir, "index.maildir");
	lock = io_join(r->gitdir, "index.lock");
	path = io_join(r->gitdir, "index");
	clean_up(r, tmp, lock);
	ret = write_file(ix, tmp, &st, err);
	if (!ret)
		ret = take_lock(tmp, lock, &st, err);
	if (!ret && rename(lock, path) < 0) {
		ret = err_errno(err, "cannot replace '%s'", path);
		unlink(lock);
	}
	unlink(tmp);
	if (!ret)
		ix->priv->differs = false;
	free(path);
	free(lock);
	free(tmp);
	return ret;
}

void index_stat_from(struct index_stat *out, const struct stat *st)
{
	*out = (struct index_stat){
		.ctime_s = (uint32_t)st->st_ctim.tv_sec,
		.ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
		.mtime_s = (uint32_t)st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
		.dev = (uint32_t)st->st_dev,
		.ino = (uint32_t)st->st_ino,
		.uid = (uint32_t)st->st_uid,
		.gid = (uint32_t)st->st_gid,
		.size = (uint32_t)st->st_size,
	};
}
