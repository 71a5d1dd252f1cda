#!/bin/sh
#
# uids.t -- UIDs and keywords without a mail server: what record numbers and translates, what git shows by hand, what verify finds.
. ./tests/lib.sh

# numbered DIR [NEXT]: gives the messages of an INBOX UIDs from 1 on, in the order of their names.
numbered() {
	echo "3 V100 N${2:-1} Gaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" >"$1/dovecot-uidlist"
	(cd "$1" && find cur new -type f) | sed 's|^[^/]*/||; s/:2,.*//' | sort | awk '{ print NR, ":" $0 }' >>"$1/dovecot-uidlist"
}
# uid_of DIR KEY, head_uid DIR KEY: on disk, and as it is recorded.
uid_of() {
	sed -n "s/^\([0-9]*\) .*:$2\$/\1/p; s/^\([0-9]*\) :$2\$/\1/p" "$1/dovecot-uidlist" | head -n 1
}
head_uid() {
	git -C "$1" show HEAD:dovecot-uidlist | sed -n "s/^\([0-9]*\) .*:$2\$/\1/p; s/^\([0-9]*\) :$2\$/\1/p" | head -n 1
}
next_uid() {
	sed -n '1s/.* N\([0-9]*\).*/\1/p'
}
quiet() {
	git -C "$1" status --porcelain >shown
	[ ! -s shown ] || { cat shown; return 1; }
}

numbered_on_arrival() {
	some_mail a
	numbered a
	printf '0 red\n1 blue\n' >a/dovecot-keywords
	member a
	mkmsg a new 1700000020.M1P1.host 'Later'
	mkmsg a new 1700000010.M1P1.host 'Sooner'
	git -C a maildir record --no-push
	[ "$(uid_of a 1700000010.M1P1.host)" = 5 ]
	[ "$(uid_of a 1700000020.M1P1.host)" = 6 ]
	[ "$(head_uid a 1700000020.M1P1.host)" = 6 ]
	[ "$(next_uid <a/dovecot-uidlist)" = 7 ]
	quiet a
	git -C a maildir verify
}
t 'what arrives without a UID gets the next ones, in the order in which it came' numbered_on_arrival

only_what_is_there() {
	rm a/new/1700000020.M1P1.host
	git -C a maildir record --no-push
	git -C a show HEAD:dovecot-uidlist >list
	[ "$(next_uid <list)" = 7 ]
	if grep 1700000020 list; then return 1; fi
	grep 1700000020 a/dovecot-uidlist
	quiet a
	# The server drops the dead line: nothing that is recorded changes.
	grep -v 1700000020 a/dovecot-uidlist >list && cat list >a/dovecot-uidlist
	sed -i '1s/N7/N1/' list && sed -i '$a 6 :gone' list && cat list >a/dovecot-uidlist
	git -C a maildir record --no-push | tee out
	[ ! -s out ]
	quiet a
}
t 'recorded are the UIDs of the messages that are there, and the real next one, however the server writes it' only_what_is_there

another_content_another_uid() {
	old=$(uid_of a 1700000002.M1P1.host)
	printf 'Subject: edited\n\nEdited in place.\n' >a/tmp/x
	chmod 600 a/tmp/x
	mv a/tmp/x a/cur/1700000002.M1P1.host:2,S
	git -C a maildir record --no-push
	[ "$(uid_of a 1700000002.M1P1.host)" -gt "$old" ]
	[ "$(head_uid a 1700000002.M1P1.host)" = "$(uid_of a 1700000002.M1P1.host)" ]
	quiet a
}
t 'a message that was edited in place has another UID' another_content_another_uid

list_comes_back() {
	git -C a show HEAD:dovecot-uidlist | sed 1d >before
	next=$(next_uid <a/dovecot-uidlist)
	rm a/dovecot-uidlist
	git -C a maildir record --no-push 2>err
	grep -q "'dovecot-uidlist' of folder 'INBOX' was gone" err
	sed 1d a/dovecot-uidlist | diff before -
	[ "$(next_uid <a/dovecot-uidlist)" -gt $((next + 100)) ]
	rm a/dovecot-keywords
	mv a/cur/1700000003.M1P1.host:2,FS a/cur/1700000003.M1P1.host:2,FSb
	git -C a maildir record --no-push
	printf '0 red\n1 blue\n' | diff - a/dovecot-keywords
	quiet a
	git -C a maildir verify
}
t 'a list or a map that is gone comes back as it was recorded, with a gap before the next UID' list_comes_back

foreign_list_is_left() {
	cp a/dovecot-uidlist good
	echo '1 1700000000 17' >a/dovecot-uidlist
	mkmsg a new 1700000030.M1P1.host 'In between'
	git -C a maildir record --no-push 2>err
	grep -q 'has a form that is not known' err
	[ "$(cat a/dovecot-uidlist)" = '1 1700000000 17' ]
	[ -n "$(head_uid a 1700000001.M1P1.host)" ]
	git -C a ls-files | grep 1700000030
	cat good >a/dovecot-uidlist
	git -C a maildir record --no-push
	[ -n "$(head_uid a 1700000030.M1P1.host)" ]
	quiet a
}
t 'a list of another form is left alone, and the mail is recorded all the same' foreign_list_is_left

a_server_numbers_here() {
	[ ! -e a/.Work/dovecot-uidlist ]
	printf 6553f100 >a/dovecot-uidvalidity
	: >a/dovecot-uidvalidity.6553f100
	git -C a maildir record --no-push
	grep 'V1700000001 N2' a/.Work/dovecot-uidlist
	[ "$(cat a/dovecot-uidvalidity)" = 6553f101 ]
	[ -e a/dovecot-uidvalidity.6553f101 ]
	[ ! -e a/dovecot-uidvalidity.6553f100 ]
	quiet a
}
t 'where a server numbers folders, one without a list gets a UIDVALIDITY above all others' a_server_numbers_here

by_hand() {
	mkmsg a new 1700000040.M1P1.host 'By hand'
	uid=$(next_uid <a/dovecot-uidlist)
	echo "$uid W80 S70 :1700000040.M1P1.host" >>a/dovecot-uidlist
	git -C a diff dovecot-uidlist | tee diff
	grep -q "^+$uid :1700000040.M1P1.host$" diff
	if grep -q W80 diff; then return 1; fi
	git -C a add -A
	git -C a commit -q -m 'By hand'
	tree=$(git -C a rev-parse 'HEAD^{tree}')
	git -C a maildir record --no-push
	[ "$tree" = "$(git -C a rev-parse 'HEAD^{tree}')" ]
	quiet a
}
t 'git diff, add and commit by hand see and record what record would' by_hand

# Both sides give the letter c to another keyword: afterwards the letters on disk are what they were.
letters_of_two() {
	pair_of_a
	apart a b
	echo '2 green' >>a/dovecot-keywords
	echo '2 black' >>b/dovecot-keywords
	mv a/cur/1700000003.M1P1.host:2,FSb a/cur/1700000003.M1P1.host:2,FSbc
	mv b/cur/1700000004.M1P1.host:2,S b/cur/1700000004.M1P1.host:2,Sc
	git -C a maildir sync && git -C b maildir sync && git -C a maildir sync
	same_head a b
	[ -e a/cur/1700000003.M1P1.host:2,FSbc ]
	[ -e b/cur/1700000003.M1P1.host:2,FSbd ]
	[ -e a/cur/1700000004.M1P1.host:2,Sd ]
	[ -e b/cur/1700000004.M1P1.host:2,Sc ]
	printf '0 red\n1 blue\n2 green\n3 black\n' | diff - a/dovecot-keywords
	printf '0 red\n1 blue\n2 black\n3 green\n' | diff - b/dovecot-keywords
	printf '0 red\n1 blue\n2 black\n3 green\n' >canonical
	git -C a show HEAD:dovecot-keywords | diff canonical -
	quiet b
	git -C a status --porcelain | tee status
	[ "$(grep -c '^ D' status)" = 2 ] && [ "$(grep -c '^??' status)" = 2 ] && [ "$(wc -l <status)" = 4 ]
	git -C a maildir record --no-push | tee out
	[ ! -s out ]
	for m in a b; do git -C "$m" maildir verify; done
}
pair_of_a() {
	git maildir clone --name=b "$TRASH/a.git" b
	git -C a maildir peer add b "$TRASH/b.git"
}
t 'two keywords with one letter: each member keeps its letters, and git status shows where they differ' letters_of_two

removed_there() {
	mv a/cur/1700000003.M1P1.host:2,FSbc a/cur/1700000003.M1P1.host:2,FS
	mv a/cur/1700000004.M1P1.host:2,Sd a/cur/1700000004.M1P1.host:2,RSd
	git -C a maildir sync && git -C b maildir sync
	[ -e b/cur/1700000003.M1P1.host:2,FS ]
	[ -e b/cur/1700000004.M1P1.host:2,RSc ]
	same_head a b
}
t 'a keyword taken away under one letter goes under the other' removed_there

stock_merges() {
	git init -q stock
	printf '3 V7 N3\n1 :x\n2 :y\n' >stock/dovecot-uidlist
	printf '0 red\n' >stock/dovecot-keywords
	printf '00000010' >stock/dovecot-uidvalidity
	git -C stock config merge.maildir.driver 'merge-maildir %O %A %B %P'
	echo '* merge=maildir' >stock/.gitattributes
	git -C stock add -A && git -C stock commit -q -m base
	git -C stock checkout -q -b other
	printf '3 V7 N4\n1 :x\n2 :y\n3 :w\n' >stock/dovecot-uidlist
	printf '0 red\n1 blue\n' >stock/dovecot-keywords
	printf '00000012' >stock/dovecot-uidvalidity
	git -C stock commit -qam other
	git -C stock checkout -q main
	printf '3 V7 N4\n2 :y\n3 :z\n' >stock/dovecot-uidlist
	printf '0 red\n1 green\n' >stock/dovecot-keywords
	printf '0000001a' >stock/dovecot-uidvalidity
	git -C stock commit -qam ours
	git -C stock merge -q -s ort other
	printf '3 V7 N6\n2 :y\n4 :w\n5 :z\n' | diff - stock/dovecot-uidlist
	printf '0 red\n1 blue\n2 green\n' | diff - stock/dovecot-keywords
	[ "$(cat stock/dovecot-uidvalidity)" = 0000001a ]
}
t 'a stock merge of the lists alone is right as well' stock_merges

verify_finds() {
	some_mail v
	numbered v
	printf '0 red\n' >v/dovecot-keywords
	member v
	git -C v maildir verify
	cp v/dovecot-uidlist good
	sed -i '/1700000002/d' v/dovecot-uidlist
	status_is 1 git -C v maildir verify >found
	grep "'1700000002.M1P1.host:2,S' in folder 'INBOX' has no UID" found
	{ cat good; echo '7 :1700000003.M1P1.host'; } >v/dovecot-uidlist
	status_is 1 git -C v maildir verify >found
	grep 'has two UIDs for one message' found
	sed 's/^2 /9 /' good >v/dovecot-uidlist
	status_is 1 git -C v maildir verify >found
	grep 'is not in the order of its UIDs' found
	grep "the UIDs of folder 'INBOX' are not what was recorded" found
	rm v/dovecot-uidlist
	status_is 1 git -C v maildir verify >found
	grep "'dovecot-uidlist' of folder 'INBOX' is gone" found
	cat good >v/dovecot-uidlist
	mv v/cur/1700000003.M1P1.host:2,FS v/cur/1700000003.M1P1.host:2,FSe
	status_is 1 git -C v maildir verify >found
	grep "has the letter 'e', which is no keyword" found
	mv v/cur/1700000003.M1P1.host:2,FSe v/cur/1700000003.M1P1.host:2,FS
	git -C v maildir record --no-push
	git -C v maildir verify
}
t 'verify finds messages without a UID, broken lists, lists that are not what was recorded, letters without a keyword' verify_finds

busy_list() {
	sleep 30 &
	holder=$!
	mkmsg v new 1700000050.M1P1.host 'Beside a busy server'
	git -C v config maildir.lockWait 1
	printf '%d:%s' "$holder" "$(hostname)" >v/dovecot-uidlist.lock
	git -C v maildir record --no-push 2>err
	grep "folder 'INBOX' is locked by process $holder" err
	git -C v ls-files | grep 1700000050
	[ -z "$(head_uid v 1700000050.M1P1.host)" ]
	rm v/dovecot-uidlist.lock
	kill "$holder"
	git -C v maildir record --no-push
	[ -n "$(head_uid v 1700000050.M1P1.host)" ]
	quiet v
}
t 'while somebody holds the lock mail is recorded without a UID, and gets it at the next record' busy_list

done_testing
