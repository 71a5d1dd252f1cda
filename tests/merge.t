#!/bin/sh
#
# merge.t -- git-merge-maildir under git merge, git pull, rebase and cherry-pick; after git's own tests of merge strategies (t7601, t7606, t7607).
. ./tests/lib.sh

K1=1700000001.M1P1.host K2=1700000002.M1P1.host K3=1700000003.M1P1.host NEW=1700000500.M5P5.host
{
	mkdir two
	pair a b
	apart a b
	cp -a a b a.git b.git two
} >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }

# begin: a has changes of its own, and knows those that b has.
begin() {
	settle
	rm -rf a b a.git b.git
	cp -a two/. .
	mv "a/cur/$K2:2,S" "a/cur/$K2:2,RS"
	mv "b/cur/$K2:2,S" "b/cur/$K2:2,FS"
	rm "b/cur/$K3:2,FS"
	mkmsg b new "$NEW" 'From b' 1200000000
	mkmsg a/.Work new 1700000501.M5P5.host 'From a'
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
}
merged() {
	[ "$(git -C a rev-list --no-walk --parents HEAD | wc -w)" = 3 ]
	[ ! -e a.git/MERGE_HEAD ]
	[ -z "$(git -C a ls-files -u)" ]
	[ -f "a/cur/$K2:2,FRS" ] && [ -f "a/new/$NEW" ] && [ ! -e "a/cur/$K3:2,FS" ] && [ -f a/.Work/new/1700000501.M5P5.host ]
	[ "$(find a/cur -name "$K2*" | wc -l)" = 1 ]
	[ "$(stat -c '%Y %a' "a/new/$NEW")" = '1200000000 600' ]
	[ "$(find a -type d -name tmp | wc -l)" = 2 ]
	clean a
	git -C a maildir verify
}

by_name() {
	begin
	inode=$(stat -c %i "a/cur/$K2:2,RS")
	git -C a merge -s maildir -m 'By hand' b/main
	merged
	[ "$(stat -c %i "a/cur/$K2:2,FRS")" = "$inode" ]
	[ "$(git -C a log -1 --format=%s)" = 'By hand' ]
}
t 'git merge -s maildir' by_name

by_config() {
	begin
	git -C a merge --no-edit b/main >out
	cat out
	grep -q "Merge made by the 'maildir' strategy" out
	merged
}
t 'plain git merge, by pull.twohead' by_config

by_pull() {
	begin
	git -C a pull -q --no-edit b main
	merged
}
t 'git pull' by_pull

with_options() {
	begin
	git -C a merge -s maildir -X ours -X find-renames=50% -X whatever --no-edit b/main
	merged
}
t '-X options are taken and change nothing' with_options

no_commit() {
	begin
	git -C a merge --no-commit b/main
	[ -e a.git/MERGE_HEAD ]
	[ -f "a/cur/$K2:2,FRS" ]
	git -C a commit -q --no-edit
	merged
}
t 'git merge --no-commit, then git commit' no_commit

squash() {
	begin
	# merge.ff=false and --squash exclude each other, says git.
	git -C a merge --squash --ff b/main
	[ -f "a/cur/$K2:2,FRS" ] && [ -f "a/new/$NEW" ]
	git -C a commit -qm Squashed
	clean a
	git -C a maildir verify
}
t 'git merge --squash' squash

up_to_date() {
	begin
	git -C a merge -q --no-edit b/main
	head=$(git -C a rev-parse HEAD)
	git -C a merge b/main >out
	grep -q 'Already up to date' out
	git -C a merge -s maildir b/main
	[ "$(git -C a rev-parse HEAD)" = "$head" ]
	clean a
}
t 'what is merged already' up_to_date

forward() {
	begin
	git -C a merge -q --no-edit b/main
	git -C b fetch -q a
	inode=$(stat -c %i "b/cur/$K2:2,FS")
	# merge.ff=false: not by git's own checkout.
	git -C b merge -q --no-edit a/main
	[ "$(stat -c %i "b/cur/$K2:2,FRS")" = "$inode" ]
	same_mail a b
	clean b
	git -C b maildir verify
	# A person who insists gets git's checkout, and what that breaks is put right.
	begin
	git -C b fetch -q a
	git -C b merge -q --no-edit a/main
	git -C a fetch -q b
	(umask 022; git -C a merge -q --ff-only b/main)
	same_mail a b
	same_head a b
	clean a
	git -C a maildir verify
}
t 'fast-forward, also by git itself' forward

# What must be as it was after a refusal. MERGE_HEAD is git's.
state() {
	files_of a
	git -C a for-each-ref
	git -C a ls-files -s
}
octopus() {
	begin
	git -C a branch other b/main~0
	git -C a update-ref refs/heads/third "$(git -C a commit-tree -p HEAD~1 -m third 'HEAD~1^{tree}')"
	state >before
	status_is 1 git -C a merge -s maildir -m octopus b/main third >out 2>&1
	cat out
	grep -q 'more than two heads cannot be merged at once' out
	state | diff before -
	git -C a merge --abort || rm -f a.git/MERGE_*
	state | diff before -
	# git's own octopus would write into cur/ by itself.
	not git -C a merge -m octopus b/main third
	state | diff before -
}
t 'an octopus is refused, and nothing is touched' octopus

exit_statuses() {
	begin
	state >before
	for args in '' '--' 'x' '-- HEAD' '-- HEAD b/main third' 'HEAD -- HEAD nowhere' 'nowhere -- HEAD b/main' '-- nowhere b/main' '--x -- HEAD' \
		"$(git -C a rev-parse HEAD:cur) -- HEAD b/main" '-- HEAD HEAD:cur'; do
		# shellcheck disable=SC2086 # a list
		(cd a && status_is 1 git-merge-maildir $args) 2>err || { echo "with '$args'"; cat err; return 1; }
		[ "$(wc -l <err)" = 1 ] || { echo "with '$args':"; cat err; return 1; }
	done
	state | diff before -
	(cd "$HOME" && GIT_CEILING_DIRECTORIES=$TRASH status_is 1 git-merge-maildir HEAD -- HEAD HEAD)
	(cd a.git && status_is 1 git --bare merge-maildir HEAD -- HEAD HEAD) || :
	git init -q --bare bare.git
	(cd bare.git && status_is 1 git-merge-maildir -- HEAD HEAD)
	# The folder that lost its cur/, the lock that somebody holds.
	mv a/.Work/cur aside
	(cd a && status_is 1 git-merge-maildir HEAD~1 -- HEAD b/main) 2>err
	grep -q 'has lost a directory' err
	mv aside a/.Work/cur
	git -C a config maildir.lockWait 0
	flock a.git/maildir/lock sh -c 'cd a && git-merge-maildir HEAD~1 -- HEAD b/main' 2>err && return 1
	cat err
	git -C a config --unset maildir.lockWait
	state | diff before -
	git -C a merge -q --no-edit b/main
	merged
}
t 'the strategy ends with 0 or 1 and one line, whatever it is called with' exit_statuses

unrecorded() {
	begin
	# The mail server was at work since the record: a delivery under a name that comes, another flag, a deletion, more mail.
	mkmsg a new "$NEW" 'Another, from a'
	mv "a/cur/$K2:2,RS" "a/cur/$K2:2,DRS"
	mkmsg a cur 1700000502.M5P5.host:2,S 'Appended' 1111111111
	git -C a merge -q --no-edit b/main
	cat a/new/* a/cur/* >all
	grep -q 'Subject: Another, from a' all
	grep -q 'Subject: From b' all
	[ -f "a/cur/$K2:2,DFRS" ]
	[ "$(stat -c %Y a/cur/1700000502.M5P5.host:2,S)" = 1111111111 ]
	git -C a maildir record
	[ -f "a/cur/$K2:2,DFRS" ]
	grep -q '^date 1111111111' a/.gitmaildir
	clean a
	git -C a maildir verify
	git -C b maildir sync
	same_mail a b
	same_head a b
}
t 'what the mail server did meanwhile is neither overwritten nor forgotten' unrecorded

checkout_keeps_dates() {
	begin
	mkmsg a cur 1700000502.M5P5.host:2,S 'Appended' 1111111111
	git -C a checkout -q -- "cur/1700000004.M1P1.host:2,S" || return 1
	rm "a/cur/1700000004.M1P1.host:2,S"
	git -C a checkout -q HEAD -- cur
	git -C a checkout -q main
	[ "$(stat -c %Y a/cur/1700000502.M5P5.host:2,S)" = 1111111111 ]
	[ "$(stat -c '%Y %a' a/cur/1700000004.M1P1.host:2,S)" = '1107569105 600' ]
}
t "after git checkout dates and modes are right again, those that are not recorded yet stay" checkout_keeps_dates

criss_cross() {
	begin
	git -C b fetch -q a
	git -C a merge -qm 'On a' b/main
	git -C b merge -qm 'On b' a/main
	rm "a/new/$NEW"
	mv "b/new/$NEW" "b/cur/$NEW:2,S"
	mv "a/cur/$K2:2,FRS" "a/cur/$K2:2,S"
	mv "b/cur/$K2:2,FRS" "b/cur/$K2:2,DFRS"
	git -C a maildir record
	git -C b maildir record
	git -C a fetch -q b
	[ "$(git -C a merge-base --all HEAD b/main | wc -l)" = 2 ]
	git -C a merge -q --no-edit b/main
	[ -f "a/cur/$K2:2,DS" ]
	[ -z "$(find a -name "$NEW*")" ]
	clean a
}
t 'criss-cross: the bases are merged first' criss_cross

unrelated() {
	rm -rf u v u.git v.git
	some_mail u
	some_mail v
	mv "v/cur/$K2:2,S" "v/cur/$K2:2,RS"
	rm "v/cur/$K3:2,FS"
	mkmsg v new "$NEW"
	member u v
	git -C u fetch -q "$TRASH/v.git" main
	not git -C u merge --no-edit FETCH_HEAD
	git -C u merge --allow-unrelated-histories --no-edit FETCH_HEAD
	[ -f "u/cur/$K2:2,RS" ] && [ -f "u/cur/$K3:2,FS" ] && [ -f "u/new/$NEW" ] && [ -f "u/new/$K1" ]
	[ "$(find u -path '*/[cn]*/17*' | wc -l)" = 6 ]
	clean u
	git -C u maildir verify
}
t '--allow-unrelated-histories: nothing is lost, nothing doubled' unrelated

both_ways() {
	begin
	git -C b fetch -q a
	git -C a merge -q --no-edit b/main
	git -C b merge -q --no-edit a/main
	[ "$(git -C a rev-parse 'HEAD^{tree}')" = "$(git -C b rev-parse 'HEAD^{tree}')" ]
	same_mail a b
}
t 'merge(A,B) and merge(B,A) are the same tree' both_ways

# stock DIR: a work tree as anybody makes it, with nothing of ours but the driver.
stock() {
	rm -rf "$1"
	git clone -q "$TRASH/a.git" "$1" 2>/dev/null
	git -C "$1" config merge.maildir.driver 'merge-maildir %O %A %B %P'
	git -C "$1" config core.quotePath false
}
driver() {
	begin
	stock s
	printf 'A\nB\nC\n' >s/subscriptions
	git -C s add -A
	git -C s commit -qm base
	git -C s checkout -qb topic
	printf 'A\nC\nD\n' >s/subscriptions
	git -C s commit -qam topic
	git -C s checkout -q main
	printf 'A\nB\nC\nE\n' >s/subscriptions
	git -C s commit -qam main
	git -C s branch kept
	for how in 'merge -q -s ort --no-edit topic' 'cherry-pick --strategy=ort topic' 'rebase -q -s ort topic'; do
		git -C s reset -q --hard kept
		# shellcheck disable=SC2086 # a command line
		git -C s $how >out 2>&1 || { echo "$how"; cat out; return 1; }
		[ "$(sort s/subscriptions | tr -d '\n')" = ACDE ] || { echo "$how"; cat s/subscriptions; return 1; }
		[ -z "$(git -C s status --porcelain)" ]
	done
	# The marker of a folder: each side has dated messages of its own.
	git -C s checkout -q main
	git -C s reset -q --hard kept
	git -C s checkout -q topic
	echo 'date 1300000000 1700000600.M1.host' >>s/.gitmaildir
	git -C s commit -qam 'topic dates'
	git -C s checkout -q main
	echo 'date 1300000001 1700000601.M1.host' >>s/.gitmaildir
	git -C s commit -qam 'main dates'
	git -C s merge -q -s ort --no-edit topic
	[ "$(grep -c '^date 130000000' s/.gitmaildir)" = 2 ]
	not grep -q '<<<<' s/.gitmaildir
	# Text that two changed in different ways is a conflict for a person, in a work tree that is no member's.
	merge-maildir -h
	printf 'a\n' >O
	printf 'b\n' >A
	printf 'c\n' >B
	status_is 1 merge-maildir O A B notes
	status_is 1 merge-maildir O A
	status_is 1 merge-maildir O A nowhere notes
	printf 'a\nx\ny\nz\n' >O
	printf 'b\nx\ny\nz\n' >A
	printf 'a\nx\ny\nc\n' >B
	status_is 0 merge-maildir O A B notes
	[ "$(tr -d '\n' <A)" = bxyc ]
}
t 'the driver: single files under stock merge, cherry-pick and rebase' driver

picks() {
	begin
	git -C a cherry-pick b/main
	[ -f "a/cur/$K2:2,FRS" ] && [ -f "a/new/$NEW" ] && [ ! -e "a/cur/$K3:2,FS" ]
	clean a
	git -C a maildir verify
	[ "$(git -C a rev-list --merges --count HEAD)" = 0 ]
	begin
	stock s
	git -C s config pull.twohead maildir
	git -C s fetch -q "$TRASH/b.git" main
	git -C s rebase -q FETCH_HEAD
	[ -f "s/cur/$K2:2,FRS" ] && [ -f "s/new/$NEW" ] && [ ! -e "s/cur/$K3:2,FS" ]
	[ -z "$(git -C s status --porcelain)" ]
}
t 'cherry-pick in a member, and rebase elsewhere, by the strategy' picks

half_merged() {
	begin
	# Staged by hand, then a merge: what is staged is neither lost nor in the way.
	mv a/.Work/new/1700000501.M5P5.host a/.Work/cur/1700000501.M5P5.host:2,S
	git -C a add -A
	git -C a merge -q --no-edit b/main
	[ -f a/.Work/cur/1700000501.M5P5.host:2,S ] && [ -f "a/cur/$K2:2,FRS" ]
	git -C a maildir record
	clean a
	git -C a ls-files | grep -qxF '.Work/cur/1700000501.M5P5.host:2,S'
	not git -C a ls-files --error-unmatch .Work/new/1700000501.M5P5.host
}
t 'staged changes survive a merge' half_merged

after_that() {
	begin
	git -C a merge -qm 'By hand' b/main
	git -C a maildir sync
	settle
	git -C b maildir sync
	settle
	same_mail a b
	same_head a b
	[ "$(git -C b log -1 --format=%s)" = 'By hand' ]
	clean a b
}
t 'a merge made by hand is a change like any other' after_that

# Must be fast enough, and exactly what is asked for: 20,000 messages, 2,000 flagged on each side, 1,000 of them the same.
twenty_thousand() {
	settle
	rm -rf x y x.git y.git
	mkmaildir x
	python3 - <<'EOF'
import os
os.umask(0o077)
for i in range(20000):
    name = f"x/cur/{1700000000 + i}.M{i}P1.host:2,S"
    with open(name, "w") as f:
        f.write(f"Subject: {i}\n\n{i}\n")
    os.utime(name, (0, 1700000000 + i))
EOF
	member x
	join y x
	apart x y
	python3 - <<'EOF'
import os
for m, flag, first in (("x", "FS", 0), ("y", "RS", 1000)):
    for i in range(first, first + 2000):
        name = f"{m}/cur/{1700000000 + i}.M{i}P1.host:2,"
        os.rename(name + "S", name + flag)
EOF
	git -C x maildir record
	git -C y maildir record
	git clone -q --no-checkout x.git stock
	git -C stock fetch -q "$TRASH/y.git" main
	git -C stock merge-tree --write-tree HEAD FETCH_HEAD >out || :
	[ "$(grep -c 'CONFLICT (rename/rename)' out)" = 1000 ]
	rm -rf stock
	cp -a x x.git y y.git flagged
	git -C x fetch -q y
	git -C x merge -q --no-edit y/main
	counts x
	clean x
}
counts() {
	[ "$(find "$1/cur" -type f | wc -l)" = 20000 ]
	[ "$(find "$1/cur" -name '*:2,FRS' | wc -l)" = 1000 ]
	[ "$(find "$1/cur" -name '*:2,FS' | wc -l)" = 1000 ]
	[ "$(find "$1/cur" -name '*:2,RS' | wc -l)" = 1000 ]
}
mkdir flagged
t '20,000 messages, 1,000 flagged differently on both: stock git has 1,000 conflicts, plain git merge with us has none' twenty_thousand

twenty_thousand_synced() {
	rm -rf x x.git y y.git
	cp -a flagged/. .
	git -C x maildir sync
	settle
	git -C y maildir sync
	settle
	counts x
	counts y
	same_head x y
	clean x y
}
t '... and git maildir sync brings both Maildirs there' twenty_thousand_synced

done_testing
