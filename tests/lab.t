#!/bin/sh
#
# lab.t -- the laboratory itself (scripts/lab): its hosts are mail servers, which can be cut off, stopped and destroyed, and it leaves nothing.
# shellcheck source=tests/lib.sh disable=SC2016,SC2030,SC2031,SC2086,SC2094,SC2119
. ./tests/lib.sh
# shellcheck source=tests/lab.sh
. "$TOP/tests/lab.sh"
need_lab

# What there is of the machine's own that a laboratory must not touch.
around() {
	ip -o link | sed 's/ qlen.*//'
	ip route
	ip rule
	ls /run/netns 2>/dev/null
	cut -d ' ' -f 1-5 /proc/self/mountinfo | sort
	cat /proc/sys/kernel/hostname
}

three_hosts_are_mail_servers() {
	around >"$HOME/before"
	lab up a b c
	lab status >status
	for host in a b c; do
		grep "^$host: .*, up: sshd dovecot postfix" status
		[ "$(lab exec $host hostname)" = $host ]
		[ "$(lab exec $host --user pwd)" = /home/joe ]
	done
	[ "$(for host in a b c; do lab exec $host --user id -u; done | sort -u | wc -l)" = 3 ]
}
t 'Three hosts are up: each with a name, a user, sshd, Dovecot and Postfix of its own.' three_hosts_are_mail_servers

# They are no members yet.
mail_comes_in() {
	lab deliver all --maildir
	labwork <<-'END'
		for host in lab.hosts():
		    with lab.watch(host) as seen:
		        lab.deliver(host, "to-" + host)
		        seen.arrival("to-" + host)
		    assert lab.stored(host) == {"to-" + host: 1}, lab.stored(host)
		    assert [m[0] for m in lab.view(host)["INBOX"][2].values()] == ["to-" + host], lab.view(host)
		    assert "postfix/local" in lab.log(host, "postfix")
	END
}
t 'Mail that Postfix takes is in the Maildir, and an IMAP client of that host hears of it.' mail_comes_in

unknown_users_are_refused() {
	labwork <<-'END'
		try:
		    lab.deliver("a", "wrong", to="nobody-there@example.org")
		except smtplib.SMTPRecipientsRefused:
		    sys.exit(0)
		sys.exit("it was accepted")
	END
}
t 'Mail for a user who is not there is refused.' unknown_users_are_refused

# reaches FROM TO [SECONDS]: git's half of ssh gets an answer, with the forced command and without.
reaches() {
	lab exec "$1" --user ssh -o ConnectTimeout="${3:-20}" "$2" "git-upload-pack 'no-such.git'" </dev/null >"$HOME/reached" 2>&1 || true
	grep -q . "$HOME/reached" && not grep -E 'timed out|Permission denied|unreachable|refused|verification failed' "$HOME/reached"
}
users_log_in_by_key() {
	for from in a b c; do
		for to in a b c; do
			[ $from = $to ] || reaches $from $to
		done
	done
}
t 'The mail user of each host may go to the others by ssh, with a key.' users_log_in_by_key

nothing_leaves() {
	for host in a b c; do
		lab exec $host ip route >routes
		not grep default routes
		[ "$(lab exec $host ip -o link | wc -l)" = 2 ]
		status_is 2 lab exec $host --user ip route get 192.0.2.1
		# What is outside of the host cannot be written, or seen.
		not lab exec $host touch /usr/bin/lab-was-here
		not lab exec $host test -e "$TRASH"
	done
}
t 'No host has a way to anywhere but the other hosts.' nothing_leaves

cuts() {
	lab status | grep -c cut: || true
}
cut_and_healed() {
	lab cut a b
	lab status | grep 'cut: from a to b'
	before=$(date +%s)
	not reaches a b 3
	cat "$HOME/reached"
	grep 'timed out' "$HOME/reached"
	[ $(($(date +%s) - before)) -ge 2 ]
	not reaches b a 1
	reaches a c
	reaches c b
	lab heal a b
	reaches a b
	reaches b a
	lab cut c
	not reaches a c 1
	not reaches c b 1
	reaches a b
	lab heal all
	reaches a c
	[ "$(cuts)" = 0 ]
}
t 'A link that is cut loses everything in silence, in both directions, and works again when it is healed.' cut_and_healed

one_way() {
	lab cut a b oneway
	[ "$(lab status | grep cut:)" = 'cut: from a to b' ]
	# Datagrams show it: from b to a they still go.
	for way in 'b a arrived' 'a b lost'; do
		set -- $way
		lab exec "$2" /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 9999))
s.settimeout(2)
print("ready", flush=True)
try:
    print(s.recv(100) and "arrived")
except TimeoutError:
    print("lost")' >heard &
		soon grep ready heard
		lab exec "$1" /usr/bin/python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('$2', 9999))"
		wait
		[ "$(tail -n 1 heard)" = "$3" ]
	done
	lab heal a b
}
t 'A link can be cut in one direction.' one_way

stopped_and_started() {
	lab exec a --user touch kept /tmp/gone
	lab exec a --user sleep 1000 &
	grep -c 'daemon started' "$LAB/a/log/postfix" >"$HOME/starts"
	lab stop a
	wait
	not lab exec a true
	lab status | grep '^a: .*stopped'
	not reaches b a 1
	grep 'timed out' "$HOME/reached"
	lab start a
	lab exec a test -e /home/joe/kept
	not lab exec a test -e /tmp/gone
	[ "$(lab exec a cat /proc/sys/kernel/random/boot_id)" != "$(cat /proc/sys/kernel/random/boot_id)" ]
	reaches b a
	labwork <<-'END'
		assert lab.stored("a") == {"to-a": 1}, lab.stored("a")
		lab.deliver("a", "again")
		with lab.watch("a") as seen:
		    assert "to-a" in seen.session.names.values()
		with open(os.environ["HOME"] + "/starts") as f:
		    assert lab.log("a", "postfix").count("daemon started") == int(f.read()) + 1
	END
}
t 'A host that is stopped is silent, and boots again with what was on its disk.' stopped_and_started

services_are_killed() {
	for service in sshd dovecot postfix; do
		for verb in kill stop; do
			lab service b $service status
			lab service b $service $verb
			status_is 1 lab service b $service status
			lab service b $service start
		done
	done
	labwork <<-'END'
		lab.deliver("b", "after")
		lab.imap("b").close()
	END
	reaches a b
	status_is 1 lab service b mailman status
}
t 'Each service of a host can be stopped, killed and started.' services_are_killed

hosts_replicate() {
	lab destroy a b c
	lab start a b c
	labwork <<-'END'
		assert not any(lab.stored(host) for host in "abc")
	END
	lab cluster
	lab deliver all
	labwork <<-'END'
		lab.deliver("a", "one")
		lab.deliver("b", "two")
		for host in "abc":
		    with lab.watch(host) as seen:
		        lab.git(host, "maildir", "sync")
		lab.wait_until_equal("a b c".split(), 60)
		lab.stays_equal()
		assert lab.stored("c") == {"one": 1, "two": 1}, lab.stored("c")
	END
}
t 'The hosts become members, and what comes in at one is on all, over ssh.' hosts_replicate

destroyed_and_joined() {
	lab cut b c
	lab destroy a
	[ ! -e "$LAB/a/disk" ]
	lab status | grep '^a: .*destroyed'
	lab heal all
	lab start a
	not test -e "$LAB/a/home/joe/Maildir.git"
	lab join a b
	lab add d
	lab join d c
	labwork <<-'END'
		lab.wait_until_equal("a b c d".split(), 60)
		assert lab.stored("a") == lab.stored("d") == {"one": 1, "two": 1}, lab.stored("a")
	END
	for host in a b c d; do
		[ "$(lab exec $host --user git -C Maildir maildir peer list | wc -l)" = 3 ]
	done
}
t 'A host that was destroyed has nothing; it joins anew, as a further host does.' destroyed_and_joined

two_at_once() {
	(
		LAB=$TRASH/other
		lab up a x
		lab exec a touch /root/other
		lab cut a x
		[ "$(cuts)" = 2 ]
	)
	not lab exec a test -e /root/other
	[ "$(cuts)" = 0 ]
	(
		LAB=$TRASH/other
		lab down
	)
	lab exec a true
}
t 'Two laboratories know nothing of each other.' two_at_once

# processes: those of a laboratory below $TRASH: those that started it, by their arguments, and those of its own pid namespace.
processes() {
	for process in /proc/[0-9]*; do
		grep -qsaF "LAB=$TRASH/" "$process/cmdline" && echo "$process"
		[ "$(readlink "$process/ns/pid")" = "$(readlink /proc/self/ns/pid)" ] || grep -lsaF "LAB=$TRASH/" "$process/environ" || true
	done
}
down_leaves_nothing() {
	pid=$(lab pid b)
	processes >"$HOME/processes"
	[ -s "$HOME/processes" ]
	lab down
	[ ! -e "/proc/$pid" ]
	processes >"$HOME/processes"
	not grep . "$HOME/processes"
	[ ! -e "$LAB" ]
	around >"$HOME/after"
	diff "$HOME/before" "$HOME/after"
}
t 'Down leaves no process, no interface, no mount and no file.' down_leaves_nothing

owner_is_killed() {
	sh -c 'LAB_OWNER=$$ "$0" up a && touch up && exec sleep 1000' "$TOP/scripts/lab" &
	owner=$!
	tries=0
	until [ -e up ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ]
		sleep 0.1
	done
	pid=$(lab pid a)
	kill -9 $owner
	soon test ! -e "/proc/$pid"
	status_is 1 lab up a
	lab down
	[ ! -e "$LAB" ]
}
t 'A laboratory ends with the process that owns it.' owner_is_killed

bad_words() {
	for words in 'up' 'cut' 'exec' 'service a' 'frobnicate'; do
		# shellcheck disable=SC2086 # words are meant
		status_is 2 lab $words 2>said
		grep '^lab: ' said
	done
	for words in 'status' 'exec a true' 'stop a' 'cut a b' 'down' 'heal all' 'up A' 'up a/b'; do
		# shellcheck disable=SC2086 # words are meant
		status_is 1 lab $words 2>said
		[ "$(grep -c '^lab: ' said)" = 1 ]
		[ ! -d "$LAB/.lab" ] || lab down
	done
	lab help | grep 'scripts/lab up'
}
t 'What is asked for wrongly, or is not there, gets a line that says so.' bad_words

done_testing
