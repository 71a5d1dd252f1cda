#!/bin/sh
#
# deliver.t -- git-maildir-deliver: what a mail server hands over is on disk, byte for byte, and on other members, when it says so; and otherwise not there at all.
. ./tests/lib.sh

command -v python3 >/dev/null || skip_all 'needs python3'

# The message that all tests hand over that do not care.
printf 'Subject: A message\n\nIts text.\n' >msg

# deliver STATUS ARGS...: hands over standard input; at most one line comes back, on standard error: in $TRASH/said.
deliver() {
	wanted=$1
	shift
	status=0
	git-maildir-deliver "$@" >"$TRASH/out" 2>"$TRASH/said" || status=$?
	cat "$TRASH/said"
	[ "$status" = "$wanted" ] || { echo "status $status instead of $wanted: $*"; return 1; }
	[ ! -s "$TRASH/out" ] || { echo "it wrote on standard output"; return 1; }
	[ "$(wc -l <"$TRASH/said")" -le 1 ] || { echo "more than one line"; return 1; }
}
quiet() {
	[ ! -s "$TRASH/said" ]
}
says() {
	grep -qE "^git-maildir-deliver: .*$1" "$TRASH/said" || { echo "it does not say '$1'"; return 1; }
}
# no_mail FOLDER: nothing in new/ and tmp/. no_tmp MAILDIR. A sync that a delivery has started may have files of its own in tmp/ for a moment.
no_mail() {
	soon nothing_in "$1/new" "$1/tmp" -mindepth 1
}
no_tmp() {
	settle
	nothing_in "$1" -path '*/tmp/*'
}
nothing_in() {
	find "$@" >found
	[ ! -s found ] || { cat found; return 1; }
}
fresh_member() {
	settle
	rm -rf "$1" "$1.git"
	mkmaildir "$1"
	git maildir init --name="$1" "$1"
}
# the_one FOLDER: the only message in its new/.
the_one() {
	[ "$(find "$1/new" -type f | wc -l)" = 1 ] || { ls -la "$1/new"; return 1; }
	find "$1/new" -type f
}
is_on() {
	git --git-dir="$1.git" cat-file -e "$(git hash-object "$2")"
}
waiting() {
	[ "$(find "$1/new" -type f | wc -l)" -gt 0 ]
}
# A watcher that does nothing: holds the lock until it is killed.
cat >watcher.py <<'END'
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1] + '/maildir/watch', os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, 37, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
open(sys.argv[2], 'w').close()
time.sleep(600)
END
watch() {
	rm -f watching
	python3 watcher.py "$1.git" watching >/dev/null 2>&1 &
	watcher=$!
	soon test -e watching
}
unwatch() {
	kill "$watcher"
	wait "$watcher" || :
}

# --- what arrives

# is_exact FOLDER EXPECTED: the message in new/ is this; its name tells its sizes, its date is in its name, and nobody else may read it.
is_exact() {
	python3 - "$1" "$2" <<-'END'
		import os, re, sys
		folder, expected = sys.argv[1:]
		wanted = open(expected, 'rb').read()
		name, = os.listdir(folder + '/new')
		path = folder + '/new/' + name
		assert open(path, 'rb').read() == wanted, 'other content'
		m = re.fullmatch(r'(\d+)\.M\d+P\d+\.a,S=(\d+),W=(\d+)', name)
		assert m, name
		assert int(m[2]) == len(wanted), name
		assert int(m[3]) == len(wanted) + len(re.findall(rb'(?<!\r)\n', wanted)), name
		st = os.stat(path)
		assert int(m[1]) == int(st.st_mtime), (name, st.st_mtime)
		assert st.st_mode & 0o7777 == 0o600, oct(st.st_mode)
		assert st.st_nlink == 1
		assert os.listdir(folder + '/tmp') == []
	END
}
# arrives INPUT [EXPECTED]: as printf has it.
arrives() {
	rm -f a/new/*
	# shellcheck disable=SC2059 # meant
	printf "$1" >input
	# shellcheck disable=SC2059
	printf "${2-$1}" >expected
	deliver 0 --ack=0 a <input
	quiet
	is_exact a expected
}
fresh_member a >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo 'Bail out! no member'; exit 1; }
t 'a message arrives byte for byte, under a name as Dovecot gives it' arrives 'Subject: One\nTo: you\n\nText\n'
t 'a message without headers' arrives 'just text\n'
t 'a message with nothing but headers' arrives 'Subject: One\n'
t 'a message without a newline at its end' arrives 'Subject: One\n\nText'
t 'a message with NULs and other bytes' arrives 'Subject: \001\n\n\000a\000\377\n\000'
t 'a message with CR LF at the ends of its lines' arrives 'Subject: One\r\n\r\nText\r\n'
t 'a message with CR LF, bare CR and bare LF' arrives 'Subject: One\r\n\nText\rmore\r\r\n\n\r'
t 'a message of one byte' arrives 'x'
t 'a message of one line feed' arrives '\n'
t "the line 'From ' that local(8) puts in front is not part of the message" \
	arrives 'From me@example.org Thu Nov 26 12:00:00 2026\nSubject: One\n\nText\n' 'Subject: One\n\nText\n'
t "only the first such line goes" arrives 'From me\nFrom you\nText\n' 'From you\nText\n'
t "a line that begins with 'From:' is a header" arrives 'From: me\nSubject: One\n\nText\n'
t "one that is quoted is kept" arrives '>From me\nText\n'
t 'a message that is shorter than what is looked for' arrives 'From'

slowly() {
	rm -f a/new/*
	{ for part in F r 'om me' ' Thu' "
Subj" "ect: One

" T ext; do printf %s "$part"; sleep 0.02; done } | deliver 0 --ack=0 a
	printf 'Subject: One\n\nText' >expected
	is_exact a expected
}
t 'a message that comes bit by bit' slowly

no_block() {
	rm -f a/new/*
	python3 - <<-'END'
		import os, subprocess, time
		r, w = os.pipe()
		os.set_blocking(r, False)
		p = subprocess.Popen(['git-maildir-deliver', '--ack=0', 'a'], stdin=r)
		for part in (b'Subject: One\n', b'\nText\n'):
		    time.sleep(0.1)
		    os.write(w, part)
		os.close(w)
		assert p.wait() == 0
	END
	printf 'Subject: One\n\nText\n' >expected
	is_exact a expected
}
t 'a message through a pipe that does not block' no_block

# 50 MB, and not all of it in memory.
large() {
	rm -f a/new/*
	watch a
	python3 - <<-'END'
		import random
		r = random.Random(4)
		with open('expected', 'wb') as f:
		    f.write(b'Subject: Large\n\n')
		    for i in range(800):
		        f.write(r.randbytes(65536) + b'\r\n\n')
	END
	(
		# shellcheck disable=SC3045 # dash and bash have it
		ulimit -v 40000
		deliver 0 --ack=0 a <expected
	)
	unwatch
	is_exact a expected
	rm -f a/new/* expected
}
t 'a message of 50 MB, in little memory' large

empty() {
	rm -f a/new/*
	deliver 75 a </dev/null
	says 'empty'
	printf 'From me@example.org Thu Nov 26 12:00:00 2026\n' | deliver 75 a
	says 'empty'
	deliver 75 a <&-
	no_mail a
}
t 'a message without a single byte is a mail server that failed: it may try again' empty

# The warning must not go into the message, which would be the first file to be opened.
closed_streams() {
	rm -f a/new/*
	status_is 0 git-maildir-deliver --ack=3 --ack-timeout=0 a <msg >&- 2>&-
	cmp msg "$(the_one a)"
}
t 'standard streams that are closed do no harm' closed_streams

modes() {
	fresh_member shared
	chmod 2770 shared shared/cur shared/new shared/tmp
	(umask 077; deliver 0 --folder=Team shared <msg)
	[ "$(stat -c %a "$(the_one shared/.Team)")" = 660 ]
	[ "$(stat -c %a shared/.Team/new)" = 770 ] || [ "$(stat -c %a shared/.Team/new)" = 2770 ]
	settle
}
t 'files and directories have the modes that the Maildir has' modes

# --- where it arrives

folders() {
	fresh_member a
	mkmaildir a/.Work a/.Work.Projects
	for name in Work .Work; do
		deliver 0 --ack=0 --folder="$name" a <msg
		rm "$(the_one a/.Work)"
	done
	for name in Work/Projects Work.Projects .Work.Projects; do
		deliver 0 --ack=0 --folder="$name" a <msg
		rm "$(the_one a/.Work.Projects)"
	done
	for name in INBOX inbox ''; do
		deliver 0 --ack=0 --folder="$name" a <msg
		rm "$(the_one a)"
	done
	[ "$(find a -name cur | wc -l)" = 3 ]
}
t 'a folder by its name or by its path' folders
new_folder() {
	printf 'Subject: For a new folder\n\n' >new
	deliver 0 --ack=0 --folder=New/Sub a <new
	cmp new "$(the_one a/.New.Sub)"
	[ -d a/.New.Sub/cur ] && [ -f a/.New.Sub/maildirfolder ] && [ ! -e a/.New ]
	no_tmp a
	[ "$(stat -c %a a/.New.Sub)" = 700 ]
	settle
	git -C a log --format=%B | grep 'New/Sub.*1 delivered'
}
t 'a folder that is not there is made' new_folder
fs_folder() {
	fresh_member fs
	mkmaildir fs/Old/Deep
	deliver 0 --ack=0 --folder=Old/Deep fs <msg
	cmp msg "$(the_one fs/Old/Deep)"
	deliver 0 --ack=0 --folder=Old/New.1 fs <msg
	cmp msg "$(the_one fs/Old/New.1)"
	[ ! -e fs/Old/New.1/maildirfolder ]
	deliver 64 --ack=0 --folder=Old/.New fs <msg
}
t 'a new folder is laid out as the others are' fs_folder
at_once_folder() {
	rm -rf a/.Race
	for _ in 1 2 3 4 5 6 7 8; do
		git-maildir-deliver --ack=0 --folder=Race a <msg &
	done
	wait
	[ "$(find a/.Race/new -type f | wc -l)" = 8 ]
	no_tmp a
}
t 'eight at once make one folder' at_once_folder
no_folder() {
	settle
	find a fs | sort >before
	for name in ../b .. . /tmp/x a//b a/ cur new/x tmp .git a/.git/b x/cur .. ..x x..y x/. "$(printf 'a\nb')" "$(printf 'Entw\303\274rfe')" ..DOVECOT-TRASHED; do
		deliver 64 --ack=0 --folder="$name" a <msg
		says "no folder"
	done
	long=$(printf '%0300d' 0)
	deliver 64 --ack=0 --folder="$long" a <msg
	ln -s "$TRASH" a/.Link
	deliver 75 --ack=0 --folder=Link a <msg
	rm a/.Link
	find a fs | sort | diff before -
}
t 'what can be no folder, or leads elsewhere, is refused' no_folder

elsewhere() {
	settle
	rm -rf "$HOME/Maildir" "$HOME/Maildir.git"
	fresh_member a
	mkmaildir a/.Work "$HOME/Maildir"
	git maildir init --name=home "$HOME/Maildir"
	(cd a/.Work/cur && deliver 0 --ack=0 <"$TRASH/msg")
	cmp msg "$(the_one a)"
	deliver 0 --ack=0 <msg
	cmp msg "$(the_one "$HOME/Maildir")"
	# A home directory that is under git itself.
	rm -f "$HOME/Maildir/new"/*
	git init -q "$HOME"
	(cd "$HOME" && deliver 0 --ack=0 <"$TRASH/msg")
	rm -rf "$HOME/.git"
	cmp msg "$(the_one "$HOME/Maildir")"
	# What was named is meant.
	rm -f a/new/*
	(cd "$HOME/Maildir" && deliver 0 --ack=0 "$TRASH/a" <"$TRASH/msg")
	cmp msg "$(the_one a)"
	# From a hook's environment.
	rm -f a/new/*
	GIT_DIR=$HOME/Maildir.git deliver 0 --ack=0 a <msg
	cmp msg "$(the_one a)"
	settle
	[ "$(git -C a log -1 --format=%an)" = a ]
	rm -rf "$HOME/Maildir" "$HOME/Maildir.git"
}
t 'the Maildir is the one that was named, or the member around us, or that of the user' elsewhere
relative() {
	fresh_member a
	echo 'gitdir: ../a.git' >a/.git
	deliver 0 a <msg
	settle
	[ -z "$(git -C a status --porcelain)" ]
	# In place, as it was before there was an init.
	rm a/.git
	mv a.git a/.git
	git -C a config core.worktree ../../a
	deliver 0 --ack=0 a <msg
	[ "$(find a/new -type f | wc -l)" = 2 ]
}
t 'the repository is found as git finds it' relative
verb() {
	fresh_member a
	status_is 0 git maildir deliver --ack=0 a <msg
	cmp msg "$(the_one a)"
	status_is 64 git maildir deliver --nonsense a <msg
	status_is 75 git maildir deliver "$TRASH/nowhere" <msg
	mkdir -p alone
	cp "$BUILD/git-maildir" alone/
	status_is 75 alone/git-maildir deliver a <msg
}
t 'git maildir deliver is the same' verb

# --- what must be put right first

wrong_usage() {
	fresh_member a
	for args in '--nonsense a' 'a b' '--ack=x a' '--ack=-1 a' '--ack-timeout=1s a' '--too-few=drop a' '--folder'; do
		# shellcheck disable=SC2086 # words are meant
		status_is 64 git-maildir-deliver $args <msg
	done
	no_mail a
}
t 'a wrong command line' wrong_usage
no_member() {
	mkmaildir plain
	deliver 75 plain <msg
	says 'git maildir init'
	deliver 75 "$TRASH/nowhere" <msg
	says 'nowhere'
	deliver 75 "$TRASH/msg" <msg
	deliver 75 <msg
	(unset HOME; deliver 75 <msg; says HOME)
	no_mail plain
	git init -q plain
	deliver 75 plain <msg
	no_mail plain
	fresh_member a
	git -C a config --unset maildir.name
	deliver 75 a <msg
	says 'git maildir init'
	no_mail a
	mv a.git a.gone
	deliver 75 a <msg
	no_mail a
	mv a.gone a.git
}
t 'no Maildir, or one that is no member: the mail server is to try again' no_member
no_config() {
	fresh_member a
	git -C a config maildir.ackPeers many
	deliver 75 a <msg
	says "ackPeers"
	git -C a config --unset maildir.ackPeers
	git -C a config maildir.ackFallback maybe
	deliver 75 a <msg
	git -C a config --unset maildir.ackFallback
	git -C a config maildir.ackTimeout 5m
	deliver 75 a <msg
	git -C a config --unset maildir.ackTimeout
	no_mail a
	cp a.git/config good
	echo '[broken' >>a.git/config
	deliver 75 a <msg
	says 'config'
	cp good a.git/config
	mkdir -p nothing
	rm -f a.git/maildir/policy
	PATH=$TRASH/nothing status_is 75 "$BUILD/git-maildir-deliver" a <msg
	no_mail a
	deliver 0 a <msg
}
t 'a configuration that is broken, or no git: the mail server is to try again' no_config
lost_dir() {
	fresh_member a
	mkmaildir a/.Work
	rmdir a/new a/.Work/new
	deliver 75 a <msg
	deliver 75 --folder=Work a <msg
	[ ! -e a/new ] && [ ! -e a/.Work/new ]
	mkdir a/new a/.Work/new elsewhere
	rmdir a/new
	ln -s "$TRASH/elsewhere" a/new
	deliver 75 a <msg
	[ -z "$(ls elsewhere)" ]
	rm a/new
	mkdir a/new
	rmdir a/tmp a/.Work/tmp
	deliver 0 --ack=0 a <msg
	deliver 0 --ack=0 --folder=Work a <msg
	[ -d a/tmp ] && [ -d a/.Work/tmp ]
}
t 'a folder that has lost its new/ gets no mail and no new one; a missing tmp/ is made' lost_dir
read_only() {
	fresh_member a
	chown -R 5000 a a.git
	chmod 500 a/new
	cp "$BUILD/git-maildir-deliver" bin/
	chmod 711 "$TRASH"
	status=0
	setpriv --reuid=5000 --regid=5000 --clear-groups env HOME=/nonexistent GIT_CONFIG_GLOBAL=/dev/null bin/git-maildir-deliver --ack=0 a <msg 2>said || status=$?
	cat said
	[ "$status" = 75 ]
	grep 'denied' said
	no_mail a
	# And not as root into somebody else's.
	deliver 75 a <msg
	says 'user 5000'
	no_mail a
}
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir -p bin
	t 'a new/ that may not be written, and a Maildir of somebody else' read_only
else
	skip 'a new/ that may not be written, and a Maildir of somebody else' 'needs root'
fi
disk_full() {
	settle
	rm -rf small small.git
	mkdir small
	mount -t tmpfs -o size=2m,mode=700 tmpfs small
	trap 'umount -l "$TRASH/small"' EXIT
	mkmaildir small
	git maildir init --name=small --git-dir=small.git small
	head -c 3000000 /dev/zero >large
	deliver 75 --ack=0 small <large
	says 'No space'
	no_mail small
	deliver 0 --ack=0 small <msg
	settle
}
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	t 'a full disk: nothing is left, and the mail server is to try again' disk_full
else
	skip 'a full disk: nothing is left, and the mail server is to try again' 'needs root'
fi
file_limit() {
	fresh_member a
	head -c 200000 /dev/zero >large
	(
		ulimit -f 100
		deliver 75 --ack=0 a <large
	)
	says 'large'
	no_mail a
}
t 'a message that is larger than files may be' file_limit

# --- ended in the middle

# half NAME: hands over half a message and waits; the pid is in $half.
half() {
	rm -f pipe
	mkfifo pipe
	# Also where whoever runs the tests ignores it, as nohup does.
	env --default-signal=HUP git-maildir-deliver --ack=0 "$1" <pipe 2>said &
	half=$!
	exec 8>pipe
	printf 'Subject: Half\n\nThe first' >&8
	soon test -n "$(find "$1/tmp" -type f)" || :
	soon sh -c "[ -s \"\$(find $1/tmp -type f)\" ]"
}
killed() {
	fresh_member a
	for signal in TERM HUP; do
		half a
		kill -s "$signal" "$half"
		status=0
		wait "$half" || status=$?
		exec 8>&-
		[ "$status" = 75 ]
		says 'signal'
		no_mail a
	done
	half a
	kill -KILL "$half"
	wait "$half" || :
	exec 8>&-
	[ -z "$(ls a/new)" ]
	[ -n "$(ls a/tmp)" ]
	git -C a maildir record
	no_mail a
}
t 'one that is killed in the middle leaves no message, and nothing that stays' killed
server_dies() {
	fresh_member a
	for round in 1 2 3 4 5 6 7 8 9 10; do
		echo "round $round"
		rm -f said
		die_in_the_middle
		soon grep -q died said
		no_mail a
	done
}
die_in_the_middle() {
	python3 - <<-'END'
		import os, subprocess, sys, time
		pid = os.fork()
		if pid == 0:
		    p = subprocess.Popen(['git-maildir-deliver', '--ack=0', 'a'], stdin=subprocess.PIPE, stderr=open('said', 'w'))
		    p.stdin.write(b'Subject: Half\n\nThe first')
		    p.stdin.flush()
		    while not any(os.path.getsize('a/tmp/' + n) for n in os.listdir('a/tmp')):
		        time.sleep(0.02)
		    os._exit(0)
		os.waitpid(pid, 0)
	END
}
t 'a mail server that dies while it hands over a message has not delivered half of it' server_dies

# --- on other members

mkmaildir a
{
	fresh_member a
	pair a b
	# These tests empty the INBOX again and again.
	git -C a config maildir.maxDelete 1000
} >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo 'Bail out! no members'; exit 1; }
acknowledged() {
	rm -f a/new/*
	deliver 0 --ack-timeout=60 a <msg
	quiet
	is_on b msg
	settle
	cmp msg "$(the_one a)"
	soon cmp msg b/new/"$(basename "$(the_one a)")"
	clean a b
}
t 'a message is in the repository of a peer when it is delivered, and soon in its Maildir' acknowledged
two_of_two() {
	join c a b
	printf 'Subject: For two\n\n' >for2
	deliver 0 --ack=2 --ack-timeout=60 a <for2
	quiet
	is_on b for2
	is_on c for2
	settle
	printf 'Subject: For one\n\n' >for1
	deliver 0 --folder=Work --ack-timeout=60 a <for1
	quiet
	is_on b for1 || is_on c for1
	settle
	git -C a maildir peer remove c
}
t 'on two peers, when two are asked for' two_of_two
at_once() {
	rm -rf c c.git
	settle
	before=$(git -C a rev-list --count HEAD)
	for p in 1 2 3 4 5 6 7 8; do
		for n in 1 2 3 4 5; do
			printf 'Subject: %s of %s\n\n' "$n" "$p" >"at-once.$p.$n"
			git-maildir-deliver --ack-timeout=60 a <"at-once.$p.$n" || echo "$p.$n: status $?"
			is_on b "at-once.$p.$n" || echo "$p.$n is not on b"
		done >"at-once.$p" 2>&1 &
	done
	wait
	cat at-once.?
	[ -z "$(cat at-once.?)" ]
	settle
	commits=$(($(git -C a rev-list --count HEAD) - before))
	echo "$commits commits"
	[ "$commits" -lt 40 ]
	clean a b
	same_mail a b
}
t 'many at once share commits, and each is on the peer when it is delivered' at_once

# --- too few

unreachable() {
	git -C a config remote.b.url "$TRASH/nowhere.git"
}
reachable() {
	git -C a config remote.b.url "$TRASH/b.git"
}
accepts() {
	rm -f a/new/*
	unreachable
	deliver 0 --ack-timeout=1 a <msg
	says 'accepted: .* is on 0 of 1 peers .*nowhere'
	cmp msg "$(the_one a)"
	settle
	reachable
	deliver 0 --ack-timeout=60 a <for1
	quiet
	[ "$(find a/new -type f | wc -l)" = 2 ]
	settle
	same_mail a b
}
t 'too few in time: accepted, with a word for the log' accepts
defers() {
	rm -f a/new/*
	git -C a maildir sync
	unreachable
	printf 'Subject: Deferred\n\n' >deferred
	deliver 75 --ack-timeout=1 --too-few=defer a <deferred
	says 'deferred: .* 0 of 1 peers.*nowhere'
	no_mail a
	settle
	clean a
	# The mail server tries again.
	reachable
	deliver 0 --ack-timeout=60 --too-few=defer a <deferred
	quiet
	cmp deferred "$(the_one a)"
	is_on b deferred
	settle
	same_mail a b
	[ "$(cat b/new/* | grep -c Deferred)" = 1 ]
}
t 'too few in time: withdrawn, and the mail server tries again' defers
configured() {
	rm -f a/new/*
	git -C a maildir sync
	unreachable
	git -C a config maildir.ackTimeout 1
	git -C a config maildir.ackFallback defer
	deliver 75 a <msg
	deliver 0 --too-few=accept a <msg
	git -C a config maildir.ackPeers 0
	deliver 0 a <msg
	quiet
	git -C a config --unset maildir.ackPeers
	git -C a config maildir.autoPush false
	deliver 0 a <msg
	quiet
	git -C a config --unset maildir.autoPush
	git -C a config remote.b.maildirPeer false
	deliver 0 a <msg
	quiet
	git -C a config --unset remote.b.maildirPeer
	# What was read once holds until something changes.
	sleep 3
	deliver 75 a <msg
	[ -s a.git/maildir/policy ]
	deliver 75 a <msg
	git -C a config maildir.ackFallback accept
	deliver 0 a <msg
	says accepted
	git -C a config --unset maildir.ackTimeout
	git -C a config --unset maildir.ackFallback
	settle
	reachable
}
t 'all of that can be configured, and a change counts at once' configured
more_than_there_are() {
	rm -f a/new/*
	git -C a maildir sync
	deliver 75 --ack=2 --too-few=defer a <msg
	says 'deferred: 2 peers were asked for, and there are 1'
	no_mail a
	printf 'Subject: More\n\n' >many
	deliver 0 --ack=2 --ack-timeout=60 a <many
	says 'accepted: .* is on 1 of 1 peers so far, 2 were asked for'
	is_on b many
	settle
}
t 'more peers are asked for than there are: nobody waits for those' more_than_there_are

# waits ARGS...: a delivery to a that is waiting for its peer; its pid is in $waits.
waits() {
	rm -f a/new/*
	unreachable
	git-maildir-deliver --ack-timeout=600 "$@" a <msg >out 2>said &
	waits=$!
	soon waiting a
}
end_of() {
	kill -TERM "$waits"
	status=0
	wait "$waits" || status=$?
	cat said
	reachable
	[ "$status" = "$1" ] || { echo "status $status"; return 1; }
}
client_has_it() {
	waits --too-few=defer
	name=$(basename "$(the_one a)")
	mv "a/new/$name" "a/cur/$name:2,S"
	end_of 0
	says 'accepted: .*client'
	cmp msg "a/cur/$name:2,S"
	settle
}
t 'a message that a client has read meanwhile is not withdrawn' client_has_it
end_of_time() {
	waits --too-few=defer
	end_of 75
	says 'deferred'
	no_mail a
	settle
	waits --too-few=accept
	end_of 0
	says 'accepted'
	cmp msg "$(the_one a)"
	settle
}
t 'a signal ends the waiting as if the time was up' end_of_time
hanging() {
	rm -f a/new/*
	git -C a config remote.b.url ssh://nowhere/b.git
	git -C a config maildir.peerTimeout 2
	printf '#!/bin/sh\nexec sleep 600\n' >hang
	chmod +x hang
	GIT_SSH_COMMAND=$TRASH/hang deliver 0 --ack-timeout=1 a <msg
	says 'accepted'
	GIT_SSH_COMMAND=$TRASH/hang deliver 75 --ack-timeout=1 --too-few=defer a <for1
	[ "$(find a/new -type f | wc -l)" = 1 ]
	settle
	git -C a config --unset maildir.peerTimeout
	reachable
}
t 'a peer that takes the connection and never answers' hanging
# note SINCE FAILED: b has been out of reach since so many seconds ago, and was tried so many seconds ago.
note() {
	now=$(date +%s)
	sed -i '/^trouble\|^since\|^failed/d' a.git/maildir/peer/b
	printf 'trouble cannot reach it\nsince %d\nfailed %d\n' $((now - $1)) $((now - $2)) >>a.git/maildir/peer/b
}
down_for_long() {
	rm -f a/new/*
	unreachable
	deliver 0 --ack-timeout=1 a <msg
	settle
	grep '^since' a.git/maildir/peer/b
	grep '^failed' a.git/maildir/peer/b
	note 3600 30
	timeout 60 git-maildir-deliver --ack-timeout=600 a <for1 2>said
	says 'accepted: .* 0 of 1'
	settle
	# That one did not wait for it does not mean that nobody tries.
	reachable
	note 3600 30
	timeout 60 git-maildir-deliver --ack-timeout=600 a <for2 2>said
	settle
	is_on b for2
	if grep '^since' a.git/maildir/peer/b; then return 1; fi
	deliver 0 --ack-timeout=60 a <for1
	quiet
	settle
}
t 'a peer that has been out of reach for long is not waited for, until it is back' down_for_long
other_lives() {
	rm -f a/new/*
	settle
	git clone -q --bare b.git c.git
	git -C a config remote.c.url "$TRASH/c.git"
	printf '#!/bin/sh\nexit 0\n' >c.git/hooks/update
	unreachable
	note 3600 30
	printf 'Subject: Other\n\n' >other
	timeout 60 git-maildir-deliver --ack=2 --ack-timeout=600 a <other 2>said
	says 'accepted: .* on 1 of 2 peers so far, 2 were asked for'
	is_on c other
	settle
	reachable
	git -C a config --remove-section remote.c
	rm -rf c.git
}
t 'of two peers one is down: the other is waited for' other_lives

# --- who works

watched() {
	rm -f a/new/*
	git -C a maildir sync
	settle
	head=$(git -C a rev-parse HEAD)
	watch a
	deliver 0 --ack=0 a <msg
	settle
	[ "$(git -C a rev-parse HEAD)" = "$head" ]
	printf 'Subject: Watched\n\n' >watched
	git-maildir-deliver --ack-timeout=600 a <watched >out 2>said &
	waits=$!
	soon sh -c 'grep -l Watched a/new/*'
	kill -0 "$waits"
	unwatch
	wait "$waits"
	[ ! -s said ]
	is_on b watched
	settle
}
t 'a watcher does the work; if it dies, the delivery sees to it' watched
failed_sync() {
	rm -f a/new/*
	settle
	# The first sync that is started dies.
	mkdir -p dying
	cp "$BUILD/git-maildir-deliver" dying/
	cat >dying/git-maildir <<-END
		#!/bin/sh
		echo started >>"$TRASH/started"
		[ "\$(wc -l <"$TRASH/started")" = 1 ] || exec "$BUILD/git-maildir" "\$@"
	END
	chmod +x dying/git-maildir
	rm -f started
	printf 'Subject: Again\n\n' >again
	dying/git-maildir-deliver --ack-timeout=600 a <again
	is_on b again
	[ "$(wc -l <started)" -ge 2 ]
	settle
}
t 'a sync that died is started again' failed_sync
nobody_to_start() {
	rm -f a/new/*
	mkdir -p single
	cp "$BUILD/git-maildir-deliver" single/
	status=0
	single/git-maildir-deliver --ack-timeout=0 a <msg 2>said || status=$?
	[ "$status" = 0 ]
	says 'accepted: .*single/git-maildir'
	single/git-maildir-deliver --ack=0 a <for1 2>said
	says 'recorded later'
	[ "$(find a/new -type f | wc -l)" = 2 ]
	rm -r single
}
t 'no program to record it: delivered nevertheless' nobody_to_start

done_testing
