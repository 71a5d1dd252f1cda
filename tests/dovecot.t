#!/bin/sh
#
# dovecot.t -- a real Dovecot serves members: it sees no repository, and its open sessions see at once what a sync does.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
some_mail a
chown -R "$MAIL_UID:$MAIL_UID" a
trap 'stop_dovecot; finish' EXIT
start_dovecot >"$HOME/out" 2>&1 || { diag <"$HOME/out"; skip_all 'Dovecot does not start here'; }
# Dovecot gives a folder its UIDVALIDITY by the clock when it first sees it: once, before there is a second member.
begin() {
	"$IMAP" "$PORT" a status INBOX
	"$IMAP" "$PORT" a status Work
	mail_pair a b
}
begin >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no pair of members"; exit 1; }

# The repository is beside the Maildir, and a file .git in it: neither is a folder.
list_shows_mail_only() {
	for user in a b; do
		"$IMAP" "$PORT" "$user" list | tee list
		grep -q ' INBOX$' list
		grep -q ' Work$' list
		[ "$(wc -l <list)" = 2 ]
		if grep -i git list; then return 1; fi
	done
}
t 'LIST shows the folders of mail and none for the repository' list_shows_mail_only

messages_are_served() {
	for user in a b; do
		[ "$("$IMAP" "$PORT" "$user" status INBOX)" = 4 ]
		[ "$("$IMAP" "$PORT" "$user" status Work)" = 1 ]
	done
}
t 'Dovecot serves the mail of a clone' messages_are_served

# A session that idles on b is told what happened on a.
session_sees() {
	word=$1
	shift
	rm -f ready
	"$IMAP" "$PORT" b idle "$TRASH/ready" "$word" 20 >seen &
	idler=$!
	soon test -e ready
	"$@"
	as_mail git -C a maildir sync --no-push
	as_mail git -C b maildir sync --no-push
	wait "$idler"
	cat seen
}
flag_on_disk() {
	mv a/cur/1700000002.M1P1.host:2,S a/cur/1700000002.M1P1.host:2,FS
}
t 'an open IDLE session sees a flag that a sync sets' session_sees Flagged flag_on_disk

flag_by_imap() {
	"$IMAP" "$PORT" a store 'HEADER Subject First' '\Answered'
}
t 'an open IDLE session sees a flag that a client of the other member stored' session_sees Answered flag_by_imap

both_agree() {
	as_mail git -C a maildir sync --no-push
	as_mail git -C b maildir sync --no-push
	same_mail a b
	for user in a b; do
		[ "$("$IMAP" "$PORT" "$user" status INBOX)" = 4 ]
	done
}
t 'both members hold the same mail, and Dovecot serves it' both_agree

folder_by_imap() {
	"$IMAP" "$PORT" a create 'Work.Sub'
	as_mail git -C a maildir sync --no-push
	as_mail git -C b maildir sync --no-push
	"$IMAP" "$PORT" b list | grep ' Work\.Sub$'
	"$IMAP" "$PORT" b delete 'Work.Sub'
	as_mail git -C b maildir sync --no-push
	as_mail git -C a maildir sync --no-push
	"$IMAP" "$PORT" a list >list.a
	if grep ' Work\.Sub$' list.a; then return 1; fi
	[ ! -d a/.Work.Sub ]
	same_mail a b
}
t 'a folder that a client creates is there on the other member, and goes when a client there deletes it' folder_by_imap

t 'the log of Dovecot has no warning and no error' log_is_quiet

stop_dovecot
done_testing
