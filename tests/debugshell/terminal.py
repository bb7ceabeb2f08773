# The shell as somebody at a terminal has it: terminal.py VSWSH healthy|damaged|1000000 PID ADDRESS.
# The process is such a fake vswd, the address that of its switch ext. Says what is wrong, and ends
# with 1 then.

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

PATIENCE_S = 30
PROMPT = "1: vsw> "

CTRL_C, CTRL_D, TAB, UP, ENTER = "\x03", "\x04", "\t", "\x1b[A", "\r"

vswsh, state, target, address = sys.argv[1:]


def fail(text):
    print(f"FAILED: {text}", file=sys.stderr)
    sys.exit(1)


class Terminal:
    """A vswsh at a terminal of its own."""

    def __init__(self, *words):
        self.raw = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="vt100", LC_ALL="C.UTF-8", HOME="/nonexistent")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
            os.execv(vswsh, [vswsh, "-p", target, *words])

    def read(self, wait_s):
        """False: the other side is gone."""
        try:
            if select.select([self.fd], [], [], wait_s)[0]:
                self.raw += os.read(self.fd, 65536)
        except OSError:
            return False
        return True

    def shown(self):
        """All since the last wait(), without what moves the cursor."""
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\0\a]", "", self.raw.decode(errors="replace"))
        return text

    def wait(self, pattern):
        """Waits until the end of what is shown is 'pattern', and gives all since the last one."""
        end = time.monotonic() + PATIENCE_S
        while re.search(f"(?:{pattern})$", self.shown()) is None:
            if not self.read(0.2) or time.monotonic() > end:
                fail(f"no '{pattern}' at the end of {self.shown()!r}")
        shown, self.raw = self.shown(), b""
        return shown

    def type(self, text):
        os.write(self.fd, text.encode())

    def drop(self):
        """Drops the line by Ctrl-C."""
        self.type(CTRL_C)
        self.wait(r"\^C\n" + PROMPT)

    def run(self, line, pattern):
        """Types a line, and looks for 'pattern' in what it shows."""
        self.type(line + ENTER)
        shown = self.wait(r"\n" + PROMPT)
        if re.search(pattern, shown, re.M) is None:
            fail(f"{line!r} shows {shown!r}, in which is no '{pattern}'")
        return shown

    def completes(self, typed, pattern):
        """Types a piece of a line and Tab, waits for 'pattern', and drops it."""
        self.type(typed)
        self.wait(re.escape(typed))
        self.type(TAB)
        shown = self.wait(pattern)
        self.drop()
        return shown

    def leaves(self, typed):
        """Types a piece of a line that Tab adds nothing to but a sound."""
        self.type(typed)
        self.wait(re.escape(typed))
        self.type(TAB + CTRL_C)
        shown = self.wait(r"\^C\n" + PROMPT)
        if shown != "^C\n" + PROMPT:
            fail(f"Tab behind {typed!r} shows {shown!r}")

    def end(self, result):
        end = time.monotonic() + PATIENCE_S
        while self.read(0.2):
            if time.monotonic() > end:
                fail(f"it does not end: {self.shown()!r}")
        os.close(self.fd)
        got = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if got != result:
            fail(f"it ended with {got}, not {result}: {self.shown()!r}")


def commands(t):
    t.type("vsw" + TAB)
    t.wait("itch ")
    t.run("ext", r"^VSWITCH " + address)
    t.completes("", r"\ndrops +.*\n(.*\n)*" + PROMPT)
    t.completes("vm", "q ")
    t.completes("!nvkd.vsw", "itch ")
    t.completes("!nd", "iskd.m")
    t.completes("help vsw", "itch ")
    t.completes("vnbl -", "x ")
    t.leaves("frob")
    t.leaves("vmq ")
    t.leaves("vport vm3 ")
    t.leaves("vport vm3 | gr")


def names(t):
    t.completes("vport vm", r"\nvm3 +vm4 +vm5\n" + PROMPT + "vport vm")
    # Of these only one has a NIC.
    t.type("vnic v" + TAB)
    t.wait("m3 ")
    t.run("", r"^VNIC ")
    t.completes("vport ext:", r"\next:default +ext:external +ext:internal\n" + PROMPT + "vport ext:")
    t.completes("drops ", r"\next +ext:external +int .*\next:default .*\n" + PROMPT + "drops ")
    t.completes("vswitch ", r"\next +int +priv\n" + PROMPT + "vswitch ")
    t.type('vswitch "Ext' + TAB)
    t.wait('ernal Demo" ')
    t.run("", r"^VSWITCH " + address)
    t.type("vswitch Ext" + TAB)
    t.wait('"External Demo" ')
    t.run("", r"^VSWITCH " + address)
    t.completes("proc ", "0 ")
    t.completes("proc p", "roc0 ")
    t.leaves("vport Vm")


def addresses(t):
    # Those of other objects begin alike.
    for typed in (address[:-1], "0x" + address[4:-1], f"{address[:8]}`{address[8:-1]}"):
        t.type(f"vswitch {typed}")
        t.wait(re.escape(typed))
        t.type(TAB)
        t.wait(re.escape(address[-1]) + " ")
        t.run("", r"^VSWITCH " + address)
    t.type(address[:-1])
    t.wait(address[:-1])
    t.type(TAB)
    t.wait(re.escape(address[-1]) + " ")
    t.run("", r"^VSWITCH " + address)
    t.completes("vswitch 0x", r"(\n|.*)*" + PROMPT + "vswitch 0x0000[0-9a-f]*|0000[0-9a-f]*")


def types(t):
    t.completes("dt vport_st", "at")
    t.completes("dt vport_stat", r"\nvport_state +vport_stats\n" + PROMPT + "dt vport_stat")
    t.completes("dt vport.ob", "j ")
    t.completes("dt vport.obj.friend", "ly_name ")
    t.completes("dt -r 2 vport v", "m")
    t.completes("dt vswitch i", "nt ")
    t.type("dt vnic.obj.name v" + TAB)
    t.wait("m3 ")
    t.run("", r'\[80\] "vm3"')
    t.leaves("dt nothing.")
    t.leaves("dt vport.obj.name.")


def files(t):
    os.mkdir("some files")
    open("some files/one.core", "w").close()
    open("alone.core", "w").close()
    t.type("dump so" + TAB)
    t.wait('"some files/')
    t.type(TAB)
    t.wait('one.core" ')
    t.drop()
    t.completes("dump alo", "ne.core ")
    t.completes(f"dump {os.getcwd()}/alo", "ne.core ")
    t.leaves("dump ./nothing/")
    # Columns are of characters, not of bytes.
    for name in ("ü.core", "üüü.core"):
        open(name, "w").close()
    t.completes("dump ü", r"\nü\.core {4}üüü\.core\n" + PROMPT + "dump ü")
    t.completes("lm fake_v", "swd ")


def keys(t):
    t.run("vport frob", "^vswsh: there is no vport 'frob'")
    t.type(UP)
    t.wait("vport frob")
    t.run("", "^vswsh: there is no vport 'frob'")
    # What is dropped is not run.
    t.type("vport")
    t.wait("vport")
    t.drop()
    t.run("vport vm3 | grep -c Name", r"^2$")
    # However fast: between two lines, too.
    for i in range(2000):
        t.type(CTRL_C)
        time.sleep(0.0001 * (i % 4))
        if not t.read(0):
            fail("it ended by Ctrl-C")
        t.raw = b""
    t.type("vport | { cat >/dev/null; echo here; }" + ENTER)
    t.wait("\nhere\n" + PROMPT)
    # The program ends by Ctrl-C, and the shell goes on.
    t.type("vport vm3 | exec perl -e '$| = 1; print \"here\\n\"; sleep 1000'" + ENTER)
    t.wait("here\n")
    t.type(CTRL_C)
    t.wait(r"\^C\n" + PROMPT)
    # A program that has the terminal.
    t.type("vport vm3 | { cat >/dev/null; echo type; read line </dev/tty; echo got $line; }" + ENTER)
    t.wait("type\n")
    t.type("this" + ENTER)
    t.wait("got this\n" + PROMPT)


def healthy():
    t = Terminal()
    t.wait(rf"^vswd [^\n]*, process {target}\. [^\n]*\n{PROMPT}")
    for part in (commands, names, addresses, types, files, keys):
        part(t)
    t.run("vport vm3 | false", "")
    t.type(CTRL_D)
    t.end(1)
    t = Terminal()
    t.wait(PROMPT)
    t.run("vport", r"^VPORT .*vm3$")
    t.type("quit" + ENTER)
    t.end(0)
    # JSON, and nothing else.
    t = Terminal("-j")
    t.wait(rf"^{PROMPT}")
    t.run("vport vm3", r'^\{.*"vm3".*\}$')
    t.type(CTRL_D)
    t.end(0)


def damaged():
    t = Terminal()
    t.wait(PROMPT)
    # One Tab says nothing of what is wrong. A name that only damaged objects have is none.
    shown = t.completes("drops ", r"\n(.*\n)*" + PROMPT + "drops ")
    if "vswsh:" in shown or "***" in shown:
        fail(f"Tab shows {shown!r}")
    t.leaves("vport vm3")
    t.completes("fdb e", "xt")
    t.type(CTRL_D)
    t.end(0)


def interrupts(t, error):
    # One that prints a million lines, in the middle of them.
    t.type("fdb ext" + ENTER)
    t.wait(r"earned(.|\n)*")
    t.type(CTRL_C)
    shown = t.wait(error + PROMPT)
    if shown.count("\n") > 100000:
        fail(f"it was not interrupted, but printed {shown.count(chr(10))} lines")
    # One that waits, and what was not told before.
    t.type("top -n 2 -d 1000" + ENTER)
    t.wait(r"-d 1000\n(.|\n)*")
    time.sleep(0.3)
    t.type(CTRL_C)
    t.wait(error + PROMPT)
    # However fast, there is always a prompt behind it.
    for i in range(300):
        t.type("where" + ENTER)
        time.sleep(0.0004 * (i % 10))
        t.type(CTRL_C)
        if not t.read(0):
            fail("it ended by Ctrl-C in a command")
    # What was typed before Ctrl-C may be lost, so how many prompts there are is not known.
    end = time.monotonic() + 1
    while time.monotonic() < end:
        t.read(0.1)
    t.raw = b""
    t.drop()


def interrupts_dump(t, told):
    """A dump is written to its end, and told, whatever was typed meanwhile."""
    end = time.monotonic() + PATIENCE_S
    t.type("dump whole.gz" + ENTER)
    while not any(name.startswith(".vswsh-dump-") for name in os.listdir(".")):
        if not t.read(0.001) or time.monotonic() > end:
            fail(f"no dump is being written: {t.shown()!r}")
        if "carries type data" in t.shown():
            t.wait(PROMPT)
            return
    t.type(CTRL_C)
    shown = t.wait(r"\nvswsh: interrupted\n" + PROMPT)
    if told not in shown or not os.path.exists("whole.gz"):
        fail(f"a dump that was interrupted shows {shown!r}")
    os.unlink("whole.gz")


def big():
    t = Terminal()
    t.wait(PROMPT)
    interrupts(t, r"\n\nvswsh: interrupted\n|\nvswsh: interrupted\n")
    interrupts_dump(t, "vswsh -z whole.gz\n")
    t.run("vport vm3", "vm3$")
    t.type(CTRL_D)
    t.end(0)
    t = Terminal("-j")
    t.wait(PROMPT)
    interrupts(t, r'"error": ?"interrupted"\}\nvswsh: interrupted\n')
    interrupts_dump(t, '"vswsh -z whole.gz"')
    t.run("vport vm3", r'^\{.*"vm3".*\}$')
    t.type(CTRL_D)
    t.end(0)


{"healthy": healthy, "damaged": damaged, "1000000": big}[state]()
