"""A pseudo-terminal: a command as a person sees it, and what a person types."""

import os
import pty
import select
import subprocess
import time


class Terminal:
    """A command in a pseudo-terminal: what it shows is read, what a person types is written."""

    def __init__(self, cli, *arguments, columns=80, term="xterm"):
        self.main, side = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            cli.command(*arguments),
            cwd=cli.folder,
            env={**cli.environment, "COLUMNS": str(columns), "TERM": term},
            preexec_fn=lambda: os.login_tty(side),  # noqa: PLW1509  # its own terminal: Ctrl-C reaches it
        )
        os.close(side)

    def expect(self, text, timeout_s=60):
        give_up = time.monotonic() + timeout_s
        while text not in self.shown:
            assert time.monotonic() < give_up, self.shown
            if not self.read(1):
                break
        assert text in self.shown, self.shown

    def read(self, wait_s):
        """Take what is shown within `wait_s`; False once the other side is closed."""
        try:
            while select.select([self.main], [], [], wait_s)[0]:
                self.shown += os.read(self.main, 65536).decode(errors="replace")
                wait_s = 0.2
        except OSError:
            return False
        return True

    def type(self, text):
        os.write(self.main, text.encode())

    def answer(self, text, then):
        """Type until it was taken: what is typed before a password prompt is ready is thrown away."""
        for _ in range(60):
            self.type(text)
            self.read(1)
            if then in self.shown:
                return
        self.expect(then, 0)

    def end(self):
        code = self.process.wait(timeout=60)
        self.read(0.2)
        os.close(self.main)
        return code
