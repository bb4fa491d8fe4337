# Written by scripts/unasync.py from ../_async/client.py; change that file instead.
"""The client itself: all operations in one object."""

from __future__ import annotations

from weft.client._sync.annotation import AnnotationOperations
from weft.client._sync.app import AppOperations
from weft.client._sync.completion import CompletionOperations
from weft.client._sync.conversation import ConversationOperations
from weft.client._sync.feedback import FeedbackOperations
from weft.client._sync.file import FileOperations
from weft.client._sync.form import FormOperations
from weft.client._sync.message import MessageOperations
from weft.client._sync.run import RunOperations
from weft.client._sync.session import AppSession
from weft.client._sync.session_part import SessionOperations
from weft.client._sync.variable import VariableOperations


class Client(
    FormOperations,
    CompletionOperations,
    ConversationOperations,
    MessageOperations,
    VariableOperations,
    FeedbackOperations,
    FileOperations,
    AnnotationOperations,
    AppOperations,
    RunOperations,
    SessionOperations,
    AppSession,
):
    """One app on a Dify or Weft server, reached with its app key.

    ::

        with Client("https://dify.example", "app-...") as client:
            answer = client.chat_messages("Hello", user="u1")
            print(answer.answer)

    Errors are those of `weft.errors`, the same that the server raised; `error_reply` tells the HTTP
    status and code behind one. A connection that fails raises `TransportError`.
    """
