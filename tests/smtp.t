#!/bin/sh
#
# smtp.t -- git-maildir-deliver --smtp: what is answered with 250 is stored, once and as it was sent, and what is not leaves nothing.
# shellcheck disable=SC2086,SC2119,SC2120
. ./tests/lib.sh

command -v python3 >/dev/null || skip_all 'needs python3'

# py: Python on standard input, with tests/smtp.py.
py() {
	{
		echo 'import os, signal, subprocess, sys, time'
		echo 'from smtp import *'
		cat
	} >"$HOME/script.py"
	PYTHONPATH="$TOP/tests" PYTHONDONTWRITEBYTECODE=1 python3 "$HOME/script.py" "$@"
}
fresh_member() {
	settle
	rm -rf "$1" "$1.git"
	mkmaildir "$1"
	git maildir init --name="$1" "$1"
}
fresh_member a >"$HOME/out" 2>&1 || { diag <"$HOME/out"; echo 'Bail out! no member'; exit 1; }

a_message() {
	py <<-'END'
		c = Client("--ack=0", "a")
		hello = c.says("EHLO client.example.org", 250)
		for word in "PIPELINING", "SIZE", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8":
		    assert word in hello.replace("-", " ").split(), hello
		assert "XFORWARD" not in hello
		c.says("MAIL FROM:<sender@example.org> SIZE=100 BODY=8BITMIME", 250)
		c.says("RCPT TO:<joe@example.org> NOTIFY=NEVER", 250)
		c.says("DATA", 354)
		c.raw(b"Subject: One\r\n\r\nText\r\n.\r\n")
		said = c.answer(250)
		name, = os.listdir("a/new")
		assert name in said, (name, said)
		assert mails("a") == [b"Return-Path: <sender@example.org>\nDelivered-To: joe@example.org\nSubject: One\n\nText\n"], mails("a")
		assert os.stat("a/new/" + name).st_mode & 0o7777 == 0o600
		size = os.stat("a/new/" + name).st_size
		assert f",S={size},W={size + 5}" in name, name
		assert c.end(True) == (0, "")
	END
}
t 'A message that comes by SMTP is stored with line ends of this system, below the lines that say for whom it was.' a_message

contents() {
	py <<-'END'
		for data, wanted in [
		    (b"A: b\r\n\r\nx\r\n.\r\n", b"A: b\n\nx\n"),
		    # dots
		    (b"A: b\r\n\r\n..\r\n...\r\n..x\r\n.x\r\n.\r\n", b"A: b\n\n.\n..\n.x\nx\n"),
		    # empty, or only a header
		    (b".\r\n", b""),
		    (b"A: b\r\n.\r\n", b"A: b\n"),
		    (b"\r\n.\r\n", b"\n"),
		    # without a header, or with a part of one: the text does not become part of ours
		    (b"just text\r\n.\r\n", b"\njust text\n"),
		    (b"A: b\r\njust text: really\r\nC: d\r\n.\r\n", b"A: b\n\njust text: really\nC: d\n"),
		    (b" x\r\nA: b\r\n.\r\n", b"\n x\nA: b\n"),
		    (b"A: b\r\n\tc\r\n \r\nD : e\r\n\r\nf\r\n.\r\n", b"A: b\n\tc\n \nD : e\n\nf\n"),
		    (b"x" * 3000 + b": y\r\n.\r\n", b"\n" + b"x" * 3000 + b": y\n"),
		    (b":\r\n.\r\n", b"\n:\n"),
		    (b"\xc3\xa4: y\r\n.\r\n", b"\n\xc3\xa4: y\n"),
		    # mbox's line
		    (b"From me Thu Nov 26 12:00:00 2026\r\nA: b\r\n\r\nFrom you\r\n.\r\n", b"A: b\n\nFrom you\n"),
		    (b"From: me\r\n\r\n.\r\n", b"From: me\n\n"),
		    # bytes of all kinds
		    (b"A: b\r\n\r\n" + bytes(c for c in range(256) if c not in b"\r\n") * 3 + b"\r\n.\r\n",
		     b"A: b\n\n" + bytes(c for c in range(256) if c not in b"\r\n") * 3 + b"\n"),
		    # long lines
		    (b"A: " + b"x" * 300000 + b"\r\n\r\n" + b"y" * 300000 + b"\r\n.\r\n", b"A: " + b"x" * 300000 + b"\n\n" + b"y" * 300000 + b"\n"),
		]:
		    got = sent(data)
		    assert got == wanted, (data[:80], got[:200])
	END
}
t 'Dots, long lines, all bytes and messages without a header are as they were sent.' contents

smuggling() {
	py <<-'END'
		evil = b"MAIL FROM:<boss@example.org>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nB: c\r\n\r\nevil"
		for end in b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r", b"\r.\r\n", b"\r\n\r.\r\n", b"\r\n.\r\r\n", b"\r\n\0.\r\n":
		    got = sent(b"A: b\r\n\r\ntext" + end + evil + b"\r\n.\r\n")
		    assert got.startswith(b"A: b\n\ntext") and got.endswith(b"\nevil\n"), (end, got)
		    # Nothing but the dots in front of lines and the CRs of their ends was taken out.
		    assert got.count(b"\r") + got.count(b"\n") >= 5, (end, got)
		assert sent(b"A: b\r\n\r\nx\ny\rz\r\r\n.\r\n") == b"A: b\n\nx\ny\rz\r\n"
	END
}
t 'Nothing but CR LF dot CR LF ends a message: no other message can be hidden in it.' smuggling

in_pieces() {
	py <<-'END'
		data = b"A: b\r\n c\r\nD\r\n\r\n..x\r\n.y\r\n\r\r\nz\n.\n.\r\n\r\n.\r\n"
		wanted = sent(data)
		for size in 1, 2, 3, 5:
		    clear("a")
		    c = Client("--ack=0", "a")
		    c.begin()
		    for i in range(0, len(data), size):
		        c.raw(data[i:i + size])
		        time.sleep(0.002)
		    c.answer(250)
		    c.end(True)
		    assert [text(m) for m in mails("a")] == [wanted], size
	END
}
t 'A message that comes in pieces is the same.' in_pieces

several() {
	py <<-'END'
		clear("a")
		c = Client("--ack=0", "a")
		for n in range(5):
		    c.says("EHLO x", 250)
		    c.says(f"MAIL FROM:<s{n}@example.org>", 250)
		    c.says("RCPT TO:<joe@example.org>", 250)
		    c.says("DATA", 354)
		    c.raw(b"N: %d\r\n.\r\n" % n)
		    c.answer(250)
		    assert len(mails("a")) == n + 1
		assert c.end(True) == (0, "")
		assert [m.split(b"\n")[0] for m in mails("a")] == [b"Return-Path: <s%d@example.org>" % n for n in range(5)]
	END
}
t 'Several messages come in one connection.' several

pipelined() {
	py <<-'END'
		clear("a")
		c = Client("--ack=0", "a", greeting=None)
		one = b"MAIL FROM:<>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nA: b\r\n\r\nx\r\n.\r\n"
		c.raw(b"EHLO x\r\n" + one + one + b"RSET\r\nNOOP\r\nQUIT\r\nNOOP\r\n")
		for code in 220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 250, 250, 221:
		    c.answer(code)
		assert c.end() == (0, "")
		assert [m.split(b"\n")[0] for m in mails("a")] == [b"Return-Path: <>"] * 2
	END
}
t 'Commands may come before the answers to those before them.' pipelined

order() {
	py <<-'END'
		clear("a")
		c = Client("--ack=0", "a")
		c.says("MAIL FROM:<s@example.org>", 503)
		c.says("HELO x", 250)
		c.says("RCPT TO:<joe@example.org>", 503)
		c.says("DATA", 503)
		c.says("mail from:<s@example.org>", 250)
		c.says("MAIL FROM:<s@example.org>", 503)
		c.says("DATA", 554)
		c.says("RCPT TO:<joe@example.org>", 250)
		c.says("RSET", 250)
		c.says("DATA", 503)
		c.says("MAIL FROM:<s@example.org>", 250)
		c.says("RCPT TO:<joe@example.org>", 250)
		c.says("EHLO x", 250)
		c.says("RCPT TO:<joe@example.org>", 503)
		c.says("VRFY joe", 252)
		c.says("NOOP anything", 250)
		assert c.end(True) == (0, "")
		assert mails("a") == []
	END
}
t 'Commands out of order are refused, and RSET and EHLO forget what was begun.' order

mistakes() {
	py <<-'END'
		c = Client("--ack=0", "a")
		c.says("EHLO x", 250)
		for line, code in [
		    ("", 500), ("FROB", 500), ("XFORWARD NAME=x", 500), ("STARTTLS", 500), ("BDAT 3 LAST", 500), ("MAIL", 501), ("MAIL TO:<a@b>", 501), ("MAIL FROM:", 501),
		    ("MAIL FROM:<a@b", 501), ("MAIL FROM:<a@b>x", 501), ("MAIL FROM:<a b@c>", 501), ("MAIL FROM:<a@>", 501), ("MAIL FROM:<a@b@c>", 501),
		    ("MAIL FROM:<\"a@b>", 501), ("MAIL FROM:<a@b> SIZE=x", 501), ("MAIL FROM:<a@b> SIZE=", 555), ("MAIL FROM:<a@b> BODY=BINARYMIME", 501),
		    ("MAIL FROM:<a@b> FROB=1", 555), ("EHLO", 501), ("QUIT now", 501), ("DATA x", 501), ("RSET x", 501), ("MAIL FROM:<a\rb@c>", 500), ("NOOP \0", 500),
		    ("NOOP " + "x" * 3000, 500), ("NOOP " + "x" * 300000, 500),
		]:
		    c.says(line, code)
		c.says("MAIL FROM:<" + "a" * 1000 + "@example.org>", 250)
		for line, code in [("RCPT TO:<>", 501), ("RCPT FROM:<a@b>", 501), ("RCPT TO:<a@b> SIZE=3", 555)]:
		    c.says(line, code)
		assert c.end(True) == (0, "")
		c = Client("--ack=0", "a")
		for n in range(50):
		    c.says("FROB", 500)
		c.says("FROB", 500)
		c.answer(421)
		assert c.end()[0] == 75
	END
}
t 'What is no command or no address is refused with a reason, and who does nothing else is sent away.' mistakes

addresses() {
	py <<-'END'
		for given, local in [("<@one,@two:joe@example.org>", "joe@example.org"), ("joe@example.org", "joe@example.org"), (" <joe@example.org>", "joe@example.org"),
		                     ("<postmaster>", "postmaster"), ('<"joe doe"@example.org>', '"joe doe"@example.org'), ("<j\u00f6@example.org>", "j\u00f6@example.org")]:
		    clear("a")
		    c = Client("--ack=0", "a")
		    c.says("EHLO x", 250)
		    c.says("MAIL FROM:" + given + " SMTPUTF8", 250)
		    c.says("RCPT TO:" + given, 250)
		    c.says("DATA", 354)
		    c.raw(b".\r\n")
		    c.answer(250)
		    c.end(True)
		    assert mails("a") == [f"Return-Path: <{local}>\nDelivered-To: {local}\n".encode()], mails("a")
	END
}
t 'Addresses are understood in the forms that mail servers pass on.' addresses

cut_off() {
	py <<-'END'
		clear("a")
		for data in b"", b"A: b\r\n\r\ntext", b"A: b\r\n\r\ntext\r\n", b"A: b\r\n\r\ntext\r\n.", b"A: b\r\n\r\ntext\r\n.\r", b"x" * 500000:
		    c = Client("--ack=0", "a")
		    c.begin()
		    c.raw(data)
		    assert c.end()[0] == 75, data[:50]
		    assert mails("a") == [] and not os.listdir("a/tmp"), data[:50]
		# Between messages it is no fault.
		c = Client("--ack=0", "a")
		c.says("EHLO x", 250)
		assert c.end() == (0, "")
	END
}
t 'A client that goes in the middle of a message leaves nothing.' cut_off

signals() {
	py <<-'END'
		clear("a")
		for sig in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
		    c = Client("--ack=0", "a")
		    c.begin()
		    c.raw(b"A: b\r\n\r\ntext\r\n")
		    deadline = time.time() + 20
		    while not os.listdir("a/tmp"):
		        assert time.time() < deadline
		        time.sleep(0.01)
		    c.process.send_signal(sig)
		    c.answer(421)
		    assert c.end()[0] == 75
		    assert mails("a") == [] and not os.listdir("a/tmp")
	END
}
t 'A signal in the middle of a message leaves nothing, and says so.' signals

silent() {
	py <<-'END'
		clear("a")
		c = Client("--ack=0", "--smtp-timeout=1", "a")
		c.answer(421)
		assert c.end()[0] == 75
		c = Client("--ack=0", "--smtp-timeout=1", "a")
		c.begin()
		c.raw(b"A: b\r\n")
		c.answer(421)
		assert c.end()[0] == 75
		assert mails("a") == [] and not os.listdir("a/tmp")
	END
}
t 'A client that says nothing any more is sent away.' silent

users() {
	mkdir -p v/example.org v/example.net
	for user in joe jane.doe; do
		fresh_member $user
		mv $user v/example.org/$user
		mv $user.git v/example.org/$user.git
		echo "gitdir: $TRASH/v/example.org/$user.git" >v/example.org/$user/.git
		git -C v/example.org/$user config core.worktree "$TRASH/v/example.org/$user"
	done
	mkmaildir v/example.org/plain
	py <<-'END'
		joe, jane = "v/example.org/joe", "v/example.org/jane.doe"
		c = Client("--ack=0", os.getcwd() + "/v/%d/%u")
		c.says("EHLO x", 250)
		c.says("MAIL FROM:<s@example.org>", 250)
		c.says("RCPT TO:<JOE+lists@Example.ORG>", 250)
		c.says('RCPT TO:<"jane.doe"@example.org>', 250)
		c.says("RCPT TO:<joe@example.org>", 250)
		for who in ["nobody@example.org", "joe@example.net", "joe@example.com", "joe", "..@example.org", ".@example.org", ".joe@example.org", '"../example.org/joe"@example.net',
		            "../joe@example.org", "joe/cur@example.org", '"joe/cur"@example.org', "+x@example.org", "j\u00f6e@example.org", "joe%1@example.org", "%u@example.org",
		            "joe@..", "joe@.", "joe@../v/example.org", "joe@example.org/", "joe@[127.0.0.1]", "joe.git@example.net", "x" * 300 + "@example.org", "joe*@example.org"]:
		    said = c.says(f"RCPT TO:<{who}>", 550)
		    assert "5.1.1" in said, said
		# It is there, and no member.
		c.says("RCPT TO:<plain@example.org>", 451)
		c.says("DATA", 354)
		c.raw(b"A: b\r\n.\r\n")
		c.answer(250)
		status, said = c.end(True)
		assert status == 0 and said.count("\n") == 1 and "plain" in said, said
		assert mails(joe) == [b"Return-Path: <s@example.org>\nDelivered-To: JOE+lists@Example.ORG\nDelivered-To: joe@example.org\nA: b\n"], mails(joe)
		assert mails(jane) == [b"Return-Path: <s@example.org>\nDelivered-To: \"jane.doe\"@example.org\nA: b\n"], mails(jane)
	END
}
t 'With %u and %d each user has a Maildir; who has none is unknown, and no address leads elsewhere.' users

not_mounted() {
	mkdir empty
	py <<-'END'
		for pattern in "empty/%u/Maildir", "missing/%d/%u":
		    c = Client("--ack=0", os.getcwd() + "/" + pattern)
		    c.says("EHLO x", 250)
		    c.says("MAIL FROM:<s@example.org>", 250)
		    c.says("RCPT TO:<joe@example.org>", 451)
		    assert c.end()[0] == 75
		c = Client("--ack=0", os.getcwd() + "/missing")
		c.says("EHLO x", 250)
		c.says("MAIL FROM:<s@example.org>", 250)
		assert "missing" not in c.says("RCPT TO:<joe@example.org>", 451)
		assert "missing" in c.end()[1]
	END
}
t 'Where the disk of all users is missing none is unknown: their mail is to come later.' not_mounted

all_or_nothing() {
	py <<-'END'
		joe, jane = "v/example.org/joe", "v/example.org/jane.doe"
		clear(joe, jane)
		c = Client("--ack=0", os.getcwd() + "/v/%d/%u")
		c.says("EHLO x", 250)
		c.says("MAIL FROM:<s@example.org>", 250)
		c.says("RCPT TO:<joe@example.org>", 250)
		c.says("RCPT TO:<jane.doe@example.org>", 250)
		os.rename(jane + "/new", jane + "/gone")
		c.says("DATA", 354)
		c.raw(b"A: b\r\n.\r\n")
		c.answer(451)
		os.rename(jane + "/gone", jane + "/new")
		assert mails(joe) == mails(jane) == [] and not os.listdir(joe + "/tmp")
		c.begin("joe@example.org", "jane.doe@example.org")
		c.raw(b"A: b\r\n.\r\n")
		c.answer(250)
		assert len(mails(joe)) == len(mails(jane)) == 1
		assert c.end(True)[0] == 0
	END
}
t 'A message for several is delivered to all of them or to none.' all_or_nothing

deferred() {
	git -C v/example.org/jane.doe config maildir.ackFallback defer
	git -C v/example.org/jane.doe remote add mx9 "$TRASH/nowhere.git"
	py <<-'END'
		joe, jane = "v/example.org/joe", "v/example.org/jane.doe"
		clear(joe, jane)
		c = Client("--ack-timeout=1", os.getcwd() + "/v/%d/%u")
		c.begin("joe@example.org", "jane.doe@example.org")
		c.raw(b"A: b\r\n.\r\n")
		c.answer(451)
		assert mails(joe) == mails(jane) == []
		c.begin("joe@example.org")
		c.raw(b"A: b\r\n.\r\n")
		c.answer(250)
		status, said = c.end(True)
		assert status == 0 and "deferred: the message was on 0 of 1 peers" in said, said
		c = Client("--ack=2", "--too-few=defer", os.getcwd() + "/v/%d/%u")
		c.says("EHLO x", 250)
		c.says("MAIL FROM:<s@example.org>", 250)
		c.says("RCPT TO:<jane.doe@example.org>", 451)
		c.end(True)
		c = Client("--ack-timeout=1", "--too-few=accept", os.getcwd() + "/v/%d/%u")
		c.begin("jane.doe@example.org")
		c.raw(b"A: b\r\n.\r\n")
		c.answer(250)
		status, said = c.end(True)
		assert status == 0 and "accepted:" in said, said
		assert len(mails(jane)) == 1
	END
}
t 'Where too few peers have a message the answer is 451 and it is gone, or it is 250, as configured.' deferred

many_recipients() {
	py <<-'END'
		clear("a")
		c = Client("--ack=0", "a")
		c.says("EHLO x", 250)
		c.says("MAIL FROM:<s@example.org>", 250)
		for n in range(100):
		    c.says(f"RCPT TO:<joe+{n}@example.org>", 250)
		assert "4.5.3" in c.says("RCPT TO:<joe+100@example.org>", 452)
		c.says("DATA", 354)
		c.raw(b"A: b\r\n.\r\n")
		c.answer(250)
		c.end(True)
		assert mails("a")[0].count(b"Delivered-To:") == 100 and len(mails("a")) == 1
	END
}
t 'A hundred recipients are accepted, and further ones are to come in another message.' many_recipients

full_disk() {
	py <<-'END'
		import resource
		clear("a")
		c = Client("--ack=0", "a", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000)))
		c.begin()
		c.raw(b"A: b\r\n\r\n" + b"x" * 200000 + b"\r\n.\r\n")
		c.answer(552)
		assert mails("a") == [] and not os.listdir("a/tmp")
		c.begin()
		c.raw(b"A: b\r\n\r\n.\r\n")
		c.answer(250)
		status, said = c.end(True)
		assert status == 0 and "File too large" in said, said
	END
}
t 'A message that is too large for this process is refused, and leaves nothing.' full_disk

large() {
	py <<-'END'
		clear("a")
		line = b"The quick brown fox jumps over the lazy dog again and again.\r\n"
		c = Client("--ack=0", "a")
		c.begin()
		n = 50 * 1024 * 1024 // len(line)
		c.raw(b"Subject: large\r\n\r\n" + line * n + b".\r\n")
		c.answer(250)
		with open(f"/proc/{c.process.pid}/status") as f:
		    most = next(int(l.split()[1]) for l in f if l.startswith("VmHWM"))
		assert most < 10000, f"{most} kB"
		assert c.end(True) == (0, "")
		got, = mails("a")
		assert text(got) == b"Subject: large\n\n" + line.replace(b"\r", b"") * n
		clear("a")
	END
}
t 'A message of 50 MB is stored without being held in memory.' large

log_is_no_answer() {
	py <<-'END'
		import socket
		ours, theirs = socket.socketpair()
		p = subprocess.Popen(["git-maildir-deliver", "--smtp", os.getcwd() + "/missing"], stdin=theirs, stdout=theirs, stderr=theirs, env={"PATH": os.environ["PATH"]})
		theirs.close()
		f = ours.makefile("rwb")
		f.write(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@x>\r\nQUIT\r\n")
		f.flush()
		for line in f.read().split(b"\r\n")[:-1]:
		    assert line[:3].isdigit(), line
		assert p.wait() == 0
	END
}
t 'Where standard error is the connection nothing is written there that is no answer.' log_is_no_answer

usage() {
	for words in '--smtp --smtp-timeout=0 a' '--smtp-timeout=3 a' '--smtp %x' '--smtp a%' '--smtp a b'; do
		# shellcheck disable=SC2086 # words are meant
		status_is 64 git-maildir-deliver $words </dev/null >said 2>&1
		[ "$(grep -c . said)" -le 2 ]
	done
}
t 'Options that make no sense are refused before anybody is greeted.' usage

done_testing
