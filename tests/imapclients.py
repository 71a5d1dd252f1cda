#!/usr/bin/env python3
"""imapclients.py -- clients work on all members while these are apart and together in turn: see imap-clients.t.

imapclients.py TRASH OPERATIONS PARTITIONS SEED MEMBER=PORT...
"""
import random
import sys
import threading

from imapwork import Cluster, Watcher, Worker, World, arguments


def main():
    trash, ops, partitions, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    members = arguments(sys.argv[5:])
    cluster, world, rnd = Cluster(trash, members), World(), random.Random(seed)
    workers = [Worker(m, port, world, cluster.ledger, seed) for m, port in members.items()]
    views = cluster.compare(when="at the beginning")
    watchers = []
    for m, port in members.items():
        for box, idle in (("INBOX", True), ("Work", True), ("INBOX", False)):
            watchers.append(Watcher(m, port, box, cluster.ledger, idle))
            watchers[-1].start()
    broken = []

    def work(worker, until):
        try:
            while worker.ops < until:
                worker.step()
        except Exception as e:  # pylint: disable=broad-except
            cluster.ledger.fault(f"the worker of {worker.member} ended: {type(e).__name__} {e}")
            broken.append(worker)

    def phase(until, beside):
        threads = [threading.Thread(target=work, args=(w, until), daemon=True) for w in workers]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            beside()
            threads[0].join(0.05)

    def record():
        if rnd.random() < 0.1:
            cluster.run(rnd.choice(sorted(members)), "record", "--no-push")

    def sync():
        cluster.run(rnd.choice(sorted(members)), "sync")

    syncs = 0
    for n in range(1, partitions + 1):
        phase(ops * (3 * n - 1) // (3 * partitions), record)
        phase(ops * n // partitions, sync)
        cluster.rest()
        views = cluster.compare(world, f"partition {n}")
        cluster.informed(watchers, views, f"partition {n}")
        syncs = n
        if broken or not all(w.alive for w in watchers) or len(cluster.ledger.faults) > 20:
            break
    for w in watchers:
        w.end()
    for w in workers:
        w.session.close()
        print(f"{w.member}: {w.ops} operations: {w.done}")
        with open(f"{trash}/operations.{w.member}", "w", encoding="ascii") as f:
            f.write("\n".join(w.log) + "\n")
    print(f"{syncs} partitions, {len(cluster.ledger.meant)} UIDs seen, {cluster.clashes()} of them given twice while apart, "
          f"{sum(len(c) for c in world.contents().values())} messages in {len(world.folders)} folders, clients knew after {cluster.slowest:.1f} s at most")
    if not cluster.clashes():
        cluster.ledger.fault("no UID was given twice: the members were not apart")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
