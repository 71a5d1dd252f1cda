#!/usr/bin/env python3
"""watchwork.py -- what mail servers and people do to a Maildir while it is watched, faster than a shell can: COMMAND ARGS..."""
import os, random, shutil, socket, sys, time


def put(folder, name, text=None, sub="new"):
    """Delivers a message through tmp/."""
    tmp = os.path.join(folder, "tmp", name.split(":")[0])
    with open(tmp, "w", opener=lambda path, how: os.open(path, how, 0o600)) as out:
        out.write(text or "From: sender@example.org\nSubject: %s\nMessage-ID: <%s@example.org>\n\nText.\n" % (name, name))
    os.rename(tmp, os.path.join(folder, sub, name))


def make(folder):
    for sub in ("", "cur", "new", "tmp"):
        os.mkdir(os.path.join(folder, sub), 0o700)


def folders(root, form, count):
    """New folders with mail in them before and after anybody can have looked. form: "%d" in it is a number."""
    for i in range(int(count)):
        folder = os.path.join(root, form % i)
        os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
        make(folder)
        put(folder, "17000%05d.first.host" % i)
        if i % 3 == 1:
            time.sleep(random.random() / 50)
        put(folder, "17000%05d.second.host" % i)
        if i % 3 == 2:
            time.sleep(random.random() / 10)
        put(folder, "17000%05d.third.host:2,S" % i, sub="cur")


def churn(root, form, count):
    """The same folder made and removed again and again."""
    for i in range(int(count)):
        folder = os.path.join(root, form)
        make(folder)
        put(folder, "17000%05d.churn.host" % i)
        # Whoever records it meanwhile puts a marker into it.
        while os.path.exists(folder):
            shutil.rmtree(folder, ignore_errors=True)


def flow(root, tag, seconds, pause="0.02"):
    """Mail comes, is read, answered, moved and deleted without a pause. Prints the names of the messages that were delivered and not deleted."""
    rng, kept, end, i = random.Random(tag), {}, time.monotonic() + float(seconds), 0
    work = os.path.join(root, ".Work")
    while time.monotonic() < end:
        i += 1
        key = "1700%06d.%s%d.host" % (i, tag, os.getpid())
        put(root, key)
        kept[key] = None
        print(key, flush=True)
        if rng.random() < 0.5:
            key = rng.choice(list(kept))
            for folder in (root, work):
                for sub in ("new", "cur"):
                    for name in os.listdir(os.path.join(folder, sub)):
                        if name.split(":")[0] == key:
                            to = rng.choice((folder, folder, work))
                            flags = "".join(sorted(set("S" + rng.choice("FRS"))))
                            try:
                                os.rename(os.path.join(folder, sub, name), os.path.join(to, "cur", key + ":2," + flags))
                            except FileNotFoundError:
                                pass
        time.sleep(rng.random() * float(pause) * 2)


def flags(path, count):
    """A message changes its flags so many times, each of which is two events."""
    folder, name = os.path.split(path)
    key = name.split(":")[0]
    for i in range(int(count)):
        to = key + (":2,S" if i % 2 else ":2,FS")
        os.rename(os.path.join(folder, name), os.path.join(folder, to))
        name = to


def listen(path, out):
    """What a service manager is told: a line in the file out for each datagram, until "STOPPING=1"."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    s.settimeout(120)
    with open(out, "w") as log:
        while True:
            said = s.recv(4096).decode()
            log.write(said + "\n")
            log.flush()
            if said == "STOPPING=1":
                break


globals()[sys.argv[1]](*sys.argv[2:])
