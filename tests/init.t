#!/bin/sh
#
# init.t -- git maildir init: an existing Maildir becomes a member, and is put right again.
. ./tests/lib.sh

# What init must not change when there is nothing to repair. (The member's lock is opened each time, the
# index may be refreshed, and objects that are written again only get a new date.)
member_state() {
	files_of "$1"
	find "$1.git" -type f ! -path '*/maildir/*' ! -path '*/objects/*' ! -name index -printf '%m %i %s %T@ %p\n' | sort
	cat "$1.git/config"
	(cd "$1.git/objects" && find . -type f | sort)
	git -C "$1" rev-parse HEAD
	git -C "$1" for-each-ref
	git -C "$1" ls-files -s | sha1sum
}

turns_a_maildir_into_a_member() {
	some_mail plain
	mail_list plain >before
	git maildir init --name=mx1 plain >out
	cat out
	grep -qF "'$TRASH/plain' is member 'mx1', repository '$TRASH/plain.git'" out
	mail_list plain | diff before -
	[ -f plain/.git ]
	[ "$(git -C plain rev-parse --absolute-git-dir)" = "$TRASH/plain.git" ]
	[ "$(git -C plain config maildir.name)" = mx1 ]
	[ "$(git -C plain config pull.twohead)" = maildir ]
	printf "%s\n" "* -text merge=maildir" "dovecot-uidlist filter=maildir" "dovecot-keywords filter=maildir" | diff - plain/.gitattributes
	[ "$(git -C plain rev-list --count HEAD)" = 1 ]
	[ "$(git -C plain ls-files | grep -c '/[0-9][^/]*$')" = 5 ]
	[ "$(stat -c %a plain.git)" = 700 ]
	clean plain
	git -C plain maildir verify
}
t 'init turns a Maildir++ into a member, its repository beside it' turns_a_maildir_into_a_member

the_current_directory() {
	some_mail here
	(cd here && git maildir init)
	[ -f here/.git ] && [ -d here.git ]
	# Without --name the host's own is taken.
	[ "$(git -C here config maildir.name)" = "$(uname -n | sed 's/\..*//')" ]
	clean here
}
t 'without arguments it is about the current directory, and takes the name of the host' the_current_directory

fs_layout() {
	mkmaildir fs/INBOX fs/Work fs/Work/Projects fs/Empty
	mkmsg fs/INBOX new 1700000001.M1P1.host
	mkmsg fs/Work cur 1700000002.M1P1.host:2,S
	mkmsg fs/Work/Projects cur 1700000003.M1P1.host:2,RS
	printf 'Work\nWork/Projects\n' >fs/subscriptions
	git maildir init --name=fs fs
	git -C fs ls-files | grep -v 'gitmaildir$\|gitattributes$' >have
	printf '%s\n' INBOX/new/1700000001.M1P1.host Work/Projects/cur/1700000003.M1P1.host:2,RS \
		Work/cur/1700000002.M1P1.host:2,S subscriptions | diff - have
	[ "$(git -C fs ls-files | grep -c 'gitmaildir$')" = 4 ]
	clean fs
	git -C fs maildir verify
}
t 'a tree of Maildirs (A/B/cur) becomes a member as well' fs_layout

not_a_maildir() {
	mkdir -p empty other/a/b
	echo x >other/a/b/c
	status_is 3 git maildir init empty 2>err
	grep -q "'$TRASH/empty' is not a Maildir" err
	[ "$(wc -l <err)" = 1 ]
	status_is 3 git maildir init other 2>err
	status_is 3 git maildir init nowhere 2>err
	grep -q "cannot find 'nowhere'" err
	echo x >file
	not git maildir init file
	[ ! -e empty.git ] && [ ! -e other.git ] && [ ! -e nowhere ] && [ ! -e empty/.git ]
	status_is 2 git maildir init a b
	status_is 2 git maildir init --no-such-option
}
t 'what is not a Maildir is refused, and nothing is left of the attempt' not_a_maildir

names() {
	some_mail named
	for bad in '' . .. -x .x a/b 'a b' x.lock "$(printf '%065d' 1)"; do
		status_is 2 git maildir init --name="$bad" named
	done
	[ ! -e named.git ]
	git maildir init --name=mx-1.example_org named
	[ "$(git -C named config maildir.name)" = mx-1.example_org ]
	[ "$(git -C named for-each-ref --format='%(refname)' refs/maildir/)" = refs/maildir/name/mx-1.example_org ]
}
t 'a name that cannot be a member name is refused, an ordinary one published' names

elsewhere() {
	some_mail far
	mkdir -p repos
	git maildir init --name=far --git-dir=repos/far.git far
	[ "$(git -C far rev-parse --absolute-git-dir)" = "$TRASH/repos/far.git" ]
	[ ! -e far.git ]
	clean far
	# Again, without saying where: it is where it is.
	git maildir init far
	[ ! -e far.git ]
	some_mail near
	not git maildir init --git-dir=near/repo near 2>err
	grep -q "cannot be inside the Maildir" err
	not git maildir init --git-dir=near near
	[ ! -e near/repo ] && [ ! -e near/.git ]
	mkdir near.git
	echo mine >near.git/file
	not git maildir init near 2>err
	grep -q "'$TRASH/near.git' exists and is not the repository of '$TRASH/near': use --git-dir" err
	[ "$(cat near.git/file)" = mine ] && [ ! -e near/.git ]
}
t '--git-dir puts the repository elsewhere, but never into the Maildir nor over something else' elsewhere

git_inside_is_moved_out() {
	some_mail inplace
	(cd inplace && git init -q && git add -A && git commit -qm 'By hand')
	old=$(git -C inplace rev-parse HEAD)
	[ -d inplace/.git ]
	mail_list inplace >before
	git maildir init --name=inplace inplace
	[ -f inplace/.git ] && [ -d inplace.git ]
	mail_list inplace | diff before -
	git -C inplace merge-base --is-ancestor "$old" HEAD
	clean inplace
	git -C inplace maildir verify
}
t "a repository in the Maildir is moved out, and its history kept" git_inside_is_moved_out

inside_another_repository() {
	git init -q outer
	echo x >outer/file
	git -C outer add file
	git -C outer commit -qm outer
	some_mail outer/mail
	(cd outer && git maildir init --name=inner mail)
	[ "$(git -C outer/mail rev-parse --absolute-git-dir)" = "$TRASH/outer/mail.git" ]
	[ "$(git -C outer config pull.twohead || :)" = '' ]
	[ "$(git -C outer log --format=%s)" = outer ]
	clean outer/mail
	some_mail second
	(GIT_DIR=$TRASH/outer/.git && export GIT_DIR && git maildir init --name=second second)
	[ "$(git -C second rev-parse --absolute-git-dir)" = "$TRASH/second.git" ]
	# A repository is no Maildir, whatever is in it.
	mkdir -p bare.git/cur bare.git/new bare.git/tmp
	git init -q --bare bare.git
	not git maildir init bare.git
	not git maildir init second.git
}
t 'another repository around the Maildir, or in GIT_DIR, is left alone' inside_another_repository

again_changes_nothing() {
	some_mail again
	git maildir init --name=again again
	member_state again >before
	sleep 0.02
	git maildir init again
	git maildir init --name=again again
	(cd again && git maildir init)
	member_state again >after
	diff before after
	clean again
}
t 'running it again changes nothing' again_changes_nothing

again_repairs() {
	some_mail mend
	git maildir init --name=mend mend
	cp -a mend.git/hooks hooks.before
	sort mend.git/config >config.before
	head=$(git -C mend rev-parse HEAD)
	rm mend.git/hooks/post-receive
	echo 'exec git maildir hook update-of-an-older-version' >mend.git/hooks/update
	chmod -x mend.git/hooks/post-commit
	git -C mend config --unset pull.twohead
	git -C mend config merge.ff true
	git -C mend config --unset merge.maildir.driver
	rmdir mend/tmp mend/.Work/new
	: >mend.git/info/exclude
	: >mend/dovecot.index.log
	git maildir init mend
	diff -r hooks.before mend.git/hooks
	[ -x mend.git/hooks/post-commit ]
	sort mend.git/config | diff config.before -
	[ -d mend/tmp ] && [ -d mend/.Work/new ]
	[ "$(stat -c %a mend/tmp mend/.Work/new | sort -u)" = 700 ]
	[ "$(git -C mend rev-parse HEAD)" = "$head" ]
	clean mend
	git -C mend maildir verify
}
t 'running it again repairs a deleted hook, a changed setting, a missing directory' again_repairs

keeps_own_settings() {
	some_mail own
	git maildir init --name=own own
	git -C own config maildir.maxDelete 10
	git -C own config core.fsync none
	echo '*.bak' >>own.git/info/exclude
	echo '*.txt diff' >>own/.gitattributes
	git -C own maildir record
	git maildir init own
	[ "$(git -C own config maildir.maxDelete)" = 10 ]
	[ "$(git -C own config core.fsync)" = none ]
	grep -qxF '*.bak' own.git/info/exclude
	grep -qxF '*.txt diff' own/.gitattributes
	clean own
}
t "a person's own settings, ignore rules and attributes stay" keeps_own_settings

lost_cur_is_not_made() {
	some_mail lost
	git maildir init --name=lost lost
	mv lost/.Work/cur elsewhere
	head=$(git -C lost rev-parse HEAD)
	status_is 1 git maildir init lost 2>err
	grep -q "folder 'Work' has lost its 'cur' directory with 1 messages" err
	[ ! -e lost/.Work/cur ]
	[ "$(git -C lost rev-parse HEAD)" = "$head" ]
	mv elsewhere lost/.Work/cur
	git maildir init lost
	clean lost
}
t 'a cur/ that was lost with mail in it is not replaced by an empty one' lost_cur_is_not_made

own_hooks_run() {
	some_mail hooked
	(cd hooked && git init -q)
	for h in post-commit post-receive update; do
		printf '#!/bin/sh\necho "%s $*" >>"%s/ran"\n[ ! -t 0 ] && cat >>"%s/ran"\nexit 0\n' "$h" "$TRASH" "$TRASH" >hooked/.git/hooks/"$h"
		chmod +x hooked/.git/hooks/"$h"
	done
	git maildir init --name=hooked hooked
	git maildir init --name=hooked hooked
	for h in post-commit post-receive update; do
		grep -q "echo \"$h" hooked.git/hooks/"$h.local"
		grep -q 'git-maildir hook' hooked.git/hooks/"$h"
	done
	mkmsg hooked new 1700000009.M1P1.host
	git -C hooked add -A
	git -C hooked commit -qm 'By hand'
	grep -q '^post-commit' ran
	git maildir clone --name=remote "$TRASH/hooked.git" remote
	git -C hooked maildir peer add remote "$TRASH/remote.git"
	mkmsg remote new 1700000010.M1P1.host
	git -C remote maildir sync
	new=$(git -C remote rev-parse HEAD)
	grep -q "^update refs/remotes/remote/main [0-9a-f]*[ ]$new" ran
	grep -q '^post-receive' ran
	grep -q "$new refs/remotes/remote/main" ran
	settle
	same_mail hooked remote
	# A veto.
	printf '#!/bin/sh\necho "not today" >&2\nexit 1\n' >hooked.git/hooks/update.local
	mkmsg remote new 1700000011.M1P1.host
	status_is 1 git -C remote maildir sync 2>err
	cat err
	grep -q hooked err
	settle
	[ "$(git -C hooked rev-parse remote/main)" = "$new" ]
	[ ! -e hooked/new/1700000011.M1P1.host ]
	# Somebody else's hook may not be lost over a name that is taken.
	printf '#!/bin/sh\n' >hooked.git/hooks/update
	chmod +x hooked.git/hooks/update
	not git maildir init hooked 2>err
	grep -q 'cannot keep your hook' err
	[ "$(cat hooked.git/hooks/update)" = '#!/bin/sh' ]
}
t "a user's own hooks are kept, run, and can refuse" own_hooks_run

local_files_are_ignored() {
	some_mail dove
	for f in dovecot-uidvalidity.5f00aa11 dovecot.index dovecot.index.log \
		dovecot.index.cache dovecot.list.index dovecot.mailbox.log maildirsize tmp/1700000001.x dovecot-uidlist.lock; do
		echo "$f" >"dove/$f"
	done
	rm dove/dovecot-uidlist.lock
	git maildir init --name=dove dove
	git -C dove ls-files | grep -i 'dovecot\|maildirsize\|tmp' >tracked || :
	[ ! -s tracked ]
	[ -z "$(git -C dove status --porcelain)" ]
	[ -f dove/tmp/1700000001.x ]
}
t "a mail server's caches and locks are not recorded" local_files_are_ignored

odd_names_are_left_alone() {
	some_mail odd
	ln -s /etc/passwd odd/cur/1700000020.link
	mkdir odd/cur/directory
	mkfifo odd/new/1700000021.fifo
	: >odd/cur/.hidden
	: >"$(printf 'odd/cur/1700000022.\033[31m')"
	files_of odd | grep -v '^[df] ' | sort >odd.before
	git maildir init --name=odd odd
	[ "$(git -C odd rev-list --count HEAD)" = 1 ]
	git -C odd ls-files >files
	not grep -e link -e directory -e fifo -e hidden -e 170000002 files
	[ -L odd/cur/1700000020.link ] && [ -p odd/new/1700000021.fifo ] && [ -e odd/cur/.hidden ]
	status_is 1 git -C odd maildir verify >out
	grep -q 1700000020.link out
	grep -q 1700000021.fifo out
}
t 'links, pipes, directories and control bytes among the messages are left alone, and told by verify' odd_names_are_left_alone

not_a_member() {
	some_mail stock
	(cd stock && git init -q)
	for verb in record sync status verify push; do
		status_is 3 git -C stock maildir "$verb" 2>err
		grep -q 'is not a member yet' err
		[ "$(wc -l <err)" = 1 ]
	done
	mkdir -p nothing
	for verb in record sync status verify push; do
		(cd nothing && GIT_CEILING_DIRECTORIES=$TRASH status_is 3 git maildir "$verb") 2>err
		[ "$(wc -l <err)" = 1 ]
	done
	status_is 2 git maildir no-such-verb
	status_is 2 git maildir
}
t 'the other commands say what to do where there is no member' not_a_member

done_testing
