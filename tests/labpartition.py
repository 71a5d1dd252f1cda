#!/usr/bin/env python3
"""labpartition.py -- clients and mail on all hosts of a laboratory, while links between them are cut and healed: see lab-partition.t.

labpartition.py PARTITIONS SECONDS SEED WITHIN. The laboratory ($LAB) has members who have an INBOX and a folder Work, both empty. What it found
is printed, and in a few lines that begin with "# " also what a person wants to know.
"""
import itertools
import random
import sys
import threading
import time

import imapwork
from imapwork import Mail, Watcher, Worker, World
from labwork import Different, Lab

# For so many seconds nobody may make a commit when all are equal.
QUIET = 3


class LabWorker(Worker):
    """A client at work that does not go faster than a few hasty people. Where the owner of a folder is cut off, mail is also appended to that."""

    def __init__(self, lab, host, world, ledger, seed):
        super().__init__(host, lambda: lab.connect(host, 143), world, ledger, seed)
        self.stop = threading.Event()

    def say(self, *words):
        super().say(f"{time.strftime('%H:%M:%S')}.{time.time() % 1 * 1000:03.0f}", *words)

    def work(self):
        try:
            while not self.stop.is_set():
                self.step()
                self.stop.wait(self.rnd.random() * 0.06)
        except Exception as e:  # pylint: disable=broad-except
            self.ledger.fault(f"the worker of {self.member} ended: {type(e).__name__} {e}")


class Sender:
    """Sends mail to a host by SMTP. It is nobody's at first; adopt() gives it to the workers, who then move and expunge it."""

    def __init__(self, lab, host, world, ledger, seed):
        self.lab, self.host, self.world, self.ledger = lab, host, world, ledger
        self.rnd = random.Random(f"{seed} sender {host}")
        self.stop = threading.Event()
        self.sent = 0

    def work(self):
        try:
            smtp = self.lab.smtp(self.host)
            while not self.stop.is_set():
                self.sent += 1
                name = f"mail-{self.host}.{self.sent}"
                with self.world.lock:
                    self.world.mails[name] = Mail("mail", self.world.folders[0], ())
                self.lab.deliver(self.host, name, connection=smtp)
                self.stop.wait(self.rnd.random() * 0.4)
            smtp.quit()
        except Exception as e:  # pylint: disable=broad-except
            self.ledger.fault(f"mail to {self.host}: {type(e).__name__} {e}")


class Cluster(imapwork.Cluster):
    def __init__(self, lab):
        super().__init__(lab.path, {host: lambda host=host: lab.connect(host, 143) for host in lab.hosts()})
        self.lab = lab

    def at_rest(self, world, within):
        """
        Waits until all hosts are equal and nothing moves any more; returns after how many seconds they were equal for good, and after how many the
        last commit came.
        """
        lab, began = self.lab, time.monotonic()
        heads, moved, equal, different = None, 0, None, ""
        while True:
            now = time.monotonic() - began
            before, heads = heads, lab.heads()
            if heads != before:
                moved, equal = now, None
            if equal is None and len(set(heads.values())) == 1:
                different = lab.difference() or self.incomplete(world)
                if not different:
                    equal = time.monotonic() - began
                    if lab.heads() != heads:
                        equal = None
            elif equal is None:
                different = f"heads: {heads}"
            if equal is not None and now - max(equal, moved) > QUIET:
                return equal, moved
            if equal is None and now > within:
                raise Different(f"not equal {now:.0f} s after the links were healed: {different}")
            if now > 2 * within + QUIET:
                raise Different(f"no rest {now:.0f} s after the links were healed: {heads}")
            time.sleep(0.02)

    def incomplete(self, world):
        """What is on its way in a mail server still, or is lost; what is doubled."""
        wanted = {name: len(mail.places) for name, mail in world.mails.items()}
        for host in self.members:
            there = dict(self.lab.stored(host))
            if there != wanted:
                lost = {n: (wanted[n], there.get(n, 0)) for n in wanted if there.get(n, 0) < wanted[n]}
                more = {n: (wanted.get(n, 0), there[n]) for n in there if there[n] > wanted.get(n, 0)}
                return f"on {host}: lacks {sorted(lost.items())[:5]}, has {sorted(more.items())[:5]} too often (wanted, there)"
        return None


def cuts(hosts, rnd, n):
    """What is cut: (name, arguments of "lab cut"). The first ones are of all kinds."""
    one, two = rnd.sample(hosts, 2)
    pairs = list(itertools.combinations(hosts, 2))
    kinds = ["apart", "all", "pair", "oneway", "chain", "deaf", "changing"]
    kind = kinds[n] if n < len(kinds) else rnd.choice(kinds)
    return kind, {
        "apart": [(one,)],  # one host alone
        "all": pairs,  # all alone
        "pair": [(one, two)],  # two that reach each other only by way of the third
        "oneway": [(one, two, "oneway")],
        "chain": [(one, two), (one, next(h for h in hosts if h not in (one, two)), "oneway")],
        "deaf": [(h, one, "oneway") for h in hosts if h != one],  # one whose words arrive, and who hears nothing
        "changing": [(one,)],
    }[kind]


def main():
    lab = Lab()
    partitions, seconds, seed, within = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    hosts = lab.hosts()
    cluster, world, rnd = Cluster(lab), World(), random.Random(seed)
    workers = [LabWorker(lab, h, world, cluster.ledger, seed) for h in hosts]
    senders = [Sender(lab, h, world, cluster.ledger, seed) for h in hosts]
    watchers = [Watcher(h, cluster.members[h], box, cluster.ledger) for h in hosts for box in ("INBOX", "Work")]
    for w in watchers:
        w.start()
    took = []

    def phase(length):
        threads = [threading.Thread(target=x.work, daemon=True) for x in workers + senders]
        for x in workers + senders:
            x.stop.clear()
        for t in threads:
            t.start()
        time.sleep(length)
        for x in workers + senders:
            x.stop.set()
        for t in threads:
            t.join()

    for n in range(partitions):
        kind, words = cuts(hosts, rnd, n)
        phase(0.5 + rnd.random())  # all together
        for args in words:
            lab.cut(*args)
        phase(seconds)
        if kind == "changing":
            for _ in range(2):
                lab.heal("all")
                lab.cut(rnd.choice(hosts))
                phase(seconds / 2)
        lab.heal("all")
        when = f"partition {n + 1}, seed {seed} ({kind} {words})"
        try:
            equal, moved = cluster.at_rest(world, within)
        except Different as e:
            cluster.ledger.fault(f"{when}: {e}")
            break
        took.append(equal)
        print(f"# {when}: equal after {equal:.1f} s, last commit after {moved:.1f} s; {len(world.mails)} messages")
        views = cluster.compare(world, when)
        cluster.informed(watchers, views, when)
        with world.lock:
            for mail in world.mails.values():
                if mail.owner == "mail":
                    mail.owner = rnd.choice(hosts)
        if cluster.ledger.faults or not all(w.alive for w in watchers):
            break
    for w in watchers:
        w.end()
    for w in workers:
        w.session.close()
        print(f"{w.member}: {w.ops} operations: {w.done}")
        print("\n".join(w.log[-400:]), file=open(f"{lab.path}/../operations.{w.member}", "w", encoding="ascii"))
    took.sort()
    if took:
        print(f"# equal for good after: median {took[len(took) // 2]:.1f} s, most {took[-1]:.1f} s, of {len(took)}; "
              f"{sum(w.ops for w in workers)} operations, {sum(s.sent for s in senders)} messages by SMTP, {cluster.clashes()} UIDs given twice; "
              f"clients in IDLE knew {cluster.slowest:.1f} s later at most")
    return cluster.tell()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
