"""Stand-ins for the characters that a terminal's or file's encoding does not have."""

import codecs
from io import TextIOWrapper
from typing import TextIO

_STAND_INS = str.maketrans({"✔": "+", "✘": "x", "█": "#", "│": "|", "├": "|", "└": "`", "•": "*"})


def allow_any_encoding(stream: TextIO) -> None:
    """Let a stream write what it can, and something plain instead of what it cannot."""
    if isinstance(stream, TextIOWrapper):
        codecs.register_error("stand-in", _stand_in)
        stream.reconfigure(errors="stand-in")


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end].translate(_STAND_INS)
    return "".join(one if one.isascii() else "-" for one in characters), error.end
