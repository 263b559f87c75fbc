"""Stripe as far as it is used here: a server on loopback that answers in the shapes that its API documents.

Same idempotency key, same answer. Signatures are computed as Stripe documents them: HMAC-SHA256 with the
endpoint's secret over `<timestamp>.<body>`.
"""

import hashlib
import hmac
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

SECRET = "whsec_test_of_this_server"
KEY = "sk_test_of_this_server"


class FakeStripe:
    """What was asked for, and what to answer with instead of a session."""

    def __init__(self):
        self.requests = []
        self.sessions = {}
        self.failure = None  # (status, error object)
        self.base_url = ""

    def answer(self, path, headers, form):
        self.requests.append((path, headers, form))
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key provided"}}
        if self.failure is not None:
            status, error = self.failure
            return status, {"error": error}
        key = headers["idempotency-key"]
        if key not in self.sessions:
            number = len(self.sessions) + 1
            self.sessions[key] = session(f"cs_test_{number}", form)
        return 200, self.sessions[key]


def session(session_id, form):
    """The shape of a Checkout Session (API reference, "The Checkout Session object"), shortened."""
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_total": int(form["line_items[0][price_data][unit_amount]"]),
        "client_reference_id": form["client_reference_id"],
        "currency": form["line_items[0][price_data][currency]"],
        "livemode": False,
        "metadata": {
            "omium_payment_id": form["metadata[omium_payment_id]"],
            "omium_tenant_id": form["metadata[omium_tenant_id]"],
        },
        "mode": "payment",
        "payment_intent": None,
        "payment_status": "unpaid",
        "status": "open",
        "url": f"https://checkout.stripe.com/c/pay/{session_id}",
    }


@contextmanager
def serve_stripe():
    """Serve a FakeStripe on loopback."""
    fake = FakeStripe()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = fake.answer(self.path, headers, dict(parse_qsl(body)))
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sign(body, now_us, secret=SECRET, scheme="v1"):
    """Return the `Stripe-Signature` header for `body`."""
    timestamp = now_us // 1_000_000
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},{scheme}={digest}"


def event(event_id, event_type, told):
    """The shape of an Event (API reference, "The Event object"), shortened."""
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "api_version": "2026-06-30",
            "created": 1_800_000_000,
            "data": {"object": told},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
    ).encode()
