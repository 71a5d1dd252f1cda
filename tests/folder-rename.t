#!/bin/sh
#
# folder-rename.t -- a client of one member renames a folder: on the others its directory is renamed, with all that is in it and all that comes.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
ROUNDS=${ROUNDS:-8} MAILS=${MAILS:-300}
trap 'stop_dovecot; finish' EXIT

# begin LAYOUT A B
begin() {
	LAYOUT=$1
	mkmaildir "$2"
	chown -R "$MAIL_UID:$MAIL_UID" "$2"
	start_dovecots "$2"
	echo 'append INBOX first' | client "$2"
	mail_pair "$2" "$3"
	start_dovecots "$3"
	sync_all "$2" "$3"
	equal "$2" "$3"
}
busy_folder() {
	timeout 300 python3 "$TOP/tests/renamework.py" "$TRASH" "$ROUNDS" "$MAILS" "$3" "$1=$(port "$1")" "$2=$(port "$2")"
}

for layout in maildir++ fs; do
	case $layout in fs) s=/ dot='' p=f ;; *) s=. dot=. p=m ;; esac
	t "$layout: two members begin" begin $layout ${p}a ${p}b
	t "$layout: mail that comes all the time while a peer's rename is applied is never left under the old name, nor lost" busy_folder ${p}a ${p}b "$dot"
	sed -n '/^[0-9]* messages came/p' "$HOME/out" | diag
	t "$layout: no Dovecot has logged a warning or an error" log_is_quiet
done

stop_dovecot
done_testing
