"""Looks at a vswd under traffic again and again, and measures the vswd meanwhile.

Each round has a phase that looks at it ("inspected"), one that gives the same commands to vswsh on
a dump of the same vswd ("control"), so that the guests' core has work like it, and one of the
same length that does nothing ("quiet"); the order rotates. The vswd's own figures are read before
and after each phase. Samples go to a file in the form that benchstat reads, what makes no sense
to a second one, the sums to stdout as JSON.

Most commands are given to one vswsh for all, every tenth is a process of its own, every twentieth
prints JSON. What they print is judged between the phases. For bench/inspect.sh and its test.
"""

import argparse
import json
import os
import random
import re
import select
import shlex
import subprocess
import sys
import time

from inspect_check import ADDRESS, Check, dt_number

MARK = "help help"  # its output shows where that of the command before ends
ANSWER_S = 60
ALONE = 10  # every so many commands
JSON = 20
WAITS_S = {"where": 0.05, "top": 0.1}  # between looks at what runs
DISTURBED = 0.1  # part of a phase in which the proc was ready and had no core
LISTS = ["vswitch", "vport", "vnic", "proc", "fdb", "drops", "where", "vnbl", "ring", "vmq",
         "qosline", "miniport", "mopen", "extension", "lm", "lmi", "help"]


class Shell:
    """One vswsh, and others that look at the same target."""

    def __init__(self, program, target):
        self.command = [program] + target
        self.pipe = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
        self.mark = subprocess.run(self.command + MARK.split(), stdout=subprocess.PIPE,
                                   check=True).stdout

    def ask(self, words):
        self.pipe.stdin.write(("%s\n%s\n" % (words, MARK)).encode())
        self.pipe.stdin.flush()
        out, end = b"", time.monotonic() + ANSWER_S
        while not out.endswith(self.mark):
            ready = select.select([self.pipe.stdout], [], [], max(0, end - time.monotonic()))[0]
            more = os.read(self.pipe.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                sys.exit("vswsh does not answer '%s': %s" % (words, out.decode("latin-1")))
            out += more
        return out[:-len(self.mark)].decode("latin-1"), 0

    def alone(self, words, *options):
        done = subprocess.run([*self.command, *options, *shlex.split(words)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=ANSWER_S)
        return done.stdout.decode("latin-1"), done.returncode

    def cpu_s(self):
        with open("/proc/%d/schedstat" % self.pipe.pid) as f:
            return int(f.read().split()[0]) / 1e9

    def close(self):
        self.pipe.stdin.close()
        self.pipe.wait(ANSWER_S)


class Proc:
    """The polling thread that is measured."""

    def __init__(self, live, pid):
        self.live = live
        tid = re.search(r" tid +: 0n(\d+)", live.ask("dt proc 0")[0])[1]
        self.sched = "/proc/%d/task/%s/schedstat" % (pid, tid)
        with open("/proc/%d/stat" % pid) as stat, open("/proc/uptime") as uptime:
            ticks = int(stat.read().rpartition(")")[2].split()[19])
            self.started = time.time() - float(uptime.read().split()[0]) + ticks / os.sysconf(
                "SC_CLK_TCK")

    def waited_s(self):
        """For how long it was ready and had no core."""
        with open(self.sched) as f:
            return int(f.read().split()[1]) / 1e9

    def figures(self):
        """Its own, of one moment."""
        text = self.live.ask("dt proc 0")[0]
        f = {name: dt_number(value)
             for name, value in re.findall(r" (\w+) +: (0[xn][0-9a-f]+)", text)}
        f["waited_s"] = self.waited_s()
        return f


def between(before, after):
    """What it did from one reading to the next; by its own clock, which stands at a frame."""
    frames = after["frames"] - before["frames"]
    seconds = (after["last_frame_tsc"] - before["last_frame_tsc"]) / after["tsc_hz"]
    if frames <= 0 or seconds <= 0:
        sys.exit("no frames flow through the switch")
    return {
        "rate": frames / seconds / 1e6,
        "cycles": (after["busy_tsc"] - before["busy_tsc"]) / frames,
        "load_pct": 100 * (after["busy_tsc"] - before["busy_tsc"]) / after["tsc_hz"] / seconds,
        "waited": (after["waited_s"] - before["waited_s"]) / seconds,
    }


def commands(live, lists):
    """All that can be asked of what is there."""
    def column(list_of, n):
        return [line.split()[n] for line in lists[list_of].splitlines()
                if re.match(r"[A-Z]+ +%s " % ADDRESS, line)]
    ports, rings = column("vport", -1), column("ring", 1)
    switch = lists["vswitch"].split()[-1]
    fdb = re.search(r"FDB (%s)" % ADDRESS, lists["fdb"])[1]
    frame = int(column("proc", 1)[0], 16) + int(
        re.search(r"\+0x([0-9a-f]+) frames +:", live.ask("dt -r1 proc.burst 0")[0])[1], 16)
    words = LISTS + [
        "vswitch " + switch, "fdb " + switch, "drops " + switch, "fdb " + fdb, "proc 0", "where 0",
        "top -d 0.1 -n 1", "vnbl 0", "vnbl %016x" % frame, "vnbl -x %016x" % frame, "dt proc 0",
        "dt -r2 vswitch " + switch, "dt vport*", "dt vport_stats", "dt fdb " + fdb, "lmi vswd"]
    for port in ports:
        words += ["vport " + port, "drops " + port, "dt vport " + port]
    for port in column("vnic", 6):
        words += ["vnic " + port, "ring " + port, "dt -r2 vnic " + port]
    for address in column("vport", 1) + column("vnic", 1) + column("proc", 1) + rings:
        words.append(address)
    return words


def ask_all(shell, words, is_live):
    """Returns the answers, and the CPU time that asking took."""
    answers, from_s = [], shell.cpu_s() + sum(os.times()[:4])
    for number, command in words:
        when = time.time()
        options = ["-j"] if number % JSON == JSON - 1 else []
        if number % ALONE == ALONE - 1:
            out, status = shell.alone(command, *options)
        else:
            out, status = shell.ask(command)
        if not is_live:
            time.sleep(WAITS_S.get(command.split()[0], 0))
        answers.append((" ".join(options + [command]), out, status, (when, time.time())))
    return answers, shell.cpu_s() + sum(os.times()[:4]) - from_s


class Run:
    def __init__(self, o):
        self.o = o
        self.live = Shell(o.vswsh, ["-p", str(o.pid)])
        self.core = Shell(o.vswsh, ["-z", o.core]) if o.core else None
        self.proc = Proc(self.live, o.pid)
        lists = {words: self.live.ask(words)[0] for words in LISTS}
        self.check = Check(o.macs, o.frame, self.proc.started)
        self.check.learn("\n".join(lists.values()) + self.live.ask("dt proc 0")[0])
        self.commands = commands(self.live, lists)
        self.random = random.Random(o.seed)
        self.n = 0
        self.busy_s = {"inspected": 0.0, "control": 0.0, "quiet": 0.0}
        self.length_s = o.quiet

    def next_commands(self, count):
        words = []
        while len(words) < count:
            words += self.random.sample(self.commands, len(self.commands))
        return [(i, command) for i, command in enumerate(words[:count], self.n)]

    def one(self, name, words):
        """One phase. Returns what the vswd did meanwhile."""
        answers = []
        before, from_s = self.proc.figures(), time.monotonic()
        if name == "quiet":
            time.sleep(self.length_s)
        else:
            shell = self.live if name == "inspected" else self.core
            answers, cpu_s = ask_all(shell, words, name == "inspected")
            self.busy_s[name] += cpu_s
        if name == "inspected":
            self.length_s = time.monotonic() - from_s
        did = between(before, self.proc.figures())
        if name == "inspected":
            self.judge(answers)
        return did

    def judge(self, answers):
        """Nothing is measured meanwhile, so it need not be polite."""
        polite = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        for answer in answers:
            self.check.look(*answer)
        os.setpriority(os.PRIO_PROCESS, 0, polite)
        self.n += len(answers)

    def round(self, number, count, samples):
        names = ["quiet", "control", "inspected"]
        names = names[number % 3:] + names[:number % 3]
        words = self.next_commands(count)
        for name in names:
            if name == "control" and self.core is None:
                continue
            did = self.one(name, words)
            for metric, unit, better in (("rate", "Mpps", "higher"), ("cycles", "cycles", "lower")):
                samples.write(json.dumps({
                    "round": number + 1, "switch": name, "point": self.o.point, "metric": metric,
                    "value": did[metric], "unit": unit, "better": better,
                    "disturbed": did["waited"] >= DISTURBED, "load_pct": did["load_pct"],
                    "waited_pct": 100 * did["waited"]}) + "\n")
            samples.flush()

    def all(self):
        with open(self.o.samples, "w") as samples:
            for number in range(self.o.rounds):
                left = self.o.count * (number + 1) // self.o.rounds - self.n
                self.round(number, left, samples)
                print("round %d of %d: %d inspections, %d complaints" % (
                    number + 1, self.o.rounds, self.n, len(self.check.complaints)),
                      file=sys.stderr)
        with open(self.o.nonsense, "w") as f:
            f.write("\n".join(self.check.evidence))
        for shell in filter(None, (self.live, self.core)):
            shell.close()
        check = self.check
        print(json.dumps({
            "inspections": self.n, "commands": len(self.commands), "rounds": self.o.rounds,
            "nonsense": len(check.complaints), "lines": check.rows, "torn": check.torn,
            "looks_at_procs": check.looks, "with_frames": check.busy,
            "asking_cpu_s": {k: round(v, 3) for k, v in self.busy_s.items()}}))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--vswsh", required=True)
    p.add_argument("--pid", type=int, required=True, help="the vswd")
    p.add_argument("--core", help="of the same vswd; without one there are no control phases")
    p.add_argument("--samples", required=True)
    p.add_argument("--nonsense", required=True)
    p.add_argument("--count", type=int, default=10000, help="inspections in all")
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--point", default="64")
    p.add_argument("--frame", type=int, default=0, help="bytes of all frames, if they are one size")
    p.add_argument("--macs", default=".*", help="a pattern of all stations' addresses")
    p.add_argument("--quiet", type=float, default=1.0, help="seconds of a first quiet phase")
    p.add_argument("--seed", type=int, default=1)
    Run(p.parse_args()).all()


main()
