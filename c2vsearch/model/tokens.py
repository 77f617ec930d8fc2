"""A text as the token ids of both halves of the model. Shared by every runtime; needs no torch.

The encoder reads ``[CLS] text [SEP]`` (its tokenizer's own special tokens). The decoder reads
``[BOS] instruction, C, text, EOS``; C is not a token, so its place is only marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as FastTokenizer

from c2vsearch.errors import CorruptFile, InvalidQuery
from c2vsearch.model.spec import ModelSpec

ENCODER_TOKENIZER = "encoder_tokenizer.json"
DECODER_TOKENIZER = "decoder_tokenizer.json"
SHARED_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One text, ready for both halves.

    ``before`` and ``after`` are the decoder's ids on either side of C; ``after`` ends with EOS.
    """

    encoder: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def context_position(self) -> int:
        """Where C stands in the decoder's sequence, from 0."""
        return len(self.before)

    @property
    def decoder_length(self) -> int:
        """Tokens the decoder reads, C included."""
        return len(self.before) + 1 + len(self.after)

    def clipped(self, max_tokens: int) -> TokenizedText:
        """At most ``max_tokens`` tokens for each half, special tokens not counted; the end of both is cut off."""
        limit = max_tokens + 2
        return TokenizedText(self.encoder[:limit], self.before, self.after[: limit - 1])


class TextTokenizer:
    """Both tokenizers of a model and the layout of its sequences."""

    def __init__(self, spec: ModelSpec, *, encoder: FastTokenizer, decoder: FastTokenizer) -> None:
        self.spec = spec
        # Saved tokenizers often carry the truncation they were trained with: nothing may be cut here.
        for tokenizer in (encoder, decoder):
            tokenizer.no_truncation()
            tokenizer.no_padding()
        self._encoder = encoder
        self._decoder = decoder
        self._prefixes: dict[str, tuple[int, ...]] = {}

    @classmethod
    def open(cls, folder: Path, spec: ModelSpec) -> TextTokenizer:
        """Load the tokenizers of a model folder: one shared file, or one for each half."""
        shared = folder / SHARED_TOKENIZER
        paths = [shared, shared] if shared.exists() else [folder / ENCODER_TOKENIZER, folder / DECODER_TOKENIZER]
        try:
            encoder = FastTokenizer.from_file(str(paths[0]))
            decoder = encoder if paths[0] == paths[1] else FastTokenizer.from_file(str(paths[1]))
        except Exception as error:  # the Rust side raises bare Exception
            raise CorruptFile(f"{paths[0]} cannot be read as a tokenizer: {error}") from error
        return cls(spec, encoder=encoder, decoder=decoder)

    def save(self, folder: Path) -> None:
        """Write the tokenizers of a model folder: one file when both halves have the same."""
        encoder, decoder = self._encoder.to_str(), self._decoder.to_str()
        files = (
            {SHARED_TOKENIZER: encoder}
            if encoder == decoder
            else {ENCODER_TOKENIZER: encoder, DECODER_TOKENIZER: decoder}
        )
        for name in (SHARED_TOKENIZER, ENCODER_TOKENIZER, DECODER_TOKENIZER):
            (folder / name).unlink(missing_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the tokens the encoder reads, special tokens left out."""
        return self._encoder.encode(text, add_special_tokens=False).offsets

    def state_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of all that the encoder reads: special tokens stand at (0, 0)."""
        return self._encoder.encode(text).offsets

    @property
    def by_words(self) -> bool:
        """Whether a text cut at white space has the tokens of its parts: so it is with BERT's words."""
        return reads_by_words(self._encoder)

    @property
    def shared(self) -> bool:
        """Whether both halves read the same tokens."""
        return self._decoder is self._encoder

    def text_tokens(self, text: str) -> int:
        """Tokens of a text in the hungrier of the two tokenizers: what ``max_tokens`` limits."""
        count = len(self._encoder.encode(text, add_special_tokens=False).ids)
        if self.shared:
            return count
        return max(count, len(self._decoder.encode(text, add_special_tokens=False).ids))

    def tokenize(self, texts: Sequence[str], *, instruction: str = "") -> list[TokenizedText]:
        """Ids of texts for both halves, with the same instruction before each."""
        prefix = self._prefix(instruction)
        encoded = self._encoder.encode_batch_fast(list(texts))
        plain = self._decoder.encode_batch_fast(list(texts), add_special_tokens=False)
        end = (self.spec.eos_token_id,)
        bos = 0 if self.spec.bos_token_id is None else 1
        split = bos if self.spec.context_first else len(prefix)
        before, middle = prefix[:split], prefix[split:]
        return [
            TokenizedText(encoder=tuple(bi.ids), before=before, after=middle + tuple(uni.ids) + end)
            for bi, uni in zip(encoded, plain, strict=True)
        ]

    def _prefix(self, instruction: str) -> tuple[int, ...]:
        if instruction not in self._prefixes:
            bos = () if self.spec.bos_token_id is None else (self.spec.bos_token_id,)
            ids = self._decoder.encode(instruction, add_special_tokens=False).ids if instruction else []
            if len(ids) > self.spec.max_instruction_tokens:
                raise InvalidQuery(
                    f"the instruction has {len(ids)} tokens; expected at most {self.spec.max_instruction_tokens}: "
                    "say in a sentence or two what the search is for"
                )
            self._prefixes[instruction] = bos + tuple(ids)
        return self._prefixes[instruction]


def reads_by_words(tokenizer: FastTokenizer) -> bool:
    """Whether white space always ends a token and is none itself."""
    parts = (type(tokenizer.normalizer).__name__, type(tokenizer.pre_tokenizer).__name__)
    if parts != ("BertNormalizer", "BertPreTokenizer"):
        return False
    added = tokenizer.get_added_tokens_decoder().values()
    return not any(token.lstrip or token.rstrip or set(token.content) & set(" \n\t\r") for token in added)
