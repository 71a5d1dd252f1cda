#!/bin/sh
#
# record-race.t -- mail that is moved, and folders that are renamed, at a certain moment of a record: nothing is recorded that never was.
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
	rm -f "$TRASH/trace"
	(cd a && exec strace -o "$TRASH/trace" -P "$2" -e "trace=$1" -e "inject=$1:signal=STOP:when=$3" git-maildir record --no-push) >"$TRASH/said" 2>&1 &
	strace=$!
	soon grep -q 'stopped by SIGSTOP' "$TRASH/trace"
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

done_testing
