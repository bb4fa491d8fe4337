"""One run from request to record, and everything that a process needs for it.

`open_runtime` puts the house together out of settings; `Runner.start` makes rows, a pool and an engine of a
request; the `LiveRun` that it returns can be listened to and stopped; the `Recorder` listens too and has the
end on disk before anybody hears of it.
"""

from weft.runs.app_version import AppVersion, Catalog, UploadRules
from weft.runs.importing import ServedApp, serve_file
from weft.runs.keys import app_key, hash_key, operator_token
from weft.runs.live import LiveRun, LiveRuns
from weft.runs.naming import provisional_name
from weft.runs.runner import NIL_ID, Runner, RunRequest
from weft.runs.runtime import WORKSPACE_ID, Runtime, open_runtime

__all__ = [
    "NIL_ID",
    "WORKSPACE_ID",
    "AppVersion",
    "Catalog",
    "LiveRun",
    "LiveRuns",
    "RunRequest",
    "Runner",
    "Runtime",
    "ServedApp",
    "UploadRules",
    "app_key",
    "hash_key",
    "open_runtime",
    "operator_token",
    "provisional_name",
    "serve_file",
]
