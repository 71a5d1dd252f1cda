/*
 * test_name.c -- what is read from and written into message names.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/name.h"

static struct name parsed(const char *s)
{
	struct name n;

	name_parse(&n, s, strlen(s));
	return n;
}

static void assert_bytes(const char *got, size_t gotlen, const char *want)
{
	assert_int_equal(gotlen, strlen(want));
	assert_memory_equal(got, want, gotlen);
}

static bool is_message(const char *s)
{
	return name_is_message(s, strlen(s));
}

static void a_name_as_dovecot_writes_it_has_key_short_key_and_flags(void **state)
{
	struct name n = parsed("1795432857.M105140P16343.vm,S=112,W=119:2,FSa");

	(void)state;
	assert_bytes(n.s, n.keylen, "1795432857.M105140P16343.vm,S=112,W=119");
	assert_bytes(n.s, n.shortlen, "1795432857.M105140P16343.vm");
	assert_true(n.has_info && n.has_flags);
	assert_true(n.flags == (name_flag('F') | name_flag('S') | name_flag('a')));
	assert_int_equal(n.taillen, 0);
}

static void a_delivered_name_has_no_info(void **state)
{
	struct name n = parsed("1000000000.12345.mail.example.org");

	(void)state;
	assert_int_equal(n.keylen, n.len);
	assert_int_equal(n.shortlen, n.len);
	assert_false(n.has_info || n.has_flags);
	assert_true(n.flags == 0 && n.taillen == 0);
}

static void an_info_of_another_kind_is_opaque(void **state)
{
	static const char *const infos[] = { "", "2", "1,", "1,expr=abc,S", "3,S", "b:2,S" };
	char name[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(infos) / sizeof(*infos); i++) {
		struct name n;

		snprintf(name, sizeof(name), "a:%s", infos[i]);
		n = parsed(name);
		assert_int_equal(n.keylen, 1);
		assert_true(n.has_info);
		assert_false(n.has_flags);
		assert_true(n.flags == 0);
		assert_bytes(n.tail, n.taillen, infos[i]);
	}
}

static void what_follows_the_flags_is_kept_as_the_tail(void **state)
{
	struct name n = parsed("a:2,S,a=keyword");

	(void)state;
	assert_true(n.flags == name_flag('S'));
	assert_bytes(n.tail, n.taillen, ",a=keyword");
	n = parsed("a:2,S:2,F");
	assert_true(n.flags == name_flag('S'));
	assert_bytes(n.tail, n.taillen, ":2,F");
}

static void any_bytes_can_be_taken_apart(void **state)
{
	char s[3];
	struct name n;
	int a, b;

	(void)state;
	for (a = 0; a < 256; a++)
		for (b = 0; b < 256; b++) {
			s[0] = (char)a;
			s[1] = (char)b;
			s[2] = (char)(a ^ b);
			name_parse(&n, s, sizeof(s));
			assert_true(n.shortlen <= n.keylen && n.keylen <= n.len);
			assert_ptr_equal(n.tail + n.taillen, s + sizeof(s));
		}
	name_parse(&n, "", 0);
	assert_true(!n.keylen && !n.has_info && !n.taillen);
	name_parse(&n, ":2,", 2);
	assert_true(n.has_info && !n.has_flags);
}

static bool same_key(const char *a, const char *b)
{
	return name_same_key(a, strlen(a), b, strlen(b)) && name_same_key(b, strlen(b), a, strlen(a));
}

static void a_message_keeps_its_key_when_its_flags_change(void **state)
{
	(void)state;
	assert_true(same_key("1.M2P3.vm,S=4:2,FS", "1.M2P3.vm,S=4"));
	assert_true(same_key("1.M2P3.vm:2,", "1.M2P3.vm:1,x:2"));
	assert_true(same_key("", ":2,S"));
	assert_false(same_key("1.M2P3.vm,S=4:2,S", "1.M2P3.vm:2,S"));
	assert_false(same_key("1.M2P3.vm", "1.M2P3.vn"));
	assert_int_equal(name_key_length("1.M2:2,S", 8), 4);
	assert_int_equal(name_key_length("1.M2:2,S", 3), 3);
	assert_int_equal(name_key_length(NULL, 0), 0);
}

static void flag_letters_are_52_bits_and_nothing_else(void **state)
{
	name_flags all = 0;
	char out[53];
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		name_flags bit = name_flag((char)c);

		assert_true((all & bit) == 0);
		all |= bit;
	}
	assert_true(all == ((name_flags)1 << 52) - 1);
	assert_int_equal(name_flag_letters(all, out), 52);
	assert_string_equal(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	assert_int_equal(name_flag_letters(0, out), 0);
	assert_string_equal(out, "");
}

static void what_is_no_message_is_left_alone(void **state)
{
	static const char *const no[] = {
		"", ":", ":2,S", ".hidden:2,S", ".nfs000000000012ab", "a/b", "a\n:2,S", "a\t", "a\177",
		"\001", "dovecot-uidlist", "dovecot-uidlist:2,S", "dovecot-keywords", "dovecot.index",
		"dovecot.index.log.2:2,", "courierimapkeywords", "courierimapuiddb:2,S", "git~1", "GIT~1:2,S",
		"a\\.git", "a\\Git~1:2,",
	};
	static const char *const yes[] = {
		"a", "1:2,SRT", "-rf:2,S", "\"quoted\":2,S", "foo %:2,", "~", "\xff\x80:2,S", "a\\057b:2,S",
		"dovecot-uidlist2:2,S", "dovecot-uidvalidity", "courier", "git~2", "git", "1.M1.host.lock",
		"temp.1:2,S", "cur", "tmp",
	};
	char longest[NAME_LONGEST + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (is_message(no[i]))
			fail_msg("'%s' is taken for a message", no[i]);
	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!is_message(yes[i]))
			fail_msg("'%s' is left alone", yes[i]);
	assert_false(name_is_message("a\0b", 3));
	memset(longest, 'x', sizeof(longest));
	assert_true(name_is_message(longest, NAME_LONGEST));
	assert_false(name_is_message(longest, NAME_LONGEST + 1));
}

static void what_git_takes_for_its_own_directory_is_known(void **state)
{
	static const char *const yes[] = {
		".git", ".GIT", ".git ", ".git.", ".git. ", ".git..:x", ".git:stream", ".git\\x", ".git .",
		"git~1", "GIT~1 .", "x\\.git", "x\\y\\gIt~1",
	};
	static const char *const no[] = {
		"", "git", ".gi", ".gitmaildir", ".gitattributes", ".gitignore", ".git.Work", ".git list",
		".git-x", "x.git", "git~2", "x\\git", "\\", "git~",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++)
		if (!name_is_dotgit(yes[i], strlen(yes[i])))
			fail_msg("'%s' passes", yes[i]);
	for (i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (name_is_dotgit(no[i], strlen(no[i])))
			fail_msg("'%s' does not pass", no[i]);
}

static void a_joined_name_has_sorted_flags_and_its_tail(void **state)
{
	char out[NAME_LONGEST + 1];

	(void)state;
	assert_int_equal(name_join(out, "a", 1, name_flag('S') | name_flag('F') | name_flag('b'), ",X=1", 4), 11);
	assert_string_equal(out, "a:2,FSb,X=1");
	assert_int_equal(name_join(out, "a", 1, 0, "", 0), 4);
	assert_string_equal(out, "a:2,");
}

static void a_name_that_gets_too_long_is_refused(void **state)
{
	char key[NAME_LONGEST + 1], out[NAME_LONGEST + 1];

	(void)state;
	memset(key, 'k', sizeof(key));
	assert_int_equal(name_join(out, key, 251, name_flag('S'), "", 0), 255);
	assert_int_equal(name_join(out, key, 251, name_flag('S') | name_flag('F'), "", 0), 0);
	assert_int_equal(name_join(out, key, 251, 0, ",x", 2), 0);
	assert_int_equal(name_join(out, key, SIZE_MAX, 0, "", 0), 0);
}

static const struct oid some_oid = { { 0xde, 0xad, 0xbe, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab } };

static void a_derived_key_keeps_the_size_that_dovecot_reads(void **state)
{
	static const char key[] = "1795432857.M1P1.vm,S=112,W=119";
	char out[NAME_LONGEST + 1];
	size_t n;

	(void)state;
	n = name_derive(out, key, strlen(key), &some_oid, 0);
	assert_bytes(out, n, "1795432857.M1P1.vm.deadbeef0123,S=112,W=119");
	n = name_derive(out, key, strlen(key), &some_oid, 1);
	assert_bytes(out, n, "1795432857.M1P1.vm.deadbeef0123456789ab00000000000000000000,S=112,W=119");
	n = name_derive(out, key, strlen(key), &some_oid, 7);
	assert_bytes(out, n, "1795432857.M1P1.vm.deadbeef0123456789ab00000000000000000000-7,S=112,W=119");
	assert_int_equal(name_seconds(out, n), 1795432857);
}

static void a_derived_key_is_always_a_message_with_room_for_flags(void **state)
{
	static const unsigned attempts[] = { 0, 1, 2, 4294967295u };
	char key[NAME_LONGEST + 1], out[NAME_LONGEST + 1];
	size_t len, comma, i;

	(void)state;
	for (len = 1; len <= NAME_LONGEST; len++)
		for (comma = 0; comma < len; comma += 1 + comma / 4)
			for (i = 0; i < 4; i++) {
				size_t n;

				memset(key, 'k', len);
				key[comma] = ',';
				key[len / 2] = ',';
				n = name_derive(out, key, len, &some_oid, attempts[i]);
				assert_int_equal(n, strlen(out));
				assert_true(name_is_message(out, n));
				assert_true(n + 3 + 60 <= NAME_LONGEST);
				assert_null(strchr(out, ':'));
			}
}

static void a_derived_key_does_not_keep_half_a_field(void **state)
{
	char key[NAME_LONGEST + 1], out[NAME_LONGEST + 1];
	size_t n;

	(void)state;
	memset(key, 'k', sizeof(key));
	memcpy(key, "1.host,S=112,X=", 15);
	n = name_derive(out, key, NAME_LONGEST, &some_oid, 0);
	assert_bytes(out, n, "1.host.deadbeef0123,S=112");
}

static void the_time_is_the_number_at_the_front(void **state)
{
	static const struct {
		const char *key;
		int64_t want;
	} rows[] = {
		{ "1795432857.M105140P16343.vm", 1795432857 },
		{ "1795432857", 1795432857 },
		{ "1795432857_0.900.x", 1795432857 },
		{ "0", 0 },
		{ "1099511627775.x", 1099511627775 },
		{ "1099511627776.x", -1 },
		{ "18446744073709551616.M1P1.h", -1 },
		{ "", -1 },
		{ "-1.M1P1.h", -1 },
		{ "msg.abcd", -1 },
		{ " 1.x", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_true(name_seconds(rows[i].key, strlen(rows[i].key)) == rows[i].want);
	assert_true(name_seconds("17954", 3) == 179);
}

/* --- real names, a table with tab separated columns --- */

enum { COL_NAME, COL_UNIQUE, COL_INFO, COL_STD, COL_KEYWORDS, COL_OTHER, COL_CLASS, COL_N };

/* Undoes \xNN and \\ in place; returns the length. */
static size_t unescape(char *s)
{
	char *out = s, *start = s;
	unsigned c;

	while (*s) {
		if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &c) == 1) {
			*out++ = (char)c;
			s += 4;
		} else {
			s += s[0] == '\\' && s[1] == '\\';
			*out++ = *s++;
		}
	}
	*out = '\0';
	return (size_t)(out - start);
}

static bool has_control(const char *s, size_t len)
{
	for (; len; s++, len--)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/*
 * The table reads every letter after "2,", we stop at the first that is no flag: the two agree when the flags and
 * the tail are put together again.
 */
static void check_flags(const struct name *n, char **col)
{
	name_flags std = name_flag('D') | name_flag('F') | name_flag('P') | name_flag('R') | name_flag('S') |
			 name_flag('T');
	name_flags upper = ((name_flags)1 << 26) - 1, seen = n->flags;
	char want_std[53], letters[53], other[NAME_LONGEST + 1];
	size_t i, nother = 0;

	for (i = (size_t)(n->tail - n->s) - n->keylen - 3; i; i--) {
		char c = n->tail[-(ptrdiff_t)i];

		if (name_flag(c) & upper & ~std)
			other[nother++] = c;
	}
	for (i = 0; i < n->taillen; i++) {
		name_flags bit = name_flag(n->tail[i]);

		seen |= bit;
		if (!bit || (bit & upper & ~std))
			other[nother++] = n->tail[i];
	}
	other[nother] = '\0';
	name_flag_letters(seen & std, want_std);
	assert_string_equal(col[COL_STD], *want_std ? want_std : ".");
	name_flag_letters(seen & ~upper, letters);
	assert_string_equal(col[COL_KEYWORDS], letters);
	assert_string_equal(col[COL_OTHER], other);
	if (strncmp(col[COL_CLASS], "valid(flags", 11) == 0)
		assert_int_equal(n->taillen, 0);
}

static bool flags_in_order(const struct name *n)
{
	const char *p = n->s + n->keylen + 3;

	for (; p + 1 < n->tail; p++)
		if (p[0] >= p[1])
			return false;
	return true;
}

static void check_row(char **col, size_t len)
{
	bool valid = !strncmp(col[COL_CLASS], "valid", 5) || !strncmp(col[COL_CLASS], "ambiguous", 9);
	char out[NAME_LONGEST + 1];
	struct name n;

	if (!name_is_message(col[COL_NAME], len)) {
		if (valid && !has_control(col[COL_NAME], len))
			fail_msg("'%s' is left alone", col[COL_NAME]);
		return;
	}
	if (!valid)
		fail_msg("'%s' is taken for a message", col[COL_NAME]);
	name_parse(&n, col[COL_NAME], len);
	assert_bytes(n.s, n.keylen, col[COL_UNIQUE]);
	if (n.has_info)
		assert_bytes(n.s + n.keylen + 1, n.len - n.keylen - 1, col[COL_INFO]);
	else
		assert_string_equal(col[COL_INFO], "(none)");
	assert_int_equal(n.has_flags, strcmp(col[COL_STD], "-") != 0);
	if (!n.has_flags)
		return;
	check_flags(&n, col);
	if (flags_in_order(&n)) {
		assert_int_equal(name_join(out, n.s, n.keylen, n.flags, n.tail, n.taillen), len);
		assert_memory_equal(out, n.s, len);
	}
}

static void every_real_name_is_read_as_its_row_says(void **state)
{
	const char *path = getenv("MAILDIR_NAMES");
	FILE *f = path ? fopen(path, "r") : NULL;
	char *line = NULL, *col[COL_N];
	size_t cap = 0, rows = 0;

	(void)state;
	if (!f)
		skip();
	while (getline(&line, &cap, f) > 0) {
		char *rest = line;
		size_t i, len = 0;

		if (line[0] == '#')
			continue;
		for (i = 0; i < COL_N; i++) {
			col[i] = strsep(&rest, "\t");
			assert_non_null(col[i]);
			if (i == COL_NAME)
				len = unescape(col[i]);
			else
				unescape(col[i]);
		}
		check_row(col, len);
		rows++;
	}
	free(line);
	fclose(f);
	assert_true(rows > 90);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_as_dovecot_writes_it_has_key_short_key_and_flags),
		cmocka_unit_test(a_delivered_name_has_no_info),
		cmocka_unit_test(an_info_of_another_kind_is_opaque),
		cmocka_unit_test(what_follows_the_flags_is_kept_as_the_tail),
		cmocka_unit_test(any_bytes_can_be_taken_apart),
		cmocka_unit_test(a_message_keeps_its_key_when_its_flags_change),
		cmocka_unit_test(flag_letters_are_52_bits_and_nothing_else),
		cmocka_unit_test(what_is_no_message_is_left_alone),
		cmocka_unit_test(what_git_takes_for_its_own_directory_is_known),
		cmocka_unit_test(a_joined_name_has_sorted_flags_and_its_tail),
		cmocka_unit_test(a_name_that_gets_too_long_is_refused),
		cmocka_unit_test(a_derived_key_keeps_the_size_that_dovecot_reads),
		cmocka_unit_test(a_derived_key_is_always_a_message_with_room_for_flags),
		cmocka_unit_test(a_derived_key_does_not_keep_half_a_field),
		cmocka_unit_test(the_time_is_the_number_at_the_front),
		cmocka_unit_test(every_real_name_is_read_as_its_row_says),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
