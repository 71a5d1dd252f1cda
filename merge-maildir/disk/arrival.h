/*
 * arrival.h -- a message that arrives: from a stream into new/ of a folder, durably, byte for byte.
 *
 *     arrival_open, arrival_read (or arrival_begin, arrival_write ...), arrival_place [, arrival_withdraw], arrival_release
 *
 * After a failure of one of them nothing of the message is left, neither in new/ nor, after arrival_release(), in tmp/. What a kill leaves in tmp/ is removed by
 * repair_tmp().
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ARRIVAL_H
#define ARRIVAL_H

#include <stdint.h>

#include "../core/name.h"
#include "disk.h"
#include "file.h"

struct arrival {
	struct disk *disk;
	const char *folder;	     /* its path; borrowed */
	int newfd, tmpfd, fd;	     /* the directories, and the file while it is written; -1 */
	char tmp[FILE_TMP_NAME];     /* its name in tmp/; "" when there is none */
	uint64_t size, crlf_size;    /* in bytes; and if every line ended in CR LF, which is what IMAP tells its clients */
	char last;		     /* the last byte that was written */
	char name[NAME_LONGEST + 1]; /* its name in new/; "" before it is there */
	int64_t placed_ns;	     /* CLOCK_BOOTTIME: then it was there */
};

/* arrival_open: opens a folder that is there. A missing tmp/ is made; a missing new/ is an error: mail that was in it would count as deleted. */
int arrival_open(struct arrival *a, struct disk *d, const char *folder, struct err *err);
/* arrival_read: all that fd gives, less one line at its beginning that begins with "From ", as mbox has it. ERR_NOTFOUND if there is nothing else. */
int arrival_read(struct arrival *a, int fd, struct err *err);
/* arrival_begin, arrival_write: the same bit by bit, as it comes. errno is that of the write that failed. */
int arrival_begin(struct arrival *a, struct err *err);
int arrival_write(struct arrival *a, const char *buf, size_t len, struct err *err);
/*
 * arrival_place: gives it its name, "<seconds>.M<microseconds>P<pid>.<host>,S=<size>,W=<CRLF size>", its date, which is this second, and its place, replacing nothing. host holds
 * letters, digits, '-', '_' and '.'. ERR_AGAIN when the folder was removed meanwhile. Whoever watches new/ by inotify(7) gets an event that is later than placed_ns.
 */
int arrival_place(struct arrival *a, const char *host, struct err *err);
/* arrival_withdraw: takes it back. 0, or 1 if it is not in new/ under its name any more: somebody has it. */
int arrival_withdraw(struct arrival *a, struct err *err);
/* arrival_abort: removes what is in tmp/; may be called by the handler of a signal. */
void arrival_abort(const struct arrival *a);
/* arrival_release: closes, and removes what is in tmp/. Fine on a zeroed struct. */
void arrival_release(struct arrival *a);

#endif
