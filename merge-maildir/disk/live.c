/*
 * live.c -- the dovecot-uidlist and dovecot-keywords of a folder that a mail server works on.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../core/path.h"
#include "file.h"

/* Ten million messages: more is no list that a mail server made. */
#define LARGEST ((off_t)1 << 30)

static int failed(const char *what, const char *folder, const char *name, struct err *err)
{
	char shown[256];
	int e = errno;

	path_show(shown, sizeof(shown), folder);
	errno = e;
	return err_errno(err, "cannot %s '%s' in folder '%s'", what, name, shown);
}

static int refused(const char *folder, const char *name, const char *why, struct err *err)
{
	char shown[256];

	return err_set(err, ERR_FAIL, "cannot read '%s' in folder '%s': it is %s", name,
		       path_show(shown, sizeof(shown), folder), why);
}

int live_read(int dirfd, const char *folder, const char *name, struct bytes *out, struct stat *st, struct err *err)
{
	/* Not blocking: somebody may have put a fifo there. */
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), rc = 0;
	size_t before = out->len;
	struct stat own;

	if (fd < 0)
		return failed("open", folder, name, err);
	if (!st)
		st = &own;
	if (fstat(fd, st))
		rc = failed("stat", folder, name, err);
	else if (!S_ISREG(st->st_mode))
		rc = refused(folder, name, "not a regular file", err);
	else if (st->st_size > LARGEST)
		rc = refused(folder, name, "larger than 1 GB", err);
	else if (file_read_fd(fd, (size_t)st->st_size, out))
		rc = failed("read", folder, name, err);
	if (rc)
		out->len = before;
	close(fd);
	return rc;
}

static bool is_earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec <= b->tv_nsec;
}

/* The date of the next list: now, but later than that of the one before, whatever the clock says. */
static struct timespec later(const struct timespec *before)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (!is_earlier(&t, before))
		return t;
	t = *before;
	if (++t.tv_nsec == 1000000000) {
		t.tv_nsec = 0;
		t.tv_sec++;
	}
	return t;
}

/* The same, in another second. */
static struct timespec a_second_later(const struct timespec *before)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (t.tv_sec <= before->tv_sec)
		t = (struct timespec){ .tv_sec = before->tv_sec + 1 };
	return t;
}

/*
 * Before the new file has its name, because servers look at its date when they see it. No list there: the date is
 * that of the writing.
 */
static int set_date(int dirfd, const char *name, int tmpfd, const char *tmp,
		    struct timespec (*date)(const struct timespec *before))
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -1;
	times[1] = date(&st.st_mtim);
	return utimensat(tmpfd, tmp, times, AT_SYMLINK_NOFOLLOW);
}

static int replace(struct disk *d, int dirfd, const char *folder, const char *name, const struct bytes *text,
		   struct timespec (*date)(const struct timespec *before), struct err *err)
{
	char tmp[FILE_TMP_NAME];
	int tmpfd = openat(dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* A directory that is to become a folder has no tmp/ yet; a name of ours is ignored beside the list as well. */
	int fd = tmpfd < 0 ? dirfd : tmpfd;
	char shown[256];
	struct err why;
	int rc = file_write_tmp(d, fd, tmp, text->len ? text->buf : "", text->len, -1, true, &why);

	if (rc) {
		rc = err_set(err, rc, "cannot write '%s' in folder '%s': %s", name, path_show(shown, sizeof(shown), folder),
			     why.msg);
		goto out;
	}
	if (set_date(dirfd, name, fd, tmp, date) || renameat(fd, tmp, dirfd, name)) {
		rc = failed("replace", folder, name, err);
		unlinkat(fd, tmp, 0);
		/* EINVAL: a file system whose directories have no fsync. */
	} else if (fsync(dirfd) && errno != EINVAL) {
		rc = failed("sync", folder, name, err);
	}
out:
	if (tmpfd >= 0)
		close(tmpfd);
	return rc;
}

int live_write_uidlist(struct disk *d, int dirfd, const char *folder, const struct uidlist *l, struct err *err)
{
	struct bytes text = { 0 };
	int rc;

	uidlist_format(l, &text);
	rc = replace(d, dirfd, folder, UIDLIST_NAME, &text, later, err);
	bytes_release(&text);
	return rc;
}

int live_write_keywords(struct disk *d, int dirfd, const char *folder, const struct keywords *k, struct err *err)
{
	struct bytes text = { 0 };
	int rc;

	keywords_format(k, &text);
	rc = replace(d, dirfd, folder, KEYWORDS_NAME, &text, a_second_later, err);
	bytes_release(&text);
	return rc;
}

/* A name that nobody takes for a message. */
#define WAKE_NAME ".git-maildir.wake"

void live_wake(int dirfd)
{
	int cur = openat(dirfd, "cur", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;

	if (cur < 0)
		return;
	/* One that a kill left would make the next one no news. */
	unlinkat(cur, WAKE_NAME, 0);
	fd = openat(cur, WAKE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	unlinkat(cur, WAKE_NAME, 0);
	close(cur);
}
