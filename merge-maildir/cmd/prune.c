/*
 * prune.c -- history is trimmed to what is still needed, and what is behind it is dropped.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../repo/applying.h"
#include "../repo/cut.h"
#include "../repo/sweep.h"
#include "exit.h"
#include "held.h"
#include "verbs.h"

/* How often the plan is made again when references move meanwhile. */
#define ROUNDS 20

struct options {
	bool dry_run, verbose, now;
	int64_t keep;
};

/* Who is let go, who soon will be, and who makes it impossible. True when something is not as it should be. */
static bool warn_peers(const struct member *m, const struct cut *c, const struct options *o)
{
	char span[32], left[32];
	bool bad = false;

	for (size_t i = 0; i < c->npeers; i++) {
		const struct cut_peer *p = &c->peers[i];
		int64_t silent = m->now - p->contact;

		if (p->missing) {
			exit_warn("nothing is pruned: the commit that peer '%s' was last at is missing here, so what it needs is not known; "
				  "'git maildir sync %s' gets it", p->name, p->name);
			bad = true;
		} else if (p->let_go) {
			exit_warn("peer '%s' is let go: it was last heard of %s ago, and maildir.peerMaxAge is %s; when it returns it is merged without a "
				  "common base: nothing is lost, and mail that was deleted meanwhile comes back", p->name,
				  held_span(span, silent), held_span(left, m->repo.peer_max_age));
		} else if (p->holds && m->repo.peer_max_age && silent > m->repo.peer_max_age / 4 * 3) {
			exit_warn("peer '%s' was last heard of %s ago: it will be let go in %s (maildir.peerMaxAge)", p->name, held_span(span, silent),
				  held_span(left, m->repo.peer_max_age - silent));
		}
		/* Who wants mail erased has to know that it is not. */
		if (o->now && p->holds && !p->let_go)
			bad = true;
	}
	return bad;
}

/* References of the user's that keep more than the cut leaves. */
static bool warn_users(const struct cut *c, const struct options *o)
{
	for (size_t i = 0; i < c->nblockers; i++)
		exit_warn("nothing is pruned: '%s' is of yours and reaches the history that would go; remove it if it is not needed", c->blockers[i]);
	if (o->now && c->own.n)
		exit_warn("%zu branches or tags of yours have history of their own: mail in it is not erased", c->own.n);
	return c->nblockers || (o->now && c->own.n);
}

static void report(const struct member *m, const struct cut *c, const struct options *o, bool cuts)
{
	struct bytes line = { 0 };
	char hex[OID_HEX + 1], date[32];

	for (size_t i = 0; i < c->npeers; i++) {
		if (c->peers[i].let_go)
			continue;
		held_line(&line, &c->peers[i], held_bytes(m, c->peers[i].name));
		if (line.len)
			printf("peer '%s' %s\n", c->peers[i].name, line.buf);
		else if (o->verbose && !c->peers[i].missing)
			printf("peer '%s' holds nothing back%s\n", c->peers[i].name, c->peers[i].known ? "" : ": it was never seen, and has no history in common");
	}
	printf("%s %zu commit%s, %s %zu", o->dry_run ? "would keep" : "kept", c->cut.kept + (cuts ? 0 : c->cut.dropped),
	       c->cut.kept + (cuts ? 0 : c->cut.dropped) == 1 ? "" : "s", o->dry_run ? "drop" : "dropped", cuts ? c->cut.dropped : 0);
	if (cuts && o->verbose) {
		const struct prune_node *n = &c->graph.v[c->cut.at];

		printf("; the oldest is %.10s of %s", oid_hex(&n->oid, hex), held_date(date, n->time));
	}
	putchar('\n');
	bytes_release(&line);
}

/* Plans, and writes the cut unless it is a dry run. */
static int cut(struct member *m, struct cut *c, const struct options *o, bool *cuts, bool *bad, struct err *err)
{
	int ret = 0;

	for (int i = 0; i < ROUNDS; i++) {
		memset(c, 0, sizeof(*c));
		if ((ret = cut_plan(c, &m->repo, o->keep, m->now, err)) < 0)
			break;
		*cuts = c->cut.at != PRUNE_NONE && !c->nblockers && !cut_missing(c);
		if (!*cuts && c->cut.at != PRUNE_NONE) {
			c->cut.at = PRUNE_NONE;
			for (size_t k = 0; k < c->npeers; k++)
				c->peers[k].let_go = false;
		}
		if (o->dry_run || (ret = cut_write(c, &m->repo, o->now, err)) != ERR_AGAIN)
			break;
		if (i + 1 < ROUNDS)
			cut_release(c);
	}
	if (ret == ERR_AGAIN)
		ret = err_set(err, ERR_BUSY, "references move all the time: nothing was pruned, try again");
	if (!ret) {
		*bad |= warn_peers(m, c, o);
		*bad |= warn_users(c, o);
	}
	return ret;
}

static int sweep(struct member *m, const struct options *o, struct err *err)
{
	struct sweep_result res;
	char before[32], after[32];
	int ret = sweep_objects(&m->repo, o->now, &res, err);

	if (ret < 0 || (ret = cut_tidy(&m->repo, err)) < 0)
		return ret;
	printf("objects: %s before, %s after\n", held_size(before, (int64_t)res.before), held_size(after, (int64_t)res.after));
	if (o->verbose) {
		printf("the member's lock was held for at most %" PRId64 ".%03d ms\n", res.held_us / 1000, (int)(res.held_us % 1000));
		if (res.spared)
			printf("%zu unreachable objects are younger than ten minutes, and were left\n", res.spared);
	}
	return 0;
}

/* Whether the next record still has to finish an apply: what that was on its way to has no reference. */
static int is_interrupted(struct member *m, struct err *err)
{
	struct oid from, to;
	int ret = member_lock(m, err);

	if (ret < 0)
		return ret;
	ret = applying_find(&m->repo, &from, &to, err);
	repo_unlock(&m->repo);
	return ret;
}

static int prune(struct member *m, const struct options *o, bool *bad, struct err *err)
{
	struct cut c;
	bool cuts = false;
	int ret = o->dry_run ? 0 : is_interrupted(m, err);

	if (ret < 0)
		return ret;
	if (ret) {
		exit_warn("a merge was interrupted here: run 'git maildir sync' first, which finishes it");
		*bad = true;
		return 0;
	}
	cut_heal(&m->repo);
	ret = cut(m, &c, o, &cuts, bad, err);
	/* Also when nothing is cut: a prune that was killed may have left what is behind an older cut. */
	if (!ret && !o->dry_run && !cut_missing(&c))
		ret = sweep(m, o, err);
	if (!ret && !cut_missing(&c))
		ret = o->dry_run ? 0 : held_measure(&c, m, err);
	if (!ret)
		report(m, &c, o, cuts);
	cut_release(&c);
	return ret;
}

/* Members that were made before there was a prune: what a pruned peer pushes is to be taken. */
static int allow_shallow(struct member *m, struct err *err)
{
	char *v = repo_config_get(&m->repo, "receive.shallowUpdate");
	int ret = v ? 0 : repo_config_set(&m->repo, "receive.shallowUpdate", "true", err);

	free(v);
	return ret;
}

static const char usage[] = "git maildir prune [--dry-run] [--verbose] [--keep=<age>] [--now]";

int prune_main(int argc, char **argv)
{
	static const struct option longopts[] = { { "dry-run", no_argument, NULL, 'n' }, { "verbose", no_argument, NULL, 'v' },
						  { "keep", required_argument, NULL, 'k' }, { "now", no_argument, NULL, 'N' },
						  { "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 } };
	struct options o = { .keep = -1 };
	struct member m;
	struct err err;
	bool bad = false;
	int ret, c;

	while ((c = getopt_long(argc, argv, "h", longopts, NULL)) != -1)
		switch (c) {
		case 'n': o.dry_run = true; break;
		case 'v': o.verbose = true; break;
		case 'N': o.now = true; break;
		case 'k':
			if (!repo_parse_age(optarg, &o.keep)) {
				exit_warn("'%s' is not an age like '12h', '7d' or '2w'", optarg);
				return EXIT_USAGE;
			}
			break;
		default: return exit_usage(usage, c == 'h');
		}
	if (optind != argc)
		return exit_usage(usage, 0);
	if (member_open(&m, &err) < 0)
		return exit_error(&err);
	if (o.keep < 0)
		o.keep = m.repo.keep_history;
	if (o.dry_run || (ret = allow_shallow(&m, &err)) == 0)
		ret = prune(&m, &o, &bad, &err);
	member_close(&m);
	return ret < 0 ? exit_error(&err) : bad ? EXIT_INCOMPLETE : EXIT_DONE;
}
