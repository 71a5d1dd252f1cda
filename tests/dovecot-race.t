#!/bin/sh
#
# dovecot-race.t -- four IMAP sessions of a real Dovecot store flags, append and expunge on both members while both sync.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
SECONDS_OF_STRESS=${SECONDS_OF_STRESS:-12}
mkmaildir a
n=100
while [ $n -lt 200 ]; do
	n=$((n + 1))
	mkmsg a cur "1700000$n.M1P1.host:2,S" "Mail $n"
done
mail_pair a b >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo "Bail out! no pair of members"; exit 1; }
trap 'stop_dovecot; finish' EXIT
start_dovecot >"$HOME/out" 2>&1 || { diag <"$HOME/out"; skip_all 'Dovecot does not start here'; }

at_rest() {
	as_mail git -C a maildir sync >/dev/null && as_mail git -C b maildir sync >/dev/null &&
		[ "$(as_mail git -C a rev-parse HEAD)" = "$(as_mail git -C b rev-parse HEAD)" ] &&
		[ -z "$(as_mail git -C a status --porcelain)$(as_mail git -C b status --porcelain)" ]
}

# Pushes start syncs in the background as well, as in real life. The INBOX has its UIDVALIDITY from one server before the other sees it.
sessions_and_syncs() {
	"$IMAP" "$PORT" a status INBOX
	as_mail git -C a maildir sync
	soon at_rest
	clients=
	for user in a b; do
		for seed in 1 2; do
			"$IMAP" "$PORT" "$user" stress "$SECONDS_OF_STRESS" "$seed" >"mail.$user$seed" 2>"errors.$user$seed" &
			clients="$clients $!"
		done
	done
	rounds=0
	for client in $clients; do
		while kill -0 "$client" 2>/dev/null; do
			as_mail git -C a maildir sync >>syncs 2>&1 || { echo "sync of a: status $?"; tail -n 3 syncs; return 1; }
			as_mail git -C b maildir sync >>syncs 2>&1 || { echo "sync of b: status $?"; tail -n 3 syncs; return 1; }
			rounds=$((rounds + 1))
		done
	done
	for client in $clients; do
		wait "$client" || { echo "a session ended with status $?"; cat errors.*; return 1; }
	done
	echo "$rounds rounds"
	[ "$rounds" -ge 3 ]
}
t 'all sessions and all syncs end well' sessions_and_syncs

members_agree() {
	soon at_rest
	same_mail a b
	for m in a b; do
		as_mail git -C "$m" fsck --strict --no-dangling --no-progress 2>&1 | tee fsck
		[ ! -s fsck ]
		(cd "$m" && find . -path '*/tmp/*') | tee left
		[ ! -s left ]
	done
}
t 'in the end both members hold the same mail, at the same commit' members_agree

# The sessions said what they appended and what they expunged; nobody else deletes.
nothing_lost_or_doubled() {
	cat mail.a1 mail.a2 mail.b1 mail.b2 | sort >said
	sed -n 's/^kept //p' said >kept
	n=100
	while [ "$n" -lt 200 ]; do
		n=$((n + 1))
		echo "Mail $n"
	done >>kept
	sort kept >wanted
	grep -c '^gone' said
	[ "$(wc -l <wanted)" -gt 120 ]
	for user in a b; do
		find "$user" -type f \( -path '*/cur/*' -o -path '*/new/*' \) -exec cat {} + | tr -d '\r' | sed -n 's/^Subject: //p' | sort >there
		diff wanted there
	done
}
t 'what was appended is there once, what was expunged is gone, and nothing else is missing' nothing_lost_or_doubled

t 'the log of Dovecot has no warning and no error' log_is_quiet

stop_dovecot
done_testing
