"""A loaded transformer: texts to tokens, tokens to vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from services.encoder.adapters.networks import Network
from services.encoder.model import Pooling, TokenisedText, Vectors


@dataclass(frozen=True, slots=True)
class TransformerModel:
    """The `TextModel` of this service.

    `tokenizer` truncates at the model's limit and does not pad: the tokenizers library is called directly, because the
    wrapper of transformers takes several times as long for a short text.
    """

    tokenizer: Tokenizer
    network: Network
    pooling: Pooling
    normalised: bool
    padding_id: int
    device: torch.device

    def tokenise(self, texts: Sequence[str]) -> list[TokenisedText]:
        """Texts to ids, special tokens included."""
        encodings = self.tokenizer.encode_batch_fast(list(texts))
        return [TokenisedText(encoding.ids, bool(encoding.overflowing)) for encoding in encodings]

    def forward(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Pooled vectors, shape (texts, dims). Shorter texts are padded on the right and masked."""
        lengths = np.array([len(ids) for ids in batch])
        padded = np.full((len(batch), int(lengths.max())), self.padding_id, dtype=np.int64)
        for row, text in zip(padded, batch, strict=True):
            row[: len(text)] = text
        with torch.inference_mode():
            counts = torch.from_numpy(lengths).to(self.device)
            ids = torch.from_numpy(padded).to(self.device)
            # Without padding there is no mask: attention then takes its fastest way.
            mask = None if lengths.min() == lengths.max() else _mask(counts, padded.shape[1])
            pooled = _pool(self.network(ids, mask), counts, mask, self.pooling)
            if self.normalised:
                pooled = functional.normalize(pooled, dim=1)
            vectors: Vectors = pooled.cpu().numpy()
        return vectors


def _mask(lengths: Tensor, width: int) -> Tensor:
    return torch.arange(width, device=lengths.device)[None, :] < lengths[:, None]


def _pool(hidden: Tensor, lengths: Tensor, mask: Tensor | None, pooling: Pooling) -> Tensor:
    """Token vectors (texts, tokens, dims) to float32 text vectors (texts, dims); padding is on the right."""
    if pooling is Pooling.CLS:
        return hidden[:, 0].float()
    if pooling is Pooling.LAST_TOKEN:
        return hidden[torch.arange(len(lengths), device=hidden.device), lengths - 1].float()
    if mask is None:
        return hidden.mean(dim=1, dtype=torch.float32)
    return hidden.mul(mask[:, :, None]).sum(dim=1, dtype=torch.float32) / lengths[:, None]
