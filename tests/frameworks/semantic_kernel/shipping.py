"""A process of Semantic Kernel with a fan-out, a join, a loop, states, an error and a process inside.

DIE names where it is cut off by SIGKILL: a name that `ran` is called with. Each function leaves a line in
ran.txt.
"""

import os
import signal
from pathlib import Path

from semantic_kernel import Kernel
from semantic_kernel.functions import kernel_function
from semantic_kernel.kernel_pydantic import KernelBaseModel
from semantic_kernel.processes import ProcessBuilder
from semantic_kernel.processes.kernel_process import (
    KernelProcessEventVisibility,
    KernelProcessStep,
    KernelProcessStepContext,
    KernelProcessStepState,
)

from omium.adapters.semantic_kernel import instrument_process


def ran(name):
    with Path("ran.txt").open("a") as file:
        file.write(name + "\n")
    if os.environ.get("DIE") == name:
        os.kill(os.getpid(), signal.SIGKILL)


class Order(KernelBaseModel):
    number: int
    parts: tuple[str, ...]


class Plan(KernelProcessStep):
    @kernel_function
    async def plan(self, context: KernelProcessStepContext, topic: str) -> str:
        ran("plan")
        await context.emit_event("Planned", data=Order(number=7, parts=(topic, "box")))
        return "planned"


class Price(KernelProcessStep):
    @kernel_function
    async def price(self, context: KernelProcessStepContext, order: Order):
        ran("price")
        assert isinstance(order.parts, tuple)
        await context.emit_event("Priced", data=order.number * 100)


class Pick(KernelProcessStep):
    @kernel_function
    async def pick(self, context: KernelProcessStepContext, order: Order):
        ran("pick")
        await context.emit_event("Picked", data=list(order.parts))


class Packed(KernelBaseModel):
    tries: int = 0
    parts: list[str] = []  # noqa: RUF012  # a field of pydantic's


class Pack(KernelProcessStep[Packed]):
    """Waits for the price and the parts, and packs twice: it goes back to itself."""

    state: Packed | None = None

    async def activate(self, state: KernelProcessStepState[Packed]):
        self.state = state.state

    @kernel_function
    async def pack(self, context: KernelProcessStepContext, cents: int, parts: list[str]):
        self.state.tries += 1
        ran(f"pack-{self.state.tries}")
        self.state.parts += [f"{each} for {cents}" for each in parts]
        if self.state.tries < 2:
            await context.emit_event("Again", data=cents)
            await context.emit_event("AgainParts", data=["tape"])
        else:
            await context.emit_event("Packed", data=self.state.parts)


class Send(KernelProcessStep):
    @kernel_function
    async def send(self, context: KernelProcessStepContext, parts: list[str]):
        ran("send")
        await context.emit_event("Lost", data="half")
        raise ConnectionError(f"no van for {len(parts)}")


class Carried(KernelBaseModel):
    told: list[str] = []  # noqa: RUF012  # as above


class Carry(KernelProcessStep[Carried]):
    state: Carried | None = None

    async def activate(self, state: KernelProcessStepState[Carried]):
        self.state = state.state

    @kernel_function
    async def carry(self, context: KernelProcessStepContext, why: str):
        ran("carry")
        self.state.told.append(why)
        await context.emit_event("Carried", data=why, visibility=KernelProcessEventVisibility.Public)

    @kernel_function
    async def note(self, what: str):
        ran("note")
        self.state.told.append(what)
        return "noted"


class Thank(KernelProcessStep[Carried]):
    state: Carried | None = None

    async def activate(self, state: KernelProcessStepState[Carried]):
        self.state = state.state

    @kernel_function
    async def thank(self, why: str):
        ran("thank")
        self.state.told.append(f"thanks: {why}")
        return "done"


def make_process():
    inner = ProcessBuilder(name="deliver")
    carry = inner.add_step(Carry, name="by_hand")
    inner.on_input_event("Carry").send_event_to(carry, function_name="carry", parameter_name="why")

    process = ProcessBuilder(name="shipping")
    plan, price, pick = process.add_step(Plan), process.add_step(Price), process.add_step(Pick)
    pack, send, thank = process.add_step(Pack), process.add_step(Send), process.add_step(Thank)
    deliver = process.add_step_from_process(inner)
    process.on_input_event("Begin").send_event_to(plan, parameter_name="topic")
    plan.on_event("Planned").send_event_to(price, parameter_name="order")
    plan.on_event("Planned").send_event_to(pick, parameter_name="order")
    price.on_event("Priced").send_event_to(pack, parameter_name="cents")
    pick.on_event("Picked").send_event_to(pack, parameter_name="parts")
    pack.on_event("Again").send_event_to(pack, parameter_name="cents")
    pack.on_event("AgainParts").send_event_to(pack, parameter_name="parts")
    pack.on_event("Packed").send_event_to(send, parameter_name="parts")
    send.on_event("send.OnError").send_event_to(deliver.where_input_event_is("Carry"))
    deliver.on_event("Carried").send_event_to(thank, parameter_name="why")
    return process.build()


shipping = instrument_process(make_process(), Kernel(), name="shipping")

if __name__ == "__main__":
    shipping.start_sync("Begin", data="otters")
