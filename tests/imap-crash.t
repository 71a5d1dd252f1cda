#!/bin/sh
#
# imap-crash.t -- sync is killed with -9 at random moments while clients have folders open: the next sync puts all right, no UID ever means two mails,
# and clients in IDLE come to know all of it. KILLS times, from SEED.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
KILLS=${KILLS:-40} SEED=${SEED:-1}
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	begin_as_one <<-'END'
		create Work
	END
}
t 'two members begin as one' together_at_first

killed() {
	timeout 600 python3 "$TOP/tests/imapcrash.py" "$TRASH" "$KILLS" "$SEED" "a=$(port a)" "b=$(port b)"
}
t "sync killed $KILLS times: after the next one all see one mail, nothing is lost or doubled, no UID means two mails" killed
sed -n '/kills,/p' "$HOME/out" | diag

of_a_uid() {
	timeout 600 python3 "$TOP/tests/imapwake.py" "$TRASH" "a=$(port a)" "b=$(port b)"
}
told='a client in IDLE is told of a UID that changed, wherever the sync that changed it was killed'
if command -v strace >/dev/null && strace -o "$HOME/try" -e inject=rmdir:signal=KILL:when=9 true 2>/dev/null; then
	t "$told" of_a_uid
	sed -n '/the client knew/p' "$HOME/out" | diag
else
	skip "$told" 'needs strace, and strace that may inject signals'
fi

hidden() {
	timeout 600 python3 "$TOP/tests/imaphidden.py" "$TRASH" 6 "a=$(port a)" "b=$(port b)"
}
t 'a client in IDLE is told of what a sync changed, though another saves mail in the folder before it has looked' hidden
sed -n '/ in time, /p' "$HOME/out" | diag

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
