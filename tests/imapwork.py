"""imapwork.py -- clients at work on members, and those who watch them: for imap-clients.t, imap-load.t and imap-crash.t.

Each member has a Worker, a client that appends, copies, moves, flags and expunges mail, and makes, renames and deletes folders, and a World
that knows what must come of it. So that this is one thing only, however the members are merged, each message and each folder
has an owner: only the worker of that member moves, copies or expunges it, or renames or deletes it. A flag belongs to a member, too. All else is done by all.
"""
import os
import random
import re
import subprocess
import threading
import time

from imap import Closed, Ledger, Refused, Session, quote

SHARED = ("INBOX", "Work")


class Folder:
    def __init__(self, name, owner, kind):
        self.name, self.owner, self.kind = name, owner, kind  # "shared", "own": the owner's mail only, "open": all append
        self.before = []  # names it had


class Mail:
    def __init__(self, owner, folder, flags):
        self.owner, self.places = owner, {folder}
        self.flags = set(flags)
        self.settled = True  # it was never copied nor moved: its flags are known


class World:
    """What must be there in the end."""

    def __init__(self):
        self.lock = threading.RLock()
        self.mails = {}
        self.deleted = set()
        self.folders = [Folder(name, None, "shared") for name in SHARED]
        self.subscribed = set()

    def contents(self):
        """Mailbox -> sorted messages."""
        with self.lock:
            found = {f.name: [] for f in self.folders}
            for name, mail in self.mails.items():
                for folder in mail.places:
                    found[folder.name].append(name)
            return {box: sorted(names) for box, names in found.items()}


class Worker:
    WEIGHTS = {"append": 26, "store": 34, "copy": 7, "move": 10, "expunge": 12, "create": 4, "rename": 3, "delete": 4, "subscribe": 4}

    def __init__(self, member, port, world, ledger, seed):
        self.member, self.port, self.world, self.ledger = member, port, world, ledger
        self.name = member  # of its messages and folders
        self.rnd = random.Random(f"{seed} {member}")
        self.serial = self.ops = 0
        self.done = {}
        self.log = []
        self.session = Session(port, "mail", member, ledger)
        # No flag of two members, and keywords whose letters differ between members.
        n = ord(member[-1]) % 3
        self.flags = [("\\Flagged", f"Own{member}", f"Own{member}2"), ("\\Answered", f"Own{member}"), ("\\Seen", f"Own{member}", "\\Draft")][n]

    def say(self, *words):
        self.log.append(" ".join(map(str, words)))

    def step(self):
        """One operation."""
        while True:
            what = self.rnd.choices(list(self.WEIGHTS), self.WEIGHTS.values())[0]
            try:
                if getattr(self, "do_" + what)():
                    self.ops += 1
                    self.done[what] = self.done.get(what, 0) + 1
                    return
            except Closed as e:
                # A folder that a peer renamed or deleted ends the sessions that have it open; workers never open one of those.
                self.ledger.fault(f"on {self.member}: the worker was disconnected in {self.session.mailbox}: {e}")
                self.session = Session(self.port, "mail", self.member, self.ledger)

    def folders(self, *kinds, mine=False):
        return [f for f in self.world.folders if f.kind in kinds and (f.kind == "shared" or not mine or f.owner == self.member)]

    def open(self, folder):
        if self.session.mailbox != folder.name:
            self.session.select(folder.name)
        else:
            self.session.noop()

    def uid(self, name):
        """Where it is in the open mailbox, or None."""
        found = [u for u in self.session.all if self.session.names.get(u) == name]
        if len(found) > 1:  # a server may tell of what came before it tells of what went
            self.session.noop()
            found = [u for u in self.session.all if self.session.names.get(u) == name]
        if len(found) > 1:
            self.ledger.fault(f"on {self.member}: {name} is in {self.session.mailbox} as {found}")
        return found[0] if found else None

    def pick(self):
        """A mail of this worker in a folder that it may open, which is opened: (name, mail, folder, uid), or None."""
        with self.world.lock:
            where = set(self.folders("shared", "own", "open", mine=True))
            mails = [(n, m, f) for n, m in self.world.mails.items() if m.owner == self.name for f in m.places if f in where]
            here = [x for x in mails if x[2].name == self.session.mailbox]
        if here and self.rnd.random() < 0.8:
            mails = here
        if not mails:
            return None
        name, mail, folder = self.rnd.choice(sorted(mails, key=lambda x: (x[0], x[2].name)))
        self.open(folder)
        uid = self.uid(name)
        if uid is None:
            self.ledger.fault(f"on {self.member}: {name} is missing in {folder.name}")
            with self.world.lock:
                mail.places.discard(folder)
            return None
        return name, mail, folder, uid

    def do_append(self):
        with self.world.lock:
            folder = self.rnd.choice(self.folders("shared") * 3 + self.folders("own", mine=True) + self.folders("open"))
            places = [folder.name]
            if folder.owner != self.member:
                places += reversed(folder.before)
        self.serial += 1
        name = f"{self.name}.{self.serial}"
        flags = [f for f in self.flags if self.rnd.random() < 0.2]
        date = self.rnd.randrange(900000000, 1700000000) if self.rnd.random() < 0.3 else None
        for place in places:  # a folder of a peer may still have its former name here, or none at all
            try:
                self.session.append(place, name, flags, date)
            except Refused as e:
                # A sync renames it at this moment.
                if not re.search(r"\[TRYCREATE\]|\[NONEXISTENT\]|Mailbox was deleted under us", str(e)):
                    raise
                continue
            self.say("append", place, name, *flags)
            with self.world.lock:
                self.world.mails[name] = Mail(self.name, folder, flags)
            return True
        return False

    def do_store(self):
        self.open(self.rnd.choice(self.folders("shared")))
        known = [u for u in self.session.all if u and "\\Deleted" not in self.session.flags.get(u, ())]
        if not known:
            return False
        uid, flag, sign = self.rnd.choice(known), self.rnd.choice(self.flags), self.rnd.choice("++-")
        name = self.session.names[uid]
        if not self.session.store(uid, sign, flag):
            return False
        self.say("store", self.session.mailbox, name, uid, sign + flag)
        with self.world.lock:
            mail = self.world.mails.get(name)
            if mail:
                (mail.flags.add if sign == "+" else mail.flags.discard)(flag)
        return True

    def elsewhere(self, mail):
        """A folder that has not got it yet."""
        with self.world.lock:
            return self.rnd.choice([f for f in self.folders("shared", "own", "open", mine=True) if f not in mail.places] or [None])

    def do_copy(self):
        picked = self.pick()
        to = picked and self.elsewhere(picked[1])
        if not to or len(picked[1].places) > 2:
            return False
        name, mail, folder, uid = picked
        if not self.session.copy(uid, to.name, name):
            return False
        self.say("copy", folder.name, name, uid, to.name)
        with self.world.lock:
            mail.places.add(to)
            mail.settled = False
        return True

    def do_move(self):
        picked = self.pick()
        to = picked and self.elsewhere(picked[1])
        if not to:
            return False
        name, mail, folder, uid = picked
        if not self.session.move(uid, to.name, name):
            return False
        self.say("move", folder.name, name, uid, to.name)
        # A server moves by copying and expunging. Where the message gets another UID in between it expunges nothing: then it is still there.
        self.session.noop()
        self.remove(name, self.uid(name))
        with self.world.lock:
            mail.places.remove(folder)
            mail.places.add(to)
            mail.settled = False
        return True

    def remove(self, name, uid):
        """Expunges it from the open mailbox. It may get another UID between any two commands."""
        while uid:
            self.session.expunge(uid)
            self.session.noop()
            uid = self.uid(name)

    def do_expunge(self):
        picked = self.pick()
        if not picked:
            return False
        name, mail, folder, uid = picked
        self.remove(name, uid)
        self.say("expunge", folder.name, name, picked[3])
        with self.world.lock:
            mail.places.discard(folder)
            if not mail.places:
                del self.world.mails[name]
                self.world.deleted.add(name)
        return True

    def do_create(self):
        if len(self.folders("own", "open", mine=True)) > 7:
            return False
        self.serial += 1
        kind = self.rnd.choice(("own", "open"))
        folder = Folder(f"{kind}-{self.member}-{self.serial}", self.member, kind)
        self.session.command(f"CREATE {quote(folder.name)}")
        self.say("create", folder.name)
        with self.world.lock:
            self.world.folders.append(folder)
        return True

    def mine(self, *kinds):
        with self.world.lock:
            found = self.folders(*kinds, mine=True)
        if not found:
            return None
        folder = self.rnd.choice(found)
        if self.session.mailbox == folder.name:
            self.session.select("INBOX")
        return folder

    def do_rename(self):
        folder = self.mine("own", "open")
        if not folder:
            return False
        self.serial += 1
        new = f"{folder.kind}-{self.member}-{self.serial}"
        self.session.command(f"RENAME {quote(folder.name)} {quote(new)}")
        self.say("rename", folder.name, new)
        with self.world.lock:
            folder.before.append(folder.name)
            folder.name = new
        return True

    def do_delete(self):
        folder = self.mine("own")
        if not folder:
            return False
        self.session.command(f"DELETE {quote(folder.name)}")
        self.say("delete", folder.name)
        with self.world.lock:
            self.world.folders.remove(folder)
            for name, mail in list(self.world.mails.items()):
                mail.places.discard(folder)
                if not mail.places:
                    del self.world.mails[name]
        return True

    def do_subscribe(self):
        with self.world.lock:
            mine = [s for s in sorted(self.world.subscribed) if f"-{self.member}-" in s]
            found = self.folders("own", "open", mine=True)
            found = [f.name for f in found if f.owner]
        if mine and self.rnd.random() < 0.5:
            name = self.rnd.choice(mine)
            self.session.command(f"UNSUBSCRIBE {quote(name)}")
            self.say("unsubscribe", name)
            with self.world.lock:
                self.world.subscribed.discard(name)
        elif found:
            name = self.rnd.choice(found)
            self.session.command(f"SUBSCRIBE {quote(name)}")
            self.say("subscribe", name)
            with self.world.lock:
                self.world.subscribed.add(name)
        else:
            return False
        return True


class BusyWorker(Worker):
    """One of several of a member, all in INBOX. Flags it stores on its own mail only."""

    WEIGHTS = {"append": 15, "store": 70, "expunge": 12, "look": 3}

    def __init__(self, member, port, world, ledger, seed, name):
        super().__init__(member, port, world, ledger, f"{seed} {name}")
        self.name = name
        self.flags = ["\\Seen", "\\Answered", "\\Flagged", f"Load{member}", "Load"]
        self.session.select("INBOX")

    def folders(self, *kinds, mine=False):
        return self.world.folders[:1]

    def do_store(self):
        picked = self.pick()
        if not picked:
            return False
        name, mail, folder, uid = picked
        flag, sign = self.rnd.choice(self.flags), self.rnd.choice("+-")
        while not self.session.store(uid, sign, flag):
            self.session.noop()
            uid = self.uid(name)
            if not uid:
                self.ledger.fault(f"on {self.member}: {name} went from {folder.name} while a flag was stored")
                return False
        with self.world.lock:
            (mail.flags.add if sign == "+" else mail.flags.discard)(flag)
        return True

    def do_look(self):
        self.session.noop()
        self.session.learn("1:*")
        return True


class Watcher(threading.Thread):
    """A client that has a folder open all the time, in IDLE, or with a NOOP now and then."""

    def __init__(self, member, port, mailbox, ledger, idle=True):
        super().__init__(daemon=True)
        self.member, self.mailbox, self.ledger, self.idle = member, mailbox, ledger, idle
        self.stop = threading.Event()
        self.session = Session(port, "mail", member, ledger)
        self.session.select(mailbox)
        self.alive = True

    def run(self):
        try:
            while not self.stop.is_set():
                if self.idle:
                    self.session.idle(3600, self.stop.is_set)
                else:
                    self.session.noop()
                    self.stop.wait(0.2)
        except (Closed, OSError, RuntimeError) as e:
            self.alive = False
            self.ledger.fault(f"on {self.member}: a client that had {self.mailbox} open was {'in IDLE and' if self.idle else 'awake and'} disconnected: {e}")

    def view(self):
        """What it believes to be there: UID -> (message, flags)."""
        s = self.session
        return {u: (s.names.get(u), tuple(sorted(s.flags.get(u, ())))) for u in list(s.all) if u}

    def end(self):
        self.stop.set()
        self.join()
        if self.alive:
            self.session.close()


class Cluster:
    """The members as a script works with them: their programs are run as the user who owns the mail."""

    def __init__(self, trash, members):
        self.trash, self.members, self.ledger = trash, members, Ledger()
        self.slowest = 0

    def start(self, member, *args):
        return subprocess.Popen([f"{self.trash}/as_mail", "git", "-C", f"{self.trash}/{member}", "maildir", *args], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)

    def run(self, member, *args):
        """Returns what it says; a status that is not 0 is a fault."""
        process = self.start(member, *args)
        said = process.communicate()[0]
        if process.returncode:
            self.ledger.fault(f"{' '.join(args)} of {member}: status {process.returncode}: {said[-500:]}")
        return said

    def settle(self):
        """Waits for what the hooks have started."""
        mine, dovecots = self.trash + "/", self.trash + "/dovecot"
        while True:
            busy = False
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    cwd = os.readlink(f"/proc/{pid}/cwd")
                except OSError:
                    continue
                busy |= cwd.startswith(mine) and not cwd.startswith(dovecots)
            if not busy:
                return
            time.sleep(0.02)

    def heads(self):
        return [subprocess.run([f"{self.trash}/as_mail", "git", "-C", f"{self.trash}/{m}", "rev-parse", "HEAD"], check=True,
                               stdout=subprocess.PIPE, text=True).stdout.strip() for m in self.members]

    def rest(self, rounds=5):
        """Syncs until nothing moves any more."""
        before = None
        for _ in range(rounds):
            now = self.heads()
            if now == before and len(set(now)) == 1:
                return
            before = now
            for m in self.members:
                self.run(m, "sync")
                self.settle()
        self.ledger.fault(f"no rest after {rounds} rounds: {self.heads()}")

    def look(self, member):
        """All that a client sees: mailbox -> (UIDVALIDITY, UIDNEXT, {UID: (message, flags, date, size)}), and the subscriptions."""
        s = Session(self.members[member], "mail", member, self.ledger)
        seen = {}
        s.mailboxes()  # the index of folders is one LIST behind what others did
        for box in s.mailboxes():
            validity, mails = s.snapshot(box)
            seen[box] = (validity, s.status(box)["UIDNEXT"], mails)
        subscribed = sorted(s.names_of("LSUB"))
        s.close()
        return seen, subscribed

    def compare(self, world=None, when=""):
        """At rest, all members must show clients the same, UIDs must mean what they always meant, and nothing may be lost or doubled."""
        faults = self.ledger.fault
        views = {m: self.look(m) for m in self.members}
        first = next(iter(views))
        for m, (boxes, subscribed) in views.items():
            if subscribed != views[first][1]:
                faults(f"{when}: subscriptions of {first}: {views[first][1]}, of {m}: {subscribed}")
            for box in sorted(set(boxes) | set(views[first][0])):
                one, other = views[first][0].get(box), boxes.get(box)
                if one is None or other is None:
                    faults(f"{when}: {box} is {'missing' if other is None else 'there'} on {m}, and not so on {first}")
                elif one[:2] != other[:2]:
                    faults(f"{when}: {box} has UIDVALIDITY and UIDNEXT {one[:2]} on {first} and {other[:2]} on {m}")
                elif one != other:
                    for uid in sorted(set(one[2]) | set(other[2])):
                        if one[2].get(uid) != other[2].get(uid):
                            faults(f"{when}: UID {uid} of {box} is {one[2].get(uid)} on {first} and {other[2].get(uid)} on {m}")
                            break
            for box, (validity, _, mails) in boxes.items():
                for uid, seen in mails.items():
                    self.ledger.at_rest(box, validity, uid, seen[0])
            if world:
                wanted = world.contents()
                there = {box: sorted(seen[0] for seen in mails.values()) for box, (_, _, mails) in boxes.items()}
                for box in sorted(set(wanted) | set(there)):
                    if wanted.get(box) != there.get(box):
                        lost = sorted(set(wanted.get(box) or ()) - set(there.get(box) or ()))
                        more = sorted(set(there.get(box) or ()) - set(wanted.get(box) or ()))
                        faults(f"{when}: on {m}, {box} is {'there' if box in there else 'not there'}, lacks {lost[:5]} and has {more[:5]} too much, "
                               f"{len(there.get(box) or ())} instead of {len(wanted.get(box) or ())}")
                for box, (_, _, mails) in boxes.items():
                    for name, flags, _, _ in mails.values():
                        mail = world.mails.get(name)
                        if mail and mail.settled and set(flags) != mail.flags:
                            faults(f"{when}: on {m}, {name} in {box} has the flags {flags} instead of {sorted(mail.flags)}")
                if sorted(world.subscribed) != subscribed:
                    faults(f"{when}: on {m}, {subscribed} are subscribed instead of {sorted(world.subscribed)}")
        return views

    def informed(self, watchers, views, when=""):
        """Those who watch must come to see that, without being told to look."""
        start = time.monotonic()
        for w in watchers:
            wanted = {uid: seen[:2] for uid, seen in views[w.member][0][w.mailbox][2].items()}
            while w.alive and w.view() != wanted:
                if time.monotonic() > start + 60:
                    view = w.view()
                    wrong = sorted(u for u in set(view) | set(wanted) if view.get(u) != wanted.get(u))
                    self.ledger.fault(f"{when}: on {w.member}, a client {'in IDLE' if w.idle else 'that polls'} does not see {w.mailbox} as it is: "
                                      f"{len(wrong)} messages, UID {wrong[0]} is {wanted.get(wrong[0])} and it sees {view.get(wrong[0])}")
                    break
                time.sleep(0.02)
        self.slowest = max(self.slowest, time.monotonic() - start)

    def clashes(self):
        """How many UIDs were given to different messages by members that were apart."""
        return sum(len(set(meant.values())) > 1 for meant in self.ledger.meant.values())

    def tell(self):
        """Prints the faults; the exit status."""
        for fault in self.ledger.faults[:40]:
            print("fault:", fault)
        print(len(self.ledger.faults), "faults")
        return 1 if self.ledger.faults else 0


def arguments(words):
    """MEMBER=PORT... as a dict."""
    return {m: int(port) for m, _, port in (word.partition("=") for word in words)}
