#!/usr/bin/env python3
"""imap.py -- IMAP clients for the tests, on 127.0.0.1: imap.py PORT USER COMMAND [ARGS].

list                   prints every mailbox, as LIST gives it
status MAILBOX         prints the number of its messages
create|delete MAILBOX  does so
store CRITERIA FLAG    adds the flag to what the search in INBOX finds
idle FILE WORD SECONDS selects INBOX, idles, makes FILE, and ends well when an untagged FETCH with WORD comes
stress SECONDS SEED    stores flags, appends, and expunges what it appended itself. Prints "kept <id>" for each
                       of its messages that must be there in the end and "gone <id>" for each that must not
"""
import os
import random
import re
import socket
import sys
import time


class Imap:
    def __init__(self, port, user):
        self.sock = socket.create_connection(("127.0.0.1", port), 30)
        self.file = self.sock.makefile("rb")
        self.count = 0
        self.file.readline()
        self.command(f"LOGIN {user} pw")

    def send(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def line(self):
        got = self.file.readline()
        if not got:
            raise EOFError("the server hung up")
        return got.decode("utf-8", "replace").rstrip("\r\n")

    def command(self, text, literal=None):
        """Sends a command, perhaps with a literal at its end; returns the untagged lines and the tagged one."""
        self.count += 1
        tag = f"t{self.count}"
        if literal is not None:
            text += " {%d+}" % len(literal)
            self.sock.sendall(f"{tag} {text}\r\n".encode() + literal + b"\r\n")
        else:
            self.send(f"{tag} {text}")
        lines = []
        while True:
            got = self.line()
            if got.startswith(tag + " "):
                if not got.startswith(tag + " OK"):
                    raise RuntimeError(f"{text}: {got}")
                return lines, got
            lines.append(got)

    def uids(self, criteria):
        for got in self.command(f"UID SEARCH {criteria}")[0]:
            if got.startswith("* SEARCH"):
                return [int(n) for n in got.split()[2:]]
        return []


def idle(imap, ready, word, seconds):
    imap.command("SELECT INBOX")
    imap.send("i IDLE")
    while not imap.line().startswith("+"):
        pass
    open(ready, "w").close()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        imap.sock.settimeout(max(0.1, end - time.monotonic()))
        got = imap.line()
        if re.match(r"\* \d+ FETCH ", got) and word in got:
            print(got)
            return 0
    return 1


def stress(imap, seconds, seed, user):
    rnd = random.Random(seed)
    imap.command("SELECT INBOX")
    mine, serial = {}, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        what = rnd.random()
        if what < 0.25:
            serial += 1
            name = f"{user}.{seed}.{serial}"
            text = f"From: a@example.org\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\r\n{name}\r\n"
            flags = rnd.choice(["()", "(\\Seen)", "(\\Flagged)"])
            tagged = imap.command(f"APPEND INBOX {flags}", text.encode())[1]
            mine[name] = int(re.search(r"APPENDUID \d+ (\d+)", tagged).group(1))
        elif what < 0.35 and mine:
            name = rnd.choice(sorted(mine))
            uid = mine[name]
            if not imap.uids(f"UID {uid}"):
                raise RuntimeError(f"message {name} has lost its UID {uid}")
            imap.command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
            imap.command(f"UID EXPUNGE {uid}")
            if imap.uids(f"UID {uid}"):
                raise RuntimeError(f"message {name} was not expunged")
            del mine[name]
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
    for name in mine:
        print("kept", name)
    return 0


def main():
    port, user, what, args = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    imap = Imap(port, user)
    if what == "list":
        print("\n".join(imap.command('LIST "" "*"')[0]))
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
    except (OSError, EOFError, RuntimeError) as e:
        print(f"imap.py {' '.join(sys.argv[1:4])}: {e}", file=sys.stderr)
        sys.exit(1)
