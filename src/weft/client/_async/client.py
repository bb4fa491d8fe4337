"""The client itself: all operations in one object."""

from __future__ import annotations

from weft.client._async.annotation import AnnotationOperations
from weft.client._async.app import AppOperations
from weft.client._async.completion import CompletionOperations
from weft.client._async.conversation import ConversationOperations
from weft.client._async.feedback import FeedbackOperations
from weft.client._async.file import FileOperations
from weft.client._async.form import FormOperations
from weft.client._async.message import MessageOperations
from weft.client._async.run import RunOperations
from weft.client._async.session import AppSession
from weft.client._async.session_part import SessionOperations
from weft.client._async.variable import VariableOperations


class AsyncClient(
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

        async with AsyncClient("https://dify.example", "app-...") as client:
            answer = await client.chat_messages("Hello", user="u1")
            print(answer.answer)

    Errors are those of `weft.errors`, the same that the server raised; `error_reply` tells the HTTP
    status and code behind one. A connection that fails raises `TransportError`.
    """
