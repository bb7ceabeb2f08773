#!/usr/bin/env python3
"""Does the judge of bench/inspect_check.py see nonsense? Each output here makes sense as it is, and
none with one thing changed in it."""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
from inspect_check import Check, dt_number  # pylint: disable=wrong-import-position

NOW = 1795450828.0
PROC, P1, P2 = "0000558337ec9340", "0000558337ec1020", "0000558337ec2020"
LISTS = """
VPORT  %s  0x0001  Synthetic N             Created  0000558337e00000  0000558337e10000  p1
VPORT  %s  0x0002  Synthetic N             Created  0000558337e00000  0000558337e20000  p2
PROC  %s  0
nvkd!proc at %s, of this vswd, 0x12000 bytes
""" % (P1, P2, PROC, PROC)

TOP = """
    As of              AS_OF
    vswd               version 0.1.0, process 10
    Up                 1.4 s
    State              runs
    Counted for        109 ms
    In                 253810.3 frames/s, 130.0 Mbit/s
    Out                253491.4 frames/s, 129.8 Mbit/s
    Dropped            12.0 frames/s

PORTS

    Name                              Type       NIC           Rx/s        Tx/s        RxMb/s     TxMb/s     DropIn      DrpOut      Reason
    p1                                Synthetic  Connected     126902      126583      65.0       64.8       0           12          Out Resources
    p2                                Synthetic  Disconnected  0           0           0.0        0.0        0           0           -

PROCS

    Proc  Core  Stage         Busy %  Frames/s    Bursts/s    Fr/burst  Loops/s     Sleeps/s  Queues
    0     1     receive       97.1    253810      7931        32.0      2042185     0         2

QUEUES

    Name                              Dir  Queue  Proc  Bursts/s    Chains/s    Interrupts/s  Kicks asked/s
    p1                                rx   0      0     3965        126902      0             0
    p2                                tx   0      -     -           0           0             0

DROPS

    Direction  Frames/s    Reason                        Meaning
    Out        12          Resources                     no room: destination ring full
"""
VNBL = """
    As of              AS_OF

Type  Address           Proc  Size     Safe  vPort             Destination  Headers
VNBL  0000558337ec9540  0     64       64    %s  at slot 2    Ethernet ~

DROPPED FRAMES

    Type  Address           Proc  Number        Age         Size   vPort             Name                    Direction  Reason                      Headers
    VNBL  0000558337ed3738  0     62            12 ms       64     %s  p1                      Out        Resources                   Ethernet
""" % (P1, P1)
WHERE = """
    As of              AS_OF
    Judged by          3 looks within 50 ms
    Main thread        10 (S), looked at the clock 545 ms ago

Type  Address           Number  State        Stage         Since       vPort             Queue  Frames  Thread        Name
PROC  %s  0       running      learn         1.5 s       %s  0      32      30 (R)        p1
""" % (PROC, P1)
STAGE = """
    Stage              7 (egress)
"""
FRAME = """
VNBL 0000558337ec9540
    In hand            Y (stage 7, egress)
    SafePacketDataSize 64 of 64 bytes
    NumDestinations    1
    Destination        slot 2: %s   !nvkd.vport %s (p2), handed to it

DESTINATIONS

    PortId  NicIndex     IsExcluded  PreserveVLAN  PreservePriority  vPort             State         Name
    0x0002  0            [Not kept]  N             N                 %s  handed to it  p2
""" % (P2, P2, P2)
ACL = """
RULES

    Rule  Kind      Dir  Action  Weight  Protocol  Local               Ports        Remote              Ports        Stateful  Frames    Bytes
    1     basic     in   allow   -       any       any-mac             any          any                 any          -         1000      64000
"""
DT = """
   +0x180 stage            : 0n7 ( PROC_STAGE_EGRESS )
   +0x190 loops            : 0x1000
   +0x198 busy_tsc         : 0x1000
   +0x1a0 rx_bytes         : 0x1000
   +0x1a8 now_s            : 0n10
"""

# Command, output, and what makes nonsense of it.
CASES = [
    ("top -d 0.1 -n 1", TOP, [
        ("receive ", "stuck   "), ("receive ", "?       "), ("2042185", "300000000"),
        ("97.1", "100.1"), ("32.0", "33.0"), ("runs", "stopped by a signal or a debugger"),
        ("253810.3", "999999999.0"), ("130.0", "1e9"), ("12          Out Resources", "0           Out Resources"),
        ("12          Out Resources", "12          -"), ("p2  ", "p9  "), ("Disconnected", "Destroyed"),
        ("3965", "-3965"), ("126902      0", "999999999   0"), ("1.4 s", "900 h 1 min"), ("12          Resources", "12          "),
        ("DROPS", "*** 0000000000000000 cannot be read ***"), ("0     1 ", "proc  1 "), ("2\n\nQUEUES", "2000\n\nQUEUES")]),
    ("vnbl", VNBL, [
        ("64     %s  p1" % P1, "65     %s  p1" % P1), ("64     %s  p1" % P1, "64     00005583deadbeef  p1"),
        ("64     %s  p1" % P1, "64     %s  p9" % P1), ("0000558337ed3738", "0000558337fd3738"),
        ("12 ms ", "12 min"), ("Resources  ", "?          "), ("Resources                   Ethernet", "Resources                   Ethernet ~")]),
    ("where", WHERE, [("running", "stuck  "), ("learn", "leapt"), ("32 ", "33 "), ("1.5 s  ", "25 min ")]),
    ("vnbl 0000558337ec9540", FRAME, [
        ("NumDestinations    1", "NumDestinations    99"), ("  handed to it", "  handed to me"), ("  p2", "  p9"),
        (": %s" % P2, ", which has no port: "), ("64 of 64", "65 of 64"), ("7, egress", "7, ingress"),
        ("%s  handed" % P2, "00005583deadbeef  handed")]),
    ("vnbl 0000558337ec9540", FRAME.replace("  0            [", "  [Not known]  ["), [("  p2", "  p9")]),
    ("where 0", STAGE, [("egress", "learn"), ("7 (egress)", "0 (housekeeping)"), ("7 (egress)", "0 (not started)")]),
]
# What a counter shows next, from the values above on, a second later.
GROWS = [
    ("loops            : 0x1000", "loops            : 0x20000000", False),
    ("loops            : 0x1000", "loops            : 0x30000000", True),
    ("loops            : 0x1000", "loops            : 0xfff", True),
    ("busy_tsc         : 0x1000", "busy_tsc         : 0x100000000", False),
    ("busy_tsc         : 0x1000", "busy_tsc         : 0x1000000000", True),
    ("rx_bytes         : 0x1000", "rx_bytes         : 0x1000000000", False),
    ("rx_bytes         : 0x1000", "rx_bytes         : 0x100000000000", True),
    ("now_s            : 0n10", "now_s            : 0n11", False),
    ("now_s            : 0n10", "now_s            : 0n9", True),
    ("PROC_STAGE_EGRESS", "7", True),
]
# The same of a rule of an access list.
MATCHES = [
    ("1000      64000", "2000      128000", False),
    ("1000      64000", "999       64000", True),
    ("1000      64000", "1000      63999", True),
    ("1000      64000", "900000000 64000", True),
    ("allow", "deny ", True),
]


def check():
    ret = Check("02-67-0[01]-00-00-..", 64, NOW - 600)
    ret.learn(LISTS)
    return ret


def complaints(judge, words, out, when):
    before = len(judge.complaints)
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
    judge.look(words, out.replace("AS_OF", shown), 0, (when, when + 0.1))
    return judge.complaints[before:]


def changed(out, old, new):
    if out.count(old) < 1:
        sys.exit("FAILED: there is no '%s' in: %s" % (old, out))
    return out.replace(old, new, 1)


def main():
    for words, out, changes in CASES:
        said = complaints(check(), words, out, NOW)
        if said:
            sys.exit("FAILED: %s" % said)
        for old, new in changes:
            if not complaints(check(), words, changed(out, old, new), NOW):
                sys.exit("FAILED: %s: nobody minds '%s' in the place of '%s'" % (words, new, old))
    for words, out, old, new, is_wrong in ([("dt proc 0", DT, *change) for change in GROWS] +
                                           [("vport p1", ACL, *change) for change in MATCHES]):
        judge = check()
        said = complaints(judge, words, out, NOW)
        if said:
            sys.exit("FAILED: %s" % said)
        said = complaints(judge, words, changed(out, old, new), NOW + 1)
        if bool(said) != is_wrong:
            sys.exit("FAILED: %s -> %s: %s" % (old, new, said))
    if (dt_number("0n10"), dt_number("0x10")) != (10, 16):
        sys.exit("FAILED: numbers of dt")


main()
