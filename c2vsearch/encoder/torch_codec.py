"""Token codes made on the device the states are on: a GPU encodes faster than numpy could code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from c2vsearch.model.token_codec import TokenCodec

if TYPE_CHECKING:
    import torch

    from c2vsearch.model.causal2vec import Batch


class TorchCodec:
    """`TokenCodec.encode_all` for a batch of padded states; the same codes but for rounding.

    Args:
        codec: Its numbers are copied to the device.
        device: Where the states are.
    """

    def __init__(self, codec: TokenCodec, *, device: str) -> None:
        import torch

        def there(numbers: Any) -> torch.Tensor:
            return torch.from_numpy(numbers).to(device)

        self._mean, self._rotation, self._centroids = map(there, (codec.mean, codec.rotation, codec.centroids))
        self._squares = (self._centroids**2).sum(dim=2)  # (M, 256)
        self._parts = codec.parts

    def encode(self, hidden: torch.Tensor, batch: Batch) -> list[bytes]:
        """The codes of each text. Shape: hidden (B, T_e, K)."""
        import torch
        from torch.nn.functional import normalize

        states = normalize(hidden[batch.encoder_mask.bool()].float(), dim=1)  # all tokens, one text after the other
        rotated = normalize((states - self._mean) @ self._rotation, dim=1).reshape(len(states), self._parts, -1)
        codes = torch.empty((len(states), self._parts), dtype=torch.uint8, device=states.device)
        for part, (centroids, squares) in enumerate(zip(self._centroids, self._squares, strict=True)):
            codes[:, part] = (squares - 2 * rotated[:, part] @ centroids.T).argmin(dim=1).to(torch.uint8)
        counts = batch.encoder_mask.sum(dim=1).tolist()
        return [part.numpy().tobytes() for part in codes.cpu().split(counts)]
