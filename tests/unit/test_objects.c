/*
 * test_objects.c -- objects that we write, judged by stock git.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "gitbox.h"

#include <sys/resource.h>
#include <signal.h>

#include "repo/objects.h"
#include "repo/packidx.h"

static struct repo r;
static struct err err;

static int setup(void **state)
{
	if (box_setup(state) || box_sh("git init -q .") || repo_open(&r, box, &err))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	repo_close(&r);
	return box_teardown(state);
}

static void ok(int ret)
{
	if (ret)
		fail_msg("%d: %s", ret, err.msg);
}

/* A message that is like no other: number n, about size bytes. */
static void mail(struct bytes *out, unsigned n, size_t size)
{
	bytes_clear(out);
	bytes_addf(out, "From: ada@example.org\nMessage-Id: <%u@example.org>\n\n", n);
	while (out->len < size)
		bytes_addf(out, "line %zu of message %u\n", out->len, n);
}

static void add_mails(struct objects_batch *b, unsigned from, unsigned to, size_t size)
{
	struct bytes m = { 0 };
	struct oid oid;

	for (unsigned i = from; i < to; i++) {
		mail(&m, i, size);
		ok(objects_add(b, OBJECTS_BLOB, m.buf, m.len, &oid, &err));
	}
	bytes_release(&m);
}

static void assert_mail_is_there(unsigned n, size_t size)
{
	struct bytes m = { 0 }, got = { 0 };
	struct oid oid;

	mail(&m, n, size);
	objects_hash(OBJECTS_BLOB, m.buf, m.len, &oid);
	assert_true(objects_has(&r, &oid));
	ok(objects_read(&r, &oid, OBJECTS_BLOB, &got, &err));
	assert_int_equal(got.len, m.len);
	assert_memory_equal(got.buf, m.buf, m.len);
	bytes_release(&m);
	bytes_release(&got);
}

static int count(const char *what)
{
	return atoi(box_out("git count-objects -v | sed -n 's/^%s: //p'", what));
}

static void assert_sound(void)
{
	assert_string_equal(box_out("git fsck --strict --full 2>&1 | grep -v '^dangling\\|^notice'"), "");
	assert_int_equal(count("garbage"), 0);
}

static void the_ids_are_those_of_git(void **state)
{
	char hex[OID_HEX + 1];
	unsigned char sha1[20];
	struct oid oid;

	(void)state;
	objects_hash(OBJECTS_BLOB, "hello\n", 6, &oid);
	assert_string_equal(oid_hex(&oid, hex), box_out("echo hello | git hash-object --stdin"));
	objects_hash(OBJECTS_TREE, "", 0, &oid);
	assert_string_equal(oid_hex(&oid, hex), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
	objects_sha1("abc", 3, sha1);
	memcpy(oid.h, sha1, 20);
	assert_string_equal(oid_hex(&oid, hex), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

static void a_few_messages_become_loose_objects(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct oid empty;

	(void)state;
	add_mails(b, 0, 5, 3000);
	ok(objects_add(b, OBJECTS_BLOB, NULL, 0, &empty, &err));
	assert_int_equal(count("count"), 0);
	ok(objects_flush(b, &err));
	objects_end(b);
	assert_int_equal(count("count"), 6);
	assert_int_equal(count("packs"), 0);
	assert_string_equal(box_out("find .git/objects -type f ! -perm 0444"), "");
	assert_sound();
	for (unsigned i = 0; i < 5; i++)
		assert_mail_is_there(i, 3000);
	assert_true(objects_has(&r, &empty));
}

static void objects_are_as_private_as_the_umask_wants(void **state)
{
	mode_t old = umask(077);
	struct objects_batch *b = objects_begin(&r);

	(void)state;
	add_mails(b, 0, 1, 100);
	ok(objects_flush(b, &err));
	add_mails(b, 1, 100, 100);
	ok(objects_flush(b, &err));
	objects_end(b);
	umask(old);
	assert_string_equal(box_out("find .git/objects -type f ! -perm 0400"), "");
}

static void many_messages_become_one_pack(void **state)
{
	struct objects_batch *b = objects_begin(&r);

	(void)state;
	add_mails(b, 0, 2000, 5000);
	add_mails(b, 0, 2000, 5000);
	ok(objects_flush(b, &err));
	objects_end(b);
	assert_int_equal(count("count"), 0);
	assert_int_equal(count("packs"), 1);
	assert_int_equal(count("in-pack"), 2000);
	assert_sound();
	must("git verify-pack .git/objects/pack/*.idx");
	must("git index-pack -o .git/again.idx .git/objects/pack/*.pack >.git/again.out");
	for (unsigned i = 0; i < 2000; i += 37)
		assert_mail_is_there(i, 5000);
}

static void a_batch_goes_on_after_a_flush_and_writes_nothing_twice(void **state)
{
	struct objects_batch *b = objects_begin(&r);

	(void)state;
	ok(objects_flush(b, &err));
	add_mails(b, 0, 3, 100);
	ok(objects_flush(b, &err));
	add_mails(b, 0, 100, 100);
	ok(objects_flush(b, &err));
	assert_int_equal(count("count"), 3);
	assert_int_equal(count("in-pack"), 97);
	add_mails(b, 0, 100, 100);
	ok(objects_flush(b, &err));
	assert_int_equal(count("packs"), 1);
	assert_int_equal(count("count"), 3);
	objects_end(b);
	assert_sound();
}

static void messages_of_every_awkward_size_survive(void **state)
{
	static const size_t sizes[] = { 1, 15, 16, 2047, 2048, 65535, 65536, (4 << 20) - 1, 4 << 20, 9 << 20 };
	size_t n = sizeof(sizes) / sizeof(*sizes);
	struct objects_batch *b = objects_begin(&r);
	char *noise = mem_alloc(9 << 20);
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < (9 << 20); i++) {
		x = x * 1664525 + 1013904223;
		noise[i] = (char)(x >> 24);
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i++) {
			struct bytes got = { 0 };
			struct oid oid;

			ok(objects_add(b, OBJECTS_BLOB, noise + pass, sizes[i] - (size_t)pass, &oid, &err));
			/* One at a time first, then all in a pack. */
			if (!pass) {
				ok(objects_flush(b, &err));
				ok(objects_read(&r, &oid, OBJECTS_BLOB, &got, &err));
				assert_int_equal(got.len, sizes[i]);
				assert_memory_equal(got.buf, noise, got.len);
			}
			bytes_release(&got);
		}
		ok(objects_flush(b, &err));
	}
	objects_end(b);
	free(noise);
	assert_sound();
}

static void a_large_tree_is_stored_and_git_reads_it(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct bytes tree = { 0 };
	char hex[OID_HEX + 1];
	struct oid oid, blob;

	(void)state;
	ok(objects_add(b, OBJECTS_BLOB, "x", 1, &blob, &err));
	for (unsigned n = 2000; n <= 80000; n *= 40) {
		bytes_clear(&tree);
		for (unsigned i = 0; i < n; i++) {
			bytes_addf(&tree, "100644 17954328%08u.M105140P16343.vm,S=112,W=119:2,S", i);
			bytes_add(&tree, "", 1);
			bytes_add(&tree, blob.h, OID_RAW);
		}
		ok(objects_add(b, OBJECTS_TREE, tree.buf, tree.len, &oid, &err));
		ok(objects_flush(b, &err));
		assert_int_equal(atoi(box_out("git ls-tree %s | wc -l", oid_hex(&oid, hex))), n);
	}
	objects_end(b);
	bytes_release(&tree);
	assert_int_equal(count("packs"), 0);
	assert_sound();
}

static void what_is_not_flushed_leaves_nothing_behind(void **state)
{
	struct objects_batch *b = objects_begin(&r);

	(void)state;
	add_mails(b, 0, 3, 100);
	objects_end(b);
	b = objects_begin(&r);
	add_mails(b, 0, 500, 50000);
	assert_string_not_equal(box_out("find .git/objects -name 'tmp_pack_*'"), "");
	objects_end(b);
	assert_string_equal(box_out("find .git/objects -type f"), "");
	objects_end(NULL);
}

static void a_full_disk_is_told_and_leaves_nothing_behind(void **state)
{
	struct rlimit old, tight;
	struct objects_batch *b = objects_begin(&r);
	struct bytes m = { 0 };
	struct oid oid;
	int ret = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 100000;
	setrlimit(RLIMIT_FSIZE, &tight);
	for (unsigned i = 0; i < 4000 && !ret; i++) {
		mail(&m, i, 5000);
		ret = objects_add(b, OBJECTS_BLOB, m.buf, m.len, &oid, &err);
	}
	if (!ret)
		ret = objects_flush(b, &err);
	assert_int_equal(ret, ERR_FAIL);
	assert_non_null(strstr(err.msg, "cannot write pack"));
	assert_int_equal(objects_flush(b, &err), ERR_FAIL);
	assert_int_equal(objects_add(b, OBJECTS_BLOB, "y", 1, &oid, &err), ERR_FAIL);
	objects_end(b);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_string_equal(box_out("find .git/objects -type f"), "");
	bytes_release(&m);
}

static void what_is_missing_or_of_another_type_or_broken_is_told_apart(void **state)
{
	struct objects_batch *b = objects_begin(&r);
	struct bytes got = { 0 };
	char hex[OID_HEX + 1];
	struct oid blob, other;

	(void)state;
	ok(objects_add(b, OBJECTS_BLOB, "hello", 5, &blob, &err));
	objects_hash(OBJECTS_BLOB, "nobody", 6, &other);
	ok(objects_flush(b, &err));
	objects_end(b);
	assert_false(objects_has(&r, &other));
	assert_int_equal(objects_read(&r, &other, OBJECTS_BLOB, &got, &err), ERR_NOTFOUND);
	assert_int_equal(objects_read(&r, &blob, OBJECTS_TREE, &got, &err), ERR_FAIL);
	oid_hex(&blob, hex);
	must("f=.git/objects/%.2s/%s; chmod u+w $f; echo garbage >$f", hex, hex + 2);
	assert_int_equal(objects_read(&r, &blob, OBJECTS_BLOB, &got, &err), ERR_FAIL);
	assert_int_equal(got.len, 0);
	bytes_release(&got);
}

static void an_old_object_that_is_used_again_is_young_again(void **state)
{
	struct objects_batch *b = objects_begin(&r);

	(void)state;
	add_mails(b, 0, 1, 100);
	ok(objects_flush(b, &err));
	add_mails(b, 1, 101, 100);
	ok(objects_flush(b, &err));
	must("find .git/objects -type f | xargs touch -d 2001-01-01");
	add_mails(b, 0, 101, 100);
	ok(objects_flush(b, &err));
	objects_end(b);
	assert_string_equal(box_out("find .git/objects -type f ! -name '*.idx' -mtime +1"), "");
}

static void a_pack_larger_than_two_gigabytes_has_a_right_index(void **state)
{
	struct packidx_entry v[3] = { { .crc = 7, .at = 12 }, { .crc = 8, .at = 0x7fffffff }, { .crc = 9, .at = 0x123456789a } };
	unsigned char sha1[20] = { 1, 2, 3 };
	struct bytes b = { 0 };
	FILE *f;

	(void)state;
	memset(v[0].oid.h, 0xff, 20);
	memset(v[1].oid.h, 0x11, 20);
	packidx_format(&b, v, 3, sha1);
	f = fopen(box_path("x.idx"), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(b.buf, 1, b.len, f), b.len);
	fclose(f);
	bytes_release(&b);
	assert_string_equal(box_out("git show-index <x.idx"), "78187493530 0000000000000000000000000000000000000000 (00000009)\n"
							      "2147483647 1111111111111111111111111111111111111111 (00000008)\n"
							      "12 ffffffffffffffffffffffffffffffffffffffff (00000007)");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_ids_are_those_of_git),
		T(a_few_messages_become_loose_objects),
		T(objects_are_as_private_as_the_umask_wants),
		T(many_messages_become_one_pack),
		T(a_batch_goes_on_after_a_flush_and_writes_nothing_twice),
		T(messages_of_every_awkward_size_survive),
		T(a_large_tree_is_stored_and_git_reads_it),
		T(what_is_not_flushed_leaves_nothing_behind),
		T(a_full_disk_is_told_and_leaves_nothing_behind),
		T(what_is_missing_or_of_another_type_or_broken_is_told_apart),
		T(an_old_object_that_is_used_again_is_young_again),
		T(a_pack_larger_than_two_gigabytes_has_a_right_index),
	};

	return cmocka_run_group_tests_name("objects", tests, NULL, NULL);
}
