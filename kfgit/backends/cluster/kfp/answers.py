"""What KFP's server answered, told apart from what others say in its place: login pages, proxies, wrong addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from kfgit.backend import MachineFault
from kfgit.backends.cluster.kfp.messages import Message, Odd, text

if TYPE_CHECKING:
    from kfgit.backends.cluster.connection.wire import Answer

T = TypeVar("T")

_NOT_FOUND, _ALREADY_EXISTS = 5, 6
# What MySQL and MariaDB say to one of several writers that wait for each other, and KFP passes on: a deadlock (the
# whole transaction is rolled back), and a lock that was waited for too long.
# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_UNDONE = re.compile(rb"Error (?:1213|1205)\b")
# So much of an answer is shown to people.
_SHOWN = 400
_ADDRESS = (
    "see that `target.kfp.endpoint` is the address of KFP's API, and `target.kfp.auth` how to log in there"
)


class KfpFault(MachineFault):
    """KFP did not do what it was asked. `code` is gRPC's, 0 where there is none; `message` is KFP's short word."""

    def __init__(
        self, doing: str, status: int, code: int, message: str, place: str = "KFP", *, undone: bool = False
    ) -> None:
        super().__init__(f"{place} did not {doing}: {message}")
        self.status, self.code, self.message = status, code, message
        # The database says that it took all of the write back.
        self.undone = undone

    @property
    def missing(self) -> bool:
        """Whether KFP itself says that there is no such object."""
        return self.status == 404 and self.code == _NOT_FOUND

    @property
    def taken(self) -> bool:
        """Whether another object has the name. A 409 alone does not say so: KFP answers it to much else."""
        return self.status == 409 and self.code == _ALREADY_EXISTS


class Page(NamedTuple, Generic[T]):
    """One page of a list; `token` leads to the next one, "" after the last."""

    items: Sequence[T]
    token: str


def understood(doing: str, answer: Answer, read: Callable[[Message], T]) -> T:
    """What `read` makes of a good answer; raises `KfpFault` for all others."""
    message, status = _message(answer), answer.status
    if not 200 <= status < 300:
        code, told = _refusal(answer, message)
        undone = status >= 500 and _UNDONE.search(answer.body) is not None
        raise KfpFault(doing, status, code, told, answer.place, undone=undone)
    if message is None:
        raise KfpFault(
            doing, status, 0, f"the answer is {_sort_of(answer)}, not KFP's; {_ADDRESS}", answer.place
        )
    try:
        return read(message)
    except Odd as odd:
        raise KfpFault(
            doing, status, 0, f"the answer is not KFP's: {odd}; {_ADDRESS}", answer.place
        ) from None


def nothing(message: Message) -> None:
    """Reads the `{}` that KFP answers where there is nothing to say."""
    if message:
        raise Odd(f"it has {', '.join(f'`{key}`' for key in list(message)[:3])} where nothing is to be said")


def page(key: str, read: Callable[[Message], T]) -> Callable[[Message], Page[T]]:
    """Reads one page of the list that is under `key`, which is left out where the list is empty."""

    def read_page(message: Message) -> Page[T]:
        found = message.get(key, [])
        # A newer server may say more, but not something else.
        strange = key not in message and message.keys() - {"total_size", "next_page_token"}
        if strange or not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise Odd(f"it is no list of `{key}`")
        return Page([read(each) for each in found], text(message, "next_page_token"))

    return read_page


def exactly(name: str, kind: str, found: Iterable[T], name_of: Callable[[T], str]) -> T | None:
    """The object of exactly that name. One whose name differs only in case has it, as far as KFP is concerned."""
    others = []
    for each in found:
        if name_of(each) == name:
            return each
        others.append(name_of(each))
    if others:
        raise KfpFault(
            f"tell {kind} `{name}` from `{others[0]}`", 409, _ALREADY_EXISTS,
            "its database takes them for one name; rename one of them",
        )  # fmt: skip
    return None


def _message(answer: Answer) -> Message | None:
    """The JSON object in an answer; None where there is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Mapping) else None


def _refusal(answer: Answer, message: Message | None) -> tuple[int, str]:
    """The code of an answer that is no success, and what to tell of it."""
    status = answer.status
    if message is not None and isinstance(message.get("code"), int) and "message" in message:
        if status == 404 and not message.get("details"):
            # The gateway knows no such path: nothing was looked for.
            return 0, f"it has no such call (HTTP 404); {_ADDRESS}"
        if status in {405, 501}:
            return message["code"], f"this server has no such call (HTTP {status})"
        return message["code"], f"{_shown(_short(message))} (HTTP {status})"
    if message is not None and isinstance(message.get("error_message"), str):
        return _upload_refusal(status, message)
    return 0, f"HTTP {status} with {_sort_of(answer)}, which is not KFP's; {_ADDRESS}"


def _short(message: Message) -> str:
    """KFP's word for users, which is the first of the details; the other is for its operators."""
    details = message.get("details")
    first: Any = details[0] if isinstance(details, list) and details else {}
    told = first.get("message") if isinstance(first, Mapping) else None
    # Of its own faults it says no more than that they are internal, but for operators.
    return str(told if told and told != "Internal Server Error" else message["message"])


def _upload_refusal(status: int, message: Message) -> tuple[int, str]:
    """The upload endpoints are written by hand, and answer 400 also to who may not upload and to what is not there."""
    summary, details = str(message["error_message"]), str(message.get("error_details", ""))
    first = details.strip().partition("\n")[0]
    told = first if summary in first else f"{summary}: {first}" if first else summary
    return _ALREADY_EXISTS if status == 409 else 0, f"{_shown(told)} (HTTP {status})"


def _sort_of(answer: Answer) -> str:
    """What an answer is, without repeating what stands in it."""
    if not answer.body.strip():
        return "nothing"
    start = answer.body.lstrip()[:64].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "JSON of another form" if start.startswith((b"{", b"[")) else "a text"


def _shown(told: str) -> str:
    line = " ".join(told.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
