#!/bin/sh
#
# sync.t -- git maildir sync: members that changed while apart end up the same, by the rules of the merge.
. ./tests/lib.sh

K1=1700000001.M1P1.host K2=1700000002.M1P1.host K3=1700000003.M1P1.host K5=1700000005.M1P1.host

# begin: members a and b that hold some_mail, are each other's peers, and tell nobody by themselves what they have.
begin() {
	settle
	rm -rf a b c a.git b.git c.git
	cp -a two/. .
}
{
	mkdir two
	pair a b
	apart a b
	cp -a a b a.git b.git two
} >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }
# at MEMBER KEY: where the messages with this key are, one line.
at() {
	(cd "$1" && find . -path '*/tmp' -prune -o -type f -name "$2*" -print | sed 's|^\./||' | sort | tr '\n' ' ' | sed 's/ $//')
}
# flag MEMBER KEY FLAGS: from wherever in a folder it is into that folder's cur/.
flag() {
	from=$(at "$1" "$2")
	folder=${from%/*/*}
	[ "$folder" != "$from" ] || folder=.
	mv "$1/$from" "$1/$folder/cur/$2:2,$3"
}
# move MEMBER KEY FOLDER [NEWKEY]
move() {
	from=$(at "$1" "$2")
	name=${from##*/}
	mkmaildir "$1/$3"
	mv "$1/$from" "$1/$3/cur/${4:-$2}${name#"$2"}"
}
del() {
	rm "$1/$(at "$1" "$2")"
}
edit() {
	file=$1/$(at "$1" "$2")
	printf 'Subject: edited\n\n%s\n' "$3" >"$1/tmp/edit"
	touch -r "$file" "$1/tmp/edit"
	mv "$1/tmp/edit" "$file"
}
# is KEY WHERE...: on both, the messages of this key are at these places.
is() {
	key=$1
	shift
	[ "$(at a "$key")" = "$*" ] || { echo "a has '$(at a "$key")' instead of '$*'"; return 1; }
	[ "$(at b "$key")" = "$*" ] || { echo "b has '$(at b "$key")' instead of '$*'"; return 1; }
}
# row SENTENCE COMMANDS...: a row of the merge table: what happens on a and b, and what is then on both. Once as it is written, and
# once with a and b in each other's place, because nobody is special.
row() {
	t "$1" both_ways "$2" "$3"
}
both_ways() {
	begin
	eval "$1"
	meet a b
	eval "$2"
	mail_list a | grep -v '^mtime' >first
	begin
	swapped=$(echo "$1" | sed 's/\<a\>/#/g; s/\<b\>/a/g; s/#/b/g')
	eval "$swapped"
	meet b a
	eval "$2"
	mail_list a | grep -v '^mtime' | diff first -
}
# meet ONE OTHER: the one records, the other merges, the one takes that over. Nobody pushes.
meet() {
	for m in "$1" "$2" "$1"; do git -C "$m" maildir sync --no-push; done
	same_mail "$1" "$2"
	same_head "$1" "$2"
	clean "$1" "$2"
}

row 'flags set on both sides unite' \
	"flag a $K2 RS; flag b $K2 FS" "is $K2 cur/$K2:2,FRS"
row 'a flag removed on one side and another added on the other: both happen' \
	"flag a $K3 S; flag b $K3 FRS" "is $K3 cur/$K3:2,RS"
row 'a message read on one side is in cur/ on both' \
	"flag a $K1 S" "is $K1 cur/$K1:2,S"
row 'a new message flagged differently on both sides' \
	"flag a $K1 S; flag b $K1 F" "is $K1 cur/$K1:2,FS"
row 'new to cur without flags on one side, with flags on the other' \
	"flag a $K1 ''; flag b $K1 RS" "is $K1 cur/$K1:2,RS"
row 'deleted on one side is deleted' "del a $K2" "is $K2"
row 'deleted on both is deleted' "del a $K2; del b $K2" "is $K2"
row 'deleted on A while flagged on B: deleted' "del a $K2; flag b $K2 FS" "is $K2"
row 'deleted on A while flagged on B, when told so: kept' \
	"git -C a config maildir.deleteVsFlag keep; git -C b config maildir.deleteVsFlag keep; del a $K2; flag b $K2 FS" \
	"is $K2 cur/$K2:2,FS"
row 'moved on one side is moved' "move a $K2 .Work" "is $K2 .Work/cur/$K2:2,S"
row 'moved on A while flagged on B: the flag follows' \
	"move a $K2 .Work; flag b $K2 FS" "is $K2 .Work/cur/$K2:2,FS"
row 'moved on A under a new name, as Dovecot does, while flagged on B: the flag follows' \
	"move a $K2 .Work 1700000777.M7P7.x; flag b $K2 FRS" "is $K2; is 1700000777.M7P7.x .Work/cur/1700000777.M7P7.x:2,FRS"
row 'moved and flagged on A, flagged on B' \
	"move a $K2 .Work; flag a $K2 RS; flag b $K2 FS" "is $K2 .Work/cur/$K2:2,FRS"
row 'moved on A while deleted on B: the move survives' "move a $K2 .Work; del b $K2" "is $K2 .Work/cur/$K2:2,S"
row 'moved to the same folder by both: once, flags merged' \
	"move a $K2 .Work; flag a $K2 FS; move b $K2 .Work; flag b $K2 RS" "is $K2 .Work/cur/$K2:2,FRS"
row 'moved to the same folder by both under different names: once, under the smaller' \
	"move a $K2 .Work 1700000777.M7P7.x; move b $K2 .Work 1700000778.M7P7.y" \
	"is $K2; is 1700000777.M7P7.x .Work/cur/1700000777.M7P7.x:2,S; is 1700000778.M7P7.y"
row 'moved to two places: a copy in each' \
	"move a $K2 .Here; move b $K2 .There" "is $K2 .Here/cur/$K2:2,S .There/cur/$K2:2,S"
row 'content changed on one side' "edit a $K2 new" "is $K2 cur/$K2:2,S; grep -qx new b/cur/$K2:2,S"
row 'content changed on A while deleted on B: the changed content stays' \
	"edit a $K2 new; del b $K2" "is $K2 cur/$K2:2,S; grep -qx new b/cur/$K2:2,S"
row 'content changed on A, flagged on B' \
	"edit a $K2 new; flag b $K2 FS" "is $K2 cur/$K2:2,FS; grep -qx new b/cur/$K2:2,FS"
two_contents() {
	[ "$(find a/cur -name "${1%%.*}.*" | wc -l)" = 2 ]
	cat a/cur/"${1%%.*}".* | grep -qx "$2"
	cat a/cur/"${1%%.*}".* | grep -qx "$3"
	# The one with the smaller id keeps the name.
	kept=$(git hash-object "$(find a/cur -name "$1:*")")
	for file in a/cur/"${1%%.*}".*; do
		id=$(git hash-object "$file")
		[ "$id" = "$kept" ] || [ "$(printf '%s\n' "$id" "$kept" | sort | head -1)" = "$kept" ]
	done
}
row 'content changed differently on both: both stay, the smaller id keeps the name' \
	"edit a $K2 mine; edit b $K2 yours" "two_contents $K2 mine yours"
NEW=1700000500.M5P5.host
row 'added on both, the same: once, flags unite' \
	"mkmsg a cur $NEW:2,F Same; mkmsg b cur $NEW:2,S Same" "is $NEW cur/$NEW:2,FS"
row 'added on both, in new/ on one side and read on the other' \
	"mkmsg a new $NEW Same; mkmsg b cur $NEW:2,S Same" "is $NEW cur/$NEW:2,S"
row 'the same name with different content on both: both stay' \
	"mkmsg a cur $NEW:2,F Mine; mkmsg b cur $NEW:2,S Yours" "two_contents $NEW 'Text of Mine.' 'Text of Yours.'"
copies() {
	[ "$(grep -l 'Subject: Copy' a/cur/* | wc -l)" = "$1" ]
}
row 'the same mail delivered to both under different names: once' \
	"printf 'Subject: Copy\n\n' | mkmsg a cur 1700000601.A.host:2,F -; printf 'Subject: Copy\n\n' | mkmsg b cur 1700000602.B.host:2,S -" \
	"copies 1; is 1700000601.A.host cur/1700000601.A.host:2,FS"
row 'twice on one side and once on the other: twice' \
	"for i in 1 2; do printf 'Subject: Copy\n\n' | mkmsg a cur 170000060\$i.A.host:2, -; done; printf 'Subject: Copy\n\n' | mkmsg b cur 1700000603.B.host:2,S -" \
	"copies 2"
row 'a folder made on one side' "mkmaildir a/.New" "[ -d b/.New/cur ] && [ -d b/.New/new ] && [ -d b/.New/tmp ]"
row 'a folder deleted on one side' "rm -r a/.Work" "[ ! -e b/.Work ]; is $K5"
row 'a folder deleted on A while B got mail in it: it stays, with that mail' \
	"rm -r a/.Work; mkmsg b/.Work new $NEW" "is $NEW .Work/new/$NEW; is $K5"
row 'a folder deleted on A while a message in it was flagged on B' \
	"rm -r a/.Work; flag b $K5 FRS" "is $K5; [ ! -e a/.Work ]"
row 'the same new folder made on both with different mail' \
	"mkmaildir a/.New b/.New; mkmsg a/.New new 1700000701.A.host; mkmsg b/.New new 1700000702.B.host" \
	"is 1700000701.A.host .New/new/1700000701.A.host; is 1700000702.B.host .New/new/1700000702.B.host"
row 'a folder renamed on A while B got mail in it: the mail goes along' \
	"mv a/.Work a/.Job; mkmsg b/.Work new $NEW" "is $NEW .Job/new/$NEW; is $K5 .Job/cur/$K5:2,RS; [ ! -e b/.Work ]"
row 'a folder renamed on A while a message in it was flagged on B' \
	"mv a/.Work a/.Job; flag b $K5 FRS" "is $K5 .Job/cur/$K5:2,FRS; [ ! -e b/.Work ]"
row 'a folder renamed on A, a message moved into it on B' \
	"mv a/.Work a/.Job; move b $K2 .Work" "is $K2 .Job/cur/$K2:2,S; [ ! -e b/.Work ]"
row 'subscriptions are a set' \
	"printf 'Work\nMine\n' >a/subscriptions; printf 'Work\nYours\n' >b/subscriptions" \
	"[ \"\$(sort b/subscriptions | tr '\n' ' ')\" = 'Mine Work Yours ' ]"
row 'another file changed on both in the same place: both are kept' \
	"echo mine >a/notes; echo yours >b/notes" "[ \"\$(cat b/notes* | sort | tr '\n' ' ')\" = 'mine yours ' ]"
row 'an odd date travels with its message' \
	"mkmsg a cur $NEW:2,S Dated 1200000000; move b 1700000004.M1P1.host .Work" \
	"[ \$(stat -c %Y b/cur/$NEW:2,S) = 1200000000 ]; [ \$(stat -c %Y a/.Work/cur/1700000004.M1P1.host:2,S) = 1107569105 ]"

row 'the same mail with another date on each: the smaller on both' \
	"mkmsg a cur $NEW:2,S Same 1300000000; mkmsg b cur $NEW:2,S Same 1400000000" "[ \$(stat -c %Y b/cur/$NEW:2,S) = 1300000000 ]"
row 'a date that was changed on one side, of a message that the other side flagged' \
	"touch -d @1300000000 a/cur/$K2:2,S; git -C a maildir record --full; flag b $K2 FS" \
	"is $K2 cur/$K2:2,FS; [ \$(stat -c %Y b/cur/$K2:2,FS) = 1300000000 ]"

a_move_keeps_the_file() {
	begin
	inode=$(stat -c %i "b/cur/$K2:2,S") content=$(stat -c '%i %Y %a' "b/cur/$K3:2,FS")
	flag a "$K2" FS
	flag a "$K3" FRS
	together a b
	[ "$(stat -c %i "b/cur/$K2:2,FS")" = "$inode" ]
	[ "$(stat -c '%i %Y %a' "b/cur/$K3:2,FRS")" = "$content" ]
}
t 'a flag change is a rename of the same file on the other side, too' a_move_keeps_the_file

modes_and_dates() {
	begin
	mkmsg a cur "$NEW":2,S Dated 1200000000
	(umask 0; together a b)
	[ "$(stat -c '%a %Y' "b/cur/$NEW:2,S")" = '600 1200000000' ]
}
t 'a message arrives with mode 0600 and its date' modes_and_dates

unrecorded_changes() {
	begin
	flag a "$K2" RS
	git -C a maildir record >/dev/null
	git -C b fetch -q a
	# Between record and apply nobody asks: what is on disk is a third side.
	flag b "$K2" FS
	git -C b maildir sync --local
	[ "$(at b "$K2")" = "cur/$K2:2,FRS" ]
	together a b
	is "$K2" "cur/$K2:2,FRS"
}
t 'changes that were not recorded yet are recorded first' unrecorded_changes

# What a record leaves for later is looked at again, whatever is merged in between.
held_and_merged() {
	begin
	mkmaildir a/.Old
	n=100
	while [ "$n" -lt 130 ]; do
		n=$((n + 1))
		mkmsg a/.Old cur "1700000$n.M1P1.host:2,S"
	done
	git -C a maildir record --no-push >/dev/null
	together a b
	rm a/.Old/cur/*
	mkmsg b new "$NEW"
	git -C b maildir record --no-push >/dev/null
	# The folder is at rest, so that its stamps can be remembered.
	sleep 0.1
	status_is 1 git -C a maildir sync
	[ "$(at a "$NEW")" = "new/$NEW" ]
	git -C a maildir record --allow-deletes
	[ -z "$(git -C a ls-tree -r --name-only HEAD .Old/cur)" ]
	together a b
	[ -z "$(ls b/.Old/cur)" ]
}
t 'deletions that were held back while something was merged can be confirmed afterwards' held_and_merged

forward() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record >/dev/null
	together a b
	# What only one side changed needs no merge.
	[ -z "$(git -C b rev-list --merges HEAD)" ]
	[ "$(git -C b log -1 --format=%s)" = 'INBOX: 1 delivered' ]
}
t 'what only one side changed makes no merge commit' forward

no_common_base() {
	settle
	rm -rf a b a.git b.git
	some_mail a
	some_mail b
	mv "b/cur/$K2:2,S" "b/cur/$K2:2,RS"
	rm "b/cur/$K3:2,FS"
	mkmsg b new 1700000800.B.host
	mkmsg a new 1700000801.A.host
	member a b
	apart a b
	git -C a maildir peer add b "$TRASH/b.git"
	git -C b maildir peer add a "$TRASH/a.git"
	together a b
	is "$K1" "new/$K1"
	is "$K2" "cur/$K2:2,RS"
	is "$K3" "cur/$K3:2,FS"
	is 1700000800.B.host new/1700000800.B.host
	is 1700000801.A.host new/1700000801.A.host
	is "$K5" ".Work/cur/$K5:2,RS"
	del a "$K2"
	flag b "$K1" S
	together a b
	is "$K2"
	is "$K1" "cur/$K1:2,S"
}
t 'two Maildirs that never met: nothing is deleted, nothing doubled, flags unite' no_common_base

criss_cross() {
	begin
	flag a "$K2" RS
	flag b "$K2" FS
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
	git -C b fetch -q a
	git -C a merge -qm 'By hand on a' b/main
	git -C b merge -qm 'By hand on b' a/main
	flag a "$K3" S
	del a "$K1"
	flag b "$K3" FRS
	mkmsg b new "$NEW"
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
	[ "$(git -C a merge-base --all HEAD b/main | wc -l)" = 2 ]
	together a b
	is "$K2" "cur/$K2:2,FRS"
	is "$K3" "cur/$K3:2,RS"
	is "$K1"
	is "$NEW" "new/$NEW"
}
t 'criss-cross: several bases' criss_cross

# shellcheck disable=SC2086 # words are meant
many_times_criss_cross() {
	member ladder
	settle
	git -C ladder maildir record
	tree=$(git -C ladder rev-parse 'HEAD^{tree}')
	one=$(git -C ladder rev-parse HEAD)
	heads=$one
	for level in 1 2 3 4 5 6 7 8 9; do
		parents=$(printf ' -p %s' $heads)
		heads=
		for peer in t u v w x y z; do
				heads="$heads $(echo "$level $peer" | git -C ladder commit-tree $parents $tree)"
		done
	done
	set -- $heads
	for peer in t u v w x y z; do
		git -C ladder config remote.$peer.url "$TRASH/$peer.git"
		git -C ladder update-ref refs/remotes/$peer/main "$1"
		shift
	done
	timeout 30 git -C ladder maildir sync --local
	[ "$(git -C ladder log -1 --format=%P | wc -w)" = 7 ]
	clean ladder
}
t 'Seven servers that merged what the others had just merged, nine times over, are merged in no time.' many_times_criss_cross

dry_run() {
	begin
	flag a "$K2" FS
	del a "$K3"
	mkmsg a new "$NEW"
	git -C a maildir record >/dev/null
	git -C b fetch -q a
	mkmsg b new 1700000900.B.host
	files_of b >before
	git -C b for-each-ref >>before
	git -C b maildir sync --dry-run >out
	cat out
	grep -q 'would record' out
	# One step a line.
	grep -q "$K2.*$K2:2,FS" out
	grep -q "$K3" out
	grep -q "$NEW" out
	{ files_of b; git -C b for-each-ref; } | diff before -
	together a b
}
t '--dry-run prints a plan and changes nothing' dry_run

done_testing
