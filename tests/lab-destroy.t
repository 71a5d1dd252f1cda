#!/bin/sh
#
# lab-destroy.t -- what SMTP has acknowledged survives the machine: a host is destroyed while mail comes in, and what it said to have taken is on the others.
#
# LAB_ROUNDS (2) hosts are destroyed, each while LAB_MESSAGES (60) messages come in over LAB_CONNECTIONS (8) connections; LAB_SEED says when.
. ./tests/lib.sh
# shellcheck source=tests/lab.sh
. "$TOP/tests/lab.sh"
need_lab

lab_cluster a b c >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo 'Bail out! no laboratory'; exit 1; }

# The rounds tell what they did even when all is well.
survives() {
	labwork "${LAB_ROUNDS:-2}" "${LAB_MESSAGES:-60}" "${LAB_SEED:-$(date +%s)}" "${LAB_CONNECTIONS:-8}" <<-'END' 2>&1 | tee -a "$TRASH/rounds"
		from labsmtp import *
		rounds, messages, seed, connections = map(int, sys.argv[1:])
		taken = 0
		for n in range(rounds):
		    taken += destroyed(lab, "a", ["b", "c"], f"round-{seed + n}", messages, seed + n, connections)
		    lab.start("a")
		    lab.join("a", "b")
		    lab.wait_until_equal(timeout=60)
		print(f"{rounds} rounds: {taken} messages were acknowledged, none was lost", flush=True)
	END
	tail -n 1 "$TRASH/rounds" | grep 'none was lost'
}
t 'Every message that SMTP has acknowledged is on both other hosts when the machine is destroyed.' survives
diag <"$TRASH/rounds"

nothing_is_queued() {
	labwork <<-'END'
		lab.deliver("a", "not-queued")
		assert "(queue active)" not in lab.log("a", "postfix")
		assert lab.exec("a", "postqueue", "-p").startswith("Mail queue is empty")
		assert lab.stored("a")["not-queued"] == 1
	END
}
t 'It never was in a queue.' nothing_is_queued

at_once() {
	labwork <<-'END'
		from labsmtp import *
		s = Sender(lab, "a", [f"many-{n}" for n in range(100)], 50).wait()
		assert len(s.accepted) == 100, (len(s.accepted), s.refused, s.broken)
		lab.wait_until_equal(timeout=60)
		for host in "abc":
		    found = lab.stored(host)
		    assert all(found[f"many-{n}"] == 1 for n in range(100)), host
		print(f"{s.rate():.1f} a second")
	END
}
t 'Fifty connections at once are served.' at_once

odd_messages() {
	labwork <<-'END'
		line = "The quick brown fox jumps over the lazy dog again and again and again.\n"
		large = imap.mail("large") + line * (50 * 1024 * 1024 // len(line))
		lab.deliver("a", "large", large)
		assert lab.stored("a")["large"] == 1
		def files(host):
		    return set(os.listdir(lab.maildir(host) + "/new"))
		def until(true):
		    end = time.monotonic() + 120
		    while not true():
		        assert time.monotonic() < end
		        time.sleep(0.1)
		before = files("a")
		lab.deliver("a", None, "just text\r\n\r\n.\r\n..\r\nSubject: no header\r\n")
		new, = files("a") - before
		with open(lab.maildir("a") + "/new/" + new) as f:
		    text = f.read()
		head, _, body = text.partition("\n\n")
		assert body == "just text\n\n.\n..\nSubject: no header\n", text
		assert [l.split(":")[0] for l in head.split("\n") if l[0] not in " \t"] == ["Return-Path", "Delivered-To", "Received"], head
		assert head.startswith("Return-Path: <sender@example.org>\nDelivered-To: joe@example.org\n"), head
		until(lambda: new in files("b") and new in files("c"))
		# It has no name that these clients could tell it by.
		os.unlink(lab.maildir("a") + "/new/" + new)
		until(lambda: new not in files("b") | files("c"))
		lab.wait_until_equal(timeout=120)
		assert lab.stored("b")["large"] == lab.stored("c")["large"] == 1
	END
}
t 'A message of 50 MB arrives, and one without a header.' odd_messages

refused_users() {
	labwork <<-'END'
		smtp = lab.smtp("a")
		try:
		    smtp.sendmail("sender@example.org", ["nobody-there@example.org"], imap.mail("wrong"))
		    sys.exit("it was accepted")
		except smtplib.SMTPRecipientsRefused as e:
		    assert e.recipients["nobody-there@example.org"][0] == 550, e.recipients
		# Nor is mail taken that is for another machine's users.
		try:
		    smtp.sendmail("sender@example.org", ["joe@elsewhere.example.com"], imap.mail("wrong"))
		    sys.exit("it was accepted")
		except smtplib.SMTPRecipientsRefused as e:
		    assert e.recipients["joe@elsewhere.example.com"][0] == 554, e.recipients
		assert not lab.stored("a")["wrong"]
	END
}
t 'Unknown users are refused.' refused_users

deferred() {
	lab cut a
	lab deliver a --ack=1 --ack-timeout=2 --too-few=defer
	labwork <<-'END'
		before = lab.stored("a")
		try:
		    lab.deliver("a", "later")
		    sys.exit("it was accepted")
		except smtplib.SMTPDataError as e:
		    assert e.smtp_code == 451, e
		assert lab.stored("a") == before
	END
	lab heal all
	labwork <<-'END'
		def tried():
		    try:
		        lab.deliver("a", "later")
		        return True
		    except smtplib.SMTPDataError as e:
		        assert e.smtp_code == 451, e
		        time.sleep(1)
		end = time.monotonic() + 90
		while not tried():
		    assert time.monotonic() < end
		lab.wait_until_equal(timeout=60)
		for host in "abc":
		    assert lab.stored(host)["later"] == 1, host
	END
}
t 'With --too-few=defer and no other host in reach the answer is 451, and nothing is left of the message.' deferred

accepted() {
	lab cut a
	lab deliver a --ack=1 --ack-timeout=3 --too-few=accept
	labwork <<-'END'
		began = time.monotonic()
		lab.deliver("a", "alone")
		took = time.monotonic() - began
		assert took >= 2.9, took
		assert lab.stored("a")["alone"] == 1
		# A minute later nobody is waited for.
		end = time.monotonic() + 150
		n = 0
		while True:
		    began = time.monotonic()
		    lab.deliver("a", f"alone-{n}")
		    if time.monotonic() - began < 2:
		        break
		    assert time.monotonic() < end
		    n += 1
		    time.sleep(5)
	END
	lab heal all
	labwork <<-'END'
		lab.wait_until_equal(timeout=120)
		assert lab.stored("b")["alone"] == lab.stored("c")["alone-0"] == 1
	END
	lab deliver all
}
t 'With --too-few=accept it is taken after the time limit, and without waiting when the others have been away for a minute.' accepted

queued() {
	lab deliver a --queue
	labwork <<-'END'
		with lab.watch("a") as seen:
		    lab.deliver("a", "queued")
		    seen.arrival("queued", 30)
		assert "(queue active)" in lab.log("a", "postfix")
		lab.wait_until_equal(timeout=60)
		assert lab.stored("c")["queued"] == 1
	END
}
t 'The laboratory can also deliver from the queue.' queued

done_testing
