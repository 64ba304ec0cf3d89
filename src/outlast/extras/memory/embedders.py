"""What turns a text into numbers: near each other where texts mean the same."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Vector = list[float]
_WORD = re.compile(r"\w+")
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "i",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "she",
        "so",
        "that",
        "the",
        "their",
        "them",
        "they",
        "this",
        "to",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "will",
        "with",
        "you",
        "your",
    ]
)


class Embedder(Protocol):
    """Makes vectors of texts, all of one length."""

    @property
    def name(self) -> str:
        """What its vectors are known by: those of two names are not compared."""
        ...

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        ...

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of ``texts``, in their order."""
        ...


class HashingEmbedder:
    """Vectors from the words of a text and their parts, without a model and without a network.

    Texts are near each other where they share words, or words that begin or end alike. It knows no
    synonyms; `OpenAIEmbedder` does.

    Args:
        dimensions: How long a vector is. More tell more words apart.
    """

    def __init__(self, dimensions: int = 512) -> None:
        self._dimensions = dimensions

    @property
    def name(self) -> str:
        """What its vectors are known by."""
        return f"hashing-1-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of ``texts``, each of length 1 in space."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        vector = [0.0] * self._dimensions
        for feature, weight in _features(text):
            digest = hashlib.blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest()
            place = int.from_bytes(digest[:7]) % self._dimensions
            vector[place] += weight if digest[7] & 1 else -weight
        length = math.sqrt(sum(value * value for value in vector))
        if not length:
            vector[0] = length = 1.0
        return [value / length for value in vector]


def _features(text: str) -> Iterator[tuple[str, float]]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = _WORD.findall("".join(each for each in plain if not unicodedata.combining(each)))
    for word in words:
        weight = 0.1 if word in _COMMON else 1.0
        yield word, weight
        if weight == 1.0:
            framed = f"^{word}$"
            for start in range(len(framed) - 2):
                yield framed[start : start + 3], 0.3


class OpenAIEmbedder:
    """Vectors by an embedding model of OpenAI, or of an endpoint that resembles it.

    Args:
        model: The embedding model.
        dimensions: How long its vectors are to be.
        client: None for the default client.
    """

    def __init__(
        self,
        model: str = "text-embedding-3-small",
        *,
        dimensions: int = 512,
        client: AsyncOpenAI | None = None,
    ) -> None:
        self._model = model
        self._dimensions = dimensions
        self._client = client

    @property
    def name(self) -> str:
        """What its vectors are known by."""
        return f"{self._model}-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """How long a vector is."""
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of ``texts``.

        Raises:
            openai.OpenAIError: The provider did not answer.
        """
        if self._client is None:
            from openai import AsyncOpenAI

            from outlast.models.defaults import get_default_openai_client

            self._client = get_default_openai_client() or AsyncOpenAI()
        answer = await self._client.embeddings.create(
            model=self._model, input=list(texts), dimensions=self._dimensions
        )
        return [each.embedding for each in answer.data]
