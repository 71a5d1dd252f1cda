/*
 * file.c -- durable files: written aside, complete before anybody sees them under their name.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../core/path.h"

/* Closes without losing the errno of what failed before. */
static void close_keep(int fd)
{
	int e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
}

/*
 * The next component of *path, copied to out. 1, 0 at the end, -1 with errno. What could lead out of the root
 * or is ambiguous is refused here, so that no caller has to.
 */
static int next_component(const char **path, char out[NAME_MAX + 1])
{
	const char *s = *path, *end = strchrnul(s, '/');
	size_t len = (size_t)(end - s);

	if (!*s)
		return 0;
	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, s, len);
	out[len] = '\0';
	if (!len || !strcmp(out, ".") || !strcmp(out, "..") || (*end && !end[1])) {
		errno = EINVAL;
		return -1;
	}
	*path = *end ? end + 1 : end;
	return 1;
}

/*
 * Component by component, each without following a link: openat2(2) would do it at one go, but is refused in
 * many containers, and paths here have one to three components.
 */
int file_open_dir(const struct disk *d, const char *path)
{
	char name[NAME_MAX + 1];
	int fd = openat(d->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 1;

	while (fd >= 0 && (r = next_component(&path, name)) > 0) {
		/* A directory on the way need only be searchable. */
		int kind = *path ? O_PATH : O_RDONLY;
		int sub = openat(fd, name, kind | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		close_keep(fd);
		fd = sub;
	}
	if (fd >= 0 && r < 0) {
		close_keep(fd);
		return -1;
	}
	return fd;
}

int file_open_parent(const struct disk *d, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	*name = slash ? slash + 1 : path;
	if (!slash)
		return file_open_dir(d, "");
	if ((size_t)(slash - path) >= sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	return file_open_dir(d, dir);
}

/*
 * Some file systems (FUSE, CIFS) have no fsync for directories and say EINVAL: then there is nothing to be
 * had.
 */
int file_sync_dir(int fd)
{
	return fsync(fd) && errno != EINVAL ? -1 : 0;
}

/*
 * Makes one directory in fd with exactly dir_mode; the umask is the user's wish for other files.
 * Set-group-ID, which a directory inherits, stays.
 */
static int make_dir(const struct disk *d, int fd, const char *name)
{
	struct stat st;

	if (mkdirat(fd, name, d->dir_mode)) {
		if (errno != EEXIST)
			return -1;
		return 0;
	}
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -1;
	if (S_ISDIR(st.st_mode) && (st.st_mode & 0777) != d->dir_mode &&
	    fchmodat(fd, name, (st.st_mode & 07000) | d->dir_mode, 0))
		return -1;
	return file_sync_dir(fd);
}

int file_mkdirs(const struct disk *d, const char *path, struct err *err)
{
	const char *why = *path ? path_unsafe(path, strlen(path)) : NULL;
	const char *rest = path;
	char name[NAME_MAX + 1];
	int fd, sub, r;

	if (why)
		return err_set(err, ERR_UNSAFE, "refusing the path '%s': it %s", path, why);
	fd = file_open_dir(d, "");
	while (fd >= 0 && (r = next_component(&rest, name)) != 0) {
		sub = -1;
		/* Not through O_PATH: a directory that changed is fsynced. */
		if (r > 0 && !make_dir(d, fd, name))
			sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close_keep(fd);
		fd = sub;
	}
	if (fd < 0)
		return err_errno(err, "cannot make directory '%s'", path);
	close(fd);
	return 0;
}

int file_make_parent(const struct disk *d, const char *path, const char **base, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int fd, rc;

	*base = slash ? slash + 1 : path;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 0, path);
	rc = file_mkdirs(d, dir, err);
	if (rc)
		return rc;
	fd = file_open_dir(d, dir);
	return fd < 0 ? err_errno(err, "cannot open directory '%s'", dir) : fd;
}

/* Tells hosts apart within the few bytes that a file name can spare (FNV-1a). */
static uint32_t host_hash(const char *host)
{
	uint32_t h = 2166136261u;

	for (; *host; host++)
		h = (h ^ (unsigned char)*host) * 16777619u;
	return h;
}

/*
 * The prefix is for people and repair_tmp(). The suffix is for the directories without a tmp/, where
 * file_replace() works beside its target: "*.lock" is ignored everywhere, so what a kill leaves there is not
 * replicated.
 */
static void tmp_name(struct disk *d, char name[FILE_TMP_NAME])
{
	snprintf(name, FILE_TMP_NAME, "git-maildir.%lld.%ld.%u.%08x.lock", (long long)time(NULL), (long)d->pid,
		 d->seq++, host_hash(d->host));
}

/* A process that was killed is there until its parent has noticed, which in a container can be never. */
static bool is_dead(long pid)
{
	char path[32], line[512];
	const char *end;
	ssize_t n;
	int fd;

	if (kill((pid_t)pid, 0) && errno == ESRCH)
		return true;
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return false;
	line[n] = '\0';
	/* "<pid> (<name>) <state> ...": anything can be in the name. */
	end = strrchr(line, ')');
	return end && (!strncmp(end, ") Z", 3) || !strncmp(end, ") X", 3));
}

bool file_tmp_is_left(const struct disk *d, const char *name)
{
	long long sec;
	long pid;
	unsigned seq, host;
	int end = 0;

	if (sscanf(name, "git-maildir.%19lld.%9ld.%10u.%8x.lock%n", &sec, &pid, &seq, &host, &end) != 4 || !end ||
	    name[end])
		return false;
	if (host != host_hash(d->host) || pid <= 0 || pid == (long)d->pid)
		return false;
	return is_dead(pid);
}

int file_write_fd(int fd, const void *data, size_t len)
{
	const char *buf = data;

	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The umask has taken something away that the root's mode allows. */
static int set_mode(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	return (st.st_mode & 07777) == mode ? 0 : fchmod(fd, mode);
}

static int fill_tmp(int fd, mode_t mode, const void *buf, size_t len, int64_t mtime, bool sync)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)mtime } };

	if (file_write_fd(fd, buf, len) || set_mode(fd, mode))
		return -1;
	/* After the last write, and before anybody can see the file: mail servers cache what they saw first. */
	if (mtime != -1 && futimens(fd, times))
		return -1;
	return sync ? fsync(fd) : 0;
}

static int open_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], mode_t mode, struct err *err)
{
	int fd;

	do {
		tmp_name(d, name);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EEXIST); /* a process that had our pid within this second */
	return fd < 0 ? err_errno(err, "cannot create temporary file '%s'", name) : fd;
}

int file_open_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], struct err *err)
{
	int rc, fd = open_tmp(d, dirfd, name, d->file_mode, err);

	if (fd < 0 || !set_mode(fd, d->file_mode))
		return fd;
	rc = err_errno(err, "cannot set the mode of temporary file '%s'", name);
	close(fd);
	unlinkat(dirfd, name, 0);
	return rc;
}

static int write_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], mode_t mode, const void *buf,
		     size_t len, int64_t mtime, bool sync, struct err *err)
{
	int fd = open_tmp(d, dirfd, name, mode, err), rc, failed;

	if (fd < 0)
		return fd;
	failed = fill_tmp(fd, mode, buf, len, mtime, sync);
	rc = failed ? err_errno(err, "cannot write temporary file '%s'", name) : 0;
	if (close(fd) && !failed)
		rc = err_errno(err, "cannot write temporary file '%s'", name);
	if (rc)
		unlinkat(dirfd, name, 0);
	return rc;
}

int file_write_tmp(struct disk *d, int dirfd, char name[FILE_TMP_NAME], const void *buf, size_t len,
		   int64_t mtime, bool sync, struct err *err)
{
	return write_tmp(d, dirfd, name, d->file_mode, buf, len, mtime, sync, err);
}

int file_link_tmp(struct disk *d, int fromfd, const char *from, int dirfd, char name[FILE_TMP_NAME])
{
	int rc;

	do {
		tmp_name(d, name);
		rc = linkat(fromfd, from, dirfd, name, 0);
	} while (rc && errno == EEXIST);
	return rc;
}

int file_rename_new(int fromfd, const char *from, int tofd, const char *to)
{
	if (!renameat2(fromfd, from, tofd, to, RENAME_NOREPLACE))
		return 0;
	/*
	 * NFS, old FUSE and some kernels have no NOREPLACE. For a moment the file then has both names, never
	 * none.
	 */
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(fromfd, from, tofd, to, 0))
		return -1;
	return unlinkat(fromfd, from, 0);
}

int file_replace(struct disk *d, const char *path, const void *buf, size_t len, bool executable,
		 struct err *err)
{
	char tmp[FILE_TMP_NAME];
	const char *name, *why = path_unsafe(path, strlen(path));
	mode_t mode = d->file_mode;
	int rc, tmpfd = -1, dirfd;

	if (why)
		return err_set(err, ERR_UNSAFE, "refusing the path '%s': it %s", path, why);
	dirfd = file_open_parent(d, path, &name);
	if (dirfd < 0)
		return err_errno(err, "cannot open the directory of '%s'", path);
	/* In tmp/ a leftover is found again by repair_tmp(). */
	tmpfd = openat(dirfd, "tmp", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (executable)
		mode |= (mode & 0444) >> 2;
	rc = write_tmp(d, tmpfd < 0 ? dirfd : tmpfd, tmp, mode, buf, len, -1, true, err);
	if (rc)
		goto out;
	if (renameat(tmpfd < 0 ? dirfd : tmpfd, tmp, dirfd, name)) {
		rc = err_errno(err, "cannot replace '%s'", path);
		unlinkat(tmpfd < 0 ? dirfd : tmpfd, tmp, 0);
		goto out;
	}
	if (file_sync_dir(dirfd))
		rc = err_errno(err, "cannot sync the directory of '%s'", path);
out:
	if (tmpfd >= 0)
		close(tmpfd);
	close(dirfd);
	return rc;
}

/* Until end of file: somebody may be appending, and st_size is then only a hint. */
int file_read_fd(int fd, size_t size, struct bytes *out)
{
	for (;;) {
		char *to = bytes_reserve(out, size + 1);
		ssize_t n = read(fd, to, size + 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		out->len += (size_t)n;
		out->buf[out->len] = '\0';
		if (!n)
			return 0;
		size = (size_t)n < size ? size - (size_t)n : 4096;
	}
}

int file_read(const struct disk *d, const char *path, struct bytes *out, struct stat *st, struct err *err)
{
	struct stat own;
	const char *name;
	size_t before = out->len;
	int rc = 0, fd = -1, dirfd = file_open_parent(d, path, &name);

	/* Not blocking: it might be a fifo. */
	if (dirfd >= 0)
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close_keep(dirfd);
	if (fd < 0)
		return err_errno(err, "cannot open '%s'", path);
	if (!st)
		st = &own;
	if (fstat(fd, st)) {
		rc = err_errno(err, "cannot stat '%s'", path);
	} else if (!S_ISREG(st->st_mode)) {
		rc = err_set(err, ERR_FAIL, "cannot read '%s': it is not a regular file", path);
	} else if (file_read_fd(fd, (size_t)st->st_size, out)) {
		rc = err_errno(err, "cannot read '%s'", path);
		out->len = before;
	}
	close(fd);
	return rc;
}

int file_set_date(const struct disk *d, const char *path, int64_t mtime, struct err *err)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)mtime } };
	struct stat st;

	if (fstatat(d->root, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (st.st_mtim.tv_sec == (time_t)mtime || utimensat(d->root, path, times, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
	}
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(err, "cannot set the date of '%s'", path);
}
