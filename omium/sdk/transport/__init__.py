"""Transport: everything of the SDK that touches a network.

    ports.py    this process's writer and lean connections, for flows that drive executions
    client.py   httpx, for the clients; the only module of the SDK that imports it

The bytes, the batches and the retries are one level up (wire.py, batch.py, exchange.py).
"""

from omium.sdk.transport.ports import Transport

__all__ = ["Transport"]
