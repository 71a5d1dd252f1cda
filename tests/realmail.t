#!/bin/sh
#
# realmail.t -- real mail with every nasty byte, and real file names, come through init, clone and sync as they are.
# MAIL_DIR: a directory with the archives <name>.tar.xz, and maildir-names.tsv beside or in it.
. ./tests/lib.sh

MAIL_DIR=${MAIL_DIR:-$TOP/../shared/mail}
names=$MAIL_DIR/../maildir-names.tsv
[ -f "$names" ] || names=$MAIL_DIR/maildir-names.tsv
ls "$MAIL_DIR"/*.tar.xz >/dev/null 2>&1 || skip_all "no mail in '$MAIL_DIR'"

# A Maildir a of all messages: in several folders, names as servers make them, dates of their own, flags.
unpack() {
	mkdir archives
	for archive in "$MAIL_DIR"/*.tar.xz; do tar -C archives -xJf "$archive"; done
	python3 - <<'EOF'
import os, shutil
os.umask(0o077)
folders = ["", ".Work", ".Work.Projects", ".Lists", ".Spam"]
for f in folders:
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join("a", f, sub), exist_ok=True)
files = sorted(os.path.join(top, f) for top, _, fs in os.walk("archives") for f in fs if f != "INDEX.tsv")
flags = ["", "S", "FS", "RS", "DS", "PRS", "T", "Sa"]
for i, path in enumerate(files):
    d = os.path.join("a", folders[i % len(folders)])
    base = os.path.basename(path)
    if "Mail.TEST" in path:
        name, sub = base, ("cur" if i % 2 else "new")
    elif i % 7 == 0:
        name, sub = f"{1500000000 + i}.M{i}P1.host", "new"
    else:
        name, sub = f"{1500000000 + i}.M{i}P1.host,S={os.path.getsize(path)}:2,{flags[i % len(flags)]}", "cur"
    to = os.path.join(d, sub, name)
    shutil.copyfile(path, to)
    os.utime(to, (0, (1500000000 + i if i % 3 else 1000000000 + i * 1000)))
print(len(files), "messages")
EOF
	[ "$(find a -type f | wc -l)" -ge 1 ]
	# Every content, once for each time it is there.
	find a -type f -exec sha1sum {} + | cut -d' ' -f1 | sort >contents
}
t 'the archives are unpacked' unpack

through_init_and_clone() {
	mail_list a >before
	member a
	mail_list a | diff before -
	join b a
	apart a b
	same_mail a b
	same_head a b
	clean a b
	git -C a maildir verify
	git -C b maildir verify
}
t 'init and clone: every message byte for byte, with its date' through_init_and_clone

# Both sides deliver, flag, move and delete. What must come out is worked out here, from what is on disk now.
change_both() {
	python3 - <<'EOF'
import hashlib, os, random
os.umask(0o077)
rnd = random.Random(4)
def messages(m):
    return {os.path.relpath(os.path.join(top, f), m): os.path.join(top, f)
            for top, _, fs in os.walk(m) if os.path.basename(top) in ("cur", "new") for f in fs}
start = sorted(messages("a"))
rnd.shuffle(start)
expect = {}
def read(path):
    with open(path, "rb") as f:
        return hashlib.sha1(f.read()).hexdigest()
for rel in start:
    path = "a/" + rel
    expect[rel] = (read(path), int(os.stat(path).st_mtime))
def flagged(rel, add):
    folder, name = os.path.dirname(os.path.dirname(rel)), os.path.basename(rel)
    key, _, info = name.partition(":2,")
    return os.path.join(folder, "cur", key + ":2," + "".join(sorted(set(info) | set(add))))
def rename(m, rel, to):
    os.rename(f"{m}/{rel}", f"{m}/{to}")
take = iter(start)
for i in range(60):                       # flagged F on a, R on b, both on some
    rel = next(take)
    if i % 3 != 1:
        rename("a", rel, flagged(rel, "F"))
    if i % 3 != 0:
        rename("b", rel, flagged(rel, "R"))
    expect[flagged(rel, {0: "F", 1: "R", 2: "FR"}[i % 3])] = expect.pop(rel)
for i in range(60):                       # moved on one, flagged on the other
    rel = next(take)
    m, o = "ab"[i % 2], "ba"[i % 2]
    folder = rnd.choice([f for f in ("", ".Work", ".Lists") if f != os.path.dirname(os.path.dirname(rel))])
    to = os.path.join(folder, "cur", os.path.basename(rel) + ("" if ":2," in rel else ":2,"))
    rename(m, rel, to)
    if i % 3 == 0:
        rename(o, rel, flagged(rel, "F"))
        to_now = flagged(to, "F")
    else:
        to_now = to
    expect[to_now] = expect.pop(rel)
for i in range(60):                       # deleted on one, on both, while flagged on the other
    rel = next(take)
    os.unlink(f"{'ab'[i % 2]}/{rel}")
    if i % 3 == 0:
        os.unlink(f"{'ba'[i % 2]}/{rel}")
    elif i % 3 == 1:
        rename("ba"[i % 2], rel, flagged(rel, "F"))
    del expect[rel]
for i in range(60):                       # delivered: new mail with real content
    src = "a/" + next(r for r in take if os.path.exists("a/" + r))
    with open(src, "rb") as f:
        data = f.read() + b"\r\nX: %d" % i
    m = "ab"[i % 2]
    rel = f"new/{1600000000 + i}.D{i}P2.{m}"
    with open(f"{m}/{rel}", "wb") as f:
        f.write(data)
    when = 1600000000 + i if i % 4 else 1100000000 + i
    os.utime(f"{m}/{rel}", (0, when))
    expect[rel] = (hashlib.sha1(data).hexdigest(), when)
with open("expected", "w") as f:
    for rel in sorted(expect):
        f.write("%s %d %s\n" % (expect[rel][0], expect[rel][1], rel))
EOF
}
have() {
	python3 - "$1" <<'EOF'
import hashlib, os, sys
m = sys.argv[1]
out = []
for top, _, fs in os.walk(m):
    if os.path.basename(top) in ("cur", "new"):
        for f in fs:
            path = os.path.join(top, f)
            with open(path, "rb") as g:
                out.append((os.path.relpath(path, m), hashlib.sha1(g.read()).hexdigest(), int(os.stat(path).st_mtime)))
for rel, sha, when in sorted(out):
    print(sha, when, rel)
EOF
}
through_sync() {
	change_both
	together a b
	have a | diff expected -
	have b | diff expected -
	git -C a maildir verify
	git -C b maildir verify
}
t 'flags, moves, deletions and deliveries on both sides, then sync: exactly what was expected' through_sync

through_plain_merge() {
	python3 - <<'EOF'
import os
for m, flag in (("a", "F"), ("b", "R")):
    n = 0
    for top, _, fs in os.walk(m):
        if os.path.basename(top) == "cur":
            for f in sorted(fs):
                key, colon, info = f.partition(":2,")
                if colon and info.isalpha() and flag not in info:
                    os.rename(f"{top}/{f}", f"{top}/{key}:2," + "".join(sorted(info + flag)))
                    n += 1
EOF
	git -C a maildir record >/dev/null
	git -C b maildir record >/dev/null
	git -C a fetch -q b
	git -C a merge -q --no-edit b/main
	clean a
	git -C a maildir verify
	git -C b maildir sync >/dev/null
	settle
	same_mail a b
	same_head a b
	have a | cut -d' ' -f1 | sort >after
	cut -d' ' -f1 expected | sort | diff - after
}
t 'nearly every message flagged on both, then plain git merge' through_plain_merge

# The real names: each in a Maildir, one content each.
real_names() {
	python3 - "$names" <<'EOF'
import os, sys
os.umask(0o077)
for f in ("", "/.Sub"):
    for sub in ("cur", "new", "tmp"):
        os.makedirs("names" + f + "/" + sub, exist_ok=True)
n = 0
with open(sys.argv[1], "rb") as f:
    for line in f:
        if line.startswith(b"#"):
            continue
        col = line.rstrip(b"\r\n").split(b"\t")
        name, sub = col[0], (col[6] if len(col) > 6 and col[6] in (b"cur", b"new") else b"cur")
        if not name or b"/" in name or name in (b".", b".."):
            continue
        try:
            with open(b"names/" + sub + b"/" + name, "xb") as out:
                out.write(b"Subject: %d\n\n%s\n" % (n, name))
            n += 1
        except OSError as e:
            print("# not a file name here:", name[:60], e.strerror)
print(n, "names")
EOF
}
names_survive() {
	real_names
	files_of names | grep -v '^d' | cut -d' ' -f5- >before
	find names -type f -path '*/[cn]*/*' -exec sha1sum {} + | sort >sums
	git maildir init --name=names names
	find names -type f -path '*/[cn][ue][rw]/*' -exec sha1sum {} + | sort | diff sums -
	[ -z "$(git -C names status --porcelain)" ]
	git maildir clone --name=copy names.git copy
	git -C names maildir peer add copy "$TRASH/copy.git"
	apart names copy
	# All that is recorded is in the copy; all that is not is told as left alone, and is still there.
	(cd names && find . -type f -path './[cn][ue][rw]/*' | sort) >all
	(cd copy && find . -type f -path './[cn][ue][rw]/*' | sort) >there
	# Names that begin with a dot are nobody's mail by the rules of the Maildir, and no news.
	comm -23 all there | grep -v '/\.' >alone
	git -C names maildir verify >told || :
	[ "$(grep -c 'is left alone' told)" = "$(wc -l <alone)" ] || { cat told alone; return 1; }
	[ "$(wc -l <there)" -ge 60 ]
	comm -13 all there | diff /dev/null -
}
names_change() {
	# Flagged on both sides, in the way of a mail server that understands nothing but ":2,".
	python3 - <<'EOF'
import os
names = sorted(os.listdir(b"copy/cur") + os.listdir(b"copy/new"))
with open("keys", "wb") as k:
    for name in names:
        sub = b"cur" if os.path.exists(b"copy/cur/" + name) else b"new"
        key, colon, info = name.partition(b":")
        k.write(key + b"\n")
        if colon and not info.startswith(b"2,"):
            continue
        flags = info[2:].split(b",")[0]
        if not all(97 <= c <= 122 or 65 <= c <= 90 for c in flags) or b"," in info[2:] or b":" in info[2:]:
            continue
        for m, add in ((b"names", b"F"), (b"copy", b"R")):
            to = m + b"/cur/" + key + b":2," + bytes(sorted(set(flags) | set(add)))
            if len(os.path.basename(to)) <= 255 and not os.path.exists(to) and os.path.exists(m + b"/" + sub + b"/" + name):
                os.rename(m + b"/" + sub + b"/" + name, to)
EOF
	find names/cur names/new -type f -exec git hash-object --no-filters {} + | sort -u >contents.names
	git -C names maildir sync
	settle
	git -C copy maildir sync
	settle
	git -C names maildir sync
	settle
	same_head names copy
	[ -z "$(git -C names status --porcelain)" ] && [ -z "$(git -C copy status --porcelain)" ]
	# No content is lost, and none is there twice that was not.
	find names/cur names/new -type f -exec git hash-object --no-filters {} + | sort -u | diff contents.names -
	find names/cur names/new -type f -exec git hash-object --no-filters {} + | sort | uniq -d | diff /dev/null -
	(cd names && git ls-files -z | tr '\0' '\n' | sort) >in.names
	(cd copy && git ls-files -z | tr '\0' '\n' | sort) | diff in.names -
	git -C names fsck --strict --no-dangling --no-progress
}
if [ -f "$names" ]; then
	t 'every real file name is recorded and cloned as it is, or left alone and told' names_survive
	t '... and merged when flagged on both sides, none lost, none doubled' names_change
else
	skip 'real file names' "no '$names'"
fi

done_testing
