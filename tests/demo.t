#!/bin/sh
#
# demo.t -- the demo, which exits with 0 only if all three members end up the same.
# shellcheck source=tests/lib.sh
. ./tests/lib.sh

made_mail() {
	cd "$TOP"
	TMPDIR=$TRASH scripts/demo >"$TRASH/out"
	grep -q 'All three hold the same' "$TRASH/out"
	grep -q 'durable on two members' "$TRASH/out"
	grep -q 'mx2 and mx3 have it after' "$TRASH/out"
	not grep -q "$(printf '\033')" "$TRASH/out"
	[ -z "$(ls -d "$TRASH"/git-maildir-demo.* 2>/dev/null)" ]
}
t 'three members that were apart tell their story and end with the same mail' made_mail

own_mail() {
	some_mail own
	files_of own >before
	TMPDIR=$TRASH "$TOP/scripts/demo" own >out
	grep -q 'All three hold the same' out
	files_of own >after
	diff before after
}
t 'with a Maildir of the user it works on a copy and leaves the original alone' own_mail

refuses() {
	mkdir no-mail
	status_is 3 "$TOP/scripts/demo" no-mail 2>err
	[ "$(wc -l <err)" = 1 ]
	grep -q no-mail err
}
t 'what is no Maildir is refused in one line' refuses

done_testing
