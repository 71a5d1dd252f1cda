/*
 * test_merge.c -- the merge: every row of the table in core/merge.c, every scenario, each also with the sides swapped.
 *
 * How stores are written: textmerge.h.
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

#include "core/marker.h"
#include "textmerge.h"

/* --- The rows. --- */

static void row_1_what_nobody_touched_stays(void **state)
{
	(void)state;
	merges("cur/1:2,S x\nnew/2 y", "cur/1:2,S x\nnew/2 y", "cur/1:2,S x\nnew/2 y", "cur/1:2,S x\nnew/2 y");
	merges("cur/1:2,S x", "cur/1:2,S x\nnew/2 y", "cur/1:2,S x", "cur/1:2,S x\nnew/2 y");
}

static void row_2_flags_set_and_cleared_on_both_sides_all_count(void **state)
{
	(void)state;
	merges("cur/1:2, x", "cur/1:2,S x", "cur/1:2,F x", "cur/1:2,FS x");
	merges("cur/1:2,S x", "cur/1:2, x", "cur/1:2,FS x", "cur/1:2,F x");
	merges("cur/1:2,S x", "cur/1:2, x", "cur/1:2, x", "cur/1:2, x");
	merges("cur/1:2,Sa x", "cur/1:2,Sb x", "cur/1:2,FSa x", "cur/1:2,FSb x");
	merges("cur/1:2,S x", "cur/1:2,RS x", "cur/1:2,S x", "cur/1:2,RS x");
}

static void row_3_once_read_on_one_side_it_is_in_cur(void **state)
{
	(void)state;
	merges("new/1 x", "cur/1:2, x", "new/1 x", "cur/1:2, x");
	merges("new/1 x", "cur/1:2,S x", "cur/1:2,F x", "cur/1:2,FS x");
	merges("cur/1:2, x", "new/1:2, x", "cur/1:2, x", "new/1:2, x");
	merges("cur/1:2, x", "new/1:2, x", "cur/1:2,S x", "cur/1:2,S x");
	merges("new/1 x", "cur/1 x", "new/1:2,F x", "cur/1:2,F x");
	merges("new/1:2, x", "cur/1 x", "new/1 x", "cur/1 x");
}

static void row_4_deleted_beats_a_flag(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/2 y", "cur/1:2, x\ncur/2 y", "cur/2 y");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y", "cur/1:2,F x\ncur/2 y", "cur/2 y");
	merges("new/1 x\ncur/2 y", "cur/2 y", "cur/1:2,S x\ncur/2 y", "cur/2 y");
}

static void row_4_a_flag_beats_deletion_if_so_configured(void **state)
{
	(void)state;
	check("cur/1:2, x", "", "cur/1:2,F x", "cur/1:2,F x", false, true);
	check("new/1 x", "", "cur/1 x", "cur/1 x", false, true);
	check("cur/1:2, x", "", "cur/1:2, x", "", false, true);
}

static void row_5_deleted_on_both_sides_is_gone(void **state)
{
	(void)state;
	merges("cur/1 x\ncur/2 y", "cur/2 y", "cur/2 y", "cur/2 y");
	merges("cur/1 x", "", "", "");
}

static void row_6_the_flag_follows_a_moved_message(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2, x", "cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2, x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2, x", "cur/1:2,F x\ncur/2 y", "cur/2 y\n.F/cur/1:2,F x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x", "cur/1:2,F x\ncur/2 y", "cur/2 y\n.F/cur/1:2,FS x");
	merges("new/1 x\ncur/2 y", "cur/2 y\n.F/new/1 x", "cur/1:2,S x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x");
}

static void row_6_also_if_the_move_gave_it_a_new_name(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/9:2, x", "cur/1:2,F x\ncur/2 y", "cur/2 y\n.F/cur/9:2,F x");
	merges("cur/1,S=1:2, x\ncur/2 y", "cur/2 y\n.F/cur/9,S=1:2,S x", "cur/1,S=1:2,F x\ncur/2 y", "cur/2 y\n.F/cur/9,S=1:2,FS x");
}

static void row_7_a_move_survives_a_deletion(void **state)
{
	(void)state;
	merges("cur/1 x\ncur/2 y", "cur/2 y\n.F/cur/1 x", "cur/2 y", "cur/2 y\n.F/cur/1 x");
	merges("cur/1 x\ncur/2 y", "cur/2 y\n.F/cur/9:2,S x", "cur/2 y", "cur/2 y\n.F/cur/9:2,S x");
}

static void row_8_moved_to_one_place_by_both_is_there_once(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x", "cur/2 y\n.F/cur/1:2,F x", "cur/2 y\n.F/cur/1:2,FS x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/8:2,S x", "cur/2 y\n.F/cur/9:2,F x", "cur/2 y\n.F/cur/8:2,FS x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x", "cur/2 y\n.F/cur/9:2,F x", "cur/2 y\n.F/cur/9:2,FS x");
}

static void row_9_moved_to_two_places_is_in_both(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2, x", "cur/2 y\n.G/cur/1:2, x",
	       "cur/2 y\n.F/cur/1:2, x\n.G/cur/1:2, x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x", "cur/2 y\n.G/cur/9:2,F x",
	       "cur/2 y\n.F/cur/1:2,FS x\n.G/cur/9:2,FS x");
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2, x", "cur/2 y\n.G/cur/9:2,F x",
	       "cur/2 y\n.F/cur/1:2,F x\n.G/cur/9:2,F x");
}

static void row_10_changed_content_replaces_the_old(void **state)
{
	(void)state;
	merges("cur/1:2, x", "cur/1:2, z", "cur/1:2, x", "cur/1:2, z");
	merges("cur/1:2, x", "cur/1:2, z", "cur/1:2,F x", "cur/1:2,F z");
	merges("cur/1:2, x\ncur/2 y", "cur/1:2, z\ncur/2 y", "cur/2 y\n.F/cur/1:2,F x", "cur/2 y\n.F/cur/1:2,F z");
	merges("cur/1:2, x", "cur/1:2,S z", "cur/1:2,F z", "cur/1:2,FS z");
}

static void row_11_changed_content_survives_a_deletion(void **state)
{
	(void)state;
	merges("cur/1:2, x\ncur/2 y", "cur/1:2,S z\ncur/2 y", "cur/2 y", "cur/1:2,S z\ncur/2 y");
}

static void row_12_two_changed_contents_are_both_kept(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("z1", "z2", &small, &large);
	merges("cur/1,S=9:2, x", "cur/1,S=9:2,S z1", "cur/1,S=9:2,F z2", WANT("cur/1,S=9:2,FS %s\ncur/1.{%s},S=9:2,FS %s", small, large, large));
	merges("cur/1 x\ncur/2 y", "cur/2 y\n.F/cur/1 z1", "cur/1 z2\ncur/2 y",
	       WANT("cur/2 y\n.F/cur/1 %s\n.F/cur/1.{%s} %s", small, large, large));
	merges("cur/1:2, x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S z1", "cur/2 y\n.G/cur/1:2,F z2",
	       "cur/2 y\n.F/cur/1:2,FS z1\n.G/cur/1:2,FS z2");
}

static void row_12_merging_the_result_once_more_makes_no_third_copy(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("z1", "z2", &small, &large);
	WANT("cur/1:2,FS %s\ncur/1.{%s}:2,FS %s", small, large, large);
	merges("cur/1:2, x", want, "cur/1:2,S z1", want);
	merges("cur/1:2, x", want, "cur/1:2,F z2", want);
	merges("cur/1:2, x", want, want, want);
}

static void row_13_what_one_side_added_is_there(void **state)
{
	(void)state;
	merges("", "new/1 x", ".F/cur/2:2,S y", "new/1 x\n.F/cur/2:2,S y");
	merges("cur/0 w", "cur/0 w\nnew/1 x", "cur/0 w\ncur/2:2,S y", "cur/0 w\nnew/1 x\ncur/2:2,S y");
}

static void row_14_identical_mail_on_both_unites_its_flags(void **state)
{
	(void)state;
	merges("cur/0 w", "cur/0 w\ncur/1:2,S x", "cur/0 w\ncur/1:2,F x", "cur/0 w\ncur/1:2,FS x");
	merges("", "new/1 x", "cur/1:2,F x", "cur/1:2,F x");
	merges("", "new/1 x", "cur/1 x", "cur/1 x");
}

static void row_15_same_name_with_different_content_keeps_both(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("x", "y", &small, &large);
	merges("", "new/1 x", "new/1 y", WANT("new/1 %s\nnew/1.{%s} %s", small, large, large));
	merges("cur/0 w", "cur/0 w\ncur/1,S=3:2,S x", "cur/0 w\nnew/1,S=3 x\nnew/1 y", "cur/0 w\ncur/1,S=3:2,S x\nnew/1 y");
	merges("cur/0 w", "cur/0 w\ncur/1:2,S x", "cur/0 w\nnew/1 y",
	       small[0] == 'x' ? "cur/0 w\ncur/1:2,S x\nnew/1.{y} y" : "cur/0 w\ncur/1.{x}:2,S x\nnew/1 y");
}

static void row_15_a_derived_name_that_is_taken_is_not_used_again(void **state)
{
	const char *small, *large;
	char hex[OID_HEX + 1];
	struct oid oid;

	(void)state;
	in_order("x", "y", &small, &large);
	oid = id_of(large, 1);
	oid_hex(&oid, hex);
	merges("new/1.{x} q\nnew/1.{y} q", "new/1 x\nnew/1.{x} q\nnew/1.{y} q", "new/1 y\nnew/1.{x} q\nnew/1.{y} q",
	       WANT("new/1 %s\nnew/1.%s %s\nnew/1.{x} q\nnew/1.{y} q", small, hex, large));
}

static void row_15_merging_the_result_once_more_makes_no_third_copy(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("x", "y", &small, &large);
	WANT("new/1 %s\nnew/1.{%s} %s", small, large, large);
	merges("", want, "new/1 x", want);
	merges("", want, "new/1 y", want);
}

static void row_15_two_files_of_one_key_that_have_to_leave_it_become_one(void **state)
{
	const char *small, *large;
	char a[64], b[64];

	(void)state;
	in_order("x", "y", &small, &large);
	snprintf(a, sizeof(a), "cur/1:2,S %s\ncur/1:2,F %s", large, large);
	snprintf(b, sizeof(b), "new/1 %s", small);
	merges("", a, b, WANT("new/1 %s\ncur/1.{%s}:2,FS %s", small, large, large));
}

static void row_16_equal_contents_pair_off_in_order(void **state)
{
	(void)state;
	merges("", "cur/1:2,S x", "cur/2:2,F x", "cur/1:2,FS x");
	merges("", "cur/1 x\ncur/3 x", "cur/2:2,F x", "cur/1:2,F x\ncur/3 x");
	merges("", "cur/1 x\ncur/3 x", "cur/3:2,F x\ncur/4 x\ncur/5 x", "cur/1 x\ncur/3:2,F x\ncur/5 x");
	merges("", "cur/1 x", ".F/cur/2 x", "cur/1 x\n.F/cur/2 x");
}

static void row_18_two_files_with_one_key_on_one_side_stay_two(void **state)
{
	(void)state;
	merges("", "cur/1:2,S x\ncur/1:2,F y", "", "cur/1:2,S x\ncur/1:2,F y");
	merges("cur/1:2,S x", "cur/1:2,S x\nnew/1 y", "cur/1:2,S x", "cur/1:2,S x\nnew/1 y");
	merges("cur/1:2,S x\nnew/1 y", "cur/1:2,S x\nnew/1 y", "cur/1:2,S x\nnew/1 y\ncur/2 z", "cur/1:2,S x\nnew/1 y\ncur/2 z");
	merges("cur/1:2,S x\nnew/1 x", "cur/1:2,FS x\nnew/1 x", "cur/1:2,S x", "cur/1:2,FS x");
	merges("", "cur/1:2,S x\ncur/1:2,F x", "cur/1:2,F x", "cur/1:2,S x\ncur/1:2,F x");
}

static void row_18_who_leaves_a_key_is_in_nobodys_way(void **state)
{
	const char *v[3] = { "x", "y", "z" };
	char a[64], b[64];

	(void)state;
	in_order(v[0], v[1], &v[0], &v[1]);
	in_order(v[1], v[2], &v[1], &v[2]);
	in_order(v[0], v[1], &v[0], &v[1]);
	/* The second has to go because of the first: the third, which wants the second's path, can stay. */
	snprintf(a, sizeof(a), "cur/1:2,S %s\ncur/1:2,F %s", v[0], v[2]);
	snprintf(b, sizeof(b), "cur/1:2,F %s", v[1]);
	merges("", a, b, WANT("%s\ncur/1.{%s}:2,F %s", a, v[1], v[1]));
}

/* --- Names. --- */

static void a_size_appended_to_the_key_is_the_same_message(void **state)
{
	(void)state;
	merges("cur/1:2, x", "cur/1,S=5:2, x", "cur/1:2,S x", "cur/1,S=5:2,S x");
	merges("cur/1:2, x\ncur/2 y", "cur/1,U=7:2,F x\ncur/2 y", "cur/2 y\n.F/cur/1:2,S x", "cur/2 y\n.F/cur/1,U=7:2,FS x");
	merges("cur/1:2, x\ncur/2 y", "cur/1,S=5:2, x\ncur/2 y", "cur/2 y", "cur/2 y");
	merges("cur/1:2, x", "cur/1,S=5:2,S x", "cur/1,S=5,W=6:2,F x", "cur/1,S=5:2,FS x");
}

static void the_same_bytes_delivered_again_outlive_the_deletion_of_the_old_copy(void **state)
{
	(void)state;
	merges("cur/1.M1P1.h:2,S x", "", "new/2.M2P2.h x", "new/2.M2P2.h x");
}

static void names_that_begin_with_a_comma_have_nothing_in_common(void **state)
{
	(void)state;
	merges("cur/,1 x\ncur/2 y", "cur/,3 z\ncur/2 y", "cur/,1:2,F x\ncur/2 y", "cur/,3 z\ncur/2 y");
}

static void one_sided_names_are_kept_to_the_byte(void **state)
{
	(void)state;
	merges("cur/1:2, x", "cur/1:2,SF x", "cur/1:2, x", "cur/1:2,SF x");
	merges("cur/1:2, x", "cur/1:1,odd x", "cur/1:2, x", "cur/1:1,odd x");
	merges("cur/1:2, x", "cur/1: x", "cur/1:2, x", "cur/1: x");
}

static void what_follows_the_flags_is_kept(void **state)
{
	(void)state;
	merges("cur/1:2,, x", "cur/1:2,S, x", "cur/1:2,F,tail x", "cur/1:2,FS,tail x");
	merges("cur/1:2, x", "cur/1:2,S,b x", "cur/1:2,F,a x", "cur/1:2,FS,a x");
}

static void infos_that_are_not_flags_are_not_mixed(void **state)
{
	(void)state;
	merges("cur/1:2, x", "cur/1:1,odd x", "cur/1:2,F x", "cur/1:1,odd x");
	merges("cur/1:2, x", "cur/1:1,b x", "cur/1:1,a x", "cur/1:1,a x");
	merges("", "cur/1:1,b x", "cur/1:2,S x", "cur/1:1,b x");
}

static void a_name_that_would_be_too_long_is_one_of_the_two(void **state)
{
	char base[300], a[300], b[300];

	(void)state;
	snprintf(base, sizeof(base), "cur/%0251d:2, x", 1);
	snprintf(a, sizeof(a), "cur/%0251d:2,F x", 1);
	snprintf(b, sizeof(b), "cur/%0251d:2,S x", 1);
	merges(base, a, b, a);
	/* Moved to two places: each place has its own name for it. */
	snprintf(base, sizeof(base), "cur/1:2,S x\ncur/2 y");
	snprintf(a, sizeof(a), "cur/2 y\n.F/cur/%0251d:2,S x", 1);
	merges(base, a, "cur/2 y\n.G/cur/1:2,FS x", WANT("%s\n.G/cur/1:2,FS x", a));
}

static void a_derived_name_drops_what_has_no_room(void **state)
{
	const char *small, *large;
	char a[512], b[512], key[152];

	(void)state;
	in_order("x", "y", &small, &large);
	snprintf(key, sizeof(key), "%0150d", 1);
	snprintf(a, sizeof(a), "cur/%s:2,S,%0100d %s", key, 2, small);
	snprintf(b, sizeof(b), "cur/%s:2,F,%0100d %s", key, 3, large);
	merges("", a, b, WANT("%s\ncur/%s.{%s}:2,F %s", a, key, large, large));
	snprintf(b, sizeof(b), "cur/%s:1,%0100d %s", key, 3, large);
	merges("", a, b, WANT("%s\ncur/%s.{%s} %s", a, key, large, large));
}

/* --- Folders. --- */

#define ID_A "id_00000000000000000000000000000001|"
#define ID_B "id_00000000000000000000000000000002|"
#define MARK "git-maildir_folder_1|"

static void a_new_folder_and_a_deleted_one_replicate(void **state)
{
	(void)state;
	merges_with_files(".gitmaildir " MARK "\n.F/.gitmaildir " MARK ID_A, ".gitmaildir " MARK,
			  ".gitmaildir " MARK "\n.F/.gitmaildir " MARK ID_A "\n.G/.gitmaildir " MARK ID_B,
			  ".gitmaildir " MARK "\n.G/.gitmaildir " MARK ID_B);
	/* Whatever became of the marker on the other side. */
	merges_with_files(".F/.gitmaildir " MARK ID_A, "", ".F/.gitmaildir " MARK ID_B, "");
}

static void mail_put_into_a_deleted_folder_stays_and_so_does_the_folder(void **state)
{
	(void)state;
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.F/cur/1 x\ncur/0 w", "cur/0 w",
			  ".F/.gitmaildir " MARK ID_A "\n.F/cur/1 x\n.F/new/2 y\ncur/0 w",
			  ".F/.gitmaildir " MARK ID_A "\n.F/new/2 y\ncur/0 w\n.gitmaildir " MARK);
}

static void the_same_new_folder_on_both_has_the_mail_of_both(void **state)
{
	(void)state;
	merges_with_files("", ".F/.gitmaildir " MARK ID_A "\n.F/new/1 x", ".F/.gitmaildir " MARK ID_B "\n.F/new/2 y",
			  ".F/.gitmaildir " MARK ID_A "\n.F/new/1 x\n.F/new/2 y");
}

static void new_mail_follows_a_folder_renamed_by_its_id(void **state)
{
	(void)state;
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.F/cur/1:2, x\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.G/cur/1:2, x\n.gitmaildir " MARK,
			  ".F/.gitmaildir " MARK ID_A "\n.F/cur/1:2,S x\n.F/new/2 y\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.G/cur/1:2,S x\n.G/new/2 y\n.gitmaildir " MARK);
	/* An empty one too. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.gitmaildir " MARK, ".G/.gitmaildir " MARK ID_A "\n.gitmaildir " MARK,
			  ".F/.gitmaildir " MARK ID_A "\n.F/new/2 y\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.G/new/2 y\n.gitmaildir " MARK);
}

static void several_renamed_folders_each_take_their_own_mail_along(void **state)
{
	(void)state;
	merges_with_files(".A/.gitmaildir " MARK ID_A "\n.B/.gitmaildir " MARK ID_B "\n.C/.gitmaildir " MARK "\n.gitmaildir " MARK,
			  ".Y/.gitmaildir " MARK ID_B "\n.Z/.gitmaildir " MARK ID_A "\n.C/.gitmaildir " MARK "\n.gitmaildir " MARK
			  "\n.Z/new/8 z\n.C/new/1:2,F x",
			  ".A/.gitmaildir " MARK ID_A "\n.B/.gitmaildir " MARK ID_B "\n.C/.gitmaildir " MARK "\n.gitmaildir " MARK
			  "\n.A/new/9:2,S z\n.B/new/2 y\n.C/new/1:2,S x",
			  ".Y/.gitmaildir " MARK ID_B "\n.Z/.gitmaildir " MARK ID_A "\n.C/.gitmaildir " MARK "\n.gitmaildir " MARK
			  "\n.Z/new/8:2,S z\n.Y/new/2 y\n.C/new/1:2,FS x");
}

static void two_copies_under_one_key_become_one_on_their_way_to_a_renamed_folder(void **state)
{
	(void)state;
	merges("cur/0 w\n.F/cur/1 x", "cur/0 w\n.G/cur/1 x", "cur/0 w\n.F/cur/1 x\n.F/new/2 y\n.F/cur/2:2,S y",
	       "cur/0 w\n.G/cur/1 x\n.G/cur/2:2,S y");
}

static void new_mail_follows_a_folder_all_of_whose_messages_moved(void **state)
{
	(void)state;
	merges("cur/0 w\n.F/cur/1 x\n.F/cur/2 y\n.F/cur/3 z", "cur/0 w\n.G/cur/1 x\n.G/cur/2 y",
	       "cur/0 w\n.F/cur/1 x\n.F/cur/2 y\n.F/cur/3 z\n.F/new/4 q", "cur/0 w\n.G/cur/1 x\n.G/cur/2 y\n.G/new/4 q");
	/* Not if they were spread over two, or went to one that was there before. */
	merges("cur/0 w\n.F/cur/1 x\n.F/cur/2 y", "cur/0 w\n.G/cur/1 x\n.H/cur/2 y", "cur/0 w\n.F/cur/1 x\n.F/cur/2 y\n.F/new/4 q",
	       "cur/0 w\n.F/new/4 q\n.G/cur/1 x\n.H/cur/2 y");
	merges("cur/0 w\n.F/cur/1 x", "cur/0 w\ncur/1 x", "cur/0 w\n.F/cur/1 x\n.F/new/4 q", "cur/0 w\ncur/1 x\n.F/new/4 q");
}

static void mail_moved_into_a_renamed_folder_follows_it(void **state)
{
	(void)state;
	merges("cur/0 w\ncur/9 v\n.F/cur/1 x", "cur/0 w\ncur/9 v\n.G/cur/1 x", "cur/0 w\n.F/cur/9 v\n.F/cur/1 x",
	       "cur/0 w\n.G/cur/9 v\n.G/cur/1 x");
	/* And one that both sides moved to what is one folder now is there once. */
	merges("cur/0 w\ncur/9:2, v\n.F/cur/1 x", "cur/0 w\n.G/cur/9:2,S v\n.G/cur/1 x", "cur/0 w\n.F/cur/9:2,F v\n.F/cur/1 x",
	       "cur/0 w\n.G/cur/9:2,FS v\n.G/cur/1 x");
}

static void a_folder_renamed_to_two_names_takes_no_mail_along(void **state)
{
	(void)state;
	merges(".F/cur/1 x", ".G/cur/1 x\n.G/cur/2 y", ".H/cur/1 x", ".G/cur/1 x\n.G/cur/2 y\n.H/cur/1 x");
}

static void mail_in_a_renamed_folder_does_not_displace_other_mail(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("p", "q", &small, &large);
	merges(".F/cur/1 x\ncur/0 w", ".G/cur/1 x\n.G/new/2 p\ncur/0 w", ".F/cur/1 x\n.F/new/2 q\ncur/0 w",
	       WANT(".G/cur/1 x\n.G/new/2 %s\n.G/new/2.{%s} %s\ncur/0 w", small, large, large));
}

static void the_inbox_is_never_renamed(void **state)
{
	(void)state;
	merges("cur/1 x", ".G/cur/1 x", "cur/1 x\nnew/2 y", ".G/cur/1 x\nnew/2 y");
}

static void a_folder_that_has_mail_and_no_marker_gets_one(void **state)
{
	(void)state;
	merges_with_files("", ".F/cur/1 x", "cur/2 y", ".F/.gitmaildir " MARK "\n.F/cur/1 x\n.gitmaildir " MARK "\ncur/2 y");
}

/* --- Dates. --- */

static void an_odd_date_follows_the_message(void **state)
{
	(void)state;
	/* Moved on one side, and the other put something else there. */
	merges_with_files(".gitmaildir " MARK "date_5_1|date_6_2|\n.F/.gitmaildir " MARK ID_A "\ncur/1:2, x\ncur/2 y",
			  ".gitmaildir " MARK "date_6_2|\n.F/.gitmaildir " MARK ID_A "date_5_1|\n.F/cur/1:2, x\ncur/2 y",
			  ".gitmaildir " MARK "date_5_1|date_6_2|\n.F/.gitmaildir " MARK ID_A "date_7_3|\ncur/1:2,S x\ncur/2 y\n.F/new/3 z",
			  ".gitmaildir " MARK "date_6_2|\n.F/.gitmaildir " MARK ID_A "date_5_1|date_7_3|\n.F/cur/1:2,S x\ncur/2 y\n.F/new/3 z");
	/* Into a folder that was renamed, whose marker nobody else could have written. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.F/cur/1 x\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.G/cur/1 x\n.gitmaildir " MARK,
			  ".F/.gitmaildir " MARK ID_A "date_5_2|\n.F/cur/1 x\n.F/new/2 y\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "date_5_2|\n.G/cur/1 x\n.G/new/2 y\n.gitmaildir " MARK);
	/* To a copy of its own. */
	merges_with_files(".gitmaildir " MARK "date_5_1|\n.F/.gitmaildir " MARK "\n.G/.gitmaildir " MARK "\ncur/1 x",
			  ".gitmaildir " MARK "\n.F/.gitmaildir " MARK "date_5_1|\n.G/.gitmaildir " MARK "\n.F/cur/1 x",
			  ".gitmaildir " MARK "\n.F/.gitmaildir " MARK "\n.G/.gitmaildir " MARK "date_5_9|\n.G/cur/9 x",
			  ".gitmaildir " MARK "\n.F/.gitmaildir " MARK "date_5_1|\n.G/.gitmaildir " MARK "date_5_9|\n.F/cur/1 x\n.G/cur/9 x");
}

static void an_odd_date_follows_a_new_key_and_goes_with_the_message(void **state)
{
	const char *small, *large;

	(void)state;
	merges_with_files(".gitmaildir " MARK "date_5_1|\ncur/1:2, x", ".gitmaildir " MARK "date_5_1,S=1|\ncur/1,S=1:2, x",
			  ".gitmaildir " MARK "date_5_1|\ncur/1:2,S x", ".gitmaildir " MARK "date_5_1,S=1|\ncur/1,S=1:2,S x");
	/* A marker that was not kept up with a deletion is now. */
	merges_with_files(".gitmaildir " MARK "date_5_1|date_6_2|\ncur/1 x\ncur/2 y", ".gitmaildir " MARK "date_5_1|date_6_2|\ncur/2 y",
			  ".gitmaildir " MARK "date_5_1|date_6_2|\ncur/1:2,S x\ncur/2 y\nnew/3 z",
			  ".gitmaildir " MARK "date_6_2|\ncur/2 y\nnew/3 z");
	in_order("z1", "z2", &small, &large);
	merges_with_files(".gitmaildir " MARK "date_5_1|\ncur/1 x", ".gitmaildir " MARK "date_5_1|\ncur/1 z1",
			  ".gitmaildir " MARK "date_5_1|\ncur/1 z2",
			  WANT(".gitmaildir " MARK "date_5_1|date_5_1.{%s}|\ncur/1 %s\ncur/1.{%s} %s", large, small, large, large));
}

static void a_date_changed_by_one_side_counts_and_of_two_the_smaller(void **state)
{
	(void)state;
	merges_with_files(".gitmaildir " MARK "date_5_1|\ncur/1:2, x", ".gitmaildir " MARK "date_7_1|\ncur/1:2, x",
			  ".gitmaildir " MARK "date_5_1|\ncur/1:2,S x", ".gitmaildir " MARK "date_7_1|\ncur/1:2,S x");
	merges_with_files("", ".gitmaildir " MARK "date_700_1|\ncur/1 x", ".gitmaildir " MARK "date_600_1|\ncur/1 x",
			  ".gitmaildir " MARK "date_600_1|\ncur/1 x");
	merges_with_files("", ".gitmaildir " MARK "date_700_k|\ncur/k x", ".gitmaildir " MARK "\ncur/k x",
			  ".gitmaildir " MARK "date_700_k|\ncur/k x");
}

static void a_date_line_on_one_side_counts_against_the_name_alone(void **state)
{
	(void)state;
	/* Whatever else the stores have: of strangers that agree on cur/ only the markers may be loaded. */
	merges_with_files("", ".gitmaildir " MARK "date_700_1|\ncur/1 x", ".gitmaildir " MARK "\ncur/1 x",
			  ".gitmaildir " MARK "date_700_1|\ncur/1 x");
	merges_with_files("", ".gitmaildir " MARK "date_700_1|", ".gitmaildir " MARK, ".gitmaildir " MARK "date_700_1|");
	merges_with_files(".F/.gitmaildir " MARK "\n.F/cur/9 z", ".F/.gitmaildir " MARK "date_700_1|\n.F/cur/1 x\n.F/cur/9 z",
			  ".F/.gitmaildir " MARK "\n.F/cur/1 x\n.F/cur/9 z\n.F/new/8 y",
			  ".F/.gitmaildir " MARK "date_700_1|\n.F/cur/1 x\n.F/cur/9 z\n.F/new/8 y");
	/* With other flags too: merging the result with the side that has the line must not change it. */
	merges_with_files("", ".gitmaildir " MARK "date_700_1|\ncur/1:2,S x", ".gitmaildir " MARK "\ncur/1:2, x",
			  ".gitmaildir " MARK "date_700_1|\ncur/1:2,S x");
	merges_with_files("", ".gitmaildir " MARK "date_700_1|\ncur/1:2,S x", ".gitmaildir " MARK "\ncur/1,S=1:2, x",
			  ".gitmaildir " MARK "date_700_1|\ncur/1:2,S x");
	/* In a folder that was renamed by one, and given the same name by the other. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.F/cur/9 z", ".G/.gitmaildir " MARK ID_A "date_700_1|\n.G/cur/1 x\n.G/cur/9 z",
			  ".F/.gitmaildir " MARK ID_A "\n.F/cur/1 x\n.F/cur/9 z",
			  ".G/.gitmaildir " MARK ID_A "date_700_1|\n.G/cur/1 x\n.G/cur/9 z");
}

static void a_renamed_folder_tells_no_dates_of_what_did_not_come_along(void **state)
{
	(void)state;
	/* Moved away by who renamed the folder, and given another key by the other. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "date_5_1|\n.F/cur/1:2, x\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.gitmaildir " MARK "date_5_1|\ncur/1:2, x",
			  ".F/.gitmaildir " MARK ID_A "date_5_1,S=7|\n.F/cur/1,S=7:2, x\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "\n.gitmaildir " MARK "date_5_1,S=7|\ncur/1,S=7:2, x");
	/* The same bytes delivered twice: one of the two keys is dropped. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "date_4_1|\n.G/cur/1 x\n.gitmaildir " MARK,
			  ".F/.gitmaildir " MARK ID_A "date_5_2|\n.F/cur/2 x\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "date_4_1|\n.G/cur/1 x\n.gitmaildir " MARK);
	/* Deleted by who renamed the folder. */
	merges_with_files(".F/.gitmaildir " MARK ID_A "date_5_1|date_6_2|\n.F/cur/1 x\n.F/cur/2 y\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "date_5_1|\n.G/cur/1 x\n.gitmaildir " MARK,
			  ".F/.gitmaildir " MARK ID_A "date_5_1|date_6_2|date_7_3|\n.F/cur/1 x\n.F/cur/2:2,S y\n.F/new/3 z\n.gitmaildir " MARK,
			  ".G/.gitmaildir " MARK ID_A "date_5_1|date_7_3|\n.G/cur/1 x\n.G/new/3 z\n.gitmaildir " MARK);
}

/* --- Files. --- */

static void subscriptions_of_both_sides_are_united(void **state)
{
	(void)state;
	merges_with_files("subscriptions A|B|", "subscriptions A|B|C|", "subscriptions B|D|", "subscriptions B|C|D|");
	merges_with_files("", "subscriptions C|", "subscriptions B|", "subscriptions B|C|");
	merges_with_files("subscriptions A|", "subscriptions B|A|", "subscriptions A|", "subscriptions B|A|");
}

static void plain_files_merge_as_git_does(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("x", "y", &small, &large);
	merges_with_files("f w", "f x", "f y", WANT("f %s+%s", small, large));
	merges_with_files("f w", "f x", "f w", "f x");
	merges_with_files("f w", "*f w", "f x", "*f x");
	merges_with_files("", "*f x", "f x", "*f x");
	merges_with_files("f w\ng w", "", "f w\ng x", "g x");
	merges_with_files("f w", "*f w", "", "*f w");
	merges_with_files("f w", "", "", "");
}

static void of_a_file_that_cannot_be_merged_both_are_kept(void **state)
{
	const char *small, *large;

	(void)state;
	in_order("clash1", "clash2", &small, &large);
	WANT("d/f %s\nd/f.{%s} %s", small, large, large);
	merges_with_files("d/f w", "d/f clash1", "d/f clash2", want);
	merges_with_files("", "d/f clash1", "d/f clash2", want);
	/* And once more: not a third. */
	merges_with_files("d/f w", want, "d/f clash2", want);
	merges_with_files("d/f w", want, "d/f clash1", want);
}

static void a_kept_file_gets_no_path_that_is_ignored_or_too_long(void **state)
{
	const char *small, *large;
	char a[300], b[300];

	(void)state;
	in_order("clash1", "clash2", &small, &large);
	merges_with_files("", "temp clash1", "temp clash2", WANT("temp %s\ntemp-{%s} %s", small, large, large));
	snprintf(a, sizeof(a), "%0250d clash1", 1);
	snprintf(b, sizeof(b), "%0250d clash2", 1);
	merges_with_files("", a, b, WANT("%0250d %s\n%0242d.{%s} %s", 1, small, 0, large, large));
}

static void a_kept_file_takes_no_other_files_path(void **state)
{
	const char *small, *large;
	char hex[OID_HEX + 1], one[1024], two[1024];
	struct oid oid;

	(void)state;
	in_order("clash1", "clash2", &small, &large);
	oid = id_of(large, strlen(large));
	oid_hex(&oid, hex);
	snprintf(one, sizeof(one), "f clash1\nf.{%s} w", large);
	snprintf(two, sizeof(two), "f clash2\nf.{%s} w", large);
	merges_with_files("", one, two, WANT("f %s\nf.{%s} w\nf.%s %s", small, large, hex, large));
	snprintf(one, sizeof(one), "f clash1\nf.{%s} w\nf.%s v", large, hex);
	merges_with_files("", one, two, WANT("f %s\nf.{%s} w\nf.%s v\nf.%s-2 %s", small, large, hex, hex, large));
	/* Two files that derive the same path: "f" with 12 digits, and what is cut to the same. */
	snprintf(one, sizeof(one), "%0245da clash1\n%0245db clash1", 1, 1);
	snprintf(two, sizeof(two), "%0245da clash2\n%0245db clash2", 1, 1);
	merges_with_files("", one, two, WANT("%0245da %s\n%0245db %s\n%0242d.{%s} %s", 1, small, 1, small, 0, large, large));
}

static void a_kept_file_from_a_directory_without_room_is_in_the_root(void **state)
{
	const char *small, *large;
	struct bytes dir = { 0 }, a = { 0 }, b = { 0 };

	(void)state;
	in_order("clash1", "clash2", &small, &large);
	while (dir.len < 3495)
		bytes_addf(&dir, "%0232d/", 1);
	bytes_addf(&a, "%sf clash1", dir.buf);
	bytes_addf(&b, "%sf clash2", dir.buf);
	merges_with_files("", a.buf, b.buf, WANT("%sf %s\nf.{%s} %s", dir.buf, small, large, large));
	bytes_release(&dir);
	bytes_release(&a);
	bytes_release(&b);
}

static void a_file_gives_way_to_a_directory(void **state)
{
	(void)state;
	merges_with_files("", "Work x", "Work/.gitmaildir " MARK "\nWork/cur/1 y", "Work.{x} x\nWork/.gitmaildir " MARK "\nWork/cur/1 y");
	merges_with_files("", "a x", "a/b/c y\na.b z", "a.{x} x\na/b/c y\na.b z");
	merges_with_files("Work x", "Work y", "Work/Sub/.gitmaildir " MARK, "Work.{y} y\nWork/Sub/.gitmaildir " MARK);
	merges_with_files("Work x", "Work x", "Work/Sub/.gitmaildir " MARK, "Work/Sub/.gitmaildir " MARK);
}

static void file_content_merges_by_its_class(void **state)
{
	struct bytes base = { 0 }, a = { 0 }, b = { 0 }, out = { 0 };

	(void)state;
	bytes_addstr(&base, "git-maildir folder 1\ndate 5 a\n");
	bytes_addstr(&a, "git-maildir folder 1\ndate 5 a\ndate 6 b\n");
	bytes_addstr(&b, "git-maildir folder 1\ndate 7 c\n");
	assert_int_equal(merge_file_content(PATH_MARKER, &base, &a, &b, NULL, NULL, &out), 0);
	assert_string_equal(out.buf, "git-maildir folder 1\ndate 6 b\ndate 7 c\n");
	bytes_clear(&out);
	assert_int_equal(merge_file_content(PATH_SUBSCRIPTIONS, NULL, &a, &b, NULL, NULL, &out), 0);
	assert_string_equal(out.buf, "date 5 a\ndate 6 b\ndate 7 c\ngit-maildir folder 1\n");
	bytes_clear(&out);
	assert_int_equal(merge_file_content(PATH_FILE, &base, &a, &b, NULL, NULL, &out), 1);
	assert_int_equal(out.len, 0);
	assert_int_equal(merge_file_content(PATH_FILE, &base, &a, &base, NULL, NULL, &out), 0);
	assert_string_equal(out.buf, a.buf);
	bytes_clear(&out);
	assert_int_equal(merge_file_content(PATH_FILE, &base, &base, &b, NULL, NULL, &out), 0);
	assert_string_equal(out.buf, b.buf);
	bytes_release(&base);
	bytes_release(&a);
	bytes_release(&b);
	bytes_release(&out);
}

/* --- The whole. --- */

static void fails_if_nothing_can_be_read(const char *base, const char *a, const char *b)
{
	struct store in[3], out = { 0 };
	struct merge_opts opts = { false };
	struct err err = { 0 };

	store_of(&in[0], base);
	store_of(&in[1], a);
	store_of(&in[2], b);
	for (size_t i = 0; i < nblobs; i++)
		blobs[i].oid.h[0] ^= 1;
	assert_int_equal(merge_stores(&out, &in[0], &in[1], &in[2], &ops, &opts, &err), ERR_NOTFOUND);
	assert_string_equal(err.msg, "cannot read a blob: it is not there");
	store_release(&out);
	for (int i = 0; i < 3; i++)
		store_release(&in[i]);
	forget_blobs(NULL);
}

static void what_cannot_be_read_is_an_error_and_not_a_guess(void **state)
{
	(void)state;
	fails_if_nothing_can_be_read("cur/1 x", "cur/1 x\n.F/cur/2 y\n.F/.gitmaildir " MARK, "cur/1 x\n.F/cur/3 z\n.F/.gitmaildir " MARK ID_A);
	fails_if_nothing_can_be_read(".F/.gitmaildir " MARK ID_A, ".G/.gitmaildir " MARK ID_A, ".F/.gitmaildir " MARK ID_A "\n.F/new/1 x");
	fails_if_nothing_can_be_read("", ".G/.gitmaildir " MARK ID_A, ".G/.gitmaildir " MARK ID_B);
	fails_if_nothing_can_be_read("", "subscriptions A|", "subscriptions B|");
}

static void two_messages_under_one_path_do_no_harm(void **state)
{
	const char *small, *large;

	(void)state;
	free(merge_once("", "cur/1 x\ncur/1 y\ncur/1 x", "cur/1 x\ncur/1 x", true, false));
	free(merge_once("cur/1 x\ncur/1 x", "cur/1 x\ncur/1 y", "cur/1 z\ncur/1 z", true, false));
	free(merge_once("cur/1 x\ncur/1 y", "cur/1 x\ncur/1 y", "cur/1 x\ncur/1 y", true, false));
	in_order("x", "y", &small, &large);
	merges("cur/1 x", "cur/1 x\ncur/1 y", "cur/1 x", WANT("cur/1 %s\ncur/1.{%s} %s", small, large, large));
}

/* A generator of random numbers of our own, so that a failure can be repeated anywhere. */
static uint64_t seed;

static unsigned roll(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

struct item {
	int folder, key, content, flags, sub, date;
	bool long_key;
};

/* A random store. In a tidy one no two messages have one key or one content, contents never change, and no folder goes away. */
struct items {
	struct item v[64];
	size_t n;
	int ids[4];   /* of the folders; 0: none */
	int files[3]; /* contents; 0: none */
	bool tidy;
};

static const char *const folders[] = { "", ".F", ".G", ".H" };
static int fresh; /* the next unused number */

static void add_random(struct items *l)
{
	struct item *i = &l->v[l->n];

	if (l->n == 40)
		return;
	*i = (struct item){ (int)roll(4), (int)roll(12), (int)roll(16), (int)roll(16), (int)roll(2), (int)roll(3), roll(8) == 0 };
	if (l->tidy)
		i->key = i->content = fresh++;
	l->n++;
}

/* All messages and the marker go from one folder to another. */
static void rename_random(struct items *l)
{
	int from = (int)roll(4), to = (int)roll(4);

	for (size_t j = 0; j < l->n; j++)
		if (l->v[j].folder == from)
			l->v[j].folder = to;
	if (from != to) {
		l->ids[to] = l->ids[from];
		l->ids[from] = 0;
	}
}

static void change_random(struct items *l)
{
	struct item *i = &l->v[roll((unsigned)l->n)];

	switch (roll(11)) {
	case 0:
		*i = l->v[--l->n];
		break;
	case 1:
		i->folder = (int)roll(4);
		break;
	case 2:
		i->folder = (int)roll(4);
		i->key = l->tidy ? fresh++ : (int)roll(12);
		break;
	case 3:
		if (!l->tidy)
			i->content = (int)roll(16);
		break;
	case 4:
		i->long_key = !i->long_key;
		break;
	case 5:
		if (!l->tidy)
			rename_random(l);
		break;
	case 6:
		add_random(l);
		break;
	case 7:
		i->date = (int)roll(3);
		break;
	case 8:
		l->files[roll(3)] = (int)roll(6);
		break;
	default:
		i->flags ^= 1 << roll(4);
		i->sub = 1;
	}
}

static void path_of(char path[96], const struct item *it)
{
	const char *f = folders[it->folder];

	snprintf(path, 96, "\n%s%s%s/%d%s%s%s%s%s%s ", f, *f ? "/" : "", it->sub ? "cur" : "new", it->key, it->long_key ? ",S=1" : "",
		 it->sub || it->flags ? ":2," : "", it->flags & 1 ? "F" : "", it->flags & 2 ? "R" : "", it->flags & 4 ? "S" : "",
		 it->flags & 8 ? "a" : "");
}

/* Written by the code under test, so that it is in the one normal form. */
static void add_marker(struct bytes *out, const struct items *l, int folder)
{
	struct marker m = { 0 };
	struct bytes text = { 0 };
	bool any = l->tidy || l->ids[folder];

	for (size_t i = 0; i < l->n; i++) {
		char key[32];
		int len = snprintf(key, sizeof(key), "%d%s", l->v[i].key, l->v[i].long_key ? ",S=1" : "");

		if (l->v[i].folder != folder)
			continue;
		any = true;
		if (l->v[i].date)
			marker_set(&m, key, (size_t)len, 5000 + l->v[i].date);
	}
	if (l->ids[folder])
		snprintf(m.id, sizeof(m.id), "%032x", (unsigned)l->ids[folder]);
	marker_format(&m, &text);
	for (size_t i = 0; i < text.len; i++)
		text.buf[i] = text.buf[i] == ' ' ? '_' : text.buf[i] == '\n' ? '|' : text.buf[i];
	if (any)
		bytes_addf(out, "\n%s%s.gitmaildir %s", folders[folder], folder ? "/" : "", text.buf);
	bytes_release(&text);
	marker_release(&m);
}

/* Of two items with one path the second is left out. */
static char *text_of(const struct items *l)
{
	static const char *const contents[] = { "", "x|", "y|", "clash1", "clash2", "x|y|" };
	struct bytes out = { 0 };
	char path[96];

	bytes_add(&out, "", 0);
	for (size_t i = 0; i < l->n; i++) {
		path_of(path, &l->v[i]);
		if (!strstr(out.buf, path))
			bytes_addf(&out, "%sc%d", path, l->v[i].content);
	}
	for (int f = 0; f < 4; f++)
		add_marker(&out, l, f);
	if (l->files[0])
		bytes_addf(&out, "\nd %s", contents[l->files[0]]);
	else if (l->files[1])
		bytes_addf(&out, "\nd/e %s", contents[l->files[1]]);
	if (l->files[2])
		bytes_addf(&out, "\nsubscriptions %s", contents[l->files[2]]);
	if (out.len)
		memmove(out.buf, out.buf + 1, out.len);
	return out.buf;
}

static size_t count(const char *text, int content)
{
	char what[16];
	size_t n = 0, len = (size_t)snprintf(what, sizeof(what), " c%d", content);

	for (const char *p = text; (p = strstr(p, what)); p += len)
		n += p[len] == '\n' || p[len] == '\0';
	return n;
}

static void assert_nothing_lost(const char *base, const char *a, const char *b, const char *merged)
{
	for (int c = 0; c < 100; c++) {
		size_t in_base = count(base, c);

		if (!in_base && (count(a, c) || count(b, c)))
			assert_true(count(merged, c));
		if (in_base == 1 && count(a, c) && count(b, c))
			assert_true(count(merged, c));
	}
}

static void assert_one_file_per_path(const char *text)
{
	struct store s;

	store_of(&s, text);
	for (size_t i = 0; i < s.nfolders; i++)
		for (int sub = NAME_NEW; sub <= NAME_CUR; sub++)
			for (size_t j = 1; j < s.folders[i].sub[sub].n; j++)
				assert_string_not_equal(s.folders[i].sub[sub].v[j - 1].name, s.folders[i].sub[sub].v[j].name);
	store_release(&s);
}

static void check_random(const char *base, const char *a, const char *b, bool tidy)
{
	char *merged = merge_once(base, a, b, true, false), *again = merge_once(base, b, a, true, false);

	assert_string_equal(again, merged);
	free(again);
	assert_nothing_lost(base, a, b, merged);
	assert_one_file_per_path(merged);
	check(base, a, a, a, true, false);
	check(base, base, b, b, true, false);
	/* A member that was killed before it moved its HEAD records the result as its own change, and merges with the same peer again. */
	if (tidy)
		check(base, merged, b, merged, true, false);
	free(merged);
}

static void merge_random(unsigned rounds, bool tidy)
{
	for (unsigned round = 1; round <= rounds; round++) {
		struct items l[3] = { { .n = 0, .tidy = tidy, .ids = { 1, 2, 0, 0 } } };
		char *text[3];

		seed = round * 0x9e3779b97f4a7c15u;
		fresh = 0;
		for (unsigned n = roll(12); n > 0; n--)
			add_random(&l[0]);
		l[1] = l[2] = l[0];
		for (int s = 1; s <= 2; s++)
			for (unsigned n = roll(10); n > 0; n--)
				if (l[s].n)
					change_random(&l[s]);
				else
					add_random(&l[s]);
		if (roll(10) == 0)
			l[0] = (struct items){ .n = 0 };
		for (int s = 0; s < 3; s++)
			text[s] = text_of(&l[s]);
		check_random(text[0], text[1], text[2], tidy);
		for (int s = 0; s < 3; s++)
			free(text[s]);
		forget_blobs(NULL);
	}
}

static void random_stores_merge_alike_from_either_side_and_lose_nothing(void **state)
{
	(void)state;
	merge_random(1000, false);
}

static void merging_the_result_with_the_same_peer_again_changes_nothing(void **state)
{
	(void)state;
	merge_random(1000, true);
}

#define T(name) cmocka_unit_test_teardown(name, forget_blobs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(row_1_what_nobody_touched_stays),
		T(row_2_flags_set_and_cleared_on_both_sides_all_count),
		T(row_3_once_read_on_one_side_it_is_in_cur),
		T(row_4_deleted_beats_a_flag),
		T(row_4_a_flag_beats_deletion_if_so_configured),
		T(row_5_deleted_on_both_sides_is_gone),
		T(row_6_the_flag_follows_a_moved_message),
		T(row_6_also_if_the_move_gave_it_a_new_name),
		T(row_7_a_move_survives_a_deletion),
		T(row_8_moved_to_one_place_by_both_is_there_once),
		T(row_9_moved_to_two_places_is_in_both),
		T(row_10_changed_content_replaces_the_old),
		T(row_11_changed_content_survives_a_deletion),
		T(row_12_two_changed_contents_are_both_kept),
		T(row_12_merging_the_result_once_more_makes_no_third_copy),
		T(row_13_what_one_side_added_is_there),
		T(row_14_identical_mail_on_both_unites_its_flags),
		T(row_15_same_name_with_different_content_keeps_both),
		T(row_15_a_derived_name_that_is_taken_is_not_used_again),
		T(row_15_merging_the_result_once_more_makes_no_third_copy),
		T(row_15_two_files_of_one_key_that_have_to_leave_it_become_one),
		T(row_16_equal_contents_pair_off_in_order),
		T(row_18_two_files_with_one_key_on_one_side_stay_two),
		T(row_18_who_leaves_a_key_is_in_nobodys_way),
		T(a_size_appended_to_the_key_is_the_same_message),
		T(the_same_bytes_delivered_again_outlive_the_deletion_of_the_old_copy),
		T(names_that_begin_with_a_comma_have_nothing_in_common),
		T(one_sided_names_are_kept_to_the_byte),
		T(what_follows_the_flags_is_kept),
		T(infos_that_are_not_flags_are_not_mixed),
		T(a_name_that_would_be_too_long_is_one_of_the_two),
		T(a_derived_name_drops_what_has_no_room),
		T(a_new_folder_and_a_deleted_one_replicate),
		T(mail_put_into_a_deleted_folder_stays_and_so_does_the_folder),
		T(the_same_new_folder_on_both_has_the_mail_of_both),
		T(new_mail_follows_a_folder_renamed_by_its_id),
		T(several_renamed_folders_each_take_their_own_mail_along),
		T(two_copies_under_one_key_become_one_on_their_way_to_a_renamed_folder),
		T(new_mail_follows_a_folder_all_of_whose_messages_moved),
		T(mail_moved_into_a_renamed_folder_follows_it),
		T(a_folder_renamed_to_two_names_takes_no_mail_along),
		T(mail_in_a_renamed_folder_does_not_displace_other_mail),
		T(the_inbox_is_never_renamed),
		T(a_folder_that_has_mail_and_no_marker_gets_one),
		T(an_odd_date_follows_the_message),
		T(an_odd_date_follows_a_new_key_and_goes_with_the_message),
		T(a_date_changed_by_one_side_counts_and_of_two_the_smaller),
		T(a_date_line_on_one_side_counts_against_the_name_alone),
		T(a_renamed_folder_tells_no_dates_of_what_did_not_come_along),
		T(subscriptions_of_both_sides_are_united),
		T(plain_files_merge_as_git_does),
		T(of_a_file_that_cannot_be_merged_both_are_kept),
		T(a_kept_file_gets_no_path_that_is_ignored_or_too_long),
		T(a_kept_file_takes_no_other_files_path),
		T(a_kept_file_from_a_directory_without_room_is_in_the_root),
		T(a_file_gives_way_to_a_directory),
		T(file_content_merges_by_its_class),
		T(what_cannot_be_read_is_an_error_and_not_a_guess),
		T(two_messages_under_one_path_do_no_harm),
		T(random_stores_merge_alike_from_either_side_and_lose_nothing),
		T(merging_the_result_with_the_same_peer_again_changes_nothing),
	};

	return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
