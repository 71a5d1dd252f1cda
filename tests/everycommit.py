#!/usr/bin/env python3
"""everycommit.py -- looks at every commit of a member for messages that are missing or doubled.

everycommit.py MEMBER COUNT [FOLDERS [LAST]]: every tree must hold exactly COUNT keys, each at most once in a folder, and in at most
so many folders (1). LAST: looks at so many commits only. Prints a line for each commit that does not, and then "N commits".
"""
import collections
import subprocess
import sys


def git(member, *args):
    return subprocess.run(("git", "-C", member) + args, check=True, stdout=subprocess.PIPE).stdout


def main():
    member, count, folders = sys.argv[1], int(sys.argv[2]), int((sys.argv + ["1"])[3])
    commits = git(member, "rev-list", "-n", sys.argv[4] if len(sys.argv) > 4 else "-1", "HEAD").decode().split()
    bad = 0
    for commit in commits:
        places = collections.Counter()
        for path in git(member, "ls-tree", "-r", "-z", "--name-only", commit).split(b"\0"):
            parts = path.split(b"/")
            if len(parts) >= 2 and parts[-2] in (b"cur", b"new"):
                places[b"/".join(parts[:-2]), parts[-1].partition(b":")[0]] += 1
        keys = collections.Counter(key for _, key in places)
        twice = [key.decode() for key in keys if keys[key] > folders] + [key.decode() for (_, key), n in places.items() if n > 1]
        if len(keys) != count or twice:
            bad += 1
            print(f"{commit}: {len(keys)} keys instead of {count}, doubled: {' '.join(twice[:5])}")
    print(len(commits), "commits")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
