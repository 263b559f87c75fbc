"""Omium: the reliability operating system for multi-agent AI, self-hosted.

Owns the public names of the SDK, loaded lazily (PEP 562) so that `import omium` costs next to nothing beside
the framework that it is imported next to. Holds no logic. Where to look next: `omium.errors` for everything
that can be raised, `docs/architecture.md` for the house.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
