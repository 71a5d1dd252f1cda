/*
 * scan.c -- reads a live Maildir without being fooled by those who change it meanwhile.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "subdirs.h"

/* Deeper than any mail server goes, and few enough for the descriptors that the walk keeps open. */
#define DEEPEST 64
/* So that every message's path in the folder still is one that path_unsafe() lets pass. */
#define LONGEST_FOLDER (3500 - sizeof("/cur/") - NAME_LONGEST)
/*
 * How often a directory that changes all the time is listed: what is in none of so many listings was not
 * there for long.
 */
#define LISTINGS 3

/* A name in a directory that is searched for folders and files. */
struct found {
	const char *name;
	size_t len;
	unsigned char type;
	bool done;
};

struct founds {
	struct found *v;
	size_t n, cap;
};

struct walk {
	struct scan *s;
	struct subdirs_how how;
	struct listing listing;
	struct err *err;
};

static int found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	/* One that was dealt with comes first, and so survives. */
	return c ? c : (int)y->done - (int)x->done;
}

static void sort_founds(struct founds *f)
{
	size_t i, n = 0;

	if (f->n)
		qsort(f->v, f->n, sizeof(*f->v), found_cmp);
	for (i = 0; i < f->n; i++)
		if (!n || strcmp(f->v[n - 1].name, f->v[i].name))
			f->v[n++] = f->v[i];
	f->n = n;
}

static int list_once(struct walk *w, int fd, struct founds *out, bool *calm)
{
	struct scan_stamp before, after;
	struct listing_entry e;
	struct stat st;
	int r;

	if (fstat(fd, &st) || listing_rewind(&w->listing, fd))
		return -1;
	before = subdirs_stamp(&st);
	*calm = !subdirs_fresh(&before, subdirs_now());
	while ((r = listing_next(&w->listing, &e)) > 0) {
		MEM_GROW(out->v, out->n, out->cap);
		out->v[out->n++] = (struct found){ .name = arena_strn(&w->s->arena, e.name, e.len),
						    .len = e.len,
						    .type = e.type };
	}
	if (r < 0 || fstat(fd, &st))
		return -1;
	after = subdirs_stamp(&st);
	*calm = *calm && subdirs_same_stamp(&before, &after);
	return 0;
}

/*
 * Adds the names in the directory. A listing can miss a folder that is renamed meanwhile, with all that is in
 * it; so when anything changed (or may have: lock files come and go beside the folders), it is listed again,
 * and all that was ever seen counts. Whether it is really there is found out when it is opened.
 */
static int list(struct walk *w, int fd, struct founds *out)
{
	bool calm = false;
	int i;

	for (i = 0; i < LISTINGS && !calm; i++)
		if (list_once(w, fd, out, &calm))
			return -1;
	sort_founds(out);
	return 0;
}

static const char *join(struct walk *w, const char *dir, const char *name)
{
	return *dir ? arena_printf(&w->s->arena, "%s/%s", dir, name) : name;
}

/*
 * A repository's own ".git" is nothing to report, though a path with such a name in it is refused when it
 * comes from a tree.
 */
static const char *why_unsafe(const struct found *f)
{
	return strcmp(f->name, ".git") ? path_unsafe(f->name, f->len) : NULL;
}

static int add_file(struct walk *w, int fd, const char *dir, const struct found *f)
{
	bool in_place = !strcmp(f->name, "cur") || !strcmp(f->name, "new");
	const char *path = join(w, dir, f->name), *why = why_unsafe(f);
	struct path p;
	struct stat st;

	path_parse(&p, path, strlen(path));
	if (!why && !in_place && p.class == PATH_IGNORED)
		return 0;
	if (!why && f->type != DT_REG)
		why = subdirs_type_odd(f->type);
	if (!why && in_place)
		why = "is a file where there should be a directory";
	if (why) {
		subdirs_odd(w->s, dir, NULL, f->name, why);
		return 0;
	}
	if (fstatat(fd, f->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : err_errno(w->err, "cannot stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return 0;
	MEM_GROW(w->s->files, w->s->nfiles, w->s->files_cap);
	w->s->files[w->s->nfiles++] = (struct scan_file){ .path = path,
							  .class = p.class,
							  .mode = st.st_mode & 0100 ? 0100755 : 0100644,
							  .size = st.st_size,
							  .mtime_ns = subdirs_stamp(&st).mtime_ns,
							  .ino = st.st_ino };
	return 0;
}

static bool is_folder(const struct founds *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		const char *name = f->v[i].name;

		if (f->v[i].type == DT_DIR ? !strcmp(name, "cur") || !strcmp(name, "new") :
					     f->v[i].type == DT_REG && !strcmp(name, PATH_MARKER_NAME))
			return true;
	}
	return false;
}

static int add_folder(struct walk *w, int fd, const char *path)
{
	struct scan_folder f = { .path = path };
	int rc = subdirs_read(w->s, &f, fd, &w->how, w->err);

	if (rc) {
		free(f.sub[NAME_NEW].v);
		free(f.sub[NAME_CUR].v);
		return rc == ERR_NOTFOUND ? 0 : rc;
	}
	MEM_GROW(w->s->folders, w->s->nfolders, w->s->folders_cap);
	w->s->folders[w->s->nfolders++] = f;
	return 0;
}

static int walk_dir(struct walk *w, int fd, const char *path, unsigned depth);

/* *vanished is set when there is no such directory any more. */
static int walk_child(struct walk *w, int fd, const char *dir, const struct found *f, unsigned depth,
		      bool *vanished)
{
	const char *path, *why = why_unsafe(f);
	int sub, rc;

	if (why)
		subdirs_odd(w->s, dir, NULL, f->name, why);
	if (path_skip_dir(f->name, f->len))
		return 0;
	path = join(w, dir, f->name);
	if (depth == DEEPEST || strlen(path) > LONGEST_FOLDER) {
		subdirs_odd(w->s, dir, NULL, f->name, "is nested too deeply");
		return 0;
	}
	sub = openat(fd, f->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0) {
		*vanished = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
		/* A folder that cannot be read must not look like one that was deleted. */
		return *vanished ? 0 : err_errno(w->err, "cannot open directory '%s'", path);
	}
	rc = walk_dir(w, sub, path, depth + 1);
	close(sub);
	return rc;
}

/* All that was not dealt with yet. */
static int walk_founds(struct walk *w, int fd, const char *path, struct founds *f, unsigned depth,
		       bool *vanished)
{
	size_t i;
	int rc = 0;

	*vanished = false;
	for (i = 0; i < f->n && !rc; i++) {
		bool gone = false;

		if (f->v[i].done)
			continue;
		f->v[i].done = true;
		rc = f->v[i].type == DT_DIR ? walk_child(w, fd, path, &f->v[i], depth, &gone) :
					      add_file(w, fd, path, &f->v[i]);
		if (gone) {
			/*
			 * It may be back when it is listed again: a folder is deleted and made anew within a
			 * moment.
			 */
			f->v[i].done = false;
			*vanished = true;
		}
	}
	return rc;
}

static int walk_dir(struct walk *w, int fd, const char *path, unsigned depth)
{
	struct founds f = { 0 };
	bool vanished = true;
	int i, rc = 0;

	/*
	 * A folder may be renamed long after its name was read and before its turn comes: then its new name
	 * is looked for.
	 */
	for (i = 0; i < LISTINGS && vanished && !rc; i++) {
		if (list(w, fd, &f))
			rc = err_errno(w->err, "cannot read directory '%s'", *path ? path : w->how.disk->path);
		else if (i == 0 && is_folder(&f))
			rc = add_folder(w, fd, path);
		if (!rc)
			rc = walk_founds(w, fd, path, &f, depth, &vanished);
	}
	free(f.v);
	return rc;
}

static int folder_cmp(const void *a, const void *b)
{
	return strcmp(((const struct scan_folder *)a)->path, ((const struct scan_folder *)b)->path);
}

static int file_cmp(const void *a, const void *b)
{
	return strcmp(((const struct scan_file *)a)->path, ((const struct scan_file *)b)->path);
}

int scan_store(struct scan *out, const struct disk *d, const struct scan_opts *opts, struct err *err)
{
	struct walk w = { .s = out, .how = { .disk = d, .opts = opts }, .err = err };
	int rc, fd = openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, "cannot open '%s'", d->path);
	w.how.listing = &w.listing;
	rc = walk_dir(&w, fd, "", 0);
	listing_release(&w.listing);
	close(fd);
	if (out->nfolders)
		qsort(out->folders, out->nfolders, sizeof(*out->folders), folder_cmp);
	if (out->nfiles)
		qsort(out->files, out->nfiles, sizeof(*out->files), file_cmp);
	return rc;
}

int scan_folder(struct scan *out, const char *folder, const struct disk *d, struct err *err)
{
	struct walk w = { .s = out, .how = { .disk = d }, .err = err };
	int rc, fd = file_open_dir(d, folder);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : err_errno(err, "cannot open folder '%s'", folder);
	w.how.listing = &w.listing;
	rc = add_folder(&w, fd, arena_strn(&out->arena, folder, strlen(folder)));
	listing_release(&w.listing);
	close(fd);
	return rc;
}

static void set_gone(struct scan_folder *f)
{
	int i;

	for (i = 0; i < 2; i++) {
		f->sub[i].present = f->sub[i].unchanged = false;
		f->sub[i].stable = true;
		f->sub[i].n = 0;
	}
	f->locked = false;
	f->gone = true;
}

/* What was found in cur/ and new/ of the folder by the reading before. */
static void drop_odds(struct scan *s, const char *folder)
{
	size_t i, n = 0, len = *folder ? strlen(folder) + 1 : 0;

	for (i = 0; i < s->nodds; i++) {
		const char *path = s->odds[i].path;
		bool below = !len || (!strncmp(path, folder, len - 1) && path[len - 1] == '/');

		if (!below || (strncmp(path + len, "cur/", 4) && strncmp(path + len, "new/", 4)))
			s->odds[n++] = s->odds[i];
	}
	s->nodds = n;
}

int scan_folder_again(struct scan *s, size_t i, const struct disk *d, struct err *err)
{
	struct listing l = { 0 };
	struct subdirs_how how = { .disk = d, .listing = &l, .settle = true };
	struct scan_folder *f = &s->folders[i];
	int rc, dirfd = file_open_dir(d, f->path);

	drop_odds(s, f->path);
	if (dirfd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
			return err_errno(err, "cannot open folder '%s'", f->path);
		set_gone(f);
		return 0;
	}
	rc = subdirs_read(s, f, dirfd, &how, err);
	if (rc == ERR_NOTFOUND) {
		set_gone(f);
		rc = 0;
	}
	listing_release(&l);
	close(dirfd);
	return rc;
}

static bool dir_is_current(const struct scan_folder *f, enum name_sub sub, const struct disk *d)
{
	const struct scan_dir *dir = &f->sub[sub];
	const char *name = sub == NAME_CUR ? "cur" : "new";
	char path[4096];
	struct scan_stamp now;
	struct stat st;

	snprintf(path, sizeof(path), "%s%s%s", f->path, *f->path ? "/" : "", name);
	if (fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
		return !dir->present;
	now = subdirs_stamp(&st);
	return dir->present && subdirs_same_stamp(&now, &dir->stamp);
}

bool scan_is_current(const struct scan *s, const struct disk *d)
{
	size_t i;

	for (i = 0; i < s->nfolders; i++)
		if (!dir_is_current(&s->folders[i], NAME_NEW, d) ||
		    !dir_is_current(&s->folders[i], NAME_CUR, d))
			return false;
	return true;
}

void scan_release(struct scan *s)
{
	size_t i;

	for (i = 0; i < s->nfolders; i++) {
		free(s->folders[i].sub[NAME_NEW].v);
		free(s->folders[i].sub[NAME_CUR].v);
	}
	free(s->folders);
	free(s->files);
	free(s->odds);
	arena_release(&s->arena);
	memset(s, 0, sizeof(*s));
}
