#!/usr/bin/env python3
"""applytrace.py -- reads what "strace -f -y" wrote of a sync and says what it did to a Maildir that it must not.

applytrace.py TRACE MAILDIR: prints a line for each offence, and at the end "N files came, N renamed, N removed, N folders". Rules:
- a file appears in cur/ or new/ only by rename or link, from tmp/ or from cur/ and new/ themselves;
- one that comes from tmp/ was opened there with O_EXCL, and synced after the last write to it, or is a link to a message;
- nothing in cur/ or new/ is opened for writing, but for the name that wakes IDLE clients;
- a name in cur/ or new/ comes or goes, and dovecot-uidlist and dovecot-keywords are replaced, only while the folder's
  dovecot-uidlist.lock is held; a folder that is still being built, as "tmp/<x>.new", needs none;
- where a folder's directory, with its lock, gets another path, the directories that it was in and is in are synced as well;
- a directory that a name came to or left is synced before HEAD's branch moves.
"""
import os
import re
import sys

CALL = re.compile(r"^(\d+)\s+(\w+)\((.*)\)\s+=\s+(-?\d+|0x[0-9a-f]+|\?)(.*)$")
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate", "sendfile", "copy_file_range"}
SYNCS = {"fsync", "fdatasync"}
WAKE = ".git-maildir.wake"
HIDDEN = re.compile(r"^/tmp/git-maildir\.[^/]*\.new(/|$)")


def arguments(text):
    """Splits at commas that are outside of strings and brackets."""
    out, depth, quoted, last, i = [], 0, False, 0, 0
    while i < len(text):
        c = text[i]
        if quoted:
            if c == "\\":
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and not depth:
            out.append(text[last:i].strip())
            last = i + 1
        i += 1
    out.append(text[last:].strip())
    return out


def calls(path):
    """The calls in the order in which they ended; the halves of those that others interrupted are put together."""
    begun = {}
    with open(path, errors="replace") as trace:
        for line in trace:
            line = line.rstrip("\n")
            pid = line.split(None, 1)[0]
            if line.endswith("<unfinished ...>"):
                begun[pid] = line[: -len("<unfinished ...>")].rstrip()
                continue
            resumed = re.match(r"^\d+\s+<\.\.\. \w+ resumed>(.*)$", line)
            if resumed:
                line = begun.pop(pid, "") + resumed.group(1)
            found = CALL.match(line)
            if found:
                yield found.group(2), arguments(found.group(3)), found.group(4), found.group(5)


def fd_path(arg):
    found = re.match(r"^\S*?<(.*?)>(\(deleted\))?$", arg)
    return found.group(1) if found else None


def string(arg):
    found = re.match(r'^"(.*)"(\.\.\.)?$', arg)
    return found.group(1) if found else None


def at(dir_arg, name_arg):
    name = string(name_arg) or ""
    return name if name.startswith("/") else os.path.normpath(os.path.join(fd_path(dir_arg) or "?", name))


class Rules:
    def __init__(self, maildir):
        self.maildir = maildir.rstrip("/")
        self.faults = []
        self.excl, self.synced, self.linked = set(), {}, set()
        self.locks, self.dirty = set(), set()
        self.came = self.renamed = self.removed = self.folders = self.heads = 0

    def fault(self, text):
        self.faults.append(text)

    def sub(self, path):
        """(folder, cur|new|tmp) when the path is a name in such a directory of the Maildir."""
        parent, _ = os.path.split(path)
        folder, last = os.path.split(parent)
        if last in ("cur", "new", "tmp") and (folder + "/").startswith(self.maildir + "/"):
            return folder, last
        return None, None

    def locked(self, path, what):
        folder = self.sub(path)[0] or os.path.dirname(path)
        if folder not in self.locks and not HIDDEN.match(folder[len(self.maildir):]):
            self.fault(f"{what} without the lock of its folder: {path}")

    def opened(self, path, flags, ok):
        folder, sub = self.sub(path)
        writing = re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", flags)
        if sub in ("cur", "new") and writing and os.path.basename(path) != WAKE:
            self.fault(f"opened for writing in {sub}/: {path} {flags}")
        if ok and sub == "tmp" and "O_CREAT" in flags:
            if "O_EXCL" in flags:
                self.excl.add(path)
            self.synced[path] = False
        if ok and "O_EXCL" in flags and os.path.basename(path) == "dovecot-uidlist.lock":
            self.locks.add(os.path.dirname(path))

    def moved(self, call, old, new):
        (from_folder, from_sub), (folder, sub) = self.sub(old), self.sub(new)
        if os.path.basename(old) == "dovecot-uidlist.lock":
            self.locks.discard(os.path.dirname(old))
        if os.path.basename(new) == "dovecot-uidlist.lock" and call == "linkat":
            self.locks.add(os.path.dirname(new))
        if os.path.basename(new) in ("dovecot-uidlist", "dovecot-keywords") and sub is None:
            self.locked(new, call)
        if sub == "tmp" and from_sub in ("cur", "new") and call.startswith("link"):
            self.linked.add(new)
        if sub in ("cur", "new"):
            self.locked(new, call)
            self.dirty.add(os.path.dirname(new))
            if old in self.linked:
                self.linked.remove(old)
                self.renamed += 1
            elif from_sub == "tmp":
                self.came += 1
                if old not in self.excl:
                    self.fault(f"came from a file that was not opened with O_EXCL: {old} -> {new}")
                if not self.synced.get(old):
                    self.fault(f"came before it was synced: {old} -> {new}")
            elif from_sub in ("cur", "new"):
                self.renamed += 1
            else:
                self.fault(f"came from outside of tmp/: {old} -> {new}")
        if from_sub in ("cur", "new") and call.startswith("rename"):
            if from_folder != folder:
                self.fault(f"left its folder by a rename, which readers see as missing: {old} -> {new}")
            self.locked(old, call)
            self.dirty.add(os.path.dirname(old))
        if call.startswith("rename"):
            self.directory_moved(old, new)
        if call.startswith("rename") and new in self.locks and not (old + new).count(self.maildir + "/tmp/"):
            self.folders += 1
            self.dirty |= {os.path.dirname(old), os.path.dirname(new)}
        if old in self.synced and call.startswith("rename"):
            self.synced[new] = self.synced.pop(old)
        if re.search(r"/refs/heads/[^/]+\.lock$", old) and not new.endswith(".lock"):
            self.heads += 1
            for path in sorted(self.dirty):
                self.fault(f"HEAD moved before the directory was synced: {path}")

    def directory_moved(self, old, new):
        """A whole folder is renamed, and its lock with it."""
        for known in (self.locks, self.dirty):
            for path in [p for p in known if (p + "/").startswith(old + "/")]:
                known.remove(path)
                known.add(new + path[len(old):])

    def unlinked(self, path):
        self.dirty.discard(path)
        if os.path.basename(path) == "dovecot-uidlist.lock":
            self.locks.discard(os.path.dirname(path))
        if os.path.basename(path) == WAKE:
            return
        if self.sub(path)[1] in ("cur", "new"):
            self.removed += 1
            self.locked(path, "unlink")
            self.dirty.add(os.path.dirname(path))

    def call(self, name, args, result, rest):
        ok = not result.startswith("-")
        if name in ("openat", "openat2"):
            self.opened(at(args[0], args[1]), args[2], ok)
        elif name in ("open", "creat"):
            self.opened(string(args[0]) or "", args[1] if name == "open" else "O_CREAT|O_WRONLY|O_TRUNC", ok)
        elif not ok:
            return
        elif name in ("renameat", "renameat2", "linkat"):
            self.moved(name, at(args[0], args[1]), at(args[2], args[3]))
        elif name in ("rename", "link"):
            self.moved(name, string(args[0]), string(args[1]))
        elif name == "unlinkat":
            self.unlinked(at(args[0], args[1]))
        elif name == "unlink":
            self.unlinked(string(args[0]))
        elif name in ("mkdirat", "symlinkat", "mknodat", "mkdir", "symlink", "mknod"):
            path = at(args[-3], args[-2]) if name in ("mkdirat", "mknodat") else string(args[-1] if "symlink" in name else args[0])
            if path and self.sub(path)[1] in ("cur", "new"):
                self.fault(f"made by {name}: {path}")
        elif name in WRITES:
            path = fd_path(args[0])
            if path in self.synced:
                self.synced[path] = False
        elif name in SYNCS:
            path = fd_path(args[0])
            if path in self.synced:
                self.synced[path] = True
            self.dirty.discard(path)
        elif name in ("syncfs", "sync"):
            for path in self.synced:
                self.synced[path] = True
            self.dirty.clear()


def main():
    rules = Rules(sys.argv[2])
    for name, args, result, rest in calls(sys.argv[1]):
        rules.call(name, args, result, rest)
    for path in sorted(rules.dirty):
        rules.fault(f"a directory was never synced: {path}")
    for folder in sorted(rules.locks):
        rules.fault(f"a lock was left behind: {folder}")
    print("\n".join(rules.faults + [f"{rules.came} files came, {rules.renamed} renamed, {rules.removed} removed, {rules.folders} folders"]))
    return 1 if rules.faults or not rules.heads else 0


if __name__ == "__main__":
    sys.exit(main())
