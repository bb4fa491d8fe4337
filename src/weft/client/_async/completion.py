"""Asking a completion app. Source: Dify service API, `/completion-messages`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.session import Session
from weft.client._async.stream import AsyncEventStream
from weft.client._call import Call, given, path, send, send_only, stream
from weft.client._rejoin import Rejoin

if TYPE_CHECKING:
    from weft.wire import ChatAnswer, FileInput


class CompletionOperations(Session):
    """Answers of a completion app, which has no conversations."""

    async def completion_messages(
        self,
        inputs: Mapping[str, object],
        *,
        user: str,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
    ) -> ChatAnswer:
        """Ask a completion app and wait for the whole answer.

        Args:
            inputs: Values of the app's variables; ``query`` is one of them.
            user: Who asks, 1 to 255 characters.
            files: Uploads or addresses.

        Raises:
            InvalidRequestError: An input is wrong, or the app is no completion app.
            ProviderError: A model failed.
        """
        return await self._send(
            send(
                "POST",
                wire.ChatAnswer,
                "/completion-messages",
                wire.CompletionRequest,
                {**given(user=user, files=files), "inputs": inputs, "response_mode": "blocking"},
                waits_for_run=True,
            )
        )

    def stream_completion_messages(
        self,
        inputs: Mapping[str, object],
        *,
        user: str,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
        stop_on_exit: bool = False,
    ) -> AsyncEventStream:
        """Ask a completion app and read the answer while it comes into being.

        Args:
            inputs: As in `completion_messages`, like the arguments that follow.
            user: Who asks.
            files: Uploads or addresses.
            stop_on_exit: Whether leaving the stream early stops the answer.

        Returns:
            The stream; nothing is sent before it is entered or read.

        Raises:
            InvalidRequestError: A field is wrong.
        """
        call = stream(
            "/completion-messages",
            wire.CompletionRequest,
            {**given(user=user, files=files), "inputs": inputs},
        )
        return AsyncEventStream(
            self,
            call,
            has_message=True,
            stop=lambda task_id: _stop(task_id, user),
            stop_on_exit=stop_on_exit,
            rejoin=Rejoin.of(user),
        )

    async def stop_completion(self, task_id: str, *, user: str) -> None:
        """Ask the server to end a running answer; succeeds for every task, known or not.

        Args:
            task_id: From the answer's events.
            user: Who asked for the answer.
        """
        await self._send(_stop(task_id, user))


def _stop(task_id: str, user: str) -> Call[None]:
    return send_only("POST", path("completion-messages", task_id, "stop"), wire.StopRequest, {"user": user})
