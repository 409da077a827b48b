"""Forged requests for every route of the page, drawn from a seed; see `bad_visitors`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bad_files import bad_images, bad_recipes
from bad_values import (
    API,
    BODIES,
    CLOSED,
    CLOSED_POSTS,
    FILE_NAMES,
    HEADERS,
    NUMBERS,
    OPEN,
    PATHS,
    RAW,
    STRANGE,
    STRINGS,
)


@dataclass(frozen=True)
class Attack:
    """One request; `stream` tells whether its result is fetched by event ("call") or session ("queue")."""

    route: str  # its name in the counts
    method: str
    path: str
    content: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stream: str = ""  # "", "queue" or "call"
    session: str = ""


class Attacks:
    """Draws an endless series of requests.

    Parameters
    ----------
    config : dict
        The page's /config; all of its events, and all functions of its components, are called.
    classes : list of str
    canary : str
        An address that the server must not fetch.
    secret : str
        A file whose content the server must not send.
    """

    def __init__(self, seed: Any, config: dict, classes: list[str], canary: str, secret: str) -> None:
        self.random = random.Random(str(seed))
        self.name = self.random.getrandbits(32)  # so that no other visitor reads these sessions' messages
        self.events = [(d["id"], d["targets"], d["inputs"], d["api_name"]) for d in config["dependencies"]]
        self.values = {c["id"]: c["props"].get("value") for c in config["components"]}
        self.functions = [
            (c["id"], f) for c in config["components"] for f in c["props"].get("server_fns") or ()
        ]
        self.classes, self.canary, self.secret = classes, canary, secret
        self.images = bad_images()
        self.kinds: list[tuple[int, Callable[[], Attack]]] = [
            (24, self.event),
            (12, self.direct),
            (14, self.call),
            (8, self.named_call),
            (14, self.component),
            (8, self.upload),
            (6, self.file),
            (8, self.tool),
            (4, self.address),
            (3, self.closed),
            (6, self.body),
            (4, self.small),
            (1, self.raw),
        ]

    def __iter__(self) -> Iterator[Attack]:
        weights, makers = zip(*self.kinds, strict=True)
        while True:
            attack = self.random.choices(makers, weights)[0]()
            if self.random.random() < 0.12:
                name, value = self.random.choice(HEADERS)
                attack.headers[name] = value
            yield attack

    # ---- values ----

    def junk(self, depth: int = 0) -> Any:
        r = self.random
        kind = r.randrange(14 if depth < 3 else 7)
        if kind < 3:
            return r.choice(STRINGS)
        if kind < 5:
            return r.choice(NUMBERS)
        if kind == 5:
            return r.choice(STRANGE)
        if kind == 6:
            return r.choice((None, True, False))
        if kind < 9:
            return [self.junk(depth + 1) for _ in range(r.randrange(4))]
        if kind < 11:
            return {r.choice((*STRINGS, "name", "path")): self.junk(depth + 1) for _ in range(r.randrange(4))}
        if kind == 11:
            return self.foreign()
        if kind == 12:
            return r.choice((nested(30), nested(2_000), ["x"] * 3_000, "y" * 100_000))
        return r.choice(self.images)

    def foreign(self) -> dict:
        """A description of a file that is no upload of the visitor."""
        r = self.random
        path = r.choice(
            (self.secret, "/etc/passwd", self.canary, f"file://{self.secret}", "../" * 9 + "etc/passwd")
        )
        file = {r.choice(("path", "url")): path, "orig_name": r.choice(STRINGS)}
        if r.random() < 0.7:
            file["meta"] = {"_type": "gradio.FileData"}
        if r.random() < 0.3:
            file |= {"path": path, "url": self.canary, "is_stream": True}
        return file

    def spoiled(self, good: Any) -> Any:
        """A valid value with one part changed; sometimes unchanged."""
        r = self.random
        if r.random() < 0.25:
            return self.junk()
        if isinstance(good, dict) and good:
            key = r.choice(list(good))
            if r.random() < 0.2:
                return {k: v for k, v in good.items() if k != key}
            return {**good, key: self.spoiled(good[key])}
        if isinstance(good, list) and good:
            k = r.randrange(len(good))
            if r.random() < 0.2:
                return [*good, self.junk()]
            return [*good[:k], self.spoiled(good[k]), *good[k + 1 :]]
        return self.junk()

    def target(self) -> list[dict]:
        entry = {"name": self.random.choice(self.classes), "weight": 50}
        return [entry, {"name": self.classes[0], "weight": 1, "move": [0.1, 0.2]}]

    def link(self) -> str:
        r = self.random
        mix = r.choice(
            ("{0}:1.0", "{0}:nan,{1}:1", "{0}:-1", "{0}", "%00:1", ":::,,,", "{0}:1e999", "{0}:1:inf:0")
        )
        mix = mix.format(self.classes[0], self.classes[-1])
        rest = "".join(
            f"&{name}={r.choice((*STRINGS[2:], 4, -1, 64, '1' * 5000, 'nan')) if r.random() < 0.7 else 1}"
            for name in ("images", "size", "seed", "steps", "strength", "sampler", "watch", "mode", "places")
            if r.random() < 0.4
        )
        return f"?mix={mix}{rest}"

    def event_data(self) -> Any:
        """The data of an event of a panel."""
        r = self.random
        good = {
            "image": r.choice(self.images),
            "name": r.choice((*STRINGS, self.classes[0])),
            "adding": True,
            "query": self.link(),
            "text": r.choice((*bad_recipes(), r.choice(STRINGS))),
            "weights": {self.classes[0]: 1},
            "client_seq": 1,
            "kind": r.choice(("gif", "sheet", "exe")),
            "view": "noise",
        }
        return good if r.random() < 0.5 else self.spoiled(good)

    def session(self) -> str:
        r = self.random
        if r.random() < 0.06:
            return r.choice(("../x", "x" * 5_000, "", "a b", "\0"))
        return f"bad-{self.name}-{r.randrange(20)}"

    # ---- requests ----

    def event(self) -> Attack:
        number, targets, inputs, _ = self.random.choice(self.events)
        good = [self.target() if k == 6 else self.values.get(k) for k in inputs]
        session = self.session()
        body = {
            "data": self.spoiled(good) if good and self.random.random() < 0.8 else good,
            "event_data": self.event_data(),
            "fn_index": number,
            "trigger_id": targets[0][0] if targets else None,
            "session_hash": session,
        }
        if self.random.random() < 0.15:
            body = self.spoiled(body)
        same = isinstance(body, dict) and body.get("session_hash") == session
        return Attack(
            "queue/join",
            "POST",
            f"{API}/queue/join",
            encoded(body),
            json_headers(),
            "queue" if same else "",
            session,
        )

    def direct(self) -> Attack:
        number, _, inputs, name = self.random.choice(self.events)
        good = [self.target() if k == 6 else self.values.get(k) for k in inputs]
        body = {
            "data": self.spoiled(good) if good else [],
            "event_data": self.event_data(),
            "session_hash": self.session(),
        }
        if self.random.random() < 0.3:
            body["fn_index"] = self.random.choice((number, 9_999, -1, None, "x"))
        if self.random.random() < 0.1:
            name = self.random.choice(("nothing", "%2e%2e", "%00", "a" * 300))
        return Attack("run", "POST", f"{API}/run/{name}", encoded(body), json_headers())

    def arguments(self) -> tuple[str, dict]:
        r = self.random
        name = r.choice(("sample", "interpolate", "embed", "classes"))
        more = {"steps": 2, "size": 16, "seed": 1, "strength": 1.0, "sampler": "heun", "tileable": False}
        good: dict[str, dict] = {
            "sample": {"target": r.choice((self.classes[0], {self.classes[0]: 0.5})), "n": 1, **more},
            "interpolate": {"a": self.classes[0], "b": self.classes[-1], "points": 5, **more},
            "embed": {"image": r.choice((*self.images, self.foreign()))},
            "classes": {},
        }
        return name, self.spoiled(good[name]) if good[name] else {}

    def call(self) -> Attack:
        name, values = self.arguments()
        body: Any = {"data": list(values.values()) if isinstance(values, dict) else values}
        if self.random.random() < 0.1:
            body = self.junk()
        if self.random.random() < 0.08:
            name = self.random.choice(("run", "leave", "nothing", "save_1", "%20"))
        return Attack("call", "POST", f"{API}/call/{name}", encoded(body), json_headers(), "call")

    def named_call(self) -> Attack:
        name, values = self.arguments()
        return Attack("call/v2", "POST", f"{API}/call/v2/{name}", encoded(values), json_headers(), "call")

    def component(self) -> Attack:
        r = self.random
        number, function = r.choice(self.functions)
        settings = [1, 64, 0, 4, 1.0, "dpm2m", "noise", False]
        query: Any = {
            "target": self.target(),
            "settings": settings,
            "interpolation": {"mode": r.choice(("coarse-fine", "strip", "x")), "switch": 0.5},
            "projection": "pca",
            "level": 0,
            "index": 0,
            "crop": 0,
            "visitor": f"bad-{self.name}-1",
        }
        if function == "lines":
            query = self.link()
        body: Any = {
            "data": self.spoiled(query),
            "component_id": number,
            "fn_name": function,
            "session_hash": self.session(),
        }
        if r.random() < 0.2:
            odd = (self.junk(), "__init__", "postprocess", "preprocess", "get_config", "unload", "upload")
            body[r.choice(("fn_name", "component_id", "session_hash"))] = r.choice(odd)
        return Attack("component_server", "POST", f"{API}/component_server", encoded(body), json_headers())

    def upload(self) -> Attack:
        r = self.random
        name = r.choice(FILE_NAMES)
        content = r.choice((b"", b"\0" * 100, b"<svg/>", r.randbytes(3_000), b"x" * 1_200_000))
        where = f'name="{r.choice(("files", "x", ""))}"; filename="{name}"'
        part = f"--b\r\nContent-Disposition: form-data; {where}\r\n\r\n"
        body = part.encode() + content + r.choice((b"\r\n--b--\r\n", b"\r\n--b", b"", b"\r\n--c--"))
        if r.random() < 0.2:
            body = b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nno file\r\n--b--\r\n'
        if r.random() < 0.1:
            body = part.encode() * 60 + body
        if r.random() < 0.1:
            body = r.randbytes(200)
        path = f"{API}/upload" + r.choice(("", "?upload_id=a", "?upload_id=" + "x" * 3_000))
        return Attack("upload", "POST", path, body, {"content-type": "multipart/form-data; boundary=b"})

    def file(self) -> Attack:
        r = self.random
        path = r.choice((self.secret, self.canary, *PATHS))
        return Attack("file", r.choice(("GET", "GET", "HEAD")), f"{API}/file={path}")

    def tool(self) -> Attack:
        r = self.random
        name, values = self.arguments()
        body: Any = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": r.choice(("tools/call", "tools/list", "initialize", "resources/read", "x")),
            "params": {"name": name, "arguments": values, "uri": "file:///etc/passwd"},
        }
        body = body if r.random() < 0.5 else self.spoiled(body)
        headers = json_headers() | {"accept": r.choice(("application/json, text/event-stream", "text/html"))}
        path = r.choice(
            ("/mcp/", "/mcp/", "/mcp/", "/mcp", "/mcp/messages/?session_id=x", "/mcp/schema", "/mcp/none")
        )
        return Attack("mcp", "POST", API + path, encoded(body), headers)

    def address(self) -> Attack:
        """A link in the address of the page, for the event that opens it."""
        session = self.session()
        number = next(n for n, targets, _, _ in self.events if [0, "load"] in targets)
        body = {
            "data": [],
            "fn_index": number,
            "session_hash": session,
            "trigger_id": None,
            "event_data": None,
        }
        path = f"{API}/queue/join{quoted(self.link())}"
        return Attack("link", "POST", path, encoded(body), json_headers(), "queue", session)

    def closed(self) -> Attack:
        if self.random.random() < 0.4:
            path, body = self.random.choice(CLOSED_POSTS), encoded(self.junk())
            return Attack("closed", "POST", path, body, json_headers())
        return Attack("closed", "GET", self.random.choice(CLOSED))

    def body(self) -> Attack:
        """A body that is no JSON, or too large."""
        r = self.random
        path = API + r.choice(
            ("/queue/join", "/run/run", "/call/sample", "/component_server", "/cancel", "/reset")
        )
        content = r.choice((*BODIES, r.randbytes(300)))
        return Attack(
            "body", r.choice(("POST", "POST", "POST", "PUT", "DELETE")), path, content, json_headers()
        )

    def raw(self) -> Attack:
        return Attack("raw", "RAW", "", self.random.choice(RAW))

    def small(self) -> Attack:
        r = self.random
        session = self.session()
        body = {
            "session_hash": session,
            "fn_index": r.choice((1, -1, 10**9)),
            "event_id": r.choice(("x", "y" * 99)),
        }
        return r.choice(
            (
                Attack("cancel", "POST", f"{API}/cancel", encoded(self.spoiled(body)), json_headers()),
                Attack("reset", "POST", f"{API}/reset", encoded(self.spoiled(body)), json_headers()),
                Attack(
                    "queue/data",
                    "GET",
                    f"{API}/queue/data?session_hash={quoted(r.choice((*STRINGS, 'none')))}",
                ),
                Attack("call", "GET", f"{API}/call/sample/{r.choice(('none', '%00', 'x' * 2_000))}"),
                Attack(
                    "page",
                    "GET",
                    r.choice(OPEN) + quoted(r.choice((self.link(), "?deep_link=../x", "?page=x"))),
                ),
                Attack("page", r.choice(("OPTIONS", "TRACE", "PATCH", "LOCK")), r.choice(OPEN)),
                Attack(
                    "page",
                    "GET",
                    "/" + r.choice(("a" * 9_000, "assets/../../x", "static/%2e%2e/%2e%2e/x", "%ff")),
                ),
            )
        )


def encoded(value: Any) -> bytes:
    """The value as JSON, with extensions of Python: NaN, Infinity and lone surrogates."""
    return json.dumps(value).encode()


def json_headers() -> dict[str, str]:
    return {"content-type": "application/json"}


def quoted(text: str) -> str:
    """The text as part of an address, shortened to what fits."""
    return "".join(c if 33 <= ord(c) < 127 else f"%{ord(c) % 256:02x}" for c in text[:7_000])


def nested(depth: int) -> list:
    value: list = []
    for _ in range(
        depth if depth < 900 else 900
    ):  # deeper values, which `json` cannot encode: `Attacks.body`
        value = [value]
    return value
