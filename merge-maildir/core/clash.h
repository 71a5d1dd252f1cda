/*
 * clash.h -- two results of a merge that want the same key, or the same path, in one folder.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CLASH_H
#define CLASH_H

#include "combine.h"
#include "err.h"
#include "store.h"

/*
 * clash_resolve: settles all clashes among the results, and between them and the unchanged messages that are
 * in unchanged's folders already (numbered as the trios). Two results with one key stay as they are if some
 * side has both. Otherwise equal contents become one, with united flags; of different contents the one with
 * the smaller id keeps the key, and the others get a derived one (name_derive()) that nothing else in the
 * folder has. Afterwards the results are sorted by folder, sub and name, those that are dead are gone, and so
 * are the unchanged messages that became results.
 */
int clash_resolve(struct combine *c, struct store *unchanged, struct err *err);

/*
 * clash_find: the next message with this key in a sorted list after one of them, NULL for the first. NULL if
 * there is none.
 */
const struct msg *clash_find(const struct msgs *l, const char *key, size_t keylen, const struct msg *after);

#endif
