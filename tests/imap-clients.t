#!/bin/sh
#
# imap-clients.t -- clients that stay with a member see everything, are never disconnected, and a UID that they saw never means another mail.
# OPERATIONS on each member, in PARTITIONS times in which the members are apart, from SEED.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
OPERATIONS=${OPERATIONS:-2000} PARTITIONS=${PARTITIONS:-20} SEED=${SEED:-1}
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	begin_as_one <<-'END'
		create Work
	END
}
t 'two members begin as one' together_at_first

clients() {
	timeout 600 python3 "$TOP/tests/imapclients.py" "$TRASH" "$OPERATIONS" "$PARTITIONS" "$SEED" "a=$(port a)" "b=$(port b)"
}
t "$OPERATIONS operations on each of two members, $PARTITIONS times apart: clients see one mail, nothing is lost or doubled, no UID means two mails" clients
sed -n '/operations:\|partitions,/p' "$HOME/out" | diag

in_the_end() {
	sync_all a b
	equal a b
	for m in a b; do
		as_mail git -C "$m" maildir verify
		as_mail git -C "$m" fsck --strict --no-dangling --no-progress 2>&1 | tee fsck
		[ ! -s fsck ]
	done
}
t 'in the end both members hold the same, and verify finds nothing' in_the_end
t 'no Dovecot has logged a warning or an error but for a folder that was renamed while it was at work there' log_is_quiet_but_for_renames

stop_dovecot
done_testing
