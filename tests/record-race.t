#!/bin/sh
#
# record-race.t -- mail that is moved, and folders that are renamed, at a certain moment of a record or of a sync: nothing is recorded that never was, and mail stays with its folder.
. ./tests/lib.sh

command -v strace >/dev/null || skip_all 'needs strace'
strace -o "$HOME/try" -e inject=rmdir:signal=KILL:when=9 true 2>/dev/null || skip_all 'strace may not inject signals here'

begin() {
	rm -rf a a.git
	mkmaildir a a/.One a/.Three
	for n in 1 2 3 4; do mkmsg a/.One cur "170000000$n.M1P1.host:2,S" "Mail $n"; done
	member a
}

# record_until CALL PATH N: starts a record, which is stopped when it has made the Nth system call CALL on that path. go_on lets it come to its end.
record_until() {
	stop_in a "$@" record --no-push
}
# stop_in MEMBER CALL PATHS N COMMAND...
stop_in() {
	rm -f "$TRASH/trace"
	(
		cd "$1" || exit
		paths=$3 call=$2 n=$4
		shift 4
		set -- git-maildir "$@"
		for path in $paths; do set -- -P "$path" "$@"; done
		exec strace -o "$TRASH/trace" -e "trace=$call" -e "inject=$call:signal=STOP:when=$n" "$@"
	) >"$TRASH/said" 2>&1 &
	strace=$!
	soon stopped_or_done
	grep -q 'stopped by SIGSTOP' "$TRASH/trace"
}
stopped_or_done() {
	grep -q 'stopped by SIGSTOP\|exited with' "$TRASH/trace"
}
go_on() {
	pid=$(cat "/proc/$strace/task/$strace/children")
	kill -CONT "${pid% }"
	status=0
	wait "$strace" || status=$?
	cat "$TRASH/said"
	return "$status"
}

# in_head: what is recorded, a line each, without the files that folders have.
in_head() {
	git -C a ls-tree -r --name-only HEAD | sed -n 's|^\(.*\)/cur/17000000*\([0-9]*\).M1.*|\1 \2|p' | sort
}
# Each folder that has mail in what is recorded has its marker there, or it would be no folder to the others.
folders_are_whole() {
	in_head | sed 's/ .*//' | sort -u | while read -r folder; do
		git -C a cat-file -e "HEAD:$folder/.gitmaildir" || { echo "$folder has mail and no marker"; exit 1; }
	done
}

moved_twice() {
	begin
	mv a/.One a/.Two
	sleep 0.1
	record_until newfstatat .Two/cur 1
	mv a/.Two/cur/1700000002.M1P1.host:2,S a/.Three/cur/
	go_on
	in_head | tee now
	folders_are_whole
	# Where it was when it was seen.
	[ "$(tr '\n' ' ' <now)" = '.Two 1 .Two 2 .Two 3 .Two 4 ' ]
	[ "$(git -C a log -1 --format=%s)" = 'One renamed to Two' ]
	git -C a maildir record --no-push
	[ "$(in_head | tr '\n' ' ')" = '.Three 2 .Two 1 .Two 3 .Two 4 ' ]
	[ "$(git -C a log -1 --format=%s)" = 'Two: 1 moved to Three' ]
	[ -z "$(git -C a status --porcelain)" ]
}
t 'a message in a folder that is renamed is moved on while the folder is recorded' moved_twice

copied_and_gone() {
	begin
	mv a/.One a/.Two
	# As some programs move: the copy is another file of the same name.
	cp -p a/.Two/cur/1700000002.M1P1.host:2,S x
	mv x a/.Two/cur/1700000002.M1P1.host:2,S
	sleep 0.1
	record_until newfstatat .Two/cur 1
	mv a/.Two/cur/1700000002.M1P1.host:2,S a/.Three/cur/
	go_on
	in_head
	# Nobody knows what became of it: it is not recorded as deleted.
	in_head | grep ' 2$'
	folders_are_whole
	git -C a maildir record --no-push
	[ "$(in_head | tr '\n' ' ')" = '.Three 2 .Two 1 .Two 3 .Two 4 ' ]
	[ -z "$(git -C a ls-tree HEAD .One/)" ]
	[ -z "$(git -C a status --porcelain)" ]
}
t 'one that was moved by copying, and vanishes before it is read, is not recorded as deleted, and its folder is not torn' copied_and_gone

renamed_while_confirmed() {
	begin
	sleep 0.1
	# A deletion in a folder that has just changed has to be confirmed: a full second is taken for the time of a coarse clock. Between the two looks the folder gets another name.
	rm a/.One/cur/1700000003.M1P1.host:2,S
	touch -d "@$(date +%s)" a/.One/cur
	record_until newfstatat .gitmaildir 1
	mv a/.One a/.Two
	go_on
	not grep 'has lost' said
	in_head | tee now
	[ "$(tr '\n' ' ' <now)" = '.Two 1 .Two 2 .Two 4 ' ]
	folders_are_whole
	[ -z "$(git -C a ls-tree HEAD .One/)" ]
	[ -z "$(git -C a status --porcelain)" ]
}
t 'a folder that is renamed while a deletion in it is confirmed is looked for under its new name' renamed_while_confirmed

# record_disturbed N COMMAND...: a record reads all folders again and again, because something comes to one of them each time, before the last one is read. The command is run
# in the Nth of these scans.
record_disturbed() {
	nth=$1
	shift
	rm -f trace
	(cd a && exec strace -o "$TRASH/trace" -P "$TRASH/a/.Three" -e trace=linkat -e inject=linkat:signal=STOP:when=1+1 git-maildir record --no-push) >said 2>&1 &
	strace=$!
	scan=0
	while soon stopped_again; do
		kill -0 "$strace" 2>/dev/null || break
		scan=$((scan + 1))
		if [ "$scan" -lt 12 ]; then came "$scan"; fi
		if [ "$scan" = "$nth" ]; then "$@"; fi
		# What changed just now counts as changed while it is read.
		sleep 0.05
		pid=$(cat "/proc/$strace/task/$strace/children")
		kill -CONT "${pid% }"
	done
	wait "$strace"
	cat said
}
# To a folder that is read already: INBOX, when the other has got a name with which it comes later.
came() {
	folder=a/.One
	[ -d "$folder" ] || folder=a
	mkmsg "$folder" new "17000010$1.M1P1.host" "Came in scan $1"
}
put_back() {
	mv "a/.Three/$message" a/.One/cur/
}

# hidden_in N: a message that was moved to a folder that is read later is back before its turn, but only in the Nth of these scans, so that this one sees it in neither.
hidden_in() {
	begin
	message=cur/1700000002.M1P1.host:2,S
	mv "a/.One/$message" a/.Three/cur/
	rm a/.One/cur/1700000003.M1P1.host:2,S
	sleep 0.1
	record_disturbed "$1" put_back
	echo "hidden in scan $1 of $scan"
	in_head | grep ' 2$'
	# What is gone in all of them is recorded as deleted: that somebody never stops must not hold it up.
	not in_head_is 3
}
in_head_is() {
	in_head | grep " $1\$"
}
stopped_again() {
	! kill -0 "$strace" 2>/dev/null || [ "$(grep -c 'stopped by SIGSTOP' trace)" -gt "$scan" ]
}
hidden_in_any() {
	for n in 1 2 3 4 5 6 7 8; do hidden_in "$n"; done
	[ "$scan" -gt 3 ]
	git -C a maildir record --no-push
	folders_are_whole
	[ -z "$(git -C a status --porcelain)" ]
}
t 'where something happens all the time no message is recorded as deleted because one scan saw it nowhere, but what is deleted is' hidden_in_any

# deleted_in N: as above, but in the Nth scan a message is deleted and its folder is renamed.
deleted_in() {
	begin
	rm a/.One/cur/1700000003.M1P1.host:2,S
	mkmsg a/.Three cur 1700000005.M1P1.host:2,S
	sleep 0.1
	record_disturbed "$1" rename_and_delete
	echo "deleted in scan $1 of $scan"
	in_head | tee now
	folders_are_whole
	# A folder of either name would be the same one to nobody: what a peer delivers to it under the old name must go along.
	[ -z "$(git -C a ls-tree HEAD .One/)" ]
	[ "$(grep -v ' 2$' now | tr '\n' ' ')" = '.Three 5 .Two 1 .Two 4 ' ]
	if grep '.Two 2$' now; then left=$((left + 1)); fi
	git -C a maildir record --no-push
	not in_head_is 2
	[ -z "$(git -C a status --porcelain)" ]
}
rename_and_delete() {
	mv a/.One a/.Two
	rm a/.Two/cur/1700000002.M1P1.host:2,S
}
deleted_in_any() {
	left=0
	for n in 1 2 3 4 5 6 7; do deleted_in "$n"; done
	echo "left for the next record: $left"
	[ "$left" -gt 0 ]
}
t 'a message of which it is not certain yet that it is gone stays with its folder, which was renamed' deleted_in_any

# two_members: b is about to apply what came into two folders at a.
two_members() {
	rm -rf a a.git b b.git
	mkmaildir a a/.Work
	for n in 1 2; do mkmsg a/.Work cur "170000000$n.M1P1.host:2,S" "Mail $n"; done
	pair a b
	apart a b
	rm a.git/hooks/post-receive b.git/hooks/post-receive
	mkmsg a new 1700000003.M1P1.host 'Came on a'
	# Its date goes into the marker of the folder, which is another file to be written.
	mkmsg a/.Work new 1700000004.M1P1.host 'Came on a, for Work' 1500000000
	git -C a maildir record --no-push
	git -C b fetch a
}
all_in_jobs() {
	go_on
	together a b
	for m in a b; do
		ls "$m/.Jobs/cur" "$m/.Jobs/new"
		[ "$(find "$m/.Jobs" -name '170000000*' | wc -l)" = 3 ]
		[ "$(stat -c %Y "$m/.Jobs/new/1700000004.M1P1.host")" = 1500000000 ]
		[ ! -e "$m/.Work" ]
		[ -f "$m/new/1700000003.M1P1.host" ]
	done
	clean a b
}
renamed_before() {
	two_members
	# What it is about to do is on disk already, and nothing of it done.
	stop_in b fsync "$TRASH/b.git/maildir" 1 sync --local
	mv b/.Work b/.Jobs
	all_in_jobs
}
t 'a folder is renamed while mail for it is about to be applied: the mail goes along' renamed_before
renamed_in_the_middle() {
	two_members
	stop_in b linkat,renameat2 "$TRASH/b/new" 1 sync --local
	[ -f b/new/1700000003.M1P1.host ] && [ ! -e b/.Work/new/1700000004.M1P1.host ]
	mv b/.Work b/.Jobs
	all_in_jobs
}
t 'a folder is renamed when half of a merge is applied: the mail that comes for it goes along' renamed_in_the_middle

# At each system call by which the sync sees the folder or changes something in it.
renamed_at_any_moment() {
	all=0
	for call in openat newfstatat linkat renameat renameat2 mkdirat unlinkat fsync; do
		nth=1
		while
			two_members
			stop_in b "$call" "$TRASH/b/.Work $TRASH/b/.Work/new $TRASH/b/.Work/tmp" "$nth" sync --local
		do
			mv b/.Work b/.Jobs
			echo "renamed at $call $nth"
			all_in_jobs
			nth=$((nth + 1)) all=$((all + 1))
		done
	done
	echo "renamed at $all calls"
	[ "$all" -gt 20 ]
}
t 'a folder is renamed at any moment of a merge: the mail that comes for it goes along' renamed_at_any_moment
sed -n '/ calls$/p' "$HOME/out" | diag

done_testing
