/*
 * pack.c -- writes many objects into one new pack.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "pack.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "packidx.h"
#include "sha1.h"
#include "zip.h"

#define QUEUE_JOBS 64
#define QUEUE_BYTES ((size_t)8 << 20)
#define HELPERS_MOST 3
#define COPY_SIZE ((size_t)256 << 10)
#define HEADER_SIZE 12

struct job {
	enum objects_type type;
	struct oid oid;
	void *data;
	size_t len;
};

struct pack {
	char *dir, *tmp;
	int fd;
	struct zip zip; /* the caller's; helpers have their own */

	pthread_t helper[HELPERS_MOST];
	unsigned helpers, helpers_most;

	pthread_mutex_t lock; /* for all that follows */
	pthread_cond_t more;  /* there is a job, or no more will come */
	struct job queue[QUEUE_JOBS];
	size_t first, waiting, waiting_bytes;
	unsigned idle; /* helpers without a job */
	bool closed;   /* no more jobs will come */
	int failed;    /* errno of the first failure */
	uint64_t end;  /* where the next entry goes */
	struct packidx_entry *v;
	size_t n, cap;
};

struct pack *pack_open(const char *objdir, struct err *err)
{
	struct pack *p = mem_zalloc(sizeof(*p));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	p->dir = io_join(objdir, "pack");
	p->fd = io_temp(p->dir, "tmp_pack_", 0444, &p->tmp);
	if (p->fd < 0 && errno == ENOENT && mkdir(p->dir, 0777) == 0)
		p->fd = io_temp(p->dir, "tmp_pack_", 0444, &p->tmp);
	if (p->fd < 0) {
		err_errno(err, "cannot make a pack in '%s'", p->dir);
		free(p->dir);
		free(p);
		return NULL;
	}
	p->helpers_most = cpus <= 1 ? 0 : cpus > HELPERS_MOST ? HELPERS_MOST : (unsigned)cpus - 1;
	p->end = HEADER_SIZE;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	return p;
}

/* The header of an entry: type and size, 4 bits of the size in the first byte and 7 in each further one. */
static size_t entry_head(unsigned char out[16], enum objects_type type, size_t len)
{
	size_t n = 0;

	out[n] = (unsigned char)((unsigned)type << 4 | (len & 15));
	for (len >>= 4; len; len >>= 7) {
		out[n++] |= 0x80;
		out[n] = len & 0x7f;
	}
	return n + 1;
}

/* Without the lock; the data is freed. */
static void do_job(struct pack *p, struct job *j, struct zip *z)
{
	struct packidx_entry e = { .oid = j->oid };
	unsigned char head[16];
	size_t headlen = entry_head(head, j->type, j->len);
	int failed = 0;

	zip_run(z, zip_level(j->type, j->len), head, headlen, NULL, 0, j->data, j->len);
	free(j->data);
	e.crc = (uint32_t)crc32_z(0, z->out, z->outlen);
	pthread_mutex_lock(&p->lock);
	e.at = p->end;
	p->end += z->outlen;
	MEM_GROW(p->v, p->n, p->cap);
	p->v[p->n++] = e;
	pthread_mutex_unlock(&p->lock);
	if (io_pwrite(p->fd, z->out, z->outlen, (off_t)e.at) < 0)
		failed = errno;
	if (!failed)
		return;
	pthread_mutex_lock(&p->lock);
	if (!p->failed)
		p->failed = failed;
	pthread_mutex_unlock(&p->lock);
}

/* With the lock. */
static struct job take_job(struct pack *p)
{
	struct job j = p->queue[p->first];

	p->first = (p->first + 1) % QUEUE_JOBS;
	p->waiting--;
	p->waiting_bytes -= j.len;
	return j;
}

static void *help(void *arg)
{
	struct pack *p = arg;
	struct zip z = { 0 };

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job j;

		if (!p->waiting && p->closed)
			break;
		if (!p->waiting) {
			p->idle++;
			pthread_cond_wait(&p->more, &p->lock);
			p->idle--;
			continue;
		}
		j = take_job(p);
		pthread_mutex_unlock(&p->lock);
		do_job(p, &j, &z);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	zip_release(&z);
	return NULL;
}

/* Without the lock. Where no thread can be had the caller does all the work. */
static void start_helper(struct pack *p)
{
	sigset_t all, before;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	if (pthread_create(&p->helper[p->helpers], NULL, help, p) == 0)
		p->helpers++;
	else
		p->helpers_most = p->helpers;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* With the lock, which is given back meanwhile. */
static void do_one(struct pack *p)
{
	struct job j = take_job(p);

	pthread_mutex_unlock(&p->lock);
	do_job(p, &j, &p->zip);
	pthread_mutex_lock(&p->lock);
}

int pack_add(struct pack *p, enum objects_type type, const struct oid *oid, void *data, size_t len,
	     struct err *err)
{
	bool helpless;
	int failed;

	pthread_mutex_lock(&p->lock);
	while (p->waiting == QUEUE_JOBS || (p->waiting && p->waiting_bytes + len > QUEUE_BYTES))
		do_one(p);
	p->queue[(p->first + p->waiting) % QUEUE_JOBS] = (struct job){ type, *oid, data, len };
	p->waiting++;
	p->waiting_bytes += len;
	helpless = !p->idle && p->helpers < p->helpers_most;
	failed = p->failed;
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
	if (helpless)
		start_helper(p);
	errno = failed;
	return failed ? err_errno(err, "cannot write pack '%s'", p->tmp) : 0;
}

/* Does what is left to do (or throws it away), and ends the helpers. */
static void join(struct pack *p, bool drop)
{
	pthread_mutex_lock(&p->lock);
	p->closed = true;
	pthread_cond_broadcast(&p->more);
	while (p->waiting) {
		if (drop)
			free(take_job(p).data);
		else
			do_one(p);
	}
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->helpers; i++)
		pthread_join(p->helper[i], NULL);
}

static void release(struct pack *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->tmp)
		unlink(p->tmp);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	zip_release(&p->zip);
	free(p->v);
	free(p->tmp);
	free(p->dir);
	free(p);
}

void pack_abort(struct pack *p)
{
	if (!p)
		return;
	join(p, true);
	release(p);
}

/*
 * The SHA-1 of the file so far. Its header was not known before the end, so it is read again, from the
 * page cache.
 */
static int sum_up(struct pack *p, unsigned char sha1[SHA1_RAW])
{
	char *buf = mem_alloc(COPY_SIZE);
	struct sha1 sum;
	uint64_t at = 0;
	int ret = 0, failed = 0;

	sha1_begin(&sum);
	while (at < p->end && !ret) {
		size_t want = p->end - at < COPY_SIZE ? (size_t)(p->end - at) : COPY_SIZE;
		ssize_t n = pread(p->fd, buf, want, (off_t)at);

		if (n <= 0) {
			if (n < 0 && errno == EINTR)
				continue;
			failed = n ? errno : EIO;
			ret = -1;
		} else {
			sha1_add(&sum, buf, (size_t)n);
			at += (uint64_t)n;
		}
	}
	sha1_end(&sum, sha1);
	free(buf);
	errno = failed;
	return ret;
}

static int write_ends(struct pack *p, unsigned char sha1[SHA1_RAW], struct err *err)
{
	uint32_t n = (uint32_t)p->n;
	unsigned char head[HEADER_SIZE] = "PACK\0\0\0\2";
	int fd = p->fd;

	for (int i = 0; i < 4; i++)
		head[8 + i] = (unsigned char)(n >> (24 - 8 * i));
	errno = p->failed;
	if (p->failed || io_pwrite(fd, head, sizeof(head), 0) < 0 || sum_up(p, sha1) < 0 ||
	    io_pwrite(fd, sha1, SHA1_RAW, (off_t)p->end) < 0 || fsync(fd) < 0)
		return err_errno(err, "cannot write pack '%s'", p->tmp);
	p->fd = -1;
	if (close(fd) < 0)
		return err_errno(err, "cannot write pack '%s'", p->tmp);
	return 0;
}

/* Writes the index under a temporary name, malloc'ed into *tmp. */
static int write_index(struct pack *p, const unsigned char sha1[SHA1_RAW], char **tmp, struct err *err)
{
	int fd = io_temp(p->dir, "tmp_idx_", 0444, tmp), ret = 0;
	struct bytes b = { 0 };

	if (fd < 0)
		return err_errno(err, "cannot make a pack index in '%s'", p->dir);
	packidx_format(&b, p->v, p->n, sha1);
	if (io_write(fd, b.buf, b.len) < 0 || fsync(fd) < 0)
		ret = err_errno(err, "cannot write pack index '%s'", *tmp);
	if (close(fd) < 0 && !ret)
		ret = err_errno(err, "cannot write pack index '%s'", *tmp);
	bytes_release(&b);
	return ret;
}

int pack_finish(struct pack *p, struct err *err)
{
	char hex[OID_HEX + 1], name[64], *pack = NULL, *idx = NULL, *idx_tmp = NULL;
	struct oid sha1;
	int ret;

	join(p, false);
	ret = write_ends(p, sha1.h, err);
	if (!ret)
		ret = write_index(p, sha1.h, &idx_tmp, err);
	if (ret)
		goto out;
	snprintf(name, sizeof(name), "pack-%s.pack", oid_hex(&sha1, hex));
	pack = io_join(p->dir, name);
	snprintf(name, sizeof(name), "pack-%s.idx", hex);
	idx = io_join(p->dir, name);
	/*
	 * A pack without its index is not there for git, the other way round it is broken: the index
	 * comes last.
	 */
	if (rename(p->tmp, pack) < 0) {
		ret = err_errno(err, "cannot make pack '%s'", pack);
		goto out;
	}
	free(p->tmp);
	p->tmp = NULL;
	if (rename(idx_tmp, idx) < 0)
		ret = err_errno(err, "cannot make pack index '%s'", idx);
	else
		ret = io_sync_dir(p->dir, err);
out:
	if (ret && idx_tmp)
		unlink(idx_tmp);
	free(idx_tmp);
	free(idx);
	free(pack);
	release(p);
	return ret;
}
