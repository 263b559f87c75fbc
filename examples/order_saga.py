"""An order: reserve, pay, ship. Effects are done at most once, and a rollback undoes them in reverse order.

    python examples/order_saga.py           goes well
    python examples/order_saga.py lost      dies between paying and knowing it: the outcome is unknown

After `lost`: `omium failures list` shows the payment whose outcome nobody knows. Look at the provider, then
confirm, redo or skip it with `omium decide`, and resume. To undo an order that is paused or has failed:
`omium rollback ID --to-step reserve`, then `omium resume ID --here` runs `refund` and `put_back`.

`shop.txt` stands for the world outside: what is written there cannot be taken back by a database.
"""

import os
import sys
from pathlib import Path
from typing import Any

import omium

SHOP = Path("shop.txt")


def outside(deed: str) -> None:
    """Change the world."""
    with SHOP.open("a") as shop:
        shop.write(deed + "\n")


def put_back(inputs: dict[str, Any], output: Any, effect_key: str) -> None:  # noqa: ARG001  # the contract's three
    """Undo `reserve`."""
    outside(f"put back {inputs['item']}")


def refund(inputs: dict[str, Any], output: Any, effect_key: str) -> None:  # noqa: ARG001  # the contract's three
    """Undo `pay`; the receiver uses `effect_key` to refund once."""
    outside(f"refund {output}")


@omium.step(effect=True, compensate=put_back)
def reserve(item: str) -> str:
    """Take the item off the shelf."""
    outside(f"reserve {item}")
    return item


@omium.step(effect=True, compensate=refund)
def pay(item: str, amount: int) -> str:
    """Charge the card. Dying in here leaves a payment of which nobody knows whether it happened."""
    outside(f"pay {amount} for {item}")
    if os.environ.get("SHOP") == "lost":
        os._exit(9)
    return "receipt-1"


@omium.step
def ship(item: str) -> str:
    """Send it; fails for what cannot be sent."""
    if item == "elephant":
        raise ValueError("an elephant does not fit into a parcel")
    outside(f"ship {item}")
    return f"{item} is on its way"


@omium.workflow
def order(item: str, amount: int) -> str:
    """Reserve, pay, ship."""
    reserved = reserve(item)
    pay(reserved, amount)
    return ship(reserved)


if __name__ == "__main__":
    os.environ["SHOP"] = sys.argv[1] if len(sys.argv) > 1 else ""
    print(order("elephant" if "elephant" in sys.argv else "kettle", 40))
