#!/bin/sh
#
# crash.t -- sync killed with -9 at its state-changing system calls, on both members: the next sync makes the same of it as without the kill.
# A kill, unlike a power loss, is the same on every file system; where nothing waits for a disk it takes half the time.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. ./tests/lib.sh

command -v python3 >/dev/null || skip_all 'needs python3'
command -v strace >/dev/null || skip_all 'needs strace'
strace -o "$HOME/try" -e inject=rmdir:signal=KILL:when=9 true 2>/dev/null || skip_all 'strace may not inject signals here'

# How many points there must be at least: fewer mean that the search for them is broken.
FLOOR=120

# Fifteen messages and five folders; everything that can happen to them happens on both sides while they are apart.
prepare() {
	mkmaildir a a/.Work a/.Old a/.Both a/.Name
	for n in 1 2 3 4 5 6 7 8 9; do
		mkmsg a cur "170000000$n.M1P1.host:2,S" "Mail $n"
	done
	mkmsg a/.Work cur 1700000101.M1P1.host:2, 'Work 1'
	mkmsg a/.Old cur 1700000201.M1P1.host:2,S 'Old 1' 1100000001
	mkmsg a/.Both new 1700000301.M1P1.host 'Both 1'
	mkmsg a/.Name cur 1700000401.M1P1.host:2,S 'Name 1'
	mkmsg a/.Name new 1700000402.M1P1.host 'Name 2'
	mkmsg a/.Name cur 1700000403.M1P1.host:2,S 'Name 3'
	pair a b
	# A push must not start a sync that nobody waits for.
	rm a.git/hooks/post-receive b.git/hooks/post-receive
	git -C b maildir sync
	git -C a maildir sync
	mkmsg a new 1700001001.M1P1.a 'Came on a'
	mkmsg a/.Work cur 1700001002.M1P1.a:2,FS 'Came with flags on a' 1000000000
	mv a/cur/1700000001.M1P1.host:2,S a/cur/1700000001.M1P1.host:2,FS
	mv a/cur/1700000002.M1P1.host:2,S a/.Work/cur/1700000002.M1P1.host:2,S
	rm a/cur/1700000003.M1P1.host:2,S
	mkmaildir a/.Fresh
	mv a/cur/1700000004.M1P1.host:2,S a/.Fresh/cur/
	mkmsg a cur 1700000005.M1P1.host:2,S 'Edited on a'
	mv a/.Both/new/1700000301.M1P1.host a/.Both/cur/1700000301.M1P1.host:2,S
	mv a/.Name a/.Other
	rm a/.Other/cur/1700000403.M1P1.host:2,S
	mkmsg a/.Other new 1700001003.M1P1.a 'Came to a renamed folder'
	mkmsg b new 1700002001.M1P1.b 'Came on b'
	mkmsg b cur 1700002002.M1P1.b:2,RS 'Answered on b' 1000000001
	mv b/cur/1700000001.M1P1.host:2,S b/cur/1700000001.M1P1.host:2,RS
	mv b/cur/1700000002.M1P1.host:2,S b/cur/1700000002.M1P1.host:2,FS
	mv b/cur/1700000006.M1P1.host:2,S b/.Both/cur/1700000006.M1P1.host:2,FS
	rm b/cur/1700000007.M1P1.host:2,S
	rm -r b/.Old
	mkmsg b cur 1700000008.M1P1.host:2,S 'Edited on b'
	mv b/.Name/cur/1700000401.M1P1.host:2,S b/.Name/cur/1700000401.M1P1.host:2,FS
	mkmsg b/.Name new 1700002003.M1P1.b 'Came to the old name'
	mkmaildir b/.More
}
# What comes out when nobody is killed. Each step's beginning is kept.
run_in_peace() {
	for step in 1 2 3; do
		mkdir "$step"
		cp -a a a.git b b.git "$step/"
		case $step in 2) git -C b maildir sync ;; *) git -C a maildir sync ;; esac
	done
	same_head a b
	same_mail a b
	clean a b
	python3 "$TOP/tests/crash.py" --mail "$TRASH" a >expected
	[ "$(grep -c '^folder' expected)" = 6 ]
	[ "$(grep -vc '^folder' expected)" = 17 ]
}
prepare >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no pair of members"; exit 1; }
t 'the scenario without a kill: both members agree' run_in_peace

# killed STEP MEMBER OTHER: the members of that step are put where they were made, because they know their places.
killed() {
	rm -rf a a.git b b.git
	mv "$1/a" "$1/a.git" "$1/b" "$1/b.git" .
	status=0
	python3 "$TOP/tests/crash.py" "$TRASH" "$2" "$3" "$TRASH/expected" >"points.$1" || status=$?
	tail -n 200 "points.$1"
	[ "$status" = 0 ]
}
t 'killed while it records and pushes' killed 1 a b
t 'killed while it records, merges, applies and pushes' killed 2 b a
t 'killed while it takes over what the other has merged' killed 3 a b

enough_points() {
	points=0
	for step in 1 2 3; do
		reached=$(sed -n 's/.* points, \([0-9]*\) reached$/\1/p' "points.$step")
		points=$((points + reached))
	done
	echo "$points" >points
	[ "$points" -ge "$FLOOR" ]
}
t "at least $FLOOR points were reached" enough_points
echo "# killed at $(cat points) points: $(cat points.? | grep ' points, ' | tr '\n' ';')"

done_testing
