# Written by scripts/unasync.py from ../_async/__init__.py; change that file instead.
"""One of the client's two colours, see `scripts/unasync.py`."""
