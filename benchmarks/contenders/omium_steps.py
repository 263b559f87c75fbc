"""Omium: the SDK's decorators in this process, a server over loopback that the environment names."""

from __future__ import annotations

import asyncio

import omium
from benchmarks.contenders.work import RESULT, STEPS, count_alone, count_tasks, read_arguments


@omium.step
def work(number: int) -> dict[str, str]:
    """Do nothing and return the result."""
    return RESULT


@omium.workflow
def chain() -> None:
    """Ten steps, one after the other."""
    for number in range(STEPS):
        work(number)


@omium.step
async def async_work(number: int) -> dict[str, str]:
    """Do nothing and return the result."""
    return RESULT


@omium.workflow
async def async_chain() -> None:
    """Ten steps, one after the other."""
    for number in range(STEPS):
        await async_work(number)


def main() -> None:
    """Run alone, or in tasks beside each other."""
    asked = read_arguments()
    if asked.at_once == 1:
        count_alone(asked.seconds, chain)
    else:
        asyncio.run(count_tasks(asked.seconds, asked.at_once, async_chain))


if __name__ == "__main__":
    main()
