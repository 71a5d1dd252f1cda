#!/bin/sh
#
# imap-keywords.t -- a keyword is a letter in a message's name, and each member's Dovecot gives its letters for itself: clients must see the words, everywhere, also in
# sessions that are open while letters are translated.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	begin_as_one <<-'END'
		append INBOX m1 One
		append INBOX m2 Two
		append INBOX m3 One Two
		append INBOX m4
		append INBOX m5
		append INBOX m6
		create Holes
		append Holes h1
		append Holes h2
	END
	for m in a b; do
		client "$m" <<-'END'
			select INBOX
			see m1 One
			see m2 Two
			see m3 One Two
		END
	done
}
t 'two members begin as one, and a clone knows the words' together_at_first

# The letter c is Left on a and Right on b. A session stays open on each, from before the sync to after it.
letter_c() {
	for m in a b; do
		rm -f "go.$m" "ready.$m"
		case $m in a) own=Left mine=m4 common=m1 ;; b) own=Right mine=m5 common=m3 ;; esac
		client "$m" >"said.$m" 2>&1 <<-END &
			select INBOX
			store $mine +$own
			store $common +$own
			see $mine $own
			make ready.$m
			wait go.$m
			see m1 One Left
			see m2 Two
			see m3 One Two Right
			see m4 Left
			see m5 Right
			store m6 +Left
			see m6 Left
			store m6 +Right
			see m6 Left Right
			store m6 -Left -Right
			store m6 +Late-$m
			see m6 Late-$m
		END
		echo $! >"pid.$m"
	done
	soon test -e ready.a
	soon test -e ready.b
	[ "$(grep -c '^2 Left' a/dovecot-keywords)$(grep -c '^2 Right' b/dovecot-keywords)" = 11 ]
	sync_all a b
	equal a b
	for m in a b; do
		client "$m" <<-'END'
			select INBOX
			see m1 One Left
			see m2 Two
			see m3 One Two Right
			see m4 Left
			see m5 Right
		END
	done
	# The open sessions now look, and store.
	for m in a b; do
		: >"go.$m"
		wait "$(cat "pid.$m")" || { echo "the session on $m:"; cat "said.$m"; return 1; }
		cat "said.$m"
		# A member never changes the meaning of a letter.
		grep -x '0 One' "$m/dovecot-keywords"
		grep -x '1 Two' "$m/dovecot-keywords"
	done
	grep -x '2 Left' a/dovecot-keywords
	grep -x '2 Right' b/dovecot-keywords
	sync_all a b
	equal a b
	for m in a b; do
		client "$m" <<-'END'
			select INBOX
			see m6 Late-a Late-b
			see m1 One Left
			see m3 One Two Right
		END
	done
}
t 'both members give the letter c to another word: open sessions and new ones see the words, and store the words they mean' letter_c

# A copy takes its words along to a folder with other letters.
to_another_folder() {
	client a <<-'END'
		create Other
		append Other x1 Two
		select INBOX
		copy m3 Other
	END
	client b <<-'END'
		create Other
		append Other x2 Right
		select INBOX
		copy m1 Other
	END
	sync_all a b
	equal a b
	for m in a b; do
		client "$m" <<-'END'
			select Other
			see x1 Two
			see x2 Right
			see m3 One Two Right
			see m1 One Left
		END
	done
	as_mail git -C a maildir verify
	as_mail git -C b maildir verify
}
t 'the same new folder, with other letters on each member, and copies into it' to_another_folder

# bad_map MEMBER FOLDER: standard input becomes the map of a folder; then a sync, and the mail of the folder is there on both, once.
bad_map() {
	cat >map
	mtime=$(($(stat -c %Y "$1/.$2/dovecot-keywords" 2>/dev/null || date +%s) + 2))
	cp map "$1/.$2/dovecot-keywords"
	chown "$MAIL_UID:$MAIL_UID" "$1/.$2/dovecot-keywords"
	touch -d "@$mtime" "$1/.$2/dovecot-keywords"
	as_mail git -C "$1" maildir sync >said 2>&1 || { status=$?; cat said; return "$status"; }
	cat said
	settle
	sync_all a b
	[ "$(mail_heads a b | sort -u | wc -l)" = 1 ]
	for m in a b; do
		[ "$(find "$m/.$2" -name '*,S=*' -type f | wc -l)" = 2 ]
		imap "$m" uids INBOX >"inbox.$m"
	done
	diff inbox.a inbox.b
}
holes() {
	printf '0 First\n5 Sixth\n25 Last\n' | bad_map a Holes
	for file in a/.Holes/cur/* a/.Holes/new/*; do
		case $file in *'*') continue ;; esac
		mv "$file" "a/.Holes/cur/$(basename "${file%%:2,*}"):2,Sfz"
	done
	sync_all a b
	equal a b
	for m in a b; do
		client "$m" <<-'END'
			select Holes
			see h1 \Seen Sixth Last
			see h2 \Seen Sixth Last
			store h1 +Added
			see h1 \Seen Sixth Last Added
			store h1 -Added
		END
	done
	sync_all a b
	equal a b
}
t 'a map with holes: the words are where they were' holes

# There are 26 letters.
too_many() {
	client a <<-'END'
		create Many
		append Many k1
		append Many k2
	END
	sync_all a b
	{
		echo select Many
		for n in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do echo "store k1 +Aword$n"; done
	} | client a
	{
		echo select Many
		for n in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do echo "store k2 +Bword$n"; done
	} | client b
	: >"$HOME/warned"
	for m in a b a b; do
		as_mail git -C "$m" maildir sync >>"$HOME/warned" 2>&1
		settle
	done
	cat "$HOME/warned"
	# Which two have no letter is the merge's to say; it must say it, by name and folder.
	grep "Many.*[AB]word1[34]" "$HOME/warned"
	sync_all a b
	[ "$(mail_heads a b | sort -u | wc -l)" = 1 ]
	for m in a b; do
		[ "$(wc -l <"$m/.Many/dovecot-keywords")" -le 26 ]
		imap "$m" uids Many | sed 's/^[^ ]* [^ ]* [0-9]* //' >"many.$m"
		cat "many.$m"
		# 26 of the 28, each on the message it was put on.
		[ "$(grep -c 'k1.*Bword\|k2.*Aword\|unknown' "many.$m")" = 0 ]
		[ "$(tr ' ' '\n' <"many.$m" | grep -c '^[AB]word')" -ge 26 ]
		imap "$m" uids INBOX >"inbox.$m"
	done
	diff inbox.a inbox.b
	as_mail git -C a maildir sync
	as_mail git -C b maildir sync
	sync_all a b
}
t 'more than 26 words: the 27th is named in a warning, and nothing else is wrong' too_many

# A session of Dovecot gives its 27th word no letter.
too_many_of_one() {
	client a <<-'END'
		create More
		append More k3
	END
	{
		echo select More
		n=0
		while [ "$n" -lt 27 ]; do
			n=$((n + 1))
			echo "store k3 +Word$n"
		done
	} | client a
	sync_all a b
	imap b uids More | tee more.txt
	[ "$(tr ' ' '\n' <more.txt | grep -c '^Word')" = 26 ]
	client b <<-'END'
		select INBOX
		see m1 One Left
	END
}
t 'a 27th word on one member: the others get there' too_many_of_one

forty() {
	n=0
	while [ "$n" -lt 40 ]; do
		echo "$n Line$n"
		n=$((n + 1))
	done | bad_map b Holes
	grep -i "Holes" said
}
t 'a map of 40 lines: a warning, and no message is lost' forty

garbage() {
	head -c 3000 /dev/urandom | bad_map a Holes
	grep -i "Holes" said
	printf '0 First\n1 \n\0\0\0 x\n2 Third\n3' | bad_map b Holes
	for m in a b; do as_mail git -C "$m" fsck --strict --no-dangling --no-progress; done
}
t 'a map of binary garbage: a warning, and no message is lost' garbage

stop_dovecot
done_testing
