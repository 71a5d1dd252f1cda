/*
 * test_path.c -- what the paths in a store are, and that git agrees about those to be ignored.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/mem.h"
#include "core/path.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static enum path_class class_of(const char *s)
{
	struct path p;

	path_parse(&p, s, strlen(s));
	return p.class;
}

static void assert_message(const char *s, const char *folder, enum name_sub sub, const char *name)
{
	struct path p;

	path_parse(&p, s, strlen(s));
	assert_int_equal(p.class, PATH_MESSAGE);
	assert_int_equal(p.folderlen, strlen(folder));
	assert_memory_equal(s, folder, p.folderlen);
	assert_int_equal(p.sub, sub);
	assert_int_equal(p.namelen, strlen(name));
	assert_string_equal(p.name, name);
}

static void messages_are_found_in_every_kind_of_folder(void **state)
{
	(void)state;
	assert_message("cur/1:2,S", "", NAME_CUR, "1:2,S");
	assert_message("new/1", "", NAME_NEW, "1");
	assert_message(".Work.Projects/cur/1:2,S", ".Work.Projects", NAME_CUR, "1:2,S");
	assert_message("Work/Projects/new/1", "Work/Projects", NAME_NEW, "1");
	assert_message("example.org/joe/.Sent/cur/1:2,", "example.org/joe/.Sent", NAME_CUR, "1:2,");
}

static void a_message_may_be_called_like_a_lock_or_a_cache(void **state)
{
	static const char *const names[] = {
		"cur", "new", "tmp", "1.M1.host.lock", "temp.1", "maildirsize", "subscriptions", "x.svbin",
		"dovecot-uidvalidity", "lucene-indexes",
	};
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "cur/%s", names[i]);
		assert_message(path, "", NAME_CUR, names[i]);
	}
}

static void a_folder_may_be_called_like_a_lock_or_a_temporary_file(void **state)
{
	(void)state;
	assert_message(".front-door.lock/cur/1", ".front-door.lock", NAME_CUR, "1");
	assert_message("temp.2026/new/1", "temp.2026", NAME_NEW, "1");
	assert_message(".nfs-list/new/1", ".nfs-list", NAME_NEW, "1");
	assert_message(".git.core/new/1", ".git.core", NAME_NEW, "1");
	assert_int_equal(class_of(".front-door.lock/.gitmaildir"), PATH_MARKER);
}

static void every_other_file_has_its_class(void **state)
{
	static const struct {
		const char *path;
		enum path_class class;
	} rows[] = {
		{ ".gitmaildir", PATH_MARKER },
		{ ".Work/.gitmaildir", PATH_MARKER },
		{ "subscriptions", PATH_SUBSCRIPTIONS },
		{ "courierimapsubscribed", PATH_SUBSCRIPTIONS },
		{ "dovecot-uidlist", PATH_UIDLIST },
		{ ".Work/dovecot-uidlist", PATH_UIDLIST },
		{ "dovecot-keywords", PATH_KEYWORDS },
		{ "dovecot-uidvalidity", PATH_UIDVALIDITY },
		{ "dovecot-uidvalidity2", PATH_FILE },
		{ ".gitattributes", PATH_FILE },
		{ "maildirfolder", PATH_FILE },
		{ ".Work/maildirfolder", PATH_FILE },
		{ "dovecot-acl", PATH_FILE },
		{ "sieve/main.sieve", PATH_FILE },
		{ "curriculum", PATH_FILE },
		{ "locksmith", PATH_FILE },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		if (class_of(rows[i].path) != rows[i].class)
			fail_msg("'%s' is %d", rows[i].path, (int)class_of(rows[i].path));
}

static void a_file_tells_the_directory_it_is_in(void **state)
{
	struct path p;

	(void)state;
	path_parse(&p, "sieve/active/main", strlen("sieve/active/main"));
	assert_int_equal(p.folderlen, strlen("sieve/active"));
	assert_string_equal(p.name, "main");
	path_parse(&p, ".Work/.gitmaildir", strlen(".Work/.gitmaildir"));
	assert_int_equal(p.folderlen, strlen(".Work"));
	path_parse(&p, "notes", strlen("notes"));
	assert_int_equal(p.folderlen, 0);
}

static void caches_and_locks_are_ignored(void **state)
{
	static const char *const paths[] = {
		"tmp", "tmp/1", ".Work/tmp/1", "tmp/cur/1", "dovecot.index.log", ".Work/dovecot.index.cache",
		"dovecot.list.index", "dovecot.map.index", "dovecot.mailbox.log.2", "dovecot-uidlist.lock",
		"mailboxes.lock.x", "dovecot-uidlist.tmp", ".temp.x.1", "temp.1", "dovecot-acl-list",
		"maildirsize", "..DOVECOT-TRASHED/cur/1", "..DOVECOT-TrasH/x/cur/1", ".dovecot.lda-dupes",
		".dovecot.lda-dupes.locks/1", "sieve/main.svbin", ".dovecot.sieve.log.0",
		"dovecot-expunges.log", "lucene-indexes/x", ".Work/fts-flatcurve/index.1/x",
		"xapian-indexes/db", ".git", ".git/config", "Work/.GIT/x", ".nfs00001", "courierimapuiddb",
		"courierimaphieracl", "courierpop3dsizelist", "cur", "new", "x/cur", "cur/dir/1", "cur/new/1",
		"new/cur/1:2,S", "cur/courierimapkeywords/:list", "cur/.hidden", "cur/:2,S",
		"cur/dovecot-uidlist", "new/a\nb", "a\001b", "x\177/cur/1", "", "/", "/cur/1", "cur/",
		"cur//1", "x/../cur/1", "./cur/1", "..", "git~1", "x/GIT~1/cur/1", "dovecot-uidvalidity.6b0e2a11",
		"dovecot-uidvalidity.", ".Work/dovecot-uidvalidity.x",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(paths); i++)
		if (class_of(paths[i]) != PATH_IGNORED)
			fail_msg("'%s' is %d", paths[i], (int)class_of(paths[i]));
}

static void a_scan_does_not_go_where_no_folders_are(void **state)
{
	static const char *const skip_dirs[] = {
		"cur", "new", "tmp", ".git", ".GIT", "..DOVECOT-TRASHED", "..DOVECOT-TrasH", ".", "..",
		"a\nb", "git~1", "fts-flatcurve",
	};
	static const char *const enter[] = {
		".Work", "Work", ".front-door.lock", "temp.x", ".git.core", "current", "maildirsize",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(skip_dirs); i++)
		assert_true(path_skip_dir(skip_dirs[i], strlen(skip_dirs[i])));
	for (i = 0; i < COUNT(enter); i++)
		assert_false(path_skip_dir(enter[i], strlen(enter[i])));
}

static void unsafe_paths_are_named_with_the_reason(void **state)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
		{ "", "is empty" },
		{ "/etc/passwd", "is absolute" },
		{ "a//b", "contains an empty component" },
		{ "a/", "contains an empty component" },
		{ "a/./b", "contains '.'" },
		{ "../a", "contains '..'" },
		{ "a/..", "contains '..'" },
		{ "cur/a\nb", "contains control bytes" },
		{ "a\177/b", "contains control bytes" },
		{ "a/.Git/hooks/post-commit", "contains '.git' or what some system takes for it" },
		{ "GIT~1/config", "contains '.git' or what some system takes for it" },
	};
	char buf[4096];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		const char *why = path_unsafe(rows[i].path, strlen(rows[i].path));

		assert_non_null(why);
		assert_string_equal(why, rows[i].why);
	}
	assert_null(path_unsafe("cur/1:2,S", 9));
	assert_null(path_unsafe("...", 3));
	assert_non_null(path_unsafe("a\0b", 3));
	memset(buf, 'x', sizeof(buf));
	assert_null(path_unsafe(buf, 255));
	assert_non_null(path_unsafe(buf, 256));
	for (i = 100; i < sizeof(buf); i += 101)
		buf[i] = '/';
	assert_null(path_unsafe(buf, 3500));
	assert_non_null(path_unsafe(buf, 3501));
}

static void a_folder_is_shown_as_people_know_it(void **state)
{
	static const struct {
		const char *folder, *shown;
	} rows[] = {
		{ "", "INBOX" },
		{ ".Work.Projects", "Work/Projects" },
		{ "Work/Projects", "Work/Projects" },
		{ "Work/v1.2", "Work/v1.2" },
		{ "example.org/joe/.Sent.2026", "example.org/joe/Sent/2026" },
		{ ".Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe" },
		{ ".a\nb\033[31m", "a?b?[31m" },
		{ ".b\xfc" "cher\xe2\x82", "b?cher??" },
		{ ".c1\xc2\x9b", "c1??" },
		{ ".", "" },
	};
	char out[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_string_equal(path_show(out, sizeof(out), rows[i].folder), rows[i].shown);
	assert_string_equal(path_show(out, 5, ".Work.Projects"), "Work");
	assert_string_equal(path_show(out, 3, ".a\xc3\xbc"), "a");
	assert_string_equal(path_show(out, 1, "x"), "");
}

/* --- against git itself --- */

static const char *const names[] = {
	"1795432857.M1P1.vm", "1:2,S", "a:", ":2,S", "-rf:2,S", "\"quoted\":2,S", "foo %:2,", " lead",
	"trail ", "*", "?", "[a]", "!x", "#x", "\\", "a\\b", "a\\054x:2,S", "\xff\xfe:2,S",
	"b\xc3\xbcrger:2,S", "1:2,S~", ".hidden", ".hidden:2,S", ".noindex", "...", "..x", "a\nb", "a\tb:2,S",
	"\001", "\177", "a\037:2,S", "\nx", "x\n", "x\r", ".git", ".GIT", ".git ", ".git.", ".git. ",
	".git.:", ".git:x", ".git\\x", ".git.core", ".git list", ".git..x", ".git-x", ".gitx",
	".gitattributes", ".gitmaildir", "git", "git~1", "GIT~1:2,S", "git~10", "git~2", "a\\.git",
	"a\\.GITx", "a\\git~1:2,", "a\\git~2", "cur", "new", "tmp", "curx", "tmp:2,S", "dovecot.index",
	"dovecot.index:2,S", "dovecot.index.log.2", "dovecot.indices", "dovecot.list.index",
	"dovecot.list.index.log", "dovecot.map.index", "dovecot.mailbox.log", "dovecot.mailbox.log.2",
	"dovecot-uidlist", "dovecot-uidlist:2,S", "dovecot-uidlist.lock", "dovecot-uidlist.tmp",
	"dovecot-uidlist2", "dovecot-uidlist,S=1:2,", "dovecot-keywords", "dovecot-keywords:2,",
	"dovecot-keywords.lock", "dovecot-uidvalidity", "dovecot-uidvalidity.6b0e2a11", "dovecot-uidvalidity.", "dovecot-uidvalidity2",
	"dovecot-uidvalidity:2,S", "mailboxes.lock", "mailboxes.lock.x", "x.lock", ".lock", "lock",
	"x.lock:2,S", ".front-door.lock", ".temp.1", "temp.1", "temp", ".temp", "xtemp.1", "dovecot-acl",
	"dovecot-acl-list", "maildirsize", "maildirsize2", "maildirfolder", "..DOVECOT-TRASHED",
	"..DOVECOT-TrasH", ".DOVECOT-TRASHED", ".dovecot.lda-dupes", ".dovecot.lda-dupes.locks", "x.svbin",
	".svbin", "x.sieve", ".dovecot.sieve", ".dovecot.sieve.log", ".dovecot.sieve.log.0",
	"dovecot-expunges.log", "lucene-indexes", "fts-flatcurve", "xapian-indexes", "courierimapuiddb",
	"courierimapuiddb:2,S", "courierimaphieracl", "courierpop3dsizelist", "courierimapkeywords",
	"courierimapkeywords:2,S", "courierimapsubscribed", "subscriptions", ".nfs0000001", ".nfs", "nfs",
};

static const char *const dirs[] = {
	"", "cur/", "new/", "tmp/", ".Work/", ".Work/cur/", ".Work/new/", ".Work/tmp/", "Work/Projects/",
	"Work/Projects/cur/", "cur/dir/", "cur/dir/cur/", "new/cur/", "cur/new/", "tmp/cur/", "a.lock/",
	"a.lock/new/", ".git.core/cur/", "..DOVECOT-TRASHED/cur/", "temp.x/cur/", "lucene-indexes/",
	"sub/.git/", "a\nb/cur/", "cur /", "Cur/", "Work/Projects/cur/1:2,S/cur/",
};

/* Pieces of names that mean something to us or to gitignore(5). */
static const char *const pieces[] = {
	".", "git", "GiT", "~1", ":", "2,", "S", "\\", " ", "dovecot", ".index", ".lock", "temp.", "cur",
	"new", "tmp", "\n", "-uidlist", "x", "*", "[", "courierimap", "uiddb", "keywords", "\x80", "!", "nfs",
	"\x7f",
};

struct box {
	char root[64];
	char **paths; /* the files that were made */
	size_t n, cap;
};

static void shell(const struct box *b, const char *command, struct bytes *out)
{
	char *full, chunk[4096];
	size_t n;
	FILE *f;

	assert_true(asprintf(&full, "cd '%s/mail' && HOME=${PWD%%/mail} && export HOME XDG_CONFIG_HOME=\"$HOME\" "
			     "GIT_CONFIG_NOSYSTEM=1 GIT_DIR=\"$HOME/git\" GIT_WORK_TREE=\"$HOME/mail\" && %s",
			     b->root, command) > 0);
	f = popen(full, "r");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		bytes_add(out, chunk, n);
	if (pclose(f) != 0)
		fail_msg("failed: %s", command);
	free(full);
}

static int box_make(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct box *b = mem_zalloc(sizeof(*b));
	struct bytes out = { 0 };
	char file[128];
	FILE *f;

	snprintf(b->root, sizeof(b->root), "%.40s/path-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(b->root));
	snprintf(file, sizeof(file), "%s/mail", b->root);
	assert_int_equal(mkdir(file, 0700), 0);
	shell(b, "git init -q && echo '*:2,S' >\"$HOME/ignore\" && "
		 "git config --global core.excludesFile \"$HOME/ignore\"", &out);
	snprintf(file, sizeof(file), "%s/git/info/exclude", b->root);
	f = fopen(file, "w");
	assert_non_null(f);
	fputs(path_exclude, f);
	assert_int_equal(fclose(f), 0);
	bytes_release(&out);
	*state = b;
	return 0;
}

static int box_remove(void **state)
{
	struct box *b = *state;
	struct bytes out = { 0 };

	shell(b, "cd / && rm -rf \"$HOME\"", &out);
	bytes_release(&out);
	while (b->n)
		free(b->paths[--b->n]);
	free(b->paths);
	free(b);
	return 0;
}

/* Makes a file and the directories it is in. Left out is what cannot be: a directory of that name, a file in the way. */
static void box_file(struct box *b, const char *fmt, ...)
{
	char path[512], full[640], *rel, *slash;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	snprintf(full, sizeof(full), "%s/mail/%s", b->root, path);
	rel = full + strlen(b->root) + strlen("/mail/");
	for (slash = strchr(rel, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(full, 0700) < 0 && errno != EEXIST)
			return;
		*slash = '/';
	}
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return;
	close(fd);
	MEM_GROW(b->paths, b->n, b->cap);
	b->paths[b->n++] = strdup(path);
}

static int cmp_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The strings in out, without the first bytes of each, are just the paths that path_parse() says are replicated. */
static void assert_replicated(const struct box *b, const struct bytes *out, size_t skip_bytes)
{
	char **seen = NULL, *p;
	size_t n = 0, cap = 0, i, kept = 0;

	for (p = out->buf; p && p < out->buf + out->len; p += strlen(p) + 1) {
		MEM_GROW(seen, n, cap);
		seen[n++] = p + skip_bytes;
	}
	if (n)
		qsort(seen, n, sizeof(*seen), cmp_strings);
	for (i = 0; i < b->n; i++) {
		bool ours = class_of(b->paths[i]) != PATH_IGNORED;
		bool gits = n && bsearch(&b->paths[i], seen, n, sizeof(*seen), cmp_strings);

		kept += ours;
		if (ours != gits)
			fail_msg("'%s' is %s, git says otherwise", b->paths[i], ours ? "replicated" : "ignored");
	}
	assert_int_equal(n, kept);
	assert_true(kept > b->n / 20);
	assert_true(kept < b->n);
	free(seen);
}

/* What git sees is what path_parse() says, git takes all of it, and no check complains about a tree of it. */
static void assert_git_agrees(const struct box *b)
{
	struct bytes out = { 0 };

	shell(b, "git status --porcelain=v1 -z -uall", &out);
	assert_replicated(b, &out, 3);
	bytes_clear(&out);
	shell(b, "git add -A && git ls-files -z", &out);
	assert_replicated(b, &out, 0);
	bytes_clear(&out);
	shell(b, "git -c user.name=n -c user.email=e commit -q -m m && (git fsck --strict 2>&1 || :)", &out);
	if (out.len)
		fail_msg("git fsck says: %s", out.buf);
	bytes_release(&out);
}

static void git_ignores_the_same_files(void **state)
{
	struct box *b = *state;
	size_t i, j;

	for (i = 0; i < COUNT(dirs); i++)
		box_file(b, "%sx", dirs[i]);
	for (i = 0; i < COUNT(dirs); i++)
		for (j = 0; j < COUNT(names); j++)
			box_file(b, "%s%s", dirs[i], names[j]);
	assert_true(b->n > 2000);
	assert_git_agrees(b);
}

static void git_ignores_the_same_directories(void **state)
{
	static const char *const parents[] = { "", "Work/", ".Work/cur/", "new/", "a.lock/" };
	struct box *b = *state;
	size_t i, j;

	for (i = 0; i < COUNT(parents); i++)
		for (j = 0; j < COUNT(names); j++) {
			/* The one is the repository's; the other, as a directory, is mail, but a fault to git fsck. */
			if ((i == 0 && !strcmp(names[j], ".git")) || !strcmp(names[j], ".gitattributes"))
				continue;
			box_file(b, "%s%s/notes", parents[i], names[j]);
			box_file(b, "%s%s/cur/1:2,S", parents[i], names[j]);
			box_file(b, "%s%s/.gitmaildir", parents[i], names[j]);
		}
	assert_git_agrees(b);
}

static void git_ignores_the_same_random_names(void **state)
{
	static const char *const parents[] = { "", "cur/", "Work/new/", "Work/", "tmp/" };
	struct box *b = *state;
	uint32_t seed = 20050423;
	size_t i, j;

	for (i = 0; i < 4000; i++) {
		char name[128] = "";

		for (j = 0; j <= i % 5; j++) {
			seed = seed * 1664525 + 1013904223;
			strcat(name, pieces[(seed >> 16) % COUNT(pieces)]);
		}
		seed = seed * 1664525 + 1013904223;
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		box_file(b, "%s%s", parents[(seed >> 16) % COUNT(parents)], name);
	}
	assert_true(b->n > 2000);
	assert_git_agrees(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_found_in_every_kind_of_folder),
		cmocka_unit_test(a_message_may_be_called_like_a_lock_or_a_cache),
		cmocka_unit_test(a_folder_may_be_called_like_a_lock_or_a_temporary_file),
		cmocka_unit_test(every_other_file_has_its_class),
		cmocka_unit_test(a_file_tells_the_directory_it_is_in),
		cmocka_unit_test(caches_and_locks_are_ignored),
		cmocka_unit_test(a_scan_does_not_go_where_no_folders_are),
		cmocka_unit_test(unsafe_paths_are_named_with_the_reason),
		cmocka_unit_test(a_folder_is_shown_as_people_know_it),
		cmocka_unit_test_setup_teardown(git_ignores_the_same_files, box_make, box_remove),
		cmocka_unit_test_setup_teardown(git_ignores_the_same_directories, box_make, box_remove),
		cmocka_unit_test_setup_teardown(git_ignores_the_same_random_names, box_make, box_remove),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
