#!/bin/sh
#
# imap-load.t -- many sessions work in one folder of a member while sync brings it what happens on another: nobody is told what is not so.
# SESSIONS for SECONDS_OF_LOAD, from SEED.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
SESSIONS=${SESSIONS:-20} SECONDS_OF_LOAD=${SECONDS_OF_LOAD:-30} SEED=${SEED:-1}
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	begin_as_one <<-'END'
		create Work
	END
}
t 'two members begin as one' together_at_first

load() {
	timeout 600 python3 "$TOP/tests/imapload.py" "$TRASH" "$SESSIONS" "$SECONDS_OF_LOAD" "$SEED" "a=$(port a)" "b=$(port b)"
}
t "$SESSIONS sessions work for $SECONDS_OF_LOAD s while sync goes on: no message goes that nobody deleted, no UID changes but after a clash" load
sed -n '/operations in/p' "$HOME/out" | diag

in_the_end() {
	sync_all a b
	equal a b
	for m in a b; do as_mail git -C "$m" maildir verify; done
}
t 'in the end both members hold the same, and verify finds nothing' in_the_end
t 'no Dovecot has logged a warning or an error' log_is_quiet

stop_dovecot
done_testing
