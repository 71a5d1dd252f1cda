#!/bin/sh
#
# lab-return.t -- mail servers that were away, that are new, whose clock is wrong or whose disk is full, in a cluster in which mail flows all the time.
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

# flowing: what every script below begins with. mail("a", "b") sends mail to these in the background until the "with" ends; all that was ever accepted is in the file
# "sent", and complete() waits until every host has all of it, once, and all are equal.
labwork_flowing() {
	{
		cat <<-'END'
			import contextlib, os, random, threading

			def note(name):
			    with open("sent", "a") as f:
			        print(name, file=f)

			@contextlib.contextmanager
			def mail(*hosts):
			    ended, failed = threading.Event(), []
			    def send(host):
			        serial = 0
			        try:
			            connection = lab.smtp(host)
			            while not ended.is_set():
			                serial += 1
			                name = f"{host}.{time.time():.3f}.{serial}"
			                lab.deliver(host, name, connection=connection)
			                note(name)
			                ended.wait(random.random() * 0.3)
			        except Exception as e:
			            failed.append(f"mail to {host}: {e}")
			    threads = [threading.Thread(target=send, args=(host,)) for host in hosts]
			    for t in threads:
			        t.start()
			    try:
			        yield
			    finally:
			        ended.set()
			        for t in threads:
			            t.join()
			    assert not failed, failed

			def sent():
			    try:
			        return set(open("sent").read().split())
			    except FileNotFoundError:
			        return set()

			def wrong(hosts, wanted):
			    for host in hosts:
			        stored = lab.stored(host)
			        found = {n: stored[n] for n in wanted if stored[n] != 1}, {n: c for n, c in stored.items() if c != 1}
			        if found != ({}, {}):
			            return host, len(stored), found

			def complete(what, timeout=60):
			    began, wanted = time.monotonic(), sent()
			    hosts = lab.hosts()
			    while wrong(hosts, wanted) or any(map(lab.queued, hosts)) or lab.difference(hosts):
			        assert time.monotonic() < began + timeout, (wrong(hosts, wanted), lab.difference(hosts))
			        time.sleep(0.05)
			    print(f"# {what}: equal after {time.monotonic() - began:.1f} s")
			    lab.stays_equal(hosts, 1.5)
			    assert not wrong(hosts, wanted), wrong(hosts, wanted)
		END
		cat
	} | labwork "$@"
}
took() {
	grep '^# ' "$HOME/out"
}

was_down() {
	labwork_flowing <<-'END'
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
	labwork_flowing <<-'END'
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

odd_mail() {
	labwork_flowing <<-'END'
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
		    print(f"# a message of 50 MB is on all four hosts {time.monotonic() - began:.1f} s after it was accepted")
		complete("all of them")
		all_hashes = {host: hashes(host) for host in lab.hosts()}
		assert len({str(h) for h in all_hashes.values()}) == 1, all_hashes
		assert len(all_hashes["a"]) >= before + 3, (before, all_hashes)
	END
}
t 'A message of 50 MB and messages without a header are mail like any other.' odd_mail
took

wrong_clock() {
	labwork_flowing <<-'END'
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
		open("kept", "w").write(" ".join(sent() - {"year-b"}))
		os.rename("kept", "sent")
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
	lab join c a
}
disk_full() {
	small_disk
	labwork_flowing <<-'END'
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
		    until = time.monotonic() + 60
		    while wrong(hosts, sent()):
		        assert time.monotonic() < until, wrong(hosts, sent())
		        time.sleep(0.1)
		    time.sleep(3)
		    assert wrong(["c"], sent()), "its disk is not full"
		    lab.deliver("c", "at-full-disk")
		    note("at-full-disk")
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
		    open("kept", "w").write(" ".join(sent() - {"late.1"}))
		    os.rename("kept", "sent")
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
