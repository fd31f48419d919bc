"""What must not be written: secret values in a stream of output."""

from __future__ import annotations

import re


class Masker:
    """Replaces secret values in a stream by `***`, also where a value arrives in pieces.

    Values below four characters are left: masking `1` would hide nothing and spoil everything. A value of several
    lines is masked line by line too, since logs are often prefixed.
    """

    MASK = b"***"

    def __init__(self, secrets: tuple[str, ...]) -> None:
        texts = {
            line
            for secret in secrets
            for line in (secret, secret.strip(), *secret.splitlines())
            if len(line) >= 4
        }
        values = sorted((text.encode("utf-8", "surrogateescape") for text in texts), key=len, reverse=True)
        self._values = tuple(values)
        self._pattern = re.compile(b"|".join(re.escape(value) for value in values))
        self._held = b""

    @property
    def needed(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._values)

    def feed(self, data: bytes) -> bytes:
        """What can be written now: all but an end that may be the beginning of a secret."""
        data = self._held + data
        out, position = [], 0
        keep = self._possible_start(data, 0)
        for match in self._pattern.finditer(data) if self._values else ():
            if match.start() >= keep:
                break
            out += [data[position : match.start()], self.MASK]
            position = match.end()
            keep = max(keep, self._possible_start(data, position)) if position > keep else keep
        self._held = data[keep:]
        return b"".join([*out, data[position:keep]])

    def close(self) -> bytes:
        """The rest, when the stream has ended."""
        rest, self._held = self._held, b""
        return self._pattern.sub(self.MASK, rest) if self._values else rest

    def text(self, text: str) -> str:
        """A whole text, masked."""
        return (
            self._pattern.sub(self.MASK, text.encode("utf-8", "surrogateescape")).decode()
            if self._values
            else text
        )

    def _possible_start(self, data: bytes, position: int) -> int:
        """Where the longest end begins, from `position` on, that some secret begins with and continues after."""
        longest = max((len(value) for value in self._values), default=1) - 1
        for start in range(max(position, len(data) - longest), len(data)):
            if any(
                len(value) > len(data) - start and value.startswith(data[start:]) for value in self._values
            ):
                return start
        return len(data)
