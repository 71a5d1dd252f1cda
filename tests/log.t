#!/bin/sh
# log.t -- git maildir log: what happened to a folder and to a message.
. ./tests/lib.sh

pair
apart a b

life() {
	mkmsg a new 1700000400.M1P1.host 'Long story'
	git -C a maildir record
	mv a/new/1700000400.M1P1.host a/cur/1700000400.M1P1.host:2,S
	together a b
	mv b/cur/1700000400.M1P1.host:2,S b/.Work/cur/1700000400.M1P1.host:2,S
	git -C b maildir record
	mv b/.Work/cur/1700000400.M1P1.host:2,S b/.Work/cur/1700000400.M1P1.host:2,FR
	git -C b maildir record
	rm b/.Work/cur/1700000400.M1P1.host:2,FR
	together a b
	for id in 1700000400.M1P1.host '<1700000400.M1P1.host@example.org>' 1700000400.M1P1.host@example.org; do
		git -C a maildir log --message="$id" >out
		sed 's/^[0-9][-0-9]* [:0-9]*  //' out >got
		cat >wanted <<-'EOF'
			b  Work: deleted  "Long story" <1700000400.M1P1.host@example.org>
			    git maildir restore --message=1700000400.M1P1.host .Work
			b  Work: unseen, answered, flagged  "Long story" <1700000400.M1P1.host@example.org>
			b  INBOX: moved to Work  "Long story" <1700000400.M1P1.host@example.org>
			a  INBOX: seen  "Long story" <1700000400.M1P1.host@example.org>
			a  INBOX: delivered  "Long story" <1700000400.M1P1.host@example.org>
		EOF
		diff wanted got
	done
}
t 'the life of a message is told by key and by Message-ID, on the other member too' life

command_works() {
	cmd=$(git -C a maildir log .Work | sed -n 's/^    git maildir restore/git -C a maildir restore/p' | head -n 1)
	sh -c "$cmd"
	[ -e a/.Work/cur/1700000400.M1P1.host:2,FR ]
	together a b
}
t 'the command in the log brings the message back' command_works

by_folder() {
	git -C a maildir log Work >out
	grep 'moved to Work' out
	not grep 'First' out
	git -C a maildir log INBOX >out2
	not grep 'Work: ' out2
	git -C a maildir log .Work >out3
	diff out out3
	status_is 8 git -C a maildir log No/Such
	status_is 8 git -C a maildir log --message=nobody@example.org
	status_is 2 git -C a maildir log a b
}
t 'a folder is named by its path or by its name for people' by_folder

no_views() {
	mkmsg a new 1700000500.M1P1.a 'On a'
	mkmsg b new 1700000500.M1P1.b 'On b'
	git -C a maildir record
	git -C b maildir record
	together a b
	git -C a log -1 --format=%s | grep '^Merge the changes'
	git -C a maildir log >out
	not grep -i 'merge' out
	[ "$(grep -c '"On a"' out)" = 1 ]
	[ "$(grep -c '"On b"' out)" = 1 ]
	mkmsg a new 1700000501.M1P1.a 'After the merge'
	together a b
	git -C b maildir log >out
	[ "$(grep -c '"On b"' out)" = 1 ]
	[ "$(grep -c '"After the merge"' out)" = 1 ]
	git -C a maildir log >out2
	diff out out2
}
t 'merges are no events, and what they bring is told once' no_views

hostile() {
	printf 'Subject: =\033]0;evil\007 \302\233 \342\200\256 gr\303\274n \377\r\n\tfolded\r\nmEsSaGe-Id :\r\n <fold\033ed@x>\r\n\r\nMessage-ID: <body@x>\r\n' |
		mkmsg a new "1700000600.M1P1.it's" -
	git -C a maildir record
	rm "a/new/1700000600.M1P1.it's"
	git -C a maildir record
	git -C a maildir log --message="$(printf '<fold\033ed@x>')" >out
	[ "$(grep -c 1700000600 out)" = 0 ]
	not grep -q "$(printf '\033')" out
	grep "$(printf '"=?]0;evil? ? ? gr\303\274n ? folded" <fold?ed@x>')" out
	[ "$(wc -l <out)" = 3 ]
	status_is 8 git -C a maildir log --message='<body@x>'
	cmd=$(sed -n 's/^    git maildir restore/git -C a maildir restore/p' out)
	sh -c "$cmd"
	[ -e "a/new/1700000600.M1P1.it's" ]
	together a b
}
t 'a header that is folded or full of control bytes does no harm' hostile

many() {
	mkmaildir a/.Bulk
	i=100
	while [ "$i" -lt 130 ]; do mkmsg a/.Bulk new "1700000$i.M2P1.host" "Bulk $i"; i=$((i + 1)); done
	git -C a maildir record
	git -C a maildir log Bulk >out
	grep 'Bulk: folder created, 30 delivered' out
	[ "$(wc -l <out)" = 1 ]
	git -C a maildir log --verbose Bulk >out
	[ "$(wc -l <out)" = 31 ]
	git -C a maildir log | head -n 1 >out
	together a b
}
t 'many changes at once are summed up unless asked for' many

by_hand() {
	git -C a checkout -q -b side
	git -C a rm -q cur/1700000002.M1P1.host:2,S
	git -C a -c core.hooksPath=/dev/null commit -q -m 'By hand'
	git -C a checkout -q main
	mkmsg a new 1700000700.M1P1.a 'On main'
	git -C a maildir record
	git -C a merge -q --no-edit side
	git -C a maildir log --message=1700000002.M1P1.host >out
	[ "$(grep -c 'INBOX: deleted' out)" = 1 ]
	together a b
}
t 'a commit and a merge made by hand are told' by_hand

pruned() {
	git -C a maildir log >whole
	not grep 'goes back' whole
	mkmsg a new 1700000800.M1P1.a 'Youngest'
	git -C a maildir record
	git -C a rev-parse HEAD^ >a.git/shallow
	git -C a maildir log >out
	rm a.git/shallow
	head -n 1 out | grep Youngest
	tail -n 1 out | grep 'history goes back to here'
	[ "$(wc -l <out)" = 2 ]
}
t 'where history was cut the log says so' pruned

done_testing
