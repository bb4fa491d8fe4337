"""The far side of the wall: runs in processes of its own, started clean, that never saw the server.

Everything here imports the standard library and its own neighbours, nothing else of Weft, because the
interpreter that runs it has neither site-packages nor the server's path. The order of life is
`zygote` (waits, forks) -> `child` (confines itself, reads a request) -> `python_code` or `javascript_code`.
"""
