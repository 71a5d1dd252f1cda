/*
 * objects.c -- reads and writes git objects, durably and fast.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "objects.h"

#include <git2/sys/odb_backend.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/hash.h"
#include "loose.h"
#include "pack.h"
#include "sha1.h"
#include "zip.h"

/*
 * From here on a batch goes into a pack: more loose files would cost more fsyncs than a pack does, and
 * git gc would come sooner. The one large tree of a change in a large folder stays loose: a pack would hash it
 * a second time.
 */
#define PACK_OBJECTS 32
#define PACK_BYTES ((size_t)16 << 20)

static const char *const type_name[] = {
	[OBJECTS_COMMIT] = "commit",
	[OBJECTS_TREE] = "tree",
	[OBJECTS_BLOB] = "blob",
};

void objects_sha1(const void *buf, size_t len, unsigned char out[20])
{
	sha1_of(out, buf, len, NULL, 0);
}

void objects_hash(enum objects_type type, const void *buf, size_t len, struct oid *out)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s %zu", type_name[type], len) + 1;

	sha1_of(out->h, head, (size_t)n, buf, len);
}

int objects_open(struct repo *r, const struct oid *oid, enum objects_type type, struct objects_view *out,
		 struct err *err)
{
	char hex[OID_HEX + 1];
	git_oid id;
	int rc;

	memset(out, 0, sizeof(*out));
	git_oid_fromraw(&id, oid->h);
	rc = git_odb_read(&out->obj, r->odb, &id);
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NOTFOUND, "object '%s' is not there", oid_hex(oid, hex));
	if (rc < 0)
		return repo_git_err(err, ERR_FAIL, "cannot read object '%s'", oid_hex(oid, hex));
	if ((int)git_odb_object_type(out->obj) != (int)type) {
		objects_close(out);
		return err_set(err, ERR_FAIL, "object '%s' is no %s", oid_hex(oid, hex), type_name[type]);
	}
	out->buf = git_odb_object_data(out->obj);
	out->len = git_odb_object_size(out->obj);
	return 0;
}

void objects_close(struct objects_view *v)
{
	git_odb_object_free(v->obj);
	memset(v, 0, sizeof(*v));
}

int objects_read(struct repo *r, const struct oid *oid, enum objects_type type, struct bytes *out,
		 struct err *err)
{
	struct objects_view v;
	int ret = objects_open(r, oid, type, &v, err);

	if (ret)
		return ret;
	bytes_add(out, v.buf, v.len);
	objects_close(&v);
	return 0;
}

bool objects_has(struct repo *r, const struct oid *oid)
{
	git_oid id;

	git_oid_fromraw(&id, oid->h);
	return git_odb_exists(r->odb, &id) == 1;
}

/* An object that waits for the decision between loose and packed. */
struct pending {
	enum objects_type type;
	struct oid oid;
	void *data;
	size_t len;
};

struct objects_batch {
	struct repo *r;
	char *objdir;
	struct oids seen; /* what need not be written again */
	struct hash_table by_oid;
	size_t by_oid_room;
	struct pending pending[PACK_OBJECTS];
	size_t npending, pending_bytes;
	struct pack *pack; /* then nothing is pending */
	struct zip zip;
	struct err failed; /* code 0: nothing failed so far */
};

struct objects_batch *objects_begin(struct repo *r)
{
	struct objects_batch *b = mem_zalloc(sizeof(*b));

	b->r = r;
	return b;
}

static void drop(struct objects_batch *b)
{
	for (size_t i = 0; i < b->npending; i++)
		free(b->pending[i].data);
	b->npending = 0;
	b->pending_bytes = 0;
	pack_abort(b->pack);
	b->pack = NULL;
	oids_release(&b->seen);
	if (b->by_oid_room)
		hash_release(&b->by_oid);
	b->by_oid_room = 0;
}

void objects_end(struct objects_batch *b)
{
	if (!b)
		return;
	drop(b);
	zip_release(&b->zip);
	free(b->objdir);
	free(b);
}

static uint32_t oid_hash(const struct oid *oid)
{
	uint32_t h;

	memcpy(&h, oid->h, sizeof(h));
	return h;
}

static bool seen(const struct objects_batch *b, const struct oid *oid)
{
	size_t it = 0, at;

	if (!b->by_oid_room)
		return false;
	while (hash_next(&b->by_oid, oid_hash(oid), &it, &at))
		if (oid_eq(&b->seen.v[at], oid))
			return true;
	return false;
}

static void note_seen(struct objects_batch *b, const struct oid *oid)
{
	if (b->seen.n == b->by_oid_room) {
		if (b->by_oid_room)
			hash_release(&b->by_oid);
		b->by_oid_room = b->by_oid_room ? b->by_oid_room * 4 : 64;
		hash_init(&b->by_oid, b->by_oid_room);
		for (size_t i = 0; i < b->seen.n; i++)
			hash_add(&b->by_oid, oid_hash(&b->seen.v[i]), i);
	}
	hash_add(&b->by_oid, oid_hash(oid), b->seen.n);
	oids_add(&b->seen, oid);
}

/*
 * Whether the repository has the object, and it is new from now on: what nothing refers to is removed by
 * git gc when it is old. Unlike git_odb_exists() this does not read the list of packs again for every
 * object that is not there.
 */
static bool refresh(struct objects_batch *b, const struct oid *oid)
{
	size_t n = git_odb_num_backends(b->r->odb);
	git_odb_backend *be;
	git_oid id;

	git_oid_fromraw(&id, oid->h);
	for (size_t i = 0; i < n; i++)
		if (git_odb_get_backend(&be, b->r->odb, i) == 0 && be->freshen && be->freshen(be, &id) == 0)
			return true;
	return false;
}

static int find_objdir(struct objects_batch *b, struct err *err)
{
	git_buf buf = GIT_BUF_INIT;
	size_t len;

	if (b->objdir)
		return 0;
	if (git_repository_item_path(&buf, b->r->git, GIT_REPOSITORY_ITEM_OBJECTS) < 0)
		return repo_git_err(err, ERR_FAIL, "cannot find the objects of '%s'", b->r->gitdir);
	len = strlen(buf.ptr);
	while (len > 1 && buf.ptr[len - 1] == '/')
		len--;
	b->objdir = mem_zalloc(len + 1);
	memcpy(b->objdir, buf.ptr, len);
	git_buf_dispose(&buf);
	return 0;
}

static int start_pack(struct objects_batch *b, struct err *err)
{
	size_t i;
	int ret = 0;

	b->pack = pack_open(b->objdir, err);
	if (!b->pack)
		return err->code;
	for (i = 0; i < b->npending; i++) {
		struct pending *p = &b->pending[i];
		int rc = pack_add(b->pack, p->type, &p->oid, p->data, p->len, ret ? NULL : err);

		ret = ret ? ret : rc;
	}
	b->npending = 0;
	b->pending_bytes = 0;
	return ret;
}

/* data is malloc'ed and the batch's from now on. */
static int add(struct objects_batch *b, enum objects_type type, void *data, size_t len, const struct oid *oid,
	       struct err *err)
{
	int ret = find_objdir(b, err);

	if (!ret && !b->pack && (b->npending == PACK_OBJECTS - 1 || b->pending_bytes + len >= PACK_BYTES))
		ret = start_pack(b, err);
	if (ret) {
		free(data);
		return ret;
	}
	if (b->pack)
		return pack_add(b->pack, type, oid, data, len, err);
	b->pending[b->npending++] = (struct pending){ type, *oid, data, len };
	b->pending_bytes += len;
	return 0;
}

/* What failed once leaves holes, so the batch can never be flushed afterwards. */
static int give_up(struct objects_batch *b, struct err *err)
{
	drop(b);
	return err_set(err, b->failed.code, "%s", b->failed.msg);
}

/* Computes the id; 1 when the object is to be written, 0 when it is there. */
static int is_new(struct objects_batch *b, enum objects_type type, const void *buf, size_t len,
		  struct oid *out, struct err *err)
{
	objects_hash(type, buf, len, out);
	if (b->failed.code)
		return err_set(err, b->failed.code, "%s", b->failed.msg);
	if (seen(b, out))
		return 0;
	note_seen(b, out);
	/* What a peer sent as the same object takes its room as well. */
	b->r->written += len;
	return !refresh(b, out);
}

int objects_add(struct objects_batch *b, enum objects_type type, const void *buf, size_t len, struct oid *out,
		struct err *err)
{
	int ret = is_new(b, type, buf, len, out, err);
	void *copy;

	if (ret <= 0)
		return ret;
	copy = mem_alloc(len);
	if (len)
		memcpy(copy, buf, len);
	return add(b, type, copy, len, out, &b->failed) < 0 ? give_up(b, err) : 0;
}

int objects_give(struct objects_batch *b, enum objects_type type, struct bytes *data, struct oid *out,
		 struct err *err)
{
	int ret = is_new(b, type, data->buf, data->len, out, err);

	if (ret <= 0) {
		bytes_release(data);
		return ret;
	}
	ret = add(b, type, data->buf, data->len, out, &b->failed);
	memset(data, 0, sizeof(*data));
	return ret < 0 ? give_up(b, err) : 0;
}

static int flush_loose(struct objects_batch *b, struct err *err)
{
	bool touched[256] = { false };
	int ret = 0;

	for (size_t i = 0; i < b->npending && !ret; i++) {
		const struct pending *p = &b->pending[i];

		ret = loose_write(b->objdir, p->type, &p->oid, p->data, p->len, &b->zip, err);
		touched[p->oid.h[0]] = true;
	}
	for (unsigned first = 0; first < 256 && !ret; first++)
		if (touched[first])
			ret = loose_sync(b->objdir, (unsigned char)first, err);
	return ret;
}

static int flush_pack(struct objects_batch *b, struct err *err)
{
	struct pack *p = b->pack;
	int ret;

	b->pack = NULL;
	ret = pack_finish(p, err);
	if (!ret && git_odb_refresh(b->r->odb) < 0)
		ret = repo_git_err(err, ERR_FAIL, "cannot open the new pack in '%s'", b->objdir);
	return ret;
}

int objects_flush(struct objects_batch *b, struct err *err)
{
	int ret = 0;

	if (b->failed.code)
		return err_set(err, b->failed.code, "%s", b->failed.msg);
	if (b->pack)
		ret = flush_pack(b, &b->failed);
	else if (b->npending)
		ret = flush_loose(b, &b->failed);
	if (ret)
		return give_up(b, err);
	drop(b);
	return 0;
}
