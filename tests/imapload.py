#!/usr/bin/env python3
"""imapload.py -- many sessions work in one folder of a member while it takes over what happens on the other: see imap-load.t.

imapload.py TRASH SESSIONS SECONDS SEED BUSY=PORT OTHER=PORT
"""
import sys
import threading
import time

from imapwork import BusyWorker, Cluster, Mail, Watcher, World, arguments


def main():
    trash, sessions, seconds, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    members = arguments(sys.argv[5:])
    busy, other = members
    cluster, world = Cluster(trash, members), World()
    ledger = cluster.ledger
    workers = [BusyWorker(busy, members[busy], world, ledger, seed, f"{busy}{n}") for n in range(sessions)]
    workers.append(BusyWorker(other, members[other], world, ledger, seed, other))

    # What both have at the beginning keeps its UIDs in any case.
    for n in range(400):
        owner = workers[n % len(workers)].name
        workers[0].session.append("INBOX", f"old.{n}")
        world.mails[f"old.{n}"] = Mail(owner, world.folders[0], ())
    cluster.rest()
    views = cluster.compare(world, "at the beginning")
    old = {seen[0]: uid for uid, seen in views[busy][0]["INBOX"][2].items()}
    watchers = [Watcher(m, members[m], "INBOX", ledger) for m in members]
    for w in watchers:
        w.start()
    for w in workers:
        w.session.noop()

    end = time.monotonic() + seconds

    def work(worker):
        try:
            while time.monotonic() < end:
                worker.step()
                if worker.member == other:
                    time.sleep(0.02)
        except Exception as e:  # pylint: disable=broad-except
            ledger.fault(f"worker {worker.name} ended: {type(e).__name__} {e}")

    threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in workers]
    for thread in threads:
        thread.start()
    syncs = 0
    while time.monotonic() < end:
        cluster.run(other, "record")
        cluster.run(busy, "sync")
        syncs += 1
    for thread in threads:
        thread.join()
    cluster.rest()
    views = cluster.compare(world, "in the end")
    cluster.informed(watchers, views, "in the end")
    for w in watchers:
        w.end()

    # Who was told that a message went, and it is there? Only its UID may have gone: one that it had on one member alone, because it came there
    # when the other had given out as many. A UID on which both members agreed never changes.
    bogus, moved = set(), set()
    for session in [w.session for w in workers + watchers]:
        for uid, name in session.expunged:
            if name is None or name in world.deleted:
                continue
            meant = ledger.meant.get(("INBOX", session.validity, uid), {})
            agreed = [meant.get(m) for m in members] == [name] * len(members)
            (bogus if agreed else moved).add((session.member, uid, name))
    for member, uid, name in sorted(bogus)[:20]:
        ledger.fault(f"on {member}, clients were told that {name} with UID {uid} is gone, and it was not deleted and has this UID on all members")
    now = {seen[0]: uid for uid, seen in views[busy][0]["INBOX"][2].items()}
    for name, uid in old.items():
        if name in now and now[name] != uid:
            ledger.fault(f"{name} had UID {uid} on both members and has {now[name]}")
    for w in workers:
        w.session.close()
    print(f"{sum(w.ops for w in workers)} operations in {len(workers)} sessions, {syncs} syncs, {len(world.mails)} messages, "
          f"{len(moved)} UIDs changed because both members gave some out, {len(bogus)} for no reason")
    if syncs < 5:
        ledger.fault(f"only {syncs} syncs")
    return cluster.tell()


if __name__ == "__main__":
    sys.exit(main())
