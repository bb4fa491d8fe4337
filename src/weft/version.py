"""The version of this program; it stands apart so that every room may ask for it."""

__version__ = "0.1.0"
