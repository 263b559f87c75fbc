"""Steps in a thread pool: after a crash each input still gets its own result.

python examples/threads.py
"""

import time
from concurrent.futures import ThreadPoolExecutor

import omium


@omium.step
def embed(text: str) -> list[int]:
    """Turn a text into numbers; slow on purpose, and not equally slow for all."""
    time.sleep(0.02 * (len(text) % 5))
    return [ord(letter) for letter in text[:3]]


@omium.workflow
def index(texts: list[str]) -> dict[str, list[int]]:
    """Embed all texts, four at a time."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(texts, pool.map(embed, texts), strict=True))


if __name__ == "__main__":
    for text, numbers in index([f"document {number}" for number in range(12)]).items():
        print(text, numbers)
