/*
 * status.c -- peers, and what is not recorded, on one screen.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../repo/history.h"
#include "../repo/peer.h"
#include "exit.h"
#include "held.h"
#include "record.h"
#include "verbs.h"

/* How a peer stands to this member. */
struct standing {
	size_t ahead, behind;
	bool has_base, compared;
	struct oid base;
	int64_t base_time;
};

static int compare_peer(struct member *m, const struct oid *head, const struct peer *p, struct standing *s, struct err *err)
{
	struct oids others = { 0 }, bases = { 0 };
	int ret;

	memset(s, 0, sizeof(*s));
	if (!p->known || !objects_has(&m->repo, &p->head))
		return 0;
	if ((ret = history_ahead_behind(&m->repo, head, &p->head, &s->ahead, &s->behind, err)) < 0)
		return ret;
	s->compared = true;
	oids_add(&others, &p->head);
	ret = history_bases(&m->repo, head, &others, &bases, err);
	/* Of several bases the oldest is what must be kept. */
	for (size_t i = 0; i < bases.n && !ret; i++) {
		struct history_commit c = { 0 };

		if ((ret = history_read(&m->repo, &bases.v[i], &c, err)) < 0)
			break;
		if (!s->has_base || c.committer_time < s->base_time) {
			s->has_base = true;
			s->base = bases.v[i];
			s->base_time = c.committer_time;
		}
		history_commit_release(&c);
	}
	oids_release(&others);
	oids_release(&bases);
	return ret;
}

/* "3 min ago" and the like; out has room for 40 bytes. */
static const char *ago(char *out, time_t now, int64_t then)
{
	int64_t s = now - then;

	if (!then)
		snprintf(out, 40, "never");
	else if (s < 0)
		snprintf(out, 40, "in the future");
	else if (s < 60)
		snprintf(out, 40, "%" PRId64 " s ago", s);
	else if (s < 3600)
		snprintf(out, 40, "%" PRId64 " min ago", s / 60);
	else if (s < 86400)
		snprintf(out, 40, "%" PRId64 " h ago", s / 3600);
	else
		snprintf(out, 40, "%" PRId64 " days ago", s / 86400);
	return out;
}

static void json_string(const char *s, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			/* Names are bytes, JSON is text: each byte stands for itself as in Latin-1. */
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_member(const char *key, const char *value)
{
	printf("\"%s\": ", key);
	if (value)
		json_string(value, strlen(value));
	else
		fputs("null", stdout);
}

/* What this peer holds back of history; NULL if that is not known. */
static const struct cut_peer *held_by(const struct cut *cut, const char *peer)
{
	for (size_t i = 0; i < cut->npeers; i++)
		if (strcmp(cut->peers[i].name, peer) == 0)
			return &cut->peers[i];
	return NULL;
}

static void print_json(const struct member *m, const struct record_result *rec, const struct peers *peers, const struct standing *st,
		       const struct cut *cut)
{
	char hex[OID_HEX + 1], name[256];

	printf("{");
	json_member("name", m->repo.name);
	printf(", ");
	json_member("maildir", m->disk.path);
	printf(", ");
	json_member("repository", m->repo.gitdir);
	printf(", ");
	json_member("head", rec->head_known ? oid_hex(&rec->head, hex) : NULL);
	printf(", \"messages\": %zu, \"changed\": %s, \"summary\": ", rec->messages, rec->changed ? "true" : "false");
	json_string(rec->summary.buf ? rec->summary.buf : "", rec->summary.len);
	printf(", \"held_deletions\": %zu, \"unsettled\": %zu, \"lost_directories\": [", rec->held, rec->compare.nwaiting);
	for (size_t i = 0; i < rec->compare.nlost; i++) {
		const struct compare_lost *l = &rec->compare.lost[i];

		printf("%s{", i ? ", " : "");
		json_member("folder", path_show(name, sizeof(name), l->folder));
		printf(", \"directory\": \"%s\", \"messages\": %zu}", l->sub == NAME_CUR ? "cur" : "new", l->messages);
	}
	printf("], \"left_alone\": [");
	for (size_t i = 0; i < rec->compare.scan.nodds; i++) {
		printf("%s{", i ? ", " : "");
		json_member("path", rec->compare.scan.odds[i].path);
		printf(", ");
		json_member("why", rec->compare.scan.odds[i].why);
		printf("}");
	}
	printf("], \"peers\": [");
	for (size_t i = 0; i < peers->n; i++) {
		const struct peer *p = &peers->v[i];
		const struct cut_peer *h;

		printf("%s{", i ? ", " : "");
		json_member("name", p->name);
		printf(", ");
		json_member("url", p->url);
		printf(", ");
		json_member("head", p->known ? oid_hex(&p->head, hex) : NULL);
		if (st[i].compared)
			printf(", \"ahead\": %zu, \"behind\": %zu", st[i].ahead, st[i].behind);
		else
			printf(", \"ahead\": null, \"behind\": null");
		printf(", \"last_contact\": %" PRId64 ", ", p->contact);
		json_member("base", st[i].has_base ? oid_hex(&st[i].base, hex) : NULL);
		h = held_by(cut, p->name);
		printf(", \"holds_commits\": %zu, \"holds_bytes\": %" PRId64 ", ", h ? h->holds : 0, h && h->holds ? held_bytes(m, p->name) : 0);
		json_member("trouble", p->trouble);
		printf(", \"trouble_since\": %" PRId64 "}", p->since);
	}
	printf("]}\n");
}

static void print_text(const struct member *m, const struct record_result *rec, const struct peers *peers, const struct standing *st,
		       const struct cut *cut)
{
	bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	const char *bold = colour ? "\033[1m" : "", *red = colour ? "\033[31m" : "", *green = colour ? "\033[32m" : "",
		   *yellow = colour ? "\033[33m" : "", *plain = colour ? "\033[0m" : "";
	char hex[OID_HEX + 1], t1[40], t2[40];
	struct bytes held = { 0 };

	printf("%s%s%s  %s  %zu message%s, at %.10s\n", bold, m->repo.name, plain, m->disk.path, rec->messages, rec->messages == 1 ? "" : "s",
	       rec->head_known ? oid_hex(&rec->head, hex) : "nothing recorded");
	if (rec->changed) {
		printf("%snot recorded:%s %.*s", yellow, plain, (int)rec->summary.len, rec->summary.buf);
		if (rec->summary.buf[rec->summary.len - 1] != '\n')
			putchar('\n');
	} else {
		printf("everything is recorded\n");
	}
	for (size_t i = 0; i < rec->compare.scan.nodds && i < 5; i++)
		printf("left alone: '%s' %s\n", rec->compare.scan.odds[i].path, rec->compare.scan.odds[i].why);
	if (rec->compare.scan.nodds > 5)
		printf("left alone: %zu more; 'git maildir verify' lists them\n", rec->compare.scan.nodds - 5);
	if (!peers->n)
		printf("no peers: see 'git maildir peer add'\n");
	for (size_t i = 0; i < peers->n; i++) {
		const struct peer *p = &peers->v[i];
		const struct cut_peer *h;

		printf("%s%s%s  ", bold, p->name, plain);
		if (!st[i].compared)
			printf("%snever seen%s", yellow, plain);
		else if (!st[i].ahead && !st[i].behind)
			printf("%sthe same%s", green, plain);
		else
			printf("%s%zu ahead, %zu behind%s", yellow, st[i].ahead, st[i].behind, plain);
		printf(", last contact %s", ago(t1, m->now, p->contact));
		if (st[i].has_base)
			printf(", base %.10s of %s", oid_hex(&st[i].base, hex), ago(t2, m->now, st[i].base_time));
		printf("  (%s)\n", p->url);
		if ((h = held_by(cut, p->name)) && (held_line(&held, h, held_bytes(m, p->name)), held.len))
			printf("    %s%s%s\n", yellow, held.buf, plain);
		if (p->trouble)
			printf("    %s%s%s%s%s\n", red, p->trouble, p->since ? "; first " : "", p->since ? ago(t1, m->now, p->since) : "", plain);
	}
	bytes_release(&held);
}

static const char usage[] = "git maildir status [--json]";

int status_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "json", no_argument, NULL, 'j' },
						  { "help", no_argument, NULL, 'h' },
						  { NULL, 0, NULL, 0 } };
	struct record_opts opts = { .dry_run = true };
	struct record_result rec = { 0 };
	struct peers peers = { 0 };
	struct standing *st = NULL;
	struct cut cut = { 0 };
	struct member m;
	struct err err;
	bool json = false;
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'j': json = true; break;
		default: return exit_usage(usage, c == 'h');
		}
	if (optind != argc)
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	/* A look does not wait for a long sync; what it sees may be in the middle of one, and nothing is decided on it. */
	if ((ret = record_disk(&m, &opts, &rec, &err)) == 0)
		ret = peer_list(&peers, &m.repo, &err);
	if (!ret) {
		st = mem_zalloc((peers.n + 1) * sizeof(*st));
		for (size_t i = 0; i < peers.n && rec.head_known && !ret; i++)
			ret = compare_peer(&m, &rec.head, &peers.v[i], &st[i], &err);
	}
	if (!ret && rec.head_known && peers.n)
		ret = cut_plan(&cut, &m.repo, m.repo.keep_history, m.now, &err);
	if (!ret) {
		if (json)
			print_json(&m, &rec, &peers, st, &cut);
		else
			print_text(&m, &rec, &peers, st, &cut);
		fflush(stdout);
		record_warn(&m, &rec);
	}
	free(st);
	cut_release(&cut);
	peers_release(&peers);
	record_release(&rec);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : EXIT_DONE;
}
