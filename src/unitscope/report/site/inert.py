"""Hostile text made inert: words of a corpus in HTML, in data for scripts, and in names of files.

A corpus may hold markup, control characters, marks that turn the reading direction around, or `</script>`. Text enters
pages through Jinja's autoescape or `inert`; data enters scripts through `script_json`; file names come from `slug`.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from typing import Any

from unitscope.report.plain import finite

_PLAIN_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9_-])?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_LONGEST = 60


def inert(text: object) -> str:
    """Text without control characters and surrogates; direction marks stay, and are for the page to isolate.

    >>> inert("a\\x00b\\tc")
    'a\ufffdb c'
    """
    value = str(text)
    return value if value.isprintable() else "".join(map(_harmless, value))


def _harmless(character: str) -> str:
    if character in "\t\n\r":
        return " "
    category = unicodedata.category(character)
    return "\ufffd" if category in ("Cc", "Cs") else " " if category in ("Zl", "Zp") else character


def script_json(value: Any) -> str:
    """JSON in ASCII that can stand in a script element: no `<`, `>` or `&`; NaN becomes null.

    >>> script_json("</script>")
    '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def slug(name: str) -> str:
    """A file name for any name: equal names give equal ones, different ones different ones, on every file system.

    Names of lower-case letters, digits, dots and dashes stay; of others what is harmless, with a digest behind.

    >>> slug("encoder.layer.1.intermediate"), slug("upos:NOUN")
    ('encoder.layer.1.intermediate', 'upos-noun-f7fed7dd')
    """
    if _PLAIN_NAME.fullmatch(name) and not _RESERVED.fullmatch(name) and not re.search(r"-[0-9a-f]{8}$", name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:_LONGEST].rstrip("-._")
    return f"{kept or 'x'}-{digest}"
