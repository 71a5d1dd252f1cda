#!/bin/sh
#
# interrupted.t -- a merge that is killed, or finds the disk full, while it is applied: whatever happens before the next sync, what was applied by then is not taken for a change of this member.
# A kill, unlike a power loss, is the same on every file system; where nothing waits for a disk it takes half the time.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. ./tests/lib.sh

command -v strace >/dev/null || skip_all 'needs strace'
strace -o "$HOME/try" -e inject=rmdir:signal=KILL:when=9 true 2>/dev/null || skip_all 'strace may not inject signals here'

# Members a and b. a has changed several folders, and b, which has changed something else, knows of it and is about to merge it.
prepare() {
	mkmaildir a a/.Work a/.Old
	for n in 1 2 3 4 5 6; do
		mkmsg a cur "170000000$n.M1P1.host:2,S" "Mail $n"
		mkmsg a/.Old cur "170000010$n.M1P1.host:2,S" "Old mail $n"
	done
	pair a b
	apart a b
	rm a.git/hooks/post-receive b.git/hooks/post-receive
	for n in 1 2 3; do
		mkmsg a new "170000100$n.M1P1.a" "Came on a $n"
		mkmsg a/.Work cur "170000200$n.M1P1.a:2,FS" "Work $n"
	done
	mv a/cur/1700000001.M1P1.host:2,S a/cur/1700000001.M1P1.host:2,FS
	mv a/cur/1700000002.M1P1.host:2,S a/.Work/cur/1700000002.M1P1.host:2,S
	rm a/cur/1700000003.M1P1.host:2,S
	rm -r a/.Old
	git -C a maildir record
	mkmsg b new 1700003001.M1P1.b 'Came on b'
	git -C b maildir record
	git -C b fetch a
	mkdir before
	cp -a a a.git b b.git before/
}
prepare >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no pair of members"; exit 1; }
START=$(git -C b rev-parse HEAD)

# began: b's disk has something of the merge, and HEAD does not say so.
began() {
	[ "$(git -C b rev-parse HEAD)" = "$START" ] && ! diff -r before/b b >"$HOME/began"
}

# fault_at N FAULT: b's sync meets a fault at the Nth change of a name in its Maildir. Fails if there are not so many.
fault_at() {
	rm -f trace
	(cd b && strace -f -o "$TRASH/trace" -P "$TRASH/b/new" -P "$TRASH/b/cur" -P "$TRASH/b/.Work/cur" -P "$TRASH/b/.Old/cur" -P "$TRASH/b/.Work" -P "$TRASH/b/.Old" -P "$TRASH/b" \
		-e trace=linkat,renameat2,unlinkat,mkdirat -e "inject=linkat,renameat2,unlinkat,mkdirat:$2:when=$1" git-maildir sync --local) >"$HOME/said" 2>&1 || :
	grep -q 'INJECTED\|killed by' trace
}
# stop_at N FAULT: the same, after everything was put back as it was before the merge.
stop_at() {
	rm -rf a a.git b b.git
	cp -a before/. .
	fault_at "$@"
}

# each STEP FAULT COMMAND...: for each place (or each STEPth) at which a sync with this fault leaves half of a merge; there must be some.
each() {
	step=$1 fault=$2
	shift 2
	n=1 places=0
	while stop_at "$n" "$fault"; do
		if began; then
			places=$((places + 1))
			echo "at $n: $(tail -n 1 "$HOME/said")"
			"$@"
		fi
		n=$((n + step))
	done
	echo "$places places of $n"
	[ "$places" -ge 4 ]
}

# what_b_made: the commits that are b's own, since the beginning.
what_b_made() {
	git -C b log --author='^b ' --format=%s "$START..HEAD"
}

as_if_nothing_had_been() {
	git -C b maildir sync --local
	[ "$(git -C b rev-parse 'HEAD^{tree}')" = "$expected" ]
	[ -z "$(what_b_made)" ] || { what_b_made; return 1; }
	[ -z "$(git -C b status --porcelain)" ]
	[ ! -e b.git/maildir/applying ]
}
undisturbed() {
	rm -rf b b.git
	cp -a before/b before/b.git .
	git -C b maildir sync --local
	expected=$(git -C b rev-parse 'HEAD^{tree}')
	each 1 signal=KILL as_if_nothing_had_been
}
t 'a sync is killed while it applies a merge: the next one comes to the same commit, and makes none of its own' undisturbed
full_disk() {
	git -C b maildir sync --local
	expected=$(git -C b rev-parse 'HEAD^{tree}')
	each 2 error=ENOSPC as_if_nothing_had_been
}
t 'the disk is full in the middle of a merge: the next sync comes to the same commit' full_disk

# All that a had brought goes again, before b has synced.
gone_again() {
	rm -f a/new/170000100* a/.Work/cur/*
	git -C a maildir record --allow-deletes >/dev/null
	git -C b fetch -q a
	git -C b maildir sync --local >/dev/null
	find a b -name '1700001*' -o -name '1700002*' -o -path '*/.Work/cur/*' | tee back
	[ ! -s back ]
	together a b
	find a b -name '1700001*' -o -name '1700002*' -o -path '*/.Work/cur/*' | tee back
	[ ! -s back ]
	clean a b
}
t 'mail that a peer deletes after the kill does not come back' each 2 signal=KILL gone_again

# What users do between the kill and the next sync is theirs.
users_go_on() {
	mkmsg b new 1700004001.M1P1.b 'Came after the kill'
	mv b/cur/1700000004.M1P1.host:2,S b/cur/1700000004.M1P1.host:2,RS
	rm b/cur/1700000005.M1P1.host:2,S
	moved=$(find b/new -name '1700001001*')
	[ -z "$moved" ] || mv "$moved" b/cur/1700001001.M1P1.a:2,S
	git -C b maildir sync --local >/dev/null
	# One change, and it is on top of what the merge came to.
	what_b_made | tee made
	[ "$(wc -l <made)" = 1 ]
	not grep Work made
	[ -f b/new/1700004001.M1P1.b ] && [ -f b/cur/1700000004.M1P1.host:2,RS ]
	[ -z "$(find b -name '1700000005*')" ]
	together a b
	[ -f a/new/1700004001.M1P1.b ] && [ -f a/cur/1700000004.M1P1.host:2,RS ]
	[ -z "$(find a -name '1700000005*')" ]
	if [ -n "$moved" ]; then
		[ -f a/cur/1700001001.M1P1.a:2,S ]
	fi
	[ "$(find a -name '1700*' | wc -l)" = 12 ]
	clean a b
}
t 'what users do after the kill is a change on top of the merge, and reaches the peer' each 3 signal=KILL users_go_on

# Killed again while that is finished: the mail was here only between the two kills.
killed_again() {
	came=1700004002.M1P1.b again=0
	for second in 1 2 3 4 5 6 7 8; do
		stop_somewhere
		mkmsg b/.Work new "$came" 'Came after the kill'
		fault_at "$second" signal=KILL || break
		[ "$(git -C b rev-parse HEAD)" = "$START" ] || continue
		again=$((again + 1))
		find b/.Work -name "$came*" -exec rm {} +
		git -C b maildir sync --local
		find b -name "$came*" | tee back
		[ ! -s back ]
		together a b
		find a b -name "$came*" | tee back
		[ ! -s back ]
		clean a b
	done
	[ "$again" -ge 3 ]
}

a_record_finishes_it() {
	git -C b maildir record --no-push >/dev/null
	[ ! -e b.git/maildir/applying ]
	[ -z "$(what_b_made)" ]
	status=0
	git -C b maildir status >/dev/null || status=$?
	[ -z "$(git -C b status --porcelain)" ]
}
t 'a record finishes it, too' each 3 signal=KILL a_record_finishes_it

# stop_somewhere: the first place at which half of the merge is there.
stop_somewhere() {
	n=3
	while stop_at "$n" signal=KILL && ! began; do n=$((n + 1)); done
	began
}
t 'mail that comes after the kill, and is deleted after another one, does not come back' killed_again

prune_waits() {
	stop_somewhere
	status_is 1 git -C b maildir prune --now 2>err
	cat err
	grep -q "a merge was interrupted here: run 'git maildir sync' first" err
	git -C b maildir sync --local
	git -C b maildir prune 2>err
	[ ! -s err ]
	[ -z "$(what_b_made)" ]
}
t 'prune waits until it is finished' prune_waits

nothing_to_go_to() {
	for what in 'garbage' "$START $(printf '%040d' 7)" ''; do
		stop_somewhere
		printf '%s\n' "$what" >b.git/maildir/applying
		git -C b maildir sync --local
		[ ! -e b.git/maildir/applying ]
		together a b
		clean a b
	done
	# Somebody has moved HEAD by hand.
	stop_somewhere
	git -C b -c core.hooksPath=/dev/null commit -q --allow-empty -m 'By hand'
	git -C b maildir sync --local
	[ ! -e b.git/maildir/applying ]
	together a b
	clean a b
}
t 'where nobody knows any more what the merge came to, what is there counts as changes here, and nothing is lost' nothing_to_go_to

done_testing
