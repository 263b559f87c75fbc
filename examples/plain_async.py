"""The same with asyncio: steps that run side by side, each recorded when it ends.

python examples/plain_async.py
"""

import asyncio

import omium


@omium.step
async def ask(agent: str, question: str) -> str:
    """Ask one agent."""
    await asyncio.sleep(0.1)
    return f"{agent} on {question}"


@omium.workflow(timeout_s=60)
async def panel(question: str) -> dict[str, str]:
    """Ask three agents at the same time."""
    agents = ["optimist", "sceptic", "economist"]
    answers = await asyncio.gather(*(ask(agent, question) for agent in agents))
    return dict(zip(agents, answers, strict=True))


if __name__ == "__main__":
    for agent, answer in asyncio.run(panel("checkpoints")).items():
        print(f"{agent}: {answer}")
