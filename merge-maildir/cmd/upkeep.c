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

#define REPACK_BYTES (UINT64_C(64) << 20)

void upkeep_after(struct member *m)
{
	char *path = repo_state_path(&m->repo, "written"), *gitdir = NULL;
	uint64_t sum = 0;
	struct err ignored;
	FILE *f;

	if (!m->repo.written)
		goto out;
	/* Two commands may read the same number: then it takes one change more. */
	if ((f = fopen(path, "re"))) {
		if (fscanf(f, "%" SCNu64, &sum) != 1)
			sum = 0;
		fclose(f);
	}
	sum += m->repo.written;
	m->repo.written = 0;
	if (sum >= REPACK_BYTES && asprintf(&gitdir, "--git-dir=%s", m->repo.gitdir) > 0) {
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
