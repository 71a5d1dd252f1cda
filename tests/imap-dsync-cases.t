#!/bin/sh
#
# imap-dsync-cases.t -- what members that were apart can do to confuse a synchronisation, and where Dovecot's own dsync of 2.3 goes wrong: it loses mail, or
# never comes to rest. Here each converges, with nothing lost, and clients see the same.
. ./tests/lib.sh
# shellcheck source=tests/dovecot.sh
. "$TOP/tests/dovecot.sh"

need_dovecot
trap 'stop_dovecot; finish' EXIT
together_at_first() {
	begin_as_one <<-'END'
		append INBOX m1
		append INBOX m2 \Seen
		append INBOX m3
		append INBOX m4
		append INBOX m5
		create Old
		append Old o1
		append Old o2
		create Older
		append Older p1
		append Older p2
		create Archive
	END
}
t 'two members begin as one' together_at_first

# both_show COUNT: after a sync both show the same, COUNT messages in all, and what standard input says is true on both.
both_show() {
	cat >script
	sync_all a b
	equal a b
	# Dovecot may have noted sizes in its list of UIDs, while it was asked.
	sync_all a b
	for m in a b; do
		as_mail git -C "$m" maildir verify
		client "$m" <script
		[ "$(mail_count "$m")" = "$1" ]
	done
	# That clients looked, which moves messages from new/ to cur/, is the last thing that happened.
	sync_all a b
	for m in a b; do client "$m" <script; done
	mail_heads a b >heads.before
	sync_all a b
	mail_heads a b | diff heads.before -
}

# Two servers gave two messages one name. Their UIDs are equal as well.
same_name() {
	for m in a b; do
		name=1700000001.M1P1.host
		mkmsg "$TRASH/$m" new "$name" "Written on $m"
		chown "$MAIL_UID:$MAIL_UID" "$m/new/$name"
		imap "$m" uids INBOX | grep "^INBOX [0-9]* 6 $name"
	done
	both_show 11 <<-'END'
		select INBOX
		see m1
	END
	for m in a b; do
		find "$m/cur" "$m/new" -type f -exec cat {} + | sed -n 's/^Subject: Written on //p' | sort >written
		printf 'a\nb\n' | diff - written
		# Neither can have kept the UID that meant both.
		imap "$m" uids INBOX | cut -d' ' -f3 | not grep -x 6
	done
}
t 'a message of the same name with other content on each member: both are there, on both' same_name

deleted_against_new() {
	client "$1" <<-END
		delete $3
	END
	client "$2" <<-END
		append $3 $4
	END
	both_show "$5" <<-END
		select $3
		see $4
		lacks o1 o2 p1 p2
	END
}
t 'a folder deleted on a, with new mail on b: the new mail stays' deleted_against_new a b Old new1 10
t 'a folder deleted on b, with new mail on a: the new mail stays' deleted_against_new b a Older new2 9

same_new_folder() {
	client a <<-'END'
		create Both
		append Both both1 \Seen
		append Both both2
	END
	client b <<-'END'
		create Both
		append Both both3 \Flagged
	END
	both_show 12 <<-'END'
		select Both
		see both1 \Seen
		see both2
		see both3 \Flagged
	END
}
t 'the same new folder on both: one folder with the mail of both' same_new_folder

moved_against_flagged() {
	client a <<-'END'
		select INBOX
		move m1 Archive
	END
	client b <<-'END'
		select INBOX
		store m1 +\Flagged +Urgent
	END
	both_show 12 <<-'END'
		select INBOX
		lacks m1
		select Archive
		see m1 \Flagged Urgent
	END
}
t 'moved on a, flagged on b: moved, with the flags' moved_against_flagged

# The same mail came to both by two ways, and was looked at on both.
identical_mail() {
	client a <<-'END'
		append INBOX twin \Seen
		select INBOX
		store twin +Here
	END
	client b <<-'END'
		append INBOX twin \Flagged @1000000000
		select INBOX
		store twin +There
	END
	both_show 13 <<-'END'
		select INBOX
		see twin \Seen \Flagged Here There
	END
}
t 'identical mail with other flags on each member: once, with the flags of both' identical_mail
t 'no Dovecot has logged a warning or an error' log_is_quiet

stop_dovecot
done_testing
