"""Token states in a few bytes each, so that they can be stored with every chunk: product quantisation.

A state is centred, rotated and cut into M parts, and each part is told by the nearest of 256 centroids: M bytes a token
(Jégou et al., TPAMI 2011; rotated as in Ge et al., CVPR 2013). Centring matters as much: the states of an encoder
have a large common part that says nothing. A codec belongs to a model and lies beside its weights.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from c2vsearch.errors import CorruptFile, InvalidConfig
from c2vsearch.model.spec import ModelSpec, normal_sizes
from c2vsearch.model.truncation import unit_rows

CODEC_FILE = "token_codec.npz"
FORMAT = 1
CENTROIDS = 256
TOKENS_CODED = 384  # of a text, at most: what comes after three windows is not looked at again
Floats = NDArray[np.float32]
Codes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TokenCodec:
    """Unit rows of K numbers to M bytes, and inner products of queries with what those bytes stand for.

    Args:
        mean: What is taken off. Shape: (K,).
        rotation: Orthogonal. Shape: (K, K).
        centroids: Of each part. Shape: (M, 256, K / M).
    """

    mean: Floats
    rotation: Floats
    centroids: Floats

    def __post_init__(self) -> None:
        width, shape = len(self.mean), self.centroids.shape
        fits = len(shape) == 3 and shape[1] == CENTROIDS and shape[0] * shape[2] == width
        if not fits or self.rotation.shape != (width, width):
            raise CorruptFile(
                f"a token codec of shapes {self.mean.shape}, {self.rotation.shape}, {shape}; expected (K,), (K, K), "
                f"(M, {CENTROIDS}, K / M)"
            )
        if not all(np.isfinite(part).all() for part in (self.mean, self.rotation, self.centroids)):
            raise CorruptFile("a token codec of numbers that are not finite")

    @property
    def parts(self) -> int:
        """Bytes of a token, M."""
        return len(self.centroids)

    @cached_property
    def identity(self) -> str:
        """What codes were made with: the same name, the same codec."""
        digest = hashlib.sha256()
        for part in (self.mean, self.rotation, self.centroids):
            digest.update(np.ascontiguousarray(part, dtype="<f4").tobytes())
        return f"pq{self.parts}-{digest.hexdigest()[:16]}"

    def encode(self, states: Floats) -> bytes:
        """The codes of some tokens, M bytes each. Shape: states (T, K), unit rows."""
        rotated = self.rotated(states).reshape(len(states), self.parts, -1)  # (T, M, K / M)
        codes = np.empty((len(states), self.parts), dtype=np.uint8)
        for part, centroids in enumerate(self.centroids):
            # The nearest centroid: its distance, less what is the same for all of them.
            codes[:, part] = np.argmin(self._squares[part] - 2 * rotated[:, part] @ centroids.T, axis=1)
        return codes.tobytes()

    def encode_all(self, states: Sequence[Floats]) -> list[bytes]:
        """`encode` for each of several texts, by one product: several threads that each multiply get into each other's
        way.
        """
        if not states:
            return []
        codes = self.encode(np.concatenate(states))
        ends = np.cumsum([0, *(len(rows) * self.parts for rows in states)]).tolist()
        return [codes[start:end] for start, end in pairwise(ends)]

    def decode(self, codes: bytes) -> Floats:
        """What codes stand for: centred, rotated, of unit length. Shape: (T, K)."""
        rows = self._rows(codes)
        found = np.concatenate([self.centroids[part][rows[:, part]] for part in range(self.parts)], axis=1)
        return unit_rows(found)

    def rotated(self, states: Floats) -> Floats:
        """States as codes stand for them: centred, rotated, of unit length. Shape: (T, K)."""
        return unit_rows((states - self.mean) @ self.rotation)

    def similarities(self, query: Floats, codes: Sequence[bytes]) -> list[float]:
        """MaxSim of a query with each text: the mean over its tokens of the best cosine with one of the text's.

        What `decode` and a product would give, by tables: as many additions as bytes, whatever K is.

        Args:
            query: Unit rows of token states. Shape: (T_q, K).
            codes: Of each text; one without tokens is as far as can be (-1).
        """
        lengths = np.array([len(each) // self.parts for each in codes], dtype=np.int64)
        found = np.full(len(codes), -1.0, dtype=np.float32)
        if not lengths.sum() or not len(query):
            return [float(score) for score in found]
        rows = self._rows(b"".join(codes))
        asked = self.rotated(query).reshape(len(query), self.parts, -1)
        tables = np.einsum("qmd,mcd->mcq", asked, self.centroids)  # (M, 256, T_q)
        products = np.zeros((len(rows), len(query)), dtype=np.float32)
        squares = np.zeros(len(rows), dtype=np.float32)
        for part in range(self.parts):
            products += tables[part][rows[:, part]]
            squares += self._squares[part][rows[:, part]]
        products /= np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny))[:, None]
        there = np.flatnonzero(lengths)
        starts = np.cumsum([0, *lengths[there][:-1]])
        found[there] = np.maximum.reduceat(products, starts, axis=0).mean(axis=1)
        return [float(score) for score in found]

    @cached_property
    def _squares(self) -> Floats:
        """Squared lengths of the centroids. Shape: (M, 256)."""
        squares: Floats = (self.centroids**2).sum(axis=2)
        return squares

    def _rows(self, codes: bytes) -> Codes:
        return np.frombuffer(codes, dtype=np.uint8).reshape(-1, self.parts)

    def save(self, folder: Path) -> None:
        """Write it beside a model's weights, in half precision, which tells centroids apart well enough."""
        rotation, centroids = self.rotation.astype(np.float16), self.centroids.astype(np.float16)
        np.savez(folder / CODEC_FILE, format=np.int64(FORMAT), mean=self.mean, rotation=rotation, centroids=centroids)


def read_codec(folder: Path, spec: ModelSpec) -> TokenCodec | None:
    """The codec of a model folder; None where there is none.

    Raises:
        CorruptFile: There is one that cannot be read, or is of another model.
    """
    path = folder / CODEC_FILE
    if not path.is_file():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            if int(file["format"]) != FORMAT:
                raise ValueError(f"format is {file['format']}; this version reads {FORMAT}")
            codec = TokenCodec(*(file[name].astype(np.float32) for name in ("mean", "rotation", "centroids")))
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, CorruptFile) as error:
        raise CorruptFile(
            f"{path} cannot be read ({error}); expected the codec of a model's token states: remove it to do without"
        ) from error
    width = int(normal_sizes(spec.encoder)["hidden_size"])
    if len(codec.mean) != width:
        raise CorruptFile(f"{path} codes states of {len(codec.mean)} numbers; the model's have {width}")
    return codec


def needed_codec(codec: TokenCodec | None, model: str) -> TokenCodec:
    """The codec of a model that is asked for codes.

    Raises:
        InvalidConfig: It has none.
    """
    if codec is None:
        raise InvalidConfig(f"the model {model} has no {CODEC_FILE}, which codes token states; search without codes")
    return codec
