/*
 * ward.c -- the members that a watch looks after: what is to be done for each, and when.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "ward.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/path.h"
#include "../repo/gitdir.h"

/* A tree of mailboxes is not deeper than <domain>/<user>/Maildir with some room. */
#define DEPTH_MOST 8

static char *join(const char *a, const char *b)
{
	struct bytes out = { 0 };

	bytes_addf(&out, "%s/%s", a, b);
	return out.buf;
}

static char *copy(const char *s)
{
	size_t len = strlen(s) + 1;

	return memcpy(mem_alloc(len), s, len);
}

char *ward_gitdir(const char *root)
{
	char *gitdir = gitdir_of(root, NULL), *real = gitdir ? realpath(gitdir, NULL) : NULL;

	free(gitdir);
	return real;
}

/* Where the store at this root is, or would be. */
static size_t place_of(const struct wards *s, const char *root)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(s->v[mid]->root, root) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct ward *wards_add(struct wards *s, char *root, char *gitdir)
{
	size_t at = place_of(s, root);
	struct ward *one;

	if (at < s->n && !strcmp(s->v[at]->root, root)) {
		s->v[at]->listed = !strcmp(s->v[at]->gitdir, gitdir);
		free(root);
		free(gitdir);
		return NULL;
	}
	one = mem_zalloc(sizeof(*one));
	one->root = root;
	one->gitdir = gitdir;
	one->lock = -1;
	one->walk = one->now = one->behind = one->listed = true;
	MEM_GROW(s->v, s->n, s->cap);
	memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(*s->v));
	s->v[at] = one;
	s->n++;
	s->places_known = false;
	return one;
}

static void free_link(struct link *l)
{
	free(l->name);
	free(l->url);
	free(l);
}

void wards_remove(struct wards *s, struct ward *one)
{
	size_t at = place_of(s, one->root);

	s->places_known = false;
	memmove(s->v + at, s->v + at + 1, (s->n - at - 1) * sizeof(*s->v));
	s->n--;
	for (size_t i = 0; i < one->ndirs; i++) {
		notify_drop(one->dirs[i].wd, one->dirs[i].path);
		free(one->dirs[i].path);
	}
	for (size_t i = 0; i < one->nlinks; i++)
		free_link(one->links[i]);
	if (one->lock >= 0)
		close(one->lock);
	free(one->dirs);
	free(one->links);
	free(one->root);
	free(one->gitdir);
	free(one);
}

static void find_in(const char *dir, int depth, void (*found)(void *ctx, char *root, char *gitdir), void *ctx)
{
	char *gitdir = ward_gitdir(dir), *cur = join(dir, "cur");
	bool maildir = access(cur, F_OK) == 0;
	struct dirent *e;
	DIR *d;

	free(cur);
	if (gitdir) {
		found(ctx, copy(dir), gitdir);
		return;
	}
	if (maildir || depth >= DEPTH_MOST || !(d = opendir(dir)))
		return;
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);
		char *path;
		struct stat st;

		if (e->d_name[0] == '.' || (len > 4 && !strcmp(e->d_name + len - 4, ".git")) || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		path = join(dir, e->d_name);
		if (e->d_type == DT_DIR || (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)))
			find_in(path, depth + 1, found, ctx);
		free(path);
	}
	closedir(d);
}

void wards_find(const char *dir, void (*found)(void *ctx, char *root, char *gitdir), void *ctx)
{
	char *real = realpath(dir, NULL);

	if (real)
		find_in(real, 0, found, ctx);
	free(real);
}

static bool is_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

static void know_places(struct wards *s)
{
	hash_release(&s->places);
	hash_init(&s->places, 2 * s->n);
	for (size_t i = 0; i < s->n; i++) {
		hash_add(&s->places, hash_bytes(s->v[i]->root, strlen(s->v[i]->root)), 2 * i);
		hash_add(&s->places, hash_bytes(s->v[i]->gitdir, strlen(s->v[i]->gitdir)), 2 * i + 1);
	}
	s->places_known = true;
}

/* By its ancestors, the longest first: one look for each of them, however many stores there are. */
struct ward *wards_of(struct wards *s, const char *path)
{
	if (!s->places_known)
		know_places(s);
	for (size_t len = strlen(path); len; len--) {
		size_t it = 0, at;

		if (path[len] && path[len] != '/')
			continue;
		while (hash_next(&s->places, hash_bytes(path, len), &it, &at)) {
			const char *place = at % 2 ? s->v[at / 2]->gitdir : s->v[at / 2]->root;

			if (strlen(place) == len && !memcmp(place, path, len))
				return s->v[at / 2];
		}
	}
	return NULL;
}

bool ward_has_lock(struct ward *s)
{
	char *path = join(s->gitdir, "maildir/watch");
	struct stat mine, there;
	bool same = s->lock >= 0 && fstat(s->lock, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;

	free(path);
	if (!same && s->lock >= 0) {
		close(s->lock);
		s->lock = -1;
	}
	return same;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct dir *)a)->path, ((const struct dir *)b)->path);
}

static struct dir *find_dir(const struct ward *s, size_t n, const char *path)
{
	struct dir key = { .path = (char *)path };

	return n ? bsearch(&key, s->dirs, n, sizeof(key), by_path) : NULL;
}

/* The walk: the first known directories are sorted, those that are found new come behind them. */
struct walk {
	struct ward *s;
	size_t known;
	char *why;
	size_t whysize;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* False: it is none. */
static bool keep_dir(struct walk *w, const char *path)
{
	struct ward *s = w->s;
	struct dir *d = find_dir(s, w->known, path);
	struct stat st;
	struct err err;
	int wd;

	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	if (!d) {
		MEM_GROW(s->dirs, s->ndirs, s->dirs_cap);
		d = &s->dirs[s->ndirs++];
		*d = (struct dir){ .path = copy(path), .wd = -1 };
	}
	d->kept = true;
	if (!s->renew && d->wd >= 0 && d->ino == st.st_ino && d->dev == st.st_dev && notify_has(d->wd, path))
		return true;
	d->ino = st.st_ino;
	d->dev = st.st_dev;
	notify_look(path, now_ns(), &d->stamp);
	wd = notify_add(path, &err);
	if (wd != d->wd)
		notify_drop(d->wd, path);
	d->wd = wd >= 0 ? wd : -1;
	if (wd == ERR_NOTFOUND) {
		d->kept = false;
		return false;
	}
	if (wd < 0)
		snprintf(w->why, w->whysize, "%s", err.msg);
	return true;
}

static void walk_maildir(struct walk *w, const char *path, int depth)
{
	struct dirent *e;
	DIR *d;

	/* Before it is read: what comes later is an event. */
	if (!keep_dir(w, path) || depth > 32 || !(d = opendir(path)))
		return;
	while ((e = readdir(d))) {
		size_t len = strlen(e->d_name);
		bool messages = !strcmp(e->d_name, "cur") || !strcmp(e->d_name, "new");
		char *sub;

		if ((e->d_type != DT_DIR && e->d_type != DT_UNKNOWN) || !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    (!messages && path_skip_dir(e->d_name, len)))
			continue;
		sub = join(path, e->d_name);
		if (messages)
			keep_dir(w, sub);
		else if (e->d_type == DT_DIR || access(sub, F_OK) == 0)
			walk_maildir(w, sub, depth + 1);
		free(sub);
	}
	closedir(d);
}

/* What peers push arrives in refs/remotes/<peer>/. */
static void walk_refs(struct walk *w)
{
	char *remotes = join(w->s->gitdir, "refs/remotes");
	struct dirent *e;
	DIR *d;

	if (mkdir(remotes, 0777) < 0 && errno != EEXIST) { /* then there is nothing to watch */
	}
	if (keep_dir(w, remotes) && (d = opendir(remotes))) {
		while ((e = readdir(d))) {
			char *peer = e->d_name[0] != '.' ? join(remotes, e->d_name) : NULL;

			if (peer)
				keep_dir(w, peer);
			free(peer);
		}
		closedir(d);
	}
	free(remotes);
}

void ward_walk(struct ward *s, char *why, size_t size)
{
	struct walk w = { .s = s, .known = s->ndirs, .why = why, .whysize = size };
	size_t n = 0;

	*why = '\0';
	s->walk = false;
	for (size_t i = 0; i < s->ndirs; i++)
		s->dirs[i].kept = false;
	walk_refs(&w);
	walk_maildir(&w, s->root, 0);
	s->renew = false;
	s->unwatched = 0;
	for (size_t i = 0; i < s->ndirs; i++) {
		if (s->dirs[i].kept) {
			s->unwatched += s->dirs[i].wd < 0;
			s->dirs[n++] = s->dirs[i];
		} else {
			/* It is elsewhere, where it is none of ours; or gone. */
			notify_drop(s->dirs[i].wd, s->dirs[i].path);
			free(s->dirs[i].path);
		}
	}
	s->ndirs = n;
	if (n)
		qsort(s->dirs, n, sizeof(*s->dirs), by_path);
}

bool ward_look(struct ward *s)
{
	bool changed = false;

	for (size_t i = 0; i < s->ndirs && s->unwatched; i++)
		if (s->dirs[i].wd < 0)
			changed |= notify_look(s->dirs[i].path, now_ns(), &s->dirs[i].stamp);
	/* New folders are among what may have changed. */
	s->walk |= changed;
	return changed;
}

void ward_lost(struct ward *s)
{
	s->walk = s->renew = s->now = true;
}

static void ref_changed(struct ward *s, const char *rel, const struct notify_event *e)
{
	char peer[128];
	struct link *l;
	size_t len;

	if (e->is_dir || !e->name) {
		s->walk = s->now = true;
		return;
	}
	len = strlen(e->name);
	if (len > 5 && !strcmp(e->name + len - 5, ".lock"))
		return;
	s->now = true;
	if (sscanf(rel, "/refs/remotes/%127[^/]", peer) == 1 && (l = ward_link(s, peer))) {
		retry_now(&l->retry);
		if (l->host)
			retry_now(&l->host->retry);
	}
}

void ward_changed(struct ward *s, const struct notify_event *e, int64_t now)
{
	struct bytes path = { 0 };
	struct path p;

	if (is_in(e->dir, s->gitdir)) {
		ref_changed(s, e->dir + strlen(s->gitdir), e);
	} else if (!e->name) {
		s->walk = true;
		pace_touch(&s->pace, now);
	} else if (e->is_dir) {
		if (!strcmp(e->name, "cur") || !strcmp(e->name, "new") || !path_skip_dir(e->name, strlen(e->name))) {
			s->walk = true;
			pace_touch(&s->pace, now);
		}
	} else {
		const char *rel = e->dir + strlen(s->root);

		bytes_addf(&path, "%s%s%s", *rel ? rel + 1 : "", *rel ? "/" : "", e->name);
		path_parse(&p, path.buf, path.len);
		if (p.class != PATH_IGNORED)
			pace_touch(&s->pace, now);
	}
	bytes_release(&path);
}

struct link *ward_link(struct ward *s, const char *name)
{
	for (size_t i = 0; i < s->nlinks; i++)
		if (!strcmp(s->links[i]->name, name))
			return s->links[i];
	return NULL;
}

/* "ssh://joe@mx2:22/x" and "joe@mx2:x" give "joe@mx2:22" and "joe@mx2"; a path of this machine gives nothing. */
static size_t host_of(const char *url, const char **start)
{
	const char *scheme = strstr(url, "://"), *colon = strchr(url, ':'), *slash = strchr(url, '/');

	*start = url;
	if (scheme) {
		*start = scheme + 3;
		return !strncmp(url, "file:", 5) ? 0 : strcspn(*start, "/");
	}
	return colon && (!slash || colon < slash) ? (size_t)(colon - url) : 0;
}

static struct host *get_host(struct wards *all, const char *url)
{
	const char *name;
	size_t len = host_of(url, &name);
	struct host *h;

	if (!len)
		return NULL;
	for (size_t i = 0; i < all->nhosts; i++)
		if (strlen(all->hosts[i]->name) == len && !memcmp(all->hosts[i]->name, name, len))
			return all->hosts[i];
	h = mem_zalloc(sizeof(*h));
	h->name = memcpy(mem_zalloc(len + 1), name, len);
	MEM_GROW(all->hosts, all->nhosts, all->hosts_cap);
	return all->hosts[all->nhosts++] = h;
}

struct link *ward_set_link(struct wards *all, struct ward *s, const char *name, const char *url)
{
	struct link *l = ward_link(s, name);

	if (l && !strcmp(l->url, url)) {
		l->listed = true;
		return l;
	}
	if (!l) {
		l = mem_zalloc(sizeof(*l));
		l->name = copy(name);
		MEM_GROW(s->links, s->nlinks, s->links_cap);
		s->links[s->nlinks++] = l;
	}
	free(l->url);
	l->url = copy(url);
	l->ward = s;
	l->host = get_host(all, url);
	/* What each has of the other is not known: it is asked once. */
	l->fetch = l->push = l->listed = true;
	l->retry = (struct retry){ 0 };
	return l;
}

void ward_drop_links(struct ward *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nlinks; i++)
		if (s->links[i]->listed || s->links[i]->job)
			s->links[n++] = s->links[i];
		else
			free_link(s->links[i]);
	s->nlinks = n;
}
