#!/bin/sh
#
# orders.t -- members that know the same changes are the same, in whatever order they learned of them.
. ./tests/lib.sh

begin_three() {
	settle
	rm -rf a b c a.git b.git c.git
	cp -a three/. .
}
{
	mkdir three
	trio a b c
	apart a b c
	cp -a a b c a.git b.git c.git three
} >"$HOME/setup" 2>&1 || { cat "$HOME/setup"; echo 'Bail out! no members'; exit 1; }

# The same changes on three members, then syncs of two at a time in many orders. What comes out depends on the changes only.
random_orders() {
	begin_three
	rm -rf saved
	mkdir saved
	python3 - "$1" <<'EOF'
import os, random, sys
os.umask(0o077)
rnd = random.Random(int(sys.argv[1]))
keys = 0
def messages(m):
    out = []
    for top, dirs, files in os.walk(m):
        dirs[:] = [d for d in dirs if d not in ("tmp",)]
        if os.path.basename(top) in ("cur", "new"):
            out += [os.path.join(top, f) for f in files]
    return sorted(out)
def folder(m, name):
    for sub in ("cur", "new", "tmp"):
        os.makedirs(f"{m}/{name}/{sub}", 0o700, exist_ok=True)
    return f"{m}/{name}"
for m in "abc":
    for step in range(12):
        have = messages(m)
        what = rnd.choice(["deliver", "deliver", "flag", "flag", "flag", "delete", "move", "move", "same", "clash", "folder", "rename"])
        if what in ("flag", "delete", "move") and not have:
            continue
        path = rnd.choice(have) if have else None
        if what == "deliver":
            keys += 1
            d = rnd.choice([m, folder(m, ".Work")])
            with open(f"{d}/new/{1700100000 + keys}.M{keys}P1.{m}", "w") as f:
                f.write(f"Subject: {keys}\n\n")
        elif what == "flag":
            key = os.path.basename(path).split(":")[0]
            flags = "".join(x for x in "DFRST" if rnd.random() < 0.4)
            os.rename(path, os.path.dirname(os.path.dirname(path)) + f"/cur/{key}:2,{flags}")
        elif what == "delete":
            os.unlink(path)
        elif what == "move":
            d = rnd.choice([m, folder(m, ".Work"), folder(m, ".Archive")])
            name = os.path.basename(path)
            if rnd.random() < 0.5:
                keys += 1
                name = f"{1700200000 + keys}.M{keys}P2.{m}" + (":" + name.split(":")[1] if ":" in name else "")
            os.rename(path, f"{d}/cur/{name if ':' in name else name + ':2,'}")
        elif what == "same":
            with open(f"{m}/new/{1700300000 + rnd.randrange(3)}.M1P1.host", "w") as f:
                f.write("Subject: the same everywhere\n\n")
        elif what == "clash":
            with open(f"{m}/new/{1700400000 + rnd.randrange(2)}.M1P1.host", "w") as f:
                f.write(f"Subject: clash {m}\n\n")
        elif what == "folder":
            folder(m, rnd.choice([".Archive", ".Lists", ".Lists.a"]))
        elif what == "rename" and os.path.isdir(f"{m}/.Work") and rnd.random() < 0.5:
            to = rnd.choice([".Job", ".Office"])
            if not os.path.exists(f"{m}/{to}"):
                os.rename(f"{m}/.Work", f"{m}/{to}")
EOF
	for m in a b c; do git -C "$m" maildir record --no-push --allow-deletes >>records; done
	cp -a a b c a.git b.git c.git saved
	for order in 1 2 3 4 5 6; do
		if [ "$order" -gt 1 ]; then
			settle
			rm -rf a b c a.git b.git c.git
			cp -a saved/. .
		fi
		quiet=0 steps=0
		python3 -c "import random, sys
rnd = random.Random($1 * 100 + $order)
for i in range(60):
    print(*rnd.sample('abc', 2), '--no-push' if rnd.random() < 0.6 else '')" >pairs
		while read -r m peer how; do
			steps=$((steps + 1))
			before=$(heads a b c)
			# shellcheck disable=SC2086 # none or one
			git -C "$m" maildir sync $how "$peer" >>syncs
			[ -n "$how" ] || settle
			if [ "$before" = "$(heads a b c)" ] && same_head a b c >/dev/null; then
				quiet=$((quiet + 1))
				[ "$quiet" -lt 4 ] || break
			else
				quiet=0
			fi
		done <pairs
		same_head a b c
		same_mail a b c
		clean a b c
		[ "$quiet" -ge 4 ] || { echo "order $order: no rest after $steps syncs"; return 1; }
		git -C a rev-parse HEAD >>ends
		sort -u ends >ends.u
		[ "$(wc -l <ends.u)" = 1 ] || { echo "order $order ended elsewhere"; cat ends; return 1; }
		git -C b maildir verify
	done
	rm -f ends ends.u
}
t 'three members, changed while apart, synced pairwise in many orders: the same HEAD each time' random_orders 1
t '... with other changes' random_orders 2
t '... and others again' random_orders 3

done_testing
