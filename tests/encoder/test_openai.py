"""The adapter against a small server: rows in order and normalised, tried again, and every wrong answer refused."""

from __future__ import annotations

import base64
import json
import math
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from c2vsearch import Retriever, index_directory
from c2vsearch.encoder import Encoder, HashEncoder, load_encoder
from c2vsearch.encoder.cautious import CautiousTokenizer
from c2vsearch.encoder.openai import ATTEMPTS, Endpoint, OpenAIEncoder
from c2vsearch.errors import EncoderMismatch, EndpointFailed, InvalidConfig

Answer = tuple[int, dict[str, str], Any]
WORDS = HashEncoder(dim=24)


class Server:
    """Answers with hashed words times three; ``script`` holds answers to give first."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.script: list[Callable[[dict[str, Any]], Answer]] = []
        self.base64 = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append({**body, "path": self.path})
                outer.keys.append(self.headers["Authorization"])
                status, headers, answer = outer.script.pop(0)(body) if outer.script else outer.usual(body)
                payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(payload)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def usual(self, body: dict[str, Any]) -> Answer:
        rows = 3 * WORDS.encode_documents(body["input"])
        wire = [base64.b64encode(row.astype("<f4").tobytes()).decode() if self.base64 else row.tolist() for row in rows]
        data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(wire)]
        return 200, {}, {"object": "list", "model": body["model"], "data": data[::-1]}

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def status(code: int, message: str = "", **headers: str) -> Callable[[dict[str, Any]], Answer]:
    return lambda body: (code, headers, {"error": {"message": message}})


def rows_of(*rows: Any, **changes: Any) -> Callable[[dict[str, Any]], Answer]:
    return lambda body: (200, {}, {"data": [{"index": i, "embedding": row, **changes} for i, row in enumerate(rows)]})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


def encoder_of(server: Server, **settings: Any) -> OpenAIEncoder:
    waited: list[float] = []
    encoder = OpenAIEncoder(f"openai:{server.url}#tiny", wait=waited.append, **settings)
    encoder.waited = waited  # type: ignore[attr-defined]
    return encoder


TEXTS = ["red apples", "tax law", "green apples and pears", "ferries", "rope"]


@pytest.mark.parametrize("wire", ["base64", "floats"])
def test_rows_are_the_servers_at_unit_length_and_in_order(server: Server, wire: str) -> None:
    server.base64 = wire == "base64"
    encoder = encoder_of(server, batch_size=2)
    np.testing.assert_allclose(encoder.encode_documents(TEXTS), WORDS.encode_documents(TEXTS), atol=1e-6)
    assert [request["input"] for request in server.requests] == [TEXTS[:2], TEXTS[2:4], TEXTS[4:]]
    assert server.requests[0]["path"] == "/v1/embeddings"
    assert server.requests[0]["model"] == "tiny"
    assert isinstance(encoder, Encoder)
    assert encoder.encode_queries([]).shape == (0, 24)
    assert encoder.fingerprint.dim == 24
    assert encoder.fingerprint.name == f"openai:{server.url}#tiny"


def test_an_instruction_goes_before_the_query_and_an_empty_text_is_a_space(server: Server) -> None:
    encoder = encoder_of(server)
    encoder.encode_queries(["fox", ""], instruction="find a dog")
    encoder.encode_documents([""])
    assert server.requests[0]["input"] == ["Instruct: find a dog\nQuery: fox", "Instruct: find a dog\nQuery: "]
    assert server.requests[1]["input"] == [" "]


def test_a_long_text_is_the_mean_of_its_windows(server: Server) -> None:
    encoder = OpenAIEncoder(f"openai:{server.url}?max_tokens=16#tiny")
    parts = [" ".join([word] * count) for word, count in (("fox", 16), ("dog", 16), ("elk", 14))]
    mean = np.array([16, 16 / 2, 14 / 3], dtype=np.float32) @ WORDS.encode_documents(parts)
    [row] = encoder.encode_documents([" ".join(parts)])
    np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)
    assert server.requests[0]["input"] == parts


def test_overload_is_waited_out(server: Server) -> None:
    encoder = encoder_of(server)
    server.script = [status(429, "slow down"), status(503), status(429, **{"Retry-After": "7"}), status(500)]
    np.testing.assert_allclose(encoder.encode_documents(TEXTS), WORDS.encode_documents(TEXTS), atol=1e-6)
    assert encoder.waited == [0.5, 1.0, 7.0, 4.0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "requests", "message"),
    [
        (status(429, "slow down"), ATTEMPTS, "answered 429: slow down; 5 attempts were made"),
        (status(500, "out of\norder"), ATTEMPTS, "answered 500: out of order; 5 attempts"),
        (status(401, "bad key"), 1, "answered 401: bad key; expected a valid key in OPENAI_API_KEY"),
        (status(404, "no such model"), 1, "answered 404: no such model; check the URL and the model's name"),
        (status(400, "too long"), 1, "answered 400: too long"),
        (status(302, Location="http://127.0.0.1:1/"), 1, "answered 302.*redirects are not followed"),
        (rows_of([1.0, 2.0]), 1, "answered 1 rows for 2 texts"),
        (rows_of([1.0], [1.0], [1.0]), 1, "answered 3 rows for 2 texts"),
        (rows_of([1.0], [1.0], index=0), 1, "answered 2 rows for 2 texts|no list"),
        (rows_of([1.0, math.nan], [1.0, 2.0]), 1, "not finite"),
        (rows_of([1.0, math.inf], [1.0, 2.0]), 1, "not finite"),
        (rows_of([0.0, 0.0], [1.0, 2.0]), 1, "row of zeros"),
        (rows_of([1.0, 2.0], [1.0]), 1, r"rows of \[1, 2\] numbers; expected one length"),
        (rows_of([], []), 1, r"rows of \[0\] numbers"),
        (rows_of("###", "###"), 1, "no list of embeddings"),
        (rows_of([None], [None]), 1, "no list of embeddings"),
        (rows_of([[1.0]], [[1.0]]), 1, "no list of embeddings|one length"),
        (lambda body: (200, {}, b"<html>\nhello"), 1, "no list of embeddings: <html> hello"),
        (lambda body: (200, {}, {"data": 3}), 1, "no list of embeddings"),
    ],
)
def test_a_wrong_answer_is_one_line(
    server: Server, answer: Callable[[dict[str, Any]], Answer], requests: int, message: str
) -> None:
    server.script = [answer] * requests
    with pytest.raises(EndpointFailed, match=message) as caught:
        encoder_of(server).encode_documents(["a", "b"])
    assert len(server.requests) == requests
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"openai:{server.url}#tiny ")


def test_the_dimension_may_not_change(server: Server) -> None:
    encoder = encoder_of(server)
    encoder.encode_documents(["a"])
    server.script = [rows_of([1.0, 2.0])]
    with pytest.raises(EndpointFailed, match="rows of 2 numbers after rows of 24"):
        encoder.encode_documents(["a"])


def test_nobody_there() -> None:
    waited: list[float] = []
    encoder = OpenAIEncoder("openai:http://127.0.0.1:9/v1#tiny", wait=waited.append)
    with pytest.raises(EndpointFailed, match=r"cannot be reached.*5 attempts"):
        encoder.encode_documents(["a"])
    assert waited == [0.5, 1.0, 2.0, 4.0]


def test_the_key_goes_where_it_belongs(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    encoder = encoder_of(server)
    encoder.encode_documents(["a"])
    assert server.keys == ["Bearer secret"]
    assert "secret" not in repr(encoder.fingerprint)
    assert Endpoint.parse("https://api.openai.com/v1#m").key() == "secret"
    assert Endpoint.parse("https://example.org/v1#m").key() is None
    assert Endpoint.parse("https://api.openai.com.example.org/v1#m").key() is None
    monkeypatch.setenv("OPENAI_BASE_URL", "https://example.org/v1")
    assert Endpoint.parse("https://example.org/v1#m").key() == "secret"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("openai:", "expected openai:URL#MODEL"),
        ("openai:https://host/v1", "expected openai:URL#MODEL"),
        ("openai:ftp://host/v1#m", "expected openai:URL#MODEL"),
        ("openai:https:///v1#m", "expected openai:URL#MODEL"),
        ("openai:https://me:word@host/v1#m", "has a user or password in it"),
        ("openai:https://host/v1?size=3#m", "ends in [?]size=3; expected nothing there but max_tokens=N"),
        ("openai:https://host/v1?max_tokens=2#m", "max_tokens=N, N from 16"),
        ("openai:https://host/v1?max_tokens=#m", "max_tokens=N, N from 16"),
    ],
)
def test_a_malformed_name_is_refused(spec: str, message: str) -> None:
    with pytest.raises(InvalidConfig, match=message) as caught:
        load_encoder(spec)
    assert "word@" not in str(caught.value)


def test_a_name_opens_the_same_endpoint_again() -> None:
    for spec in ("https://host/v1#org/m", "http://host:1/v1/?max_tokens=64#m:latest", "http://[::1]:8/x/embeddings#m"):
        endpoint = Endpoint.parse(spec)
        assert Endpoint.parse(endpoint.name.removeprefix("openai:")) == endpoint


def test_the_index_asks_its_endpoint_and_refuses_another(
    server: Server, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    for word in ("ferry", "bread"):
        (tmp_path / "docs" / f"{word}.txt").write_text(f"the {word}\n")
    index_directory(tmp_path / "docs", index=tmp_path / "index", encoder=f"openai:{server.url}#tiny")
    with Retriever.open(tmp_path / "index") as retriever:
        [hit] = retriever.search("the ferry", k=1, mode="dense")
    assert (hit.source, hit.score) == ("ferry.txt", pytest.approx(1.0, abs=2e-3))
    with pytest.raises(EncoderMismatch, match=r"was built with openai:http.*#tiny.* openai:http.*#other"):
        Retriever.open(tmp_path / "index", encoder=f"openai:{server.url}#other")


def test_the_cautious_count_is_not_below_that_of_a_real_vocabulary() -> None:
    real, cautious = load_encoder().tokenizer, CautiousTokenizer()
    texts = [
        "Send your claim within 60 days of the journey; late claims (over 90 days) need a director's signature.",
        "def area(radius: float) -> float:\n    return math.pi * radius**2  # see https://example.org/a?b=c",
        "Die Fähre fährt täglich außer sonntags um 9:15 Uhr. Il n'y a pas de bac le dimanche.",
    ]
    for text in texts:
        assert len(real.token_spans(text)) <= len(cautious.token_spans(text)) <= 2.5 * len(real.token_spans(text))
