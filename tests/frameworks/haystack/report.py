"""A pipeline with a loop, a generator and an agent with tools, as a user's script.

DIE names where it is cut off by SIGKILL: a component's or tool's name (inside of it), or `after:` one.
Each run of a component or tool leaves a line in ran.txt.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from haystack import Pipeline, component
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import tool

from omium.adapters.haystack import instrument


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    die(name)


def die(place):
    if os.environ.get("DIE") == place:
        os.kill(os.getpid(), signal.SIGKILL)


@component
class Draft:
    """Counts its rounds in a loop with `Judge`."""

    @component.output_types(text=str)
    def run(self, topic: str, again: str | None = None):
        ran("draft")
        return {"text": f"{again or topic}."}


@component
class JudgeRouter:
    @component.output_types(again=str, messages=list[ChatMessage])
    def run(self, text: str):
        ran("judge")
        if text.count(".") < 2:
            return {"again": text}
        return {"messages": [ChatMessage.from_user(f"Write about {text}")]}


@component
class Ask:
    @component.output_types(messages=list[ChatMessage])
    def run(self, replies: list[ChatMessage]):
        die("after:writer")
        return {"messages": [ChatMessage.from_user(f"Publish: {replies[0].text}")]}


@component
class Say:
    @component.output_types(text=str)
    def run(self, last_message: ChatMessage):
        die("after:agent")
        return {"text": last_message.text}


@tool
def publish(title: str) -> str:
    """Publish the text."""
    ran("publish")
    return f"published {title}"


@tool
def fail() -> str:
    """Fail."""
    ran("fail")
    raise RuntimeError("the press is closed")


def watch(generator):
    """A generator that dies before its second question."""

    class Watched(type(generator)):
        asked = 0

        def run(self, messages, tools=None, **more):
            Watched.asked += 1
            die(f"question:{Watched.asked}")
            return super().run(messages, tools=tools, **more)

    generator.__class__ = Watched
    return generator


def make_pipeline():
    pipeline = Pipeline(metadata={"name": "report"})
    pipeline.add_component("draft", Draft())
    pipeline.add_component("judge", JudgeRouter())
    pipeline.add_component("writer", OpenAIChatGenerator(model="tiny-1", max_retries=0))
    pipeline.add_component("ask", Ask())
    generator = watch(OpenAIChatGenerator(model="tiny-1", max_retries=0))
    pipeline.add_component("Publishing Agent", Agent(chat_generator=generator, tools=[publish, fail]))
    pipeline.add_component("say", Say())
    pipeline.connect("draft.text", "judge.text")
    pipeline.connect("judge.again", "draft.again")
    pipeline.connect("judge.messages", "writer.messages")
    pipeline.connect("writer.replies", "ask.replies")
    pipeline.connect("ask.messages", "Publishing Agent.messages")
    pipeline.connect("Publishing Agent.last_message", "say.last_message")
    return pipeline


if __name__ == "__main__":
    report = instrument(make_pipeline())
    given = {"draft": {"topic": "otters"}}
    run = report.run(given) if sys.argv[1] == "sync" else asyncio.run(report.run_async(given))
    print(run["say"]["text"])
