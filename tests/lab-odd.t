#!/bin/sh
#
# lab-odd.t -- a cluster in which mail flows, and in which there is mail that is large or has no header, a clock that is wrong by a year, and a disk that is full.
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

odd_mail() {
	labwork <<-'END'
		from labflow import *
		import hashlib
		def hashes(host):
		    found = []
		    for sub in ("new", "cur"):
		        folder = lab.maildir(host) + "/" + sub
		        for name in os.listdir(folder):
		            with open(folder + "/" + name, "rb") as f:
		                found.append(hashlib.sha1(f.read()).hexdigest())
		    return sorted(found)

		before = len(hashes("a"))
		line = "x" * 74 + "\r\n"
		with mail("c"):
		    lab.deliver("a", "big", imap.mail("big") + line * (50 * 1024 * 1024 // len(line)))
		    note("big")
		    lab.deliver("b", "", "\r\nThere is no header.\r\n")
		    lab.deliver("b", "", "Nor is there one here, or an end of line")
		    began = time.monotonic()
		    while not all(lab.stored(host)["big"] == 1 for host in lab.hosts()):
		        assert time.monotonic() < began + 60
		        time.sleep(0.05)
		    print(f"# a message of 50 MB is on all hosts {time.monotonic() - began:.1f} s after it was accepted")
		complete("all of them")
		all_hashes = {host: hashes(host) for host in lab.hosts()}
		assert len({str(h) for h in all_hashes.values()}) == 1, all_hashes
		assert len(all_hashes["a"]) >= before + 3, (before, all_hashes)
		client = lab.imap("b")
		client.select("INBOX")
		client.expunge(client.the("big"))
		client.close()
		forget("big")
		complete("without it")
	END
}
t 'A message of 50 MB and messages without a header are mail like any other.' odd_mail
took

wrong_clock() {
	labwork <<-'END'
		from labflow import *
		lab.stop("b")
		lab.clock("b", "+365d")
		lab.start("b")
		assert int(lab.user("b", "date", "+%s")) > time.time() + 364 * 86400
		assert int(lab.user("a", "ssh", "b", "git-upload-pack Maildir.git", text="0000", check=False) is not None)
		with mail("a", "b", "c"):
		    for host in "abc":
		        client = lab.imap(host)
		        client.append("INBOX", "year-" + host, ["\Seen", "Year"])
		        client.append("Work", "old-" + host, [], 1000000000)
		        note(f"year-{host} old-{host}")
		        client.command("CREATE Year-" + host)
		        client.append("Year-" + host, "in-year-" + host)
		        note("in-year-" + host)
		        client.close()
		    time.sleep(1)
		    lab.cut("b")
		    time.sleep(2)
		    lab.heal("all")
		complete("with a clock that is a year ahead")
		with lab.watch("c") as seen:
		    client = lab.imap("b")
		    client.select("INBOX")
		    client.expunge(client.the("year-b"))
		    client.move(client.the("year-a"), "Work")
		    client.store(client.the("year-c"), "+", "\Flagged")
		    client.close()
		    seen.change("year-c", ["\Seen", "\Flagged", "Year"], 30)
		forget("year-b")
		complete("after more work there")
		lab.stop("b")
		lab.clock("b", "right")
		lab.start("b")
		with mail("a", "b", "c"):
		    time.sleep(1)
		complete("with the clock put right")
	END
}
t 'A server whose clock is wrong by a year is a member like any other, also when its clock is put right.' wrong_clock
took

# A new disk for c, of 24 MB; room MB: it has so many then.
small_disk() {
	lab destroy c
	lab start c
	lab exec c sh -c 'cp -a /home/joe /tmp/joe && mount -t tmpfs -o size=24m,mode=755 home /home && cp -a /tmp/joe /home/joe'
	lab join c a >joined
}
disk_full() {
	small_disk
	labwork <<-'END'
		from labflow import *
		import smtplib
		complete("a host with a small disk")
		def some(name, mb):
		    line = os.urandom(27).hex() + "\r\n"
		    return imap.mail(name) + "".join(os.urandom(36).hex() + "\r\n" for _ in range(mb * 1024 * 1024 // 74))
		hosts = [h for h in lab.hosts() if h != "c"]
		with mail("a", "b"):
		    for i in range(3):
		        lab.deliver("a", f"large.{i}", some(f"large.{i}", 8))
		        note(f"large.{i}")
		    for i in range(4):
		        lab.deliver("a", f"late.{i}")
		        note(f"late.{i}")
		    until, wanted = time.monotonic() + 60, sent()
		    while wrong(hosts, wanted):
		        assert time.monotonic() < until, wrong(hosts, wanted)
		        time.sleep(0.1)
		    time.sleep(3)
		    assert wrong(["c"], wanted), "its disk is not full"
		    # What it cannot keep it does not accept. A small message can find room all the same.
		    try:
		        lab.deliver("c", "at-full-disk")
		        note("at-full-disk")
		    except smtplib.SMTPDataError as refused:
		        assert refused.smtp_code in (451, 452), refused
		    client = lab.imap("c")
		    client.select("INBOX")
		    client.close()
		    # What c may have got half of goes on.
		    client = lab.imap("a")
		    client.select("INBOX")
		    client.move(client.the("late.0"), "Work")
		    client.expunge(client.the("late.1"))
		    client.move(client.the("large.1"), "Work")
		    client.close()
		    forget("late.1")
		    time.sleep(2)
		    print(lab.exec("c", "df", "/home"), lab.log("c", "watch")[-1500:])
		    lab.exec("c", "mount", "-o", "remount,size=400m", "/home")
		complete("a host whose disk was full, after there was room")
		assert not lab.stored("a")["late.1"]
	END
}
t 'While the disk of one server is full the others go on; when it has room again it catches up.' disk_full
took

done_testing
