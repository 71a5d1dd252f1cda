#!/bin/sh
#
# imap-apart.t -- members are apart, and clients do on all of them what clients do. When they have met again, clients see one and the same mail on all.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
trap 'stop_dovecot; finish' EXIT

# some_imap MEMBER SEP: mail that a client has put there.
some_imap() {
	client "$1" <<-END
		append INBOX m1 \Seen @1000000001
		append INBOX m2 \Seen
		append INBOX m3
		append INBOX m4 \Seen \Flagged
		append INBOX m5
		append INBOX m6 \Seen @1100000001
		append INBOX m7
		append INBOX m8 Alpha
		append INBOX m9 Beta Gamma
		append INBOX m10
		append INBOX m11
		append INBOX m12
		create Work
		append Work w1 @1200000001
		append Work w2
		append Work w3 \Answered
		create Work$2Deep
		append Work$2Deep d1
		append Work$2Deep d2
		create Old
		append Old o1 @900000001
		append Old o2 \Seen
		create Empty
		create Gone
		append Gone g1
		append Gone g2
		create Entw&APw-rfe
		append Entw&APw-rfe e1 \Draft
		subscribe Work
		subscribe Old
		subscribe Gone
	END
}

# cluster LAYOUT MEMBER...: members that are equal, with a Dovecot each.
cluster() {
	LAYOUT=$1
	shift
	case $LAYOUT in fs) sep=/ ;; *) sep=. ;; esac
	mkmaildir "$1"
	chown -R "$MAIL_UID:$MAIL_UID" "$1"
	start_dovecots "$1"
	some_imap "$1" "$sep"
	mail_cluster "$@"
	first=$1
	shift
	start_dovecots "$@"
	sync_all "$first" "$@"
	equal "$first" "$@"
}

on_a() {
	client "$1" <<-END
		append INBOX a1 \Flagged @1000000011
		append INBOX a2 Alpha
		append Work a3 \Seen
		select INBOX
		copy m1 Work
		move m2 Work
		store m3 +\Seen +Alpha
		store m4 -\Flagged
		expunge m5
		store m6 +Beta
		create Made-a$2Sub
		append Made-a$2Sub a4 @1000000012
		move m10 Made-a$2Sub
		close
		rename Old Archive$2Old
		append Archive$2Old a5
		delete Gone
		rename Work$2Deep Work$2Deeper
		subscribe Made-a$2Sub
		unsubscribe Old
	END
}
on_b() {
	client "$1" <<-END
		append INBOX b1 @1000000021
		append INBOX b2 \Answered Beta
		append INBOX b3
		append Work b4
		append Old b5 \Seen @1000000022
		select INBOX
		copy m1 Old
		store m2 +\Flagged
		store m3 +\Answered +Beta
		store m4 -\Seen
		store m5 +\Seen
		move m6 Old
		expunge m7
		create Made-b
		append Made-b b6
		copy m11 Made-b
		select Work
		expunge w1
		store w3 -\Answered
		close
		subscribe Empty
		rename Empty Full
		append Full b7 \Draft
		delete Entw&APw-rfe
		subscribe Made-b
		unsubscribe Gone
	END
}
on_c() {
	client "$1" <<-END
		append INBOX c1 \Deleted
		append INBOX c2 @1000000031 Gamma
		append Work c3
		append Gone c4
		select INBOX
		store m3 +\Draft +Gamma
		move m8 Work$2Deep
		copy m9 Empty
		expunge m12
		create Made-c
		append Made-c c5
		subscribe Made-c
		unsubscribe Work
	END
}

# What the merge must give, as clients of every member see it. The messages of c are there when c is.
as_merged() {
	sep=$1
	three=$2
	shift 2
	for m; do
		client "$m" <<-END
			select INBOX
			see m1 \Seen
			see a1 \Flagged
			see a2 Alpha
			see b1
			see b2 \Answered Beta
			see b3
			see m4
			see m9 Beta Gamma
			lacks m2 m5 m6 m7 m10
			select Work
			see m1 \Seen
			see m2 \Seen \Flagged
			see a3 \Seen
			see b4
			see w3
			lacks w1
			select Work${sep}Deeper
			see d1
			see d2
			select Archive${sep}Old
			see o1
			see o2 \Seen
			see a5
			see b5 \Seen
			see m1 \Seen
			see m6 \Seen Beta
			select Made-a${sep}Sub
			see a4
			see m10
			select Made-b
			see b6
			see m11
			select Full
			see b7 \Draft
		END
		imap "$m" list >boxes
		not grep -E 'Empty|Entw| "?Old"?$|Deep"?$' boxes
		if [ "$three" = yes ]; then
			client "$m" <<-END
				select INBOX
				see m3 \Seen \Answered \Draft Alpha Beta Gamma
				see c1 \Deleted
				see c2 Gamma
				lacks m12 m8
				select Work
				see c3
				select Gone
				see c4
				lacks g1 g2
				select Work${sep}Deeper
				see m8 Alpha
				select Full
				see m9 Beta Gamma
				select Made-c
				see c5
			END
			[ "$(mail_count "$m")" = 36 ]
		else
			client "$m" <<-END
				select INBOX
				see m3 \Seen \Answered Alpha Beta
				see m8 Alpha
				see m12
			END
			not grep Gone boxes
			[ "$(mail_count "$m")" = 31 ]
		fi
		imap_dump "$m" | sed -n 's/^subscribed //p' >subscribed
		if [ "$three" = yes ]; then
			printf '%s\n' Empty "Made-a${sep}Sub" Made-b Made-c
		else
			printf '%s\n' Empty "Made-a${sep}Sub" Made-b Work
		fi | diff - subscribed
	done
}

two_apart() {
	on_a "$2" "$1"
	on_b "$3" "$1"
	sync_all "$2" "$3"
	untouched "$2" "$3"
	equal "$2" "$3"
	as_merged "$1" no "$2" "$3"
}
three_apart() {
	on_a "$2" "$1"
	on_b "$3" "$1"
	on_c "$4" "$1"
	sync_all "$2" "$3" "$4"
	untouched "$2" "$3" "$4"
	equal "$2" "$3" "$4"
	as_merged "$1" yes "$2" "$3" "$4"
}
# Clients look at everything, which moves messages from new/ to cur/; when that is known as well, nothing moves any more.
all_look() {
	for m; do
		imap "$m" uids | cut -d' ' -f1 | sort -u | sed 's/.*/select "&"/' | client "$m"
	done
}
at_rest() {
	all_look "$@"
	sync_all "$@"
	mail_heads "$@" >heads.before
	all_look "$@"
	sync_all "$@"
	mail_heads "$@" | diff heads.before -
	untouched "$@"
	equal "$@"
	for m; do as_mail git -C "$m" maildir verify; done
}

for layout in maildir++ fs; do
	case $layout in fs) s=/ p=f ;; *) s=. p=m ;; esac
	t "$layout: the clone of a member shows clients what the member shows" cluster $layout ${p}a ${p}b
	t "$layout: two members that were apart show the same mail, and what was done on each" two_apart $s ${p}a ${p}b
	t "$layout: then nothing moves any more on two members, and verify finds nothing" at_rest ${p}a ${p}b
	t "$layout: two clones show clients what the member shows" cluster $layout ${p}x ${p}y ${p}z
	t "$layout: three members that were apart show the same mail, and what was done on each" three_apart $s ${p}x ${p}y ${p}z
	t "$layout: then nothing moves any more on three members, and verify finds nothing" at_rest ${p}x ${p}y ${p}z
	t "$layout: no Dovecot has logged a warning or an error" log_is_quiet
done

stop_dovecot
done_testing
