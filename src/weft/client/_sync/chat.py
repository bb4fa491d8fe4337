# Written by scripts/unasync.py from ../_async/chat.py; change that file instead.
"""Sending messages. Source: Dify service API, `/chat-messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weft import wire
from weft.client._call import Call, given, path, send, send_only, stream
from weft.client._rejoin import Rejoin
from weft.client._sync.session import Session
from weft.client._sync.stream import EventStream

if TYPE_CHECKING:
    from weft.wire import ChatAnswer, FileInput


class ChatOperations(Session):
    """Messages to an app and their answers."""

    def chat_messages(
        self,
        query: str,
        *,
        user: str,
        inputs: Mapping[str, object] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
        auto_generate_name: bool = True,
        workflow_id: str | None = None,
    ) -> ChatAnswer:
        """Send a message and wait for the whole answer.

        Args:
            query: What is asked; not empty.
            user: Who asks, 1 to 255 characters; conversations belong to one user.
            inputs: Values of the start node's variables; needed with every message.
            conversation_id: Goes on with this conversation; ``None`` begins a new one.
            files: Uploads or addresses.
            auto_generate_name: Whether a new conversation gets a title made by a model.
            workflow_id: Published version to run instead of the current one.

        Returns:
            The answer; its `paused` is true when the run waits for a human input form.

        Raises:
            InvalidRequestError: A field is wrong; most are found before anything is sent.
            NotFoundError: The conversation or the workflow version does not exist.
            RunError: The run failed.
            ProviderError: A model failed.
            TooManyRequestsError: The app is busy.
        """
        fields = given(
            query=query,
            user=user,
            conversation_id=conversation_id,
            files=files,
            workflow_id=workflow_id,
        )
        return self._send(
            send(
                "POST",
                wire.ChatAnswer,
                "/chat-messages",
                wire.ChatRequest,
                {
                    **fields,
                    "inputs": inputs or {},
                    "auto_generate_name": auto_generate_name,
                    "response_mode": "blocking",
                },
                waits_for_run=True,
            )
        )

    def stream_chat_messages(
        self,
        query: str,
        *,
        user: str,
        inputs: Mapping[str, object] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
        auto_generate_name: bool = True,
        workflow_id: str | None = None,
        stop_on_exit: bool = False,
        reconnects: int = 0,
    ) -> EventStream:
        """Send a message and read the answer while it comes into being.

        Args:
            query: As in `chat_messages`, like the arguments that follow.
            user: Who asks.
            inputs: Values of the start node's variables.
            conversation_id: Goes on with this conversation.
            files: Uploads or addresses.
            auto_generate_name: Whether a new conversation gets a title.
            workflow_id: Published version to run.
            stop_on_exit: Whether leaving the stream early stops the run.
            reconnects: How often a stream that breaks off after its run has begun is joined again, where
                the server can do that; see `EventStream`.

        Returns:
            The stream; nothing is sent before it is entered or read.

        Raises:
            InvalidRequestError: A field is wrong.
        """
        fields = given(
            query=query,
            user=user,
            conversation_id=conversation_id,
            files=files,
            workflow_id=workflow_id,
        )
        call = stream(
            "/chat-messages",
            wire.ChatRequest,
            {**fields, "inputs": inputs or {}, "auto_generate_name": auto_generate_name},
        )
        return EventStream(
            self,
            call,
            has_message=True,
            stop=lambda task_id: _stop(task_id, user),
            stop_on_exit=stop_on_exit,
            rejoin=Rejoin.of(user),
            reconnects=reconnects,
        )

    def stop(self, task_id: str, *, user: str) -> None:
        """Ask the server to end a running answer; succeeds for every task, known or not.

        Args:
            task_id: From the answer's events.
            user: Who asked for the answer; nobody else can stop it.
        """
        self._send(_stop(task_id, user))


def _stop(task_id: str, user: str) -> Call[None]:
    return send_only("POST", path("chat-messages", task_id, "stop"), wire.StopRequest, {"user": user})
