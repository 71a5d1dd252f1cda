/*
 * dates.h -- keeps the marker file of each folder in step with what was found on disk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef DATES_H
#define DATES_H

#include "../core/change.h"
#include "../core/marker.h"
#include "../disk/file.h"
#include "../disk/scan.h"
#include "../repo/objects.h"
#include "edits.h"

struct dates {
	struct dates_folder {
		const char *folder, *path; /* path of the marker file */
		struct marker marker;
		struct bytes before; /* the file as it is on disk */
		bool loaded, missing;
	} *v; /* one for each folder of the scan, in its order */
	size_t n;
	struct arena arena;
};

/*
 * dates_open: for the folders of a scan. Folders that have a cur/ and no marker file on disk get a marker with the one that was recorded, or else a new id; they are
 * marked as missing. dates_release() frees.
 */
int dates_open(struct dates *dt, const struct scan *scan, const struct index *ix, struct repo *r, struct err *err);

/* dates_set, dates_forget: notes the date of a message by its name (NULL forget). A folder that is not in the scan is fine. */
int dates_set(struct dates *dt, const struct disk *d, const char *folder, const char *key, size_t keylen, int64_t mtime, struct err *err);
int dates_forget(struct dates *dt, const struct disk *d, const char *folder, const char *key, size_t keylen, struct err *err);

/* dates_write: writes the marker files that differ from what is on disk, adds them to the batch and to the edits. ERR_AGAIN if a folder was removed meanwhile. */
int dates_write(struct dates *dt, struct disk *d, struct objects_batch *batch, struct edits *e, struct err *err);
void dates_release(struct dates *dt);

#endif
