"""A report in plain Python: three lines make it durable.

    python examples/plain_sync.py "sea otters"

Stop it with Ctrl-C, or kill it, while it works; then `omium resume ID --here`: finished steps return at once.
"""

import sys
import time

import omium


@omium.step(retry=3)
def search(topic: str) -> list[str]:
    """Find three facts; what costs money or time in a real agent."""
    time.sleep(0.2)
    return [f"{topic}: fact {number}" for number in range(1, 4)]


@omium.step(timeout_s=30)
def summarise(fact: str) -> str:
    """Shorten one fact."""
    time.sleep(0.2)
    return fact.upper()


@omium.workflow
def report(topic: str) -> str:
    """Search, summarise each fact, join."""
    return "; ".join(summarise(fact) for fact in search(topic))


if __name__ == "__main__":
    print(report(sys.argv[1] if len(sys.argv) > 1 else "durable agents"))
