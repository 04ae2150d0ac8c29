"""The program on a terminal of its own, as a person uses it."""
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import program


class Terminal:
    """A running kvsplit whose standard input, output and error are a new terminal."""

    def __init__(self, *arguments, columns=80, lines=24, stdout=None, stderr=None, **environment):
        self.seen, self.status = b"", None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm", **environment})
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            for fd, path in [(1, stdout), (2, stderr)]:
                if path is not None:
                    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), fd)
            os.execv(program.BINARY, [program.BINARY, *map(str, arguments)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, 9)
            self.wait()
        os.close(self.fd)

    def read(self, seconds):
        """Takes what comes; False at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:  # the program has ended
            return False
        self.seen += data
        return data != b""

    def expect(self, pattern, timeout=60):
        """Waits for what an expression finds after what was expected before, and returns all up to its end."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.seen)):
            if time.monotonic() > end or not self.read(0.2):
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
        head, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return head

    def send(self, data):
        """Types, and takes what the terminal shows meanwhile."""
        while data:
            data = data[os.write(self.fd, data[:512]):]
            self.read(0.01)

    def resize(self, lines, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def mode(self):
        return termios.tcgetattr(self.fd)

    def wait(self):
        """The exit code, or minus the signal that ended it; `seen` has all that came."""
        while self.read(60):
            pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status
