"""Which environment variables hold a secret, told by their names and by the form of their values.

A name counts by its last word (`DB_PASSWORD`, `HF_TOKEN`, `OPENAI_API_KEY`), unless its value plainly is none: a
switch, a number, a path, an address, or a token of a vocabulary (`PAD_TOKEN: "<pad>"`). Forms are those that services
give their keys so that scanners find them.
"""

from __future__ import annotations

import re

_WORDS = frozenset("password passwd passphrase secret token credentials apikey".split())
_PAIRS = frozenset({"api_key", "access_key", "secret_key", "private_key", "account_key", "signing_key"})
_VOCABULARY = frozenset("pad eos bos unk sep cls mask stop start end special".split())
_HARMLESS = re.compile(
    r"(true|false|yes|no|on|off|none|[-+0-9.]+|[./~][^ ]*|<[^>]*>|\[[^]]*\]|[a-z][a-z0-9+]*://[^@ ]*)\Z",
    re.IGNORECASE,
)
# Searched for in texts of any size, so none begins with a repetition: each would be tried from every letter on.
_FORMS = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}|glpat-[A-Za-z0-9_-]{20}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10}|hf_[A-Za-z0-9]{30}|AIza[0-9A-Za-z_-]{35}|sk-[A-Za-z0-9_-]{20}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z0-9+]://[^/:@ ]*:[^/@ ]+@"
)


def is_secret(name: str, value: str) -> bool:
    """Whether a literal value of an environment variable is one that belongs into a Secret."""
    if _FORMS.search(value):
        return True
    return names_a_secret(name) and bool(value.strip()) and _HARMLESS.match(value.strip()) is None


def names_a_secret(name: str) -> bool:
    """Whether what is called so should be a secret, whatever it says."""
    words = re.split(r"[_.-]+", name.lower())
    if words[-1] == "token" and words[-2:-1] and words[-2] in _VOCABULARY:
        return False
    return words[-1] in _WORDS or "_".join(words[-2:]) in _PAIRS
