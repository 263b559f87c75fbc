"""Logging out of the browser version: a page says so, and who runs it for a browser hears it."""

from __future__ import annotations

from textual.message import Message


class LogOut(Message):
    """Whoever looks wants to be logged out, in all dashboards of that browser."""
