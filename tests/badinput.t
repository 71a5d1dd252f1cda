#!/bin/sh
#
# badinput.t -- what comes from elsewhere is bad, or the machine is: one clear line, the documented exit status, nothing lost, and the next run goes on.
. ./tests/lib.sh

command -v python3 >/dev/null || skip_all 'needs python3'

# complains STATUS PATTERN COMMAND...: ends with this status and writes just one line on standard error, which matches.
complains() {
	wanted=$1 pattern=$2
	shift 2
	status=0
	"$@" >"$TRASH/complains.out" 2>"$TRASH/complains.err" || status=$?
	cat "$TRASH/complains.out" "$TRASH/complains.err"
	[ "$status" = "$wanted" ] || { echo "status $status instead of $wanted: $*"; return 1; }
	[ "$(wc -l <"$TRASH/complains.err")" = 1 ] || { echo "not one line: $*"; return 1; }
	grep -qE "^git-maildir: .*$pattern" "$TRASH/complains.err" || { echo "it does not say '$pattern'"; return 1; }
}

trio a b c >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no members"; exit 1; }
# What each push starts in the background would take the other tests by surprise.
rm a.git/hooks/post-receive b.git/hooks/post-receive c.git/hooks/post-receive
for m in b c a b c a; do git -C $m maildir sync >/dev/null 2>&1; done
git init -q --bare evil.git
git -C a.git push -q "$TRASH/evil.git" main

# --- trees that must never reach a disk

# reasons CASE: what the line says of it.
reason() {
	case $1 in
	symlink*) echo 'symbolic link' ;;
	submodule) echo 'submodule' ;;
	dotdot) echo "\\.\\." ;;
	dot) echo "'\\.'|\\./" ;;
	dotgit*) echo "git" ;;
	absolute | slash) echo "/" ;;
	control | newline) echo 'control' ;;
	cur-is-file) echo "\\.Evil/cur.*is a file" ;;
	file-is-folder) echo "\\.Work.*is a file and a directory" ;;
	too-long) echo '255 bytes' ;;
	esac
}
evil_commit() {
	python3 "$TOP/tests/eviltree.py" evil.git main "$1"
}
unharmed() {
	[ "$(git -C "$1" rev-parse HEAD)" = "$2" ]
	mail_list "$1" >mail.now
	diff "$3" mail.now
	[ ! -e "$TRASH/evil" ] && [ ! -e "$1/evil" ] && [ ! -e /etc/evil ]
	clean "$1"
}

# By push: from a repository that checks nothing, to a member that has its checks, and to one whose owner switched git's own off.
refuses_push() {
	commit=$(evil_commit "$1")
	before=$(git -C a rev-parse refs/remotes/b/main)
	head=$(git -C a rev-parse HEAD)
	mail_list a >mail.before
	for checks in true false; do
		git -C a config receive.fsckObjects "$checks"
		if git --git-dir=evil.git push -f "$TRASH/a.git" "$commit:refs/remotes/b/main" >pushed 2>&1; then
			cat pushed
			return 1
		fi
		cat pushed
		[ "$(git -C a rev-parse refs/remotes/b/main)" = "$before" ]
	done
	git -C a config receive.fsckObjects true
	grep '^remote: git-maildir: ' pushed >line
	[ "$(wc -l <line)" = 1 ]
	grep -E "$(reason "$1")" line
	if grep -q "$(printf '[\001\033]')" line; then return 1; fi
	# What git took in before its hook was asked, nothing refers to.
	git -C a prune
	unharmed a "$head" mail.before
}
# By fetch: a peer's own branch is bad. The other peer's new mail comes nevertheless.
refuses_fetch() {
	commit=$(evil_commit "$1")
	good=$(git -C c rev-parse HEAD)
	for checks in true false; do
		git -C a config fetch.fsckObjects "$checks"
		mkmsg b new "1700010001.M${checks}P$1.b" "Mail beside $1 $checks"
		git -C b maildir record --no-push >recorded
		git --git-dir=evil.git update-ref refs/heads/evil "$commit"
		git --git-dir=c.git -c fetch.fsckObjects=false fetch -q --no-write-fetch-head "$TRASH/evil.git" evil
		git --git-dir=c.git update-ref refs/heads/main "$commit"
		complains 1 "'c'.*($(reason "$1")|fsck|object|unpack)" git -C a maildir sync --no-push
		git --git-dir=c.git update-ref refs/heads/main "$good"
		git -C a update-ref -d refs/remotes/c/main
		git --git-dir=c.git prune
		git -C a prune
		same_mail a b
		[ ! -e "$TRASH/evil" ] && [ ! -e a/evil ]
		clean a
	done
	grep -E "$(reason "$1")" complains.err
	git -C a config fetch.fsckObjects true
	# The peer is good again.
	git -C a maildir sync --no-push 2>&1 | tee next
	if grep '^git-maildir' next; then return 1; fi
	git -C b maildir sync --no-push
	git -C c maildir sync --no-push
	same_mail a b c
}
for case in symlink symlink-to-folder submodule dotdot dot dotgit dotgit-case dotgit-short absolute slash control newline \
	cur-is-file file-is-folder too-long; do
	t "a tree with '$case' is refused when it is pushed, with the path" refuses_push $case
done
for case in symlink submodule dotdot dotgit absolute control cur-is-file file-is-folder too-long; do
	t "a peer whose tree has '$case' is left out, and mail of others comes" refuses_fetch $case
done

# Odd, and taken: every byte of it is on disk then, on all members.
takes() {
	commit=$(evil_commit "$1")
	good=$(git -C c rev-parse HEAD)
	git --git-dir=evil.git update-ref refs/heads/evil "$commit"
	git --git-dir=c.git fetch -q --no-write-fetch-head "$TRASH/evil.git" evil
	git --git-dir=c.git update-ref refs/heads/main "$commit"
	git -C b maildir sync --no-push
	git --git-dir=c.git update-ref refs/heads/main "$good"
	for blob in $(git --git-dir=evil.git diff-tree -r --no-renames main "$commit" | cut -d' ' -f4); do
		found=
		for file in b/cur/* b/new/*; do
			[ -f "$file" ] && [ "$(git hash-object "$file")" = "$blob" ] && found=$file
		done
		[ -n "$found" ] || { echo "blob $blob is not on disk"; return 1; }
	done
	clean b
	git -C a maildir sync --no-push
	git -C c maildir sync --no-push
	git -C b maildir sync --no-push
	same_mail a b c
	same_head a b c
}
t 'names of 255 bytes are taken' takes long
t 'several files with one key are all taken' takes one-key
t 'an empty message is taken' takes empty

# --- peers that do not answer as they should

# stub TEXT: an ssh of that behaviour. It is called as "ssh [options] host command".
stub() {
	printf '#!/bin/sh\nfor command; do :; done\n%s\n' "$1" >stub
	chmod +x stub
	export GIT_SSH_COMMAND="$TRASH/stub"
	git -C a config remote.c.url "nowhere.invalid:$TRASH/c.git"
	git -C a config maildir.peerTimeout 1
}
# goes_on PATTERN: a sync names the peer and why, and takes the other's new mail; when the peer is back it takes its mail, too.
goes_on() {
	serial=$(git -C b rev-list --count HEAD)
	mkmsg b new "1700020$serial.M1P1.b" "Beside a bad peer $serial"
	mkmsg c new "1700020$serial.M1P1.c" "From the bad peer $serial"
	git -C b maildir record --no-push >recorded
	git -C c maildir record --no-push
	status=0
	git -C a maildir sync >out 2>err || status=$?
	cat out err
	[ "$status" = 1 ]
	grep -qE "^git-maildir: .*'c'.*$1" err
	# It is told of the fetch and of the push, and of nothing else.
	[ "$(grep -c "'c'" err)" -le 2 ]
	[ "$(grep -vc "'c'" err)" = 0 ]
	[ -f "a/new/1700020$serial.M1P1.b" ]
	[ ! -f "a/new/1700020$serial.M1P1.c" ]
	git -C a maildir status >report || :
	grep -w c report
	unset GIT_SSH_COMMAND
	git -C a config remote.c.url "$TRASH/c.git"
	git -C a config --unset maildir.peerTimeout
	git -C a maildir sync
	[ -f "a/new/1700020$serial.M1P1.c" ]
	clean a
}
hangs() {
	stub 'exec sleep 60'
	goes_on 'nowhere.invalid'
}
refuses() {
	stub 'echo "git@nowhere.invalid: Permission denied (publickey)." >&2; exit 255'
	goes_on 'Permission denied'
}
dies() {
	stub "sh -c \"\$command\" | head -c $1"
	goes_on ''
}
hangs_midway() {
	stub "sh -c \"\$command\" | { head -c 300; sleep 60; }"
	goes_on ''
}
nonsense() {
	stub 'head -c 5000 /dev/urandom'
	goes_on ''
}
t 'a peer that does not answer is named, and the rest goes on' hangs
t 'a peer that refuses is named with its reason' refuses
t 'a peer that dies at once' dies 0
t 'a peer that dies within its greeting' dies 200
t 'a peer that dies while it sends' dies 1500
t 'a peer that stops half-way' hangs_midway
t 'a peer that speaks nonsense' nonsense

# --- not what it should be

not_a_maildir() {
	mkdir plain
	complains 3 "'$TRASH/plain' is not a Maildir" git maildir init plain
	complains 3 "nowhere'" git maildir init nowhere
	[ ! -e plain.git ] && [ ! -e nowhere.git ] && [ ! -e nowhere ]
	complains 3 'no git repository' git-maildir sync
	git init -q plain
	complains 3 'not a member' git -C plain maildir sync
	complains 3 'not a member' git -C plain maildir record
}
t 'not a Maildir, no repository, no member: status 3' not_a_maildir

wrong_owner() {
	chown -R 12345 a a.git
	for verb in sync record status; do
		complains 7 'belongs to another user' maildir_in a "$verb"
	done
	chown -R "$(id -u)" a a.git
	git -C a maildir sync
}
maildir_in() (
	cd "$1" || exit 99
	shift
	git-maildir "$@"
)
if [ "$(id -u)" = 0 ]; then
	t 'a repository of somebody else: status 7' wrong_owner
else
	skip 'a repository of somebody else: status 7' 'only root can give files away'
fi

too_old() {
	mkdir old none
	printf '#!/bin/sh\necho git version 2.20.1\n' >old/git
	chmod +x old/git
	cd a
	complains 7 '2\.20.*2\.30' env PATH="$TRASH/old:$PATH" git-maildir sync
	complains 7 'git' env PATH="$TRASH/none" "$BUILD/git-maildir" sync
}
t 'a git that is too old, or none: status 7' too_old

# --- locks

mail_for_b() {
	mv a/cur/1700000002.M1P1.host:2,S a/cur/1700000002.M1P1.host:2,FS 2>/dev/null ||
		mv a/cur/1700000002.M1P1.host:2,FS a/cur/1700000002.M1P1.host:2,S
	git -C a maildir record --no-push
}
# The pid of a process that has ended.
dead_lock() {
	mail_for_b
	echo "$(sh -c 'echo $$'):$(uname -n)" >b/dovecot-uidlist.lock
	touch -d '10 seconds ago' b/dovecot-uidlist.lock
	git -C b maildir sync --no-push
	[ ! -e b/dovecot-uidlist.lock ]
	same_mail a b
}
live_lock() {
	mail_for_b
	git -C b config maildir.lockWait 1
	mail_list b >mail.before
	head=$(git -C b rev-parse HEAD)
	sleep 100 &
	echo "$!:$(uname -n)" >b/dovecot-uidlist.lock
	complains 4 "INBOX.*process $!" git -C b maildir sync --no-push
	grep "^$!:" b/dovecot-uidlist.lock
	kill $!
	[ "$(git -C b rev-parse HEAD)" = "$head" ]
	mail_list b >mail.now
	diff mail.before mail.now
	rm b/dovecot-uidlist.lock
	git -C b maildir sync --no-push
	same_mail a b
	git -C b config --unset maildir.lockWait
}
t 'a folder lock of a dead process is taken over' dead_lock
t 'a folder lock of a live process is respected: status 4, nothing changed' live_lock

members_lock() {
	git -C b config maildir.lockWait 1
	flock b.git/maildir/lock sleep 5 &
	soon sh -c '! flock -n b.git/maildir/lock true'
	complains 4 'maildir/lock' git -C b maildir sync --no-push
	wait
	git -C b maildir sync --no-push
	git -C b config --unset maildir.lockWait
}
if command -v flock >/dev/null; then
	t "the member's lock is held by somebody: status 4" members_lock
else
	skip "the member's lock is held by somebody: status 4" 'needs flock'
fi

# git never takes its own locks over. Ours do not stop us, and those of a git that was killed long ago do not for ever.
index_lock() {
	mkmsg a new 1700030001.M1P1.a 'Beside index.lock'
	: >a.git/index.lock
	touch -d '3 hours ago' a.git/index.lock
	complains 0 "index\\.lock'.*remove" git -C a maildir record --no-push
	git -C a ls-tree -r --name-only HEAD | grep 1700030001
	rm a.git/index.lock
	git -C a maildir record --no-push
	clean a
}
ref_lock() {
	mkmsg a new 1700030002.M1P1.a 'Beside main.lock'
	head=$(git -C a rev-parse HEAD)
	: >a.git/refs/heads/main.lock
	complains 4 "refs/heads/main\\.lock'.*remove" git -C a maildir record --no-push
	[ "$(git -C a rev-parse HEAD)" = "$head" ]
	[ -f a/new/1700030002.M1P1.a ]
	touch -d '3 hours ago' a.git/refs/heads/main.lock
	git -C a maildir record --no-push
	git -C a ls-tree -r --name-only HEAD | grep 1700030002
	clean a
}
remote_ref_lock() {
	mkmsg b new 1700030003.M1P1.b 'Beside the lock of a peer'
	git -C b maildir record --no-push >recorded
	: >a.git/refs/remotes/b/main.lock
	complains 1 "'b'.*refs/remotes/b/main\\.lock" git -C a maildir sync --no-push
	touch -d '3 hours ago' a.git/refs/remotes/b/main.lock
	git -C a maildir sync --no-push || git -C a maildir sync --no-push
	[ -f a/new/1700030003.M1P1.b ]
	clean a
}
t 'a stale index.lock is named, and the commit made' index_lock
t 'a lock of the branch is named, and taken over when it is old' ref_lock
t "a lock of a peer's state is named, and taken over when it is old" remote_ref_lock

# --- a full disk

# Made of blocks that do not compress: MESSAGES of 100 kB each.
big_mail() {
	n=0
	while [ "$n" -lt "$2" ]; do
		n=$((n + 1))
		{
			printf 'Subject: Big %s\n\n' "$n"
			head -c 75000 /dev/urandom | base64
		} | mkmsg "$1" new "$((1700040000 + n)).M${n}P1.big" -
	done
}
# Every message that is there is whole.
all_whole() {
	find "$1" -path '*/new/*.big' -o -path '*/cur/*.big*' | while read -r file; do
		key=${file##*/}
		cmp "$file" "a/new/${key%%:*}"
	done
}
no_space_for_mail() {
	mkmaildir small/d
	git maildir init --name=d --git-dir="$TRASH/d.git" small/d
	git -C small/d maildir peer add a "$TRASH/a.git"
	git -C small/d maildir sync --no-push
	big_mail a 40
	git -C a maildir record --no-push
	head=$(git -C small/d rev-parse HEAD)
	complains 6 'No space left' git -C small/d maildir sync --no-push
	[ "$(git -C small/d rev-parse HEAD)" = "$head" ]
	all_whole small/d
	find small/d -path '*/tmp/*' | tee left
	[ ! -s left ]
	mount -o remount,size=32m "$TRASH/small"
	git -C small/d maildir sync --no-push
	same_mail a small/d
	clean small/d
}
no_space_for_the_repository() {
	mount -o remount,size=32m "$TRASH/tiny"
	mkmaildir e
	git maildir init --name=e --git-dir="$TRASH/tiny/e.git" e
	git -C e maildir peer add a "$TRASH/a.git"
	big_mail e/ 40
	mail_list e >mail.before
	mount -o remount,size=1m "$TRASH/tiny"
	head=$(git -C e rev-parse HEAD)
	complains 6 'No space left' git -C e maildir record --no-push
	[ "$(git -C e rev-parse HEAD)" = "$head" ]
	status=0
	git -C e maildir sync --no-push || status=$?
	[ "$status" != 0 ]
	[ "$(git -C e rev-parse HEAD)" = "$head" ]
	mail_list e >mail.now
	diff mail.before mail.now
	mount -o remount,size=64m "$TRASH/tiny"
	git -C e maildir record --no-push
	clean e
	git -C e maildir sync --no-push
	clean e
}
mkdir small tiny
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=2m none small 2>/dev/null; then
	mount -t tmpfs -o size=1m none tiny
	trap 'umount "$TRASH/small" "$TRASH/tiny"; finish' EXIT
	t 'no space for the mail: status 6, no message half written, HEAD unmoved; with space it goes on' no_space_for_mail
	t 'no space for the repository: status 6, HEAD unmoved; with space it goes on' no_space_for_the_repository
else
	skip 'no space for the mail' 'may not mount a small file system'
	skip 'no space for the repository' 'may not mount a small file system'
fi

done_testing
