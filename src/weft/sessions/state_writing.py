"""Writing what has changed in a session through to the conversation that it is a view of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from weft.errors import InvalidRequestError
from weft.sessions.change import SessionChange, changed_meanwhile, same
from weft.sessions.plain import plain
from weft.store import Connection, ConversationVariable, conversation_variables, conversations
from weft.variables import ValueType, matches, revive

MAX_NAME_CHARS = 255


def change_session(
    connection: Connection,
    app_id: str,
    session_id: str,
    change: SessionChange,
    now: datetime,
    *,
    end_user_id: str | None = None,
) -> None:
    """Change the name of a conversation and the values of its variables; all of it or nothing.

    The next run sees the values. One that goes on has its own and, where it assigns to a variable, the last
    word; so has one that waits for a person.

    Args:
        connection: In a write.
        app_id: The app that it belongs to.
        session_id: Id of the conversation.
        change: What changes.
        now: When.
        end_user_id: Whose it must be; `None` for anybody's.

    Raises:
        NotFoundError: There is no such conversation, or it is somebody else's.
        InvalidRequestError: There is no such variable, or it cannot hold the value.
        ConflictError: Somebody else has changed the same thing meanwhile.
    """
    conversation = conversations.get(connection, app_id, session_id, end_user_id=end_user_id)
    variables = {
        variable.name: variable
        for variable in conversation_variables.list_all(connection, app_id, session_id)
    }
    changed = list(_changed(session_id, variables, change))
    name = change.session_name
    if name is not None:
        if change.was_name not in (None, conversation.name):
            raise changed_meanwhile(session_id, "session_name")
        if not name.strip() or len(name) > MAX_NAME_CHARS:
            raise InvalidRequestError(f"session_name must have 1 to {MAX_NAME_CHARS} characters")
    conversation_variables.upsert(
        connection, [replace(variable, value=value, updated_at=now) for variable, value in changed]
    )
    if name is not None:
        conversations.rename(connection, app_id, session_id, name, now, end_user_id=end_user_id)
    elif changed:
        conversations.touch(connection, session_id, now)


def _changed(
    session_id: str, variables: dict[str, ConversationVariable], change: SessionChange
) -> Iterator[tuple[ConversationVariable, object]]:
    for name, value in change.session_state.items():
        variable = variables.get(name)
        if variable is None:
            known = ", ".join(sorted(variables)) or "none"
            raise InvalidRequestError(
                f"session {session_id!r}: its app has no conversation variable {name!r} (it has: {known}); "
                "declare it there"
            )
        plain_value = plain(value)
        if name in change.was_state and not same(plain(variable.value), plain(change.was_state[name])):
            raise changed_meanwhile(session_id, f"session_state[{name!r}]")
        if not _fits(variable.value_type, plain_value):
            raise InvalidRequestError(
                f"session {session_id!r}: session_state[{name!r}] is declared as {variable.value_type} and "
                f"cannot hold {plain_value!r:.80}"
            )
        yield variable, plain_value


def _fits(declared: str, value: object) -> bool:
    if isinstance(value, bool) and declared == "number":
        return False
    return matches(cast(ValueType, declared), revive(value))
