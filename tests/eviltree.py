#!/usr/bin/env python3
"""eviltree.py -- makes a commit that no honest member makes: eviltree.py REPO PARENT CASE prints its id.

The commit's tree is the parent's with one thing more in it, written around git's own checks.
"""
import os
import subprocess
import sys

MESSAGE = b"From: evil@example.org\nSubject: Evil\n\nEvil.\n"
KEY = b"1700009001.M1P1.evil"

# case: (path, mode, content), several of them. None as content of a submodule: any commit.
CASES = {
    "symlink": [((b"cur", KEY + b":2,S"), b"120000", b"/etc/passwd")],
    "symlink-to-folder": [((b".Work", b"tmp"), b"120000", b"/tmp")],
    "submodule": [((b".Evil",), b"160000", None)],
    "dotdot": [((b"..", b"evil"), b"100644", MESSAGE)],
    "dot": [((b".", b"evil"), b"100644", MESSAGE)],
    "dotgit": [((b".git", b"config"), b"100644", b"[core]\n\tpager = touch /tmp/evil\n")],
    "dotgit-case": [((b".GIT", b"hooks", b"update"), b"100755", b"#!/bin/sh\n")],
    "dotgit-short": [((b"git~1", b"config"), b"100644", b"")],
    "absolute": [((b"/etc/evil",), b"100644", MESSAGE)],
    "slash": [((b"cur", b"../../evil"), b"100644", MESSAGE)],
    "control": [((b"cur", b"1700009002.M\x01\x1b[31mP.evil:2,"), b"100644", MESSAGE)],
    "newline": [((b"cur", b"1700009003.M\nP.evil:2,"), b"100644", MESSAGE)],
    "cur-is-file": [((b".Evil", b"cur"), b"100644", MESSAGE)],
    "file-is-folder": [((b".Work",), b"100644", MESSAGE)],
    "too-long": [((b"cur", b"1" * 256), b"100644", MESSAGE)],
    # These are odd, and no harm.
    "long": [((b"cur", b"1700009004." + b"x" * (255 - 11 - 4) + b":2,S"), b"100644", MESSAGE),
             ((b"new", b"1700009005." + b"y" * (255 - 11)), b"100644", MESSAGE)],
    "one-key": [((b"cur", KEY + b":2,S"), b"100644", MESSAGE), ((b"cur", KEY + b":2,F"), b"100644", MESSAGE + b"Second.\n"),
                ((b"new", KEY), b"100644", MESSAGE + b"Third.\n")],
    "empty": [((b"cur", b"1700009006.M1P1.evil:2,S"), b"100644", b"")],
}


def git(*args, data=None):
    done = subprocess.run(("git", "--git-dir", sys.argv[1]) + args, input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout


def write(kind, data):
    return git("hash-object", "-t", kind, "-w", "--literally", "--stdin", data=data).strip().decode()


def read_tree(commit):
    root = {}
    for line in git("ls-tree", "-r", "-z", commit).split(b"\0"):
        if not line:
            continue
        meta, path = line.split(b"\t", 1)
        mode, _, oid = meta.split()
        put(root, path.split(b"/"), mode, oid.decode())
    return root


def put(tree, parts, mode, oid):
    for part in parts[:-1]:
        tree = tree.setdefault((part, "dir"), {})
    tree[(parts[-1], "file")] = (mode, oid)


def write_tree(tree):
    """A name can be there twice, as a file and as a directory."""
    def order(item):
        (name, kind), _ = item
        return name + b"/" if kind == "dir" else name
    data = b""
    for (name, kind), what in sorted(tree.items(), key=order):
        mode, oid = (b"40000", write_tree(what)) if kind == "dir" else what
        data += mode + b" " + name + b"\0" + bytes.fromhex(oid)
    return write("tree", data)


def main():
    parent, case = git("rev-parse", sys.argv[2]).strip().decode(), sys.argv[3]
    tree = read_tree(parent)
    for path, mode, content in CASES[case]:
        put(tree, path, mode, parent if content is None else write("blob", content))
    os.environ.update(GIT_AUTHOR_NAME="evil", GIT_AUTHOR_EMAIL="evil@example.org", GIT_COMMITTER_NAME="evil",
                      GIT_COMMITTER_EMAIL="evil@example.org")
    print(git("commit-tree", write_tree(tree), "-p", parent, "-m", f"Evil: {case}").strip().decode())


if __name__ == "__main__":
    main()
