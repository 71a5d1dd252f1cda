#!/usr/bin/env python3
"""renamer.py -- works in a folder as fast as it can, without any lock, until it is killed.

renamer.py flags FOLDER           toggles flags of messages in cur/
renamer.py move FOLDER            moves messages from new/ to cur/ with flags, and when none is left, back
renamer.py carry FOLDER FOLDER2   moves messages between the two folders, some thousand a second
renamer.py deliver FOLDER PREFIX SECONDS
                                  delivers to new/ through tmp/; ends after SECONDS and prints the keys
"""
import os
import random
import sys
import time


def rename(old, new):
    try:
        os.rename(old, new)
        return True
    except FileNotFoundError:
        return False


def flags(folder):
    cur = os.path.join(folder, "cur")
    os.chdir(cur)
    names = {name.partition(":")[0]: name for name in os.listdir(".")}
    keys = list(names)
    while True:
        key = random.choice(keys)
        new = key + random.choice((":2,", ":2,S", ":2,F", ":2,FS", ":2,RS"))
        if new != names[key] and rename(names[key], new):
            names[key] = new


def move(folder):
    os.chdir(folder)
    while True:
        for name in os.listdir("new"):
            rename("new/" + name, "cur/" + name.partition(":")[0] + random.choice((":2,", ":2,S")))
        for name in os.listdir("cur"):
            rename("cur/" + name, "new/" + name.partition(":")[0])


def carry(one, two):
    places = [one + "/cur/", two + "/cur/"]
    where = {name: place for place in places for name in os.listdir(place)}
    names = list(where)
    while True:
        name = random.choice(names)
        there = places[where[name] == places[0]]
        if rename(where[name] + name, there + name):
            where[name] = there
        time.sleep(0.0003)


def deliver(folder, prefix, seconds):
    os.chdir(folder)
    end = time.monotonic() + seconds
    n = 0
    while time.monotonic() < end:
        n += 1
        key = f"{1700000000 + n}.{prefix}P{n}.host"
        with open("tmp/" + key, "w") as f:
            f.write(f"Subject: {key}\n\n{key}\n")
        os.utime("tmp/" + key, (1700000000 + n, 1700000000 + n))
        os.rename("tmp/" + key, "new/" + key)
        print(key)
        time.sleep(0.002)


if __name__ == "__main__":
    {"flags": flags, "move": move, "carry": carry, "deliver": lambda f, p, s: deliver(f, p, float(s))}[sys.argv[1]](*sys.argv[2:])
