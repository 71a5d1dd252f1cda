/*
 * test_ward.c -- the members that a watch looks after: which there are, what is watched of them, and what events mean.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "watchbox.h"

#include "watch/ward.h"

static struct wards wards;
static struct err err;
static char why[512];

/* A Maildir and its repository, as far as a watch sees them. */
static void make_member(const char *path)
{
	char git[256], text[600];

	make_folder(path);
	snprintf(git, sizeof(git), "%s.git", path);
	make_dir(git);
	snprintf(git, sizeof(git), "%s.git/maildir", path);
	make_dir(git);
	snprintf(git, sizeof(git), "%s.git/refs", path);
	make_dir(git);
	snprintf(git, sizeof(git), "%s.git", path);
	snprintf(text, sizeof(text), "gitdir: %s\n", at(git));
	snprintf(git, sizeof(git), "%s/.git", path);
	make_file(git, text);
}

static struct ward *add(const char *path)
{
	return wards_add(&wards, strdup(at(path)), ward_gitdir(at(path)));
}

static int box(void **state)
{
	memset(&wards, 0, sizeof(wards));
	return watchbox_make(state) || notify_open(&err);
}

static int unbox(void **state)
{
	while (wards.n)
		wards_remove(&wards, wards.v[0]);
	free(wards.v);
	hash_release(&wards.places);
	for (size_t i = 0; i < wards.nhosts; i++) {
		free(wards.hosts[i]->name);
		free(wards.hosts[i]);
	}
	free(wards.hosts);
	notify_close();
	return watchbox_remove(state);
}

/* Takes all events; whether the ward is to be worked on because of them. */
static bool changed(struct ward *w)
{
	struct notify_event e;

	w->pace = (struct pace){ 0 };
	w->now = false;
	while (notify_next(&e, &err) > 0)
		if (e.dir && wards_of(&wards, e.dir) == w)
			ward_changed(w, &e, 1000);
	return w->pace.dirty || w->now;
}

static struct dir *dir_of(struct ward *w, const char *path)
{
	for (size_t i = 0; i < w->ndirs; i++)
		if (!strcmp(w->dirs[i].path, at(path)))
			return &w->dirs[i];
	return NULL;
}

static void walk(struct ward *w)
{
	ward_walk(w, why, sizeof(why));
	assert_string_equal(why, "");
	assert_false(w->walk);
	assert_int_equal(w->unwatched, 0);
}

static void found(void *ctx, char *root, char *gitdir)
{
	(void)ctx;
	wards_add(&wards, root, gitdir);
}

static void members_below_a_directory_are_found(void **state)
{
	(void)state;
	make_dir("org");
	make_member("org/joe");
	make_member("org/ann");
	make_folder("org/plain");
	make_dir("com");
	make_dir("com/deep");
	make_member("com/deep/bob");
	make_dir(".hidden");
	make_member(".hidden/eve");
	/* A repository without our state is no member's. */
	make_member("org/other");
	remove_tree("org/other.git/maildir");
	assert_int_equal(symlink("org", at("link")), 0);
	wards_find(at(""), found, NULL);
	assert_int_equal(wards.n, 3);
	assert_string_equal(wards.v[0]->root, at("com/deep/bob"));
	assert_string_equal(wards.v[1]->root, at("org/ann"));
	assert_string_equal(wards.v[2]->root, at("org/joe"));
	assert_string_equal(wards.v[2]->gitdir, at("org/joe.git"));
	for (size_t i = 0; i < wards.n; i++)
		wards.v[i]->listed = false;
	wards_find(at("org"), found, NULL);
	assert_int_equal(wards.n, 3);
	assert_false(wards.v[0]->listed);
	assert_true(wards.v[1]->listed && wards.v[2]->listed);
	wards_find(at("nothing"), found, NULL);
	wards_find(at("org/joe"), found, NULL);
	assert_int_equal(wards.n, 3);
}

static void a_path_belongs_to_the_store_that_it_is_in(void **state)
{
	struct ward *a, *b, *c;

	(void)state;
	make_member("a");
	make_member("a-b");
	make_member("ab");
	a = add("a");
	b = add("a-b");
	c = add("ab");
	assert_null(add("a"));
	assert_ptr_equal(wards_of(&wards, at("a")), a);
	assert_ptr_equal(wards_of(&wards, at("a/cur")), a);
	assert_ptr_equal(wards_of(&wards, at("a/.Work/cur")), a);
	assert_ptr_equal(wards_of(&wards, at("a.git/refs/remotes/x")), a);
	assert_ptr_equal(wards_of(&wards, at("a-b/new")), b);
	assert_ptr_equal(wards_of(&wards, at("ab.git/refs")), c);
	assert_null(wards_of(&wards, at("abc/new")));
	assert_null(wards_of(&wards, at("")));
	assert_null(wards_of(&wards, "/"));
	wards_remove(&wards, b);
	assert_null(wards_of(&wards, at("a-b/new")));
	assert_ptr_equal(wards_of(&wards, at("ab/new")), c);
	b = add("a-b");
	assert_ptr_equal(wards_of(&wards, at("a-b/new")), b);
}

static void a_walk_watches_folders_and_references(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	make_folder("a/.Work");
	make_dir("a/fs");
	make_folder("a/fs/deep");
	make_dir("a/dovecot.index.cache.d");
	w = add("a");
	walk(w);
	assert_non_null(dir_of(w, "a"));
	assert_non_null(dir_of(w, "a/cur"));
	assert_non_null(dir_of(w, "a/new"));
	assert_null(dir_of(w, "a/tmp"));
	assert_non_null(dir_of(w, "a/.Work/cur"));
	assert_non_null(dir_of(w, "a/fs/deep/new"));
	assert_null(dir_of(w, "a/dovecot.index.cache.d"));
	assert_non_null(dir_of(w, "a.git/refs/remotes"));
	assert_false(changed(w));
	make_file("a/fs/deep/new/1700000001.A.host", "");
	assert_true(changed(w));
	assert_false(w->walk);
	make_file("a/tmp/1700000002.A.host", "");
	assert_false(changed(w));
	make_file("a/dovecot-uidlist.lock", "");
	assert_false(changed(w));
	make_file("a/dovecot-uidlist", "");
	assert_true(changed(w));
	assert_int_equal(rename(at("a/tmp/1700000002.A.host"), at("a/.Work/cur/1700000002.A.host:2,S")), 0);
	assert_true(changed(w));
}

static void a_push_is_work_at_once(void **state)
{
	struct ward *w;
	struct link *l;

	(void)state;
	make_member("a");
	w = add("a");
	walk(w);
	l = ward_set_link(&wards, w, "b", "joe@mx2:b");
	retry_failed(&l->retry, 1000);
	retry_failed(&l->host->retry, 1000);
	make_dir("a.git/refs/remotes/b");
	assert_true(changed(w) && w->now && w->walk);
	walk(w);
	make_file("a.git/refs/remotes/b/main.lock", "");
	assert_false(changed(w));
	assert_int_equal(rename(at("a.git/refs/remotes/b/main.lock"), at("a.git/refs/remotes/b/main")), 0);
	assert_true(changed(w) && w->now);
	/* It is up. */
	assert_int_equal(l->retry.next, 0);
	assert_int_equal(l->host->retry.next, 0);
	/* git removes the directory when it packs references, and makes it again with the next push. */
	remove_tree("a.git/refs/remotes/b");
	make_dir("a.git/refs/remotes/b");
	assert_true(changed(w) && w->walk);
	walk(w);
	make_file("a.git/refs/remotes/b/main", "");
	assert_true(changed(w) && w->now);
}

static void new_folders_are_watched_after_the_next_walk(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	w = add("a");
	walk(w);
	make_folder("a/.New");
	make_file("a/.New/new/1700000001.A.host", "");
	assert_true(changed(w) && w->walk);
	walk(w);
	make_file("a/.New/new/1700000002.A.host", "");
	assert_true(changed(w));
	remove_tree("a/.New");
	assert_true(changed(w) && w->walk);
	walk(w);
	assert_null(dir_of(w, "a/.New"));
}

/* Renamed, then deleted and made again in one go: the events of the directory that is gone are of its name of today. */
static void a_renamed_folder_that_is_made_again_is_watched(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	make_folder("a/.New");
	w = add("a");
	walk(w);
	assert_int_equal(rename(at("a/.New"), at("a/.Other")), 0);
	assert_true(changed(w) && w->walk);
	walk(w);
	for (int i = 0; i < 20; i++) {
		remove_tree("a/.Other");
		make_folder("a/.Other");
		assert_true(changed(w) && w->walk);
		walk(w);
		make_file("a/.Other/new/1700000001.A.host", "");
		assert_true(changed(w));
	}
}

static void a_folder_that_was_moved_away_is_none_of_ours(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	make_folder("a/.New");
	w = add("a");
	walk(w);
	assert_int_equal(rename(at("a/.New"), at("elsewhere")), 0);
	assert_true(changed(w) && w->walk);
	walk(w);
	changed(w);
	make_file("elsewhere/new/1700000001.A.host", "");
	assert_false(changed(w));
}

static void after_a_loss_all_is_watched_again(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	w = add("a");
	walk(w);
	notify_close();
	assert_int_equal(notify_open(&err), 0);
	ward_lost(w);
	assert_true(w->walk && w->now);
	walk(w);
	make_file("a/new/1700000001.A.host", "");
	assert_true(changed(w));
	/* As after an overflow, in which the end of the watch is lost: the same directory, by its number, without a watch. */
	notify_drop(dir_of(w, "a/new")->wd, at("a/new"));
	changed(w);
	walk(w);
	make_file("a/new/1700000002.A.host", "");
	assert_true(changed(w));
}

static void without_watches_directories_are_looked_at(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	notify_close();
	w = add("a");
	ward_walk(w, why, sizeof(why));
	assert_string_not_equal(why, "");
	assert_int_equal(w->unwatched, w->ndirs);
	usleep(30000);
	ward_look(w);
	assert_false(ward_look(w));
	make_file("a/new/1700000001.A.host", "");
	assert_true(ward_look(w));
	assert_true(w->walk);
	assert_int_equal(notify_open(&err), 0);
	walk(w);
	make_file("a/new/1700000002.A.host", "");
	assert_true(changed(w));
}

static void a_maildir_that_goes_and_returns_is_watched(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	w = add("a");
	walk(w);
	remove_tree("a");
	assert_true(changed(w) && w->walk);
	ward_walk(w, why, sizeof(why));
	assert_null(dir_of(w, "a/new"));
	make_folder("a");
	walk(w);
	changed(w);
	make_file("a/new/1700000001.A.host", "");
	assert_true(changed(w));
}

static void the_lock_is_that_of_the_repository(void **state)
{
	struct ward *w;

	(void)state;
	make_member("a");
	w = add("a");
	make_file("a.git/maildir/watch", "");
	assert_false(ward_has_lock(w));
	w->lock = open(at("a.git/maildir/watch"), O_RDWR | O_CLOEXEC);
	assert_true(ward_has_lock(w));
	/* The repository is another one, at the same place. */
	assert_int_equal(unlink(at("a.git/maildir/watch")), 0);
	make_file("a.git/maildir/watch", "");
	assert_false(ward_has_lock(w));
	assert_int_equal(w->lock, -1);
}

static void peers_of_one_machine_share_a_host(void **state)
{
	struct ward *a, *b;
	struct link *one;

	(void)state;
	make_member("a");
	make_member("b");
	a = add("a");
	b = add("b");
	one = ward_set_link(&wards, a, "x", "joe@mx2:a.git");
	assert_ptr_equal(ward_set_link(&wards, b, "x", "joe@mx2:b.git")->host, one->host);
	assert_ptr_not_equal(ward_set_link(&wards, b, "y", "joe@mx3:b.git")->host, one->host);
	assert_string_equal(ward_set_link(&wards, b, "z", "ssh://joe@mx2:22/b.git")->host->name, "joe@mx2:22");
	assert_null(ward_set_link(&wards, b, "v", "/var/b.git")->host);
	assert_null(ward_set_link(&wards, b, "u", "../b:c.git")->host);
	assert_null(ward_set_link(&wards, b, "t", "file:///var/b.git")->host);
	/* The same again: nothing new is to be asked. */
	one->fetch = one->push = false;
	assert_ptr_equal(ward_set_link(&wards, a, "x", "joe@mx2:a.git"), one);
	assert_false(one->fetch);
	ward_set_link(&wards, a, "x", "joe@mx2:elsewhere.git");
	assert_true(one->fetch && one->push);
	one->listed = false;
	ward_drop_links(a);
	assert_null(ward_link(a, "x"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, box, unbox)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(members_below_a_directory_are_found), T(a_path_belongs_to_the_store_that_it_is_in), T(a_walk_watches_folders_and_references),
		T(a_push_is_work_at_once), T(new_folders_are_watched_after_the_next_walk), T(a_renamed_folder_that_is_made_again_is_watched),
		T(a_folder_that_was_moved_away_is_none_of_ours), T(after_a_loss_all_is_watched_again), T(without_watches_directories_are_looked_at),
		T(a_maildir_that_goes_and_returns_is_watched), T(the_lock_is_that_of_the_repository), T(peers_of_one_machine_share_a_host),
	};

	return cmocka_run_group_tests_name("ward", tests, NULL, NULL);
}
