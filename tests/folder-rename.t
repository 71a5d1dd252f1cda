#!/bin/sh
#
# folder-rename.t -- a client of one member renames a folder: on the others its directory is renamed, with all that is in it and all that comes.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
ROUNDS=${ROUNDS:-6} MAILS=${MAILS:-300}
trap 'stop_dovecot; finish' EXIT

# begin LAYOUT A B
begin() {
	LAYOUT=$1
	mkmaildir "$2"
	chown -R "$MAIL_UID:$MAIL_UID" "$2"
	start_dovecots "$2"
	client "$2" <<-END
		append INBOX first
		create Keep
		append Keep k1 \Seen Alpha @1000000001
		append Keep k2 \Flagged Beta
		append Keep k3
		create Empty
		create Work
		append Work w1
		append Work w2 \Seen
		append Work w3 Alpha
		append Work w4
		append Work w5
		create One
		append One o1
		append One o2
		create Two
		append Two t1
		create Left
		append Left l1
		create Right
		append Right r1
		create Here
		append Here h1
		append Here h2
		create Tree
		append Tree tr1
		create Tree$4Leaf
		append Tree$4Leaf le1
		create Tree$4Leaf$4Bud
		append Tree$4Leaf$4Bud bu1
	END
	mail_pair "$2" "$3"
	start_dovecots "$3"
	sync_all "$2" "$3"
	equal "$2" "$3"
}
# met A B: they know everything of each other, and are the same.
met() {
	sync_all "$@"
	untouched "$@"
	equal "$@"
}
# are FOLDER FILE...: inodes, by which a directory and its files are what they were.
are() {
	(cd "$1" && shift && stat -c '%n %i' "$@")
}

# stays A B DOT
stays() {
	echo 'select Keep' | client "$2"
	are "$2/$3Keep" . cur new dovecot-uidlist dovecot-keywords dovecot.index.log dovecot.index.cache >before
	imap "$2" uids Keep >uids.before
	[ "$(wc -l <uids.before)" = 3 ]
	printf '%s\n' 'rename Keep Kept' 'append Kept k4' | client "$1"
	as_mail git -C "$1" maildir sync
	settle
	as_mail git -C "$2" maildir sync
	are "$2/$3Kept" . cur new dovecot-keywords dovecot.index.log dovecot.index.cache >after
	grep -v uidlist before | diff - after
	[ ! -e "$2/$3Keep" ]
	imap "$2" uids Kept | grep -v ' k4' | sed 's/^Kept/Keep/' | diff uids.before -
	met "$1" "$2"
}
empty_stays() {
	doveadm -c "$DOVECOT-$2/conf" -f flow mailbox status -u mail 'uidnext uidvalidity guid' Empty | sed 's/^Empty//' >before
	are "$2/$3Empty" . cur >>before
	echo 'rename Empty Void' | client "$1"
	met "$1" "$2"
	doveadm -c "$DOVECOT-$2/conf" -f flow mailbox status -u mail 'uidnext uidvalidity guid' Void | sed 's/^Void//' >after
	are "$2/$3Void" . cur >>after
	diff before after
	[ ! -e "$2/$3Empty" ]
}
# both_work A B SEP
both_work() {
	client "$1" <<-END
		select Work
		store w1 +\Seen
		expunge w2
		move w5 INBOX
		close
		rename Work Jobs$3Old
		append Jobs$3Old w6
		subscribe Jobs$3Old
	END
	client "$2" <<-END
		select Work
		store w1 +\Flagged +Beta
		store w2 +\Answered
		expunge w3
		append Work w7 \Draft
		append Work w8
		close
		subscribe Work
	END
	met "$1" "$2"
}
# A message that one side moved, with its folder, stays though the other side deleted it.
both_are_there() {
	for m in "$1" "$2"; do
		client "$m" <<-END
			select Jobs$3Old
			see w1 \Seen \Flagged Beta
			see w3 Alpha
			see w4
			see w6
			see w7 \Draft
			see w8
			lacks w2 w5
			select INBOX
			see w5
		END
		imap "$m" list >boxes
		not grep -E ' "?Work"?$' boxes
	done
}
# Which of the folders is which cannot be known on the other side; what it put into one stays in a folder of that name.
chain() {
	client "$1" <<-END
		rename Two Three
		rename One Two
		append Two o3
	END
	client "$2" <<-END
		append One o4
		append Two t2
		select Two
		store t1 +\Flagged
	END
	met "$@"
	for m; do
		printf '%s\n' 'select Three' 'see t1 \Flagged' 'select Two' 'see o1' 'see o2' 'see o3' | client "$m"
		imap "$m" uids | sed -n 's/^\(One\|Two\|Three\) .* \([ot][0-9]\).*/\2/p' | sort | tr '\n' ' ' >mails
		[ "$(cat mails)" = 'o1 o2 o3 o4 t1 t2 ' ]
	done
}
swap() {
	client "$1" <<-END
		rename Left Aside
		rename Right Left
		rename Aside Right
		append Left r2
	END
	client "$2" <<-END
		append Left l2
		append Right r3
	END
	met "$@"
	for m; do
		printf '%s\n' 'select Left' 'see r1' 'see r2' 'select Right' 'see l1' | client "$m"
		[ "$(imap "$m" uids Left Right | grep -c .)" = 5 ]
	done
}
name_is_taken() {
	client "$1" <<-END
		rename Here There
		append There h3
	END
	client "$2" <<-END
		create There
		append There x1
		append Here h4
	END
	met "$@"
	for m; do
		printf '%s\n' 'select There' 'see h1' 'see h2' 'see h3' 'see h4' 'see x1' | client "$m"
		imap "$m" list >boxes
		not grep -E ' "?Here"?$' boxes
	done
}
# subfolders A B SEP DOT
subfolders() {
	echo "select Tree$3Leaf$3Bud" | client "$2"
	are "$2/$4Tree$3Leaf$3Bud" . cur new dovecot.index.log >before
	client "$1" <<-END
		rename Tree Deep$3Wood
	END
	client "$2" <<-END
		append Tree tr2
		append Tree$3Leaf le2
		append Tree$3Leaf$3Bud bu2
	END
	met "$1" "$2"
	are "$2/$4Deep$3Wood$3Leaf$3Bud" . cur new dovecot.index.log | diff before -
	for m in "$1" "$2"; do
		client "$m" <<-END
			select Deep$3Wood
			see tr1
			see tr2
			select Deep$3Wood$3Leaf
			see le1
			see le2
			select Deep$3Wood$3Leaf$3Bud
			see bu1
			see bu2
		END
		imap "$m" list >boxes
		not grep Tree boxes
	done
}
one_subfolder() {
	echo "rename Deep$3Wood$3Leaf$3Bud Bud" | client "$1"
	echo "append Deep$3Wood$3Leaf$3Bud bu3" | client "$2"
	met "$1" "$2"
	are "$2/$4Bud" . cur new dovecot.index.log | diff before -
	for m in "$1" "$2"; do
		printf '%s\n' 'select Bud' 'see bu1' 'see bu2' 'see bu3' "select Deep$3Wood$3Leaf" 'see le2' | client "$m"
	done
}
busy_folder() {
	timeout 300 python3 "$TOP/tests/renamework.py" "$TRASH" "$ROUNDS" "$MAILS" "$3" "$1=$(port "$1")" "$2=$(port "$2")"
}
ends_well() {
	for m; do
		as_mail git -C "$m" maildir verify
	done
	equal "$@"
}

for layout in maildir++ fs; do
	case $layout in fs) s=/ dot='' a=fa b=fb ;; *) s=. dot=. a=ma b=mb ;; esac
	t "$layout: two members begin" begin $layout $a $b $s
	t "$layout: a folder that a peer renamed keeps its UIDVALIDITY, its UIDs and the server's caches" stays $a $b "$dot"
	t "$layout: an empty folder that a peer renamed is the same folder" empty_stays $a $b "$dot"
	t "$layout: one side renames a folder and the other delivers, flags and deletes there: the members become one" both_work $a $b $s
	t "$layout: what both did is done" both_are_there $a $b $s
	t "$layout: a folder gets the name of another that is renamed as well, and all mail is where it belongs" chain $a $b
	t "$layout: two folders swap their names, and no mail is lost" swap $a $b
	t "$layout: a folder gets a name that the other side has given to a new one, and its mail joins" name_is_taken $a $b
	t "$layout: no Dovecot has logged a warning or an error so far" log_is_quiet $a $b
	t "$layout: the folders below a folder that is renamed go along" subfolders $a $b $s "$dot"
	t "$layout: a folder comes out from below others" one_subfolder $a $b $s "$dot"
	t "$layout: mail that comes all the time while a peer's rename is applied is never left under the old name, nor lost" busy_folder $a $b "$dot"
	sed -n '/^[0-9]* messages came/p' "$HOME/out" | diag
	t "$layout: no Dovecot has logged a warning or an error but for a folder that was renamed while it was at work there" log_is_quiet_but_for_renames $a $b
	t "$layout: in the end both members hold the same, and verify finds nothing" ends_well $a $b
done

stop_dovecot
done_testing
