"""Requests that are nearly right: recorded ones changed by chance, in what they say and in how they come.

A seed says it all but the ids of the server's objects, so a failure is repeated by its number.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from tests.hostile.server import packages, values
from tests.hostile.server.requests import BOUNDARY, Request, Seed, multipart, part, request, steps, with_json

METHODS = (
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "PROPFIND", "QUERY", "X",
)  # fmt: skip
QUERIES = (
    "page_size", "page_token", "sort_by", "filter", "namespace", "experiment_id", "cascade", "propagation_policy",
    "name", "display_name", "description", "pipelineid", "tags", "pageSize", "view", "experimentId",
    "resource_reference_key.id", "x", "", "pageToken",
)  # fmt: skip
QUERY_VALUES: tuple[Any, ...] = (
    "", "0", "-1", "1", "201", "2147483648", "1e3", "name asc desc", "name;drop", "created_at  desc", "NAME",
    "metric:x", "id asc,name desc", "true", "false", "TRUE", "1", "yes", "ORPHAN", "orphan", "FOREGROUND", "NOPE",
    "{}", "[]", "null", '{"predicates": null}', "{", "e30=", "====", "bnVsbA==", "W10=", "MA==", "%", "%zz", "%00",
    "\ud800", "\0", "+", "*", '{"a": "b"}', '{"a": 1}', '{"a": ["b"]}', "x" * 20_000,
)  # fmt: skip
RAW_QUERIES = ("&&&=", "%", "a=%zz&b", "filter", "page_size=1;page_size=2", "\ud800=1", "=" * 3_000, "?" * 9)
OPERATIONS = (
    "EQUALS", "NOT_EQUALS", "GREATER_THAN", "GREATER_THAN_EQUALS", "LESS_THAN", "LESS_THAN_EQUALS", "IN",
    "IS_SUBSTRING", "OPERATION_UNSPECIFIED", "nope", 1, 7, 99, None,
)  # fmt: skip
KEYS = (
    "id", "name", "display_name", "created_at", "finished_at", "scheduled_at", "updated_at", "description",
    "storage_state", "state", "status", "namespace", "experiment_id", "pipeline_id", "recurring_run_id", "run_id",
    "tags.team", "tags.", "tags", "colour", "", "rowid", "name; --", "metric:x", 5, None,
)  # fmt: skip
KINDS = (
    "string_value", "stringValue", "int_value", "long_value", "timestamp_value", "int_values", "string_values",
    "long_values", "bool_value",
)  # fmt: skip
SEGMENTS = (
    "%2F", "%2f..%2f", "..", ".", "", "%00", "%zz", "%", "%C3%28", "%ED%A0%80", ":", ":archive", ":archive:archive",
    ":nope", "%3Aarchive", "names", "versions", "upload", "a" * 10_000, "é", "{run_id}", ";x=1", "*",
    "%0d%0aX-Evil:1", "~", "latest", "' OR 1=1 --", "create", "nodes/x/log", "nodes/x/artifacts/y:read",
    "nodes/..%2f..%2f/log", "nodes/%2e%2e/artifacts/%2e%2e:read",
)  # fmt: skip
HEADERS = (
    ("Host", "evil.example"), ("Host", ""), ("Host", "127.0.0.1"), ("Host", "localhost:1"), ("Host", "[::1"),
    ("Host", "127.0.0.1:x"), ("Host", "127.0.0.1.evil.example"), ("Host", "evil.example@127.0.0.1"),
    ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", ""), ("Origin", "file://"),
    ("Referer", "http://evil.example/"), ("Sec-Fetch-Site", "cross-site"), ("Authorization", "Bearer x"),
    ("Authorization", "Basic \xff"), ("Content-Type", "text/plain"), ("Content-Type", ""),
    ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", "multipart/form-data"),
    ("Content-Type", "multipart/form-data; boundary="), ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", 'multipart/form-data; boundary="'), ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Encoding", "gzip"), ("Content-Encoding", "br"), ("Accept", "text/html"),
    ("Accept-Encoding", "gzip, br"), ("Connection", "close"), ("Connection", "Upgrade"), ("Upgrade", "websocket"),
    ("Upgrade", "h2c"), ("HTTP2-Settings", "AAA"), ("X-Forwarded-For", "' --"),
    ("X-Forwarded-Host", "evil.example"), ("X-HTTP-Method-Override", "DELETE"), ("Cookie", "a=" + "b" * 3_000),
    ("Range", "bytes=0-1"), ("If-Match", "*"), ("Expect", "100-continue"), ("Expect", "x"), ("X-Long", "y" * 9_000),
    ("X-Odd", "\x80\xff"), ("Forwarded", "for=evil"), ("User-Agent", "\x1b[31m%s"),
)  # fmt: skip


def mutated(number: int, seeds: tuple[Seed, ...]) -> Request:
    """The request of that number."""
    chance = random.Random(number)
    seed = chance.choice(seeds)
    if seed.step.upload is not None and chance.random() < 0.8:
        return chance.choice(_UPLOADS)(chance, seed)
    if seed.step.json is not None and chance.random() < 0.75:
        changed = _json(chance, seed)
        return changed if chance.random() < 0.9 else chance.choice(_ANY)(chance, changed)
    changed = request(seed)
    for _ in range(chance.choice((1, 1, 1, 2))):
        changed = chance.choice(_ANY)(chance, changed)
    return changed


def _json(chance: random.Random, seed: Seed) -> Request:
    value, others = seed.step.json, tuple(step.json for step in steps() if step.json is not None)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        value = values.changed(chance, value, (*others, *packages.specs()))
    return with_json(replace(request(seed), body=None), values.text(chance, seed.filled(value)))


def _query(chance: random.Random, base: Request) -> Request:
    pairs = parse_qsl(base.query, keep_blank_values=True)
    match chance.randrange(5):
        case 0:
            pairs.append((chance.choice(QUERIES), str(chance.choice(QUERY_VALUES))))
        case 1 if pairs:
            at = chance.randrange(len(pairs))
            pairs[at] = (pairs[at][0], str(chance.choice((chance.choice(QUERY_VALUES), values.odd(chance)))))
        case 2 if pairs:
            at = chance.randrange(len(pairs))
            pairs[at] = (chance.choice(QUERIES), pairs[at][1])
        case 3 if pairs:
            pairs += [chance.choice(pairs)] * chance.choice((1, 2_000))
        case _:
            return replace(base, query=base.query + chance.choice(RAW_QUERIES))
    return replace(base, query=urlencode(pairs, errors="surrogatepass"))


def _filter(chance: random.Random, base: Request) -> Request:
    kind = chance.choice(KINDS)
    value = (
        {"values": [values.odd(chance)] * chance.choice((1, 3))} if kind.endswith("s") else values.odd(chance)
    )
    predicate = {"operation": chance.choice(OPERATIONS), "key": chance.choice(KEYS), kind: value}
    told: Any = {"predicates": [predicate] * chance.choice((1, 1, 2, 300))}
    if chance.random() < 0.5:
        told = values.changed(chance, told)
    text = values.text(chance, told)[:30_000]
    if chance.random() < 0.2:
        text = quote(text.encode("utf-8", "surrogatepass"))  # KFP unescapes a filter twice
    collection = chance.choice(("experiments", "pipelines", "runs", "recurringruns"))
    query = urlencode({"filter": text}, errors="surrogatepass")
    return replace(base, method="GET", path=f"/apis/v2beta1/{collection}", query=query, headers=(), body=None)


def _token(chance: random.Random, base: Request) -> Request:
    pairs = dict(parse_qsl(base.query))
    try:
        told = json.loads(base64.b64decode(pairs["page_token"] + "==", altchars=b"-_"))
    except (KeyError, ValueError, RecursionError):
        told = {
            "SortByFieldName": "created_at",
            "SortByFieldValue": 1,
            "KeyFieldName": "id",
            "KeyFieldValue": "x",
        }
    text = values.text(chance, values.changed(chance, told)).encode("utf-8", "surrogatepass")
    if chance.random() < 0.3:
        text = packages.damaged(chance, text)
    token = chance.choice((base64.b64encode, base64.urlsafe_b64encode))(text[:20_000]).decode()
    pairs["page_token"] = token[: chance.choice((len(token), len(token) - 1, len(token) // 2))]
    return replace(base, query=urlencode(pairs, errors="surrogatepass"))


def _path(chance: random.Random, base: Request) -> Request:
    pieces = base.path.split("/")
    at = chance.randrange(len(pieces))
    odd = chance.choice((*SEGMENTS, *(quote(name, safe="") for name in values.IDS)))
    match chance.randrange(5):
        case 0:
            pieces[at] = odd
        case 1:
            pieces.insert(at, odd)
        case 2:
            del pieces[at]
        case 3:
            pieces[-1] += odd
        case _:
            return replace(base, path=chance.choice(("", "/", "//", "*", "/" * 500)) + base.path, sound=False)
    # What names no path at all is refused before anybody sees it.
    path = "/".join(pieces)
    return replace(base, path=path, sound=base.sound and path.startswith("/") and not path.startswith("//"))


def _method(chance: random.Random, base: Request) -> Request:
    method = chance.choice(METHODS)
    return replace(base, method=method, sound=base.sound and method in METHODS[:7])


def _headers(chance: random.Random, base: Request) -> Request:
    name, value = chance.choice(HEADERS)
    kept = tuple(pair for pair in base.headers if pair[0] != name or chance.random() < 0.3)
    # An upgrade is another protocol, and what waits for `100 Continue` without a body is nobody's request.
    sound = (
        base.sound and name not in {"Upgrade", "Expect", "X-Odd", "HTTP2-Settings"} and "\xff" not in value
    )
    return replace(base, headers=(*kept, (name, value)), sound=sound)


def _body(chance: random.Random, base: Request) -> Request:
    body = base.body or b""
    match chance.randrange(6):
        case 0:
            body = packages.damaged(chance, body)
        case 1:
            body = chance.randbytes(chance.choice((1, 100, 10_000)))
        case 2:
            body = b""
        case 3:
            body = body.decode("utf-8", "replace").encode(chance.choice(("utf-16", "utf-8-sig", "utf-32")))
        case 4:
            body = gzip.compress(body)
        case _:
            body = body * chance.choice((2, 200))
    in_pieces = any(name == "Transfer-Encoding" for name, _ in base.headers)
    return replace(base, body=body, sound=base.sound and not in_pieces)


def _framing(chance: random.Random, base: Request) -> Request:
    body = base.body or b"{}"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:7], body[7:]) if piece)
    lengths = (
        "0",
        "1",
        str(len(body) + 9),
        "-1",
        "x",
        "1e3",
        "9" * 30,
        f"{len(body)}, {len(body)}",
        "+2",
        "",
    )
    match chance.randrange(5):
        case 0:  # as it should be
            headers = (*base.headers, ("Transfer-Encoding", "chunked"))
            return replace(base, headers=headers, body=chunks + b"0\r\n\r\n")
        case 1:
            headers = (*base.headers, ("Transfer-Encoding", "chunked"))
            return replace(base, headers=headers, body=packages.damaged(chance, chunks), sound=False)
        case 2:
            coding = chance.choice(("chunked", "gzip", "x"))
            both = (("Content-Length", str(len(body))), ("Transfer-Encoding", coding))
            return replace(base, headers=(*base.headers, *both), body=chunks + b"0\r\n\r\n", sound=False)
        case 3:
            twice = (("Content-Length", str(len(body))), ("Content-Length", chance.choice(lengths)))
            return replace(base, headers=(*base.headers, *twice), body=body, sound=False)
        case _:
            headers = (*base.headers, ("Content-Length", chance.choice(lengths)))
            return replace(base, headers=headers, body=body, sound=False)


def _upload(chance: random.Random, seed: Seed) -> Request:
    return multipart(request(seed), [part(*packages.hostile(chance))])


def _parts(chance: random.Random, seed: Seed) -> Request:
    good = part("p.yaml", packages.hostile(chance)[1])
    base = request(seed)
    nested = multipart(base, [good], "inner").body or b""
    return chance.choice(
        (
            multipart(base, []),
            multipart(base, [good, good]),
            multipart(base, [part("p.yaml", b"x", "nope")]),
            multipart(base, [part("p.yaml", b"x", chance.choice(("", "uploadfile\r\nX: 1", "é", "UPLOADFILE")))]),
            multipart(base, [part(f"{n}.yaml", b"", f"field{n}") for n in range(3_000)]),
            multipart(base, [nested]),
            multipart(base, [good.split(b"\r\n\r\n")[0]]),
            multipart(base, [good.replace(b"\r\n", b"\n")]),
            multipart(base, [b"\r\n\r\n" + good]),
            multipart(base, [b'Content-Disposition: form-data; name="uploadfile"\r\n\r\n' + good]),
            multipart(base, [b"X-Long: " + b"y" * 100_000 + b"\r\n" + good]),
            multipart(base, [b"X: y\r\n" * 5_000 + good]),
            multipart(base, [good], "é"),
            multipart(base, [good], "x" * 5_000),
            replace(multipart(base, [good]), headers=(("Content-Type", "multipart/form-data; boundary=other"),)),
            replace(multipart(base, [good]), headers=(("Content-Type", f"multipart/mixed; boundary={BOUNDARY}"),)),
            replace(multipart(base, [good]), headers=()),
            replace(multipart(base, [good]), body=(multipart(base, [good]).body or b"")[: chance.randint(0, 300)]),
            replace(multipart(base, [good]), body=packages.damaged(chance, multipart(base, [good]).body or b"")),
        )
    )  # fmt: skip


def _upload_asked(chance: random.Random, seed: Seed) -> Request:
    return chance.choice(_ANY)(chance, request(seed))


_Change = Callable[[random.Random, Request], Request]
_ANY: tuple[_Change, ...] = (
    _query, _query, _filter, _filter, _token, _path, _path, _method, _headers, _body, _framing,
)  # fmt: skip
_UPLOADS: tuple[Callable[[random.Random, Seed], Request], ...] = (
    _upload, _upload, _upload, _parts, _upload_asked,
)  # fmt: skip
