#!/bin/sh
#
# clone.t -- git maildir clone: a new member from a living one, equal in everything that a Maildir is.
. ./tests/lib.sh

the_same_mail() {
	some_mail a
	mkmaildir a/.Empty a/.Work.Sub
	printf 'Work\nEmpty\n' >a/subscriptions
	printf 'one\r\ntwo\r\n\0\377\376 no end' | mkmsg a new 1700000006.M1P1.host -
	: | mkmsg a cur 1700000007.M1P1.host:2,S -
	# A name without a time, a name with everything, and dates far from now.
	mkmsg a cur ohne.Zeit 'No time' 1234567890
	mkmsg a cur 1700000008.M1P1.host,S=100,W=104:2,DFPRSTab 'All flags' 4000000000
	mkmsg a/.Work.Sub cur 1700000009.M1P1.host:2,S 'Long ago' 86400
	member a
	git maildir clone --name=b "$TRASH/a.git" b >out
	cat out
	same_mail a b
	same_head a b
	diff a/subscriptions b/subscriptions
	clean a b
	git -C b maildir verify
	[ -d b/.Empty/cur ] && [ -d b/.Empty/new ] && [ -d b/.Empty/tmp ] && [ -d b/tmp ]
	[ "$(git -C b config maildir.name)" = b ]
	[ "$(git -C b maildir peer list | cut -f1-2)" = "a	$TRASH/a.git" ]
	grep -qF "git maildir peer add b" out
}
t 'clone gives the same folders, names, bytes and dates' the_same_mail

modes() {
	(umask 0; git maildir clone --name=modes "$TRASH/a.git" modes)
	[ "$(find modes -type d -printf '%m\n' | sort -u)" = 700 ]
	[ "$(find modes -type f \( -path '*/cur/*' -o -path '*/new/*' \) -printf '%m\n' | sort -u)" = 600 ]
	[ "$(stat -c %a modes.git)" = 700 ]
}
t 'messages have mode 0600, directories 0700, whatever the umask is' modes

nothing_is_shared() {
	mkmsg a new 1700000020.M1P1.host
	git -C a maildir record
	[ ! -e b/new/1700000020.M1P1.host ]
	# The other side was not asked to know this one.
	[ -z "$(git -C a maildir peer list)" ]
	[ ! -e b.git/objects/info/alternates ]
}
t 'clone changes nothing on the other side' nothing_is_shared

of_an_fs_layout() {
	mkmaildir fs/INBOX fs/Work/Deep fs/Empty
	mkmsg fs/INBOX new 1700000001.M1P1.host
	mkmsg fs/Work/Deep cur 1700000002.M1P1.host:2,S
	member fs
	git maildir clone --name=fs2 fs.git fs2
	same_mail fs fs2
	clean fs2
	# A relative url still leads there from inside.
	git -C fs maildir peer add fs2 ../fs2.git
	git -C fs2 maildir sync
}
t 'clone of a tree of Maildirs, by a relative url' of_an_fs_layout

into_an_empty_directory() {
	mkdir there
	git maildir clone --name=there a.git there
	same_mail a there
	mkdir full
	echo x >full/file
	not git maildir clone --name=full a.git full 2>err
	grep -q "'full' is not empty" err
	[ "$(wc -l <err)" = 1 ]
	[ "$(ls -A full)" = file ] && [ ! -e full.git ]
	some_mail mine
	files_of mine >before
	not git maildir clone --name=mine a.git mine
	files_of mine | diff before -
	[ ! -e mine.git ]
}
t 'an empty directory is taken, one that holds anything is refused untouched' into_an_empty_directory

wrong_urls() {
	status_is 1 git maildir clone --name=w "$TRASH/no/such.git" w 2>err
	cat err
	[ "$(wc -l <err)" = 1 ]
	grep -q "$TRASH/no/such.git" err
	git init -q --bare stranger.git
	status_is 3 git maildir clone --name=w stranger.git w 2>err
	cat err
	grep -q "stranger.git' is no member: run 'git maildir init' there first" err
	status_is 1 git maildir clone --name=w ssh://nobody@127.0.0.1:9/x.git w 2>err
	cat err
	[ "$(wc -l <err)" = 1 ]
	[ ! -e w ] && [ ! -e w.git ]
	status_is 2 git maildir clone a.git
	status_is 2 git maildir clone --name=-x a.git w
	not git maildir clone --name=w a.git no/such/directory/w
	[ ! -e no ]
}
t 'a url that does not lead to a member: one clear line, and nothing is left' wrong_urls

same_name() {
	not git maildir clone --name=a a.git twin 2>err
	grep -q "is called 'a' already" err
	[ ! -e twin ] && [ ! -e twin.git ]
	some_mail hosty
	git maildir init hosty
	not git maildir clone hosty.git twin 2>err
	grep -q 'use --name' err
	git maildir clone --name=twin hosty.git twin
	same_mail hosty twin
	clean twin
}
t 'two members cannot have one name' same_name

many() {
	mkmaildir "$1" "$1/.Lists"
	python3 - "$1" <<'EOF'
import os, sys
top = sys.argv[1]
for i in range(600):
    d = top + ("/cur" if i % 2 else "/.Lists/cur")
    name = f"{d}/{1700000000 + i}.M{i}P1.host:2,S"
    with open(name, "w") as f:
        f.write(f"Subject: {i}\n\n" + "text\n" * (i * 7 % 300))
    os.chmod(name, 0o600)
    os.utime(name, (0, 1600000000 + i) if i % 3 else (0, 1700000000 + i))
EOF
	git maildir init --name="$1" "$1"
}
cut_off() {
	many far
	# The other side dies half-way through sending.
	printf '#!/bin/sh\n"$@" | head -c 30000\nexit 1\n' >die
	chmod +x die
	git config --global uploadpack.packObjectsHook "$TRASH/die"
	status_is 1 git maildir clone --name=near "file://$TRASH/far.git" near 2>err
	cat err
	grep -q 'run the same command again' err
	[ "$(wc -l <err)" = 1 ]
	git config --global --unset uploadpack.packObjectsHook
	git maildir clone --name=near "file://$TRASH/far.git" near
	same_mail far near
	clean near
	git -C near maildir verify
}
t 'a clone whose other side died is run again and goes on' cut_off

killed() {
	for ms in 02 04 06 08 10 12 14 16 18 20 24 28 32 40; do
		timeout -s KILL "0.$ms" git maildir clone --name=killed far.git killed 2>err || :
		settle
		# What is there already is whole. A folder that is being built is in tmp/, where nobody looks.
		(cd killed 2>/dev/null && find . -path ./tmp -prune -o -path '*/cur/*' -type f -exec sha1sum {} +) | sort >have
		(cd far && find . -path '*/cur/*' -type f -exec sha1sum {} +) | sort | comm -23 have - >wrong
		[ ! -s wrong ] || { cat wrong; return 1; }
	done
	git maildir clone --name=killed far.git killed
	same_mail far killed
	same_head far killed
	clean killed
	git -C killed maildir verify
}
t 'a clone that was killed again and again comes out whole' killed

watched_meanwhile() {
	git maildir clone --name=half a.git half
	settle
	git -C half update-ref -d HEAD
	git -C half update-ref -d refs/remotes/a/main
	rm -rf half/cur/* half/new/* half/dovecot-uidlist
	git-maildir-watch "$TRASH/half" 2>watched &
	watch=$!
	soon grep "nothing is recorded there yet: 'git maildir init' or 'git maildir clone' must come to its end first" watched
	not git -C half rev-parse -q --verify HEAD
	git maildir clone --name=half a.git half
	same_mail a half
	same_head a half
	soon grep 'in order again' watched
	kill "$watch"
	wait "$watch"
}
t 'A watch that finds a clone that has not come to its end leaves it alone until then.' watched_meanwhile

of_a_clone_of_a_view() {
	pair u v
	apart u v
	mkmsg u new 1700000030.M1P1.host
	mkmsg v new 1700000031.M1P1.host
	git -C u maildir record
	git -C v maildir sync
	settle
	[ "$(git -C v rev-list --no-walk --parents HEAD | wc -w)" = 3 ]
	git maildir clone --name=w v.git w
	same_mail u v w
	same_head u v w
	mkmsg w new 1700000032.M1P1.host
	git -C w maildir record
	clean w
}
t 'clone of a member whose HEAD is a merge has the same HEAD' of_a_clone_of_a_view

unsafe_trees() {
	member evil
	blob=$(echo /etc/passwd | git -C evil hash-object -w --stdin)
	tree=$(printf '120000 blob %s\t1700000001.link\n' "$blob" | git -C evil mktree)
	tree=$(printf '040000 tree %s\tcur\n' "$tree" | git -C evil mktree)
	git -C evil update-ref refs/heads/main "$(git -C evil commit-tree -m evil -p HEAD "$tree")"
	status_is 5 git maildir clone --name=victim evil.git victim 2>err
	cat err
	[ ! -L victim/cur/1700000001.link ]
}
t 'a tree that must not reach a disk is refused' unsafe_trees

done_testing
