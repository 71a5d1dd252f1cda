#!/bin/sh
#
# imap-config.t -- the configuration for Dovecot that comes with git-maildir: understood, and offers all but what cannot be replicated.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
mkmaildir a b
chown -R "$MAIL_UID:$MAIL_UID" a b
trap 'stop_dovecot; finish' EXIT
# What Debian's conf.d/15-mailboxes.conf does, too.
special='namespace inbox {
  mailbox Drafts {
    special_use = \Drafts
  }
}'
both_start() {
	start_dovecots a && start_one "$DOVECOT-b" "$TRASH/b" "$special"
}
both_start >"$HOME/out" 2>&1 || { diag <"$HOME/out"; skip_all 'Dovecot does not start here'; }

understood() {
	doveconf -n -c "$DOVECOT-a/conf" >conf 2>said
	cat said
	[ ! -s said ]
	log_is_quiet a b
	# Nothing that this Dovecot would have to be told is missing: every setting of it is one that doveconf knows.
	sed -n 's/^\([a-z_]*\) = .*/\1/p' "$SNIPPET" >settings
	[ "$(wc -l <settings)" -ge 9 ]
	while read -r name; do
		doveconf -c "$DOVECOT-a/conf" "$name"
	done <settings
}
t 'Dovecot starts with it and finds nothing obsolete or unknown in it' understood

effective() {
	sed -n 's/^\([a-z_]* = .*\)/\1/p' "$SNIPPET" | grep -v ^imap_capability >wanted
	while read -r line; do
		doveconf -c "$DOVECOT-a/conf" "${line%% =*}"
	done <wanted >effective
	diff wanted effective
}
t 'each of its settings is in effect' effective

capabilities() {
	imap b capability >default
	imap a capability >ours
	for word in CONDSTORE QRESYNC SAVEDATE; do
		grep -x "$word" default
		not grep -x "$word" ours
	done
	grep -vxE 'CONDSTORE|QRESYNC|SAVEDATE' default | diff - ours
}
t 'CONDSTORE, QRESYNC and SAVEDATE are not offered, and all else that this Dovecot offers is' capabilities

before_login() {
	python3 - "$(port a)" <<-'END'
		import socket, sys
		greeting = socket.create_connection(("127.0.0.1", int(sys.argv[1]))).makefile().readline()
		print(greeting)
		sys.exit(any(word in greeting for word in ("CONDSTORE", "QRESYNC", "SAVEDATE")) or "AUTH=PLAIN" not in greeting)
	END
}
t 'nor are they in the greeting' before_login

installed() {
	make -C "$TOP" -s install O="$BUILD" DESTDIR="$TRASH/root" PREFIX=/usr -o all
	cmp "$SNIPPET" "$TRASH/root/usr/share/git-maildir/dovecot-git-maildir.conf"
}
t 'make install brings it along' installed

stop_dovecot
done_testing
