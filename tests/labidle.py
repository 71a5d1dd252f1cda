#!/usr/bin/env python3
"""labidle.py -- how long mail and flags take from a host of a laboratory to clients in IDLE on the others: see lab-idle.t.

labidle.py MESSAGES WITHIN. The laboratory ($LAB) has members. Each message must be seen by all within so many seconds.
"""
import ctypes
import os
import random
import struct
import sys
import threading
import time

from labwork import Lab

# Between one message and the next, seconds at most.
PAUSE = 0.4
IN_MOVED_TO, IN_CREATE = 0x80, 0x100
LIBC = ctypes.CDLL(None, use_errno=True)


class Files:
    """When which file came to a host's INBOX: by its key, which is the same on all hosts."""

    def __init__(self, maildir):
        self.came = {}
        self.fd = LIBC.inotify_init1(0o2000000)
        for sub in ("new", "cur"):
            if LIBC.inotify_add_watch(self.fd, f"{maildir}/{sub}".encode(), IN_MOVED_TO | IN_CREATE) < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch: {maildir}/{sub}")
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            events, at = os.read(self.fd, 65536), 0
            now = time.monotonic()
            while at < len(events):
                length = struct.unpack_from("iIII", events, at)[3]
                name = events[at + 16:at + 16 + length].rstrip(b"\0").decode()
                self.came.setdefault(name.partition(":")[0], now)
                at += 16 + length


def keys(maildir):
    """Message -> key, of all in the INBOX."""
    found = {}
    for sub in ("new", "cur"):
        for name in os.listdir(f"{maildir}/{sub}"):
            with open(f"{maildir}/{sub}/{name}", encoding="latin-1") as f:
                for line in f:
                    if line.startswith("Message-ID: <"):
                        found[line[13:].partition("@")[0]] = name.partition(":")[0]
                        break
    return found


def tell(what, seconds):
    s = sorted(seconds)
    p50, p90, p99 = (s[min(len(s) - 1, int(len(s) * share))] for share in (0.5, 0.9, 0.99))
    print(f"# {what}: p50 {p50:.3f} s, p90 {p90:.3f} s, p99 {p99:.3f} s, least {s[0]:.3f} s, most {s[-1]:.3f} s, of {len(s)}")


def main():
    lab, messages, within = Lab(), int(sys.argv[1]), float(sys.argv[2])
    hosts, rnd = lab.hosts(), random.Random(1)
    smtp = {h: lab.smtp(h) for h in hosts}
    files = {h: Files(lab.maildir(h)) for h in hosts}
    seen = {h: lab.watch(h) for h in hosts}
    clients = {h: lab.imap(h) for h in hosts}
    sent, stored = [], []

    for i in range(messages):
        host = hosts[i % len(hosts)]
        accepted = lab.deliver(host, f"mail.{i}", connection=smtp[host])
        sent.append((f"mail.{i}", host, accepted, {}))
        time.sleep(rnd.random() * PAUSE)
    # The sessions note when they are told of what; nobody waits for one message before the next is sent.
    for name, _, _, at in sent:
        at.update((h, seen[h].arrival(name, within)) for h in hosts)
    others = [(h, t - accepted) for _, host, accepted, at in sent for h, t in at.items() if h != host]
    tell("from SMTP's 250 to EXISTS for clients in IDLE on the other hosts", [t for _, t in others])
    tell("from SMTP's 250 to EXISTS on the host that took it", [at[host] - accepted for _, host, accepted, at in sent])
    of = keys(lab.maildir(hosts[0]))
    here, there, told = [], [], []
    for name, host, accepted, at in sent:
        began = files[host].came[of[name]]
        here.append(began - accepted)
        for h in hosts:
            if h != host:
                there.append(files[h].came[of[name]] - began)
                told.append(at[h] - files[h].came[of[name]])
    tell("of this from 250 to the file in new/ of the host that took it", here)
    tell("of this from that file to the file on another host", there)
    tell("of this from that file to EXISTS, which Dovecot holds back for up to 0.5 s", told)

    for h in hosts:
        clients[h].select("INBOX")
    for i in range(messages):
        host, name, client = hosts[i % len(hosts)], f"mail.{i}", clients[hosts[i % len(hosts)]]
        client.noop()
        if not client.store(client.the(name), "+", "\\Flagged"):
            raise RuntimeError(f"{name} is gone on {host}")
        stored.append((name, host, time.monotonic()))
        time.sleep(rnd.random() * PAUSE)
    flagged = [seen[h].change(name, ["\\Flagged"], within) - at for name, host, at in stored for h in hosts if h != host]
    tell("from a flag stored by a client to FETCH for clients in IDLE on the other hosts", flagged)

    # All at once.
    began, names = time.monotonic(), []

    def send(host):
        for i in range(messages // len(hosts)):
            lab.deliver(host, f"burst.{host}.{i}", connection=smtp[host])

    threads = [threading.Thread(target=send, args=(h,)) for h in hosts]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    accepted = time.monotonic()
    names = [f"burst.{h}.{i}" for h in hosts for i in range(messages // len(hosts))]
    last = max(seen[h].arrival(name, within) for h in hosts for name in names)
    print(f"# {len(names)} messages to all hosts at once, accepted within {accepted - began:.2f} s: all clients had seen all of them {last - accepted:.2f} s later")
    lab.wait_until_equal(hosts, within)
    for h in hosts:
        stored = lab.stored(h)
        wrong = {name: stored[name] for name in names + [s[0] for s in sent] if stored[name] != 1}
        if wrong:
            raise RuntimeError(f"on {h}: {wrong}")
        seen[h].close()


if __name__ == "__main__":
    main()
