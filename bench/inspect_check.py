"""Is what vswsh prints of a live switch sensible? For bench/inspect.sh and its test.

A line of an output is either one that traffic changes, and then there is a rule for it below, or
one that must be as it was at the first look. So what is not understood is complained of, too.
"""

import json
import re
import time

STAGES = ["not started", "idle", "asleep", "receive", "ingress", "learn", "lookup", "egress",
          "release", "housekeeping"]  # by number
ADDRESS = r"[0-9a-f]{16}"
MAC = r"(?:[0-9A-F]{2}-){5}[0-9A-F]{2}"
# The fastest that a proc counts are its loops, each of which asks a queue and the clock: 5 ns.
PER_S_MAX = 2e8
BYTES_PER_S_MAX = 2e11  # more than a core copies
TSC_PER_S_MAX = 1e10  # more than a clock ticks
COUNT_MAX = 1 << 60
INDEX_MAX = 65535
SLACK_S = 2.0
CHANGES_SHOWN = 8  # lines
BURST_MAX = 32
# Rows of details whose numbers only grow.
COUNTERS = ("Loops|Bursts|Frames|Sleeps|From vNic|To vNic|Flooded|Completed|Learned|Moved|Aged|"
            "Flushed|Evicted|Forgotten|Refused|Busy|Pinned|Chains|Calls|Kicks|Messages|"
            "Connections|Attached|Broken")
# Fields that dt shows, likewise.
DT_COUNTERS = ("loops|frames|bursts|sleeps|timed_sleeps|busy_tsc|last_frame_tsc|stage_tsc|now_s|"
               "seen_busy_tsc|seen_frames|"
               "clock_tsc|rx_frames|rx_bytes|tx_frames|tx_bytes|rx_flooded|tx_completed|"
               "notifications|chains|breaks|signals|kicks|learned")
DT_MOVING = "stage|queue|n|bytes|lock|armed|unwakeable|waiting|events|inbox|age_hand|load|frames_s"


def dt_number(text):
    """As dt prints it: 0n12 or 0xc."""
    return int(text[2:], 10 if text.startswith("0n") else 16)


class Check:
    """What was seen so far, and what of it makes no sense."""

    def __init__(self, macs, frame_size, started):
        self.macs = macs  # a pattern
        self.frame_size = frame_size  # 0: any
        self.started = started  # the vswd
        self.first = {}  # words: lines that do not change
        self.last = {}  # what a counter showed, and when
        self.rules = {}  # of access lists
        self.known = set()  # addresses
        self.ports = set()
        self.procs = []  # the memory of each
        self.complaints = []
        self.evidence = []  # with what was printed
        self.rows = self.torn = 0
        self.looks = self.busy = 0  # at procs, and those that had frames

    def learn(self, lists):
        """The objects, as the lists of the switch have them while nothing comes or goes."""
        self.known.update(re.findall(r"\b%s\b" % ADDRESS, lists))
        self.ports.update(re.findall(r"(?m)^VPORT  %s  0x.* (\S+)$" % ADDRESS, lists))
        for proc, size in re.findall(r"!proc at (%s), .*, 0x([0-9a-f]+) bytes" % ADDRESS, lists):
            self.procs.append(range(int(proc, 16), int(proc, 16) + int(size, 16)))

    def look(self, words, out, status, when):
        """One inspection: the command, what it printed, how it ended, between which times."""
        before = len(self.complaints)
        self.judge(words, out, status, when)
        if len(self.complaints) > before:
            self.evidence.append("\n".join(self.complaints[before:]) + "\n" +
                                 re.sub(r"(?m)^", "    | ", out) + "\n")

    def judge(self, words, out, status, when):
        self.words, self.when, self.section = words, when, ""
        self.is_torn = False
        if re.fullmatch(r"vswsh: %s is just being written over\n" % ADDRESS, out):
            return
        if status != 0:
            self.complain("ends with %d" % status, out)
        if words.startswith("-j "):
            self.document(out)
            return
        fixed = [line.removesuffix("~").rstrip() for line in out.split("\n")
                 if line and not self.line(line)]
        if self.first.setdefault(words, fixed) != fixed:
            before = self.first[words]
            changes = (["- " + line for line in before if line not in fixed] +
                       ["+ " + line for line in fixed if line not in before])
            self.complain("was different before", "\n".join(changes[:CHANGES_SHOWN] or fixed))

    def complain(self, what, line, even_if_torn=True):
        if self.is_torn and not even_if_torn:
            return
        self.complaints.append("%s: %s: %s" % (self.words, what, line.strip()))

    def line(self, line):
        """Whether it is one that changes. Complains of it when it is nonsense."""
        self.rows += 1
        self.anywhere(line)
        if re.match(r"[A-Z]", line):
            self.section = " ".join(line.split()[:2])
        if self.words.startswith("top "):
            if not self.ruled(TOP_RULES, line):
                self.complain("not understood", line)
            return True
        return self.ruled(RULES, self.tear(line))

    def ruled(self, rules, line):
        for pattern, rule in rules:
            match = re.fullmatch(pattern, line)
            if match:
                rule(self, line, match)
                return True
        return False

    def tear(self, line):
        """Without the mark of what changed while it was read. No object comes or goes here, so
        that is right for rings and frames alone; what they show then is of several moments."""
        if re.match(r" *[A-Z]+ +%s" % ADDRESS, line):
            self.is_torn = line.endswith(" ~")
            self.torn += self.is_torn
        if line.endswith(" ~") and not re.match("RING|VNBL", line):
            self.complain("cannot have changed", line)
        return line.removesuffix("~").rstrip()

    def document(self, out):
        try:
            whole = json.loads(out)
        except ValueError as error:
            self.complain("no JSON, %s" % error, out)
            return
        if "error" in whole or whole.get("troubles"):
            self.complain("trouble", out)
        self.rows += 1
        self.value("", whole)

    def value(self, key, value):
        if isinstance(value, dict):
            for name, member in value.items():
                self.value(name, member)
        elif isinstance(value, list):
            for member in value:
                self.value(key, member)
        elif isinstance(value, str):
            self.anywhere(value)
        elif isinstance(value, (int, float)) and value < 0:
            self.complain("negative", "%s: %s" % (key, value))

    def anywhere(self, line):
        if line.startswith("vswsh:") or "***" in line:
            self.complain("trouble", line)
        if re.search(r"(^|[ (])\?($|[ ),])", line) or "[Not a port]" in line:
            self.complain("a word without meaning", line)
        if re.search(r"[^\x20-\x7e]", line):
            self.complain("not text", line)
        if re.search(r"(^|[ (,])-\d", line):
            self.complain("negative", line)

    # --- what rules are made of ----------------------------------------------------------------

    def addresses(self, text, line):
        for address in re.findall(r"\b%s\b" % ADDRESS, text):
            if address not in self.known and address != "0" * 16:
                self.complain("an unknown address", line, False)

    def grows(self, name, value, line, per_s=PER_S_MAX):
        key = (self.words.split()[-1], self.section, name)
        before, since = self.last.get(key, (value, self.when[0]))
        self.last[key] = (value, self.when[0])
        if value < before:
            self.complain("went back from %d" % before, line)
        if value > COUNT_MAX or value - before > per_s * (self.when[1] - since + SLACK_S):
            self.complain("absurd, after %d" % before, line)

    def most(self, value, limit, line):
        if not 0 <= value <= limit:
            self.complain("more than %d" % limit, line)

    def duration(self, text, line):
        match = re.fullmatch(r"(?:(\d+) h )?([\d.]+) (us|ms|s|min)(?: ago)?", text)
        if not match:
            if text not in ("[Never]", "[Not known]"):
                self.complain("no duration", line)
            return
        unit = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60}[match[3]]
        self.most(int(match[1] or 0) * 3600 + float(match[2]) * unit, self.age(), line)

    def age(self):
        """How old the switch is at most."""
        return self.when[1] - self.started + SLACK_S

    def stage(self, word, line):
        if word not in STAGES[1:]:
            self.complain("no stage", line)
        self.looks += 1
        self.busy += word in STAGES[4:9]

    def port_name(self, name, line):
        if name not in self.ports | {"", "[None]"} and not re.fullmatch(r"proc\d+", name):
            self.complain("no port's name", line)

    # --- rules: each gets the line and its match ----------------------------------------------

    def as_of(self, line, m):
        shown = time.mktime(time.strptime(m[1], "%Y-%m-%d %H:%M:%S"))
        if not self.when[0] - SLACK_S <= shown <= self.when[1] + SLACK_S:
            self.complain("another time", line)

    def counter(self, line, m):
        for i, count in enumerate(re.findall(r"\d+", m[2])):
            per_s = BYTES_PER_S_MAX if i > 0 else PER_S_MAX
            self.grows("%s %d" % (m[1], i), int(count), line, per_s)

    def timed_sleeps(self, line, m):
        self.grows("timed sleeps", int(m[1]), line)
        self.most(int(m[2]), 4096, line)

    def acl_rule(self, line, m):
        if self.rules.setdefault((self.words, m[1]), m[2]) != m[2]:
            self.complain("another rule", line)
        self.grows("frames of rule " + m[1], int(m[3]), line)
        self.grows("bytes of rule " + m[1], int(m[4]), line, BYTES_PER_S_MAX)

    def drop(self, line, m):
        self.grows("%s %s" % (m[1], m[3]), int(m[2]), line)

    def dt_counter(self, line, m):
        per_s = {"bytes": BYTES_PER_S_MAX, "tsc": TSC_PER_S_MAX}.get(m[1].split("_")[-1], PER_S_MAX)
        # A NIC has several queues, and counters of the same name in each.
        self.grows(line.split()[0] + m[1], dt_number(m[2]), line, per_s)

    def dt_moving(self, line, m):
        if m[1] == "stage" and not re.fullmatch(r"0n\d \( PROC_STAGE_[A-Z]+ \)", m[2]):
            self.complain("no stage", line)

    def links(self, line, m):
        self.addresses(line, line)

    def proc_row(self, line, m):
        self.addresses(line, line)
        self.stage(m[1].strip(), line)
        self.duration(m[2].strip(), line)
        for name, value in zip(("Loops", "Frames", "Sleeps"), (m[4], m[5], m[6])):
            self.grows(name, int(value), line)
        self.most(float(m[7]), 100.1, line)

    def where_row(self, line, m):
        self.addresses(line, line)
        self.stage(m[2].strip(), line)
        self.duration(m[3].strip(), line)
        self.most(int(m[4]), BURST_MAX, line)
        self.port_name(m[5], line)
        self.where_state(line, m)

    def where_state(self, line, m):
        if m[1].strip() not in ("running", "idle", "asleep", "starved"):
            self.complain("a switch that works is not so", line)

    def stage_row(self, line, m):
        if STAGES[int(m[1])] != m[2]:
            self.complain("no stage", line)
        self.stage(m[2], line)

    def in_hand(self, line, m):
        # One that is not in hand is of several, and what stands there is left over.
        self.is_torn |= m[1] == "N"
        if STAGES[int(m[2])] != m[3]:
            self.complain("no stage", line)

    def since(self, line, m):
        self.duration(m[1], line)

    def main_thread(self, line, m):
        self.duration(m[1], line)

    def load(self, line, m):
        self.most(float(m[1]), 100.1, line)

    def clock(self, line, m):
        self.most(int(m[1]), self.age(), line)

    def burst(self, line, m):
        self.most(int(m[1]), BURST_MAX, line)
        self.most(int(m[2]), BURST_MAX * 65550, line)

    def name(self, line, m):
        self.port_name(m[1], line)

    def station(self, line, m):
        if not re.fullmatch(self.macs, m[1]):
            self.complain("nobody's address", line, False)
        self.most(int(m[2]), self.age(), line)
        self.addresses(line, line)
        self.port_name(m[3], line)

    def stations(self, line, m):
        self.most(int(m[1]), int(m[2]), line)

    def frame_row(self, line, m):
        self.frame_of_proc(m[1], line)
        self.addresses(m[4], line)
        self.sizes(int(m[3]), int(m[2]), line)
        if not re.fullmatch(r"(at )?slot \d+|flood|\[None\]|\[Not yet\]", m[5].strip()):
            self.complain("no destination", line, False)
        if m[4] == "[None]" and m[5].strip() != "[Not yet]":
            self.complain("from nowhere to somewhere", line, False)
        if self.frame_size and m[6] != "Ethernet":
            self.complain("other headers than were sent", line, False)

    def destination(self, line, m):
        self.addresses(line, line)
        if re.fullmatch(r"slot \d+(, .*)?", m[1]):
            self.complain("to no port", line, False)

    def no_source(self, line, m):
        self.complain("from nowhere", line, False)

    def destinations(self, line, m):
        self.most(int(m[1]), len(self.ports), line)

    def destination_row(self, line, m):
        self.addresses(m[3], line)
        self.port_name(m[5], line)
        if m[4].strip() not in ("to come", "has its turn", "had its turn", "handed to it",
                                "[Not known]"):
            self.complain("no state of a delivery", line)

    def frame_of_proc(self, address, line):
        if not any(int(address, 16) in proc for proc in self.procs):
            self.complain("no frame of a proc", line)

    def dropped_row(self, line, m):
        self.frame_of_proc(m[1], line)
        self.grows("record " + m[1], int(m[2]), line)
        self.duration(m[3].strip(), line)
        self.size(int(m[4]), line)
        self.addresses(m[5], line)
        self.port_name(m[6], line)

    def dropped(self, line, m):
        self.most(int(m[1]), int(m[2]), line)

    def size(self, size, line):
        if self.frame_size and size != self.frame_size:
            self.complain("another size than was sent", line, False)

    def safe_size(self, line, m):
        self.sizes(int(m[1]), int(m[2]), line)

    def safe_bytes(self, line, m):
        self.frame_of_proc(m[1], line)

    def bursts(self, line, m):
        self.grows("bursts of queue " + m[1], int(m[2]), line)

    def sizes(self, safe, size, line):
        self.size(size, line)
        if safe > size:
            self.complain("more than there is", line, False)

    def ethernet(self, line, m):
        for mac in (m[1], m[2]):
            if not re.fullmatch(self.macs, mac):
                self.complain("nobody's address", line, False)
        if m[1][:8] == m[2][:8]:
            self.complain("of two frames", line, False)

    def ring_row(self, line, m):
        self.addresses(line, line)
        size = int(m[1])
        for value in (m[2], m[3]):
            # The guest's half is read a moment after the switch's.
            self.most(int(value), INDEX_MAX, line)
        if m[4].strip() not in self.ports:
            self.complain("no port's name", line)
        self.most(size, 32768, line)

    def indexes(self, line, m):
        for index in re.findall(r"\d+", m[2]):
            self.most(int(index), INDEX_MAX, line)

    def descriptor(self, line, m):
        self.most(int(m[1]), 32767, line)

    # --- what top shows: rates ---------------------------------------------------------------

    def top_total(self, line, m):
        self.most(float(m[1]), PER_S_MAX, line)
        self.most(float(m[2]), BYTES_PER_S_MAX * 8 / 1e6, line)

    def top_port(self, line, m):
        if m[1] not in self.ports:
            self.complain("no port's name", line)
        for i, rate in enumerate(m[2].split()):
            mbit = i in (2, 3)
            self.most(float(rate), BYTES_PER_S_MAX * 8 / 1e6 if mbit else PER_S_MAX, line)
        if (m[3] == "-") != (not any(float(rate) for rate in m[2].split()[4:])):
            self.complain("drops without a reason, or the other way", line)

    def top_proc(self, line, m):
        # Stuck is none: it makes loops. Starved it can be, as for where.
        if m[1].strip() not in STAGES[1:] + ["starved"]:
            self.complain("a switch that works is not so", line)
        busy, frames, bursts, per_burst, loops, sleeps, queues = m[2].split()
        self.most(float(busy), 100.0, line)
        for rate in (frames, bursts, loops, sleeps):
            self.most(float(rate), PER_S_MAX, line)
        if per_burst != "-":
            self.most(float(per_burst), BURST_MAX, line)
        self.most(int(queues), len(self.ports), line)

    def top_queue(self, line, m):
        if m[1] not in self.ports:
            self.complain("no port's name", line)
        for rate in m[2].split():
            if rate != "-":
                self.most(float(rate), PER_S_MAX, line)

    def top_drop(self, line, m):
        self.most(float(m[1]), PER_S_MAX, line)

    def anything(self, line, m):
        pass


LABEL = r"    %-19s"


def row(label, value):
    """The pattern of a row of details."""
    return LABEL % label + "(?:%s)" % value


RULES = [
    (row("As of", r"(.*)"), Check.as_of),
    (r"    (%s) {2,}(\d+.*)" % COUNTERS, Check.counter),
    (r"    (\d+) +((?:basic|extended) +(?:in|out) .*?) +(\d+) +(\d+)", Check.acl_rule),
    (row("Timed sleeps", r"(\d+), because (\d+) queues .*"), Check.timed_sleeps),
    (r"    (In|Out) +(\d+) +([A-Z]\w+) +[a-zA-Z].*", Check.drop),
    (r" +\+0x[0-9a-f]{3,} (%s) +: (0[xn][0-9a-f]+)" % DT_COUNTERS, Check.dt_counter),
    (r" +\+0x[0-9a-f]{3,} (%s) +: (.*)" % DT_MOVING, Check.dt_moving),
    (r" +\+0x[0-9a-f]{3,} port +: .*", Check.links),
    (r"PROC  %s  \d+ +\d+ +(\w[\w ]{13})([\w.\[ ][\w.\] ]{11})(%s|\[None\]) +(\d+) +(\d+) +(\d+) +"
     r"([\d.]+) %%" % (ADDRESS, ADDRESS), Check.proc_row),
    (r"PROC  %s  \d+ +(\w[\w ]{12})(\w[\w ]{13})(.{12})(?:%s|\[None\]) +\d+ +(\d+) +\d+ \([RSD]\) *"
     r"(\S*)" % (ADDRESS, ADDRESS), Check.where_row),
    (r"    \d+ +[RSD] \([a-z ]+\) +.*", Check.anything),
    (row("State", r"(running|idle|asleep|starved|stuck|not started)"), Check.where_state),
    (row("Stage", r"(\d) \((.*)\)"), Check.stage_row),
    (row("Since", r"(\[.*\]|[\d.]+ (?:us|ms|s)|\d+ h \d+ min)"
         r"(?: at most: that was its last sign of life)?"), Check.since),
    (row("Last frame", r"(.*)"), Check.since),
    (row("Main thread", r"\d+ \([RSD]\), looked at the clock (.*)"), Check.main_thread),
    (row("Thread", r"\d+ \([RSD]\).*"), Check.anything),
    (row("Load", r"([\d.]+) %.*"), Check.load),
    (row("Last second", r"([\d.]+) % of it found frames, \d+ frames per second"), Check.load),
    # Moves of receive queues.
    (r"    \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ +\d+ +\d+ +\w+ +([\d.]+) +[\d.]+ +[\d.]+ +\S+",
     Check.load),
    # Receive queues of a proc, then of all, then how many each proc has.
    (r"    %s  %s  \d+ +([\d.]+) +\d+ +(?:\[None\]|\d+) +\S+" % (ADDRESS, ADDRESS), Check.load),
    (r"    %s  \d+ +(?:\[None\]|\d+) +([\d.]+) +\d+ +\d+ +(?:\[None\]|\d+) +\S+" % ADDRESS,
     Check.load),
    (r"    %s  \d+ +\d+ +\d+ +([\d.]+)" % ADDRESS, Check.load),
    (row("Clock", r"(\d+) s"), Check.clock),
    (row("Burst", r"(\d+) frames, (\d+) bytes.*"), Check.burst),
    (row("Burst", r"\[None\]"), Check.anything),
    (row("Writes to", r".*"), Check.links),
    (row("vPort", r".*"), Check.links),
    (row("vNic", r".*"), Check.links),
    (row("Name", r"(\S*)"), Check.name),
    (r"    (%s)  \d+ +\w+ +(\d+) +%s  (\S+)" % (MAC, ADDRESS), Check.station),
    (row("Stations", r"(\d+) of (\d+)"), Check.stations),
    (r"VNBL  (%s)  \d+ +(\d+) +(\d+) +(%s|\[None\]) +(.{13})(.*)" % (ADDRESS, ADDRESS),
     Check.frame_row),
    (r"    VNBL  (%s)  \d+ +(\d+) +(\d.{11})(\d+) +(%s)  (\S+) +(?:In|Out) +[A-Z]\w+ +Ethernet" % (
        ADDRESS, ADDRESS), Check.dropped_row),
    (row("Frame", r"(\d+) of (\d+) that the proc dropped"), Check.dropped),
    (row("Ethernet", r"(%s) > (%s), .*" % (MAC, MAC)), Check.ethernet),
    (row("In hand", r"(Y|N)(?:: given back, or not filled)? \(stage (\d), (.*)\)"),
     Check.in_hand),
    (row("SourcePortId", r"0x000\d"), Check.anything),
    (row("Source vPort", r".*"), Check.links),
    (row("Flags", r"[0-9a-f]{2} (\[No flags set\]|(?!.*\band\b).*)"), Check.anything),
    (row("IsPacketDataSafe", r"[YN]"), Check.anything),
    (row("SafePacketDataSize", r"(\d+) of (\d+) bytes"), Check.safe_size),
    (row("NumDestinations", r"(\d+)"), Check.destinations),
    (row("NumDestinations", r"\[Not known\]"), Check.no_source),
    (r"    It has no port that it came from, so its switch is not known", Check.no_source),
    (row("Destination", r"(\[None\]|\[Not yet\]|flood|slot \d+.*)"), Check.destination),
    (r"    0x([0-9a-f]{4})  (\d+|\[Not known\]) +\[Not kept\] +[YN] +[YN] +(%s)  (.{14})(\S+)" % ADDRESS,
     Check.destination_row),
    (row("Dropped", r"N|\d+ \([A-Z]\w+\): [a-z].*"), Check.anything),
    (row("Safe bytes", r"\d+ at (%s)" % ADDRESS), Check.safe_bytes),
    (row("Pieces", r"\d+ at %s, the (host|guest)'s memory" % ADDRESS), Check.anything),
    (r"    [0-9a-f]{4}  [0-9a-f]{2} .*", Check.anything),
    (r"    (\d+) +\d+ +[YN] +(\d+)", Check.bursts),
    (r"    (\d+) +(?:\[None\]|(?:proc )?\d+) +(\d+)", Check.bursts),
    (r"    (\d+) +(?:\[None\]|\d+) +[YN] +\d+ +(\d+)", Check.bursts),
    (r"RING  %s  \d +(?:to|from) the guest +(\d+) +(\d+) +(\d+) +(\S+) +up" % ADDRESS,
     Check.ring_row),
    (r"    (Available|Used|Waiting|In hand|Not yet told|Outstanding) {2,}(.*\d.*)", Check.indexes),
    (r"    (\d+) +\d+ +(?:table )?\d+ +%s  \d+ +[A-Z[].*" % ADDRESS, Check.descriptor),
    (r"    (\d+) +\d+ +(?:table )?\d+ +\[Not read\]", Check.descriptor),
    (r"    The ring goes on while it is read: .*", Check.anything),
    (r"    Direction  Frames +Reason +Meaning", Check.anything),
    (row("Last of them", r".*"), Check.links),
    (r"    A proc keeps the last frames that it dropped; .*", Check.anything),
    (row("Held by", r".*"), Check.links),
    (r"VPORT %s  (\S+)" % ADDRESS, Check.name),
    (r"    \d+ more of proc \d+ were being written over", Check.anything),
    (r"    and \d+ more, 0 of them suspicious", Check.anything),
    (r"MORE INFORMATION|SAFE BYTES", Check.anything),
    (r"    (?:Proc|Frames of proc|vPort of proc) \d+ .*", Check.links),
    (r" *\[None\]", Check.anything),
]

RATE = r"(?:\d+(?:\.\d)?)"


def rates(n):
    """The pattern of so many columns of rates, which may be unknown."""
    return r" +".join([r"(?:%s|-)" % RATE] * n)


TOP_RULES = [
    (row("As of", r"(.*)"), Check.as_of),
    (row("vswd", r"version \S+, process \d+"), Check.anything),
    (r"    (?:Up|Counted for) +(.*)", Check.since),
    (row("State", "runs"), Check.anything),
    (r"    (?:In|Out) +(%s) frames/s, (%s) Mbit/s" % (RATE, RATE), Check.top_total),
    (r"    Dropped +(%s) frames/s" % RATE, Check.top_drop),
    (r"PORTS|PROCS|QUEUES|DROPS|    Name +(?:Type|Dir) .*|    Proc +Core .*|    Direction +Frames/s .*|"
     r"    \[None\]", Check.anything),
    (r"    (\S+) +(?:Default|Internal|Synthetic) +(?:Connected|Disconnected|-) +(%s) +"
     r"(-|(?:In|Out) [A-Z]\w+)" % r" +".join([RATE] * 6), Check.top_port),
    (r"    \d+ +\d+ +([a-z][a-z ]*?) +(%s +%s +%s)" % (r" +".join([RATE] * 3), rates(1),
                                                       r" +".join([RATE] * 3)), Check.top_proc),
    (r"    (\S+) +(?:rx|tx) +\d+ +(?:\d+|-) +(%s)" % rates(4), Check.top_queue),
    (r"    (?:In|Out) +(%s) +[A-Z]\w+ +[a-z].*" % RATE, Check.top_drop),
]
