/*
 * when.c -- points in time, as people write and read them.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "when.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t seconds;
} units[] = {
	{ "s", 1 },	  { "second", 1 },     { "seconds", 1 },     { "min", 60 },	{ "m", 60 },
	{ "minute", 60 }, { "minutes", 60 },   { "h", 3600 },	     { "hour", 3600 },	{ "hours", 3600 },
	{ "d", 86400 },	  { "day", 86400 },    { "days", 86400 },    { "w", 604800 },	{ "week", 604800 },
	{ "weeks", 604800 },
};

static bool number(const char *s, const char **end, int64_t *out)
{
	char *e;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*out = strtoll(s, &e, 10);
	*end = e;
	return !errno;
}

/* "2 hours ago" or "90m". */
static bool parse_ago(const char *s, time_t now, int64_t *out)
{
	size_t len;
	int64_t n;

	if (!number(s, &s, &n))
		return false;
	while (*s == ' ')
		s++;
	len = strcspn(s, " ");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (strlen(units[i].name) != len || memcmp(units[i].name, s, len) != 0)
			continue;
		if ((s[len] && strcmp(s + len, " ago") != 0) || n > now / units[i].seconds)
			return false;
		*out = now - n * units[i].seconds;
		return true;
	}
	return false;
}

/* "Z", "+0100", "+01:00" or nothing. */
static bool parse_zone(const char *s, bool *local, int64_t *east)
{
	unsigned h, m;
	int used = 0;

	while (*s == ' ')
		s++;
	*local = !*s;
	*east = 0;
	if (!*s || !strcmp(s, "Z"))
		return true;
	if (*s != '+' && *s != '-')
		return false;
	if ((sscanf(s + 1, "%2u:%2u%n", &h, &m, &used) < 2 && sscanf(s + 1, "%2u%2u%n", &h, &m, &used) < 2) || s[1 + used] || h > 14 || m > 59)
		return false;
	*east = ((int64_t)h * 3600 + m * 60) * (*s == '-' ? -1 : 1);
	return true;
}

static bool parse_date(const char *s, time_t now, int64_t *out)
{
	static const char *const forms[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
					     "%Y-%m-%d",	  "%H:%M:%S",	      "%H:%M" };
	const char *end = NULL;
	struct tm tm = { 0 };
	int64_t east;
	bool local;

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		memset(&tm, 0, sizeof(tm));
		if (forms[i][1] == 'H') {
			localtime_r(&now, &tm);
			tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
		}
		end = strptime(s, forms[i], &tm);
		if (end && parse_zone(end, &local, &east))
			break;
		end = NULL;
	}
	if (!end)
		return false;
	/* Whether it was summer then is for mktime() to find out. */
	tm.tm_isdst = -1;
	*out = local ? mktime(&tm) : timegm(&tm) - east;
	return true;
}

bool when_parse(const char *s, time_t now, int64_t *out)
{
	const char *end;

	if (*s == '@')
		return number(s + 1, &end, out) && !*end;
	return parse_ago(s, now, out) || parse_date(s, now, out);
}

const char *when_show(char out[WHEN_SHOWN], int64_t when)
{
	time_t t = when;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, WHEN_SHOWN, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, WHEN_SHOWN, "@%lld", (long long)when);
	return out;
}
