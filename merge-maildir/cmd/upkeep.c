/*
 * upkeep.c -- keeps the repository from growing between prunes.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../repo/run.h"
#include "../repo/sweep.h"

/* Uncompressed trees of a large folder pile up to this much at most, and to less where there is little mail: a repository is to stay below twice the size of its mail. */
#define REPACK_MOST (UINT64_C(64) << 20)
#define REPACK_LEAST (UINT64_C(8) << 20)
#define REPACK_SHARE 4
/* What one change writes in a large folder must not start it each time: it costs more than the change. */
#define REPACK_CHANGES 8

static bool is_due(struct member *m, uint64_t sum, uint64_t last)
{
	uint64_t size;

	if (sum < REPACK_LEAST || sum / REPACK_CHANGES < last)
		return false;
	size = sweep_size(&m->repo);
	return sum >= REPACK_MOST || size < sum || sum >= (size - sum) / REPACK_SHARE;
}

void upkeep_after(struct member *m)
{
	char *path = repo_state_path(&m->repo, "written"), *gitdir = NULL;
	uint64_t sum = 0, last = m->repo.written;
	struct err ignored;
	FILE *f;

	if (!last)
		goto out;
	/* Two commands may read the same number: then it takes one change more. */
	if ((f = fopen(path, "re"))) {
		if (fscanf(f, "%" SCNu64, &sum) != 1)
			sum = 0;
		fclose(f);
	}
	sum += last;
	m->repo.written = 0;
	if (is_due(m, sum, last) && asprintf(&gitdir, "--git-dir=%s", m->repo.gitdir) > 0) {
		/* Geometric: what is large is not packed again each time. It takes what refs reach and what is loose, and deletes nothing that is not in the new pack. */
		const char *argv[] = { "nice", "git", gitdir, "repack", "-d", "-q", "--geometric=2", NULL };

		if (run_detached(argv, m->repo.gitdir, &ignored) == 0)
			sum = 0;
		free(gitdir);
	}
	if ((f = fopen(path, "we"))) {
		fprintf(f, "%" PRIu64 "\n", sum);
		fclose(f);
	}
out:
	free(path);
}
