/*
 * apply_content.c -- message content on its way to disk: written in tmp/, compared, put in place under a name
 * that is free.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../core/name.h"
#include "apply_step.h"
#include "file.h"

/*
 * Derived names are made of the content's id: more than a few that are taken by something else are no accident.
 */
#define PLACE_ATTEMPTS 100

static const char *const sub_names[] = { "new", "cur" };

int apply_content_write(struct apply *a, struct apply_folder *f, const struct plan_step *s, char tmp[FILE_TMP_NAME],
			bool sync, struct err *err)
{
	struct err why;
	int rc;

	bytes_clear(&a->buf);
	rc = a->ops->read(a->ops->ctx, &s->oid, &a->buf, err);
	if (!rc) {
		rc = file_write_tmp(a->d, f->tmp, tmp, a->buf.buf, a->buf.len, s->mtime, sync, &why);
		if (rc)
			rc = err_set(err, rc, "cannot store '%s%s%s/%s': %s", f->path, *f->path ? "/" : "",
				     sub_names[s->sub], s->name, why.msg);
	}
	if (rc)
		tmp[0] = '\0';
	return rc;
}

int apply_content_is(struct apply *a, int dirfd, const char *name, const struct oid *oid)
{
	/* Not blocking: somebody may have put a fifo there. */
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), rc = 0, e;
	struct stat st;
	struct oid is;

	/* A symbolic link, a socket, or a device without a driver: at any rate no message. */
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? 0 : -1;
	if (fstat(fd, &st)) {
		rc = -1;
	} else if (S_ISREG(st.st_mode)) {
		bytes_clear(&a->buf);
		rc = file_read_fd(fd, (size_t)st.st_size, &a->buf);
		if (!rc) {
			a->ops->hash(a->ops->ctx, a->buf.buf, a->buf.len, &is);
			rc = oid_eq(&is, oid);
		}
	}
	e = errno;
	close(fd);
	errno = e;
	return rc;
}

/* The name under a derived key; the info stays if there is room for it. */
static void derive(char *out, const char *name, const struct oid *oid, unsigned attempt)
{
	struct name n;
	size_t len;

	name_parse(&n, name, strlen(name));
	len = name_derive(out, n.s, n.keylen, oid, attempt);
	if (len + n.len - n.keylen <= NAME_LONGEST)
		memcpy(out + len, n.s + n.keylen, n.len - n.keylen + 1);
	else if (n.has_flags)
		name_join(out, out, len, n.flags, NULL, 0);
}

static bool same_inode(int afd, const char *a, int bfd, const char *b)
{
	struct stat sa, sb;

	return !fstatat(afd, a, &sa, AT_SYMLINK_NOFOLLOW) && !fstatat(bfd, b, &sb, AT_SYMLINK_NOFOLLOW) &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* 1 ours is there, 0 something else is, -1 with errno. */
static int is_ours(struct apply *a, struct apply_folder *f, const struct oid *oid, unsigned sub, const char *name,
		   const char *tmp)
{
	if (same_inode(f->sub[sub], name, f->tmp, tmp))
		return 1;
	return apply_content_is(a, f->sub[sub], name, oid);
}

int apply_content_place(struct apply *a, struct apply_folder *f, const struct oid *oid, unsigned sub,
			const char *name, char *tmp, struct err *err)
{
	char derived[NAME_LONGEST + 1];
	const char *to = name;
	unsigned attempt;
	int rc;

	for (attempt = 0; attempt < PLACE_ATTEMPTS; attempt++) {
		if (!file_rename_new(f->tmp, tmp, f->sub[sub], to)) {
			tmp[0] = '\0';
			apply_folder_came(f, sub, to);
			return to == name ? APPLY_DONE : APPLY_DIFFERS;
		}
		if (errno != EEXIST)
			break;
		rc = is_ours(a, f, oid, sub, to, tmp);
		/* Gone again: its name is free now. */
		if (rc < 0 && errno == ENOENT)
			continue;
		if (rc < 0)
			break;
		if (rc) {
			unlinkat(f->tmp, tmp, 0);
			tmp[0] = '\0';
			return to == name ? APPLY_ALREADY : APPLY_DIFFERS;
		}
		derive(derived, name, oid, to == name ? 0 : attempt);
		to = derived;
	}
	if (attempt == PLACE_ATTEMPTS)
		return err_set(err, ERR_AGAIN, "cannot put '%s' in folder '%s': every name for it is taken", name,
			       f->path);
	rc = err_errno(err, "cannot put '%s' in '%s' of folder '%s'", to, sub_names[sub], f->path);
	/* The folder was removed while we had it open. */
	return rc == ERR_NOTFOUND ? ERR_AGAIN : rc;
}
