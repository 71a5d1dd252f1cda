"""labsmtp.py -- many messages at once into a laboratory, and hosts that are destroyed meanwhile. A module; see labwork.py."""
import queue
import random
import smtplib
import threading
import time

import imap


class Sender:
    """Sends these messages to a host over several connections at once. What the server took is in accepted, what it refused in refused, each with the time.

    An answer that does not come, because the host is no more, is neither.
    """

    def __init__(self, lab, host, names, connections=8, text=imap.mail, to="joe@example.org"):
        self.lab, self.host, self.text, self.to = lab, host, text, to
        self.names = queue.SimpleQueue()
        for name in names:
            self.names.put(name)
        self.accepted, self.refused, self.broken = {}, {}, []
        self.began = time.monotonic()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def work(self):
        try:
            smtp = self.lab.smtp(self.host)
            while True:
                try:
                    name = self.names.get_nowait()
                except queue.Empty:
                    break
                try:
                    self.accepted[name] = self.lab.deliver(self.host, name, self.text(name), self.to, smtp)
                except smtplib.SMTPServerDisconnected:
                    raise
                except smtplib.SMTPResponseException as e:
                    self.refused[name] = time.monotonic(), e.smtp_code
                    if e.smtp_code == 421:
                        raise
            smtp.close()
        except (OSError, smtplib.SMTPException, RuntimeError) as e:
            self.broken.append(e)

    def wait(self):
        for thread in self.threads:
            thread.join()
        self.took = time.monotonic() - self.began
        return self

    def rate(self):
        return len(self.accepted) / self.took


def destroyed(lab, host, others, prefix, messages, seed, connections=8):
    """One round: messages come in, the host is destroyed at a random moment, and all it has said to have taken must be on each of the others, once. Returns how many it took."""
    dice = random.Random(seed)
    moment, more = dice.randrange(1, messages), dice.random() * 0.1
    before = {other: set(lab.stored(other)) for other in others}
    names = [f"{prefix}-{n}" for n in range(messages)]
    sender = Sender(lab, host, names, connections)
    while len(sender.accepted) < moment and any(t.is_alive() for t in sender.threads):
        time.sleep(0.001)
    time.sleep(more)
    lab.destroy(host)
    sender.wait()
    taken = set(sender.accepted)
    # Whoever was told of a message tells the others. What is lost is not there after a minute either.
    began = time.monotonic()
    while any(taken - set(lab.stored(other)) for other in others) and time.monotonic() < began + 60:
        time.sleep(0.1)
    lab.wait_until_equal(others, 60)
    took = time.monotonic() - began
    for other in others:
        found = lab.stored(other)
        lost = sorted(taken - set(found))
        assert not lost, f"round {prefix} (seed {seed}): {len(lost)} of {len(taken)} that were taken are not on {other}: {lost[:10]}"
        double = sorted(name for name in names if found[name] > 1)
        assert not double, f"round {prefix} (seed {seed}): more than once on {other}: {double[:10]}"
        gone = sorted(before[other] - set(found))
        assert not gone, f"round {prefix} (seed {seed}): gone from {other}: {gone[:10]}"
    print(f"{prefix}: seed {seed}: destroyed after {len(taken)} of {messages} were taken ({len(taken) / sender.took:.0f} a second), "
          f"{len(set(lab.stored(others[0])) & set(names))} arrived; the others were equal after {took:.1f} s", flush=True)
    return len(taken)
