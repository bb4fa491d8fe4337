"""One run from request to record, and everything that a process needs for it.

`open_runtime` puts the house together out of settings; `Runner.start` makes rows, a pool and an engine of a
request; the `LiveRun` that it returns can be listened to and stopped; the `Recorder` listens too and has the
end on disk before anybody hears of it.
"""

from weft.runs.annotation_job import AnnotationJobs
from weft.runs.annotation_reply import AnnotationReplies, ReplySettings
from weft.runs.app_version import AppVersion, BuildNode, Catalog, UploadRules
from weft.runs.authoring import find_draft, import_app, new_app, save_draft, version_of
from weft.runs.direct_answer import DirectAnswer, DirectAnswers
from weft.runs.draft_content import DraftContent, masked
from weft.runs.dsl_text import DSL_VERSION, WITHOUT_GRAPH, render_app
from weft.runs.file_deletion import (
    delete_app_files,
    delete_unused_files,
    sweep_files,
)
from weft.runs.filing import Filing
from weft.runs.forms import (
    FormClosedError,
    InvalidFormError,
    action_title,
    find_open_form,
    form_requested,
    submit_form,
)
from weft.runs.imported_file import ImportedFile, ImportRefusedError, read_import
from weft.runs.importing import ServedApp, serve_file
from weft.runs.keys import app_key, hash_key, operator_token
from weft.runs.live import LiveRun, LiveRuns, Watcher
from weft.runs.naming import provisional_name
from weft.runs.password import hash_password, verify_password
from weft.runs.pauses import finished_event, is_answered, paused_event
from weft.runs.preparing import NIL_ID
from weft.runs.progress import without_details
from weft.runs.removal import DELETED, remove_deleted
from weft.runs.request import RunRequest
from weft.runs.runner import Runner
from weft.runs.runtime import WORKSPACE_ID, Runtime, open_runtime
from weft.runs.suggesting import suggest

__all__ = [
    "DELETED",
    "DSL_VERSION",
    "NIL_ID",
    "WITHOUT_GRAPH",
    "WORKSPACE_ID",
    "AnnotationJobs",
    "AnnotationReplies",
    "AppVersion",
    "BuildNode",
    "Catalog",
    "DirectAnswer",
    "DirectAnswers",
    "DraftContent",
    "Filing",
    "FormClosedError",
    "ImportRefusedError",
    "ImportedFile",
    "InvalidFormError",
    "LiveRun",
    "LiveRuns",
    "ReplySettings",
    "RunRequest",
    "Runner",
    "Runtime",
    "ServedApp",
    "UploadRules",
    "Watcher",
    "action_title",
    "app_key",
    "delete_app_files",
    "delete_unused_files",
    "find_draft",
    "find_open_form",
    "finished_event",
    "form_requested",
    "hash_key",
    "hash_password",
    "import_app",
    "is_answered",
    "masked",
    "new_app",
    "open_runtime",
    "operator_token",
    "paused_event",
    "provisional_name",
    "read_import",
    "remove_deleted",
    "render_app",
    "save_draft",
    "serve_file",
    "submit_form",
    "suggest",
    "sweep_files",
    "verify_password",
    "version_of",
    "without_details",
]
