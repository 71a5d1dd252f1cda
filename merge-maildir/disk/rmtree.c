/*
 * rmtree.c -- removes a directory with all that is in it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "rmtree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "listing.h"

int rmtree(int fd, const char *name)
{
	struct listing l = { 0 };
	struct listing_entry e;
	int rc, sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (sub < 0)
		return errno == ENOENT ? 0 : -1;
	l.fd = sub;
	while ((rc = listing_next(&l, &e)) > 0) {
		int failed = e.type == DT_DIR ? rmtree(sub, e.name) : unlinkat(sub, e.name, 0);

		if (failed && errno != ENOENT) {
			rc = -1;
			break;
		}
	}
	listing_release(&l);
	close(sub);
	if (rc || (unlinkat(fd, name, AT_REMOVEDIR) && errno != ENOENT))
		return -1;
	return 0;
}
