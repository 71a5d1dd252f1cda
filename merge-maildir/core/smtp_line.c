/*
 * smtp_line.c -- a command of SMTP, taken apart.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "smtp_line.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *word;
	enum smtp_verb verb;
	bool alone; /* it takes no argument */
} verbs[] = {
	{ "EHLO", SMTP_EHLO, false }, { "HELO", SMTP_HELO, false }, { "MAIL", SMTP_MAIL, false }, { "RCPT", SMTP_RCPT, false }, { "DATA", SMTP_DATA, true },
	{ "RSET", SMTP_RSET, true },  { "NOOP", SMTP_NOOP, false }, { "VRFY", SMTP_VRFY, false }, { "QUIT", SMTP_QUIT, true },
};

/* What others than we promise to do for these is not our concern, but a mail server passes them on; "=" stands for a value. */
static const char *const mail_words[] = { "SIZE=", "BODY=", "SMTPUTF8", "RET=", "ENVID=", "AUTH=", NULL }, *const rcpt_words[] = { "NOTIFY=", "ORCPT=", NULL };

#define NO_ADDRESS "501 5.1.7 That is no address"

/* The local part: a quoted string or dots and atoms, which are not told apart further. Returns where it ends; NULL if it does not. */
static const char *take_local(struct smtp_line *cmd, const char *s, const char *stop)
{
	size_t n = 0;

	if (*s == '"') {
		for (s++; *s && *s != '"'; s++) {
			if (*s == '\\' && s[1])
				s++;
			cmd->local[n++] = *s;
		}
		if (*s++ != '"')
			return NULL;
	} else {
		for (; *s && !strchr(stop, *s) && *s != '@'; s++) {
			if (*s == '"' || *s == '<' || *s == ' ')
				return NULL;
			cmd->local[n++] = *s;
		}
	}
	cmd->local[n] = '\0';
	return n ? s : NULL;
}

/* Without the route that old mail servers put in front: "@a,@b:". */
static const char *skip_route(const char *s)
{
	if (*s != '@')
		return s;
	while (*s && *s != ':' && *s != '>' && *s != ' ')
		s++;
	return *s == ':' ? s + 1 : NULL;
}

/* "<address>", or an address without brackets as some programs have it. Returns where it ends; NULL if it is none. */
static const char *take_address(struct smtp_line *cmd, const char *s, bool may_be_empty)
{
	bool brackets = *s == '<';
	const char *stop = brackets ? ">" : " ", *begin;
	size_t n = 0;

	s += brackets;
	if (brackets && *s == '>')
		return may_be_empty ? s + 1 : NULL;
	if (!(begin = s = skip_route(s)) || !(s = take_local(cmd, s, stop)))
		return NULL;
	if (*s == '@') {
		for (s++; *s && *s != *stop; s++) {
			if (strchr("<>@\" ", *s))
				return NULL;
			cmd->domain[n++] = *s;
		}
		if (!n)
			return NULL;
	}
	cmd->domain[n] = '\0';
	memcpy(cmd->address, begin, (size_t)(s - begin));
	cmd->address[s - begin] = '\0';
	if (!brackets)
		return *s && *s != ' ' ? NULL : s;
	return *s == '>' ? s + 1 : NULL;
}

static bool is_number(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return len > 0 && len <= 20;
}

static const char *check_word(const char *word, size_t len, const char *const *allowed)
{
	for (; *allowed; allowed++) {
		size_t n = strlen(*allowed);
		bool valued = (*allowed)[n - 1] == '=';

		if (len < n || strncasecmp(word, *allowed, n) != 0 || (valued ? len == n : len != n))
			continue;
		if (!strcmp(*allowed, "SIZE=") && !is_number(word + n, len - n))
			return "501 5.5.4 That is no size";
		if (!strcmp(*allowed, "BODY=") && !(len - n == 4 && !strncasecmp(word + n, "7BIT", 4)) && !(len - n == 8 && !strncasecmp(word + n, "8BITMIME", 8)))
			return "501 5.5.4 That is no kind of body";
		return NULL;
	}
	return "555 5.5.4 There is no such parameter";
}

static const char *check_words(const char *s, const char *const *allowed)
{
	const char *why = NULL;

	if (*s && *s != ' ')
		return NO_ADDRESS;
	while (!why && *(s += strspn(s, " "))) {
		size_t len = strcspn(s, " ");

		why = check_word(s, len, allowed);
		s += len;
	}
	return why;
}

/* "FROM:<address> words", "TO:<address> words". */
static const char *parse_path(struct smtp_line *cmd, const char *s, const char *keyword, const char *const *allowed)
{
	size_t n = strlen(keyword);

	if (strncasecmp(s, keyword, n) != 0)
		return cmd->verb == SMTP_MAIL ? "501 5.5.4 It is MAIL FROM:<address>" : "501 5.5.4 It is RCPT TO:<address>";
	s += n;
	s += strspn(s, " ");
	s = take_address(cmd, s, cmd->verb == SMTP_MAIL);
	return s ? check_words(s, allowed) : NO_ADDRESS;
}

const char *smtp_line(struct smtp_line *cmd, const char *line, size_t len)
{
	size_t word;
	const char *rest;

	cmd->verb = SMTP_OTHER;
	cmd->address[0] = cmd->local[0] = cmd->domain[0] = '\0';
	if (len > SMTP_LINE_MOST)
		return "500 5.5.2 The line is too long";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			return "500 5.5.2 There are control characters in it";
	while (len && line[len - 1] == ' ')
		len--;
	word = strcspn(line, " ");
	rest = line + word;
	rest += strspn(rest, " ");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (word == strlen(verbs[i].word) && !strncasecmp(line, verbs[i].word, word)) {
			cmd->verb = verbs[i].verb;
			if (verbs[i].alone && *rest)
				return "501 5.5.4 It takes no arguments";
		}
	switch (cmd->verb) {
	case SMTP_OTHER: return "500 5.5.2 There is no such command";
	case SMTP_EHLO:
	case SMTP_HELO: return *rest ? NULL : "501 5.5.4 Who are you?";
	case SMTP_MAIL: return parse_path(cmd, rest, "FROM:", mail_words);
	case SMTP_RCPT: return parse_path(cmd, rest, "TO:", rcpt_words);
	default: return NULL;
	}
}
