/*
 * err.h -- the one shape of an error.
 *
 * A function that can fail returns 0 or one of the negative codes below, and then
 * its last argument holds one line for people: lower case, no full stop, what
 * failed first and the thing in single quotes ("cannot open 'cur': Permission
 * denied"). A function that calls another passes the error on, or sets a clearer
 * one. Only cmd/ prints it, and only cmd/exit.c turns the code into an exit status.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ERR_H
#define ERR_H

enum err_code {
	ERR_FAIL = -1,	      /* the general case */
	ERR_AGAIN = -2,	      /* the world moved underneath; do the whole step again */
	ERR_NOTFOUND = -3,    /* the thing asked for is not there */
	ERR_BUSY = -4,	      /* somebody else holds a lock, and kept it for too long */
	ERR_UNSAFE = -5,      /* a tree or name that must never reach a disk */
	ERR_UNREACHABLE = -6, /* a peer did not answer, refused, or died half-way */
	ERR_NOSPACE = -7,     /* disk full or quota exceeded */
	ERR_NOTMEMBER = -8,   /* not a Maildir, or no repository of ours */
	ERR_ENV = -9	      /* git missing or too old, wrong owner: the administrator must act */
};

struct err {
	int code;
	char msg[1024];
};

/* err_set: fills e (which may be NULL) and returns code, so that "return err_set(...)" reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * err_errno: as err_set with ": <strerror(errno)>" at the end. The code is ERR_NOSPACE for ENOSPC and EDQUOT,
 * ERR_NOTFOUND for ENOENT, else ERR_FAIL. Keeps errno.
 */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
