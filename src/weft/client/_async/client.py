"""The client itself: all operations in one object."""

from __future__ import annotations

from weft.client._async.app import AppOperations
from weft.client._async.chat import ChatOperations
from weft.client._async.conversation import ConversationOperations
from weft.client._async.message import MessageOperations
from weft.client._async.run import RunOperations
from weft.client._async.variable import VariableOperations


class AsyncClient(
    ChatOperations,
    ConversationOperations,
    MessageOperations,
    VariableOperations,
    AppOperations,
    RunOperations,
):
    """One app on a Dify or Weft server, reached with its app key.

    ::

        async with AsyncClient("https://dify.example", "app-...") as client:
            answer = await client.chat_messages("Hello", user="u1")
            print(answer.answer)

    Errors are those of `weft.errors`, the same that the server raised; `error_reply` tells the HTTP
    status and code behind one. A connection that fails raises `TransportError`.
    """
