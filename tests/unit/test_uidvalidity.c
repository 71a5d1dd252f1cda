/*
 * test_uidvalidity.c -- the last UIDVALIDITY: read, merged, raised beside a server, never lowered.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "applybox.h"

#include "core/merge.h"
#include "core/uidvalidity.h"

#define FILE_NAME UIDVALIDITY_NAME
#define MARKER(v) UIDVALIDITY_NAME "." v

static void eight_digits_are_a_number_and_all_else_is_none(void **state)
{
	static const struct {
		const char *text;
		uint32_t value;
	} rows[] = {
		{ "6b0e2a11", 0x6b0e2a11 }, { "6B0E2A11\n", 0x6b0e2a11 }, { "ffffffff", 0xffffffff }, { "00000001 \r\n", 1 },
		{ "", 0 }, { "1", 0 }, { "6b0e2a1", 0 }, { "6b0e2a111", 0 }, { " 6b0e2a1", 0 }, { "6b0e2a1g", 0 }, { "-0000001", 0 },
	};
	char digits[UIDVALIDITY_DIGITS + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(uidvalidity_parse(rows[i].text, strlen(rows[i].text)), rows[i].value);
	assert_int_equal(uidvalidity_parse("0000001\0", 8), 0);
	assert_string_equal(uidvalidity_format(digits, 0x6B0e), "00006b0e");
}

static void assert_merged(const char *base, const char *a, const char *b, const char *want)
{
	struct bytes in[3] = { { 0 } }, out = { 0 };

	bytes_addstr(&in[0], base ? base : "");
	bytes_addstr(&in[1], a);
	bytes_addstr(&in[2], b);
	assert_int_equal(merge_file_content(PATH_UIDVALIDITY, base ? &in[0] : NULL, &in[1], &in[2], NULL, NULL, &out), 0);
	assert_string_equal(out.buf, want);
	for (int i = 0; i < 3; i++)
		bytes_release(&in[i]);
	bytes_release(&out);
}

static void of_two_the_larger_counts_whatever_was_before(void **state)
{
	(void)state;
	assert_merged(NULL, "0000000a", "00000009", "0000000a");
	assert_merged("0000000b", "0000000B", "00000009\n", "0000000b");
	assert_merged("0000000b", "junk", "00000009", "00000009");
	assert_merged(NULL, "", "", "00000000");
}

static int store_write(void *ctx, const char *buf, size_t len, struct oid *oid, struct err *err)
{
	char *text = strndup(buf, len);

	(void)ctx;
	(void)err;
	*oid = blob(text);
	free(text);
	return 0;
}

static void side(struct store *s, const char *text, const char *other)
{
	struct oid oid = blob("x");

	/* A side that changed nothing at all is not merged, so each has something of its own. */
	store_add_file(s, other, &oid, 0100644, PATH_FILE);
	if (text) {
		oid = blob(text);
		store_add_file(s, FILE_NAME, &oid, 0100644, PATH_UIDVALIDITY);
	}
	store_sort(s);
}

/* NULL: the side does not have it. */
static void assert_stores_merged(const char *base, const char *a, const char *b, const char *want)
{
	const struct merge_ops merge = { .read = blob_read, .write = store_write };
	struct merge_opts opts = { 0 };
	int way;

	for (way = 0; way < 2; way++) {
		struct store s[3] = { { 0 } }, out = { 0 };
		const struct file *f;
		struct oid oid;
		struct err err;

		side(&s[0], base, "before");
		side(&s[1], a, "a");
		side(&s[2], b, "b");
		assert_int_equal(merge_stores(&out, &s[0], &s[1 + way], &s[2 - way], &merge, &opts, &err), 0);
		f = store_find_file(&out, FILE_NAME);
		assert_int_equal(f != NULL, want != NULL);
		if (f) {
			oid = blob(want);
			assert_true(oid_eq(&f->oid, &oid));
		}
		store_release(&out);
		for (int i = 0; i < 3; i++)
			store_release(&s[i]);
	}
}

static void it_stays_as_long_as_one_member_has_it(void **state)
{
	(void)state;
	assert_stores_merged("0000000a", "0000000b", "0000000c", "0000000c");
	assert_stores_merged("0000000c", "0000000b", "0000000c", "0000000c");
	assert_stores_merged("0000000a", NULL, "0000000a", "0000000a");
	assert_stores_merged(NULL, NULL, "0000000a", "0000000a");
	assert_stores_merged("0000000a", NULL, NULL, NULL);
}

static void the_first_one_comes_with_its_marker(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	put(&p, FILE_NAME, NULL, "0000000a");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, FILE_NAME, "0000000a");
	assert_int_equal(stat_of(b, MARKER("0000000a")).st_mode & 07777, 0444);
	assert_int_equal(stat_of(b, MARKER("0000000a")).st_size, 0);
}

static void a_larger_one_moves_the_marker(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	ino_t ino;

	box_folder(b, "");
	box_file(b, FILE_NAME, "0000000a");
	box_file(b, MARKER("0000000a"), "");
	ino = stat_of(b, MARKER("0000000a")).st_ino;
	put(&p, FILE_NAME, "0000000a", "0000000c");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, FILE_NAME, "0000000c");
	assert_int_equal(stat_of(b, MARKER("0000000c")).st_ino, ino);
	assert_false(box_has(b, MARKER("0000000a")));
	assert_int_equal(box_count(b, "tmp"), 0);
}

static void it_is_never_lowered(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };
	char *before, *after;

	box_folder(b, "");
	box_file(b, FILE_NAME, "0000000a");
	/* Dovecot was killed after it moved the marker, or is about to write the file. */
	box_file(b, MARKER("0000000e"), "");
	box_file(b, MARKER("00000002"), "");
	box_file(b, MARKER("junk"), "");
	before = snapshot(b);
	put(&p, FILE_NAME, "0000000a", "00000009");
	put(&p, FILE_NAME, "0000000a", "0000000c");
	put(&p, FILE_NAME, "0000000a", "junk");
	unl(&p, FILE_NAME, "0000000a");
	assert_int_equal(twice(b, &p).differs, 4);
	after = snapshot(b);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void what_a_kill_left_half_done_is_ended(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, FILE_NAME, "0000000a");
	box_file(b, MARKER("0000000c"), "");
	put(&p, FILE_NAME, "0000000a", "0000000c");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, FILE_NAME, "0000000c");
	/* The other way round: without its marker Dovecot would begin again from a lower one. */
	assert_int_equal(rename(box_path(b, MARKER("0000000c")), box_path(b, MARKER("00000003"))), 0);
	put(&p, FILE_NAME, "0000000a", "0000000c");
	assert_int_equal(twice(b, &p).done, 1);
	assert_true(box_has(b, MARKER("0000000c")));
	assert_false(box_has(b, MARKER("00000003")));
}

static void junk_counts_as_nothing(void **state)
{
	struct box *b = *state;
	struct plan p = { 0 };

	box_folder(b, "");
	box_file(b, FILE_NAME, "what?");
	put(&p, FILE_NAME, NULL, "0000000c");
	assert_int_equal(twice(b, &p).done, 1);
	assert_text(b, FILE_NAME, "0000000c");
	assert_true(box_has(b, MARKER("0000000c")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_digits_are_a_number_and_all_else_is_none),
		cmocka_unit_test(of_two_the_larger_counts_whatever_was_before),
		cmocka_unit_test(it_stays_as_long_as_one_member_has_it),
		box_test(the_first_one_comes_with_its_marker),
		box_test(a_larger_one_moves_the_marker),
		box_test(it_is_never_lowered),
		box_test(what_a_kill_left_half_done_is_ended),
		box_test(junk_counts_as_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
