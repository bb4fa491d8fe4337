"""Answers that an annotation or the app's moderation gives: stored like any other, without a run."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime

from weft.errors import NotFoundError, WeftError
from weft.nodes import Services
from weft.providers import Usage
from weft.runs.annotation_reply import AnnotationReplies
from weft.runs.likeness import Match
from weft.runs.moderation import ModerationRules, refusal
from weft.runs.preparing import NIL_ID
from weft.runs.recorder import message_file
from weft.runs.request import RunRequest
from weft.runs.runner import Runner
from weft.store import (
    Annotation,
    AnnotationHit,
    Connection,
    Conversation,
    Message,
    Store,
    accounts,
    app_annotations,
    conversations,
    messages,
)
from weft.store import files as stored_files
from weft.variables import Value

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """An answer that is on disk already."""

    message: Message
    task_id: str
    """There is nothing under it to stop."""


@dataclass(slots=True)
class DirectAnswers:
    """Answers questions before anything runs.

    Args:
        replies: The annotations.
        runner: Checks requests and makes up titles.
        store: Where records go.
        services: Clock and ids.
    """

    replies: AnnotationReplies
    runner: Runner
    store: Store
    services: Services
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def find(self, request: RunRequest) -> DirectAnswer | None:
        """Refuse what the app is not to hear, or answer from its annotations; `None` leaves it to a run.

        Raises:
            InvalidRequestError: It is answered, but files or inputs do not fit the app.
            ProviderError: The model that judges the question, or finds annotations, could not be asked.
            NotFoundError: The conversation was deleted meanwhile.
            StoreError: The answer could not be stored.
        """
        if request.query is None:
            return None
        rules, match = request.version.moderation, None
        text = None if rules is None else await self._refusal(rules, request, request.query)
        if text is None:
            match = await self.replies.match(request.app.id, request.query)
            if match is None:
                return None
            text = match.annotation.answer
        answer = await self._store(request, request.query, text, match)
        if request.conversation is None and request.auto_generate_name:
            task = asyncio.create_task(self._name(request, request.query, answer.message.conversation_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return answer

    async def close(self) -> None:
        """Leave the conversations that have no title yet without one."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _refusal(self, rules: ModerationRules, request: RunRequest, query: str) -> str | None:
        return await refusal(rules, self.services.models, query, request.inputs.values())

    async def _store(self, request: RunRequest, query: str, text: str, match: Match | None) -> DirectAnswer:
        ids, now = self.services.ids, self.services.clock.now()
        given = await self.runner.preparer.accept(request)
        conversation = self.runner.preparer.conversation(request, given.stored_inputs)
        message_id = ids.new()
        rows = [message_file(file, message_id, "user", now, ids) for file in given.files]
        hit = None if match is None else self._hit(request, query, match, message_id, now)

        def write(connection: Connection) -> Message:
            message = Message(
                id=message_id,
                app_id=request.app.id,
                conversation_id=conversation.id,
                query=query,
                from_source="api",
                created_at=now,
                updated_at=now,
                parent_message_id=NIL_ID,
                end_user_id=request.end_user.id,
                invoke_from="service-api",
                answer=text,
                inputs=given.stored_inputs,
                metadata={
                    "annotation_reply": None if match is None else _source(connection, match.annotation),
                    "retriever_resources": [],
                    "usage": Usage.zero().to_wire(),
                },
            )
            self._begin(connection, request, conversation, message)
            messages.insert(connection, message)
            messages.insert_files(connection, rows)
            # There is no run; what counts is that the uploads are in use.
            stored_files.claim(connection, given.uploads, conversation_id=conversation.id, run_id=message_id)
            if hit is not None:
                app_annotations.record_hit(connection, hit)
            return message

        return DirectAnswer(await self.store.write(write), ids.new())

    def _hit(
        self, request: RunRequest, query: str, match: Match, message_id: str, now: datetime
    ) -> AnnotationHit:
        annotation = match.annotation
        return AnnotationHit(
            id=self.services.ids.new(),
            annotation_id=annotation.id,
            app_id=request.app.id,
            message_id=message_id,
            source="api",
            question=query,
            annotation_question=annotation.question,
            annotation_answer=annotation.answer,
            score=match.score,
            created_at=now,
            end_user_id=request.end_user.id,
        )

    @staticmethod
    def _begin(
        connection: Connection, request: RunRequest, conversation: Conversation, message: Message
    ) -> None:
        if request.conversation is None:
            conversations.insert(connection, conversation)
        else:
            conversations.bump(connection, conversation.id, message.created_at)

    async def _name(self, request: RunRequest, query: str, conversation_id: str) -> None:
        """Give a new conversation a better name; trouble leaves it the name that it has."""
        try:
            name = await self.runner.name_conversation(request.version, query)
            now = self.services.clock.now()
            await self.store.write(
                lambda connection: conversations.rename(
                    connection, request.app.id, conversation_id, name, now, end_user_id=None
                )
            )
        except NotFoundError:
            return  # deleted meanwhile
        except WeftError as error:
            log.info("conversation %s keeps its name: %s", conversation_id, error)
        except Exception:  # the border around a background task
            log.exception("conversation %s keeps its name", conversation_id)


def _source(connection: Connection, annotation: Annotation) -> dict[str, Value]:
    """Where an answer came from, as its message shows it to the app's people."""
    author_id = annotation.account_id
    author = None if author_id is None else accounts.find(connection, author_id)
    return {"id": annotation.id, "account": {"id": author_id, "name": "" if author is None else author.name}}
