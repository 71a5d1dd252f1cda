/*
 * record.c -- disk to commit.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "record.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/change.h"
#include "../core/hash.h"
#include "../core/summary.h"
#include "../disk/repair.h"
#include "../repo/ack.h"
#include "../repo/history.h"
#include "../repo/objects.h"
#include "../repo/tree.h"
#include "dates.h"
#include "exit.h"
#include "fresh.h"
#include "keep.h"
#include "land.h"
#include "progress.h"
#include "uids.h"
#include "upkeep.h"
#include "verbs.h"

/* Files up to this size that are no messages are read at every record: their stat data may be too coarse to show a change. */
#define SMALL_FILE 65536

/* What a record works on between its steps. */
struct work {
	struct member *m;
	const struct record_opts *opts;
	struct record_result *res;
	struct objects_batch *batch; /* NULL when nothing is to be written */
	struct fresh *fresh;
	struct keep keep;
	struct store from, to; /* what differs: before and now */
	struct changes changes;
	struct dates dates;
	bool young;  /* a folder was left to the next record, see uids.h */
	bool unread; /* something vanished before it was read, or could not be looked at */
};

/* Entry i of the index is not on disk under its name. */
static void fill_missing(struct work *w, size_t i)
{
	const struct index_entry *e = &w->res->index.v[i];
	const char *as = keep_as(&w->keep, i);

	if (as == e->path)
		return;
	if ((e->mode & 0170000) == 0100000)
		store_add_path(&w->from, e->path, e->len, &e->oid, e->mode);
	edits_remove(&w->res->edits, e->path, e->len);
	if (as) {
		store_add_path(&w->to, as, strlen(as), &e->oid, e->mode);
		edits_put(&w->res->edits, as, strlen(as), &e->oid, e->mode, &e->st);
	}
}

/* Puts what the comparison found into two stores that hold only what differs. */
static void fill_from(struct work *w)
{
	const struct compare *c = &w->res->compare;

	for (size_t g = 0; g < c->ngone; g++)
		fill_missing(w, c->gone[g]);
	for (size_t k = 0; k < c->nwaiting; k++)
		fill_missing(w, c->waiting[k]);
}

static void fill_to(struct work *w)
{
	const struct compare *c = &w->res->compare;

	for (size_t i = 0; i < c->nfresh; i++) {
		const struct compare_fresh *f = &c->fresh[i];
		const struct fresh *x = &w->fresh[i];
		const char *path = compare_path(&w->res->edits.arena, f->folder, f->sub, f->name);

		if (!x->there) {
			w->unread = true;
			continue;
		}
		edits_put(&w->res->edits, path, strlen(path), &x->oid, 0100644, &x->st);
		if (f->was != COMPARE_NONE) {
			const struct index_entry *e = &w->res->index.v[f->was];

			if (oid_eq(&e->oid, &x->oid))
				continue;
			store_add_path(&w->from, e->path, e->len, &e->oid, e->mode);
		}
		store_add_msg(store_folder(&w->to, f->folder, strlen(f->folder)), f->sub, f->name, f->len, &x->oid);
	}
}

static int fill_files(struct work *w, struct err *err)
{
	const struct compare *c = &w->res->compare;

	for (size_t i = 0; i < c->nfiles; i++) {
		const struct scan_file *f = c->files[i].file;
		const struct index_entry *e = c->files[i].was == COMPARE_NONE ? NULL : &w->res->index.v[c->files[i].was];
		bool same_stat = e && (uint32_t)f->size == e->st.size && (uint32_t)(f->mtime_ns / 1000000000) == e->st.mtime_s &&
				 (uint32_t)(f->mtime_ns % 1000000000) == e->st.mtime_ns && (uint32_t)f->ino == e->st.ino;
		struct fresh x = { 0 };
		int ret;

		/* See uids.h. */
		if (f->class == PATH_UIDLIST || f->class == PATH_KEYWORDS)
			continue;
		/* Markers are written only by us, by rename: their inode tells. */
		if (same_stat && e->mode == f->mode && (f->class == PATH_MARKER || f->size > SMALL_FILE))
			continue;
		if ((ret = fresh_read_file(&x, &w->m->disk, f->path, w->batch, NULL, err)) < 0)
			return ret;
		/* The folder was renamed or removed since it was scanned: its messages, which are known by their inodes, must not be recorded without it. */
		if (!x.there && f->class == PATH_MARKER)
			return err_set(err, ERR_AGAIN, "a folder was removed or renamed while it was recorded");
		if (!x.there) {
			w->unread = true;
			continue;
		}
		if (e && oid_eq(&e->oid, &x.oid) && e->mode == f->mode) {
			if (!same_stat)
				edits_put(&w->res->edits, f->path, strlen(f->path), &x.oid, f->mode, &x.st);
			continue;
		}
		if (e)
			store_add_file(&w->from, e->path, &e->oid, e->mode, f->class);
		store_add_file(&w->to, f->path, &x.oid, f->mode, f->class);
		edits_put(&w->res->edits, f->path, strlen(f->path), &x.oid, f->mode, &x.st);
	}
	return 0;
}

/* A folder without a marker file gets one: it is what says to the others that the folder exists. */
static void fill_markers(struct work *w)
{
	for (size_t i = 0; i < w->dates.n; i++) {
		const struct dates_folder *x = &w->dates.v[i];
		struct bytes b = { 0 };
		struct oid oid;

		if (!x->missing || index_find(&w->res->index, x->path, strlen(x->path)) >= 0)
			continue;
		marker_format(&x->marker, &b);
		objects_hash(OBJECTS_BLOB, b.buf, b.len, &oid);
		bytes_release(&b);
		store_add_file(&w->to, x->path, &oid, 0100644, PATH_MARKER);
	}
}

/* Whether so many deletions are more likely an accident than a wish. */
static bool too_many(const struct member *m, size_t deletions, size_t messages)
{
	if (deletions <= (size_t)m->repo.max_delete_count)
		return false;
	return m->repo.max_delete_percent < 0 || deletions * 100 > messages * (size_t)m->repo.max_delete_percent;
}

static size_t count_deletions(const struct changes *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].kind == CHANGE_DELETE;
	return n;
}

static void keep_deleted(struct work *w)
{
	for (size_t i = 0; i < w->changes.n; i++) {
		const struct change *c = &w->changes.v[i];
		const char *path;

		if (c->kind != CHANGE_DELETE)
			continue;
		path = compare_path(&w->res->edits.arena, c->folder, c->from->sub, c->from->name);
		keep_message(&w->keep, (size_t)index_find(&w->res->index, path, strlen(path)));
	}
}

static int note_dates(struct work *w, struct err *err)
{
	const struct compare *c = &w->res->compare;
	const struct disk *d = &w->m->disk;
	struct hash_table by_name; /* of fresh messages, by the address of their name, which is theirs alone */
	int ret = 0;

	hash_init(&by_name, c->nfresh);
	for (size_t i = 0; i < c->nfresh; i++)
		hash_add(&by_name, hash_bytes(&c->fresh[i].name, sizeof(char *)), i);
	for (size_t i = 0; i < w->changes.n && !ret; i++) {
		const struct change *x = &w->changes.v[i];
		size_t it = 0, at;

		if (x->from && (!x->to || strcmp(x->folder, x->to_folder) != 0 || x->from->keylen != x->to->keylen ||
				memcmp(x->from->name, x->to->name, x->to->keylen) != 0))
			ret = dates_forget(&w->dates, d, x->folder, x->from->name, x->from->keylen, err);
		if (!x->to || ret)
			continue;
		while (hash_next(&by_name, hash_bytes(&x->to->name, sizeof(char *)), &it, &at))
			if (c->fresh[at].name == x->to->name && !w->fresh[at].renamed)
				ret = dates_set(&w->dates, d, x->to_folder, x->to->name, x->to->keylen, w->fresh[at].mtime, err);
	}
	hash_release(&by_name);
	return ret;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int note_folder(struct work *w, const struct scan_folder *f, struct err *err)
{
	const char **names = mem_alloc((f->sub[NAME_NEW].n + f->sub[NAME_CUR].n + 1) * sizeof(*names));
	int ret = 0;

	for (unsigned sub = NAME_NEW; sub <= NAME_CUR && !ret; sub++) {
		const struct scan_dir *dir = &f->sub[sub];

		for (size_t k = 0; k < dir->n; k++)
			names[k] = dir->v[k].name;
		/* A marker is sorted: what comes in its order is only appended. */
		qsort(names, dir->n, sizeof(*names), by_name);
		for (size_t k = 0; k < dir->n && !ret; k++) {
			struct arena a = { 0 };
			struct stat st;

			if (fstatat(w->m->disk.root, compare_path(&a, f->path, sub, names[k]), &st, AT_SYMLINK_NOFOLLOW) == 0)
				ret = dates_set(&w->dates, &w->m->disk, f->path, names[k], strcspn(names[k], ":"), st.st_mtime, err);
			arena_release(&a);
		}
	}
	free(names);
	return ret;
}

/*
 * Nothing is known of the dates of messages that were recorded before their folder had a marker, because somebody committed
 * them by hand; and with --full what is known is not relied on.
 */
static int note_unknown(struct work *w, struct err *err)
{
	const struct scan *s = &w->res->compare.scan;
	int ret = 0;

	for (size_t i = 0; i < w->dates.n && !ret; i++) {
		const struct dates_folder *x = &w->dates.v[i];
		bool unknown = x->missing && w->res->head_known && index_find(&w->res->index, x->path, strlen(x->path)) < 0;

		if (unknown || w->opts->full)
			ret = note_folder(w, &s->folders[i], err);
	}
	return ret;
}

int record_write(struct member *m, struct objects_batch *batch, const struct oid *tree, const struct oids *parents, const struct bytes *message, struct oid *out, struct err *err)
{
	struct history_commit c = { .tree = *tree, .parents = *parents };
	struct tm tm;
	char *who = NULL;
	int ret;

	if (asprintf(&who, "%s <%s@git-maildir>", m->repo.name, m->repo.name) < 0)
		return err_set(err, ERR_FAIL, "out of memory");
	localtime_r(&m->now, &tm);
	c.author = c.committer = who;
	c.author_time = c.committer_time = m->now;
	c.author_tz = c.committer_tz = (int)(tm.tm_gmtoff / 60);
	c.message = message->buf;
	ret = history_write(batch, &c, out, err);
	free(who);
	return ret;
}

static int write_commit(struct work *w, struct err *err)
{
	struct record_result *res = w->res;
	struct member *m = w->m;
	struct oids parents = { 0 };
	struct oid commit;
	int ret;

	if (res->head_known)
		oids_add(&parents, &res->head);
	ret = record_write(m, w->batch, &res->tree, &parents, &res->summary, &commit, err);
	if (!ret)
		ret = objects_flush(w->batch, err);
	if (!ret && !w->opts->aside)
		ret = repo_set_head(&m->repo, &commit, res->head_known ? &res->head : NULL, res->head_known ? "record" : "record (initial)", err);
	if (!ret) {
		res->head = commit;
		res->committed = res->head_known = true;
	}
	oids_release(&parents);
	return ret;
}

/* Of messages that were seen and could not be read any more nobody knows what became, nor of those that were not seen. */
static void keep_unknown(struct work *w)
{
	const struct compare *c = &w->res->compare;

	for (size_t i = 0; i < c->nfresh; i++)
		if (!w->fresh[i].there && w->fresh[i].maybe != COMPARE_NONE)
			keep_message(&w->keep, c->gone[w->fresh[i].maybe]);
	for (size_t k = 0; k < c->nwaiting; k++)
		keep_message(&w->keep, c->waiting[k]);
}

static int fill(struct work *w, struct err *err)
{
	int ret = keep_folders(&w->keep, &w->res->compare, w->fresh, &w->m->repo, &w->m->disk, err);

	if (ret < 0)
		return ret;
	changes_release(&w->changes);
	store_release(&w->from);
	store_release(&w->to);
	w->res->edits.n = 0;
	fill_from(w);
	fill_to(w);
	if ((ret = fill_files(w, err)) < 0)
		return ret;
	fill_markers(w);
	store_sort(&w->from);
	store_sort(&w->to);
	change_find(&w->changes, &w->from, &w->to);
	return 0;
}

/* From the comparison to what is to be done, as data. */
static int find_changes(struct work *w, struct err *err)
{
	struct record_result *res = w->res;
	size_t deletions;
	int ret;

	w->fresh = mem_zalloc((res->compare.nfresh + 1) * sizeof(*w->fresh));
	if ((ret = fresh_read(w->fresh, &res->compare, &res->index, &w->m->disk, w->batch, w->opts, err)) < 0)
		return ret;
	if ((ret = dates_open(&w->dates, &res->compare.scan, &res->index, &w->m->repo, err)) < 0)
		return ret;
	keep_unknown(w);
	if ((ret = fill(w, err)) < 0)
		return ret;
	deletions = count_deletions(&w->changes);
	if (w->opts->allow_deletes || !too_many(w->m, deletions, res->compare.messages))
		return 0;
	res->held = deletions;
	keep_deleted(w);
	return fill(w, err);
}

/* Last, because which messages a list is to have is known when all of them are in the index. */
static int record_imap(struct work *w, struct err *err)
{
	struct record_result *res = w->res;
	struct uids u = { .m = w->m, .ix = &res->index, .compare = &res->compare, .changes = &w->changes, .words = &res->words, .batch = w->batch,
			  .patient = w->opts->patient };
	int ret = uids_record(&u, &res->imap_edits, err);

	if (ret < 0)
		return ret;
	w->unread |= u.later;
	w->young |= u.young;
	index_edit(&res->index, res->imap_edits.v, res->imap_edits.n);
	return 0;
}

static int carry_out(struct work *w, struct err *err)
{
	struct record_result *res = w->res;
	struct oid before = res->tree;
	int ret;

	if ((ret = note_dates(w, err)) < 0 || (ret = note_unknown(w, err)) < 0 ||
	    (ret = dates_write(&w->dates, &w->m->disk, w->batch, &w->res->edits, err)) < 0)
		return ret;
	edits_unique(&w->res->edits);
	index_edit(&res->index, w->res->edits.v, w->res->edits.n);
	if ((ret = record_imap(w, err)) < 0)
		return ret;
	if ((ret = index_write_tree(&res->index, w->batch, &res->tree, err)) < 0)
		return ret;
	res->changed = !res->head_known || !oid_eq(&before, &res->tree);
	if (res->changed) {
		/* Markers and lists that were only written again are not among the changes. */
		if (w->changes.n || !res->head_known)
			summary_of(&w->changes, &res->summary);
		else
			bytes_addstr(&res->summary, res->imap_edits.n ? SUMMARY_IMAP : "Dates of messages changed");
		if ((ret = write_commit(w, err)) < 0)
			return ret;
	}
	if (w->opts->aside)
		return 0;
	if ((ret = index_save(&res->index, &w->m->repo, err)) == ERR_BUSY) {
		/* The commit stands; the index is only behind, and found to be so by whoever looks at it next. */
		exit_warn("%s", err->msg);
		ret = 0;
	}
	res->complete = !w->unread && !res->held && !res->compare.nwaiting && !res->compare.nlost;
	if (!ret)
		record_keep_stamps(w->m, res, &res->tree, NULL, NULL);
	return ret;
}

/*
 * Whether no message that was there when the scan began can have been missed: only one that is renamed while its directory is read can be, and whoever does that
 * holds the folder's lock, or changes the directory.
 */
static bool saw_everything(const struct scan *s)
{
	for (size_t i = 0; i < s->nfolders; i++)
		for (unsigned sub = NAME_NEW; sub <= NAME_CUR; sub++)
			if (!s->folders[i].locked && !s->folders[i].sub[sub].stable && !s->folders[i].sub[sub].unchanged)
				return false;
	return true;
}

int record_disk(struct member *m, const struct record_opts *opts, struct record_result *res, struct err *err)
{
	struct work w = { .m = m, .opts = opts, .res = res };
	struct stamps stamps = { 0 };
	struct compare_opts copts = { .full = opts->full, .words = &res->words };
	struct moment begun;
	int ret;

	memset(res, 0, sizeof(*res));
	moment_now(&begun);
	/* What a killed run left: first, because mail may be in it that is to be seen. */
	if (!opts->dry_run && ((ret = repair_tmp(&m->disk, false, NULL, err)) < 0 || (!opts->aside && (ret = land_finish(m, err)) < 0)))
		return ret;
	ret = repo_head(&m->repo, &res->head, err);
	if (ret < 0 && ret != ERR_NOTFOUND)
		return ret;
	res->head_known = ret == 0;
	if (res->head_known && (ret = tree_of(&m->repo, &res->head, &res->tree, err)) < 0)
		return ret;
	if ((ret = index_load(&res->index, &m->repo, res->head_known ? &res->tree : NULL, err)) < 0)
		return ret;
	words_init(&res->words, &m->repo, &m->disk, &res->index);
	/* Stamps say that names did not change; what the index does not know they cannot help with. */
	if (res->head_known && res->index.in_step) {
		stamps_load(&stamps, &m->repo, &res->tree);
		copts.stamps = &stamps;
	}
	if ((ret = compare_disk(&res->compare, &res->index, &m->disk, &copts, err)) < 0)
		goto out;
	res->messages = res->compare.messages;
	keep_init(&w.keep, &res->index);
	if (!opts->dry_run)
		w.batch = objects_begin(&m->repo);
	if ((ret = find_changes(&w, err)) < 0)
		goto out;
	if (!opts->dry_run) {
		ret = carry_out(&w, err);
		res->unfinished = w.unread || w.young || res->compare.nwaiting || !saw_everything(&res->compare.scan);
		if (!ret && !opts->aside && !w.unread && saw_everything(&res->compare.scan))
			ack_set_recorded(m->repo.gitdir, &begun);
	} else if ((res->changed = w.changes.n != 0)) {
		summary_of(&w.changes, &res->summary);
	}
out:
	if (w.batch)
		objects_end(w.batch);
	free(w.fresh);
	keep_release(&w.keep);
	changes_release(&w.changes);
	store_release(&w.from);
	store_release(&w.to);
	dates_release(&w.dates);
	stamps_release(&stamps);
	return ret;
}

void record_release(struct record_result *res)
{
	compare_release(&res->compare);
	index_release(&res->index);
	edits_release(&res->edits);
	edits_release(&res->imap_edits);
	words_release(&res->words);
	bytes_release(&res->summary);
}

void record_keep_stamps(struct member *m, const struct record_result *res, const struct oid *tree,
			bool (*touched)(void *ctx, const char *folder, enum name_sub sub), void *ctx)
{
	if (res->complete)
		stamps_save(&m->repo, tree, &res->compare.scan, touched, ctx);
}

bool record_warn(const struct member *m, const struct record_result *res)
{
	char name[256];

	if (res->held)
		exit_warn("%zu of %zu messages are gone from '%s': these deletions are held back; "
			  "if they are meant, run 'git maildir record --allow-deletes'", res->held, res->messages, m->disk.path);
	for (size_t i = 0; i < res->compare.nlost; i++) {
		const struct compare_lost *l = &res->compare.lost[i];

		exit_warn("folder '%s' has lost its '%s' directory with %zu messages: held back; restore the directory, or remove the whole folder",
			  path_show(name, sizeof(name), l->folder), l->sub == NAME_CUR ? "cur" : "new", l->messages);
	}
	if (repo_has_file(&m->repo, "MERGE_HEAD"))
		exit_warn("a merge by hand was refused and is still open in '%s': forget it with 'git merge --quit', or the next 'git commit' records it "
			  "as done without its mail", m->disk.path);
	return res->held || res->compare.nlost;
}

void record_warn_waiting(const struct record_result *res)
{
	if (res->compare.nwaiting)
		exit_warn("%zu messages were not seen while others never stopped: left for the next record", res->compare.nwaiting);
}

static const char usage[] = "git maildir record [--dry-run] [--allow-deletes] [--full] [--no-push]";

int record_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "dry-run", no_argument, NULL, 'n' },
						  { "allow-deletes", no_argument, NULL, 'd' },
						  { "full", no_argument, NULL, 'f' },
						  { "no-push", no_argument, NULL, 'P' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct record_opts opts = { 0 };
	struct record_result res = { 0 };
	struct progress progress;
	struct member m;
	struct err err;
	bool push = true, held;
	char hex[OID_HEX + 1];
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': opts.dry_run = true; break;
		case 'd': opts.allow_deletes = true; break;
		case 'f': opts.full = true; break;
		case 'P': push = false; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (optind != argc)
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	progress_start(&progress, "Reading messages");
	opts.progress = progress_step;
	opts.ctx = &progress;
	if (!(ret = member_lock(&m, &err))) {
		for (int tries = 0; tries < 5; tries++) {
			ret = record_disk(&m, &opts, &res, &err);
			if (ret != ERR_AGAIN)
				break;
			record_release(&res);
		}
		repo_unlock(&m.repo);
	}
	progress_end(&progress);
	if (ret < 0) {
		record_release(&res);
		member_close(&m);
		return exit_error(&err);
	}
	if (res.changed) {
		if (res.committed)
			printf("%.10s ", oid_hex(&res.head, hex));
		fwrite(res.summary.buf, 1, res.summary.len, stdout);
		if (res.summary.len && res.summary.buf[res.summary.len - 1] != '\n')
			putchar('\n');
	}
	held = record_warn(&m, &res);
	record_warn_waiting(&res);
	if (res.committed && push && m.repo.auto_push)
		member_spawn(&m, (const char *const[]){ "push", "--background", NULL });
	upkeep_after(&m);
	record_release(&res);
	member_close(&m);
	return held ? EXIT_INCOMPLETE : EXIT_DONE;
}
