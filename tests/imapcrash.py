#!/usr/bin/env python3
"""imapcrash.py -- sync is killed at random moments while clients are in IDLE: see imap-crash.t.

imapcrash.py TRASH KILLS SEED MEMBER=PORT...
"""
import os
import random
import signal
import sys
import time

from imapwork import Cluster, Watcher, Worker, World, arguments


def main():
    trash, kills, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    members = arguments(sys.argv[4:])
    cluster, world, rnd = Cluster(trash, members), World(), random.Random(seed)
    workers = [Worker(m, port, world, cluster.ledger, seed) for m, port in members.items()]
    watchers = [Watcher(m, port, box, cluster.ledger) for m, port in members.items() for box in ("INBOX", "Work")]
    for w in watchers:
        w.start()

    def changes():
        for w in workers:
            until = w.ops + 12
            while w.ops < until:
                w.step()

    # How long a sync takes that is not killed. One that had to wait for others says nothing: most kills would come too late.
    times = []
    for _ in range(3):
        changes()
        for m in members:
            start = time.monotonic()
            cluster.run(m, "sync")
            times.append(time.monotonic() - start)
        cluster.settle()
    took = max(0.05, sorted(times)[len(times) // 2])
    cluster.rest()

    killed = tries = 0
    while killed < kills and tries < 3 * kills and len(cluster.ledger.faults) < 20:
        tries += 1
        changes()
        # One member has recorded, and the other merges and applies, or both do.
        member = rnd.choice(sorted(members))
        for m in members:
            if m != member:
                cluster.run(m, "record", *rnd.choice(([], ["--no-push"])))
        process = cluster.start(member, "sync")
        time.sleep(rnd.uniform(0, took))
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()
        if process.returncode == -signal.SIGKILL:
            killed += 1
        cluster.settle()
        # Clients go on, before anybody has repaired anything.
        for w in workers:
            w.step()
        for m in members:
            cluster.run(m, "sync")
            cluster.settle()
        cluster.rest()
        when = f"after kill {killed}"
        cluster.informed(watchers, cluster.compare(world, when), when)
    for w in watchers:
        w.end()
    for w in workers:
        w.session.close()
        with open(f"{trash}/operations.{w.member}", "w", encoding="ascii") as f:
            f.write("\n".join(w.log) + "\n")
    print(f"{killed} kills, {len(cluster.ledger.meant)} UIDs seen, {cluster.clashes()} of them given twice, "
          f"{sum(w.ops for w in workers)} operations, clients knew after {cluster.slowest:.1f} s at most")
    if killed < kills:
        cluster.ledger.fault(f"only {killed} of {tries} syncs could be killed")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
