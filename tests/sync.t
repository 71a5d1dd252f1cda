#!/bin/sh
#
# sync.t -- git maildir sync: members that changed while apart end up the same, by the rules of the merge.
. ./tests/lib.sh

one=1700000001.M1P1.host two=1700000002.M1P1.host three=1700000003.M1P1.host work=1700000005.M1P1.host

# begin: members a and b that hold some_mail, are each other's peers, and tell nobody by themselves what they have.
begin() {
	settle
	rm -rf a b c a.git b.git c.git
	pair >/dev/null
	apart a b
}
begin_three() {
	settle
	rm -rf a b c a.git b.git c.git
	trio >/dev/null
	apart a b c
}
# at MEMBER KEY: where the messages with this key are, one line.
at() {
	(cd "$1" && find . -path '*/tmp' -prune -o -type f -name "$2*" -print | sed 's|^\./||' | sort | tr '\n' ' ' | sed 's/ $//')
}
# flag MEMBER KEY FLAGS: from wherever in a folder it is into that folder's cur/.
flag() {
	from=$(at "$1" "$2")
	folder=${from%/*/*}
	[ "$folder" != "$from" ] || folder=.
	mv "$1/$from" "$1/$folder/cur/$2:2,$3"
}
# move MEMBER KEY FOLDER [NEWKEY]
move() {
	from=$(at "$1" "$2")
	name=${from##*/}
	mkmaildir "$1/$3"
	mv "$1/$from" "$1/$3/cur/${4:-$2}${name#"$2"}"
}
del() {
	rm "$1/$(at "$1" "$2")"
}
edit() {
	file=$1/$(at "$1" "$2")
	printf 'Subject: edited\n\n%s\n' "$3" >"$1/tmp/edit"
	touch -r "$file" "$1/tmp/edit"
	mv "$1/tmp/edit" "$file"
}
heads() {
	for m; do git -C "$m" rev-parse HEAD; done
}
# together M...: syncs until nothing moves, then all are the same, and stay so.
together() {
	for round in 1 2 3 4; do
		before=$(heads "$@")
		for m; do
			git -C "$m" maildir sync >>sync.out
			settle
		done
		[ "$before" != "$(heads "$@")" ] || break
	done
	[ $round -lt 4 ] || { echo "no rest after $round rounds"; return 1; }
	same_mail "$@"
	same_head "$@"
	clean "$@"
}
# is KEY WHERE...: on both, the messages of this key are at these places.
is() {
	key=$1
	shift
	[ "$(at a "$key")" = "$*" ] || { echo "a has '$(at a "$key")' instead of '$*'"; return 1; }
	[ "$(at b "$key")" = "$*" ] || { echo "b has '$(at b "$key")' instead of '$*'"; return 1; }
}
# row SENTENCE COMMANDS...: a row of the merge table: what happens on a and b, and what is then on both. Once as it is written, and
# once with a and b in each other's place, because nobody is special.
row() {
	t "$1" both_ways "$2" "$3"
}
both_ways() {
	begin
	eval "$1"
	together a b
	eval "$2"
	mail_list a | grep -v '^mtime' >first
	begin
	swapped=$(echo "$1" | sed 's/\<a\>/@/g; s/\<b\>/a/g; s/@/b/g')
	eval "$swapped"
	together b a
	eval "$2"
	mail_list a | grep -v '^mtime' | diff first -
}

row 'flags set on both sides unite' \
	"flag a $two RS; flag b $two FS" "is $two cur/$two:2,FRS"
row 'a flag removed on one side and another added on the other: both happen' \
	"flag a $three S; flag b $three FRS" "is $three cur/$three:2,RS"
row 'a message read on one side is in cur/ on both' \
	"flag a $one S" "is $one cur/$one:2,S"
row 'a new message flagged differently on both sides' \
	"flag a $one S; flag b $one F" "is $one cur/$one:2,FS"
row 'new to cur without flags on one side, with flags on the other' \
	"flag a $one ''; flag b $one RS" "is $one cur/$one:2,RS"
row 'deleted on one side is deleted' "del a $two" "is $two"
row 'deleted on both is deleted' "del a $two; del b $two" "is $two"
row 'deleted on A while flagged on B: deleted' "del a $two; flag b $two FS" "is $two"
row 'deleted on A while flagged on B, when told so: kept' \
	"git -C a config maildir.deleteVsFlag keep; git -C b config maildir.deleteVsFlag keep; del a $two; flag b $two FS" \
	"is $two cur/$two:2,FS"
row 'moved on one side is moved' "move a $two .Work" "is $two .Work/cur/$two:2,S"
row 'moved on A while flagged on B: the flag follows' \
	"move a $two .Work; flag b $two FS" "is $two .Work/cur/$two:2,FS"
row 'moved on A under a new name, as Dovecot does, while flagged on B: the flag follows' \
	"move a $two .Work 1700000777.M7P7.a; flag b $two FRS" "is $two; is 1700000777.M7P7.a .Work/cur/1700000777.M7P7.a:2,FRS"
row 'moved and flagged on A, flagged on B' \
	"move a $two .Work; flag a $two RS; flag b $two FS" "is $two .Work/cur/$two:2,FRS"
row 'moved on A while deleted on B: the move survives' "move a $two .Work; del b $two" "is $two .Work/cur/$two:2,S"
row 'moved to the same folder by both: once, flags merged' \
	"move a $two .Work; flag a $two FS; move b $two .Work; flag b $two RS" "is $two .Work/cur/$two:2,FRS"
row 'moved to the same folder by both under different names: once, under the smaller' \
	"move a $two .Work 1700000777.M7P7.x; move b $two .Work 1700000778.M7P7.y" \
	"is $two; is 1700000777.M7P7.x .Work/cur/1700000777.M7P7.x:2,S; is 1700000778.M7P7.y"
row 'moved to two places: a copy in each' \
	"move a $two .Here; move b $two .There" "is $two .Here/cur/$two:2,S .There/cur/$two:2,S"
row 'content changed on one side' "edit a $two new" "is $two cur/$two:2,S; grep -qx new b/cur/$two:2,S"
row 'content changed on A while deleted on B: the changed content stays' \
	"edit a $two new; del b $two" "is $two cur/$two:2,S; grep -qx new b/cur/$two:2,S"
row 'content changed on A, flagged on B' \
	"edit a $two new; flag b $two FS" "is $two cur/$two:2,FS; grep -qx new b/cur/$two:2,FS"
two_contents() {
	[ "$(find a/cur -name "${1%%.*}.*" | wc -l)" = 2 ]
	cat a/cur/"${1%%.*}".* | grep -qx "$2"
	cat a/cur/"${1%%.*}".* | grep -qx "$3"
	# The one with the smaller id keeps the name.
	kept=$(git hash-object "$(find a/cur -name "$1:*")")
	for file in a/cur/"${1%%.*}".*; do
		id=$(git hash-object "$file")
		[ "$id" = "$kept" ] || [ "$(printf '%s\n' "$id" "$kept" | sort | head -1)" = "$kept" ]
	done
}
row 'content changed differently on both: both stay, the smaller id keeps the name' \
	"edit a $two mine; edit b $two yours" "two_contents $two mine yours"
new=1700000500.M5P5.host
row 'added on both, the same: once, flags unite' \
	"mkmsg a cur $new:2,F Same; mkmsg b cur $new:2,S Same" "is $new cur/$new:2,FS"
row 'added on both, in new/ on one side and read on the other' \
	"mkmsg a new $new Same; mkmsg b cur $new:2,S Same" "is $new cur/$new:2,S"
row 'the same name with different content on both: both stay' \
	"mkmsg a cur $new:2,F Mine; mkmsg b cur $new:2,S Yours" "two_contents $new 'Text of Mine.' 'Text of Yours.'"
copies() {
	[ "$(grep -l 'Subject: Copy' a/cur/* | wc -l)" = "$1" ]
}
row 'the same mail delivered to both under different names: once' \
	"printf 'Subject: Copy\n\n' | mkmsg a cur 1700000601.A.host:2,F -; printf 'Subject: Copy\n\n' | mkmsg b cur 1700000602.B.host:2,S -" \
	"copies 1; is 1700000601.A.host cur/1700000601.A.host:2,FS"
row 'twice on one side and once on the other: twice' \
	"for i in 1 2; do printf 'Subject: Copy\n\n' | mkmsg a cur 170000060\$i.A.host:2, -; done; printf 'Subject: Copy\n\n' | mkmsg b cur 1700000603.B.host:2,S -" \
	"copies 2"
row 'a folder made on one side' "mkmaildir a/.New" "[ -d b/.New/cur ] && [ -d b/.New/new ] && [ -d b/.New/tmp ]"
row 'a folder deleted on one side' "rm -r a/.Work" "[ ! -e b/.Work ]; is $work"
row 'a folder deleted on A while B got mail in it: it stays, with that mail' \
	"rm -r a/.Work; mkmsg b/.Work new $new" "is $new .Work/new/$new; is $work"
row 'a folder deleted on A while a message in it was flagged on B' \
	"rm -r a/.Work; flag b $work FRS" "is $work; [ ! -e a/.Work ]"
row 'the same new folder made on both with different mail' \
	"mkmaildir a/.New b/.New; mkmsg a/.New new 1700000701.A.host; mkmsg b/.New new 1700000702.B.host" \
	"is 1700000701.A.host .New/new/1700000701.A.host; is 1700000702.B.host .New/new/1700000702.B.host"
row 'a folder renamed on A while B got mail in it: the mail goes along' \
	"mv a/.Work a/.Job; mkmsg b/.Work new $new" "is $new .Job/new/$new; is $work .Job/cur/$work:2,RS; [ ! -e b/.Work ]"
row 'a folder renamed on A while a message in it was flagged on B' \
	"mv a/.Work a/.Job; flag b $work FRS" "is $work .Job/cur/$work:2,FRS; [ ! -e b/.Work ]"
row 'a folder renamed on A, a message moved into it on B' \
	"mv a/.Work a/.Job; move b $two .Work" "is $two .Job/cur/$two:2,S; [ ! -e b/.Work ]"
row 'subscriptions are a set' \
	"printf 'Work\nMine\n' >a/subscriptions; printf 'Work\nYours\n' >b/subscriptions" \
	"[ \"\$(sort b/subscriptions | tr '\n' ' ')\" = 'Mine Work Yours ' ]"
row 'another file changed on both in the same place: both are kept' \
	"echo mine >a/notes; echo yours >b/notes" "[ \"\$(cat b/notes* | sort | tr '\n' ' ')\" = 'mine yours ' ]"
row 'an odd date travels with its message' \
	"mkmsg a cur $new:2,S Dated 1200000000; move b 1700000004.M1P1.host .Work" \
	"[ \$(stat -c %Y b/cur/$new:2,S) = 1200000000 ]; [ \$(stat -c %Y a/.Work/cur/1700000004.M1P1.host:2,S) = 1107569105 ]"

a_move_keeps_the_file() {
	begin
	inode=$(stat -c %i "b/cur/$two:2,S") content=$(stat -c '%i %Y %a' "b/cur/$three:2,FS")
	flag a $two FS
	flag a $three FRS
	together a b
	[ "$(stat -c %i "b/cur/$two:2,FS")" = "$inode" ]
	[ "$(stat -c '%i %Y %a' "b/cur/$three:2,FRS")" = "$content" ]
}
t 'a flag change is a rename of the same file on the other side, too' a_move_keeps_the_file

modes_and_dates() {
	begin
	mkmsg a cur $new:2,S Dated 1200000000
	(umask 0; together a b)
	[ "$(stat -c '%a %Y' "b/cur/$new:2,S")" = '600 1200000000' ]
}
t 'a message arrives with mode 0600 and its date' modes_and_dates

unrecorded_changes() {
	begin
	flag a $two RS
	git -C a maildir record >/dev/null
	git -C b fetch -q a
	# Between record and apply nobody asks: what is on disk is a third side.
	flag b $two FS
	git -C b maildir sync --local
	[ "$(at b $two)" = "cur/$two:2,FRS" ]
	together a b
	is $two "cur/$two:2,FRS"
}
t 'changes that were not recorded yet are recorded first' unrecorded_changes

forward() {
	begin
	mkmsg a new $new
	git -C a maildir record >/dev/null
	together a b
	# What only one side changed needs no merge.
	[ -z "$(git -C b rev-list --merges HEAD)" ]
	[ "$(git -C b log -1 --format=%s)" = 'INBOX: 1 delivered' ]
}
t 'what only one side changed makes no merge commit' forward

no_common_base() {
	settle
	rm -rf a b a.git b.git
	some_mail a
	some_mail b
	mv "b/cur/$two:2,S" "b/cur/$two:2,RS"
	rm "b/cur/$three:2,FS"
	mkmsg b new 1700000800.B.host
	mkmsg a new 1700000801.A.host
	member a b
	apart a b
	git -C a maildir peer add b "$TRASH/b.git"
	git -C b maildir peer add a "$TRASH/a.git"
	together a b
	is $one "new/$one"
	is $two "cur/$two:2,RS"
	is $three "cur/$three:2,FS"
	is 1700000800.B.host new/1700000800.B.host
	is 1700000801.A.host new/1700000801.A.host
	is $work ".Work/cur/$work:2,RS"
	del a $two
	flag b $one S
	together a b
	is $two
	is $one "cur/$one:2,S"
}
t 'two Maildirs that never met: nothing is deleted, nothing doubled, flags unite' no_common_base

criss_cross() {
	begin
	flag a $two RS
	flag b $two FS
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
	git -C b fetch -q a
	git -C a merge -qm 'By hand on a' b/main
	git -C b merge -qm 'By hand on b' a/main
	flag a $three S
	del a $one
	flag b $three FRS
	mkmsg b new $new
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
	[ "$(git -C a merge-base --all HEAD b/main | wc -l)" = 2 ]
	together a b
	is $two "cur/$two:2,FRS"
	is $three "cur/$three:2,RS"
	is $one
	is $new "new/$new"
}
t 'criss-cross: several bases' criss_cross

dry_run() {
	begin
	flag a $two FS
	del a $three
	mkmsg a new $new
	git -C a maildir record >/dev/null
	git -C b fetch -q a
	mkmsg b new 1700000900.B.host
	files_of b >before
	git -C b for-each-ref >>before
	git -C b maildir sync --dry-run >out
	cat out
	grep -q 'would record' out
	# One step a line.
	grep -q "$two.*$two:2,FS" out
	grep -q "$three" out
	grep -q "$new" out
	{ files_of b; git -C b for-each-ref; } | diff before -
	together a b
}
t '--dry-run prints a plan and changes nothing' dry_run

unreachable() {
	begin_three
	git -C a config remote.c.url "$TRASH/no/such.git"
	mkmsg a new $new
	status_is 1 git -C a maildir sync 2>err
	cat err
	[ "$(grep -c 'c' err)" -ge 1 ]
	[ -f a/new/$new ]
	soon test -f b/new/$new
	git -C a maildir status | grep -q 'no/such.git'
	# Nobody listens: told within the time limit, and b need not wait for it.
	printf '#!/bin/sh\nexec sleep 30\n' >hang
	chmod +x hang
	git -C a config core.sshCommand "$TRASH/hang"
	git -C a config remote.c.url ssh://nowhere.example/c.git
	git -C a config maildir.peerTimeout 3
	flag a $new FS
	git -C a maildir record >/dev/null
	git -C a maildir push 2>err &
	soon test -f "b/cur/$new:2,FS"
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
	settle
	rm -rf a b c a.git b.git c.git
	trio >/dev/null
	mkmsg a new $new
	git -C a maildir record
	soon same_mail a b c
	soon same_head a b c
	mv "a/new/$new" "a/cur/$new:2,S"
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
	settle
	rm -rf a b c a.git b.git c.git
	trio >/dev/null
	# a and c do not know each other: b tells.
	git -C a maildir peer remove c
	git -C c maildir peer remove a
	mkmsg a new $new
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
	settle
	rm -rf a b c a.git b.git c.git
	trio >/dev/null
	for i in 1 2 3 4; do
		for m in a b c; do
			mkmsg $m new "170000200$i.$m.host"
			git -C $m maildir record >/dev/null &
		done
		wait
	done
	settle
	same_mail a b c
	same_head a b c
	clean a b c
	[ "$(find a/new -type f | wc -l)" = 13 ]
	before=$(heads a b c)
	for m in a b c; do git -C $m maildir sync; done
	settle
	[ "$(heads a b c)" = "$before" ]
}
t 'deliveries on all members at the same time: everything comes to rest' all_at_once

# The same changes on three members, then syncs of two at a time in many orders. What comes out depends on the changes only.
random_orders() {
	begin_three
	rm -rf saved
	mkdir saved
	python3 - "$1" <<'EOF'
import os, random, sys
rnd = random.Random(int(sys.argv[1]))
keys = 0
def messages(m):
    out = []
    for top, dirs, files in os.walk(m):
        dirs[:] = [d for d in dirs if d not in ("tmp",)]
        if os.path.basename(top) in ("cur", "new"):
            out += [os.path.join(top, f) for f in files]
    return sorted(out)
def folder(m, name):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{m}/{name}/{sub}", 0o700, exist_ok=True)
    return f"{m}/{name}"
for m in "abc":
    for step in range(12):
        have = messages(m)
        what = rnd.choice(["deliver", "deliver", "flag", "flag", "flag", "delete", "move", "move", "same", "clash", "folder", "rename"])
        if what in ("flag", "delete", "move") and not have:
            continue
        path = rnd.choice(have) if have else None
        if what == "deliver":
            keys += 1
            d = rnd.choice([m, folder(m, ".Work")])
            with open(f"{d}/new/{1700100000 + keys}.M{keys}P1.{m}", "w") as f:
                f.write(f"Subject: {keys}\n\n")
        elif what == "flag":
            key = os.path.basename(path).split(":")[0]
            flags = "".join(x for x in "DFRST" if rnd.random() < 0.4)
            os.rename(path, os.path.dirname(os.path.dirname(path)) + f"/cur/{key}:2,{flags}")
        elif what == "delete":
            os.unlink(path)
        elif what == "move":
            d = rnd.choice([m, folder(m, ".Work"), folder(m, ".Archive")])
            name = os.path.basename(path)
            if rnd.random() < 0.5:
                keys += 1
                name = f"{1700200000 + keys}.M{keys}P2.{m}" + (":" + name.split(":")[1] if ":" in name else "")
            os.rename(path, f"{d}/cur/{name if ':' in name else name + ':2,'}")
        elif what == "same":
            with open(f"{m}/new/{1700300000 + rnd.randrange(3)}.M1P1.host", "w") as f:
                f.write("Subject: the same everywhere\n\n")
        elif what == "clash":
            with open(f"{m}/new/{1700400000 + rnd.randrange(2)}.M1P1.host", "w") as f:
                f.write(f"Subject: clash {m}\n\n")
        elif what == "folder":
            folder(m, rnd.choice([".Archive", ".Lists", ".Lists.a"]))
        elif what == "rename" and os.path.isdir(f"{m}/.Work") and rnd.random() < 0.5:
            to = rnd.choice([".Job", ".Office"])
            if not os.path.exists(f"{m}/{to}"):
                os.rename(f"{m}/.Work", f"{m}/{to}")
EOF
	for m in a b c; do git -C $m maildir record --no-push --allow-deletes >>records; done
	cp -a a b c a.git b.git c.git saved
	for order in 1 2 3 4 5 6; do
		if [ $order -gt 1 ]; then
			settle
			rm -rf a b c a.git b.git c.git
			cp -a saved/. .
		fi
		quiet=0 steps=0
		python3 -c "import random, sys
rnd = random.Random($1 * 100 + $order)
for i in range(60):
    print(*rnd.sample('abc', 2), '--no-push' if rnd.random() < 0.6 else '')" >pairs
		while read -r m peer how; do
			steps=$((steps + 1))
			before=$(heads a b c)
			# shellcheck disable=SC2086 # none or one
			git -C "$m" maildir sync $how "$peer" >>syncs
			[ -n "$how" ] || settle
			if [ "$before" = "$(heads a b c)" ] && same_head a b c >/dev/null; then
				quiet=$((quiet + 1))
				[ $quiet -lt 4 ] || break
			else
				quiet=0
			fi
		done <pairs
		same_head a b c
		same_mail a b c
		clean a b c
		[ $quiet -ge 4 ] || { echo "order $order: no rest after $steps syncs"; return 1; }
		git -C a rev-parse HEAD >>ends
		sort -u ends >ends.u
		[ "$(wc -l <ends.u)" = 1 ] || { echo "order $order ended elsewhere"; cat ends; return 1; }
		git -C b maildir verify
	done
	rm ends
}
t 'three members, changed while apart, synced pairwise in many orders: the same HEAD each time' random_orders 1
t '... with other changes' random_orders 2
t '... and others again' random_orders 3

done_testing
