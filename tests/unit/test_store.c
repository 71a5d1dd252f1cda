/*
 * test_store.c -- one side as data, and the memory it lives in.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/err.h"
#include "core/store.h"

static const struct oid one = { { 1 } };

static void add(struct store *s, const char *path)
{
	store_add_path(s, path, strlen(path), &one, 0100644);
}

static void assert_sorted(const struct store *s)
{
	size_t i, j, k;

	for (i = 0; i < s->nfolders; i++) {
		if (i)
			assert_true(strcmp(s->folders[i - 1].path, s->folders[i].path) < 0);
		for (k = 0; k < 2; k++)
			for (j = 1; j < s->folders[i].sub[k].n; j++)
				assert_true(strcmp(s->folders[i].sub[k].v[j - 1].name,
						   s->folders[i].sub[k].v[j].name) <= 0);
	}
	for (i = 1; i < s->nfiles; i++)
		assert_true(strcmp(s->files[i - 1].path, s->files[i].path) < 0);
}

static void every_entry_of_a_tree_goes_where_it_belongs(void **state)
{
	static const char *const paths[] = {
		".gitattributes", ".gitmaildir", ".Work/.gitmaildir", ".Work/cur/2:2,S", ".Work/cur/1,S=3:2,",
		".Work/new/3", "cur/1:2,S", "subscriptions", "dovecot-uidlist", "tmp/1", "cur/dir/1",
		".Work/dovecot.index.log", "cur/.hidden", "../x",
	};
	struct store s = { 0 };
	const struct folder *work;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		add(&s, paths[i]);
	store_sort(&s);
	assert_sorted(&s);
	assert_int_equal(s.nfolders, 2);
	assert_int_equal(s.nfiles, 5);
	assert_int_equal(store_msg_count(&s), 4);
	work = store_find_folder(&s, ".Work");
	assert_non_null(work);
	assert_int_equal(work->sub[NAME_CUR].n, 2);
	assert_string_equal(work->sub[NAME_CUR].v[0].name, "1,S=3:2,");
	assert_int_equal(work->sub[NAME_CUR].v[0].len, 8);
	assert_int_equal(work->sub[NAME_CUR].v[0].keylen, 5);
	assert_int_equal(work->sub[NAME_CUR].v[0].sub, NAME_CUR);
	assert_int_equal(work->sub[NAME_NEW].n, 1);
	assert_int_equal(store_find_folder(&s, "")->sub[NAME_CUR].n, 1);
	assert_int_equal(store_find_file(&s, ".Work/.gitmaildir")->class, PATH_MARKER);
	assert_int_equal(store_find_file(&s, "subscriptions")->class, PATH_SUBSCRIPTIONS);
	assert_int_equal(store_find_file(&s, ".gitattributes")->class, PATH_FILE);
	assert_int_equal(store_find_file(&s, "dovecot-uidlist")->class, PATH_UIDLIST);
	assert_null(store_find_folder(&s, ".Wor"));
	assert_null(store_find_folder(&s, ".Work.Projects"));
	store_release(&s);
}

static void an_empty_store_holds_nothing(void **state)
{
	struct store s = { 0 };

	(void)state;
	store_sort(&s);
	assert_int_equal(store_msg_count(&s), 0);
	assert_null(store_find_folder(&s, ""));
	assert_null(store_find_file(&s, "x"));
	store_release(&s);
	store_release(&s);
}

/* git sorts "a.b/" before "a/", we sort "a" before "a.b": a tree comes nearly, but not quite, in our order. */
static void folders_are_in_order_however_they_come(void **state)
{
	struct store s = { 0 };
	char path[32];
	unsigned i;

	(void)state;
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), ".F%u.sub/cur/1:2,", i * 7919 % 3000);
		add(&s, path);
		snprintf(path, sizeof(path), ".F%u/cur/%u:2,", i * 7919 % 3000, i);
		add(&s, path);
		add(&s, path);
	}
	store_sort(&s);
	assert_sorted(&s);
	assert_int_equal(s.nfolders, 6000);
	assert_int_equal(store_msg_count(&s), 9000);
	for (i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), ".F%u", i);
		assert_int_equal(store_find_folder(&s, path)->sub[NAME_CUR].n, 2);
	}
	store_release(&s);
}

static void messages_and_files_are_in_bytewise_order(void **state)
{
	static const char *const names[] = { "\xff:2,", "b", "a:2,S", "a,S=1:2,", "a", "Z" };
	struct store s = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		store_add_msg(store_folder(&s, "Work", 4), NAME_CUR, names[i], strlen(names[i]), &one);
		store_add_file(&s, names[i], &one, 0100755, PATH_FILE);
	}
	store_sort(&s);
	assert_sorted(&s);
	assert_string_equal(s.folders[0].sub[NAME_CUR].v[0].name, "Z");
	assert_string_equal(s.folders[0].sub[NAME_CUR].v[5].name, "\xff:2,");
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(store_find_file(&s, names[i])->mode, 0100755);
	store_release(&s);
}

static void a_name_of_255_bytes_fits(void **state)
{
	struct store s = { 0 };
	char path[4 + NAME_LONGEST + 1] = "cur/";

	(void)state;
	memset(path + 4, 'x', NAME_LONGEST);
	add(&s, path);
	assert_int_equal(s.folders[0].sub[NAME_CUR].v[0].len, 255);
	assert_int_equal(s.folders[0].sub[NAME_CUR].v[0].keylen, 255);
	store_release(&s);
}

static void an_arena_keeps_everything_until_it_is_released(void **state)
{
	struct arena a = { 0 };
	char *kept[2000];
	char text[32];
	size_t i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		uint64_t *number = arena_alloc(&a, sizeof(*number) * (1 + i % 3));

		assert_int_equal((uintptr_t)number % _Alignof(max_align_t), 0);
		*number = i;
		if (i % 100 == 0)
			memset(arena_alloc(&a, 100000), 0xaa, 100000);
		snprintf(text, sizeof(text), "%zu", i);
		kept[i] = i % 2 ? arena_printf(&a, "%zu", i) : arena_strn(&a, text, strlen(text));
	}
	for (i = 0; i < 2000; i++)
		assert_int_equal(strtoul(kept[i], NULL, 10), i);
	arena_release(&a);
	assert_string_equal(arena_strn(&a, "", 0), "");
	arena_release(&a);
}

static void a_buffer_grows_and_ends_in_a_nul(void **state)
{
	struct bytes b = { 0 };
	size_t i;

	(void)state;
	bytes_add(&b, NULL, 0);
	assert_string_equal(b.buf, "");
	for (i = 0; i < 1000; i++)
		bytes_addf(&b, "%03zu", i);
	bytes_addstr(&b, "end");
	assert_int_equal(b.len, 3003);
	assert_string_equal(b.buf + 2997, "999end");
	bytes_clear(&b);
	assert_string_equal(b.buf, "");
	memcpy(bytes_reserve(&b, 3), "abc", 3);
	b.len += 3;
	assert_memory_equal(b.buf, "abc", 3);
	bytes_release(&b);
	assert_null(b.buf);
}

static void ids_are_read_and_written_in_hex(void **state)
{
	static const char hex[] = "c88e7e340123456789abcdef0123456789abcdef";
	char out[OID_HEX + 1];
	struct oid o = { { 0 } };

	(void)state;
	assert_true(oid_is_zero(&o));
	assert_true(oid_parse(&o, hex));
	assert_string_equal(oid_hex(&o, out), hex);
	assert_true(oid_parse(&o, "C88E7E340123456789ABCDEF0123456789ABCDEF and more"));
	assert_string_equal(oid_hex(&o, out), hex);
	assert_false(oid_parse(&o, "c88e7e34"));
	assert_false(oid_parse(&o, "c88e7e340123456789abcdef0123456789abcdeg"));
	assert_string_equal(oid_hex(&o, out), hex);
}

static void a_list_of_ids_is_sorted_and_has_none_twice(void **state)
{
	struct oids l = { 0 };
	struct oid o = { { 0 } };
	unsigned i;

	(void)state;
	oids_sort(&l);
	for (i = 0; i < 100; i++) {
		o.h[3] = (unsigned char)(i * 37 % 50);
		oids_add(&l, &o);
	}
	oids_sort(&l);
	assert_int_equal(l.n, 50);
	for (i = 0; i < 50; i++)
		assert_int_equal(l.v[i].h[3], i);
	oids_release(&l);
}

static void an_error_is_one_printable_line(void **state)
{
	struct err e = { 0 };
	char longer[3000];

	(void)state;
	assert_int_equal(err_set(&e, ERR_UNSAFE, "bad name '%s'", "a\nb\033[1m"), ERR_UNSAFE);
	assert_int_equal(e.code, ERR_UNSAFE);
	assert_string_equal(e.msg, "bad name 'a?b?[1m'");
	err_set(&e, e.code, "mx2: %s", e.msg);
	assert_string_equal(e.msg, "mx2: bad name 'a?b?[1m'");
	assert_int_equal(err_set(NULL, ERR_BUSY, "x"), ERR_BUSY);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&e, ERR_FAIL, "%s", longer);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

static void an_error_of_the_system_says_what_and_why(void **state)
{
	struct err e = { 0 };

	(void)state;
	errno = EACCES;
	assert_int_equal(err_errno(&e, "cannot open '%s'", "cur"), ERR_FAIL);
	assert_string_equal(e.msg, "cannot open 'cur': Permission denied");
	assert_int_equal(errno, EACCES);
	errno = ENOSPC;
	assert_int_equal(err_errno(&e, "x"), ERR_NOSPACE);
	errno = EDQUOT;
	assert_int_equal(err_errno(NULL, "x"), ERR_NOSPACE);
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "x"), ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_entry_of_a_tree_goes_where_it_belongs),
		cmocka_unit_test(an_empty_store_holds_nothing),
		cmocka_unit_test(folders_are_in_order_however_they_come),
		cmocka_unit_test(messages_and_files_are_in_bytewise_order),
		cmocka_unit_test(a_name_of_255_bytes_fits),
		cmocka_unit_test(an_arena_keeps_everything_until_it_is_released),
		cmocka_unit_test(a_buffer_grows_and_ends_in_a_nul),
		cmocka_unit_test(ids_are_read_and_written_in_hex),
		cmocka_unit_test(a_list_of_ids_is_sorted_and_has_none_twice),
		cmocka_unit_test(an_error_is_one_printable_line),
		cmocka_unit_test(an_error_of_the_system_says_what_and_why),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
