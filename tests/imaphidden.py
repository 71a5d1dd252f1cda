#!/usr/bin/env python3
"""imaphidden.py -- mail is saved in a folder right after a sync changed it, before those who are in IDLE there have looked: see imap-crash.t.

imaphidden.py TRASH ROUNDS MEMBER=PORT OTHER=PORT: in each round a client of OTHER changes a flag in Work and expunges a message; the sync of MEMBER
applies that, and as soon as it has, a client of MEMBER saves a message there. A third client, in IDLE, must come to know all of it.
"""
import os
import sys
import time

from imap import Session
from imapwork import Cluster, Watcher, arguments


def main():
    trash, rounds = sys.argv[1], int(sys.argv[2])
    members = arguments(sys.argv[3:])
    one, other = members
    cluster = Cluster(trash, members)
    sessions = {m: Session(port, "mail", m, cluster.ledger) for m, port in members.items()}
    cur = f"{trash}/{one}/.Work/cur"
    for n in range(rounds + 1):
        sessions[other].append("Work", f"hidden.{n}", ["\\Seen"])
    cluster.rest()
    watcher = Watcher(one, members[one], "Work", cluster.ledger)
    watcher.start()
    late = 0
    for n in range(rounds):
        s = sessions[other]
        s.select("Work")
        s.store(next(u for u in s.all if s.names[u] == f"hidden.{rounds}"), "+-"[n % 2], "\\Flagged")
        s.expunge(next(u for u in s.all if s.names[u] == f"hidden.{n}"))
        cluster.run(other, "record")
        cluster.settle()
        before = set(os.listdir(cur))
        # What is new in new/ is looked for anyway, and then in cur/ as well.
        sync = cluster.start(one, "sync", "--no-push")
        while len(before - set(os.listdir(cur))) < 2 and sync.poll() is None:
            pass
        start = time.monotonic()
        sessions[one].append("Work", f"saved.{n}")
        late += time.monotonic() > start + 0.4
        sync.communicate()
        cluster.settle()
        cluster.rest()
        cluster.informed([watcher], cluster.compare(when=f"round {n}"), f"round {n}")
        if cluster.ledger.faults:
            break
    watcher.end()
    for s in sessions.values():
        s.close()
    print(f"saved {n + 1 - late} times in time, the client knew after {cluster.slowest:.1f} s at most")
    if late == n + 1:
        cluster.ledger.fault("no message was saved in time")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
