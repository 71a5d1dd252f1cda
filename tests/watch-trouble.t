#!/bin/sh
#
# watch-trouble.t -- git maildir watch: what hangs holds up nobody else; limits of the kernel; members that come and go.
. ./tests/lib.sh
. "$TOP/tests/watch.sh"

WORK=$TOP/tests/watchwork.py

# Hosts that can be "up", "down" (nobody answers), or "hanging" (it accepts, and never says anything): what the file host.<name> says.
mkdir bin
cat >bin/ssh <<'EOF'
#!/bin/sh
# Called as "ssh <host> <command>". Notes each call, and who hangs.
echo "$$ $1" >>"$LAB/calls"
case $(cat "$LAB/host.$1") in
up) eval "exec $2" ;;
down) echo "ssh: connect to host $1 port 22: Connection refused" >&2; exit 255 ;;
hanging) echo $$ >>"$LAB/hanging"; exec sleep 1000 ;;
esac
EOF
chmod +x bin/ssh
export LAB="$TRASH" GIT_SSH_COMMAND="$TRASH/bin/ssh" GIT_SSH_VARIANT=simple
for host in far dead; do echo up >host.$host; done
# over HOST M P REPOSITORY: from now on M reaches its peer P over this host.
over() {
	git -C "$2" remote set-url "$3" "$1:$TRASH/$4"
}
none_hangs() {
	while read -r pid; do not kill -0 "$pid" 2>/dev/null || return 1; done <"$TRASH/hanging"
}

all_of_them() {
	mkdir -p mail/example.org mail/example.com/deep/er there/org there/com/deep/er
	for user in org/joe org/ann com/deep/er/bob; do
		some_mail mail/example."$user"
		git maildir init --name=here mail/example."$user"
		git maildir clone --name=there "$TRASH/mail/example.$user.git" "there/$user"
	done
	mkdir mail/example.com/nothing mail/.hidden
	ln -s "$TRASH/there" mail/elsewhere
	watch all --all="$TRASH/mail"
	for user in org/joe org/ann com/deep/er/bob; do
		within says all "mail/example.$user: is watched from now on"
		mkmsg mail/example."$user" new 1700000300.D1.host
		within recorded mail/example."$user"
	done
	not says all there/
}
t '--all finds members below a directory, and no others' all_of_them
found_later() {
	some_mail mail/example.org/new
	git maildir init --name=here mail/example.org/new
	kill -HUP "$(pid_of all)"
	within says all "mail/example.org/new: is watched from now on"
	mkmsg mail/example.org/new new 1700000301.D1.host
	within recorded mail/example.org/new
	mv mail/example.org/ann mail/example.org/eve
	mv mail/example.org/ann.git mail/example.org/eve.git
	echo "gitdir: $TRASH/mail/example.org/eve.git" >mail/example.org/eve/.git
	git -C mail/example.org/eve config core.worktree "$TRASH/mail/example.org/eve"
	kill -HUP "$(pid_of all)"
	within says all "mail/example.org/eve: is watched from now on"
	within says all "mail/example.org/ann: is gone, and no longer watched"
	for i in 2 3 4; do
		mkmsg mail/example.org/eve new 170000030"$i".D1.host
		within recorded mail/example.org/eve
	done
	mkmsg mail/example.org/joe new 1700000302.D1.host
	within recorded mail/example.org/joe
	unwatch all
	[ "$(cat "$HOME/all.status")" = 0 ]
}
t 'members that are made, removed and renamed while it runs' found_later

for name in a d; do
	some_mail $name
	{ member $name && git maildir clone --name=b "$TRASH/$name.git" "$name.b" && git -C "$name" maildir peer add b "$TRASH/$name.b.git"; } >"$HOME/setup" 2>&1 || cat "$HOME/setup"
done
stuck_store() {
	git -C a config maildir.lockWait 300
	sh -c 'exec 9<>a.git/maildir/lock && flock 9 && exec sleep 300' &
	holder=$!
	watch two "$TRASH/a" "$TRASH/a.b" "$TRASH/d" "$TRASH/d.b"
	mkmsg a new 1700000310.D1.host
	for i in 0 1 2 3; do
		mkmsg d new 170000032"$i".D1.host
		within [ -f d.b/new/170000032"$i".D1.host ]
	done
	mkmsg a.b new 1700000311.D1.host
	within recorded a.b
	not recorded a
	kill "$holder"
	within equal a a.b
	within equal d d.b
	git -C a config --unset maildir.lockWait
}
t 'a Maildir that somebody holds the lock of holds up no other' stuck_store
# lock_folder FOLDER PID: as a mail server does: not when somebody else has the lock.
lock_folder() (
	set -C
	printf '%s:%s' "$2" "$(uname -n)" 2>/dev/null >"$1/dovecot-uidlist.lock"
)
stuck_folder() {
	for m in a a.b; do printf '3 V1700000000 N1 G0123456789abcdef0123456789abcdef\n' >"$m"/.Work/dovecot-uidlist; done
	within equal a a.b
	sleep 300 &
	holder=$!
	within lock_folder a/.Work "$holder"
	mkmsg a/.Work new 1700000330.D1.host
	mkmsg d new 1700000331.D1.host
	within [ -f d.b/new/1700000331.D1.host ]
	mkmsg d.b new 1700000332.D1.host
	within [ -f d/new/1700000332.D1.host ]
	rm a/.Work/dovecot-uidlist.lock
	kill "$holder"
	# No event says that: it is tried again.
	within [ -f a.b/.Work/new/1700000330.D1.host ]
	within grep -q 1700000330.D1.host a/.Work/dovecot-uidlist
	within equal a a.b
}
t 'a folder whose list of UIDs is locked holds up no other Maildir, and is done when it is free' stuck_folder
stuck_peer() {
	git maildir clone --name=c "$TRASH/a.git" a.c
	git -C a maildir peer add c "$TRASH/a.c.git"
	echo hanging >host.dead
	over dead a b a.b.git
	mv d.b d.far
	mv d.b.git d.far.git
	mv d.far d.b
	git --git-dir=d.far.git config core.worktree "$TRASH/d.b"
	echo "gitdir: $TRASH/d.far.git" >d.b/.git
	over far d b d.far.git
	unwatch two
	watch two "$TRASH/a" "$TRASH/d" "$TRASH/a.c" "$TRASH/d.b"
	within [ -s hanging ]
	for i in 0 1 2; do
		mkmsg a new 170000034"$i".D1.host
		within [ -f a.c/new/170000034"$i".D1.host ]
		mkmsg d new 170000034"$i".D1.host
		within [ -f d.b/new/170000034"$i".D1.host ]
	done
	not says two "peer 'b'"
}
t 'a peer that accepts and never answers holds up no other peer and no other Maildir' stuck_peer
stop_with_stuck() {
	unwatch two
	[ "$(cat "$HOME/two.status")" = 0 ]
	within none_hangs
	settle
}
t 'a watch that is ended leaves nothing behind that waits for such a peer' stop_with_stuck
hung_times_out() {
	git -C a config maildir.peerTimeout 1
	watch two "$TRASH/a" "$TRASH/d" "$TRASH/a.c" "$TRASH/d.b"
	within says two "cannot reach peer 'b' at 'dead:.*no answer for 1 s"
	echo up >host.dead
	watch ab "$TRASH/a.b"
	within equal a a.b a.c
	within says two "a: peer 'b' is in reach again"
	unwatch ab
	git -C a config --unset maildir.peerTimeout
}
t 'it is given up, tried again, and caught up when it answers' hung_times_out
down() {
	unwatch two
	echo down >host.far
	over far a b a.b.git
	: >calls
	watch two "$TRASH/a" "$TRASH/d" "$TRASH/a.b" "$TRASH/d.b" "$TRASH/a.c"
	within says two "a: cannot reach peer 'b' at 'far:.*refused"
	within says two "d: cannot reach peer 'b' at 'far:.*refused"
	mkmsg a new 1700000350.D1.host
	mkmsg d new 1700000350.D1.host
	within [ -f a.c/new/1700000350.D1.host ]
	: >calls
	sleep 5
	# For both together about every two seconds, and not as often as each could.
	[ "$(wc -l <calls)" -le 8 ] || { cat calls; return 1; }
	mv d.far.git d.gone.git
	echo up >host.far
	within equal a a.b a.c
	within says two "'far' answers again"
	within says two "d: cannot reach peer 'b' .*does not appear to be a git repository"
	mkmsg a new 1700000351.D1.host
	within equal a a.b a.c
	mv d.gone.git d.far.git
	within equal d d.b
	[ "$(how_often two "a: cannot reach peer 'b' at 'far:")" = 1 ]
	unwatch two
}
t 'a host that is down is tried by one at a time, and a repository that is missing there is no reason to leave the others alone' down

noticed() {
	rm -f notify.sock
	python3 "$WORK" listen "$TRASH/notify.sock" "$TRASH/notified" &
	within [ -S notify.sock ]
	export NOTIFY_SOCKET="$TRASH/notify.sock"
	watch systemd "$TRASH/a" "$TRASH/a.c"
	within grep -qx READY=1 notified
	mkmsg a new 1700000360.D1.host
	within [ -f a.c/new/1700000360.D1.host ]
	unwatch systemd
	within grep -qx STOPPING=1 notified
	wait
}
t 'the service manager is told when it is ready and when it ends' noticed

# limited SYSCTL VALUE: a watch in a user namespace of its own, where the kernel allows it no more than this.
limited() {
	rm -f "$HOME/limited.pid" "$HOME/limited.status" "$HOME/limited.log"
	(
		# shellcheck disable=SC2016
		unshare -r sh -c 'echo "$2" >"/proc/sys/$1" && cd / && echo $$ >"$0.pid" && exec git-maildir-watch "$3" "$4"' \
			"$HOME/limited" "$1" "$2" "$TRASH/a" "$TRASH/a.c" && status=0 || status=$?
		echo "$status" >"$HOME/limited.status"
	) >>"$HOME/limited.log" 2>&1 </dev/null &
	within [ -s "$HOME/limited.pid" ]
}
no_room() {
	git -C a maildir sync >/dev/null
	limited "$1" "$2"
	within says limited "$3"
	[ "$(how_often limited "$3")" = 1 ]
	for i in 1 2; do
		mkmsg a new "$4$i.D1.host"
		within [ -f "a.c/new/$4$i.D1.host" ]
		mkmsg a.c new "$4$((i + 2)).D1.host"
		within equal a a.c
		mkmaildir "a/.Limit$4$i"
		mkmsg "a/.Limit$4$i" new "$4$((i + 4)).D1.host"
		within [ -f "a.c/.Limit$4$i/new/$4$((i + 4)).D1.host" ]
	done
	not says limited 'there is no inotify instance'
	unwatch limited
	[ "$(cat "$HOME/limited.status")" = 0 ]
}
if unshare -r sh -c 'echo 8 >/proc/sys/user/max_inotify_watches' 2>/dev/null; then
	t 'where the kernel has no more watches that is said, and the rest is looked at' no_room user/max_inotify_watches 4 \
		'limit of inotify watches is reached: raise it with .sysctl fs.inotify.max_user_watches' 170000037
	t 'so it is where the kernel has no instance' no_room user/max_inotify_instances 0 \
		'limit of inotify instances is reached: raise it with .sysctl fs.inotify.max_user_instances' 170000038
else
	skip 'where the kernel has no more watches that is said, and the rest is looked at' 'no user namespaces here'
	skip 'so it is where the kernel has no instance' 'no user namespaces here'
fi

churned() {
	watch churn "$TRASH/a"
	within python3 "$WORK" churn "$TRASH/a" .Churn 1
	mkmsg a new 1700000390.D1.host
	within recorded a
	python3 "$WORK" churn "$TRASH/a" .Churn 500
	mkmsg a new 1700000391.D1.host
	within recorded a
	before=$(awk '/VmRSS/ { print $2 }' "/proc/$(pid_of churn)/status")
	python3 "$WORK" churn "$TRASH/a" .Churn 5000
	mkmsg a new 1700000392.D1.host
	within recorded a
	after=$(awk '/VmRSS/ { print $2 }' "/proc/$(pid_of churn)/status")
	[ $((after - before)) -lt 300 ] || { echo "from $before kB to $after kB"; return 1; }
	unwatch churn
	not says churn 'Failed\|assertion'
}
t 'folders that are made and removed thousands of times leave nothing in its memory' churned

done_testing
