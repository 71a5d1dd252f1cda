/*
 * lock.c -- dovecot-uidlist.lock: the lock of a folder that Dovecot honours.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../core/path.h"
#include "file.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/*
 * Dovecot's own numbers (file-dotlock.c, maildir-uidlist.c): who takes over sooner than it does takes from
 * the living.
 */
#define STALE_DEAD_NS (2 * NS_PER_SEC)
#define STALE_OTHER_NS (120 * NS_PER_SEC)

#define PAUSE_FIRST_NS (1 * NS_PER_MS)
#define PAUSE_LONGEST_NS (50 * NS_PER_MS)

/* What stands in the way. */
struct holder {
	dev_t dev;
	ino_t ino;
	int64_t mtime_ns;
	bool regular;
	long pid;	/* 0: the file does not say */
	char host[256]; /* printable */
};

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_SEC + t->tv_nsec;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return ns_of(&t);
}

static void pause_ns(int64_t ns)
{
	struct timespec t = { .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };

	nanosleep(&t, NULL);
}

static bool same_file(const struct stat *st, dev_t dev, ino_t ino, int64_t mtime_ns)
{
	return st->st_dev == dev && st->st_ino == ino && ns_of(&st->st_mtim) == mtime_ns;
}

/*
 * "<pid>:<host>", perhaps with a line feed. Whatever else it is: no pid, and what is printable of it as the
 * host.
 */
static void parse_holder(struct holder *h, char *text)
{
	char *colon = strchr(text, ':');
	char *host = text, *end;
	long pid;
	size_t i;

	h->pid = 0;
	if (colon && text[0] >= '1' && text[0] <= '9') {
		errno = 0;
		pid = strtol(text, &end, 10);
		if (end == colon && !errno && pid == (pid_t)pid) {
			h->pid = pid;
			host = colon + 1;
		}
	}
	host[strcspn(host, "\r\n")] = '\0';
	for (i = 0; i < sizeof(h->host) - 1 && host[i]; i++) {
		unsigned char c = (unsigned char)host[i];

		h->host[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	h->host[i] = '\0';
}

/* 1 and who holds the lock, 0 if nobody does (any more), -1 with errno. */
static int read_holder(struct holder *h, int dirfd)
{
	char text[512];
	struct stat st;
	ssize_t n = 0;
	int fd;

	memset(h, 0, sizeof(*h));
	/* Not blocking: somebody may have put a fifo there. */
	fd = openat(dirfd, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		/* A lock that is not ours to read (another user's), or not a file at all. */
		if (fstatat(dirfd, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW))
			return errno == ENOENT ? 0 : -1;
	} else {
		if (fstat(fd, &st)) {
			int e = errno;

			close(fd);
			errno = e;
			return -1;
		}
		if (S_ISREG(st.st_mode))
			n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	h->dev = st.st_dev;
	h->ino = st.st_ino;
	h->mtime_ns = ns_of(&st.st_mtim);
	h->regular = S_ISREG(st.st_mode);
	parse_holder(h, text);
	return 1;
}

/*
 * Whether nobody can be behind the lock any more. seen_ns: for how long we have seen it unchanged; the file's
 * age counts as well, so that what a crash left an hour ago costs no wait, and seeing it counts because a
 * file's clock can be wrong.
 */
static bool is_stale(const struct holder *h, const struct disk *d, int64_t seen_ns)
{
	int64_t age = now_ns(CLOCK_REALTIME) - h->mtime_ns;

	if (!h->regular)
		return false;
	if (seen_ns > age)
		age = seen_ns;
	if (h->pid && !strcmp(h->host, d->host)) {
		/*
		 * A lock with our own pid is one we do not have: it was left by a process that had the pid
		 * before us. The main process of a container is number 1 after each restart, so this is no
		 * rarity, and kill(2) would call it alive for ever. But it might be another thread's, so it
		 * must have the age at which that is out of the question.
		 */
		if (h->pid == (long)d->pid)
			return age >= STALE_OTHER_NS;
		return age >= STALE_DEAD_NS && kill((pid_t)h->pid, 0) && errno == ESRCH;
	}
	return age >= STALE_OTHER_NS;
}

/*
 * Removes the lock that was found stale; false if it was not there any more, or could not be removed. Two who
 * wait for the same stale lock find out at the same moment. If both just unlinked, the slower one would
 * remove the new lock that the faster one has made by then. So:
 * - those of us do it one after the other, by flock(2) on the directory (where a file system has none, go on
 *   without), and look again;
 * - Dovecot knows nothing of that flock, therefore the file is renamed aside, which takes exactly one file
 *   whatever it is, and is removed only if it is the one that was found stale. Another one is put back,
 *   unless there is a newer one already. A kill in between leaves a file whose name ends in ".lock", which
 *   everybody ignores.
 */
static bool remove_stale(const struct holder *h, const struct disk *d, int dirfd)
{
	char aside[96];
	struct stat st;
	bool removed = false;
	int own = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/*
	 * A descriptor of our own, because a flock belongs to the open file: threads and children share
	 * dirfd's.
	 */
	if (own >= 0 && flock(own, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		goto out;
	if (fstatat(dirfd, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW) || !same_file(&st, h->dev, h->ino, h->mtime_ns))
		goto out;
	snprintf(aside, sizeof(aside), "git-maildir-stale.%ld.%lld.lock", (long)d->pid,
		 (long long)now_ns(CLOCK_REALTIME));
	if (renameat(dirfd, LOCK_NAME, dirfd, aside))
		goto out;
	/* The inode number alone would not do: file systems give it to the very next file. */
	if (!fstatat(dirfd, aside, &st, AT_SYMLINK_NOFOLLOW) && same_file(&st, h->dev, h->ino, h->mtime_ns))
		removed = !unlinkat(dirfd, aside, 0);
	else if (file_rename_new(dirfd, aside, dirfd, LOCK_NAME) && errno == EEXIST)
		unlinkat(dirfd, aside, 0);
out:
	if (own >= 0)
		close(own);
	/*
	 * As Dovecot does after an override: its unlink of what it found stale as well must not hit the lock
	 * we make next.
	 */
	if (removed)
		pause_ns(PAUSE_LONGEST_NS);
	return removed;
}

static int fail(struct err *err, const char *what, const char *path)
{
	char folder[256];
	int e = errno;

	path_show(folder, sizeof(folder), path);
	errno = e;
	return err_errno(err, "cannot %s '" LOCK_NAME "' in folder '%s'", what, folder);
}

/* 0666 and the umask, as Dovecot: it must be able to watch and read the file. */
#define LOCK_MODE 0666

/* 0 or -1 with errno. */
static int fill(int fd, const char *text, size_t len)
{
	errno = ENOSPC; /* what a short write means */
	return write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

/*
 * Removes a lock file that is certainly ours. Left behind it would stand in our own way for two minutes, and in
 * everybody's; what is wrong may pass, so it is tried more than once.
 */
static void withdraw(int dirfd)
{
	int try;

	for (try = 0; try < 3 && unlinkat(dirfd, LOCK_NAME, 0) && errno != ENOENT; try++)
		pause_ns(PAUSE_FIRST_NS);
}

/*
 * Makes the file without a name, and gives it one when it says whose it is: an empty lock, as a kill in
 * create_named() leaves, stands in everybody's way for two minutes. 1 made, 0 somebody has it, -1 if this way is
 * closed: no O_TMPFILE here, no /proc.
 */
static int create_whole(int dirfd, const char *text, size_t len)
{
	int fd = openat(dirfd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, LOCK_MODE), rc = -1;
	struct stat st;
	char self[32];

	if (fd < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!fill(fd, text, len)) {
		if (!linkat(AT_FDCWD, self, dirfd, LOCK_NAME, AT_SYMLINK_FOLLOW))
			rc = 1;
		else if (errno == EEXIST)
			rc = 0;
		/* An error of the device or of a server can come when the name was made all the same. */
		if (rc < 1 && !fstat(fd, &st) && st.st_nlink > 0)
			rc = 1;
	}
	if (close(fd) && rc > 0) {
		withdraw(dirfd);
		rc = -1;
	}
	return rc;
}

/* 1 made, 0 somebody has it, -1 with errno. */
static int create_named(int dirfd, const char *text, size_t len, const char **what)
{
	int fd = openat(dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, LOCK_MODE), rc, e;

	*what = "create";
	if (fd < 0)
		return errno == EEXIST ? 0 : -1;
	*what = "write";
	rc = fill(fd, text, len);
	e = errno;
	if (close(fd) && !rc) {
		rc = -1;
		e = errno;
	}
	if (rc)
		withdraw(dirfd);
	errno = e;
	return rc ? -1 : 1;
}

/* 1 made, 0 somebody has it, or a negative code. */
static int try_create(struct lock *l, const struct disk *d, int dirfd, const char *path, struct err *err)
{
	const char *what;
	char text[300];
	struct stat st;
	size_t len = (size_t)snprintf(text, sizeof(text), "%ld:%s", (long)d->pid, d->host);
	int rc = create_whole(dirfd, text, len);

	if (rc < 0)
		rc = create_named(dirfd, text, len, &what);
	if (rc < 0)
		return fail(err, what, path);
	if (!rc)
		return 0;
	/*
	 * After close(): only then does a network file system settle on an mtime, by which lock_release()
	 * knows the file.
	 */
	if (fstatat(dirfd, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW)) {
		int e = errno;

		if (e == ENOENT)
			return 0;
		withdraw(dirfd);
		errno = e;
		return fail(err, "stat", path);
	}
	l->dirfd = dirfd;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->mtime_ns = ns_of(&st.st_mtim);
	return 1;
}

static int busy(const struct holder *h, const char *path, struct err *err)
{
	char folder[256];

	path_show(folder, sizeof(folder), path);
	if (!h->regular)
		return err_set(err, ERR_BUSY, "folder '%s' is locked by a '" LOCK_NAME "' that is not a file",
			       folder);
	if (!h->pid)
		return err_set(err, ERR_BUSY, "folder '%s' is locked by a '" LOCK_NAME "' that says '%s'", folder,
			       h->host);
	return err_set(err, ERR_BUSY, "folder '%s' is locked by process %ld on '%s'", folder, h->pid, h->host);
}

int lock_folder(struct lock *l, const struct disk *d, int dirfd, const char *path, struct err *err)
{
	int64_t start = now_ns(CLOCK_MONOTONIC), deadline = start + d->lock_wait * NS_PER_SEC;
	int64_t seen = start, pause = PAUSE_FIRST_NS;
	struct holder h, last = { 0 };

	memset(l, 0, sizeof(*l));
	l->dirfd = -1;
	for (;;) {
		int64_t now;
		int rc = try_create(l, d, dirfd, path, err);

		if (rc)
			return rc < 0 ? rc : 0;
		rc = read_holder(&h, dirfd);
		if (rc < 0)
			return fail(err, "read", path);
		now = now_ns(CLOCK_MONOTONIC);
		if (rc > 0) {
			if (h.dev != last.dev || h.ino != last.ino || h.mtime_ns != last.mtime_ns) {
				last = h;
				seen = now;
			}
			if (is_stale(&h, d, now - seen) && remove_stale(&h, d, dirfd))
				continue;
		}
		if (now >= deadline)
			return busy(rc > 0 ? &h : &last, path, err);
		pause_ns(pause < deadline - now ? pause : deadline - now);
		pause = pause * 2 < PAUSE_LONGEST_NS ? pause * 2 : PAUSE_LONGEST_NS;
	}
}

/*
 * Whether the lock file is the one that we made. If it cannot be looked at: nobody takes over a lock that is younger
 * than that from the living.
 */
static bool is_own(const struct lock *l)
{
	struct stat st;

	if (!fstatat(l->dirfd, LOCK_NAME, &st, AT_SYMLINK_NOFOLLOW))
		return same_file(&st, l->dev, l->ino, l->mtime_ns);
	return errno != ENOENT && now_ns(CLOCK_REALTIME) - l->mtime_ns < STALE_OTHER_NS / 2;
}

void lock_release(struct lock *l)
{
	if (l->dirfd < 0)
		return;
	if (is_own(l))
		withdraw(l->dirfd);
	l->dirfd = -1;
}
