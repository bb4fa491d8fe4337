"""Answering from annotations: an app's question that a person has answered before asks no model again.

An app for which this is off costs a look into a dictionary per message, and a look into the store every few
seconds; other processes' changes are seen as soon as that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

from weft.clock import Clock
from weft.errors import ConfigError, ProviderError
from weft.ids import Ids
from weft.runs.likeness import AnnotationIndex, Embedder, Match
from weft.store import (
    Annotation,
    AnnotationSettings,
    AnnotationState,
    Connection,
    Store,
    annotation_replies,
    app_annotations,
)

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 2.0
"""For so long a change by another process may go unnoticed."""

Embedders: TypeAlias = Callable[[str, str], Embedder]
"""The embedder for a provider and a model; raises `ProviderError` or `ConfigError` where there is none."""


@dataclass(slots=True)
class _Known:
    """What is known of an app without asking the store."""

    read_at: float
    settings: AnnotationSettings | None = None
    state: AnnotationState | None = None
    index: AnnotationIndex | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplySettings:
    """How an app shall answer from its annotations."""

    score_threshold: float
    """How like an annotation's a question must be to be answered, 0 to 1."""
    provider: str
    model: str


@dataclass(slots=True)
class AnnotationReplies:
    """The annotations of all apps, as far as answering is concerned.

    Args:
        store: Where they are.
        embedders: Who compares questions.
        clock: The time.
        ids: New identifiers.
    """

    store: Store
    embedders: Embedders
    clock: Clock
    ids: Ids
    _known: dict[str, _Known] = field(default_factory=dict)
    _changes: int = 0
    """Counts what has happened, so that what was read before it is not kept."""

    # Answering

    async def match(self, app_id: str, question: str) -> Match | None:
        """The annotation that answers a question; `None` if the app does not answer so or none is like it."""
        known = self._known.get(app_id)
        if known is None or self.clock.monotonic() - known.read_at >= FRESH_SECONDS:
            known = await self._read(app_id)
        if known.index is None or known.settings is None:
            return None
        try:
            found = await known.index.best(question)
        except ProviderError as error:
            log.warning("app %s does not answer from its annotations now: %s", app_id, error)
            return None
        return found if found is not None and found.score >= known.settings.score_threshold else None

    async def enabled(self, app_id: str) -> bool:
        """Whether an app answers from its annotations, as the store has it."""
        settings = await self.store.read_quick(
            lambda connection: annotation_replies.find_settings(connection, app_id)
        )
        return settings is not None and settings.enabled

    # Annotations

    async def create(
        self,
        app_id: str,
        question: str,
        answer: str,
        *,
        account_id: str | None = None,
        message_id: str | None = None,
        conversation_id: str | None = None,
    ) -> Annotation:
        """Store a new annotation; it answers from now on where annotations do.

        Args:
            app_id: The app, which exists.
            question: What is asked.
            answer: What to say then.
            account_id: Who says so.
            message_id: The message that it corrects.
            conversation_id: That message's.
        """
        now = self.clock.now()
        annotation = await self._indexed(
            Annotation(
                id=self.ids.new(),
                app_id=app_id,
                question=question,
                answer=answer,
                created_at=now,
                updated_at=now,
                message_id=message_id,
                conversation_id=conversation_id,
                account_id=account_id,
            )
        )
        await self.store.write(lambda connection: app_annotations.insert(connection, annotation))
        self._forget(app_id)
        return annotation

    async def change(
        self, app_id: str, annotation_id: str, question: str, answer: str, *, account_id: str | None = None
    ) -> Annotation:
        """Give an annotation another question and answer.

        Raises:
            NotFoundError: The app has none of that id.
        """
        found = await self.store.read_quick(
            lambda connection: app_annotations.get(connection, app_id, annotation_id)
        )
        changed = msgspec.structs.replace(
            found,
            question=question,
            answer=answer,
            updated_at=self.clock.now(),
            account_id=account_id or found.account_id,
        )
        if question != found.question:
            changed = await self._indexed(
                msgspec.structs.replace(changed, embedding_model=None, embedding=None)
            )
        await self.store.write(lambda connection: app_annotations.update_content(connection, changed))
        self._forget(app_id)
        return changed

    async def remove(self, app_id: str, annotation_id: str) -> None:
        """Delete an annotation.

        Raises:
            NotFoundError: The app has none of that id.
        """
        await self.store.write(lambda connection: app_annotations.remove(connection, app_id, annotation_id))
        self._forget(app_id)

    # Switching

    async def switch_on(self, app_id: str, wanted: ReplySettings) -> None:
        """Index all annotations of an app, and answer from them from then on.

        Raises:
            ProviderError: The embedding model failed; nothing has changed.
        """
        embedder = self.embedders(wanted.provider, wanted.model)
        annotations = await self.store.read(lambda connection: app_annotations.list_all(connection, app_id))
        indexed = await _embedded(annotations, embedder)
        settings = AnnotationSettings(
            app_id, True, wanted.score_threshold, wanted.provider, wanted.model, self.clock.now()
        )

        def write(connection: Connection) -> None:
            app_annotations.update_index(connection, indexed)
            annotation_replies.put_settings(connection, settings)

        await self.store.write(write)
        self._forget(app_id)

    async def switch_off(self, app_id: str) -> None:
        """Answer from the annotations of an app no more."""
        now = self.clock.now()
        await self.store.write(lambda connection: annotation_replies.switch_off(connection, app_id, now))
        self._forget(app_id)

    # What is known

    async def _read(self, app_id: str) -> _Known:
        known = self._known.get(app_id)
        if known is None:
            known = _Known(self.clock.monotonic())
        # While this one looks, the others go on with what was known before.
        known.read_at = self.clock.monotonic()
        changes = self._changes
        settings = await self.store.read_quick(
            lambda connection: annotation_replies.find_settings(connection, app_id)
        )
        if settings is None or not settings.enabled:
            known.settings = known.state = known.index = None
        else:
            await self._read_index(known, app_id, settings)
        if changes == self._changes:
            self._known[app_id] = known
        return known

    def _forget(self, app_id: str) -> None:
        self._changes += 1
        self._known.pop(app_id, None)

    async def _read_index(self, known: _Known, app_id: str, settings: AnnotationSettings) -> None:
        def read(connection: Connection) -> tuple[AnnotationState, tuple[Annotation, ...] | None]:
            state = app_annotations.state(connection, app_id)
            if settings == known.settings and state == known.state:
                return state, None
            return state, app_annotations.list_all(connection, app_id)

        state, annotations = await self.store.read(read)
        if annotations is None:
            return
        try:
            embedder = self.embedders(settings.embedding_provider, settings.embedding_model)
        except (ConfigError, ProviderError) as error:
            log.warning("annotations of app %s answer only exact questions: %s", app_id, error)
            embedder = _Nobody()
        known.index = AnnotationIndex(annotations, embedder)
        known.settings, known.state = settings, state

    async def _indexed(self, annotation: Annotation) -> Annotation:
        """The annotation with its vector, if the app answers from annotations and the model does not fail."""
        app_id = annotation.app_id
        settings = await self.store.read_quick(
            lambda connection: annotation_replies.find_settings(connection, app_id)
        )
        if settings is None or not settings.enabled:
            return annotation
        try:
            embedder = self.embedders(settings.embedding_provider, settings.embedding_model)
            (indexed,) = await _embedded([annotation], embedder)
        except (ConfigError, ProviderError) as error:
            log.warning("annotation %s answers only the exact question: %s", annotation.id, error)
            return annotation
        return indexed


class _Nobody:
    """Stands in for an embedder that is not there any more."""

    label = ""

    async def embed(self, texts: object) -> list[list[float]]:
        """Never asked, because no annotation has a vector of this label."""
        return []


async def _embedded(
    annotations: tuple[Annotation, ...] | list[Annotation], embedder: Embedder
) -> list[Annotation]:
    if not annotations:
        return []
    vectors = await embedder.embed([annotation.question for annotation in annotations])
    return [
        msgspec.structs.replace(annotation, embedding_model=embedder.label, embedding=vector)
        for annotation, vector in zip(annotations, vectors, strict=True)
    ]
