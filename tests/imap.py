#!/usr/bin/env python3
"""imap.py -- IMAP clients for the tests, on 127.0.0.1: imap.py PORT USER COMMAND [ARGS]. Also a module: class Session.

list                   prints every mailbox, as LIST gives it
capability             prints the capabilities, one a line, sorted
status MAILBOX         prints the number of its messages
create|delete MAILBOX  does so
store CRITERIA FLAG    adds the flag to what the search in INBOX finds
idle FILE WORD SECONDS selects INBOX, idles, makes FILE, and ends well when an untagged FETCH with WORD comes
stress SECONDS SEED    stores flags, appends, and expunges what it appended itself. Prints "kept <id>" for each
                       of its messages that must be there in the end and "gone <id>" for each that must not
do                     does what standard input says, a line each (class Script)
uids [MAILBOX...]      prints "MAILBOX UIDVALIDITY UID ID FLAGS" for each message of these, or of all

A message is named by its Message-ID without "<" and "@example.org>".
"""
import os
import random
import re
import select
import shlex
import socket
import sys
import threading
import time

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Closed(Exception):
    """The server hung up, or is about to."""


class Refused(RuntimeError):
    """The tagged response was NO or BAD."""


ATOM = re.compile(r'[^\s()"{\[]*(?:\[[^\]]*\][^\s()]*)?')
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
LITERAL = re.compile(r"\{(\d+)\}\r\n")


def parse(text):
    """A response as nested lists: "* 3 FETCH (UID 5 FLAGS ())" is ["*", "3", "FETCH", ["UID", "5", "FLAGS", []]]."""
    here, outer, i = [], [], 0
    while i < len(text):
        c = text[i]
        if c in " \r\n":
            i += 1
        elif c == "(":
            outer.append(here)
            here.append([])
            here = here[-1]
            i += 1
        elif c == ")":
            here = outer.pop()
            i += 1
        elif c == '"':
            m = QUOTED.match(text, i)
            here.append(re.sub(r"\\(.)", r"\1", m.group(1)))
            i = m.end()
        elif c == "{":
            m = LITERAL.match(text, i)
            i = m.end() + int(m.group(1))
            here.append(text[m.end():i])
        else:
            m = ATOM.match(text, i)
            i = max(m.end(), i + 1)
            here.append(text[m.start():i])
    return here


def numbers(text):
    """A set of UIDs as a list: "3:5,9" is [3, 4, 5, 9]."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def quote(mailbox):
    return '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'


def internaldate(seconds):
    t = time.gmtime(seconds)
    return f"{t.tm_mday:02}-{MONTHS[t.tm_mon - 1]}-{t.tm_year} {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"


def mail(name, size=0):
    """A message with this Message-ID."""
    text = f"From: sender@example.org\r\nTo: person@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\nText of {name}.\r\n"
    return text + ("x" * 70 + "\r\n") * (size // 72)


class Imap:
    """A connection, logged in: commands and lines. The port is one of 127.0.0.1, or a socket that is connected, or a function that makes one."""

    def __init__(self, port, user, timeout=150):
        self.timeout = timeout
        port = port() if callable(port) else port
        self.sock = port if isinstance(port, socket.socket) else socket.create_connection(("127.0.0.1", port), 30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.count = 0
        self.bye = None
        greeting = self.line()
        if not greeting.startswith("* OK"):
            raise Closed(greeting)
        self.command(f"LOGIN {user} pw")

    def send(self, text):
        try:
            self.sock.sendall(text.encode("latin-1") + b"\r\n")
        except OSError as e:
            raise Closed(f"{self.bye or 'no word'}: {e}") from e

    def fill(self, seconds):
        """Reads what comes; False if nothing came in that time."""
        if not select.select([self.sock], [], [], max(0, seconds))[0]:
            return False
        try:
            more = self.sock.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            raise Closed(f"the server hung up: {self.bye or 'without a word'}")
        self.got += more
        return True

    def bytes_until(self, enough):
        end = time.monotonic() + self.timeout
        while True:
            n = enough()
            if n:
                piece, self.got = self.got[:n], self.got[n:]
                return piece.decode("latin-1")
            if not self.fill(end - time.monotonic()) and time.monotonic() >= end:
                raise RuntimeError(f"no answer for {self.timeout} s")

    def line(self):
        """One response, with the literals that are in it, without its end."""
        text = ""
        while True:
            text += self.bytes_until(lambda: self.got.find(b"\n") + 1)
            m = re.search(r"\{(\d+)\}\r\n$", text)
            if not m:
                text = text.rstrip("\r\n")
                if text.startswith("* BYE"):
                    self.bye = text
                return text
            n = int(m.group(1))
            if n:
                text += self.bytes_until(lambda: n if len(self.got) >= n else 0)

    def untagged(self, text):
        """Told every untagged response."""

    def start(self, text, literal=None):
        """Sends a command, perhaps with a literal at its end, and returns its tag."""
        self.count += 1
        tag = f"t{self.count}"
        if literal is not None:
            self.send(f"{tag} {text} {{{len(literal)}+}}\r\n{literal}")
        else:
            self.send(f"{tag} {text}")
        return tag

    def end(self, tag, text=""):
        """Waits for the end of a command; returns the untagged lines and the tagged one."""
        lines = []
        while True:
            got = self.line()
            if got.startswith(tag + " "):
                if not got.startswith(tag + " OK"):
                    raise Refused(f"{text}: {got}")
                return lines, got
            self.untagged(got)
            lines.append(got)

    def command(self, text, literal=None):
        return self.end(self.start(text, literal), text)

    def uids(self, criteria):
        for got in self.command(f"UID SEARCH {criteria}")[0]:
            if got.startswith("* SEARCH"):
                return [int(n) for n in got.split()[2:]]
        return []

    def close(self):
        try:
            self.command("LOGOUT")
        except (Closed, OSError, RuntimeError):
            pass
        self.sock.close()


class Ledger:
    """What every UID meant, for all who look, on all members. A UID that means another mail than before is a fault."""

    def __init__(self):
        self.lock = threading.Lock()
        self.meant = {}  # (mailbox, uidvalidity, uid) -> {member: message}
        self.faults = []

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def saw(self, member, mailbox, validity, uid, name):
        with self.lock:
            before = self.meant.setdefault((mailbox, validity, uid), {}).setdefault(member, name)
            if before != name:
                self.faults.append(f"on {member}, UID {uid} of {mailbox} (UIDVALIDITY {validity}) was {before} and is {name}")

    def at_rest(self, mailbox, validity, uid, name):
        """All members know the same now, and the UID means this: it must never have meant another mail, on any member."""
        with self.lock:
            for member, before in self.meant.get((mailbox, validity, uid), {}).items():
                if before != name:
                    self.faults.append(f"UID {uid} of {mailbox} (UIDVALIDITY {validity}) was {before} on {member} and is {name} after a merge")


class Session(Imap):
    """A client with a mailbox open, which knows what each sequence number is: self.all lists UIDs (None: not known yet)."""

    def __init__(self, port, user="mail", member="", ledger=None):
        self.member, self.ledger = member, ledger
        self.mailbox, self.validity = None, 0
        self.all, self.flags, self.names = [], {}, {}
        self.expunged = []  # (UID, message) as told by EXPUNGE
        super().__init__(port, user)

    def untagged(self, text):
        if text.startswith("* BYE"):
            raise Closed(text)
        m = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH)", text)
        if not m:
            m = re.match(r"\* OK \[UIDVALIDITY (\d+)\]", text)
            if m and self.validity and self.validity != int(m.group(1)):
                self.fault(f"UIDVALIDITY of {self.mailbox} was {self.validity} and is {m.group(1)}, in an open session")
            if m:
                self.validity = int(m.group(1))
            return
        n = int(m.group(1))
        if m.group(2) == "EXISTS":
            if n < len(self.all):
                self.fault(f"EXISTS {n} where {len(self.all)} messages are known")
            self.all += [None] * (n - len(self.all))
        elif not 0 < n <= len(self.all):
            self.fault(f"no such message, of {len(self.all)}: {text[:200]}")
        elif m.group(2) == "EXPUNGE":
            uid = self.all.pop(n - 1)
            self.expunged.append((uid, self.names.get(uid)))
            self.flags.pop(uid, None)
        else:
            self.fetched(n, parse(text)[3])

    def fetched(self, n, pairs):
        items = dict(zip(map(str.upper, pairs[::2]), pairs[1::2]))
        if "UID" in items:
            uid = int(items["UID"])
            if self.all[n - 1] not in (None, uid):
                self.fault(f"message {n} had UID {self.all[n - 1]} and has {uid}")
            self.all[n - 1] = uid
        uid = self.all[n - 1]
        if uid is None:
            return
        if "FLAGS" in items:
            self.flags[uid] = frozenset(items["FLAGS"]) - {"\\Recent"}
        for key, value in items.items():
            if key.startswith("BODY[HEADER.FIELDS"):
                m = re.search(r"<(.*?)(?:@example\.org)?>", value)
                if not m:
                    continue  # Dovecot gives an empty header for a message that has just been removed
                self.names[uid] = m.group(1)
                if self.ledger:
                    self.ledger.saw(self.member, self.mailbox, self.validity, uid, self.names[uid])

    def fault(self, text):
        if not self.ledger:
            raise RuntimeError(text)
        self.ledger.fault(f"on {self.member}: {text}")

    def select(self, mailbox):
        """Opens it and learns what is there."""
        self.mailbox, self.validity = mailbox, 0
        self.all, self.flags, self.names = [], {}, {}
        self.command(f"SELECT {quote(mailbox)}")
        if self.all:
            self.learn("1:*")

    ITEMS = "UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"

    def learn(self, uids):
        self.command(f"UID FETCH {uids} ({self.ITEMS})")

    def catch_up(self):
        """Asks for the messages that are not known yet."""
        tries = 0
        while None in self.all:
            self.command(f"FETCH {self.all.index(None) + 1}:* ({self.ITEMS})")
            tries += 1
            if tries > 100:
                raise RuntimeError(f"cannot learn the UIDs of {self.mailbox}: {self.all[-5:]}")

    def noop(self):
        self.command("NOOP")
        self.catch_up()

    def idle(self, seconds, until=lambda: False):
        """Stays in IDLE for so long, but leaves it shortly where new messages must be looked at."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            tag = self.start("IDLE")
            while True:
                got = self.line()
                if got.startswith("+"):
                    break
                self.untagged(got)
            while time.monotonic() < end and None not in self.all and not until():
                if b"\n" in self.got or self.fill(min(0.2, end - time.monotonic())):
                    self.untagged(self.line())
            self.send("DONE")
            self.end(tag, "IDLE")
            self.catch_up()

    def find(self, name):
        """The UIDs of this message in the open mailbox, as the server says."""
        found = self.uids(f'HEADER MESSAGE-ID "<{name}@example.org>"')
        if self.ledger:
            for uid in found:
                self.ledger.saw(self.member, self.mailbox, self.validity, uid, name)
        return found

    def the(self, name):
        found = self.find(name)
        if len(found) != 1:
            raise RuntimeError(f"{len(found)} messages {name} in {self.mailbox}")
        return found[0]

    def append(self, mailbox, name, flags=(), date=None, text=None):
        """Returns (UIDVALIDITY, UID)."""
        when = f' "{internaldate(date)}"' if date is not None else ""
        tagged = self.command(f"APPEND {quote(mailbox)} ({' '.join(flags)}){when}", mail(name) if text is None else text)[1]
        m = re.search(r"APPENDUID (\d+) (\d+)", tagged)
        got = int(m.group(1)), int(m.group(2))
        if self.ledger:
            self.ledger.saw(self.member, mailbox, *got, name)
        return got

    def copy(self, uid, mailbox, name=None, verb="COPY"):
        """Returns (UIDVALIDITY, UID) of the copy, or None if there is no message of this UID any more."""
        try:
            lines, tagged = self.command(f"UID {verb} {uid} {quote(mailbox)}")
        except Refused as e:
            if "[EXPUNGEISSUED]" in str(e):  # it went during the command, and nothing was done
                return None
            raise
        for line in lines + [tagged]:
            m = re.search(r"COPYUID (\d+) \S+ (\S+?)\]", line)
            if m:
                got = int(m.group(1)), numbers(m.group(2))[0]
                if self.ledger and name:
                    self.ledger.saw(self.member, mailbox, *got, name)
                return got
        return None

    def move(self, uid, mailbox, name=None):
        return self.copy(uid, mailbox, name, "MOVE")

    def store(self, uid, sign, *flags):
        """False if there is no message of this UID any more."""
        for command in (f"UID STORE {uid} {sign}FLAGS ({' '.join(flags)})", f"UID FETCH {uid} (UID FLAGS)"):
            for line in self.command(command)[0]:
                if re.match(r"\* \d+ FETCH ", line) and re.search(rf"\bUID {uid}\b", line):
                    return True  # nothing is said of a message that has the flags already: then it is asked for
        return False

    def expunge(self, uid):
        if not self.store(uid, "+", "\\Deleted"):
            return False
        self.command(f"UID EXPUNGE {uid}")
        return True

    def names_of(self, command):
        return [parse(line)[-1] for line in self.command(f'{command} "" "*"')[0] if line.startswith(f"* {command} ")]

    def mailboxes(self):
        """Those that can be opened."""
        found = []
        for line in self.command('LIST "" "*"')[0]:
            words = parse(line)
            if words[1] == "LIST" and not {"\\Noselect", "\\NonExistent"} & set(words[2]):
                found.append(words[-1])
        return sorted(found)

    def status(self, mailbox, *items):
        items = items or ("MESSAGES", "UIDNEXT", "UIDVALIDITY")
        for line in self.command(f"STATUS {quote(mailbox)} ({' '.join(items)})")[0]:
            words = parse(line)
            if words[1] == "STATUS":
                return dict(zip(words[3][::2], map(int, words[3][1::2])))
        raise RuntimeError(f"no status of {mailbox}")

    def snapshot(self, mailbox):
        """UIDVALIDITY, and UID -> (message, flags, date, size), without changing anything."""
        self.mailbox, self.validity = mailbox, 0
        self.all, self.flags, self.names = [], {}, {}
        self.command(f"EXAMINE {quote(mailbox)}")
        for _ in range(100):
            self.command("NOOP")
            found, gone = {}, len(self.expunged)
            if self.all:
                for line in self.command("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[0]:
                    words = parse(line) if re.match(r"\* \d+ FETCH", line) else []
                    items = dict(zip(words[3][::2], words[3][1::2])) if words else {}
                    uid = int(items.get("UID", 0))
                    if "INTERNALDATE" in items:
                        found[uid] = (self.names.get(uid, "has no Message-ID"), tuple(sorted(self.flags.get(uid, ()))), items["INTERNALDATE"], int(items["RFC822.SIZE"]))
            if len(self.expunged) == gone and sorted(found) == self.all:
                return self.validity, found
        raise RuntimeError(f"{mailbox} is never at rest: {self.all} and {sorted(found)}")


class Script:
    """What standard input says, for "do": a line is a word of these and its arguments, quoted as in a shell.

    select MAILBOX | close                  opens it; copy, move, store, expunge and see work there
    append MAILBOX NAME [FLAG...] [@SECONDS] [=TEXT]
    copy|move NAME MAILBOX
    store NAME +FLAG|-FLAG...
    expunge NAME...
    create|delete|subscribe|unsubscribe MAILBOX | rename OLD NEW
    see NAME [FLAG...]                      fails if the message has other flags
    lacks NAME...                           fails if there is such a message
    noop
    wait FILE | make FILE                   waits until FILE is there; makes it
    """

    def __init__(self, session):
        self.s = session

    def run(self, lines):
        for line in lines:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
            lexer.whitespace_split, lexer.escape = True, ""
            words = list(lexer)
            if words:
                try:
                    getattr(self, "do_" + words[0])(*words[1:])
                except (RuntimeError, TypeError) as e:
                    raise RuntimeError(f"{line.strip()}: {e}") from e

    def do_select(self, mailbox):
        self.s.select(mailbox)

    def do_close(self):
        self.s.command("UNSELECT")

    def do_append(self, mailbox, name, *rest):
        date, text = None, None
        for word in rest:
            if word.startswith("@"):
                date = int(word[1:])
            if word.startswith("="):
                text = mail(name) + word[1:] + "\r\n"
        self.s.append(mailbox, name, [w for w in rest if w[0] not in "@="], date, text)

    def do_copy(self, name, mailbox):
        self.s.copy(self.s.the(name), mailbox)

    def do_move(self, name, mailbox):
        self.s.move(self.s.the(name), mailbox)

    def do_store(self, name, *flags):
        for flag in flags:
            if not self.s.store(self.s.the(name), flag[0], flag[1:]):
                raise RuntimeError("no such message any more")

    def do_expunge(self, *names):
        for name in names:
            self.s.expunge(self.s.the(name))

    def do_create(self, mailbox):
        self.s.command(f"CREATE {quote(mailbox)}")

    def do_delete(self, mailbox):
        self.s.command(f"DELETE {quote(mailbox)}")

    def do_rename(self, old, new):
        self.s.command(f"RENAME {quote(old)} {quote(new)}")

    def do_subscribe(self, mailbox):
        self.s.command(f"SUBSCRIBE {quote(mailbox)}")

    def do_unsubscribe(self, mailbox):
        self.s.command(f"UNSUBSCRIBE {quote(mailbox)}")

    def do_see(self, name, *flags):
        self.s.noop()
        uid = self.s.the(name)
        self.s.flags.pop(uid, None)
        self.s.command(f"UID FETCH {uid} (UID FLAGS)")
        if self.s.flags[uid] != set(flags):
            raise RuntimeError(f"its flags are {' '.join(sorted(self.s.flags[uid])) or 'none'}")

    def do_lacks(self, *names):
        self.s.noop()
        for name in names:
            if self.s.find(name):
                raise RuntimeError(f"{name} is there")

    def do_noop(self):
        self.s.noop()

    def do_wait(self, path):
        while not os.path.exists(path):
            time.sleep(0.02)

    def do_make(self, path):
        open(path, "w").close()


def idle(imap, ready, word, seconds):
    imap.command("SELECT INBOX")
    imap.send("i IDLE")
    while not imap.line().startswith("+"):
        pass
    open(ready, "w").close()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if b"\n" in imap.got or imap.fill(end - time.monotonic()):
            got = imap.line()
            if re.match(r"\* \d+ FETCH ", got) and word in got:
                print(got)
                return 0
    return 1


def stress(imap, seconds, seed, user):
    rnd = random.Random(seed)
    imap.command("SELECT INBOX")
    mine, serial = set(), 0

    def find(name, patience=0.1):
        """
        By what it is, because its UID can change: two members may have given the same one to two messages. Of a message that has just got another one a session
        knows the former only, which finds nothing, until the server looks again: Dovecot does within two seconds.
        """
        end = time.monotonic() + patience
        while True:
            found = imap.uids(f"HEADER Message-ID <{name}@example.org>")
            if found or time.monotonic() > end:
                return found
            imap.command("NOOP")
            time.sleep(0.02)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what = rnd.random()
        if what < 0.25:
            serial += 1
            name = f"{user}.{seed}.{serial}"
            text = f"From: a@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n{name}\r\n"
            flags = rnd.choice(["()", "(\\Seen)", "(\\Flagged)"])
            imap.command(f"APPEND INBOX {flags}", text)
            mine.add(name)
        elif what < 0.35 and mine:
            name = rnd.choice(sorted(mine))
            if not find(name, 5):
                raise RuntimeError(f"message {name} is lost")
            tries = 0
            while find(name) and tries < 20:
                tries += 1
                for uid in find(name):
                    imap.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
                    imap.command(f"UID EXPUNGE {uid}")
            if find(name):
                raise RuntimeError(f"message {name} was not expunged")
            mine.remove(name)
            print("gone", name)
        else:
            all_uids = imap.uids("ALL")
            some = rnd.sample(all_uids, min(len(all_uids), 3))
            if some:
                flag = rnd.choice(["\\Seen", "\\Flagged", "\\Answered"])
                sign = rnd.choice("+-")
                imap.command(f"UID STORE {','.join(map(str, sorted(some)))} {sign}FLAGS ({flag})")
        time.sleep(rnd.random() * 0.02)
    imap.command("LOGOUT")
    for name in sorted(mine):
        print("kept", name)
    return 0


def main():
    port, user, what, args = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    if what in ("do", "uids"):
        session = Session(port, user)
        if what == "do":
            Script(session).run(sys.stdin)
        else:
            for mailbox in args or session.mailboxes():
                validity, found = session.snapshot(mailbox)
                for uid, (name, flags, _, _) in sorted(found.items()):
                    print(mailbox, validity, uid, name, *flags)
        session.close()
        return 0
    imap = Imap(port, user)
    if what == "list":
        print("\n".join(imap.command('LIST "" "*"')[0]))
        return 0
    if what == "capability":
        words = set()
        for line in imap.command("CAPABILITY")[0]:
            words |= set(line.split()[2:])
        print("\n".join(sorted(words)))
        return 0
    if what == "status":
        print(re.search(r"MESSAGES (\d+)", "\n".join(imap.command(f"STATUS {args[0]} (MESSAGES)")[0])).group(1))
        return 0
    if what in ("create", "delete"):
        imap.command(f"{what.upper()} {args[0]}")
        return 0
    if what == "store":
        imap.command("SELECT INBOX")
        imap.command(f"UID STORE {imap.uids(args[0])[0]} +FLAGS ({args[1]})")
        return 0
    if what == "idle":
        return idle(imap, args[0], args[1], float(args[2]))
    return stress(imap, float(args[0]), int(args[1]), user)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(main())
    except (OSError, Closed, RuntimeError) as e:
        print(f"imap.py {' '.join(sys.argv[1:4])}: {e}", file=sys.stderr)
        sys.exit(1)
