#!/bin/sh
#
# ssh.t -- members that reach each other through a real sshd, as in the README.
# shellcheck source=tests/lib.sh disable=SC2016
. ./tests/lib.sh

# shellcheck source=tests/sshd.sh
. "$TOP/tests/sshd.sh"
start_somewhere

GIT_SSH_COMMAND=$(ssh_with user)
export GIT_SSH_COMMAND
base="ssh://127.0.0.1:$port$TRASH"

# What a hook does at the other end starts with the other end's environment: the command for ssh has to be in the configuration there.
with_ssh() {
	for m; do git -C "$m" config core.sshCommand "$GIT_SSH_COMMAND"; done
}

set_up() {
	some_mail mx1
	member mx1
	git maildir clone --name=mx2 "$base/mx1.git" mx2
	git -C mx1 maildir peer add mx2 "$base/mx2.git"
	with_ssh mx1 mx2
	git -C mx1 maildir sync
	same_mail mx1 mx2
	same_head mx1 mx2
	clean mx1 mx2
}
t 'a second server is set up over ssh as the README says' set_up

by_itself() {
	mkmsg mx1 new 1700000100.M1P1.mx1 'Over ssh'
	git -C mx1 maildir record
	soon test -e mx2/new/1700000100.M1P1.mx1
	mv mx2/new/1700000100.M1P1.mx1 mx2/cur/1700000100.M1P1.mx1:2,S
	git -C mx2 maildir record
	soon test -e mx1/cur/1700000100.M1P1.mx1:2,S
	settle
	same_mail mx1 mx2
	same_head mx1 mx2
	clean mx1 mx2
}
t 'mail and flags go both ways over ssh by themselves, though sshd does not know where the program is' by_itself

wrong_name() {
	status_is 8 git -C mx1 maildir peer add mx9 "$base/mx2.git" 2>err
	grep -q "calls itself 'mx2', not 'mx9'" err
	status_is 1 git -C mx1 maildir peer add mx3 "$base/nowhere.git" 2>err
	grep -q 'nowhere.git' err
	[ "$(wc -l <err)" = 1 ]
}
t 'peer add says at once that a server calls itself otherwise, or has no such repository' wrong_name

away() {
	stop_sshd
	mkmsg mx1 new 1700000200.M1P1.mx1 'While mx2 is away'
	mkmsg mx2 new 1700000201.M1P1.mx2 'On mx2 alone'
	status_is 1 git -C mx1 maildir sync 2>err
	grep -q "mx2.*Connection refused" err
	status_is 1 git -C mx2 maildir sync
	git -C mx1 maildir status >out
	grep -q 'Connection refused' out
	start_sshd "$port"
	git -C mx1 maildir sync
	settle
	git -C mx2 maildir sync
	settle
	same_mail mx1 mx2
	same_head mx1 mx2
	test -e mx2/new/1700000200.M1P1.mx1
	test -e mx1/new/1700000201.M1P1.mx2
	clean mx1 mx2
}
t 'a server whose sshd was down is caught up when it is back, and status says why it was not reached' away

done_testing
