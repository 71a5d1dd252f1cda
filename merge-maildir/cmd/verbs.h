/*
 * verbs.h -- the commands: each takes its own argv (argv[0] is the verb) and returns the exit status.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef VERBS_H
#define VERBS_H

#define GIT_MAILDIR_VERSION "0.1"

int init_main(int argc, char **argv);
int clone_main(int argc, char **argv);
int peers_main(int argc, char **argv);
int record_main(int argc, char **argv);
int sync_main(int argc, char **argv);
int push_main(int argc, char **argv);
int status_main(int argc, char **argv);
int prune_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int log_main(int argc, char **argv);
int restore_main(int argc, char **argv);
int deliver_main(int argc, char **argv);
int hook_main(int argc, char **argv);
int clean_main(int argc, char **argv);
int wake_main(int argc, char **argv);

int strategy_main(int argc, char **argv); /* as git-merge-maildir */
int driver_main(int argc, char **argv);	  /* as merge-maildir */

#endif
