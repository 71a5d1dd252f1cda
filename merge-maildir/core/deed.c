/*
 * deed.c -- one change in words.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "deed.h"

#include <string.h>

#include "path.h"
#include "tally.h"

#define NAME_SHOWN 400

/* Of one message, where the diary of a folder is short. */
static const char *word(unsigned w)
{
	return w == TALLY_RENAMED ? "file renamed" : w == TALLY_CHANGED ? "content changed" : tally_words[w];
}

/* A file that is no message, and no marker: markers are spoken of as folders. */
static void show_file(const struct change *c, struct bytes *out)
{
	const struct file *f = c->fto ? c->fto : c->ffrom;
	char name[NAME_SHOWN];
	struct bytes path = { 0 };

	if (f->class == PATH_SUBSCRIPTIONS) {
		bytes_addstr(out, "subscriptions changed");
		return;
	}
	/* The words before the name keep path_show() from taking a dot in front for that of a folder. */
	bytes_addf(&path, "file %s", f->path);
	bytes_addf(out, "%s %s", path_show(name, sizeof(name), path.buf),
		   c->kind == CHANGE_FILE_GONE ? "deleted" : c->ffrom ? "changed" : "added");
	bytes_release(&path);
}

void deed_show(const struct change *c, struct bytes *out)
{
	struct change one = *c;
	struct changes list = { .v = &one, .n = 1 };
	struct tallies t = { 0 };
	char name[NAME_SHOWN];
	const char *comma = "";

	if (c->kind == CHANGE_FILE_PUT || c->kind == CHANGE_FILE_GONE) {
		show_file(c, out);
		return;
	}
	bytes_addf(out, "%s: ", path_show(name, sizeof(name), c->folder));
	if (c->kind == CHANGE_FOLDER_ADD || c->kind == CHANGE_FOLDER_GONE) {
		bytes_addstr(out, c->kind == CHANGE_FOLDER_ADD ? "folder created" : "folder deleted");
		return;
	}
	if (c->kind == CHANGE_MOVE) {
		bytes_addf(out, "moved to %s", path_show(name, sizeof(name), c->to_folder));
		comma = ", ";
	}
	tally_changes(&t, &list);
	for (size_t i = 0; i < t.n; i++)
		for (int w = 0; w < TALLY_WORDS; w++)
			if (t.v[i].count[w] && w != TALLY_MOVED) {
				bytes_addf(out, "%s%s", comma, word(w));
				comma = ", ";
			}
	tally_release(&t);
}
