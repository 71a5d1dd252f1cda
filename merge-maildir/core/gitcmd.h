/*
 * gitcmd.h -- the command that a git client asks ssh to run, taken apart without a shell.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GITCMD_H
#define GITCMD_H

#include <stddef.h>

#include "mem.h"

enum gitcmd_verb { GITCMD_UPLOAD_PACK, GITCMD_RECEIVE_PACK };

struct gitcmd {
	enum gitcmd_verb verb;
	struct bytes path; /* as it was before git quoted it; gitcmd_release() frees */
};

/*
 * gitcmd_parse: NULL, or in a few words why the line is none that may be run. It has to be what git itself sends: "git-upload-pack '<path>'" or "git-receive-pack '<path>'" (or "git upload-pack",
 * "git receive-pack"), quoted exactly as git quotes, with nothing behind it. A path that is empty, that begins with '-', or that holds control bytes is refused.
 */
const char *gitcmd_parse(struct gitcmd *cmd, const char *line);
void gitcmd_release(struct gitcmd *cmd);

/* gitcmd_show: adds the line to out so that it can be printed: what is neither printable ASCII nor a blank as \xNN, a backslash doubled, cut behind max bytes. */
void gitcmd_show(struct bytes *out, const char *line, size_t max);

#endif
