"""The score of a row: its cosine with a query, the same number whichever way the row was found.

What finds rows (a scan by FAISS, a product of matrices, a GPU) adds up in an order of its own, so that scores differ in
their last digits. They say which rows may be among the nearest; this says which are, and with what score: of each row
alone, so that it does not depend on what else is compared.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# So many rows are in memory as float32 at a time.
READ_ROWS = 4096
# Half a unit in the last place of float32, and the norm that a unit row of float16 may have.
_ROUNDING, _NORM = 2.0**-24, 1.001

Take = Callable[[NDArray[np.int64]], NDArray[np.float32]]


def cosines(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each row with a query. Shapes: (N, D), (D,), gives (N,).

    Not a product of a matrix and a vector: that adds a row up in an order that depends on how many rows there are.

    >>> cosines(np.eye(2, dtype=np.float32), np.array([0.6, 0.8], dtype=np.float32)).tolist()
    [0.6000000238418579, 0.800000011920929]
    """
    found: NDArray[np.float32] = np.einsum("nd,d->n", rows, query).clip(-1.0, 1.0)
    return found


def nearest_of(
    positions: NDArray[np.int64], query: NDArray[np.float32], *, k: int, take: Take
) -> list[tuple[int, float]]:
    """The k nearest of some rows as (position, cosine), best first; equal scores in order of position.

    Args:
        positions: Which rows, each once. Shape: (n,).
        query: Shape: (D,).
        k: Rows to give, at most.
        take: Gives some rows. Shape: (n,) gives (n, D).
    """
    positions = np.sort(positions)
    parts = [positions[start : start + READ_ROWS] for start in range(0, len(positions), READ_ROWS)]
    scores = np.concatenate([cosines(take(part), query) for part in parts]) if parts else np.empty(0, dtype=np.float32)
    order = np.argsort(-scores, kind="stable")[:k]
    return list(zip(positions[order].tolist(), scores[order].tolist(), strict=True))


def slack(queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """By how much two float32 sums of a query and a row can put two rows in another order. Shape: (Q, D) gives (Q,).

    The rounding of a sum of D products is at most D times that of one (Higham, Accuracy and Stability, 3.5); two rows
    are each added up in two ways.

    >>> f"{slack(np.eye(1, 768, dtype=np.float32))[0]:.1e}"
    '1.8e-04'
    """
    norms: NDArray[np.float64] = np.linalg.norm(queries.astype(np.float64), axis=1)
    bound: NDArray[np.float64] = 4 * queries.shape[1] * _ROUNDING * _NORM * norms
    return bound


def half_slack(queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """`slack` where one of the sums is of the query as float16, and added up with less care. Shape: (Q,).

    >>> bool(half_slack(np.eye(1, 8, dtype=np.float32))[0] == 2 * slack(np.eye(1, 8, dtype=np.float32))[0])
    True
    """
    lost = queries.astype(np.float64) - queries.astype(np.float16)
    norms: NDArray[np.float64] = np.linalg.norm(lost, axis=1)
    return 2 * slack(queries) + 2 * _NORM * norms


def floors(kth: NDArray[np.floating], slack: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score below which no row is among the k nearest, from the k-th best as it was found. Shape: (Q,).

    >>> floors(np.array([0.5, 1.2, -1.0]), np.full(3, 0.1)).tolist()
    [0.4, 0.9, -inf]
    """
    # Scores end at 1 and -1, and there what is beyond is equal.
    found: NDArray[np.float64] = np.where(kth <= slack - 1.0, -np.inf, np.minimum(kth, 1.0) - slack)
    return found
