/*
 * gitcmd.c -- the command that a git client asks ssh to run, taken apart without a shell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitcmd.h"

#include <stdbool.h>
#include <string.h>

static const struct {
	const char *word;
	enum gitcmd_verb verb;
} words[] = {
	{ "git-upload-pack ", GITCMD_UPLOAD_PACK },
	{ "git upload-pack ", GITCMD_UPLOAD_PACK },
	{ "git-receive-pack ", GITCMD_RECEIVE_PACK },
	{ "git receive-pack ", GITCMD_RECEIVE_PACK },
};

/* git puts the whole in single quotes, and ' and ! in it outside of them behind a backslash: 'it'\''s'. False for anything else. */
static bool unquote(struct bytes *out, const char *s)
{
	if (*s++ != '\'')
		return false;
	for (;;) {
		size_t len = strcspn(s, "'");

		bytes_add(out, s, len);
		s += len;
		if (*s++ != '\'')
			return false;
		if (!*s)
			return true;
		if (s[0] != '\\' || (s[1] != '\'' && s[1] != '!') || s[2] != '\'')
			return false;
		bytes_add(out, s + 1, 1);
		s += 3;
	}
}

static bool has_control(const struct bytes *b)
{
	for (size_t i = 0; i < b->len; i++)
		if ((unsigned char)b->buf[i] < 0x20 || b->buf[i] == 0x7f)
			return true;
	return false;
}

const char *gitcmd_parse(struct gitcmd *cmd, const char *line)
{
	memset(cmd, 0, sizeof(*cmd));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t len = strlen(words[i].word);

		if (strncmp(line, words[i].word, len) != 0)
			continue;
		cmd->verb = words[i].verb;
		if (!unquote(&cmd->path, line + len))
			return "not quoted as git does it";
		if (!cmd->path.len)
			return "it names no repository";
		if (*cmd->path.buf == '-')
			return "options are not allowed";
		if (has_control(&cmd->path))
			return "a path with control characters";
		return NULL;
	}
	return "only git's fetch and push are allowed";
}

void gitcmd_release(struct gitcmd *cmd)
{
	bytes_release(&cmd->path);
}

void gitcmd_show(struct bytes *out, const char *line, size_t max)
{
	size_t n = 0;

	for (; n < max && line[n]; n++) {
		unsigned char c = (unsigned char)line[n];

		if (c < 0x20 || c > 0x7e)
			bytes_addf(out, "\\x%02x", c);
		else if (c == '\\')
			bytes_addstr(out, "\\\\");
		else
			bytes_add(out, line + n, 1);
	}
	if (line[n])
		bytes_addstr(out, "...");
	bytes_add(out, "", 0);
}
