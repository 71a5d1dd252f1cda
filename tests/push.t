#!/bin/sh
#
# push.t -- what may be pushed into a member, and what it does with it.
. ./tests/lib.sh

K2=1700000002.M1P1.host NEW=1700000500.M5P5.host
{
	mkdir two
	pair a b
	apart a b
	cp -a a b a.git b.git two
} >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }

begin() {
	settle
	rm -rf a b a.git b.git
	cp -a two/. .
}
# refused WHY COMMAND...: git push fails, with this reason, and nothing is changed at b.
refused() {
	why=$1
	shift
	{ files_of b; git -C b for-each-ref; } >before
	not "$@" >said 2>&1
	grep -q "$why" said || { cat said; return 1; }
	{ files_of b; git -C b for-each-ref; } | diff before -
}
# commit_of TREE: a commit of this tree on top of HEAD of a.
commit_of() {
	git -C a commit-tree -p HEAD -m pushed "$1"
}
# tree_with MODE TYPE ID PATH: the tree of HEAD of a with one entry more in its cur/. (update-index would refuse the names.)
tree_with() {
	cur=$({ git -C a ls-tree -z HEAD:cur; printf '%s %s %s\t%s\0' "$1" "$2" "$3" "$4"; } | git -C a mktree -z)
	{ git -C a ls-tree HEAD | grep -v '	cur$'; printf '040000 tree %s\tcur\n' "$cur"; } | git -C a mktree
}
to_a="+HEAD:refs/remotes/a/main"

by_git_push() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record >/dev/null
	# "git push <peer>" by hand does the right thing.
	git -C a push -q b
	soon same_mail a b
	settle
	same_head a b
	[ "$(git -C b rev-parse a/main)" = "$(git -C a rev-parse HEAD)" ]
	clean b
	mv "a/new/$NEW" "a/cur/$NEW:2,S"
	git -C a maildir record >/dev/null
	git -C a maildir push
	soon same_mail a b
	settle
	git -C a maildir push >out
	[ ! -s out ] || cat out
}
t 'a push into refs/remotes/<me>/<branch> is merged and applied' by_git_push

with_mail_there() {
	begin
	mkmsg a new "$NEW"
	mv "a/cur/$K2:2,S" "a/cur/$K2:2,RS"
	git -C a maildir record >/dev/null
	mv "b/cur/$K2:2,S" "b/cur/$K2:2,FS"
	mkmsg b cur 1700000600.B.host:2,S 'Appended' 1111111111
	git -C a push -q b
	settle
	[ -f "b/cur/$K2:2,FRS" ] && [ -f "b/new/$NEW" ]
	[ "$(stat -c %Y b/cur/1700000600.B.host:2,S)" = 1111111111 ]
	clean b
	git -C b maildir verify
}
t 'changes there that were not recorded yet are recorded and merged' with_mail_there

# A peer that lost its disk and was made anew does not have what it pushed before.
made_anew() {
	begin
	mv b.git/hooks/post-receive post-receive
	mkmsg a new "$NEW"
	git -C a maildir record --no-push >/dev/null
	git -C a push -q b
	[ ! -e "b/new/$NEW" ]
	rm "a/new/$NEW"
	git -C a update-ref refs/heads/main HEAD^
	git -C a read-tree HEAD
}
anew_pushes() {
	made_anew
	not git -C a push b "$to_a" 2>said
	grep -q 'refs/remotes/a/main.* is not merged yet' said || { cat said; return 1; }
	soon [ -f "b/new/$NEW" ]
	settle
	mv post-receive b.git/hooks/
	git -C a push -q b "$to_a"
	settle
	git -C a maildir sync
	[ -f "a/new/$NEW" ]
	settle
	same_mail a b
}
t 'a peer that was made anew does not take away what it had pushed and nobody has merged so far' anew_pushes

anew_fetched() {
	made_anew
	git -C b maildir sync
	[ -f "b/new/$NEW" ]
	settle
	soon same_mail a b
}
t 'nor does a fetch from it' anew_fetched

to_the_branch() {
	begin
	mkmsg a new "$NEW" 'To the branch' 1222222222
	mv "a/cur/$K2:2,S" "a/cur/$K2:2,RS"
	rm a/.Work/cur/*
	git -C a maildir record >/dev/null
	inode=$(stat -c %i "b/cur/$K2:2,S")
	git -C a push -q b HEAD:refs/heads/main
	same_head a b
	settle
	same_mail a b
	same_head a b
	# Not by git's checkout.
	[ "$(stat -c %i "b/cur/$K2:2,RS")" = "$inode" ]
	[ "$(stat -c '%Y %a' "b/new/$NEW")" = '1222222222 600' ]
	clean b
	git -C b maildir verify
}
t 'a push to the checked-out branch itself is applied safely' to_the_branch

to_the_branch_with_mail_there() {
	begin
	mkmsg a new "$NEW"
	mv "a/cur/$K2:2,S" "a/cur/$K2:2,RS"
	git -C a maildir record >/dev/null
	mv "b/cur/$K2:2,S" "b/cur/$K2:2,FS"
	mkmsg b cur 1700000600.B.host:2,S 'Appended' 1111111111
	mkmsg b new "$NEW" 'Other content, same name'
	rm b/.Work/cur/*
	git -C a push -q b HEAD:main
	settle
	[ -f "b/cur/$K2:2,FRS" ]
	[ "$(cat b/new/* | grep -c '^Subject: Other content, same name\|^Subject: 1700000500')" = 2 ]
	[ -z "$(find b/.Work/cur -type f)" ]
	[ "$(stat -c %Y b/cur/1700000600.B.host:2,S)" = 1111111111 ]
	clean b
	git -C b maildir verify
	git -C a maildir sync
	settle
	same_mail a b
	same_head a b
}
t '... also when there is mail that is not recorded' to_the_branch_with_mail_there

not_forward() {
	begin
	mkmsg a new "$NEW"
	mkmsg b new 1700000600.B.host
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	refused 'fetch first\|non-fast-forward' git -C a push b HEAD:main
	refused 'fetch and merge first' git -C a push b +HEAD:main
	refused 'may not be deleted\|deletion of the current branch' git -C a push b :main
	refused 'may not be deleted' git -C a push b :refs/remotes/a/main
}
t 'a push to the branch that is no fast-forward is refused, forced or not; so is a deletion' not_forward

broken_store() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record >/dev/null
	mv b/.Work/cur aside
	refused 'has lost a directory' git -C a push b HEAD:main
	mv aside b/.Work/cur
	git -C a push -q b HEAD:main
	settle
	same_mail a b
	clean b
}
t 'a push to the branch of a member whose folder is broken is refused' broken_store

foreign_refs() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record >/dev/null
	refused "does not know 'stranger'" git -C a push b +HEAD:refs/remotes/stranger/main
	refused "is not the state of a peer on branch 'main'" git -C a push b +HEAD:refs/remotes/a/other
	refused 'may not be written from elsewhere' git -C a push b HEAD:refs/maildir/name/evil
	refused 'may not be written from elsewhere' git -C a push b HEAD:refs/notes/commits
	# The owner's own.
	git -C a push -q b HEAD:refs/heads/kept
	git -C a tag kept
	git -C a push -q b kept:refs/tags/kept
	git -C b rev-parse kept
	settle
	# A key that is bound to one peer.
	GIT_MAILDIR_PEER=other
	export GIT_MAILDIR_PEER
	refused "peer 'other' may not write the state of 'a'" git -C a push b "$to_a"
	refused "peer 'other' may not write 'refs/heads/main'" git -C a push b HEAD:main
	refused 'may not be written from elsewhere' git -C a push b HEAD:refs/heads/more
	GIT_MAILDIR_PEER=a
	git -C a push -q b "$to_a"
	settle
	same_mail a b
}
t 'refs that are not the pusher'\''s to write are refused' foreign_refs

watched() {
	begin
	mkmsg a new "$NEW"
	git -C a maildir record
	# Whoever holds this lock is a watch to the others.
	python3 -c 'import fcntl, subprocess
f = open("b.git/maildir/watch", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
subprocess.run(["git", "-C", "a", "maildir", "push"], check=True)'
	settle
	[ "$(git -C b rev-parse refs/remotes/a/main)" = "$(git -C a rev-parse HEAD)" ]
	[ ! -e "b/new/$NEW" ]
	git -C b maildir sync
	settle
	same_mail a b
}
t 'while a watch is there a push leaves the merge to it' watched

unknown_peer() {
	begin
	git -C b maildir peer remove a
	[ -z "$(git -C b maildir peer list)" ]
	[ -z "$(git -C b for-each-ref refs/remotes)" ]
	mkmsg a new "$NEW"
	status_is 1 git -C a maildir sync 2>err
	cat err
	grep -q "'b'" err
	grep -q "git maildir peer add a" err
	settle
	[ ! -e "b/new/$NEW" ]
	status_is 1 git -C a maildir push
	git -C b maildir peer add a "$TRASH/a.git"
	git -C a maildir push
	settle
	same_mail a b
}
t 'a member that does not know the pusher refuses, and says what to do' unknown_peer

peers() {
	begin
	git -C a maildir peer list >out
	[ "$(cut -f1-2 out)" = "b	$TRASH/b.git" ]
	status_is 8 git -C a maildir peer add wrong "$TRASH/b.git" 2>err
	grep -q "calls itself 'b', not 'wrong'" err
	status_is 1 git -C a maildir peer add c "$TRASH/c.git" 2>err
	[ "$(wc -l <err)" = 1 ]
	git init -q --bare plain.git
	status_is 3 git -C a maildir peer add c "$TRASH/plain.git" 2>err
	grep -q "run 'git maildir init' there first" err
	not git -C a maildir peer add a "$TRASH/b.git" 2>err
	grep -q 'is this member itself' err
	not git -C a maildir peer remove nobody 2>err
	grep -q nobody err
	git -C a maildir peer add b "$TRASH/b.git"
	# A remote that is no member is left alone.
	git -C a remote add backup "$TRASH/plain.git"
	git -C a config remote.backup.maildirPeer false
	[ "$(git -C a maildir peer list | cut -f1)" = b ]
	mkmsg a new "$NEW"
	git -C a maildir sync
	settle
	[ -z "$(git --git-dir=plain.git for-each-ref)" ]
	some_mail d
	(cd d && git init -q -b trunk)
	git maildir init --name=d d
	status_is 8 git -C a maildir peer add d "$TRASH/d.git" 2>err
	grep -q "is on branch 'trunk', this one on 'main'" err
	status_is 2 git -C a maildir peer
	status_is 2 git -C a maildir peer add x
}
t 'peer add, list and remove; who is not what was expected is told at once' peers

unsafe_trees() {
	begin
	blob=$(echo /etc/passwd | git -C a hash-object -w --stdin)
	head=$(git -C a rev-parse HEAD)
	control=$(printf '1700000001.\033[2J')
	newline=$(printf '1700000001.a\nb')
	for bad in "$(tree_with 120000 blob "$blob" 1700000001.link)" "$(tree_with 160000 commit "$head" 1700000001.sub)" \
		"$(tree_with 100644 blob "$blob" "$control")" "$(tree_with 100644 blob "$blob" "$newline")"; do
		bad=$(commit_of "$bad")
		refused 'update hook declined\|hook declined' git -C a push b "+$bad:refs/remotes/a/main"
		refused 'update hook declined\|hook declined' git -C a push b "$bad:refs/heads/main"
	done
	# mktree will not make these; a peer that wants to can.
	for name in .. . .git .GIT 'git~1'; do
		tree=$(python3 -c 'import sys
sys.stdout.buffer.write(b"100644 " + sys.argv[1].encode() + b"\0" + bytes.fromhex(sys.argv[2]))' "$name" "$blob" |
			git -C a hash-object -w -t tree --literally --stdin)
		bad=$(commit_of "$tree")
		refused . git -C a push b "+$bad:refs/remotes/a/main"
		# A member that does not check what it receives does not apply it either.
		git -C b config receive.fsckObjects false
		refused . git -C a push b "+$bad:refs/remotes/a/main"
		git -C b config receive.fsckObjects true
	done
	# What was refused by the hook was received; nothing refers to it.
	git -C b prune
	clean b
}
t 'trees that must not reach a disk are refused' unsafe_trees

# git removes a directory of objects that is empty while another git moves objects there. Here something else stands in the way, once.
packed_meanwhile() {
	begin
	cat >b.git/hooks/pre-receive <<-'END'
		#!/bin/sh
		cd "$(git rev-parse --git-common-dir)/objects" || exit 1
		for n in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
			for k in 0 1 2 3 4 5 6 7 8 9 a b c d e f; do
				if [ -f ../tried ]; then rm -f "$n$k" 2>/dev/null; else [ -d "$n$k" ] || : >"$n$k"; fi
			done
		done
		echo tried >>../tried
		exit 0
	END
	chmod 755 b.git/hooks/pre-receive
	mkmsg a new "$NEW"
	git -C a maildir record --no-push
	git -C a maildir push
	[ "$(wc -l <b.git/tried)" = 2 ]
	rm b.git/hooks/pre-receive
	[ "$(git -C b rev-parse refs/remotes/a/main)" = "$(git -C a rev-parse HEAD)" ]
}
t 'a peer that packs its objects at this moment gets the mail a moment later' packed_meanwhile

odd_trees() {
	begin
	# Two files with one key, an empty message, a name of 255 bytes, a file where a folder is: odd, but mail.
	blob=$(git -C a hash-object -w --stdin </dev/null)
	long="1700000001.$(printf '%0239d' 7):2,FS"
	tree=$(tree_with 100644 blob "$blob" "$long")
	git -C a read-tree "$tree"
	git -C a update-index --add --cacheinfo "100644,$blob,cur/$K2:2,RS"
	git -C a update-index --add --cacheinfo "100644,$blob,.Work/cur/1700000009.file"
	odd=$(commit_of "$(git -C a write-tree)")
	git -C a read-tree HEAD
	git -C a push -q b "+$odd:refs/remotes/a/main"
	settle
	[ -f "b/cur/$K2:2,RS" ] && [ -f "b/cur/$K2:2,S" ]
	[ -f "b/cur/$long" ]
	clean b
	git -C b maildir record
	[ "$(git -C b rev-parse HEAD)" = "$odd" ]
}
t 'two files with one key, an empty message, a name of 255 bytes arrive' odd_trees

done_testing
