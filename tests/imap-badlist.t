#!/bin/sh
#
# imap-badlist.t -- dovecot-uidlist is torn, unordered, huge, gone or strange, or its lock is held, or the folder goes: a clear word, no message gets another
# UID that need not, and nothing is lost.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	{
		echo create Box
		for n in 1 2 3 4 5 6 7 8 9 10; do echo "append Box m$n"; done
		echo append INBOX i1
		echo append INBOX i2
	} | begin_as_one
	printf 'select INBOX\nselect Box\n' >script
	client a <script
	sync_all a b
	client b <script
	sync_all a b
	equal a b
	sync_all a b
	mkdir good
	cp -a a b a.git b.git good/
}
t 'two members begin as one' together_at_first

# uids_of MEMBER: "UID MESSAGE" of the folder Box, asked of Dovecot.
uids_of() {
	imap "$1" uids Box | cut -d' ' -f3,4 | sort -n
}
# Each test is about member a, and begins with both as they were at first. put: standard input is the list now. says REGEX [STATUS]: a sync of a says so; status 0, or another.
prepare() {
	settle
	rm -rf a b a.git b.git
	cp -a good/a good/b good/a.git good/b.git .
	uids_of a >was
	imap_dump a | sed 's/ guid=[^ ]*//; s/ uid=[0-9]*//; /^[^ ]* messages=/d' | sort >had
	validity=$(sed -n '1s/.* V\([0-9]*\).*/\1/p' a/.Box/dovecot-uidlist)
	next=$(imap_dump a | sed -n 's/^Box messages=.* uidnext=\([0-9]*\) .*/\1/p')
	cp a/.Box/dovecot-uidlist list
}
put() {
	cat >put.list
	cat put.list >a/.Box/dovecot-uidlist.new
	chown "$MAIL_UID:$MAIL_UID" a/.Box/dovecot-uidlist.new
	mv a/.Box/dovecot-uidlist.new a/.Box/dovecot-uidlist
	mkdir a/.Box/cur/.seen && rmdir a/.Box/cur/.seen
}
says() {
	status=0
	as_mail git -C a maildir sync >said 2>&1 || status=$?
	cat said
	settle
	[ "$status" = "${2:-0}" ]
	if [ -n "$1" ]; then
		grep "^git-maildir: .*$1" said
	else
		not grep '^git-maildir:' said
	fi
}
# as_it_was: each message has the UID it had, UIDVALIDITY is the same, and nothing is lost, on both members.
nothing_lost() {
	sync_all a b
	# Dovecot looks at a list whose messages did not change when something happens in cur/.
	for m in a b; do mkdir "$m/.Box/cur/.seen" && rmdir "$m/.Box/cur/.seen"; done
	for m in a b; do
		imap_dump "$m" | sed 's/ guid=[^ ]*//; s/ uid=[0-9]*//; /^[^ ]* messages=/d' | sort | diff had -
	done
	equal a b
	[ "$(imap_dump a | sed -n 's/^Box messages=.* uidvalidity=\([0-9]*\) .*/\1/p')" = "$validity" ]
	[ "$(imap_dump a | sed -n 's/^Box messages=.* uidnext=\([0-9]*\) .*/\1/p')" -ge "$next" ]
	sync_all a b
	as_mail git -C a maildir verify
	as_mail git -C b maildir verify
}
as_it_was() {
	uids_of a | diff was -
	uids_of b | diff was -
	nothing_lost
}
# fresh N: N of the messages have another UID, which nothing had before; the others have theirs.
fresh() {
	uids_of a >is
	diff was is >moved || true
	cat moved
	[ "$(grep -c '^>' moved)" = "$1" ]
	sed -n 's/^> \([0-9]*\) .*/\1/p' moved | while read -r uid; do
		[ "$uid" -ge "$next" ] || { echo "UID $uid was given out before"; return 1; }
	done
	nothing_lost
}

missing() {
	prepare
	rm a/.Box/dovecot-uidlist
	says Box
	as_it_was
}
t 'a list that is gone is put back as it was recorded' missing

empty() {
	prepare
	: | put
	says Box
	as_it_was
}
t 'a list that is empty is put back as it was recorded' empty

torn() {
	prepare
	head -c -20 list | put
	says 'Box'
	as_it_was
}
t 'a torn last line: the message has the UID that was recorded' torn

torn_new() {
	prepare
	# This time it is the line of a message that nobody has recorded yet.
	client a <<-'END'
		append Box newest
	END
	imap_dump a | sed 's/ guid=[^ ]*//; s/ uid=[0-9]*//; /^[^ ]* messages=/d' | sort >had
	uids_of a >was
	next=$((next + 1))
	head -c -20 a/.Box/dovecot-uidlist | put
	says 'Box'
	uids_of a >is
	diff was is >moved || true
	cat moved
	[ "$(grep -c '^>' moved)" -le 1 ]
	nothing_lost
}
t 'a torn line of a new message: at most this one gets another UID' torn_new

unordered() {
	prepare
	{
		head -n 1 list
		sed 1d list | sort -rn
	} | put
	says 'Box'
	as_it_was
}
t 'lines in another order: sorted, and each message has its UID' unordered

twice_same() {
	prepare
	{
		cat list
		tail -n 1 list
		sed -n 3p list
	} | put
	says 'Box'
	as_it_was
}
t 'lines that are there twice: each message has its UID' twice_same

# A message with two UIDs, and a UID of two messages.
twice_other() {
	prepare
	{
		sed "1s/ N[0-9]*/ N$((next + 5))/" list
		sed -n "2s/^[0-9]*/$((next + 3))/p" list
	} | put
	next=$((next + 1))
	says 'Box'
	fresh 1
	prepare
	first=$(sed -n '2s/ .*//p' list)
	sed "3s/^[0-9]*/$first/" list | put
	says 'Box'
	uids_of a >is
	diff was is >moved || true
	cat moved
	[ "$(grep -c '^>' moved)" -le 2 ]
	nothing_lost
}
t 'a message with two UIDs, and a UID of two messages: only these change' twice_other

huge() {
	prepare
	awk -v first="$next" 'NR == 1 { sub(/ N[0-9]*/, " N" first + 100001) } { print }
		END { for (n = 0; n < 100000; n++) printf "%d :1600000000.M%dP1.gone,S=100,W=102\n", first + n, n }' list | put
	says ''
	uids_of a | diff was -
	[ "$(as_mail git -C a show HEAD:.Box/dovecot-uidlist | wc -l)" -le 20 ]
	as_mail git -C a show HEAD:.Box/dovecot-uidlist | head -n 1 | grep " N$((next + 100001))"
	as_it_was
	client a <<-'END'
		append Box after
	END
	uids_of a | grep "^$((next + 100001)) after"
	sync_all a b
	equal a b
}
t 'a list of 100,000 messages that are gone: what is recorded is short, and their UIDs are not given out again' huge

foreign() {
	prepare
	sed '1s/^3/4/' list | put
	cp a/.Box/dovecot-uidlist kept
	says 'Box'
	cmp kept a/.Box/dovecot-uidlist
	# Mail comes and goes all the same, both ways.
	name=1700000001.M1P1.host
	mkmsg "$TRASH/a/.Box" new "$name" 'Beside a foreign list'
	chown "$MAIL_UID:$MAIL_UID" "a/.Box/new/$name"
	sync_all a b
	[ -f "b/.Box/new/$name" ]
	cmp kept a/.Box/dovecot-uidlist
	uids_of b | grep -v "$name" | diff was -
	rm "a/.Box/new/$name"
	sync_all a b
	put <list
	as_it_was
}
t 'a list of another version: said, left alone, and mail comes and goes' foreign

last_uid() {
	prepare
	{
		cat list
		echo '4294967295 :1600000001.M1P1.gone'
	} | put
	says 'Box'
	as_it_was
	# The last that there can be, of a message that is there.
	prepare
	client a <<-'END'
		create Full
		append Full f1
		append Full f2
	END
	sync_all a b
	sed '1s/ N[0-9]*/ N4294967295/; 3s/^2/4294967294/' a/.Full/dovecot-uidlist >full.list
	cat full.list >a/.Full/dovecot-uidlist.new
	chown "$MAIL_UID:$MAIL_UID" a/.Full/dovecot-uidlist.new
	mv a/.Full/dovecot-uidlist.new a/.Full/dovecot-uidlist
	name=1700000002.M1P1.host
	mkmsg "$TRASH/a/.Full" new "$name" 'No UID is left'
	chown "$MAIL_UID:$MAIL_UID" "a/.Full/new/$name"
	for m in a b a; do
		status=0
		as_mail git -C "$m" maildir sync >said 2>&1 || status=$?
		cat said
		settle
		[ "$status" -le 1 ]
	done
	[ "$(find b/.Full -type f -path '*/[cn][ue][rw]/*' | wc -l)" = 3 ]
	[ "$(mail_heads a b | sort -u | wc -l)" = 1 ]
}
t 'UID 4294967295 is none, and the last one leaves none' last_uid

binary() {
	prepare
	{
		cat list
		head -c 2000 /dev/urandom
	} | put
	says 'Box'
	as_it_was
	prepare
	head -c 5000 /dev/urandom | put
	status=0
	as_mail git -C a maildir sync >said 2>&1 || status=$?
	cat said
	grep '^git-maildir: .*Box' said
	[ "$(find a/.Box -type f -path '*/[cn][ue][rw]/*' | wc -l)" = "$(wc -l <was)" ]
	put <list
	as_it_was
}
t 'a list with garbage at its end, and one of garbage only: no message is lost' binary

# --- the lock

change_on_b() {
	prepare
	client b <<-'END'
		select Box
		store m1 +\Flagged
		store m1 -\Flagged
		append Box lock
		expunge m2
		append Box m2
	END
	as_mail git -C a config maildir.lockWait 1
	as_mail git -C b maildir record --no-push
	settle
}
# The lock was not taken over: nothing has changed.
is_busy() {
	before=$(cat a/.Box/dovecot-uidlist)
	says "Box.*$1" 4
	[ "$(cat a/.Box/dovecot-uidlist)" = "$before" ]
	[ -e a/.Box/dovecot-uidlist.lock ]
}
goes_on() {
	as_mail git -C a maildir sync
	[ ! -e a/.Box/dovecot-uidlist.lock ]
	as_mail git -C a config --unset maildir.lockWait
	sync_all a b
	equal a b
	uids_of a | sed '/ lock$/d; / m2$/d' >is
	sed '/ m2$/d' was | diff - is
}
live_lock() {
	change_on_b
	setpriv --reuid="$MAIL_UID" --regid="$MAIL_UID" --clear-groups sleep 100 &
	echo "$!:$(uname -n)" >a/.Box/dovecot-uidlist.lock
	touch -d '10 minutes ago' a/.Box/dovecot-uidlist.lock
	is_busy "process $!"
	kill $!
	rm a/.Box/dovecot-uidlist.lock
	goes_on
}
t 'a lock of a live process is respected: status 4, and nothing has changed' live_lock

dead_lock() {
	change_on_b
	echo "$(sh -c 'echo $$'):$(uname -n)" >a/.Box/dovecot-uidlist.lock
	touch -d '10 seconds ago' a/.Box/dovecot-uidlist.lock
	goes_on
}
t 'a lock of a dead process is taken over' dead_lock

other_host() {
	change_on_b
	echo '1:another.host' >a/.Box/dovecot-uidlist.lock
	is_busy another.host
	touch -d '3 minutes ago' a/.Box/dovecot-uidlist.lock
	goes_on
}
t 'a lock of another host is respected while it is young, and taken over when it is old' other_host

# --- the folder

# A folder is renamed away and back, and removed, while both sync.
vanishing() {
	prepare
	client a <<-'END'
		create Away
		append Away w1
		append Away w2
		append Away w3
		create Gone
		append Gone g1
	END
	sync_all a b
	(
		n=0
		while [ ! -e stop ]; do
			n=$((n + 1))
			mv -T a/.Away a/tmp/Away && mv -T a/tmp/Away a/.Away
			mv -T a/.Gone "a/.Gone$n" && rm -rf "a/.Gone$n"
			sleep 0.00"$((n % 7))"
			mkdir a/tmp/Gone && mkdir a/tmp/Gone/cur a/tmp/Gone/new a/tmp/Gone/tmp && chown -R "$MAIL_UID:$MAIL_UID" a/tmp/Gone && mv -T a/tmp/Gone a/.Gone
		done
	) 2>/dev/null &
	n=0
	while [ "$n" -lt 15 ]; do
		n=$((n + 1))
		[ $((n % 3)) != 0 ] || printf 'append INBOX n%s\nselect Box\nstore m1 +word\nstore m1 -word\n' "$n" | client b
		for m in b a; do
			status=0
			as_mail git -C "$m" maildir sync >said 2>&1 || status=$?
			cat said
			case $status in 0 | 1 | 4) ;; *) : >stop; wait; return 1 ;; esac
		done
	done
	: >stop
	wait
	rm -rf a/tmp/Away a/tmp/Gone a/.Gone[0-9]*
	sync_all a b
	equal a b
	imap a uids Away | cut -d' ' -f4 | sort >away
	printf 'w1\nw2\nw3\n' | diff - away
	[ "$(imap a uids INBOX | grep -c ' n[0-9]*$')" = 5 ]
	uids_of a | diff was -
}
t 'a folder that vanishes and comes back while both sync: nothing is lost' vanishing

stop_dovecot
done_testing
