#!/bin/sh
#
# apply.t -- how a sync changes a Maildir, as strace saw it: nothing appears in cur/ or new/ but whole, synced, and under the lock.
. ./tests/lib.sh

command -v strace >/dev/null || skip_all 'needs strace'
strace -f -o "$HOME/try" true 2>/dev/null || skip_all 'strace may not trace here'
command -v python3 >/dev/null || skip_all 'needs python3'

mkmaildir a a/.Work a/.Old a/.Name
for n in 1 2 3 4 5 6 7 8 9; do
	mkmsg a cur "170000000$n.M1P1.host:2,S" "Mail $n"
	mkmsg a/.Work new "170000010$n.M1P1.host" "Work $n"
	mkmsg a/.Old cur "170000020$n.M1P1.host:2,S" "Old $n" "110000000$n"
	mkmsg a/.Name cur "170000030$n.M1P1.host:2,S" "Name $n"
done
pair a b >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no pair of members"; exit 1; }

# One of each thing that can happen to a message, on a.
change_everything() {
	mkmsg a new 1700001001.M1P1.host 'Came'
	mkmsg a/.Work cur 1700001002.M1P1.host:2,FS 'Came with flags' 1000000000
	mv a/cur/1700000001.M1P1.host:2,S a/cur/1700000001.M1P1.host:2,FS
	mv a/cur/1700000002.M1P1.host:2,S a/cur/1700000002.M1P1.host:2,
	mv a/.Work/new/1700000101.M1P1.host a/.Work/cur/1700000101.M1P1.host:2,S
	mv a/cur/1700000003.M1P1.host:2,S a/.Work/cur/1700000003.M1P1.host:2,S
	mv a/.Work/new/1700000102.M1P1.host a/cur/1700000102.M1P1.host:2,RS
	rm a/cur/1700000004.M1P1.host:2,S
	rm a/.Work/new/1700000103.M1P1.host
	# Other content under the same name, and with a new flag.
	mkmsg a cur 1700000005.M1P1.host:2,S 'Edited text'
	mkmsg a cur 1700000006.M1P1.host:2,FS 'Edited and flagged'
	rm a/cur/1700000006.M1P1.host:2,S
	mkmaildir a/.Fresh
	mkmsg a/.Fresh new 1700001003.M1P1.host 'First in a new folder'
	mv a/cur/1700000007.M1P1.host:2,S a/.Fresh/cur/1700000007.M1P1.host:2,S
	rm -r a/.Old
	mv a/.Name a/.Other
	mv a/.Other/cur/1700000301.M1P1.host:2,S a/.Other/cur/1700000301.M1P1.host:2,FS
	mkmsg a/.Other new 1700001004.M1P1.host 'Came to a renamed folder'
}

traced_sync() {
	change_everything
	git -C a maildir record --no-push
	stat -c %i b/cur/1700000001.M1P1.host:2,S b/cur/1700000002.M1P1.host:2,S b/.Work/new/1700000101.M1P1.host \
		b/cur/1700000008.M1P1.host:2,S b/.Name/cur b/.Name/cur/1700000301.M1P1.host:2,S b/.Name/cur/1700000302.M1P1.host:2,S >inodes.before
	strace -f -y -s 4096 -o trace -e trace=file,desc,write,pwrite64,writev,fsync,fdatasync,syncfs,sync,ftruncate \
		git -C b maildir sync --no-push
	same_mail a b
	same_head a b
	clean a b
}
t 'a sync under strace applies adds, flags, moves, deletions and replaced content' traced_sync

rules_are_kept() {
	status=0
	python3 "$TOP/tests/applytrace.py" trace "$TRASH/b" >verdict || status=$?
	cat verdict
	[ "$status" = 0 ]
}
t 'every file came whole and synced, by rename or link, under the lock, and its directory was synced before HEAD moved' rules_are_kept

# The rules would be kept as well by a sync that did nothing, or by a trace that cannot be read.
trace_saw_all() {
	tail -n 1 verdict
	python3 - "$(tail -n 1 verdict)" <<-'END'
		import re
		import sys
		came, renamed, removed, folders = map(int, re.findall(r"(\d+) (?:files|renamed|removed|folders)", sys.argv[1]))
		assert came >= 5 and renamed >= 5 and removed >= 5 and folders == 1, sys.argv[1]
	END
	if python3 "$TOP/tests/applytrace.py" /dev/null "$TRASH/b"; then return 1; fi
}
t 'the trace shows at least five of each, and one folder that was renamed' trace_saw_all

# The judge itself: each rule, broken once in a made-up trace.
judge() {
	printf '%s\n' "$1" >made-up
	status=0
	python3 "$TOP/tests/applytrace.py" made-up /m >verdict.made-up || status=$?
	cat verdict.made-up
	[ "$status" = 1 ]
	grep "$2" verdict.made-up
}
judge_notices() {
	lock='1 openat(3</m>, "dovecot-uidlist.lock", O_RDWR|O_CREAT|O_EXCL, 0666) = 9</m/dovecot-uidlist.lock>'
	tmp='1 openat(4</m/tmp>, "x", O_WRONLY|O_CREAT|O_EXCL, 0600) = 5</m/tmp/x>'
	sync='1 fsync(5</m/tmp/x>) = 0'
	place='1 renameat2(4</m/tmp>, "x", 6</m/cur>, "x", RENAME_NOREPLACE) = 0'
	judge "$lock
$tmp
$place" 'before it was synced'
	judge "$tmp
$sync
$place" 'without the lock'
	judge "$lock
$tmp
$sync
1 write(5</m/tmp/x>, \"y\", 1) = 1
$place" 'before it was synced'
	judge "$lock
$tmp
$sync
$place
1 rename(\"/m.git/refs/heads/main.lock\", \"/m.git/refs/heads/main\") = 0" 'HEAD moved before'
	judge '1 openat(6</m/cur>, "x", O_WRONLY|O_CREAT, 0600) = 5</m/cur/x>' 'opened for writing'
	judge "$lock
1 renameat(3</m>, \"x\", 6</m/cur>, \"x\") = 0" 'outside of tmp'
	judge '1 renameat(4</m/tmp>, "x", 3</m>, "dovecot-uidlist") = 0' 'without the lock'
	judge '1 renameat(4</m/w/tmp>, "x", 3</m/w>, "dovecot-keywords") = 0' 'without the lock'
}
t 'each of these rules is noticed when it is broken' judge_notices

inodes_stay() {
	stat -c %i b/cur/1700000001.M1P1.host:2,FS b/cur/1700000002.M1P1.host:2, b/.Work/cur/1700000101.M1P1.host:2,S \
		b/cur/1700000008.M1P1.host:2,S b/.Other/cur b/.Other/cur/1700000301.M1P1.host:2,FS b/.Other/cur/1700000302.M1P1.host:2,S >inodes.after
	diff inodes.before inodes.after
}
t 'a change of flags, a move from new to cur and the renaming of a folder keep the inode' inodes_stay

modes_are_private() {
	find b -path '*/cur/*' -o -path '*/new/*' | while read -r file; do
		[ "$(stat -c %a "$file")" = 600 ] || { echo "$file: $(stat -c %a "$file")"; return 1; }
	done
	[ "$(stat -c %a b/.Fresh)" = 700 ]
	[ "$(stat -c %a b/.Fresh/cur)" = 700 ]
}
t 'what came has the modes 0600 and 0700' modes_are_private

done_testing
