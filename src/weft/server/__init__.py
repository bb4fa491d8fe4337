"""The server: HTTP in, stream events out; everything in between is done by the rooms below.

It translates and decides nothing of its own: keys to apps, bodies to requests, events to frames, errors to
codes.
"""

from weft.server.app import create_app
from weft.server.serving import Serving, serving

__all__ = ["Serving", "create_app", "serving"]
