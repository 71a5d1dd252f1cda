/*
 * subdirs.h -- reads cur/ and new/ of one folder for a scan.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SUBDIRS_H
#define SUBDIRS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "listing.h"
#include "scan.h"

struct subdirs_how {
	const struct disk *disk;
	const struct scan_opts *opts; /* may be NULL */
	struct listing *listing;      /* to be used for all directories of a scan, one after the other */
	bool settle;		      /* wait until the directories are old enough to be called stable */
};

/*
 * subdirs_read: fills f->sub[] and f->locked from the folder open at dirfd, with names and odd things in s.
 * What f->sub[] had before is replaced. ERR_NOTFOUND when the folder is gone.
 */
int subdirs_read(struct scan *s, struct scan_folder *f, int dirfd, const struct subdirs_how *how,
		 struct err *err);

/* subdirs_stamp: the stamp of a directory. */
struct scan_stamp subdirs_stamp(const struct stat *st);
bool subdirs_same_stamp(const struct scan_stamp *a, const struct scan_stamp *b);
/*
 * subdirs_fresh: for how many nanoseconds from now (CLOCK_REALTIME_COARSE) on a change could still leave this
 * stamp as it is; 0 if it cannot.
 */
int64_t subdirs_fresh(const struct scan_stamp *stamp, int64_t now_ns);
int64_t subdirs_now(void);

/* subdirs_odd: notes a thing that is left alone. */
void subdirs_odd(struct scan *s, const char *folder, const char *sub, const char *name, const char *why);
/* subdirs_type_odd: why something of this type (DT_...) that is neither file nor directory is left alone. */
const char *subdirs_type_odd(unsigned char type);

#endif
