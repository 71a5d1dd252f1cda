#!/usr/bin/env python3
"""labwork.py -- a laboratory (scripts/lab) from Python: mail in by SMTP, clients by IMAP, the state of hosts. A module.

    lab = Lab()                              # the one in $LAB, which is up
    lab.deliver("a", "one")                  # SMTP to a; time.monotonic() when it was accepted
    with lab.watch("b") as seen:             # a client of b in IDLE
        lab.deliver("a", "two")
        print(seen.arrival("two", timeout=10))
    lab.cut("a", "b"); lab.heal("all"); lab.stop("a"); lab.start("a"); lab.destroy("c"); lab.join("c", "a")
    lab.wait_until_equal(["a", "b", "c"], timeout=10)

A message is named as in imap.py: by its Message-ID without "<" and "@example.org>". Clients connect from within the host: what is cut
between hosts does not concern them. All methods may be called by several threads at once, but a Smtp or a Session is for one thread.
"""
import collections
import ctypes
import os
import re
import smtplib
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import imap  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


class Down(RuntimeError):
    """The host does not run."""


class Different(RuntimeError):
    """Hosts were to be equal, and are not."""


class Lab:
    def __init__(self, path=None):
        self.path = path or os.environ["LAB"]
        self.env = dict(os.environ, LAB=self.path)

    # -- scripts/lab

    def run(self, *args, check=True, timeout=300, text=None):
        """Runs scripts/lab with these words; returns what it printed. RuntimeError if it fails, unless check is False."""
        done = subprocess.run([f"{TOP}/scripts/lab", *args], env=self.env, input=text, stdin=None if text is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout, check=False)
        if check and done.returncode:
            raise RuntimeError(f"lab {' '.join(args)}: status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def exec(self, host, *command, **how):
        """A command on the host, as root."""
        return self.run("exec", host, *command, **how)

    def user(self, host, *command, **how):
        """A command on the host, as its mail user, at home."""
        return self.run("exec", host, "--user", *command, **how)

    def git(self, host, *args, **how):
        return self.user(host, "git", "-C", "Maildir", *args, **how)

    def cut(self, *args):
        self.run("cut", *args)

    def heal(self, *args):
        self.run("heal", *args)

    def stop(self, *hosts):
        self.run("stop", *hosts)

    def start(self, *hosts):
        self.run("start", *hosts)

    def destroy(self, *hosts):
        self.run("destroy", *hosts)

    def add(self, *hosts):
        self.run("add", *hosts)

    def join(self, new, old):
        self.run("join", new, old)

    def clock(self, host, offset):
        self.run("clock", host, offset)

    def service(self, host, name, verb):
        return self.run("service", host, name, verb)

    # -- what can be seen from outside, without a process on the host; also of one that is stopped

    def hosts(self):
        """Their names, in the order in which they were made."""
        found = []
        for name in os.listdir(self.path):
            try:
                with open(f"{self.path}/{name}/number") as f:
                    found.append((int(f.read()), name))
            except (FileNotFoundError, NotADirectoryError):
                pass
        return [name for _, name in sorted(found)]

    def pid(self, host):
        """Process 1 of the host, as it is called here."""
        try:
            with open(f"{self.path}/{host}/pid") as f:
                pid, started = f.read().split()
            with open(f"/proc/{pid}/stat") as f:
                stat = f.read().rpartition(")")[2].split()
            if stat[19] == started and stat[0] != "Z":
                return int(pid)
        except (FileNotFoundError, ProcessLookupError, ValueError):
            pass
        raise Down(f"host {host} is down")

    def is_up(self, host):
        try:
            return bool(self.pid(host))
        except Down:
            return False

    def maildir(self, host):
        """As the host sees it: somebody may have mounted something there."""
        try:
            return f"/proc/{self.pid(host)}/root/home/joe/Maildir"
        except Down:
            return f"{self.path}/{host}/disk/home/joe/Maildir"

    def log(self, host, name):
        """Text of a log: sshd, dovecot, postfix, watch, syslog or init."""
        try:
            with open(f"{self.path}/{host}/log/{name}", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def head(self, host):
        """The commit it is at, or None while it is no member. Read from its files, without a process."""
        gitdir = self.maildir(host) + ".git"
        try:
            with open(f"{gitdir}/HEAD") as f:
                word, _, ref = f.read().strip().partition(" ")
            if word != "ref:":
                return word
            try:
                with open(f"{gitdir}/{ref}") as f:
                    return f.read().strip()
            except FileNotFoundError:
                with open(f"{gitdir}/packed-refs") as f:
                    return next((line.split()[0] for line in f if line.rstrip().endswith(" " + ref)), None)
        except FileNotFoundError:
            return None

    def heads(self, hosts=None):
        return {host: self.head(host) for host in hosts or self.hosts()}

    def stored(self, host):
        """How often each message is there, in all folders: read from the files, so that nothing that a server or git says is believed."""
        found = collections.Counter()
        for where, _, names in os.walk(self.maildir(host)):
            if os.path.basename(where) in ("cur", "new"):
                for name in names:
                    try:
                        with open(f"{where}/{name}", "rb") as f:
                            header = f.read(65536).partition(b"\n\n")[0]
                    except FileNotFoundError:
                        continue  # renamed meanwhile
                    m = re.search(rb"^Message-ID:\s*<(.*?)(?:@example\.org)?>", header.replace(b"\r", b""), re.M | re.I)
                    found[m.group(1).decode() if m else f"{where}/{name}"] += 1
        return found

    def queued(self, host):
        """How many messages its Postfix has accepted and not delivered yet. When a host dies now, these are delivered again."""
        spool = f"{self.path}/{host}/disk/var/spool/postfix"
        return sum(len(files) for queue in ("incoming", "active", "deferred") for _, _, files in os.walk(f"{spool}/{queue}"))

    # -- clients

    def connect(self, host, port, to="127.0.0.1", timeout=30):
        """A socket that was made on the host. It goes on to be one of that host, wherever it is used."""
        got = []

        def there():
            try:
                fd = os.open(f"/proc/{self.pid(host)}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                try:
                    if LIBC.setns(fd, CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")
                finally:
                    os.close(fd)
                got.append(socket.create_connection((to, port), timeout))
            except (OSError, Down) as e:
                got.append(e)

        # The namespace is that of a thread, which ends with it.
        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if isinstance(got[0], Exception):
            raise got[0]
        return got[0]

    def smtp(self, host, timeout=120):
        """A connection to its Postfix: smtplib.SMTP, for many messages one after the other."""
        lab = self

        class Smtp(smtplib.SMTP):
            def _get_socket(self, to, port, seconds):
                return lab.connect(host, port, to, seconds)

        return Smtp("127.0.0.1", 25, local_hostname="client.example.org", timeout=timeout)

    def deliver(self, host, name, text=None, to="joe@example.org", connection=None):
        """Sends a message; returns the time.monotonic() at which the server had accepted it. Exceptions are those of smtplib, or OSError."""
        smtp = connection or self.smtp(host)
        text = imap.mail(name) if text is None else text
        try:
            smtp.sendmail("sender@example.org", [to], text.encode("latin-1") if isinstance(text, str) else text)
            accepted = time.monotonic()
        finally:
            if not connection:
                smtp.close()
        return accepted

    def imap(self, host, ledger=None, kind=imap.Session):
        """A client, logged in as joe: see imap.py."""
        sock = self.connect(host, 143)
        return kind(sock, "joe", host, ledger)

    def watch(self, host, mailbox="INBOX"):
        """A client in IDLE: see Watcher."""
        return Watcher(self, host, mailbox)

    # -- all that a client can see

    def view(self, host):
        """{mailbox: (UIDVALIDITY, UIDNEXT, {UID: (message, flags and keywords, INTERNALDATE, size)})}, and the subscribed ones under ""."""
        session = self.imap(host)
        try:
            found = {}
            for mailbox in session.mailboxes():
                validity, messages = session.snapshot(mailbox)
                found[mailbox] = validity, session.status(mailbox, "UIDNEXT")["UIDNEXT"], messages
            found[""] = sorted(session.names_of("LSUB"))
            return found
        finally:
            session.close()

    def views(self, hosts=None):
        return {host: self.view(host) for host in hosts or self.hosts()}

    def difference(self, hosts=None):
        """None if a client sees the same on all of these and they are at the same commit; else what is different, in a few lines."""
        hosts = hosts or self.hosts()
        heads = self.heads(hosts)
        if len(set(heads.values())) != 1 or None in heads.values():
            return "heads: " + ", ".join(f"{host} {(head or 'none')[:10]}" for host, head in heads.items())
        views = self.views(hosts)
        first = hosts[0]
        for host in hosts[1:]:
            if views[host] != views[first]:
                return "\n".join(difference_of_views(first, views[first], host, views[host])[:20])
        return None

    def wait_until_equal(self, hosts=None, timeout=10):
        """Waits until difference() finds none; returns after how many seconds. Different, with the difference, if that takes too long."""
        hosts = hosts or self.hosts()
        began = time.monotonic()
        while True:
            different = self.difference(hosts)
            took = time.monotonic() - began
            if not different:
                return took
            if took > timeout:
                raise Different(f"not equal after {took:.1f} s: {different}")
            time.sleep(0.05)

    def stays_equal(self, hosts=None, seconds=3):
        """Different if anybody makes a commit in that time."""
        before = self.heads(hosts)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            after = self.heads(hosts)
            if after != before:
                raise Different(f"no rest: heads were {before} and are {after}")


def difference_of_views(a, one, b, other):
    """What is different, a line each."""
    lines = []
    for mailbox in sorted(set(one) | set(other)):
        x, y = one.get(mailbox), other.get(mailbox)
        if x == y:
            continue
        if not mailbox or x is None or y is None:
            lines.append(f"{mailbox or 'subscribed'}: {a} {summary(x)}, {b} {summary(y)}")
            continue
        for what, n in (("UIDVALIDITY", 0), ("UIDNEXT", 1)):
            if x[n] != y[n]:
                lines.append(f"{mailbox}: {what} {x[n]} on {a}, {y[n]} on {b}")
        for uid in sorted(set(x[2]) | set(y[2])):
            if x[2].get(uid) != y[2].get(uid):
                lines.append(f"{mailbox}: UID {uid} is {x[2].get(uid)} on {a}, {y[2].get(uid)} on {b}")
    return lines


def summary(mailbox):
    if isinstance(mailbox, tuple):
        return f"{len(mailbox[2])} messages"
    return "not there" if mailbox is None else str(mailbox)


class Watching(imap.Session):
    """A session that notes when it was told what."""

    def __init__(self, *args):
        self.told = threading.Condition()
        self.exists_at = []  # like self.all
        self.arrivals = {}  # message -> when its EXISTS came
        self.changes = []  # (when, message, flags), as FETCH told without being asked
        self.idling = False
        super().__init__(*args)

    def untagged(self, text):
        now, before = time.monotonic(), len(self.all)
        super().untagged(text)
        if len(self.all) > before:
            self.exists_at += [now] * (len(self.all) - before)
        m = re.match(r"\* (\d+) EXPUNGE", text)
        if m:
            del self.exists_at[int(m.group(1)) - 1]

    def fetched(self, n, pairs):
        now = time.monotonic()
        super().fetched(n, pairs)
        uid = self.all[n - 1]
        name = self.names.get(uid)
        if name is None:
            return
        with self.told:
            self.arrivals.setdefault(name, self.exists_at[n - 1])
            if uid in self.flags:
                self.changes.append((now, name, self.flags[uid]))
            self.told.notify_all()


class Watcher:
    """A client of a host that has a mailbox open and idles, in a thread of its own. Ready when it is made; use it in "with", or close it.

    What failed in the thread is raised where somebody waits for what it would have seen.
    """

    def __init__(self, lab, host, mailbox="INBOX"):
        self.host = host
        self.session = lab.imap(host, kind=Watching)
        self.ended, self.failed = False, None
        self.session.select(mailbox)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        s = self.session
        try:
            while not self.ended:
                s.idle(3600, lambda: self.ended)
        except (OSError, RuntimeError, imap.Closed, IndexError, KeyError) as e:
            self.failed = e
            with s.told:
                s.told.notify_all()

    def wait(self, find, timeout, what):
        """What find() returns, as soon as that is not None."""
        end = time.monotonic() + timeout
        with self.session.told:
            while True:
                found = find()
                if found is not None:
                    return found
                if self.failed:
                    raise RuntimeError(f"the client of {self.host}: {self.failed}")
                if time.monotonic() > end:
                    raise RuntimeError(f"the client of {self.host} was not told of {what} for {timeout} s")
                self.session.told.wait(max(0, end - time.monotonic()))

    def arrival(self, name, timeout=10):
        """When (time.monotonic()) the server told that this message was there."""
        return self.wait(lambda: self.session.arrivals.get(name), timeout, name)

    def change(self, name, flags, timeout=10, since=0):
        """When the server told that the message has exactly these flags; not before since."""
        wanted = frozenset(flags)
        return self.wait(lambda: next((when for when, who, has in self.session.changes if who == name and has == wanted and when >= since), None),
                         timeout, f"{name} {sorted(wanted)}")

    def close(self):
        self.ended = True
        try:
            self.session.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join()
        self.session.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
