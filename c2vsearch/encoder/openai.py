"""Any OpenAI-compatible ``/v1/embeddings`` endpoint as an encoder: ``openai:URL#MODEL``.

    openai:https://api.openai.com/v1#text-embedding-3-small
    openai:http://localhost:11434/v1?max_tokens=2000#nomic-embed-text

Texts go over the network to that URL, queries too. The key in OPENAI_API_KEY goes to api.openai.com, to this machine
and to the host of OPENAI_BASE_URL, to no other: an index somebody else made must not choose where a key is sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

from c2vsearch.encoder.cautious import CautiousTokenizer
from c2vsearch.encoder.instructions import query_prompt
from c2vsearch.encoder.windows import encode_in_windows
from c2vsearch.errors import EndpointFailed, InvalidConfig
from c2vsearch.records import Fingerprint

Rows = NDArray[np.float32]
PREFIX = "openai:"
OFFICIAL_HOST = "api.openai.com"
OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
MAX_TOKENS = 512  # by the cautious count; every model in use reads that
ATTEMPTS = 5
FIRST_WAIT_S, LONGEST_WAIT_S, TIMEOUT_S = 0.5, 30.0, 120.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is served, and how much of a text it reads."""

    url: str
    model: str
    max_tokens: int = MAX_TOKENS

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``URL#MODEL``, with ``?max_tokens=N`` behind the URL where the model reads more or less.

        Raises:
            InvalidConfig: It is not of that form, or has a password in it.

        >>> Endpoint.parse("https://api.openai.com/v1#text-embedding-3-small").url
        'https://api.openai.com/v1/embeddings'
        >>> Endpoint.parse("localhost:8080#e5")
        Traceback (most recent call last):
        ...
        c2vsearch.errors.InvalidConfig: the model is 'openai:localhost:8080#e5'; expected openai:URL#MODEL with an \
http or https URL, such as openai:http://localhost:8080/v1#e5
        """
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.fragment:
            raise InvalidConfig(
                f"the model is {PREFIX + text!r}; expected openai:URL#MODEL with an http or https URL, such as "
                "openai:http://localhost:8080/v1#e5"
            )
        if parts.username or parts.password:
            raise InvalidConfig("the URL of the model has a user or password in it, which the index would keep; "
                                "put the key in OPENAI_API_KEY")  # fmt: skip
        path = parts.path.rstrip("/")
        path = path if path.endswith("/embeddings") else f"{path}/embeddings"
        return cls(urlunsplit((parts.scheme, parts.netloc, path, "", "")), parts.fragment, _max_tokens(parts.query))

    @property
    def name(self) -> str:
        """The name it is opened by again."""
        limit = "" if self.max_tokens == MAX_TOKENS else f"?max_tokens={self.max_tokens}"
        return f"{PREFIX}{self.url.removesuffix('/embeddings')}{limit}#{self.model}"

    def key(self) -> str | None:
        """The key for this host, if it may have one."""
        host = urlsplit(self.url).hostname
        chosen = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname
        return os.environ.get("OPENAI_API_KEY") if host in (OFFICIAL_HOST, *OWN_MACHINE, chosen) else None


class OpenAIEncoder:
    """An endpoint as an encoder. What it answers is checked: as many rows as texts, one length, finite numbers.

    Overload (429) and server errors (5xx) are tried again, with growing pauses. The tokenizer is a cautious guess,
    because no endpoint tells its own.
    """

    def __init__(self, spec: str, *, batch_size: int = 64, wait: Callable[[float], object] = time.sleep) -> None:
        self._endpoint = Endpoint.parse(spec.removeprefix(PREFIX))
        self._batch_size = batch_size
        self._wait = wait
        self._dim: int | None = None
        # No redirects: they would carry the key and the texts to a host nobody named.
        self._opener = urllib.request.build_opener(_NoRedirects)
        self.tokenizer = CautiousTokenizer()
        self.max_tokens = self._endpoint.max_tokens

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What made these vectors: the URL, the model's name and its dimension are all that is known of it."""
        if self._dim is None:
            self._rows(["dimension"])
        assert self._dim is not None
        identity = f"{self._endpoint.url}\0{self._endpoint.model}\0{self._dim}"
        revision = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return Fingerprint(name=self._endpoint.name, revision=revision, dim=self._dim, pooling="endpoint")

    def encode_queries(self, texts: Sequence[str], *, instruction: str | None = None) -> Rows:
        """Shape: (Q, D). An instruction goes before each query: "Instruct: ... Query: ..."."""
        prompt = query_prompt("", instruction)
        return self._encode([prompt + text for text in texts])

    def encode_documents(self, texts: Sequence[str]) -> Rows:
        """Shape: (N, D)."""
        return self._encode(texts)

    def _encode(self, texts: Sequence[str]) -> Rows:
        if not texts:
            return np.empty((0, self.fingerprint.dim), dtype=np.float32)
        return encode_in_windows(texts, self._rows, tokenizer=self.tokenizer, max_tokens=self.max_tokens)

    def _rows(self, texts: Sequence[str]) -> Rows:
        # Endpoints refuse an empty text; a space is the same to a model.
        readable = [text if text.strip() else " " for text in texts]
        size = self._batch_size
        return np.concatenate([self._batch(readable[i : i + size]) for i in range(0, len(readable), size)])

    def _batch(self, texts: list[str]) -> Rows:
        body = {"model": self._endpoint.model, "input": texts, "encoding_format": "base64"}
        rows = self._read(self._post(json.dumps(body).encode()), expected=len(texts))
        if self._dim is None:
            self._dim = rows.shape[1]
        if rows.shape[1] != self._dim:
            raise self._failed(f"answered rows of {rows.shape[1]} numbers after rows of {self._dim}")
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(rows).all() or not lengths.all():
            raise self._failed("answered a row of zeros or of numbers that are not finite")
        unit: Rows = (rows / lengths).astype(np.float32)
        return unit

    def _read(self, answer: bytes, *, expected: int) -> NDArray[np.float64]:
        """The rows of an answer, in the order of the texts."""
        try:
            items = sorted(json.loads(answer)["data"], key=lambda item: item["index"])
            rows = [_numbers(item["embedding"]) for item in items]
            indexes = [item["index"] for item in items]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise self._failed(f"answered what is no list of embeddings: {_excerpt(answer)}") from error
        if indexes != list(range(expected)):
            raise self._failed(f"answered {len(rows)} rows for {expected} texts")
        if len({len(row) for row in rows}) != 1 or not len(rows[0]):
            raise self._failed(f"answered rows of {sorted({len(row) for row in rows})} numbers; expected one length")
        return np.stack(rows)

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "c2vsearch"}
        if key := self._endpoint.key():
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._endpoint.url, data=body, headers=headers, method="POST")
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                    read: bytes = answer.read()
                    return read
            except urllib.error.HTTPError as error:
                reason, pause = (
                    f"answered {error.code}: {_body(error)}",
                    _asked_for(error.headers.get("Retry-After")),
                )
                if error.code != 429 and error.code < 500:
                    raise self._failed(reason + _advice(error.code)) from error
            except (OSError, HTTPException) as error:  # refused, timed out, unknown host, cut off in mid-answer
                reason, pause = f"cannot be reached ({getattr(error, 'reason', None) or error!r})", None
            if attempt < ATTEMPTS:
                self._wait(min(pause if pause is not None else FIRST_WAIT_S * 2 ** (attempt - 1), LONGEST_WAIT_S))
        raise self._failed(f"{reason}; {ATTEMPTS} attempts were made")

    def _failed(self, reason: str) -> EndpointFailed:
        return EndpointFailed(f"{self._endpoint.name} {reason}")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other that is not 200."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""
        return


def _max_tokens(query: str) -> int:
    settings = parse_qs(query, keep_blank_values=True)
    values = settings.pop("max_tokens", [str(MAX_TOKENS)])
    if settings or len(values) != 1 or not values[0].isascii() or not values[0].isdigit() or int(values[0]) < 16:
        raise InvalidConfig(
            f"the URL of the model ends in ?{query}; expected nothing there but max_tokens=N, N from 16"
        )
    return int(values[0])


def _numbers(embedding: Any) -> NDArray[np.float64]:
    """A row as base64 of little-endian float32, or as a list of numbers, which endpoints that know no base64 send."""
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4").astype(np.float64)
    if not isinstance(embedding, list) or any(type(number) not in (int, float) for number in embedding):
        raise TypeError("neither base64 nor a list of numbers")
    return np.array(embedding, dtype=np.float64)


def _body(error: urllib.error.HTTPError) -> str:
    try:
        return _excerpt(error.read())
    except (OSError, HTTPException):  # it breaks off even in its complaint
        return "nothing"


def _excerpt(answer: bytes) -> str:
    """The message of an error answer, on one line."""
    text = answer.decode("utf-8", "replace")
    try:
        found = json.loads(text)["error"]
        text = str(found["message"] if isinstance(found, dict) else found)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    return " ".join(text.split())[:200] or "nothing"


def _asked_for(header: str | None) -> float | None:
    """The pause the endpoint asks for, in seconds."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _advice(code: int) -> str:
    if code in (401, 403):
        return (
            f"; expected a valid key in OPENAI_API_KEY, which is sent to {OFFICIAL_HOST}, to this machine and to the "
            "host of OPENAI_BASE_URL alone"
        )
    if 300 <= code < 400:
        return "; redirects are not followed: name the URL it leads to"
    return "; check the URL and the model's name" if code in (404, 405) else ""
