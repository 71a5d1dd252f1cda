#!/usr/bin/env python3
"""imapwake.py -- a sync that gives a message another UID is killed, and a client in IDLE must come to know of it: see imap-crash.t.

imapwake.py TRASH MEMBER=PORT MEMBER=PORT: the second one changes a UID in Work, and the sync of the first is killed at a system call on
the files that servers look at; each time at a later one, until none is left.
"""
import os
import subprocess
import sys

from imap import Session
from imapwork import Cluster, Watcher, arguments

CALLS = "openat,unlinkat,renameat,renameat2,linkat,utimensat"


def renumber(work):
    """The first message of the list gets the next UID, as if a server had given it out."""
    path = f"{work}/dovecot-uidlist"
    with open(path, encoding="ascii") as f:
        header, first, *rest = f.read().splitlines()
    words = header.split()
    uid = int(words[2][1:])
    words[2] = f"N{uid + 1}"
    with open(f"{path}.tmp", "w", encoding="ascii") as f:
        f.write("\n".join([" ".join(words), *rest, f"{uid} {first.partition(' ')[2]}"]) + "\n")
    os.chown(f"{path}.tmp", os.stat(path).st_uid, os.stat(path).st_gid)
    os.rename(f"{path}.tmp", path)
    # The server here is told of it, as by all who change a list.
    with open(f"{work}/cur/.renumbered", "x", encoding="ascii"):
        pass
    os.unlink(f"{work}/cur/.renumbered")


def killed(trash, member, n):
    """Whether there was an Nth call to kill the sync at."""
    work = f"{trash}/{member}/.Work"
    paths = [word for name in ("", "/cur", "/dovecot-uidlist") for word in ("-P", work + name)]
    done = subprocess.run([f"{trash}/as_mail", "strace", "-o", "/dev/null", *paths, "-e", f"trace={CALLS}", "-e",
                           f"inject={CALLS}:signal=KILL:when={n}", "git-maildir", "sync", "--no-push"],
                          cwd=f"{trash}/{member}", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lock = f"{work}/dovecot-uidlist.lock"
    if os.path.exists(lock):  # one whose process is dead is taken over when it is two seconds old
        then = os.stat(lock).st_mtime - 10
        os.utime(lock, (then, then))
    return done.returncode in (-9, 137)


def main():
    trash, members = sys.argv[1], arguments(sys.argv[2:])
    one, other = members
    cluster, points = Cluster(trash, members), 0
    session = Session(members[other], "mail", other, cluster.ledger)
    for n in range(2):  # whatever was left there
        session.append("Work", f"wake.{n}")
    session.close()
    cluster.rest()
    watcher = Watcher(one, members[one], "Work", cluster.ledger)
    watcher.start()
    while len(cluster.ledger.faults) < 3:
        renumber(f"{trash}/{other}/.Work")
        cluster.run(other, "record", "--no-push")
        cluster.settle()
        reached = killed(trash, one, points + 1)
        cluster.settle()
        cluster.rest()
        when = f"killed at call {points + 1}"
        cluster.informed([watcher], cluster.compare(when=when), when)
        if not reached:
            break
        points += 1
    watcher.end()
    print(f"killed at {points} calls, the client knew after {cluster.slowest:.1f} s at most")
    if points < 4:
        cluster.ledger.fault("that are too few")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
