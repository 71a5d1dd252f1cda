"""smtp.py -- git-maildir-deliver --smtp on pipes, for tests. A module.

    c = Client("--ack=0", "a")                  # greeted
    c.says("EHLO x", 250)                       # a command, and the code of its answer
    c.raw(b"...")                               # bytes
    c.answer(250)                               # reads an answer, which is returned whole
    assert c.end() == (0, "")                   # closes, and waits: the exit status, and what is on standard error
"""
import os
import signal
import subprocess


def begin(more):
    """Signals that whoever runs the tests ignores, as nohup does, are not ignored by what is tested."""
    for sig in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
        signal.signal(sig, signal.SIG_DFL)
    if more:
        more()


class Client:
    def __init__(self, *args, greeting=220, preexec_fn=None, **how):
        self.process = subprocess.Popen(["git-maildir-deliver", "--smtp", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=how.pop("stderr", subprocess.PIPE), preexec_fn=lambda: begin(preexec_fn), **how)
        if greeting:
            self.answer(greeting)

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answer(self, code):
        lines = []
        while True:
            line = self.process.stdout.readline()
            assert line.endswith(b"\r\n"), f"no answer but {line!r} after {lines}"
            lines.append(line.decode().rstrip("\r\n"))
            assert lines[-1][:3].isdigit() and lines[-1][3] in " -", lines
            if lines[-1][3] == " ":
                break
        assert int(lines[-1][:3]) == code, f"{code} was expected: {lines}"
        return "\n".join(lines)

    def says(self, line, code):
        self.raw((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.answer(code)

    def begin(self, *recipients, sender="s@example.org"):
        """A transaction, as far as its data."""
        self.says("EHLO client.example.org", 250)
        self.says(f"MAIL FROM:<{sender}>", 250)
        for recipient in recipients or ["joe@example.org"]:
            self.says(f"RCPT TO:<{recipient}>", 250)
        self.says("DATA", 354)

    def end(self, quits=False):
        if quits:
            self.says("QUIT", 221)
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        rest = self.process.stdout.read()
        said = self.process.stderr.read().decode() if self.process.stderr else ""
        status = self.process.wait(60)
        assert not rest, rest
        return status, said


def mails(maildir, sub="new"):
    """What is stored, in the order of arrival, as bytes."""
    found = []
    for name in sorted(os.listdir(f"{maildir}/{sub}")):
        with open(f"{maildir}/{sub}/{name}", "rb") as f:
            found.append(f.read())
    return found


def text(mail):
    """Without what was put in front."""
    lines = mail.split(b"\n")
    assert lines[0].startswith(b"Return-Path: <"), mail[:200]
    n = 1
    while lines[n].startswith(b"Delivered-To: "):
        n += 1
    return b"\n".join(lines[n:])


def clear(*maildirs):
    for maildir in maildirs:
        for name in os.listdir(f"{maildir}/new"):
            os.unlink(f"{maildir}/new/{name}")


def sent(data, maildir="a"):
    """What becomes of these bytes between DATA and its answer, which must be that it is stored: the one message."""
    clear(maildir)
    c = Client("--ack=0", maildir)
    c.begin()
    c.raw(data)
    c.answer(250)
    assert c.end(True) == (0, "")
    found = mails(maildir)
    assert len(found) == 1, found
    assert not os.listdir(f"{maildir}/tmp")
    return text(found[0])
