/*
 * loose.h -- writes objects into files of their own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOSE_H
#define LOOSE_H

#include "objects.h"
#include "zip.h"

/* loose_write: writes the object to objdir/xx/, its content durable, its name not before loose_sync(). */
int loose_write(const char *objdir, enum objects_type type, const struct oid *oid, const void *buf,
		size_t len, struct zip *z, struct err *err);

/* loose_sync: makes the names in objdir/xx/ durable, where xx is the first byte of an id. */
int loose_sync(const char *objdir, unsigned char first, struct err *err);

#endif
