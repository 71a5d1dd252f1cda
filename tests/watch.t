#!/bin/sh
#
# watch.t -- git maildir watch: what happens in a Maildir is on the other members by itself.
. ./tests/lib.sh
. "$TOP/tests/watch.sh"

WORK=$TOP/tests/watchwork.py

{
	pair a b
	watch ab "$TRASH/a" "$TRASH/b"
	within git -C b rev-parse -q --verify refs/remotes/a/main
} >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }

# both TESTS...: within reach, a and b hold the same, and the test holds on b.
both() {
	within "$@"
	within equal a b
}

delivery() {
	mkmsg a new 1700000100.D1.host
	both [ -f b/new/1700000100.D1.host ]
}
t 'a delivery is on the peer by itself' delivery
flag_change() {
	mv a/new/1700000100.D1.host a/cur/1700000100.D1.host:2,S
	both [ -f b/cur/1700000100.D1.host:2,S ]
	mv b/cur/1700000100.D1.host:2,S b/cur/1700000100.D1.host:2,FS
	both [ -f a/cur/1700000100.D1.host:2,FS ]
}
t 'a flag change is on the peer by itself, in both directions' flag_change
moved() {
	mv a/cur/1700000100.D1.host:2,FS a/.Work/cur/
	both [ -f b/.Work/cur/1700000100.D1.host:2,FS ]
	[ ! -e b/cur/1700000100.D1.host:2,FS ]
}
t 'a move is on the peer by itself' moved
deletion() {
	rm a/.Work/cur/1700000100.D1.host:2,FS
	both not [ -e b/.Work/cur/1700000100.D1.host:2,FS ]
}
t 'a deletion is on the peer by itself' deletion
new_folder() {
	mkmaildir a/.New
	both [ -d b/.New/cur ]
	mkmsg a/.New new 1700000101.D1.host
	both [ -f b/.New/new/1700000101.D1.host ]
	mkmsg b/.New new 1700000102.D1.host
	both [ -f a/.New/new/1700000102.D1.host ]
}
t 'a new folder, and what is delivered into it on both sides afterwards' new_folder
renamed_folder() {
	mv a/.New a/.Other
	both [ -f b/.Other/new/1700000101.D1.host ]
	within not [ -e b/.New ]
	mkmsg a/.Other new 1700000103.D1.host
	both [ -f b/.Other/new/1700000103.D1.host ]
	mkmsg b/.Other new 1700000104.D1.host
	both [ -f a/.Other/new/1700000104.D1.host ]
	mkmaildir a/.New
	mkmsg a/.New new 1700000105.D1.host
	both [ -f b/.New/new/1700000105.D1.host ]
}
t 'a folder that is renamed goes on under its new name, and a new one under its old' renamed_folder
# While the watch stands still, so that it sees the new directory only, at the same place, often with the same inode.
made_again() {
	kill -STOP "$(pid_of ab)"
	rm -r "a/$1"
	mkmaildir "a/$1"
	kill -CONT "$(pid_of ab)"
	mkmsg "a/$1" new "$2.M1.host"
	both [ -f "b/$1/new/$2.M1.host" ]
	within recorded a
	mkmsg "a/$1" new "$2.M2.host"
	both [ -f "b/$1/new/$2.M2.host" ]
}
t 'a folder that is deleted and made again at once is watched as before' made_again .New 1700000110
t 'so is one that has been renamed before' made_again .Other 1700000111
refs_again() {
	git -C a pack-refs --all
	rm -rf a.git/refs/remotes/b a.git/refs/remotes/a
	mkmsg b new 1700000120.D1.host
	both [ -f a/new/1700000120.D1.host ]
	kill -STOP "$(pid_of ab)"
	git -C a pack-refs --all
	rm -rf a.git/refs/remotes/b
	mkdir a.git/refs/remotes/b
	kill -CONT "$(pid_of ab)"
	mkmsg b new 1700000121.D1.host
	both [ -f a/new/1700000121.D1.host ]
}
t 'a push is seen when git has packed the references before' refs_again
deleted_folder() {
	rm -r a/.New
	both not [ -e b/.New ]
}
t 'a folder that is deleted goes on the peer' deleted_folder
race_of_folders() {
	python3 "$WORK" folders "$TRASH/a" ".Race%d" 150
	python3 "$WORK" folders "$TRASH/b" ".Back%d" 50
	within equal a b
	[ "$(find a b -name '17000*.*.host*' -path '*Race*' | wc -l)" = 900 ]
	[ "$(find a b -name '17000*.*.host*' -path '*Back*' | wc -l)" = 300 ]
}
t 'hundreds of new folders with mail that is there before they are watched, or comes a moment later' race_of_folders
nested() {
	python3 "$WORK" folders "$TRASH/a" "lists/%d/deep" 40
	within equal a b
	[ "$(find a b -name '17000*.*.host*' -path '*/lists/*/deep/*' | wc -l)" = 240 ]
	mkmsg b/lists/7/deep new 1700000130.D1.host
	both [ -f a/lists/7/deep/new/1700000130.D1.host ]
	mv a/lists a/others
	within [ -f b/others/7/deep/new/1700000130.D1.host ]
	mkmsg a/others/7/deep new 1700000131.D1.host
	both [ -f b/others/7/deep/new/1700000131.D1.host ]
}
t 'nested folders, new and renamed as a whole' nested
subscriptions() {
	printf 'Work\n' >a/subscriptions
	both grep -qx Work b/subscriptions
	printf 'Other\n' >>b/subscriptions
	both grep -qx Other a/subscriptions
}
t 'subscriptions are on the peer by themselves' subscriptions
no_background() {
	head=$(git -C b rev-parse HEAD)
	mkdir trace
	mv b/.git b/.git.away
	GIT_TRACE2_EVENT="$TRASH/trace" git -C a push -q "$TRASH/b.git" +HEAD:refs/remotes/a/main
	mv b/.git.away b/.git
	not grep -r '"sync"' trace
	rm -r trace
	mkmsg a new 1700000140.D1.host
	both [ -f b/new/1700000140.D1.host ]
	[ "$head" != "$(git -C b rev-parse HEAD)" ]
}
t 'a push starts no sync in the background where there is a watch' no_background
by_hand() {
	apart a
	mkmsg a new 1700000150.D1.host
	within recorded a
	sleep 0.5
	[ ! -e b/new/1700000150.D1.host ]
	git -C a push -q b +HEAD:refs/remotes/a/main
	both [ -f b/new/1700000150.D1.host ]
	git -C a config --unset maildir.autoPush
	mkmsg a new 1700000151.D1.host
	both [ -f b/new/1700000151.D1.host ]
}
t 'with maildir.autoPush off nothing is pushed, and a "git push" by hand is applied at once' by_hand
constant() {
	before=$(git -C a rev-list --count HEAD)
	python3 "$WORK" flow "$TRASH/a" steady 4 0.01 >steady.list
	during=$(git -C a rev-list --count HEAD)
	[ $((during - before)) -ge 2 ] || { echo "$((during - before)) commits in 4 s"; return 1; }
	within equal a b
	none_missing steady.list b
}
t 'changes that never pause are recorded all the same' constant
overflow() {
	kill -STOP "$(pid_of ab)"
	mkmsg a cur 1700000160.D1.host:2,S
	mkmaildir a/.Many
	most=$(cat /proc/sys/fs/inotify/max_queued_events)
	python3 "$WORK" flags "$TRASH/a/cur/1700000160.D1.host:2,S" "$((most / 2 + 500))"
	rm -r a/.Many
	mkmaildir a/.Many a/.Lost
	mkmsg a/.Lost new 1700000161.D1.host
	kill -CONT "$(pid_of ab)"
	both [ -f b/.Lost/new/1700000161.D1.host ]
	says ab 'max_queued_events'
	for folder in .Many .Lost; do
		mkmsg a/"$folder" new 1700000162.D1.host
		both [ -f b/"$folder"/new/1700000162.D1.host ]
	done
}
t 'when events are lost everything is looked at, and watched again' overflow
away() {
	mv b.git b.gone
	mkmsg a new 1700000170.D1.host
	within says ab "cannot reach peer 'b'"
	within recorded a
	mkmsg a new 1700000171.D1.host
	within recorded a
	sleep 2
	[ "$(how_often ab "cannot reach peer 'b'")" = 1 ]
	mv b.gone b.git
	both [ -f b/new/1700000171.D1.host ]
	within says ab "a: peer 'b' is in reach again"
	mkmsg b new 1700000172.D1.host
	both [ -f a/new/1700000172.D1.host ]
}
t 'a peer that is out of reach is told of once, and caught up when it is back' away
added() {
	git maildir clone --name=c "$TRASH/a.git" c
	git -C a maildir peer add c "$TRASH/c.git"
	watch c "$TRASH/c"
	mkmsg a new 1700000180.D1.host
	within [ -f c/new/1700000180.D1.host ]
	git -C b maildir peer add c "$TRASH/c.git"
	git -C c maildir peer add b "$TRASH/b.git"
	mkmsg c new 1700000181.D1.host
	within [ -f b/new/1700000181.D1.host ]
	within equal a b c
}
t 'a peer that is added while the watch runs is served' added
second() {
	watch second "$TRASH/a"
	within says second 'is watched by another process already'
	unwatch ab KILL
	mkmsg a new 1700000190.D1.host
	within [ -f c/new/1700000190.D1.host ]
	unwatch second
	watch ab "$TRASH/a" "$TRASH/b"
	mkmsg b new 1700000191.D1.host
	within equal a b c
}
t 'a second watch says that there is one, and takes over when that dies' second
remade() {
	unwatch c
	git -C c maildir sync >/dev/null
	watch c "$TRASH/c"
	mkmsg c new 1700000200.D1.host
	within equal a b c
	settle
	rm -rf c c.git
	within says c 'cannot'
	git maildir clone --name=c "$TRASH/a.git" c
	git -C c maildir peer add b "$TRASH/b.git"
	within says c 'is in order again'
	watch other "$TRASH/c"
	within says other 'is watched by another process already'
	unwatch other
	mkmsg c new 1700000201.D1.host
	within equal a b c
	mkmsg a new 1700000202.D1.host
	within equal a b c
}
t 'a member that is removed and cloned anew is watched as before' remade
unmounted() {
	mv c c.away
	mkdir c
	mkmsg a new 1700000210.D1.host
	within equal a b
	within [ "$(how_often c "to 'c'\|no git repository\|not lead")" -ge 1 ]
	rmdir c
	mv c.away c
	within equal a b c
	mkmsg c/.Lost new 1700000211.D1.host
	within equal a b c
	mkmsg a/.Lost new 1700000212.D1.host
	within equal a b c
}
t 'a Maildir that is not there for a while, as if unmounted, loses nothing and is watched again when it is back' unmounted
quiet() {
	within equal a b c
	settle
	sleep 1
	one=$(heads a b c)
	used=$(awk '{ print $14 + $15 }' "/proc/$(pid_of ab)/stat")
	sleep 3
	[ "$one" = "$(heads a b c)" ]
	[ "$(($(awk '{ print $14 + $15 }' "/proc/$(pid_of ab)/stat") - used))" -le 1 ]
	clean a b c
}
t 'when nothing happens nothing is committed, and no processor is used' quiet
ended() {
	watch verbose --verbose "$TRASH/a" || return
	# A shell has its children in the background ignore SIGINT: what comes before the watch has begun is lost.
	within says verbose ready
	unwatch verbose INT
	[ "$(cat "$HOME/verbose.status")" = 0 ]
	mkmsg a new 1700000220.D1.host
	sleep 0.02
	unwatch ab
	unwatch c
	[ "$(cat "$HOME/ab.status")" = 0 ]
	[ "$(cat "$HOME/c.status")" = 0 ]
	settle
	for m in a b c; do recorded "$m"; done
	git -C a ls-files | grep -qx new/1700000220.D1.host
}
t 'a watch that is ended records what it has seen, and leaves no process behind' ended
# Dovecot makes a folder before it makes its list of UIDs. A list that is there by then has another UIDVALIDITY than the one Dovecot has told its client.
young_folder() {
	mkmaildir y
	mkmsg y new 1700000300.D1.host
	printf '3 V1700000000 N2 G%032d\n1 :1700000300.D1.host\n' 7 >y/dovecot-uidlist
	printf 6553f100 >y/dovecot-uidvalidity
	member y
	watch y "$TRASH/y"
	began=$(date +%s%N)
	mkmaildir y/.Young
	within git -C y cat-file -e HEAD:.Young/.gitmaildir
	list=no
	[ ! -e y/.Young/dovecot-uidlist ] || list=yes
	took=$((($(date +%s%N) - began) / 1000000))
	echo "recorded within $took ms, has a list: $list"
	# On a machine that is too slow for a look in time there is nothing to see.
	[ "$took" -gt 1500 ] || [ "$list" = no ]
	within [ -s y/.Young/dovecot-uidlist ]
	within git -C y cat-file -e HEAD:.Young/dovecot-uidlist
	unwatch y
}
t 'a folder that is being made gets no list of UIDs before its mail server has had the time to make one' young_folder
usage() {
	status_is 2 git maildir watch --settle=x
	status_is 2 git maildir watch --settle=-1
	status_is 2 git maildir watch --settle=
	status_is 2 git maildir watch --check=0
	status_is 2 git maildir watch --frobnicate
	status_is 8 git maildir watch nowhere 2>err
	grep -q "'nowhere'" err
	mkmaildir plain
	status_is 3 git maildir watch plain 2>err
	grep -q "'.*plain' is not a member yet: run 'git maildir init'" err
	status_is 3 git -C "$HOME" maildir watch
	status_is 8 git maildir watch --all=nowhere 2>err
	grep -q "'nowhere'" err
	git maildir watch -h | grep -q 'usage: git maildir watch'
}
t 'what cannot be watched is said in a line' usage

done_testing
