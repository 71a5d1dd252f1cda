#!/bin/sh
#
# cluster.t -- what one member records arrives at all others by itself, as far as they can be reached.
. ./tests/lib.sh

NEW=1700000500.M5P5.host
# begin: members a, b and c that hold some_mail.
begin() {
	settle
	rm -rf a b c a.git b.git c.git
	trio a b c >/dev/null
}

unreachable() {
	begin
	apart a b c
	git -C a config remote.c.url "$TRASH/no/such.git"
	mkmsg a new "$NEW"
	status_is 1 git -C a maildir sync 2>err
	cat err
	[ "$(grep -c 'c' err)" -ge 1 ]
	[ -f a/new/"$NEW" ]
	soon test -f b/new/"$NEW"
	git -C a maildir status | grep -q 'no/such.git'
	# Nobody listens: told within the time limit, and b need not wait for it.
	printf '#!/bin/sh\nexec sleep 30\n' >hang
	chmod +x hang
	git -C a config core.sshCommand "$TRASH/hang"
	git -C a config remote.c.url ssh://nowhere.example/c.git
	git -C a config maildir.peerTimeout 3
	mv "a/new/$NEW" "a/cur/$NEW:2,FS"
	git -C a maildir record >/dev/null
	git -C a maildir push 2>err &
	soon test -f "b/cur/$NEW:2,FS"
	kill -0 $! # still at it
	status_is 1 wait $!
	cat err
	[ "$(wc -l <err)" = 1 ]
	grep -q "'c'" err
	status_is 1 git -C a maildir sync b c 2>err
	git -C a maildir sync b
	settle
	same_mail a b
	# It is back.
	git -C a config --unset core.sshCommand
	git -C a config remote.c.url "$TRASH/c.git"
	together a b c
	status_is 8 git -C a maildir sync nobody 2>err
	grep -q "there is no peer 'nobody'" err
}
t 'an unreachable peer delays no other, and is told' unreachable

by_themselves() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record
	soon same_mail a b c
	soon same_head a b c
	# What their pushes back started would record it before the commit.
	settle
	mv "a/new/$NEW" "a/cur/$NEW:2,S"
	git -C a add -A
	git -C a commit -qm 'Read by hand'
	soon same_mail a b c
	settle
	same_head a b c
	[ "$(git -C c log -1 --format=%s)" = 'Read by hand' ]
	clean a b c
}
t 'a record, and a commit made by hand, arrive in the Maildirs of all others by themselves' by_themselves

round_the_corner() {
	begin
	# a and c do not know each other: b tells.
	git -C a maildir peer remove c
	git -C c maildir peer remove a
	mkmsg a new "$NEW"
	git -C a maildir record
	soon same_mail a b c
	mkmsg c new 1700000901.C.host
	git -C c maildir record
	soon same_mail a b c
	settle
	same_head a b c
	clean a b c
}
t 'a member behind another one gets everything through it' round_the_corner

all_at_once() {
	begin
	for i in 1 2 3 4; do
		for m in a b c; do
			mkmsg "$m" new "170000200$i.$m.host"
			git -C "$m" maildir record >/dev/null &
		done
		wait
	done
	settle
	same_mail a b c
	same_head a b c
	clean a b c
	[ "$(find a/new -type f | wc -l)" = 13 ]
	before=$(heads a b c)
	for m in a b c; do git -C "$m" maildir sync; done
	settle
	[ "$(heads a b c)" = "$before" ]
}
t 'deliveries on all members at the same time: everything comes to rest' all_at_once

done_testing
