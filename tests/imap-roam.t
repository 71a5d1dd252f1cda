#!/bin/sh
#
# imap-roam.t -- a client program that keeps a cache (mbsync of isync) moves from one member to another, and finds that the cache is valid.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
command -v mbsync >/dev/null || skip_all 'needs mbsync, of isync'
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	mkmaildir a
	chown -R "$MAIL_UID:$MAIL_UID" a
	start_dovecots a
	{
		n=0
		while [ "$n" -lt 30 ]; do
			n=$((n + 1))
			echo "append INBOX m$n \\Seen @$((1100000000 + n))"
		done
		cat <<-'END'
			create Work
			append Work w1 \Flagged
			append Work w2 \Answered @1000000000
			create Work.Sub
			append Work.Sub s1
			create Empty
		END
	} | client a
	mail_pair a b
	start_dovecots b
	client a <<-'END'
		append INBOX a1
		append Work a2 \Seen
		select INBOX
		expunge m3
	END
	client b <<-'END'
		append INBOX b1 @1000000001
		append INBOX b2
		select INBOX
		store m4 +\Flagged
		move m5 Work
	END
	sync_all a b
	equal a b
	mkdir local
	for m in a b; do
		cat >"mbsync.$m" <<-END
			IMAPAccount server
			Host 127.0.0.1
			Port $(port "$m")
			User mail
			Pass pw
			SSLType None
			AuthMechs PLAIN

			IMAPStore far
			Account server

			MaildirStore near
			Path $TRASH/local/
			Inbox $TRASH/local/INBOX
			SubFolders Verbatim

			Channel mail
			Far :far:
			Near :near:
			Patterns *
			Create Near
			Remove Near
			Expunge Both
			CopyArrivalDate yes
			SyncState *
		END
	done
}
t 'two members that were apart and met again' together_at_first

fetch_from() {
	status=0
	mbsync -c "mbsync.$1" -V mail >said 2>&1 || status=$?
	cat said
	[ "$status" = 0 ]
	# It says so of its own folders when it makes them.
	sed '/^Maildir notice: no UIDVALIDITY, creating new/d' said | not grep -iE 'uidvalidity|warning|error|lost'
}
# What the client has: names, flags, dates, and its notes.
client_has() {
	find local -type f -printf '%p %T@ ' -exec sha1sum {} \; | sort
}
first_fetch() {
	fetch_from a
	[ "$(find local -type f -path '*/cur/*' -o -type f -path '*/new/*' | wc -l)" = 36 ]
	fetch_from a
	client_has >had
}
t 'mbsync loads everything from one member' first_fetch

roams() {
	imap_dump a >before.a
	imap_dump b >before.b
	fetch_from b
	client_has | sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' >has
	sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' had | diff - has
	imap_dump b | diff before.b -
	imap_dump a | diff before.a -
	fetch_from a
}
t 'pointed at the other member it transfers nothing: no message, no flag, no deletion' roams

one_more() {
	client b <<-'END'
		append INBOX fresh \Flagged
	END
	fetch_from b
	find local -type f -printf '%p\n' | sort >files
	sed 's/ .*//' had | diff - files >more.txt || true
	cat more.txt
	[ "$(grep -c '^>' more.txt)" = 1 ]
	[ "$(grep -c '^<' more.txt)" = 0 ]
	# It is the same message on a, then, and nothing to load.
	sync_all a b
	equal a b
	client_has >had
	fetch_from a
	client_has | sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' >has
	sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' had | diff - has
}
t 'a new message on the other member is transferred, once' one_more

# What the client does to its own copy goes to the member it is at, and from there to the other.
client_changes() {
	file=$(find local/INBOX -name '*:2,FS' | head -n 1)
	[ -n "$file" ]
	mv "$file" "${file%FS}FRS"
	fetch_from b
	sync_all a b
	equal a b
	client_has >had
	fetch_from a
	client_has | sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' >has
	sed 's/\.mbsyncstate [^ ]*/.mbsyncstate/' had | diff - has
	imap a uids INBOX | grep '\\Answered.*\\Flagged'
}
t 'a flag that the client set at one member is there at the other' client_changes
t 'no Dovecot has logged a warning or an error' log_is_quiet

stop_dovecot
done_testing
