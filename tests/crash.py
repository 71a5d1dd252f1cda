#!/usr/bin/env python3
"""crash.py -- kills a member's sync at its state-changing system calls, one after the other, and looks what the next syncs make of it.

crash.py DIR MEMBER OTHER EXPECTED: in DIR lie the Maildirs MEMBER and OTHER and their repositories, MEMBER about to sync. They are put
aside, and for each point put back, MEMBER's sync is killed there by strace before the call is done, and both sync until they
agree. Then both must hold the mail that "crash.py --mail DIR MEMBER" printed into the file EXPECTED after a run that nobody
killed. Only git-maildir itself is traced, not git. Prints what is wrong, and in the end "N points, M reached".

Points: every call that changed something in the Maildir or the repository. Of those that are alike -- the same call in the same
directory, on files whose names differ in digits -- the first, the last, and one between.
"""
import hashlib
import os
import re
import shutil
import subprocess
import sys

CALLS = ("rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir symlink symlinkat openat write pwrite64 writev "
         "ftruncate fsync fdatasync syncfs utimensat fchmod fchmodat chmod").split()
LINE = re.compile(r"^(\w+)\((.*)\)\s+=\s+(\S+)(.*)$")


def mail(member):
    """Folders and messages with mtime and content, in an order that says nothing."""
    out = []
    for top, dirs, files in os.walk(member):
        place = os.path.relpath(top, member)
        if os.path.basename(top) == "cur":
            out.append(f"folder {os.path.dirname(place)}")
        if os.path.basename(top) not in ("cur", "new"):
            continue
        for name in files:
            path = os.path.join(top, name)
            with open(path, "rb") as f:
                digest = hashlib.sha1(f.read()).hexdigest()
            out.append(f"{place}/{name} {int(os.stat(path).st_mtime)} {digest}")
    return sorted(out)


def put_aside(here, names):
    os.mkdir(f"{here}/aside")
    for name in names:
        os.rename(f"{here}/{name}", f"{here}/aside/{name}")


def put_back(here, names):
    """Messages are linked, so that they keep the inodes that the index knows; the repository's files are copied."""
    for name in names:
        shutil.rmtree(f"{here}/{name}", ignore_errors=True)
    maildirs = [f"{here}/aside/{name}" for name in names if not name.endswith(".git")]
    repos = [f"{here}/aside/{name}" for name in names if name.endswith(".git")]
    subprocess.run(["cp", "-al"] + maildirs + [here], check=True)
    subprocess.run(["cp", "-a"] + repos + [here], check=True)


def sync(member, *options):
    return subprocess.run(["git-maildir", "sync", *options], cwd=member, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)


def changed_path(call, args):
    """What the call changed, or None if it is nothing that outlives us."""
    if call in ("write", "pwrite64", "writev", "ftruncate", "fsync", "fdatasync", "fchmod", "syncfs"):
        found = re.match(r"^\d+<(/[^>]*)>", args)
        return found.group(1) if found and not found.group(1).startswith("/dev/") else None
    if call == "openat" and "O_CREAT" not in args:
        return None
    dirs = re.findall(r"(?:AT_FDCWD|\d+)<([^>]*)>", args)
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', args)
    if not strings:
        return dirs[0] if dirs else "?"
    name = strings[-1]
    return name if name.startswith("/") else (dirs[-1] if dirs else "?") + "/" + name


def find_points(here, member):
    """[(call, n, path)] of a sync that nobody kills."""
    trace = f"{here}/trace"
    subprocess.run(["strace", "-y", "-s", "4096", "-o", trace, "-e", "trace=" + ",".join(CALLS), "git-maildir", "sync"],
                   cwd=f"{here}/{member}", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    count, points, kinds = {}, [], {}
    with open(trace, errors="replace") as f:
        for line in f:
            found = LINE.match(line)
            call = line.partition("(")[0]
            count[call] = count.get(call, 0) + 1
            if not found or found.group(3).startswith("-"):
                continue
            path = changed_path(call, found.group(2))
            if not path or not path.startswith(here):
                continue
            points.append((call, count[call], path))
            kind = call, re.sub(r"git-maildir\S*|[0-9a-f]{6,}\S*|/[0-9a-f]{2}/|tmp_\w+|[0-9]+\S*", "#", path[len(here):])
            kinds.setdefault(kind, []).append(len(points) - 1)
    keep = {kind[i] for kind in kinds.values() for i in (0, len(kind) // 2, -1)}
    return [point for i, point in enumerate(points) if i in keep]


def left_behind(member):
    """Files in tmp/, and locks of ours."""
    out = []
    for base in (member, member + ".git"):
        for top, _, files in os.walk(base):
            for name in files:
                if "/tmp" in top[len(base):] or (name.endswith(".lock") and "objects" not in top):
                    out.append(os.path.join(top, name))
    return out


def git(member, *args):
    done = subprocess.run(["git", "-C", member, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip()


def let_time_pass(member):
    """A folder's lock whose process is dead is taken over when it is two seconds old."""
    for top, _, files in os.walk(member):
        if "dovecot-uidlist.lock" in files:
            path = os.path.join(top, "dovecot-uidlist.lock")
            then = os.stat(path).st_mtime - 10
            os.utime(path, (then, then))


def head(member):
    with open(f"{member}.git/refs/heads/main") as f:
        return f.read()


def wrong_after(here, member, other, expected):
    """Syncs both until they agree. A list of what is wrong then."""
    members = [f"{here}/{member}", f"{here}/{other}"]
    said = []
    for turn in range(8):
        done = sync(members[turn % 2], *(["--no-push"] if turn > 1 else []))
        if done.returncode:
            said.append(f"sync of {members[turn % 2]}: status {done.returncode}: {done.stdout.strip()}")
        heads = {head(m) for m in members}
        if turn and len(heads) == 1:
            break
    else:
        said.append("the members never agreed")
    for m in members:
        got = mail(m)
        if got != expected:
            said.append(f"{m} holds other mail than without the kill:")
            said += ["  missing: " + line for line in sorted(set(expected) - set(got))]
            said += ["  too much: " + line for line in sorted(set(got) - set(expected))]
        said += ["left behind: " + path for path in left_behind(m)]
        for line in (git(m, "status", "--porcelain"), git(m, "fsck", "--strict", "--no-dangling", "--no-progress")):
            if line:
                said.append(f"git in {m}: {line}")
    return said


def main():
    if sys.argv[1] == "--mail":
        print("\n".join(mail(f"{sys.argv[2]}/{sys.argv[3]}")))
        return 0
    here, member, other = sys.argv[1:4]
    with open(sys.argv[4]) as f:
        expected = f.read().splitlines()
    names = [member, member + ".git", other, other + ".git"]
    put_aside(here, names)
    put_back(here, names)
    points = find_points(here, member)
    reached = bad = 0
    for call, n, path in points:
        put_back(here, names)
        done = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}",
                               "git-maildir", "sync"], cwd=f"{here}/{member}", stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        reached += done.returncode in (-9, 137)
        let_time_pass(f"{here}/{member}")
        said = wrong_after(here, member, other, expected)
        if said:
            bad += 1
            print(f"killed at {call} {n} of {path}:")
            print("\n".join("  " + line for line in said))
    print(f"{len(points)} points, {reached} reached")
    put_back(here, names)
    shutil.rmtree(f"{here}/aside")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
