"""labflow.py -- mail that flows into the hosts of a laboratory while something else happens: for lab-return.t and lab-odd.t. A module.

    with mail("a", "b"):            # a message to each of them now and then
        lab.stop("c")
        lab.deliver("a", "one")
        note("one")                 # what is to be there in the end, once
    complete("what happened")       # waits until all hosts have all of it and are equal, and prints how long that took

What is to be there is remembered in the file "sent", from one script to the next.
"""
import contextlib
import os
import random
import smtplib
import threading
import time

import imap
from labwork import *

lab = Lab()



def note(name):
    with open("sent", "a") as f:
        print(name, file=f)


@contextlib.contextmanager
def mail(*hosts):
    ended, failed = threading.Event(), []
    def send(host):
        serial = 0
        try:
            connection = lab.smtp(host)
            while not ended.is_set():
                serial += 1
                name = f"{host}.{time.time():.3f}.{serial}"
                try:
                    lab.deliver(host, name, connection=connection)
                    note(name)
                except smtplib.SMTPResponseException as refused:
                    # A sender tries again later; the next message is another one here.
                    if refused.smtp_code // 100 != 4:
                        raise
                ended.wait(random.random() * 0.5)
        except Exception as e:  # pylint: disable=broad-except
            failed.append(f"mail to {host}: {e}")
    threads = [threading.Thread(target=send, args=(host,)) for host in hosts]
    for t in threads:
        t.start()
    try:
        yield
    finally:
        ended.set()
        for t in threads:
            t.join()
    assert not failed, failed


def sent():
    try:
        return set(open("sent").read().split())
    except FileNotFoundError:
        return set()


def forget(*names):
    """They are deleted, and are not to be there any more."""
    left = sent() - set(names)
    os.remove("sent")
    for name in left:
        note(name)


def wrong(hosts, wanted):
    for host in hosts:
        stored = lab.stored(host)
        found = {n: stored[n] for n in wanted if stored[n] != 1}, {n: c for n, c in stored.items() if c != 1}
        if found != ({}, {}):
            return host, len(stored), found
    return None


def complete(what, timeout=60):
    began, wanted = time.monotonic(), sent()
    hosts = lab.hosts()
    while wrong(hosts, wanted) or any(map(lab.queued, hosts)) or lab.difference(hosts):
        assert time.monotonic() < began + timeout, (wrong(hosts, wanted), lab.difference(hosts))
        time.sleep(0.05)
    print(f"# {what}: equal after {time.monotonic() - began:.1f} s")
    lab.stays_equal(hosts, 1.5)
    assert not wrong(hosts, wanted), wrong(hosts, wanted)
