#!/bin/sh
#
# ssh.t -- members that reach each other through a real sshd, as in the README.
# shellcheck source=tests/lib.sh disable=SC2016
. ./tests/lib.sh

sshd=$(command -v sshd || echo /usr/sbin/sshd)
[ -x "$sshd" ] || skip_all 'no sshd'
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd

# A port that nobody listens on. Another script may take it before sshd does: then sshd is tried again with the next.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

mkdir -m 700 ssh
ssh-keygen -q -t ed25519 -N '' -f ssh/host
ssh-keygen -q -t ed25519 -N '' -f ssh/user
cp ssh/user.pub ssh/authorized
chmod 600 ssh/authorized

start_sshd() {
	cat >ssh/config <<-EOF
		ListenAddress 127.0.0.1
		Port $1
		HostKey $TRASH/ssh/host
		AuthorizedKeysFile $TRASH/ssh/authorized
		PidFile $TRASH/ssh/pid
		StrictModes no
		UsePAM no
		PasswordAuthentication no
	EOF
	"$sshd" -f "$TRASH/ssh/config" -E "$TRASH/ssh/log" || return 1
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		[ -s ssh/pid ] && return 0
		sleep 0.2
	done
	return 1
}
stop_sshd() {
	[ ! -s ssh/pid ] || kill "$(cat ssh/pid)"
	rm -f ssh/pid
}
trap 'stop_sshd; finish' EXIT

port=
for _ in 1 2 3 4 5; do
	port=$(free_port)
	start_sshd "$port" && break
	port=
done
[ -n "$port" ] || skip_all "sshd does not start: $(tail -n 1 ssh/log)"

export GIT_SSH_COMMAND="ssh -F none -i $TRASH/ssh/user -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no -o UserKnownHostsFile=$TRASH/ssh/known -o LogLevel=ERROR"
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
