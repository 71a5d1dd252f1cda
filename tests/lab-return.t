#!/bin/sh
#
# lab-return.t -- mail servers that were away, and those that are new, in a cluster in which mail flows all the time.
# shellcheck source=tests/lib.sh disable=SC2119
. ./tests/lib.sh
# shellcheck source=tests/lab.sh
. "$TOP/tests/lab.sh"
need_lab

three_servers() {
	lab_cluster a b c
	lab_inbox Work
}
t 'Three mail servers are one cluster.' three_servers

took() {
	grep '^# ' "$HOME/out"
}

was_down() {
	labwork <<-'END'
		from labflow import *
		lab.deliver("c", "first")
		note("first")
		complete("before")
		lab.stop("c")
		with mail("a", "b"):
		    client = lab.imap("a")
		    client.select("INBOX")
		    client.move(client.the("first"), "Work")
		    client.command("CREATE Made")
		    client.append("Made", "appended", ["\Flagged", "Keyword"], 1000000000)
		    note("appended")
		    client.close()
		    time.sleep(2)
		    lab.start("c")
		    time.sleep(0.5)
		complete("a host that was down, after it is up again")
	END
}
t 'A server that was down while others went on catches up when it starts.' was_down
took

new_disk() {
	labwork <<-'END'
		from labflow import *
		with mail("a", "b"):
		    lab.destroy("c")
		    time.sleep(1)
		    lab.start("c")
		    lab.join("c", "a")
		complete("a host with a new disk, after it was cloned")
		with mail("a", "b", "c"):
		    lab.add("d")
		    lab.join("d", "b")
		complete("a fourth host, after it was cloned")
		lab.deliver("d", "from-d")
		lab.deliver("c", "from-c")
		note("from-d from-c")
		complete("mail to the new ones")
	END
}
t 'A server whose disk was lost, and a new one, join the running cluster from a peer.' new_disk
took

done_testing
