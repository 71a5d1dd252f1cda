#!/bin/sh
#
# connect.t -- ssh as the programs call it by themselves: one connection for many pushes, and what hangs or is dead is given up. Over a real sshd.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046,SC2086 # words are meant
. ./tests/lib.sh

# shellcheck source=tests/sshd.sh
. "$TOP/tests/sshd.sh"

# ssh takes its files from the account's home directory, whatever HOME says: so it is called through a script that names ours.
mkdir bin
cat >bin/ssh <<EOT
#!/bin/sh
exec $(command -v ssh) -F $TRASH/ssh/client "\$@"
EOT
chmod +x bin/ssh
export PATH="$TRASH/bin:$PATH" XDG_RUNTIME_DIR="$TRASH/run"
unset RUNTIME_DIRECTORY SSH_AUTH_SOCK
mkdir -m 700 run
[ ${#TRASH} -lt 60 ] || skip_all 'the path of the temporary directory is too long for a socket'

# A key whose login is silent, until its input ends.
new_key silent
echo "restrict,command=\"cat >/dev/null\" $(cat ssh/silent.pub)" >>ssh/authorized
# shellcheck disable=SC2034 # for sshd.sh
sshd_more="SetEnv PATH=$PATH HOME=$HOME XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR GIT_CONFIG_GLOBAL=$GIT_CONFIG_GLOBAL"
start_somewhere
cat >ssh/client <<EOT
Host silent
	HostName 127.0.0.1
	HostKeyAlias 127.0.0.1
	IdentityFile $TRASH/ssh/silent
Host *
	Port $port
	IdentityFile $TRASH/ssh/user
	IdentitiesOnly yes
	UserKnownHostsFile $TRASH/ssh/known
EOT
trust() {
	for host in 127.0.0.1 "[127.0.0.1]:$port"; do
		echo "$host $(cut -d' ' -f1,2 "ssh/$1.pub")"
	done >ssh/known
}
trust host

# The processes that hold shared connections.
masters() {
	ps -e -o pid= -o args= | sed -n "s|^ *\([0-9]*\) ssh: $TRASH/.* \[mux\].*|\1|p"
}
hang_up() {
	kill -9 $(masters) 2>/dev/null
	stop_sshd
	finish
}
trap hang_up EXIT

logins() {
	grep -c 'Accepted publickey' ssh/log || :
}

set_up() {
	some_mail mx1
	member mx1
	git maildir clone --name=mx2 "127.0.0.1:$TRASH/mx1.git" mx2
	git -C mx1 maildir peer add mx2 "127.0.0.1:$TRASH/mx2.git"
	git -C mx1 maildir sync
	settle
	same_mail mx1 mx2
}
t 'a second server is set up with ssh as it is' set_up

# Both ends have an ssh that leaves a connection behind. That must not keep the one waiting that pushed.
by_itself() {
	mkmsg mx1 new 1700000100.M1P1.mx1 'Over ssh'
	timeout 50 git -C mx1 maildir record
	soon test -e mx2/new/1700000100.M1P1.mx1
	mv mx2/new/1700000100.M1P1.mx1 mx2/cur/1700000100.M1P1.mx1:2,S
	timeout 50 git -C mx2 maildir record
	soon test -e mx1/cur/1700000100.M1P1.mx1:2,S
	settle
	same_mail mx1 mx2
	same_head mx1 mx2
	[ -n "$(masters)" ]
	apart mx1 mx2
}
t 'mail and flags go both ways, and nobody waits for the connection that stays' by_itself

deliver() {
	n=$((${n:-0} + 1))
	mkmsg mx1 new "17000002$n$1.M1P1.mx1" "Number $n"
	git -C mx1 maildir record
	timeout 50 git -C mx1 maildir push mx2
	[ "$(git -C mx2 rev-parse refs/remotes/mx1/main)" = "$(git -C mx1 rev-parse HEAD)" ]
}

one_connection() {
	deliver 1
	before=$(logins)
	for i in 2 3 4 5; do deliver $i; done
	git -C mx1 maildir sync
	[ "$(logins)" = "$before" ]
	[ "$(stat -c %a run/git-maildir)" = 700 ]
	# No process is in the Maildir for that.
	for p in $(masters); do
		[ "$(readlink "/proc/$p/cwd")" = / ]
	done
}
t 'many pushes and fetches are one login' one_connection

killed() {
	kill -9 $(masters)
	deliver 1
	[ -n "$(masters)" ]
}
t 'when the process with the connection was killed the next push makes another' killed

stopped() {
	stopped=$(masters)
	kill -STOP $stopped
	deliver 2
	git -C mx1 maildir status >out
	not grep -q 'cannot reach' out
	kill -9 $stopped
}
t 'when the process with the connection hangs the next push does not wait for it' stopped

# What sshd has for each connection, but for the one that listens.
sessions() {
	pgrep -P "$(cat ssh/pid)"
}
cut_off() {
	deliver 3
	kill -9 $(sessions)
	deliver 4
	deliver 5
	# As when a cable is cut: nothing comes back any more.
	dead=$(sessions)
	kill -STOP $dead
	timeout 40 git -C mx1 maildir push
	kill -9 $dead
	deliver 6
}
t 'a connection that is dead is given up within seconds, and another one made' cut_off

no_directory() {
	kill -9 $(masters)
	rm -rf run/git-maildir
	# Others may write there, or made it a link: then it is not taken, but the next place.
	mkdir -m 777 run/git-maildir
	chmod 777 run/git-maildir
	deliver 7
	[ -z "$(ls run/git-maildir)" ]
	rm -rf run/git-maildir
	mkdir -m 700 elsewhere
	ln -s "$TRASH/elsewhere" run/git-maildir
	deliver 8
	[ -z "$(ls elsewhere)" ]
	[ "$(find home/.cache/git-maildir/ssh -type s | wc -l)" = 1 ]
	[ "$(stat -c %a home/.cache/git-maildir/ssh)" = 700 ]
	kill -9 $(masters)
	rm run/git-maildir
	# No place at all, and one with a long path.
	XDG_RUNTIME_DIR='' HOME=$TRASH/none deliver 9
	[ ! -e none ]
	long=$TRASH/$(printf '%080d' 0)
	mkdir -m 700 "$long"
	XDG_RUNTIME_DIR=$long HOME=$long deliver 0
	[ -z "$(masters)" ]
}
t 'where the socket would not be safe, or has no room, each push has a connection of its own' no_directory

as_told() {
	git -C mx1 config core.sshCommand 'ssh -o BatchMode=yes'
	deliver 1
	git -C mx1 config --unset core.sshCommand
	GIT_SSH_COMMAND='ssh -o BatchMode=yes' deliver 2
	[ -z "$(masters)" ]
	# Two urls, or one that is rewritten: which host git talks to is not known then.
	git -C mx1 config url.ssh://127.0.0.1/.insteadOf 127.0.0.1:
	deliver 3
	git -C mx1 config --remove-section url.ssh://127.0.0.1/
	git -C mx1 config remote.mx2.pushurl "ssh://127.0.0.1$TRASH/mx2.git"
	deliver 4
	git -C mx1 config --unset remote.mx2.pushurl
	[ -z "$(masters)" ]
}
t 'where the user says how ssh is run, or which host is meant cannot be told, nothing is shared' as_told

# unreachable PATTERN COMMAND...: ends with 1 and one line that names the peer and says why.
unreachable() {
	pattern=$1
	shift
	status_is 1 "$@" 2>err
	cat err
	[ "$(wc -l <err)" = 1 ]
	grep -q "^git-maildir: cannot reach peer 'mx2' at '.*': $pattern" err
}

host_key() {
	new_key other
	trust other
	unreachable "its host key has changed: if that is right, remove the old one, '$TRASH/ssh/known:2'$" git -C mx1 maildir push
	: >ssh/known
	unreachable 'its host key is not known here' git -C mx1 maildir push
	trust host
	deliver 5
	kill -9 $(masters)
}
t 'a host key that has changed is told in one line that names the peer' host_key

mute() {
	silent=$(free_port)
	python3 -c "
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', $silent))
s.listen(20)
print('listens', flush=True)
time.sleep(300)" >listener &
	listener=$!
	soon grep -q listens listener
	url=$(git -C mx1 config remote.mx2.url)
	git -C mx1 config remote.mx2.url "ssh://127.0.0.1:$silent$TRASH/mx2.git"
	unreachable '.*timed out' timeout 40 git -C mx1 maildir push
	git -C mx1 config remote.mx2.url "$url"
	kill $listener
	wait $listener || :
}
t 'a host that takes connections and never answers is given up in seconds' mute

hangs() {
	git -C mx1 config remote.mx2.url "silent:$TRASH/mx2.git"
	git -C mx1 config maildir.peerTimeout 2
	unreachable 'no answer for 2 s' timeout 40 git -C mx1 maildir push
	unreachable 'no answer for 2 s' timeout 40 git -C mx1 maildir push
	git -C mx1 maildir status | grep -q 'no answer for 2 s'
	# The same host under its other name has another connection, and is not kept by this one.
	git -C mx1 config remote.mx2.url "127.0.0.1:$TRASH/mx2.git"
	git -C mx1 config --unset maildir.peerTimeout
	deliver 6
}
t 'a host that lets us in and whose git hangs is given up after maildir.peerTimeout' hangs

many() {
	# More sessions than sshd has for one connection (MaxSessions, 10).
	socket=$(find run/git-maildir -type s)
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		ssh -o ControlPath="$TRASH/$socket" -o ControlMaster=no 127.0.0.1 'cat >/dev/null; true' <ssh/fifo 2>/dev/null &
	done
	exec 9>ssh/fifo
	soon sh -c "[ \$(pgrep -f -c 'cat >/dev/null; true') -ge 10 ]"
	deliver 7
	exec 9>&-
	wait
}
mkfifo ssh/fifo
t 'a push while the connection has no room for it takes one of its own' many

still() {
	git -C mx1 config --unset maildir.autoPush
	git -C mx2 config --unset maildir.autoPush
	git -C mx1 maildir sync
	settle
	git -C mx2 maildir sync
	settle
	same_mail mx1 mx2
	same_head mx1 mx2
}
t 'after all of it the two members are equal' still

done_testing
