# top as somebody at a terminal has it: top.py VSWSH PID. The process is a vswd with the ports
# vm1, vm2, t and s:internal, and frames that it drops. Prints what went wrong.

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import sys
import termios
import time

PATIENCE_S = 30

vswsh, target = sys.argv[1:]


class Screen:
    """What the escape codes that top writes make of a window; others are an error."""

    def __init__(self, rows, columns):
        self.size = rows, columns
        self.lines = [" " * columns] * rows
        self.at = 0, 0
        self.is_reverse = False
        self.reverse = ""  # what stands out since the last drawing began
        self.modes = set()
        self.rest = ""

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        for found in re.finditer(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b[^\x1b]{0,12}$|[\r\n]|[^\x1b\r\n]+", text):
            if found[2] is not None:
                self.code(found[1], found[2])
            elif found[0][0] == "\x1b":
                self.rest = found[0]
            elif found[0] in "\r\n":
                self.at = (self.at[0], 0) if found[0] == "\r" else (self.at[0] + 1, self.at[1])
            else:
                self.put(found[0])

    def put(self, text):
        row, column = self.at
        if self.is_reverse:
            self.reverse += text
        if row < len(self.lines):
            line = self.lines[row]
            self.lines[row] = (line[:column] + text + line[column + len(text):])[:self.size[1]]
        self.at = row, column + len(text)

    def code(self, numbers, letter):
        row, column = self.at
        if letter in "hl" and numbers[:1] == "?":
            (self.modes.add if letter == "h" else self.modes.discard)(numbers)
            if numbers == "?1049":
                self.lines = [" " * self.size[1]] * self.size[0]
        elif letter == "H":
            if numbers == "":
                self.reverse = ""
            at = [int(n) for n in (numbers or "1;1").split(";")]
            self.at = at[0] - 1, at[1] - 1
        elif letter == "K":
            self.lines[row] = self.lines[row][:column].ljust(self.size[1])
        elif letter == "J":
            self.lines[row:] = [" " * self.size[1]] * (len(self.lines) - row)
        elif letter == "m":
            self.is_reverse = numbers == "7"
        elif "?1049" not in self.modes and letter in "ABCDGPX@":
            pass  # of the editing of a line
        else:
            raise SystemExit(f"an escape code that is not known: {numbers}{letter}")

    def shown(self):
        return "\n".join(self.lines)


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, *argv, rows=24, columns=100, term="xterm"):
        os.environ.update(TERM=term, LC_ALL="C.UTF-8", PS1="$ ", HOME="/nonexistent")
        go, self.go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.read(go, 1)
            os.execv(argv[0], argv)
        self.raw = ""
        self.status = None
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.fd)
        os.write(self.go, b"x")

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen = Screen(rows, columns)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read(self):
        if not select.select([self.fd], [], [], 0.1)[0]:
            return
        try:
            text = os.read(self.fd, 1 << 16).decode(errors="replace")
        except OSError:  # the other side is closed
            text = ""
        self.raw += text
        self.screen.feed(text)

    def until(self, what, is_true):
        end = time.monotonic() + PATIENCE_S
        while not is_true():
            if time.monotonic() > end:
                self.fail(what)
            self.read()

    def until_shown(self, pattern):
        self.until(f"no '{pattern}'", lambda: re.search(pattern, self.screen.shown(), re.M))

    def until_sorted(self, head):
        self.until(f"it is not sorted by {head}", lambda: self.screen.reverse.strip() == head)

    def until_ended(self):
        def is_ended():
            if self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.status = None if pid == 0 else status
            return self.status is not None

        self.until("it does not end", is_ended)
        while select.select([self.fd], [], [], 0)[0] and not self.raw.endswith("\0"):
            size = len(self.raw)
            self.read()
            if len(self.raw) == size:
                break
        return self.status

    def check_restored(self, when):
        if termios.tcgetattr(self.fd) != self.before:
            self.fail(f"the terminal is not as it was, {when}")
        if self.screen.modes != {"?25", "?7"}:
            self.fail(f"the screen is not as it was, {when}: {self.screen.modes}")

    def fail(self, what):
        raise SystemExit(f"{what}; the screen:\n{self.screen.shown()}\n{self.raw[-400:]!r}")

    def close(self):
        os.close(self.fd)
        os.close(self.go)


def top(*options, **window):
    return Terminal(vswsh, "-p", target, "top", "-d", "0.2", *options, **window)


def names(terminal):
    """Of the ports, in their order."""
    lines = terminal.screen.lines
    head = next(i for i, line in enumerate(lines) if line.startswith("Name"))
    return [line.split()[0] for line in lines[head + 1:-1] if line.strip()]


def check_tables():
    t = top()
    t.until_shown(r"^top  [0-9:]{8}  vswd .* process \d+, up .*; every 0.2 s")
    t.until_shown(r"^In [0-9.]+ frames/s, [0-9.]+ Mbit/s   Out ")
    t.until_shown(r"^Busy   proc0 [0-9.]+ %")
    t.until_shown(r"^Drops [0-9.]+/s: In BridgeReserved [0-9.]+")
    t.until_shown(r"^Name  *Type  *NIC  *Rx/s")
    t.until_sorted("Rx/s")
    t.until("the port that sends is not the first", lambda: names(t)[0] == "vm1")
    t.type("r")
    t.until("the order is not reversed", lambda: names(t)[-1] == "vm1")
    t.type("r<<<")
    t.until_sorted("Name")
    t.until("not by name", lambda: names(t)[0] == "s:default" and names(t) == sorted(names(t)))
    t.type(">")
    t.until_sorted("Type")
    t.type("\x1b[C\x1bOC")
    t.until_sorted("Rx/s")
    t.type("s")
    t.until_sorted("Tx/s")
    for key, head in (("p", "Proc"), ("Q", "Bursts/s"), ("d", "Frames/s"), ("v", "Tx/s"), ("2", "Proc"), ("\t", "Bursts/s")):
        t.type(key)
        t.until_sorted(head)
    t.until_shown(r"^vm1  *rx  *0  *0  *[1-9]")
    t.type("2")
    t.until_shown(r"^ *0  *\d+  *[a-z ]+  *[0-9.]+  *[1-9]")
    t.type("4")
    t.until_shown(r"^In  *[0-9.]+  *BridgeReserved  *dest")
    t.type("?")
    t.until_shown(r"^Any other key goes back")
    t.type("1")
    t.until_shown(r"^In  *[0-9.]+  *BridgeReserved  *dest")
    t.type("+")
    t.until_shown(r"every 0.4 s")
    t.type("--")
    t.until_shown(r"every 0.1 s")
    t.type("-\x1b\x1b[99~")
    t.until_shown(r"every 0.1 s")
    t.type(" q")
    if t.until_ended() != 0:
        t.fail(f"it ended with {t.status}")
    t.check_restored("after q")
    t.close()


def check_window():
    """A small window, then a large one: nothing is written beside it."""
    t = top(rows=12, columns=60)
    t.until_shown(r"^In [0-9.]+ frames")
    first = names(t)
    t.type("\x1b[B")
    t.until("it does not scroll", lambda: names(t) and names(t)[0] == first[1])
    t.type("\x1b[5~")
    t.until("it does not scroll back", lambda: names(t) and names(t)[0] == first[0])
    t.type("\x1b[F\x1b[6~")
    t.until("it does not scroll to the end", lambda: names(t) and names(t)[0] != first[0])
    t.resize(40, 160)
    t.until_shown(r"^Name  *Type  *NIC .* Reason")
    t.until_shown(r"^t  .* In BridgeReserved *$")
    t.resize(1, 1)
    t.until("nothing is drawn", lambda: t.screen.shown().strip())
    t.type("q")
    if t.until_ended() != 0:
        t.fail(f"it ended with {t.status}")
    t.check_restored("after it was resized")
    t.close()


def check_signals():
    for number, status in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGHUP),
                           (signal.SIGQUIT, signal.SIGQUIT), (signal.SIGINT, 0)):
        t = top()
        t.until_shown(r"^In [0-9.]+ frames")
        os.kill(t.pid, number)
        if t.until_ended() & 0x7f != status:
            t.fail(f"signal {number} ended it with {t.status}")
        t.check_restored(f"after signal {number}")
        t.close()
    t = top()
    t.until_shown(r"^In [0-9.]+ frames")
    t.type("\x03")
    if t.until_ended() != 0:
        t.fail(f"Ctrl-C ended it with {t.status}")
    t.check_restored("after Ctrl-C")
    t.close()


def check_stop():
    """Ctrl-Z in a shell gives the terminal back, and fg takes it again."""
    t = Terminal("/bin/bash", "--norc", "--noprofile", "--noediting", "-i")
    t.type(f"a=$(stty -g); {vswsh} -p {target} top -d 0.2\n")
    t.until_shown(r"^In [0-9.]+ frames")
    t.type("\x1a")
    t.until("Ctrl-Z does not stop it", lambda: "Stopped" in t.raw)
    t.until("it keeps the screen", lambda: t.screen.modes == {"?25", "?7"})
    t.type("[ \"$a\" = \"$(stty -g)\" ] && echo terminal as be\"\"fore\n")
    t.until("the terminal is not as it was", lambda: "terminal as before" in t.raw)
    t.type("fg\n")
    t.until_shown(r"^In [0-9.]+ frames")
    t.type("q")
    t.until("it keeps the screen", lambda: t.screen.modes == {"?25", "?7"})
    t.type("[ \"$a\" = \"$(stty -g)\" ] && echo terminal as at fir\"\"st\n")
    t.until("the terminal is not as it was", lambda: "terminal as at first" in t.raw)
    t.type("exit\n")
    t.until_ended()
    t.close()


def check_shell():
    """From the prompt of vswsh, and back to it."""
    t = Terminal(vswsh, "-p", target)
    for end in ("q", "\x03"):
        t.until("no prompt", lambda: t.raw.endswith("> "))
        t.raw = ""
        t.type("top -d 0.2\n")
        t.until_shown(r"^In [0-9.]+ frames")
        t.type(end)
        t.until("it keeps the screen", lambda: t.screen.modes == {"?25", "?7"})
    t.until("no prompt", lambda: t.raw.endswith("> "))
    t.type("top -n 1 -d 0.1\n")
    t.until("no report", lambda: "DROPS" in t.raw)
    t.type("quit\n")
    if t.until_ended() != 0:
        t.fail(f"the shell ended with {t.status}")
    t.check_restored("after the shell ended")
    t.close()


def check_target():
    """The process stops, goes on, and ends."""
    t = top()
    t.until_shown(r"^In [0-9.]+ frames")
    os.kill(int(target), signal.SIGSTOP)
    try:
        t.until_shown(r"^stopped: ")
        t.until_shown(r"^vm1  *Synth\w*  *Conn\w*  *-  *-  *-  *-  *-  *-  *-")
    finally:
        os.kill(int(target), signal.SIGCONT)
    t.until_shown(r"^In [0-9.]+ frames")
    os.kill(int(target), signal.SIGKILL)
    if os.waitstatus_to_exitcode(t.until_ended()) != 1:
        t.fail(f"without its process it ended with {t.status}")
    t.check_restored("after its process ended")
    if f"vswsh: process {target} has ended" not in t.raw:
        t.fail("it does not say that its process has ended")
    t.close()


def check_slow():
    t = top("-d", "3600")
    t.until_shown(r"every 3600 s, ")
    time.sleep(0.1)
    t.type(" ")
    t.until_shown(r"^In [0-9.]+ frames")
    t.type("q")
    if t.until_ended() != 0:
        t.fail(f"it ended with {t.status}")
    t.close()


def check_dumb():
    """Where there are no escape codes there is one report."""
    t = top(term="dumb")
    if t.until_ended() != 0 or "\x1b" in t.raw or "DROPS" not in t.raw:
        t.fail("at a dumb terminal there is no report")
    t.close()


check_tables()
check_window()
check_signals()
check_stop()
check_shell()
check_slow()
check_dumb()
check_target()
