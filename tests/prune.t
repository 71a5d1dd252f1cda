#!/bin/sh
#
# prune.t -- git maildir prune: what nobody needs any more goes, and members that pruned at different points go on as before.
. ./tests/lib.sh

begin() {
	settle
	rm -rf a b c d a.git b.git c.git d.git
}
# deliver MEMBER KEY: mail comes and is recorded.
deliver() {
	mkmsg "$1" new "$2" "$2"
	git -C "$1" maildir record --no-push
}
commits() {
	git -C "$1" rev-list --count HEAD
}
sound() {
	for it in "$@"; do
		git -C "$it" fsck --strict --no-dangling --no-progress >said.fsck 2>&1 || { cat said.fsck; return 1; }
		[ ! -s said.fsck ] || { cat said.fsck; return 1; }
		git -C "$it" rev-list --objects --all >/dev/null
	done
}
# blob FILE: its id. has MEMBER ID: the object is somewhere.
has() {
	git -C "$1" cat-file -e "$2" 2>/dev/null
}

one_commit() {
	begin
	trio a b c
	apart a b c
	for i in 1 2 3 4; do
		for m in a b c; do deliver "$m" "170000100$i.$m.host"; done
		rm a/new/170000100"$i".a.host
		together a b c
	done
	gone=$(printf 'From: sender@example.org\nTo: person@example.org\nSubject: 1700001001.a.host\nMessage-ID: <1700001001.a.host@example.org>\n\nText of 1700001001.a.host.\n' | git hash-object --stdin)
	has a "$gone"
	git -C a for-each-ref >refs
	git -C a maildir prune --dry-run --verbose >out
	cat out
	grep -q '^would keep 1 commit, drop [1-9]' out
	[ ! -e a.git/shallow ]
	for m in a b c; do
		git -C "$m" maildir prune --verbose
		[ "$(commits "$m")" = 1 ]
		[ "$(wc -l <"$m".git/shallow)" = 1 ]
		not has "$m" "$gone"
	done
	git -C a for-each-ref | diff refs -
	sound a b c
	git -C a maildir status
	deliver b 1700002001.b.host
	together a b c
	sound a b c
}
t 'when all have the same, one commit is left on each, and mail that was deleted is gone' one_commit

# The month: a member is away while the others go on and prune every day.
away() {
	begin
	trio a b c
	apart a b c
	together a b c
	git -C a config remote.c.url "$TRASH/nowhere.git"
	git -C b config remote.c.url "$TRASH/nowhere.git"
	for day in 1 2 3 4 5 6 7 8; do
		for i in 1 2 3 4 5; do
			deliver a "17000$day$i""001.a.host"
			deliver b "17000$day$i""002.b.host"
			rm "a/new/17000$day$i""001.a.host"
			git -C a maildir sync b
			git -C b maildir sync a
		done
		git -C a maildir prune >out
		cat out
		git -C b maildir prune
		grep -q "^peer 'c' holds back [0-9]* commit.*since" out
	done
	[ ! -f a/new/1700011001.a.host ]
	git -C a maildir status >out
	cat out
	grep -q 'holds back [0-9]* commits (.*B) since' out
	# Meanwhile on c: mail comes, some is read, and some deleted.
	deliver c 1700003001.c.host
	mv c/cur/1700000002.M1P1.host:2,S c/cur/1700000002.M1P1.host:2,FS
	rm c/cur/1700000003.M1P1.host:2,FS
	git -C c maildir record --no-push
	git -C a config remote.c.url "$TRASH/c.git"
	git -C b config remote.c.url "$TRASH/c.git"
	git -C c maildir sync
	together a b c
	[ -f a/new/1700003001.c.host ]
	[ -f b/cur/1700000002.M1P1.host:2,FS ]
	[ ! -e b/cur/1700000003.M1P1.host:2,FS ]
	[ -f c/new/1700015002.b.host ]
	[ ! -e c/new/1700015001.a.host ]
	for m in a b c; do
		git -C "$m" maildir prune --now
		[ "$(commits "$m")" = 1 ]
	done
	sound a b c
}
t 'a member that was away for days while the others pruned: one sync, the same everywhere, and no deleted mail comes back' away

pairings() {
	begin
	trio a b c
	apart a b c
	for i in 1 2 3; do
		deliver a "170000100$i.a.host"
		deliver b "170000200$i.b.host"
		rm "a/new/170000100$i.a.host"
		together a b c
		case $i in 1) git -C a maildir prune ;; 2) git -C b maildir prune ;; esac
	done
	# a and b are cut at different points, c nowhere, d is cloned from a cut one.
	join d a b c
	apart d
	together a b c d
	n=0
	for x in a b c d; do
		for y in a b c d; do
			[ "$x" != "$y" ] || continue
			n=$((n + 1))
			deliver "$x" "17000040$((n + 10)).$x.host"
			git -C "$x" maildir push "$y"
			deliver "$x" "17000050$((n + 10)).$x.host"
			git -C "$y" fetch "$x"
			settle
			sound "$y"
		done
	done
	together a b c d
	for m in a b c d; do git -C "$m" maildir prune --now; done
	sound a b c d
	[ "$(commits d)" = 1 ]
	deliver d 1700006001.d.host
	together a b c d
}
t 'members that pruned at different points, and a clone of one, push and fetch in every pairing' pairings

let_go() {
	begin
	trio a b c
	apart a b c
	together a b c
	for m in a b; do
		git -C "$m" config maildir.peerMaxAge 30d
		sed -i "s/^contact .*/contact $(($(date +%s) - 25 * 86400))/" "$m".git/maildir/peer/c
		deliver "$m" 1700001001."$m".host
	done
	rm a/cur/1700000002.M1P1.host:2,S
	git -C a maildir sync b
	git -C b maildir sync a
	git -C a maildir sync b
	git -C a maildir prune 2>err
	cat err
	grep -q "'c' .*will be let go in [45] days" err
	[ "$(commits a)" -gt 1 ]
	for m in a b; do
		sed -i "s/^contact .*/contact $(($(date +%s) - 40 * 86400))/" "$m".git/maildir/peer/c
		git -C "$m" maildir prune --now 2>err
		cat err
		grep -q "'c' is let go" err
		[ "$(commits "$m")" = 1 ]
		not git -C "$m" rev-parse -q --verify refs/remotes/c/main
	done
	deliver c 1700003001.c.host
	git -C c maildir sync
	git -C a maildir sync >out 2>&1
	cat out
	together a b c
	# Nothing is lost, and what was deleted meanwhile is back.
	[ -f a/new/1700003001.c.host ]
	[ -f c/new/1700001001.b.host ]
	[ -f a/cur/1700000002.M1P1.host:2,S ]
	[ "$(find a/cur a/new -type f | wc -l)" = 7 ]
	sound a b c
}
t 'a peer that is silent for longer than maildir.peerMaxAge is let go after a warning, and merged without a base when it is back' let_go

never_seen() {
	begin
	pair a b
	apart a b
	deliver a 1700001001.a.host
	together a b
	git -C a config remote.c.url "$TRASH/nowhere.git"
	git -C a maildir prune --verbose >out
	cat out
	grep -q "'c' holds nothing back: it was never seen" out
	[ "$(commits a)" = 1 ]
}
t 'a peer that was never seen holds nothing back' never_seen

at_once() {
	rm -rf x x.git y y.git
	some_mail x
	member x
	git maildir clone --name=y "$TRASH/x.git" y
	git -C x maildir peer add y "$TRASH/y.git"
	apart x y
	git -C x config remote.y.url "$TRASH/nowhere.git"
	rm x/cur/1700000002.M1P1.host:2,S
	git -C x maildir record
	git -C x maildir prune
	git -C x config remote.y.url "$TRASH/y.git"
	git -C y maildir sync
	settle
	not test -e y/cur/1700000002.M1P1.host:2,S
	same_mail x y
}
t 'a clone that goes away right after peer add holds back what it needs, and brings no deleted mail back' at_once

keep() {
	begin
	pair a b
	apart a b
	now=$(date +%s)
	for age in 20 10 5 1; do
		mkmsg a new "17000010$((10 + age)).a.host"
		GIT_COMMITTER_DATE="@$((now - age * 86400)) +0000" GIT_AUTHOR_DATE="@$((now - age * 86400)) +0000"
		export GIT_COMMITTER_DATE GIT_AUTHOR_DATE
		git -C a add -A
		git -C a -c core.hooksPath=/dev/null commit -qm "$age days ago"
	done
	unset GIT_COMMITTER_DATE GIT_AUTHOR_DATE
	git -C b maildir sync
	git -C a maildir sync
	git -C a maildir prune --keep=7d
	# What is younger than a week, and the state before.
	[ "$(git -C a log -1 --format=%s "$(cat a.git/shallow)")" = '10 days ago' ]
	git -C a config maildir.keepHistory 2d
	git -C a maildir prune
	[ "$(git -C a rev-list --max-parents=0 HEAD | xargs git -C a log -1 --format=%s)" = '5 days ago' ]
	status_is 2 git -C a maildir prune --keep=yesterday
	git -C a maildir prune --keep=0
	[ "$(commits a)" = 1 ]
	git -C a config maildir.keepHistory soon
	status_is 8 git -C a maildir prune 2>err
	grep -q "value 'soon' of 'maildir.keepHistory' is not an age" err
}
t 'what is younger than --keep or maildir.keepHistory stays' keep

users_work() {
	begin
	pair a b
	apart a b
	for i in 1 2 3 4 5; do deliver a "170000100$i.a.host"; done
	git -C a branch archive HEAD~3
	git -C a tag -a -m old old HEAD~4
	echo note >a/notes
	git -C a maildir record --no-push
	together a b
	n=$(git -C a rev-list --count archive)
	git -C a maildir prune
	[ "$(commits a)" = 1 ]
	[ "$(git -C a rev-list --count archive)" = "$n" ]
	git -C a rev-list --objects archive old >/dev/null
	status_is 1 git -C a maildir prune --now 2>err
	cat err
	grep -q '2 branches or tags of yours' err
	[ "$(git -C a rev-list --count archive)" = "$n" ]
	sound a
	# One that lies on what would go through the cut holds all of it.
	for i in 1 2; do deliver a "170000200$i.a.host"; done
	together a b
	git -C a tag now
	status_is 1 git -C a maildir prune 2>err
	cat err
	grep -q "nothing is pruned: 'refs/tags/now' is of yours" err
	[ "$(commits a)" = 3 ]
	git -C a tag -d now
	git -C a maildir prune
	[ "$(commits a)" = 1 ]
	sound a
}
t "branches and tags of the user's keep what they reach" users_work

erased() {
	begin
	trio a b c
	apart a b c
	deliver a 1700001001.a.host
	together a b c
	id=$(git -C a hash-object a/new/1700001001.a.host 2>/dev/null || git hash-object a/new/1700001001.a.host)
	rm a/new/1700001001.a.host
	git -C a maildir record --no-push
	together a b c
	git -C a maildir prune --now
	not has a "$id"
	for m in b c; do
		has "$m" "$id"
		git -C "$m" maildir prune --now
		not has "$m" "$id"
	done
	for m in a b c; do
		git -C "$m" cat-file --batch-all-objects --batch-check --unordered >objects
		not grep "$id" objects
		[ "$(git -C "$m" reflog | wc -l)" = 0 ]
		[ ! -d "$m".git/objects/tmp_objdir-prune ]
		[ -z "$(find "$m".git/objects -name 'tmp_*')" ]
	done
	sound a b c
}
t 'prune --now on every member: no object holds the deleted mail' erased

bad_input() {
	begin
	pair a b
	apart a b
	for i in 1 2 3; do deliver a "170000100$i.a.host"; done
	together a b
	echo garbage >a.git/shallow
	status_is 8 git -C a maildir prune 2>err
	cat err
	grep -q "shallow' has a line that is no commit id" err
	[ "$(cat a.git/shallow)" = garbage ]
	rm a.git/shallow
	good=$(git -C a rev-parse refs/remotes/b/main)
	echo 1234567890123456789012345678901234567890 >a.git/refs/remotes/b/main
	status_is 1 git -C a maildir prune 2>err
	cat err
	grep -q "nothing is pruned: the commit that peer 'b' was last at is missing" err
	[ ! -e a.git/shallow ]
	git -C a update-ref refs/remotes/b/main "$good" || echo "$good" >a.git/refs/remotes/b/main
	# Somebody fetches at this moment.
	touch a.git/shallow.lock
	status_is 4 git -C a maildir prune 2>err
	cat err
	[ ! -e a.git/shallow ]
	rm a.git/shallow.lock
	git -C a maildir prune
	[ "$(commits a)" = 1 ]
	mkdir empty
	cd empty
	status_is 3 git maildir prune
}
t 'a broken shallow file, a missing commit, a lock: told, and nothing is touched' bad_input

no_space() {
	begin
	pair a b
	apart a b
	for i in 1 2 3; do deliver a "170000100$i.a.host"; done
	together a b
	git -C a count-objects -v >before
	mkdir -p bin
	cat >bin/nice <<'END'
#!/bin/sh
echo 'fatal: write error: No space left on device' >&2
exit 128
END
	chmod +x bin/nice
	(PATH=$TRASH/bin:$PATH; status_is 6 git -C a maildir prune 2>err)
	cat err
	git -C a count-objects -v | diff before -
	sound a
	git -C a maildir prune
	[ "$(commits a)" = 1 ]
	sound a
}
t 'no space for the new pack: told, and nothing is lost' no_space

beside_a_live_member() {
	begin
	pair a b
	for i in 1 2 3; do deliver a "170000100$i.a.host"; done
	together a b
	for i in 1 2 3 4 5 6 7 8 9; do
		mkmsg a new "170000200$i.a.host"
		git -C a maildir record >/dev/null &
		[ $((i % 3)) != 0 ] || git -C a gc -q 2>/dev/null &
		git -C a maildir prune --now >/dev/null &
		git -C b maildir prune >/dev/null &
		rm -f "b/new/170000200$((i - 1)).a.host"
		git -C b maildir record >/dev/null &
		wait
	done 2>err
	settle
	grep -v -e 'another prune' -e 'move all the time' err || :
	together a b
	git -C a maildir prune --verbose >out
	cat out
	sound a b
	held=$(sed -n 's/.*at most \([0-9]*\)\..* ms/\1/p' out)
	[ "$held" -le 100 ]
}
t 'beside records, pushes, syncs and git gc nothing is lost' beside_a_live_member

killed() {
	begin
	pair a b
	apart a b
	for i in 1 2 3; do
		deliver a "170000100$i.a.host"
		rm "a/new/170000100$i.a.host"
		git -C a maildir record --no-push
	done
	together a b
	deliver b 1700002001.b.host
	mkdir aside
	cp -a a.git aside/
	calls=rename,link,unlink,mkdir,rmdir,write,fsync
	(cd a && strace -y -o ../trace -e "trace=$calls" git-maildir prune --now >/dev/null)
	points=0
	for call in rename link unlink mkdir rmdir write fsync; do
		n=$(grep -c "^$call(.*) = [0-9]" trace) || :
		k=1
		while [ "$k" -le "$n" ]; do
			rm -rf a.git
			cp -a aside/a.git .
			(cd a && strace -o /dev/null -e "trace=$call" -e "inject=$call:signal=KILL:when=$k" git-maildir prune --now >/dev/null 2>&1) || :
			points=$((points + 1))
			{
				sound a &&
				git -C a maildir sync &&
				[ -f a/new/1700002001.b.host ] &&
				git -C b maildir sync &&
				same_head a b &&
				git -C a maildir prune --now &&
				[ "$(commits a)" = 1 ] &&
				sound a &&
				[ -z "$(find a.git -name '*.lock' -o -name 'tmp_*')" ]
			} >said 2>&1 || { echo "killed at $call $k"; cat said; find a.git -name '*.lock' -o -name 'tmp_*'; return 1; }
			# Back to where b had something that a had not.
			rm -f a/new/1700002001.b.host
			k=$((k + 1))
		done
	done
	echo "$points" >"$TRASH/points"
	[ "$points" -ge 30 ]
}
if command -v strace >/dev/null && strace -o "$HOME/try" -e inject=rmdir:signal=KILL:when=9 true 2>/dev/null; then
	t 'killed at any step: the member works on, and the next prune finishes' killed
	[ ! -f points ] || echo "# killed at $(cat points) points"
else
	skip 'killed at any step: the member works on, and the next prune finishes' 'strace may not inject signals here'
fi

done_testing
