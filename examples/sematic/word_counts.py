"""A pipeline of Sematic that counts words in texts, one function of it unreliable.

    python examples/sematic/word_counts.py otters otters cats

`instrument` is the only line that knows of Omium. Kill it at any place, and `omium resume` goes on there. In
an environment of its own: pip install 'omium-os[sematic]'
"""

# ruff: noqa: UP006, UP035  # Sematic 0.41 knows only the types of `typing`
# mypy: disable-error-code="untyped-decorator, no-any-return"

import sys
from dataclasses import dataclass
from typing import List

import sematic

from omium.adapters.sematic import instrument


@dataclass
class Count:
    """How often a word occurs."""

    word: str
    times: int


@sematic.func
def list_words(words: List[str]) -> List[str]:
    return sorted(set(words))


@sematic.func(retry=sematic.RetrySettings(exceptions=(ConnectionError,), retries=2))
def count(word: str, words: List[str]) -> Count:
    return Count(word, words.count(word))


@sematic.func
def write(counts: List[Count]) -> str:
    return ", ".join(f"{each.times} {each.word}" for each in counts)


@sematic.func
def count_all(different: List[str], words: List[str]) -> List[Count]:
    """Call `count` for each word: which words there are is known when `list_words` has run."""
    return [count(word, words) for word in different]


@sematic.func
def report(words: List[str]) -> str:
    """Say how often each word occurs."""
    return write(count_all(list_words(words), words))


durable = instrument(report)

if __name__ == "__main__":
    print(durable.run(sys.argv[1:]))
