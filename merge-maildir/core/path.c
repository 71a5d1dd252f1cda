/*
 * path.c -- what a path in a store is.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "path.h"

#include <string.h>

#define PATH_LONGEST 3500

/*
 * The rules, once for path_parse() and once for gitignore(5): E is a whole name, P how one begins, S how one ends.
 *
 * IGNORE_ANY holds for directories, and what is in them, as well as for files. Dovecot: tmp/, indexes (the
 * full-text ones are directories), a folder on its way out (Maildir++, fs), the state of its LDA (a file and a
 * directory of locks).
 */
#define IGNORE_ANY(E, P)                                                      \
	E("tmp")                                                              \
	P("dovecot.index") P("dovecot.list.index") P("dovecot.map.index")     \
	E("..DOVECOT-TRASHED") E("..DOVECOT-TrasH")                           \
	E("lucene-indexes") E("fts-flatcurve") E("xapian-indexes")            \
	P(".dovecot.lda-dupes")

/*
 * IGNORE_FILE holds for files only. The markers of dovecot-uidvalidity repeat what is in it, under a name that
 * changes each time. cur and new as files would be in the way of the folder on every other member.
 */
#define IGNORE_FILE(E, P, S)                                                  \
	E("cur") E("new")                                                     \
	S(".lock") P("mailboxes.lock") P(".temp.") P("temp.") P(".nfs")       \
	P("dovecot.mailbox.log") E("dovecot-uidlist.tmp") E("dovecot-acl-list") \
	P("dovecot-uidvalidity.")                                             \
	E("maildirsize") E("dovecot-expunges.log")                            \
	S(".svbin") P(".dovecot.sieve.log")                                   \
	E("courierimapuiddb") E("courierimaphieracl") E("courierpop3dsizelist")

#define GLOB_E(s) s "\n"
#define GLOB_P(s) s "*\n"
#define GLOB_S(s) "*" s "\n"
#define GLOB_KEY(dir, s) "**/" dir "/" s "\n**/" dir "/" s ":*\n"

/* What name_is_message() leaves alone in cur/ or new/, but for the names that are refused everywhere. */
#define GLOB_NO_MESSAGE(dir)                                                  \
	"**/" dir "/*/\n"                                                     \
	"**/" dir "/.*\n"                                                     \
	"**/" dir "/:*\n"                                                     \
	"**/" dir "/dovecot.index*\n"                                         \
	GLOB_KEY(dir, "dovecot-uidlist") GLOB_KEY(dir, "dovecot-keywords")    \
	GLOB_KEY(dir, "courierimapkeywords") GLOB_KEY(dir, "courierimapuiddb")

/* The last line that matches decides, hence the order. */
const char path_exclude[] =
	"# Written by git-maildir: what it does not replicate. Do not edit.\n"
	"!*\n"
	IGNORE_FILE(GLOB_E, GLOB_P, GLOB_S)
	"# Folders may be called like that all the same.\n"
	"!*/\n"
	IGNORE_ANY(GLOB_E, GLOB_P)
	"# In cur/ and new/ only the rules for messages hold.\n"
	"!**/cur/*\n"
	"!**/new/*\n"
	GLOB_NO_MESSAGE("cur")
	GLOB_NO_MESSAGE("new")
	"# Nowhere.\n"
	"*[[:cntrl:]]*\n"
	".[gG][iI][tT]\n"
	".[gG][iI][tT][:\\\\]*\n"
	".[gG][iI][tT][. ]\n"
	".[gG][iI][tT][. ][. :\\\\]*\n"
	"[gG][iI][tT]~1*\n"
	"*\\\\.[gG][iI][tT]*\n"
	"*\\\\[gG][iI][tT]~1*\n";

static bool is_name(const char *s, size_t len, const char *what, size_t n)
{
	return len == n && memcmp(s, what, n) == 0;
}

static bool starts(const char *s, size_t len, const char *what, size_t n)
{
	return len >= n && memcmp(s, what, n) == 0;
}

static bool ends(const char *s, size_t len, const char *what, size_t n)
{
	return len >= n && memcmp(s + len - n, what, n) == 0;
}

#define IS(w) is_name(s, len, w, sizeof(w) - 1)
#define TEST_E(w) || is_name(s, len, w, sizeof(w) - 1)
#define TEST_P(w) || starts(s, len, w, sizeof(w) - 1)
#define TEST_S(w) || ends(s, len, w, sizeof(w) - 1)

static bool ignored_anywhere(const char *s, size_t len)
{
	return false IGNORE_ANY(TEST_E, TEST_P);
}

static bool ignored_file(const char *s, size_t len)
{
	return false IGNORE_FILE(TEST_E, TEST_P, TEST_S);
}

static enum path_class class_of_file(const char *s, size_t len)
{
	if (IS(PATH_MARKER_NAME))
		return PATH_MARKER;
	if (IS("subscriptions") || IS("courierimapsubscribed"))
		return PATH_SUBSCRIPTIONS;
	if (IS("dovecot-uidlist"))
		return PATH_UIDLIST;
	if (IS("dovecot-keywords"))
		return PATH_KEYWORDS;
	if (IS("dovecot-uidvalidity"))
		return PATH_UIDVALIDITY;
	return ignored_file(s, len) || ignored_anywhere(s, len) ? PATH_IGNORED : PATH_FILE;
}

/* Whether a directory of this name holds messages, and then which. */
static bool sub_of(const char *s, size_t len, enum name_sub *sub)
{
	if (IS("cur"))
		*sub = NAME_CUR;
	else if (IS("new"))
		*sub = NAME_NEW;
	else
		return false;
	return true;
}

void path_parse(struct path *p, const char *path, size_t len)
{
	const char *end = path + len, *slash, *s;
	enum name_sub sub;

	p->class = PATH_IGNORED;
	p->sub = NAME_NEW;
	slash = len ? memrchr(path, '/', len) : NULL;
	p->folderlen = slash ? (size_t)(slash - path) : 0;
	p->name = slash ? slash + 1 : path;
	p->namelen = (size_t)(end - p->name);
	if (path_unsafe(path, len))
		return;
	for (s = path; s < p->name; s = slash + 1) {
		slash = memchr(s, '/', (size_t)(end - s));
		if (sub_of(s, (size_t)(slash - s), &sub)) {
			if (slash + 1 != p->name || !name_is_message(p->name, p->namelen))
				return;
			p->class = PATH_MESSAGE;
			p->sub = sub;
			p->folderlen = s == path ? 0 : (size_t)(s - path) - 1;
			return;
		}
		if (ignored_anywhere(s, (size_t)(slash - s)))
			return;
	}
	p->class = class_of_file(p->name, p->namelen);
}

bool path_is_quiet(enum path_class class)
{
	return class == PATH_MARKER || class == PATH_UIDLIST || class == PATH_KEYWORDS || class == PATH_UIDVALIDITY;
}

bool path_skip_dir(const char *name, size_t len)
{
	enum name_sub sub;

	return sub_of(name, len, &sub) || ignored_anywhere(name, len) || path_unsafe(name, len);
}

static const char *component_unsafe(const char *s, size_t len)
{
	size_t i;

	if (!len)
		return "contains an empty component";
	if (IS("."))
		return "contains '.'";
	if (IS(".."))
		return "contains '..'";
	if (len > NAME_LONGEST)
		return "has a component of more than 255 bytes";
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c == 0x7f)
			return "contains control bytes";
	}
	if (name_is_dotgit(s, len))
		return "contains '.git' or what some system takes for it";
	return NULL;
}

const char *path_unsafe(const char *path, size_t len)
{
	const char *s = path, *end = path + len, *slash, *why;

	if (!len)
		return "is empty";
	if (path[0] == '/')
		return "is absolute";
	if (len > PATH_LONGEST)
		return "has more than 3,500 bytes";
	for (;;) {
		slash = memchr(s, '/', (size_t)(end - s));
		why = component_unsafe(s, (size_t)((slash ? slash : end) - s));
		if (why || !slash)
			return why;
		s = slash + 1;
	}
}

/*
 * The length of the UTF-8 sequence at s, or 0 if it is none, or for C1 controls: some terminals obey them. No
 * NUL is passed over, because it is no continuation byte.
 */
static size_t utf8_len(const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	bool control = (n == 1 && (s[0] < 0x20 || s[0] == 0x7f)) || (s[0] == 0xc2 && s[1] < 0xa0);
	size_t i;

	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, and what is beyond Unicode. */
	if (control || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

char *path_show(char *out, size_t size, const char *folder)
{
	const char *s = *folder ? folder : "INBOX";
	bool first = true, dotted = false; /* at the first byte of a component; it began with a dot: Maildir++ */
	size_t n = 0, len;

	if (!size)
		return out;
	for (; *s; s += len ? len : 1) {
		len = utf8_len(s);
		if (first) {
			dotted = *s == '.';
			first = false;
			if (dotted)
				continue;
		}
		if (n + (len ? len : 1) >= size)
			break;
		if (!len) {
			out[n++] = '?';
			continue;
		}
		memcpy(out + n, s, len);
		first = *s == '/';
		if (dotted && *s == '.')
			out[n] = '/';
		n += len;
	}
	out[n] = '\0';
	return out;
}
