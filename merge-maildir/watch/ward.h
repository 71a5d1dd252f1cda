/*
 * ward.h -- the members that a watch looks after (its wards): what is to be done for each, and when.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef WATCH_WARD_H
#define WATCH_WARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../core/hash.h"
#include "../core/mem.h"
#include "journal.h"
#include "notify.h"
#include "pace.h"

struct job;
struct ward;

/* A machine that several stores have their peers on. One that does not answer is asked for all of them by one at a time. */
struct host {
	char *name; /* what stands for it in a url: "joe@mx2:22" */
	struct retry retry;
	unsigned jobs; /* conversations under way */
};

/* A peer of one store. */
struct link {
	struct ward *ward;
	char *name, *url;
	struct host *host; /* NULL: this machine */
	bool fetch, push;  /* to be done */
	bool push_first;   /* the last fetch failed */
	int64_t push_at;   /* not before */
	struct retry retry;
	struct job *job;   /* what is being done, or NULL */
	bool listed;	   /* while the list is renewed */
};

/* A directory of a store or its repository that is looked after. */
struct dir {
	char *path; /* absolute */
	uint64_t dev, ino;
	int wd;	   /* of notify_add(); -1: it has to be looked at */
	bool kept; /* while the list is renewed */
	struct notify_stamp stamp;
};

struct ward {
	char *root, *gitdir; /* absolute */
	int lock;	     /* watcher_take(); -1: another process watches it */
	struct dir *dirs;    /* sorted by path */
	size_t ndirs, dirs_cap, unwatched;
	struct link **links;
	size_t nlinks, links_cap;
	struct pace pace;	/* of changes on disk */
	bool walk;		/* directories came or went */
	bool renew;		/* and it is not known which of them are still watched */
	bool now;		/* a peer pushed: no settling */
	bool full;		/* the next look is a full one */
	bool behind;		/* nothing was done for it so far */
	bool last;		/* when stopping: it may be worked on once more */
	int64_t check_at;	/* when everything is looked at again */
	struct retry retry;	/* of its own work */
	struct retry rest;	/* of what work left undone, because something was not at rest */
	struct job *job;
	char head[41];		/* of the last work; "" unknown */
	char name[65];		/* maildir.name */
	struct journal journal;
	bool auto_push; /* maildir.autoPush */
	bool given;  /* by name: it is watched even when it is not there for a while */
	bool listed; /* while the list of members is renewed */
};

/* All of them, sorted by root. */
struct wards {
	struct ward **v;
	size_t n, cap;
	struct host **hosts;
	size_t nhosts, hosts_cap;
	/* By the paths of roots and repositories: 2 * i for the root of v[i]. */
	struct hash_table places;
	bool places_known;
};

/* ward_gitdir: the repository of the member whose Maildir this is (gitdir_of()), without symbolic links in its path, malloc'ed; NULL if it is none. */
char *ward_gitdir(const char *root);

/*
 * wards_add: one more store, with these (malloc'ed) paths, which it takes; NULL if there is one at this root already (then they are freed). That one counts as listed if it has this repository.
 * wards_remove: gives it up; it has no job.
 */
struct ward *wards_add(struct wards *s, char *root, char *gitdir);
void wards_remove(struct wards *s, struct ward *one);
/* wards_find: the members in and below a directory, for each of which found() is called with malloc'ed paths. Does not go into Maildirs and repositories, nor along symbolic links. */
void wards_find(const char *dir, void (*found)(void *ctx, char *root, char *gitdir), void *ctx);
/* wards_of: the store that a path is in, in its Maildir or its repository; NULL if none. */
struct ward *wards_of(struct wards *s, const char *path);

/*
 * ward_walk: watches what is not watched yet, each directory before what is in it is read, and forgets what is gone. So whatever is in a new directory is either there before
 * the work that the walk precedes, or an event. why, if not empty afterwards: some have to be looked at, because of this.
 */
void ward_walk(struct ward *s, char *why, size_t size);
/* ward_look: whether anything changed in directories that are not watched. ward_lost: which are watched is not known any more. */
bool ward_look(struct ward *s);
/* ward_has_lock: whether the lock that it holds is the one of its repository, which can be another one at the same place by now. If not, it is given up. */
bool ward_has_lock(struct ward *s);
void ward_lost(struct ward *s);

/* ward_changed: what an event means: dir is the directory's path with a '/' at its end. Sets pace, walk, now, and retries. */
void ward_changed(struct ward *s, const struct notify_event *e, int64_t now);

/* ward_link: the peer of this name; ward_set_link: it is, or becomes, one at this url. */
struct link *ward_link(struct ward *s, const char *name);
struct link *ward_set_link(struct wards *all, struct ward *s, const char *name, const char *url);
/* ward_drop_links: those that are not listed and have no job. */
void ward_drop_links(struct ward *s);

#endif
