#!/bin/sh
# restore.t -- git maildir restore: deleted mail comes back, everywhere, as it was.
. ./tests/lib.sh

pair
apart a b
git -C b maildir sync >/dev/null
settle

K=1700000004.M1P1.host

on_another_member() {
	mail_list a >before
	rm "a/cur/$K:2,S"
	git -C a maildir sync
	settle
	same_mail a b
	[ ! -e "b/cur/$K:2,S" ]
	git -C b maildir restore --message="$K"
	mail_list b >after
	diff before after
	[ "$(stat -c %Y "b/cur/$K:2,S")" = 1107569105 ]
	together a b
	mail_list a >after
	diff before after
}
t 'a message that was deleted on one member comes back on another, with flags and date, and replicates' on_another_member

changes_nothing() {
	rm "a/cur/$K:2,S"
	git -C a maildir record
	files_of a >before
	git -C a for-each-ref >>before
	git -C a maildir restore --dry-run --message="<$K@example.org>" >out
	files_of a >after
	git -C a for-each-ref >>after
	diff before after
	grep -F "INBOX: would bring back \"Old one\" <$K@example.org>" out
	git -C a maildir restore --message="$K@example.org"
	[ -e "a/cur/$K:2,S" ]
	together a b
}
t 'a dry run says what would come back and changes nothing' changes_nothing

by_blob() {
	id=$(git -C a rev-parse ":cur/$K:2,S")
	rm "a/cur/$K:2,S"
	git -C a maildir record
	git -C a maildir restore --message="$(printf %.10s "$id")"
	[ -e "a/cur/$K:2,S" ]
	together a b
}
t 'a message is found by its blob id' by_blob

never_overwrites() {
	mv "a/cur/$K:2,S" "a/cur/$K:2,FS"
	git -C a maildir record
	files_of a >before
	git -C a maildir restore --message="$K" >out
	files_of a >after
	diff before after
	grep "'$K' is in 'INBOX': left alone" out
	together a b
}
t 'a message that is there is left alone' never_overwrites

moved_on() {
	mv "a/cur/$K:2,FS" "a/.Work/cur/$K:2,FS"
	git -C a maildir record
	git -C a maildir restore --message="$K" >out
	grep "'$K' is in 'Work': left alone" out
	[ ! -e "a/cur/$K:2,FS" ]
	mv "a/.Work/cur/$K:2,FS" "a/cur/$K:2,FS"
	together a b
}
t 'a message that was moved on after it came back is not doubled' moved_on

peer_was_away() {
	mv b/cur/1700000002.M1P1.host:2,S b/cur/1700000002.M1P1.host:2,FS
	git -C b maildir record # b is away, with a change of its own to that very message
	rm a/cur/1700000002.M1P1.host:2,S
	mkmsg b new 1700000100.M1P1.away 'Meanwhile'
	git -C b maildir record
	git -C a maildir record
	git -C a maildir restore --message=1700000002.M1P1.host INBOX
	together a b
	[ -e a/cur/1700000002.M1P1.host:2,FS ]
	[ -e a/new/1700000100.M1P1.away ]
}
t 'a member that was away meanwhile does not delete it again, and its flags count' peer_was_away

deleted_there_too() {
	rm a/.Work/cur/1700000005.M1P1.host:2,RS b/.Work/cur/1700000005.M1P1.host:2,RS
	git -C a maildir record
	git -C b maildir record # b did not hear that a brings it back
	sleep 1
	git -C a maildir restore --message=1700000005.M1P1.host # later than what takes it away again
	together a b
	[ -z "$(find a b -name '1700000005.*')" ]
	git -C b maildir restore --message=1700000005.M1P1.host
	together a b
	[ -e a/.Work/cur/1700000005.M1P1.host:2,RS ]
}
t 'a deletion on a member that was away counts, and can be undone' deleted_there_too

knew_the_deletion() {
	rm a/cur/1700000002.M1P1.host:2,FS
	git -C a maildir sync
	settle
	same_mail a b
	mkmsg b new 1700000101.M1P1.away 'Later'
	git -C b maildir record
	git -C a maildir restore --message=1700000002.M1P1.host
	together a b
	[ -e b/cur/1700000002.M1P1.host:2,FS ]
}
t 'a member that merged the deletion and went on gets it back, too' knew_the_deletion

both_at_once() {
	rm a/cur/1700000003.M1P1.host:2,FS
	git -C a maildir sync
	settle
	git -C a maildir restore --message=1700000003.M1P1.host
	git -C b maildir restore --message=1700000003.M1P1.host
	together a b
	[ "$(find a b -name '1700000003.*' | wc -l)" = 2 ]
}
t 'two members that restore the same message make one of it' both_at_once

whole_folder() {
	mkmaildir a/.Lists a/.Lists.dev
	for i in 1 2 3 4 5; do mkmsg a/.Lists.dev cur "170000020$i.M1P1.host:2,S" "List $i" "$((1200000000 + i))"; done
	mkmsg a/.Lists new 1700000210.M1P1.host 'New one'
	together a b
	mail_list a >before
	sleep 1
	moment=$(date +%s)
	sleep 1
	rm -r a/.Lists.dev
	mv a/.Lists/new/1700000210.M1P1.host a/.Work/cur/1700000210.M1P1.host:2,S
	mkmsg a/.Lists new 1700000211.M1P1.host 'Newer one'
	together a b
	[ ! -e b/.Lists.dev ]
	git -C b maildir restore --dry-run --at="@$moment" Lists/dev >out
	grep 'Lists/dev: would bring back the folder' out
	[ ! -e b/.Lists.dev ]
	git -C b maildir restore --at="@$moment" Lists/dev
	git -C b maildir restore --at="@$moment" .Lists
	together a b
	[ -e a/.Lists/new/1700000210.M1P1.host ] # a copy: where it was moved to it stays
	[ -e a/.Work/cur/1700000210.M1P1.host:2,S ]
	[ -e a/.Lists/new/1700000211.M1P1.host ]
	rm a/.Work/cur/1700000210.M1P1.host:2,S a/.Lists/new/1700000211.M1P1.host
	mail_list a >after
	diff before after
	git -C b maildir restore --at="@$moment" Lists/dev >out
	grep 'nothing is missing' out
	together a b
}
t 'a folder comes back as it was at a time, without what came later being touched' whole_folder

merged_state() {
	mkmsg a new 1700000301.M1P1.a 'From a'
	mkmsg b new 1700000302.M1P1.b 'From b'
	git -C a maildir record
	git -C b maildir record
	sleep 1
	moment=$(date '+%Y-%m-%d %H:%M:%S')
	sleep 1
	together a b
	rm a/new/1700000301.M1P1.a a/new/1700000302.M1P1.b
	together a b
	git -C a maildir restore --at="$moment" INBOX
	[ -e a/new/1700000301.M1P1.a ]
	[ -e a/new/1700000302.M1P1.b ]
	together a b
}
t 'what the members had apart from each other at the time comes back together' merged_state

killed() {
	rm "a/cur/$K:2,FS"
	git -C a maildir record
	cp -a a a.keep
	cp -a a.git a.git.keep
	for n in 10 30 60 100 150; do
		(cd a && timeout -s KILL "0.0$n" git maildir restore --message="$K") || :
	done
	git -C a maildir restore --message="$K"
	[ -e "a/cur/$K:2,FS" ]
	together a b
	rm -rf a.keep a.git.keep
}
t 'a restore that is killed is run again' killed

cut_history() {
	rm "a/cur/$K:2,FS"
	git -C a maildir record
	rm a/.Work/cur/1700000005.M1P1.host:2,RS
	git -C a maildir record
	git -C a rev-parse HEAD^ >a.git/shallow
	status_is 8 git -C a maildir restore --message="$K" # what the oldest commit did is not known any more
	git -C a maildir restore --message=1700000005.M1P1.host
	rm a.git/shallow
	[ -e a/.Work/cur/1700000005.M1P1.host:2,RS ]
	git -C a maildir restore --message="$K" INBOX
	together a b
}
t 'where history was cut, what was deleted later comes back' cut_history

ways_to_say() {
	for at in '2001-01-01 10:00:59' 2001-01-01T10:00Z '2001-01-01 10:00 +01:00' 2001-01-01 @978346800 '9000 days ago' 300000h; do
		status_is 8 git -C a maildir restore --dry-run --at="$at" INBOX 2>err
		grep 'history goes back to' err
	done
	for at in '' now @ @x 25:00 2001-13-01 '3 moons ago' '1 h before' 99999999999999999999d 2001-01-01x; do
		status_is 2 git -C a maildir restore --dry-run --at="$at" INBOX
	done
	git -C a maildir restore --dry-run --at=0s Work
}
t 'a time can be said in several ways, and nonsense is refused' ways_to_say

refuses() {
	status_is 8 git -C a maildir restore --message=no.such.key
	status_is 8 git -C a maildir restore --message='<nobody@example.org>'
	status_is 8 git -C a maildir restore --at='2001-01-01' INBOX
	status_is 8 git -C a maildir restore --at='1 min ago' No/Such
	status_is 2 git -C a maildir restore --at='the other day' INBOX
	status_is 2 git -C a maildir restore --at='1 h ago'
	status_is 2 git -C a maildir restore --message=
	status_is 2 git -C a maildir restore
	clean a
}
t 'what cannot be found is said' refuses

done_testing
