/*
 * say.h -- what git-maildir-deliver tells those who run the mail server.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef SAY_H
#define SAY_H

/* say: one line on standard error, whatever bytes are in names; or into the system's log for mail, after say_to_log(). */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void say_to_log(void);

#endif
