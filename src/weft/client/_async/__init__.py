"""One of the client's two colours, see `scripts/unasync.py`."""
