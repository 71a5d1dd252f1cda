/*
 * clean.c -- the clean filter: dovecot-uidlist and dovecot-keywords as record would record them, so that git status, add and diff by hand see the same.
 *
 * git calls "git-maildir clean <path>" at the top of the work tree, with the file on standard input, and takes what comes out. What cannot be understood goes through as it is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/keywords.h"
#include "../core/uidlist.h"
#include "../disk/number.h"
#include "../disk/scan.h"
#include "../repo/objects.h"
#include "../repo/tree.h"
#include "exit.h"
#include "member.h"
#include "verbs.h"

/* The content that HEAD has at a path: empty if there is none. */
static int recorded(struct member *m, const char *path, struct bytes *out, struct err *err)
{
	git_tree *tree = NULL;
	git_tree_entry *entry = NULL;
	struct oid head, id;
	git_oid gid;
	int ret = repo_head(&m->repo, &head, err);

	if (ret || (ret = tree_of(&m->repo, &head, &id, err)) < 0)
		return ret == ERR_NOTFOUND ? 0 : ret;
	memcpy(gid.id, id.h, OID_RAW);
	if (git_tree_lookup(&tree, m->repo.git, &gid) == 0 && git_tree_entry_bypath(&entry, tree, path) == 0) {
		memcpy(id.h, git_tree_entry_id(entry)->id, OID_RAW);
		ret = objects_read(&m->repo, &id, OBJECTS_BLOB, out, err);
	}
	git_tree_entry_free(entry);
	git_tree_free(tree);
	return ret;
}

/* The list of the folder for the messages that are in it now. */
static int clean_list(struct member *m, const char *folder, const struct bytes *live, struct bytes *out, struct err *err)
{
	static const struct bytes none;
	struct number in = { .folder = folder, .before = &none };
	struct scan scan = { 0 };
	size_t cap = 0;
	int ret = scan_folder(&scan, folder, &m->disk, err);

	for (unsigned sub = NAME_NEW; sub <= NAME_CUR && !ret && scan.nfolders; sub++)
		for (size_t i = 0; i < scan.folders[0].sub[sub].n; i++) {
			const char *name = scan.folders[0].sub[sub].v[i].name;

			MEM_GROW(in.v, in.n, cap);
			in.v[in.n++] = (struct number_message){ name, (uint8_t)strcspn(name, ":"), (uint8_t)sub, false };
		}
	if (!ret && !number_normal(&in, live, out))
		ret = ERR_NOTFOUND;
	free(in.v);
	scan_release(&scan);
	return ret;
}

static int clean_map(struct member *m, const char *path, const struct bytes *live, struct bytes *out, struct err *err)
{
	struct keywords canon = { .trouble = 0 }, disk = { .trouble = 0 };
	struct bytes before = { 0 };
	int ret = recorded(m, path, &before, err);

	if (!ret) {
		keywords_parse(&canon, before.buf ? before.buf : "", before.len);
		keywords_parse(&disk, live->buf ? live->buf : "", live->len);
		for (int i = 0; i < KEYWORDS_MOST; i++)
			if (disk.name[i])
				keywords_add(&canon, disk.name[i], i);
		keywords_format(&canon, out);
	}
	keywords_release(&canon);
	keywords_release(&disk);
	bytes_release(&before);
	return ret;
}

static void read_all(struct bytes *out)
{
	size_t n;

	do {
		n = fread(bytes_reserve(out, 65536), 1, 65536, stdin);
		out->len += n;
	} while (n);
}

int clean_main(int argc, char **argv)
{
	struct bytes live = { 0 }, text = { 0 }, *say = &live;
	struct arena a = { 0 };
	struct member m;
	struct path p;
	struct err err;
	int ret = ERR_NOTFOUND;

	if (argc != 2)
		return exit_usage("git maildir clean <path>", 0);
	read_all(&live);
	path_parse(&p, argv[1], strlen(argv[1]));
	if ((p.class == PATH_UIDLIST || p.class == PATH_KEYWORDS) && member_open_any(&m, &err) == 0) {
		ret = p.class == PATH_KEYWORDS ? clean_map(&m, argv[1], &live, &text, &err)
					       : clean_list(&m, arena_strn(&a, argv[1], p.folderlen), &live, &text, &err);
		member_close(&m);
	}
	if (!ret)
		say = &text;
	if (fwrite(say->buf ? say->buf : "", 1, say->len, stdout) != say->len || fflush(stdout) != 0)
		ret = EXIT_FAILED;
	else
		ret = EXIT_DONE;
	bytes_release(&live);
	bytes_release(&text);
	arena_release(&a);
	return ret;
}
