"""Human input: forms that paused runs wait for. Source: Dify service API, `/form/human_input`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from weft import wire
from weft.client._async.chat import ChatOperations
from weft.client._async.stream import AsyncEventStream
from weft.client._call import get, path, send_only
from weft.client._form import FillForm, token_of

if TYPE_CHECKING:
    from weft.client._events import StreamResult
    from weft.wire import FileInput, FormDefinition, HumanInputForm


class FormOperations(ChatOperations):
    """Forms that paused runs wait for."""

    async def get_form(self, form_token: str) -> HumanInputForm:
        """A form that waits to be filled in.

        Args:
            form_token: From `human_input_required` or `extra_contents`.

        Raises:
            NotFoundError: There is no such form in this app.
            ConflictError: It was submitted before, or has expired.
        """
        return await self._send(get(wire.HumanInputForm, path("form", "human_input", form_token)))

    async def submit_form(
        self, form_token: str, action: str, inputs: Mapping[str, object] | None = None, *, user: str
    ) -> None:
        """Fill a form in; its run goes on in the background, see `resume_events`.

        Args:
            form_token: Which form.
            action: Id of one of its actions.
            inputs: Values by `output_variable_name`.
            user: Who does it; anybody who has the token may.

        Raises:
            InvalidRequestError: There is no such action, or an input is missing.
            ConflictError: It was submitted before, or has expired.
        """
        fields = {"user": user, "inputs": inputs or {}, "action": action}
        address = path("form", "human_input", form_token)
        await self._send(send_only("POST", address, wire.FormSubmitRequest, fields))

    async def chat_with_forms(
        self,
        query: str,
        fill: FillForm,
        *,
        user: str,
        inputs: Mapping[str, object] | None = None,
        conversation_id: str | None = None,
        files: Sequence[FileInput | Mapping[str, object]] | None = None,
    ) -> StreamResult:
        """Send a message, fill in every form that its run asks for, and return what came of it.

        Args:
            query: As in `chat_messages`, like the arguments that follow.
            fill: Reads a form and says what to reply; several forms are asked one after the other.
            user: Who asks, and who fills in.
            inputs: Values of the start node's variables.
            conversation_id: Goes on with this conversation.
            files: Uploads or addresses.

        Raises:
            InvalidRequestError: A form is delivered by other ways, or the reply does not fit it.
            ConflictError: Somebody else was faster, or a form has expired.
            NotFoundError: The server cannot join a run again.
        """
        stream = self.stream_chat_messages(
            query, user=user, inputs=inputs, conversation_id=conversation_id, files=files
        )
        replied = 0
        async with stream:
            result = await stream.collect()
            if result.pause is None:
                return result
            # Joined before anything is submitted, so that nothing is missed.
            await stream.resume()
            replied = await self._reply(stream, fill, user, replied)
            async for event in stream:
                if isinstance(event, wire.WorkflowPausedEvent):
                    replied = await self._reply(stream, fill, user, replied)
        return result

    async def _reply(self, stream: AsyncEventStream, fill: FillForm, user: str, replied: int) -> int:
        forms: Sequence[FormDefinition] = stream.result.forms[replied:]
        for form in forms:
            reply = fill(form)
            await self.submit_form(token_of(form), reply.action, reply.inputs, user=user)
        return replied + len(forms)
