#!/bin/sh
#
# record.t -- git maildir record: what happened to the mail on disk becomes a commit that a person can read.
. ./tests/lib.sh

# begin: a member m with some_mail, and nothing else.
begin() {
	rm -rf m m.git
	some_mail m
	member m >/dev/null
}
commits() {
	git -C m rev-list --count HEAD
}
# recorded SUBJECT: one record makes one commit of this subject, after which all is clean and HEAD is what is on disk.
recorded() {
	before=$(commits)
	git -C m maildir record >out
	cat out
	[ "$(commits)" = $((before + 1)) ]
	subject=$(git -C m log -1 --format=%s)
	[ "$subject" = "$1" ] || { echo "'$subject' instead of '$1'"; return 1; }
	head_is_disk
}
head_is_disk() {
	(cd m && find . -name .git -prune -o -type f \( -path '*/cur/*' -o -path '*/new/*' \) -print | sed 's|^\./||' | sort) >disk
	git -C m ls-tree -r --name-only HEAD | grep -e '^cur/' -e '^new/' -e '/cur/' -e '/new/' | sort | diff disk -
	(cd m && sed 's|^|./|' <../disk | git hash-object --no-filters --stdin-paths) >ids
	sort -o ids ids
	git -C m ls-tree -r HEAD | grep -e '	cur/' -e '	new/' -e '/cur/' -e '/new/' | cut -d' ' -f3 | cut -f1 | sort | diff - ids
	clean m
}
# remove_some N: deletes the first N messages of the INBOX.
remove_some() {
	find m/cur -type f | sort | head -n "$1" | xargs rm
}
# unrecorded: a record finds nothing, exits with 0 and makes no commit.
unrecorded() {
	head=$(git -C m rev-parse HEAD)
	git -C m maildir record >out
	[ ! -s out ] || { cat out; return 1; }
	[ "$(git -C m rev-parse HEAD)" = "$head" ]
	clean m
}

nothing_to_do() {
	begin
	unrecorded
	unrecorded
	git -C m maildir record --full >out
	[ ! -s out ]
	unrecorded
}
t 'nothing to do: exit 0, not a word, and no commit' nothing_to_do

deliveries() {
	begin
	mkmsg m new 1700000011.M1P1.host
	mkmsg m new 1700000012.M1P1.host
	mkmsg m/.Work new 1700000013.M1P1.host
	recorded 'INBOX: 2 delivered; Work: 1 delivered'
	[ "$(git -C m log -1 --format='%an <%ae>')" = 'm <m@git-maildir>' ]
	unrecorded
}
t 'deliveries' deliveries

flags() {
	begin
	mv m/new/1700000001.M1P1.host m/cur/1700000001.M1P1.host:2,S
	mv m/cur/1700000002.M1P1.host:2,S m/cur/1700000002.M1P1.host:2,RS
	before=$(git -C m count-objects)
	git -C m maildir record >out
	cat out
	grep -q 'INBOX: .*seen' out
	grep -q 'answered' out
	head_is_disk
	# A flag change is no new content.
	[ "$(git -C m diff-tree -r --no-renames HEAD^ HEAD | awk '$5 == "D" { print $3 } $5 == "A" { print $4 }' | sort | uniq -c |
		awk '{ print $1 }' | sort -u)" = 2 ]
	unrecorded
}
t 'flags, and new mail that was looked at' flags

moves() {
	begin
	mv m/cur/1700000002.M1P1.host:2,S m/.Work/cur/
	# Dovecot gives a message that it moves a new name.
	mv m/cur/1700000003.M1P1.host:2,FS m/.Work/cur/1700000099.M9P9.host,S=130,W=140:2,FS
	git -C m maildir record >out
	cat out
	grep -q '2 moved to Work' out
	[ "$(git -C m diff-tree -r -M100% --diff-filter=R --name-only HEAD^ HEAD | wc -l)" = 2 ]
	head_is_disk
	unrecorded
}
t 'moves between folders' moves

dates_follow() {
	begin
	grep -q '^date 1107569105 1700000004.M1P1.host$' m/.gitmaildir
	mv m/cur/1700000004.M1P1.host:2,S m/.Work/cur/
	git -C m maildir record
	not grep -q 1700000004 m/.gitmaildir
	grep -q '^date 1107569105 1700000004.M1P1.host$' m/.Work/.gitmaildir
	head_is_disk
	rm m/.Work/cur/1700000004.M1P1.host:2,S
	git -C m maildir record
	not grep -q 1700000004 m/.Work/.gitmaildir
	head_is_disk
}
t 'the date of a message that is not the time in its name follows it' dates_follow

deletions() {
	begin
	rm m/cur/1700000002.M1P1.host:2,S
	recorded 'INBOX: 1 deleted'
	unrecorded
}
t 'a deletion' deletions

folders() {
	begin
	mkmaildir m/.Lists m/.Lists.git
	recorded 'Lists: folder created; Lists/git: folder created'
	mkmsg m/.Lists cur 1700000020.M1P1.host:2,S
	git -C m maildir record
	id=$(sed -n 's/^id //p' m/.Lists/.gitmaildir)
	mv m/.Lists m/.Mailing
	git -C m maildir record >out
	cat out
	grep -qi 'renamed\|moved' out
	[ "$(sed -n 's/^id //p' m/.Mailing/.gitmaildir)" = "$id" ]
	head_is_disk
	rm -r m/.Mailing m/.Lists.git
	git -C m maildir record >out
	cat out
	head_is_disk
	not git -C m ls-files --error-unmatch .Mailing/.gitmaildir
	unrecorded
}
t 'folders are created, renamed and deleted, also empty ones' folders

replaced() {
	begin
	echo 'changed' >m/tmp/x
	touch -d @1700000002 m/tmp/x
	mv m/tmp/x m/cur/1700000002.M1P1.host:2,S
	git -C m maildir record >out
	cat out
	[ "$(commits)" = 2 ]
	[ "$(git -C m show 'HEAD:cur/1700000002.M1P1.host:2,S')" = changed ]
	head_is_disk
	# A message that has the name of one that is gone, in its place.
	rm m/cur/1700000003.M1P1.host:2,FS
	mkmsg m cur 1700000003.M1P1.host:2,S 'Another one'
	git -C m maildir record
	git -C m show 'HEAD:cur/1700000003.M1P1.host:2,S' | grep -q '^Subject: Another one'
	head_is_disk
	unrecorded
}
t 'a message whose file is replaced by rename' replaced

edited_in_place() {
	begin
	sleep 1
	file=m/cur/1700000002.M1P1.host:2,S
	printf 'more\n' >>"$file"
	touch -d @1500000000 m/cur/1700000003.M1P1.host:2,FS
	git -C m maildir record --full >out
	cat out
	[ "$(commits)" = 2 ]
	git -C m show "HEAD:cur/${file##*/}" | diff - "$file"
	grep -q '^date 1500000000 1700000003.M1P1.host$' m/.gitmaildir
	head_is_disk
	unrecorded
	git -C m maildir verify
	# And back: the date line goes again.
	touch -d @1700000003 m/cur/1700000003.M1P1.host:2,FS
	git -C m maildir record --full
	not grep -q 1700000003 m/.gitmaildir
	head_is_disk
}
t '--full finds what was edited in place, and dates that were changed' edited_in_place

by_hand() {
	begin
	mkmsg m new 1700000031.M1P1.host 'By hand' 1300000000
	mv m/cur/1700000002.M1P1.host:2,S m/cur/1700000002.M1P1.host:2,FS
	git -C m add -A
	git -C m commit -qm 'By hand'
	head_is_disk
	unrecorded
	git -C m rm -q --cached 'cur/1700000003.M1P1.host:2,FS'
	mkmsg m new 1700000032.M1P1.host
	git -C m maildir record
	head_is_disk
	unrecorded
}
t 'commits made by hand, and half-made ones in the index' by_hand

dry_run() {
	begin
	mkmsg m new 1700000011.M1P1.host
	rm m/cur/1700000002.M1P1.host:2,S
	mkmaildir m/.Fresh
	files_of m >before
	files_of m.git | grep -v '/maildir/' >before.git
	git -C m maildir record --dry-run >out
	cat out
	grep -q '1 delivered' out && grep -q '1 deleted' out && grep -q 'Fresh' out
	files_of m | diff before -
	files_of m.git | grep -v '/maildir/' | diff before.git -
	git -C m maildir record >out2
	sed 's/^[0-9a-f]* //' out2 | diff out -
	clean m
}
t '--dry-run says what it would do and does nothing' dry_run

many() {
	rm -rf m m.git
	mkmaildir m m/.Big
	python3 - "$1" "$2" <<'EOF'
import os, sys
for folder, n in (("m", int(sys.argv[1])), ("m/.Big", int(sys.argv[2]))):
    for i in range(n):
        name = f"{folder}/cur/{1700000000 + i}.M{i}P1.host:2,S"
        with open(name, "w") as f:
            f.write(f"Subject: {folder} {i}\n\n{i}\n")
        os.chmod(name, 0o600)
        os.utime(name, (0, 1700000000 + i))
EOF
	member m >/dev/null
}
mass_deletion() {
	many 50 0
	remove_some 30
	mkmsg m new 1700009999.M1P1.host
	mv "m/cur/1700000045.M45P1.host:2,S" "m/cur/1700000045.M45P1.host:2,FS"
	status_is 1 git -C m maildir record >out 2>err
	cat out err
	grep -q '1 delivered' out
	[ "$(cat err)" = "git-maildir: 30 of 50 messages are gone from '$TRASH/m': these deletions are held back; if they are meant, run 'git maildir record --allow-deletes'" ]
	[ "$(git -C m ls-tree --name-only HEAD:cur | wc -l)" = 50 ]
	git -C m ls-tree --name-only HEAD:cur | grep -q 'M45P1.host:2,FS'
	git -C m ls-tree --name-only HEAD:new | grep -q 1700009999
	# It stays so, and other mail goes on.
	mkmsg m new 1700010000.M1P1.host
	status_is 1 git -C m maildir record 2>/dev/null
	git -C m ls-tree --name-only HEAD:new | grep -q 1700010000
	head=$(git -C m rev-parse HEAD)
	status_is 1 git -C m maildir record 2>err
	[ "$(git -C m rev-parse HEAD)" = "$head" ]
	git -C m maildir status 2>&1 | grep -q '30 of 52 messages are gone'
	git -C m maildir status --json 2>/dev/null | python3 -c 'import json, sys; assert json.load(sys.stdin)["held_deletions"] == 30'
	git -C m maildir record --allow-deletes
	head_is_disk
	unrecorded
}
t 'more than half of the messages gone: held back until a person confirms, everything else goes on' mass_deletion

# Of the folders that are renamed one has lost most of its mail, and one has lost none.
held_and_renamed() {
	many 10 50
	mkmaildir m/.Small
	mkmsg m/.Small cur 1700009000.M1P1.host:2,S
	git -C m maildir record --no-push
	find m/.Big/cur -type f | sort | sed -n 1,40p | xargs rm
	mv m/.Big m/.Huge
	mv m/.Small m/.Tiny
	# Another message has the name of one that is held back.
	mkmsg m/.Huge cur 1700000003.M3P1.host:2,S 'Another one'
	status_is 1 git -C m maildir record >out 2>err
	cat out err
	grep -q 'Big renamed to Huge' out && grep -q 'Small renamed to Tiny' out
	git -C m ls-tree -r --name-only HEAD >tree
	not grep '^\.Big/\|^\.Small/' tree
	[ "$(grep -c '^\.Huge/cur/' tree)" = 50 ]
	git -C m cat-file -p HEAD:.Huge/cur/1700000003.M3P1.host:2,S | grep 'Another one'
	head=$(git -C m rev-parse HEAD)
	status_is 1 git -C m maildir record
	[ "$(git -C m rev-parse HEAD)" = "$head" ]
	git -C m maildir record --allow-deletes
	head_is_disk
	unrecorded
}
t 'messages whose deletion is held back go along with a folder that is renamed, and hold no other folder back' held_and_renamed

small_deletions() {
	many 25 0
	remove_some 20
	git -C m maildir record
	[ "$(git -C m ls-tree --name-only HEAD:cur | wc -l)" = 5 ]
	many 100 0
	remove_some 50
	git -C m maildir record
	head_is_disk
	many 100 0
	git -C m config maildir.maxDelete 10%
	remove_some 21
	status_is 1 git -C m maildir record
	git -C m config maildir.maxDelete 40
	git -C m maildir record
	head_is_disk
}
t '20 deletions, or half of the messages, are an ordinary day; maildir.maxDelete says otherwise' small_deletions

big_folder() {
	many 30 100
	rm m/.Big/cur/*
	mkmsg m new 1700009999.M1P1.host
	status_is 1 git -C m maildir record
	git -C m ls-tree --name-only HEAD:new | grep -q 1700009999
	mv m/.Big/cur kept
	mkdir -m 700 m/.Big/cur
	git -C m maildir record --allow-deletes
	head_is_disk
	# Deleted with the folder: likewise.
	many 30 100
	rm -r m/.Big
	mkmsg m new 1700009999.M1P1.host
	status_is 1 git -C m maildir record
	git -C m ls-tree --name-only HEAD:new | grep -q 1700009999
	[ "$(git -C m ls-tree --name-only HEAD:.Big/cur | wc -l)" = 100 ]
	[ ! -e m/.Big ]
	git -C m maildir record --allow-deletes
	head_is_disk
}
t 'a user who empties or deletes a large folder does not stop the other mail' big_folder

moving_is_not_deleting() {
	many 100 0
	mkmaildir m/.Archive
	mv m/cur/* m/.Archive/cur/
	git -C m maildir record >out
	cat out
	grep -q '100 moved to Archive' out
	head_is_disk
}
t 'moving all messages to another folder is not a mass deletion' moving_is_not_deleting

lost_cur() {
	begin
	mv m/.Work/cur aside
	mkmsg m new 1700000041.M1P1.host
	status_is 1 git -C m maildir record >out 2>err
	cat out err
	grep -q "folder 'Work' has lost its 'cur' directory with 1 messages: held back" err
	grep -q '1 delivered' out
	git -C m ls-tree -r --name-only HEAD | grep -q .Work/cur/1700000005
	[ ! -e m/.Work/cur ]
	git -C m maildir status >out 2>&1
	grep -q "folder 'Work' has lost its 'cur' directory" out
	git -C m maildir status --json 2>/dev/null |
		python3 -c 'import json, sys; assert json.load(sys.stdin)["lost_directories"] == [{"folder": "Work", "directory": "cur", "messages": 1}]'
	status_is 1 git -C m maildir record --allow-deletes 2>/dev/null
	git -C m ls-tree -r --name-only HEAD | grep -q .Work/cur/1700000005
	mv aside m/.Work/cur
	unrecorded
	# The INBOX, too.
	mv m/cur aside
	status_is 1 git -C m maildir record 2>err
	grep -q "folder 'INBOX' has lost its 'cur' directory with 3 messages" err
	mv aside m/cur
	unrecorded
}
t "a folder that lost its cur/ while the rest of it stands loses no mail, and status says so" lost_cur

not_mounted() {
	begin
	head=$(git -C m rev-parse HEAD)
	mv m real
	mkdir m
	cp real/.git m/.git
	status_is 3 git -C m maildir record 2>err
	cat err
	grep -q "has no folder at all, but 5 messages are recorded in it: is it mounted?" err
	status_is 3 git -C m maildir sync 2>err
	status_is 3 git -C m maildir record --allow-deletes 2>err
	[ "$(ls -A m)" = .git ]
	# The work tree is gone altogether, or only its .git file.
	rm -r m
	status_is 3 git --git-dir="$TRASH/m.git" maildir record 2>err
	cat err
	[ "$(wc -l <err)" = 1 ]
	mkdir m
	status_is 3 git --git-dir="$TRASH/m.git" maildir record 2>err
	rmdir m
	mv real m
	[ "$(git -C m rev-parse HEAD)" = "$head" ]
	unrecorded
}
t 'a store that is not mounted: an error, and nothing is recorded' not_mounted

other_files() {
	begin
	printf 'Work\nLists\n' >m/subscriptions
	mkdir m/sieve
	echo 'keep;' >m/sieve/main.sieve
	: >m/.Work/maildirfolder
	git -C m maildir record >out
	cat out
	[ "$(git -C m show HEAD:subscriptions)" = "$(cat m/subscriptions)" ]
	git -C m ls-files | grep -qx sieve/main.sieve
	git -C m ls-files | grep -qx .Work/maildirfolder
	head_is_disk
	printf 'Work\n' >m/subscriptions
	rm m/sieve/main.sieve
	git -C m maildir record >out
	cat out
	[ "$(git -C m show HEAD:subscriptions)" = Work ]
	head_is_disk
	unrecorded
}
t 'subscriptions and other files are recorded' other_files

caches() {
	begin
	for f in dovecot.index dovecot.index.log dovecot.index.cache maildirsize \
		dovecot.mailbox.log .Work/dovecot.index.log tmp/1700000077.M1P1.host dovecot.list.index.log; do
		echo x >"m/$f"
	done
	head=$(git -C m rev-parse HEAD)
	git -C m maildir record >out
	[ ! -s out ]
	[ "$(git -C m rev-parse HEAD)" = "$head" ]
	[ -z "$(git -C m status --porcelain)" ]
}
t "Dovecot's caches and a delivery in tmp/ are nothing to record" caches

same_second() {
	begin
	for i in 1 2 3 4 5 6 7 8 9; do
		mkmsg m new "170000010$i.M1P1.host"
		git -C m maildir record >/dev/null
		mv "m/new/170000010$i.M1P1.host" "m/cur/170000010$i.M1P1.host:2,S"
		git -C m maildir record >/dev/null
		mv "m/cur/170000010$i.M1P1.host:2,S" "m/cur/170000010$i.M1P1.host:2,RS"
		rm -f "m/cur/170000010$((i - 1)).M1P1.host:2,RS"
	done
	git -C m maildir record
	[ "$(commits)" = 20 ]
	head_is_disk
}
t 'changes within one moment of a record are not overlooked by the next' same_second

diary() {
	begin
	mkmsg m new 1700000051.M1P1.host
	git -C m maildir record
	mv m/new/1700000051.M1P1.host m/cur/1700000051.M1P1.host:2,S
	git -C m maildir record
	mv m/cur/1700000051.M1P1.host:2,S m/.Work/cur
	git -C m maildir record
	rm m/.Work/cur/1700000051.M1P1.host:2,S
	git -C m maildir record
	git -C m log --reverse --format=%s >diary
	cat diary
	printf '%s\n' 'First record: 5 messages in 2 folders' 'INBOX: 1 delivered' 'INBOX: 1 seen' 'INBOX: 1 moved to Work' 'Work: 1 deleted' |
		diff - diary
	# A line for people is one line, whatever the folder is called.
	mkmaildir "m/.$(printf 'B\303\244d name')"
	git -C m maildir record
	[ "$(git -C m log -1 --format=%s | wc -l)" = 1 ]
}
t 'git log reads like a diary of the mailbox' diary

two_at_once() {
	begin
	for i in 1 2 3 4 5 6; do
		mkmsg m new "170000020$i.M1P1.host"
		git -C m maildir record >"out.$i" 2>&1 &
	done
	wait
	cat out.[1-6]
	unrecorded
	head_is_disk
}
t 'records at the same time wait for each other' two_at_once

busy_index() {
	begin
	mkmsg m new 1700000061.M1P1.host
	: >m.git/index.lock
	git -C m config maildir.lockWait 1
	git -C m maildir record 2>err || echo "status $?"
	cat err
	[ "$(wc -l <err)" -le 1 ]
	rm m.git/index.lock
	git -C m maildir record
	head_is_disk
}
t 'an index.lock that somebody holds or left spoils nothing' busy_index

done_testing
