#!/bin/sh
#
# lab-partition.t -- three mail servers are cut off from each other again and again while mail comes in and clients work on all of them; when the
# links are healed, all have the same mail again, without anybody doing anything.
# LAB_PARTITIONS times (default 5), LAB_SECONDS of work in each, from LAB_SEED.
# shellcheck source=tests/lib.sh disable=SC2086,SC2119
. ./tests/lib.sh
# shellcheck source=tests/lab.sh
. "$TOP/tests/lab.sh"
need_lab
LAB_PARTITIONS=${LAB_PARTITIONS:-5} LAB_SECONDS=${LAB_SECONDS:-2.5} LAB_SEED=${LAB_SEED:-$(date +%s)}

three_servers() {
	lab_cluster a b c
	lab_inbox Work
	# Nobody waits long for peers that are cut off.
	lab deliver all --ack=1 --ack-timeout=1
}
t 'Three mail servers are one cluster.' three_servers

partitions() {
	PYTHONDONTWRITEBYTECODE=1 timeout $((LAB_PARTITIONS * 60 + 60)) python3 "$TOP/tests/labpartition.py" "$LAB_PARTITIONS" "$LAB_SECONDS" "$LAB_SEED" 30
}
t "They are cut off from each other $LAB_PARTITIONS times: when they meet again, all have the same mail, none is lost or doubled, and then there is rest." partitions
grep '^# ' "$HOME/out"

in_the_end() {
	for host in a b c; do
		lab exec $host --user git -C Maildir maildir verify
		lab exec $host --user git -C Maildir fsck --strict --no-dangling --no-progress 2>&1 | tee fsck
		[ ! -s fsck ]
	done
}
t 'Every message of every server is sound.' in_the_end

# Dovecot has a folder for a moment before it has its list of UIDs. A record that comes just then makes the list, with another UIDVALIDITY. And a client that is just about to save a
# message when another server's rename of the folder comes is refused; Dovecot does not find its temporary file then.
t 'No mail server saw anything that it warns of.' lab_logs_are_quiet \
	'own-.*UIDVALIDITY changed|open-.*UIDVALIDITY changed|unlink\(.*/\.open-[^ ]*/tmp/.*No such file or directory \(in maildir-save'

done_testing
