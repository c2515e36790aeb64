"""The standard output and error of a child process, cut exactly where an invocation ends."""

import os
import secrets
import threading
from queue import SimpleQueue


class LogPipe:
    """A pipe for a child's output; `sink` is the file descriptor to give to the child.

    What the child wrote before it reported a result is in the pipe by then. `drain()` therefore writes a mark behind it and
    returns all that comes before the mark: complete, in order, and without guessing how long to wait.
    """

    def __init__(self) -> None:
        self._source, self.sink = os.pipe()
        self._mark = secrets.token_bytes(16)
        self._sections: SimpleQueue[bytes] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def drain(self) -> tuple[str, ...]:
        """Return the log events written since the last call."""
        os.write(self.sink, self._mark)
        text = self._sections.get().decode(errors="replace")
        # The runtime client joins the lines of one event by carriage returns.
        return tuple(line.rstrip("\r").replace("\r", "\n") for line in text.split("\n") if line)

    def close(self) -> None:
        """Close both ends; the child must have ended."""
        os.close(self.sink)
        self._reader.join()
        os.close(self._source)

    def _read(self) -> None:
        section = bytearray()
        while chunk := os.read(self._source, 65536):
            section += chunk
            # Only one mark is ever under way, and nothing of importance follows it.
            position = section.find(self._mark, max(0, len(section) - len(chunk) - len(self._mark)))
            if position >= 0:
                self._sections.put(bytes(section[:position]))
                del section[: position + len(self._mark)]
