/*
 * deliver.c -- takes a message from a mail server: git-maildir-deliver does it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "../repo/io.h"
#include "exit.h"
#include "self.h"
#include "verbs.h"

int deliver_main(int argc, char **argv)
{
	const char *dir = self_dir();
	char own[] = "git-maildir-deliver", *program = dir ? io_join(dir, own) : NULL;

	(void)argc;
	/* What its caller does with the status are mail servers' rules, and by them this is no reason to send the message back. */
	argv[0] = own;
	if (program)
		execv(program, argv);
	else
		errno = ENOENT;
	exit_warn("cannot run '%s': %s", program ? program : own, strerror(errno));
	free(program);
	return EX_TEMPFAIL;
}
