#!/usr/bin/env python3
"""renamework.py -- mail comes to a folder on one member all the time while the other renames it: see folder-rename.t.

renamework.py TRASH ROUNDS MAILS PREFIX MEMBER=PORT OTHER=PORT: in each round a client of MEMBER renames the folder, which holds MAILS
messages in the beginning, and both sync; on OTHER a client appends to it and a mail server delivers into it, under its old name for
as long as there is a folder of that name. Then there must be no folder of the old name, and every message must be there once.
PREFIX is what stands before the name of a folder's directory.
"""
import os
import re
import sys
import threading
import time

from imap import Refused, Session, mail
from imapwork import Cluster, arguments


class Sender(threading.Thread):
    """Sends to one of two names of a folder, the old one first."""

    def __init__(self, name, names):
        super().__init__(daemon=True)
        self.name, self.names = name, names
        self.sent, self.serial = [], 0
        self.halt = threading.Event()
        self.fault = None

    def run(self):
        try:
            while not self.halt.is_set():
                self.serial += 1
                name = f"{self.name}.{self.serial}"
                for box in list(self.names):
                    if self.send(box, name):
                        self.sent.append(name)
                        break
                time.sleep(0.005)
        except Exception as e:  # pylint: disable=broad-except
            self.fault = f"{type(e).__name__} {e}"


class Client(Sender):
    def __init__(self, name, names, session):
        super().__init__(name, names)
        self.session = session

    def send(self, box, name):
        try:
            self.session.append(box, name)
        except Refused as e:
            # Found to be gone before it begins, or when it is at it.
            if not re.search(r"\[TRYCREATE\]|\[NONEXISTENT\]|Mailbox was deleted under us", str(e)):
                self.fault = str(e)
            return False
        return True


class Server(Sender):
    """Knows nothing of locks, as Maildir has it: into tmp/, and then to new/."""

    def __init__(self, name, names, prefix, owner):
        super().__init__(name, names)
        self.prefix, self.owner = prefix, owner

    def send(self, box, name):
        key = f"{int(time.time())}.{name}"
        tmp, new = f"{self.prefix}{box}/tmp/{key}", f"{self.prefix}{box}/new/{key}"
        try:
            with open(tmp, "w", encoding="ascii", newline="") as f:
                f.write(mail(name))
            os.chown(tmp, *self.owner)
            os.chmod(tmp, 0o600)
            os.rename(tmp, new)
        except FileNotFoundError:
            return False
        return True


def main():
    trash, rounds, mails, prefix = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    members = arguments(sys.argv[5:])
    here, there = members
    cluster = Cluster(trash, members)
    fault = cluster.ledger.fault
    sessions = {m: Session(port, "mail", m, cluster.ledger) for m, port in members.items()}
    st = os.stat(f"{trash}/{there}")
    wanted = []
    sessions[here].command("CREATE Box0")
    for n in range(mails):
        wanted.append(f"first.{n}")
        sessions[here].append("Box0", wanted[-1])
    cluster.rest()
    validity = sessions[there].status("Box0")["UIDVALIDITY"]
    came = 0
    for n in range(rounds):
        old, new = f"Box{n}", f"Box{n + 1}"
        senders = [Client(f"client{n}", [old, new], sessions[there]),
                   Server(f"server{n}", [old, new], f"{trash}/{there}/{prefix}", (st.st_uid, st.st_gid))]
        for s in senders:
            s.start()
        name = f"here.{n}"
        sessions[here].append(old, name)
        wanted.append(name)
        sessions[here].command(f"RENAME {old} {new}")
        cluster.run(here, "sync")
        end = time.monotonic() + 60
        while os.path.exists(f"{trash}/{there}/{prefix}{old}/cur") and time.monotonic() < end:
            cluster.run(there, "sync")
        time.sleep(0.05)
        for s in senders:
            s.halt.set()
            s.join()
            if s.fault:
                fault(f"round {n}: {s.name}: {s.fault}")
            wanted += s.sent
            came += len(s.sent)
        cluster.settle()
        cluster.rest()
        views = cluster.compare(when=f"round {n}")
        for m, (boxes, _) in views.items():
            if old in boxes:
                fault(f"round {n}: on {m}, there is a {old} again, with UIDVALIDITY {boxes[old][0]} and {len(boxes[old][2])} messages")
            if new not in boxes:
                fault(f"round {n}: on {m}, there is no {new}")
                continue
            found = sorted(seen[0] for seen in boxes[new][2].values())
            if boxes[new][0] != validity:
                fault(f"round {n}: on {m}, the UIDVALIDITY was {validity} and is {boxes[new][0]}")
            if found != sorted(wanted):
                lost, more = set(wanted) - set(found), set(found) - set(wanted)
                fault(f"round {n}: on {m}, {new} lacks {sorted(lost)[:5]} and has {sorted(more)[:5]} too much, {len(found)} instead of {len(wanted)}")
        if len(cluster.ledger.faults) > 20:
            break
    for s in sessions.values():
        s.close()
    print(f"{came} messages came while the folder was renamed {rounds} times")
    if not came:
        fault("no message came")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
