"""Records with foreseeable ids and times, for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from weft.ids import Ids, SequentialIds
from weft.store import (
    Account,
    ApiToken,
    App,
    Conversation,
    ConversationVariable,
    EndUser,
    Message,
    MessageFile,
    NodeExecution,
    Run,
    Workflow,
    Workspace,
    workflows,
)

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The instant that many seconds after `START`."""
    return START + timedelta(seconds=seconds)


class Rows:
    """Makes records that fit together: of one workspace, and each with an id of its own."""

    def __init__(self, first_id: int = 1, ids: Ids | None = None) -> None:
        self.ids = ids or SequentialIds(first_id)
        self.workspace = Workspace(self.ids.new(), "Ours", START)

    def app(self, name: str = "Weather", source_file: str | None = None) -> App:
        return App(
            id=self.ids.new(),
            workspace_id=self.workspace.id,
            name=name,
            mode="advanced-chat",
            created_at=START,
            updated_at=START,
            tags=["weather", "日本"],
            site={"title": "Wetter"},
            source_file=source_file,
        )

    def workflow(self, app: App, content: str = "one", seconds: float = 0) -> Workflow:
        return Workflow(
            id=self.ids.new(),
            app_id=app.id,
            version=workflows.version_label(at(seconds)),
            dsl=f"content: {content}",
            content_hash=f"hash of {content}",
            graph={"nodes": [], "edges": [], "viewport": {"zoom": 0.5}},
            created_at=at(seconds),
            updated_at=at(seconds),
            features={"opening_statement": "Grüße"},
            environment_variables=[{"name": "key", "value": 1}],
        )

    def token(self, app: App, token_hash: str, seconds: float = 0) -> ApiToken:
        return ApiToken(self.ids.new(), "app", token_hash, token_hash[-4:], at(seconds), app_id=app.id)

    def account(self, email: str) -> Account:
        return Account(self.ids.new(), email, "Ada", START, START, role="owner")

    def end_user(self, app: App, session_id: str = "u1") -> EndUser:
        return EndUser(
            self.ids.new(), app.workspace_id, app.id, session_id, START, START, external_user_id=session_id
        )

    def conversation(self, end_user: EndUser, seconds: float = 0, name: str = "Rain") -> Conversation:
        return Conversation(
            id=self.ids.new(),
            app_id=end_user.app_id,
            name=name,
            from_source="api",
            created_at=at(seconds),
            updated_at=at(seconds),
            end_user_id=end_user.id,
            invoke_from="service-api",
            inputs={"city": "Köln"},
            introduction="Hello Köln",
            dialogue_count=1,
        )

    def message(self, conversation: Conversation, seconds: float = 0, query: str = "Rain?") -> Message:
        return Message(
            id=self.ids.new(),
            app_id=conversation.app_id,
            conversation_id=conversation.id,
            query=query,
            from_source="api",
            created_at=at(seconds),
            updated_at=at(seconds),
            run_id=self.ids.new(),
            end_user_id=conversation.end_user_id,
            invoke_from="service-api",
            inputs=conversation.inputs,
        )

    def file(self, message: Message, seconds: float = 0, **changes: str) -> MessageFile:
        return MessageFile(
            self.ids.new(), message.id, "image", "local_file", "user", at(seconds), name="a.png", size=2**40
        )

    def variable(self, conversation: Conversation, name: str, value: object) -> ConversationVariable:
        return ConversationVariable(
            id=self.ids.new(),
            conversation_id=conversation.id,
            app_id=conversation.app_id,
            variable_id=f"id of {name}",
            name=name,
            value_type="string",
            created_at=conversation.created_at,
            updated_at=conversation.created_at,
            value=value,
            description="what it is",
        )

    def run(self, message: Message, owner_id: str | None = None) -> Run:
        return Run(
            id=message.run_id or self.ids.new(),
            app_id=message.app_id,
            workflow_id="00000000-0000-7000-8000-00000000aaaa",
            version="2026-01-31 09:30:00.000000",
            mode="advanced-chat",
            log_id=self.ids.new(),
            triggered_from="app-run",
            created_from="service-api",
            created_by_role="end_user",
            created_at=message.created_at,
            conversation_id=message.conversation_id,
            message_id=message.id,
            end_user_id=message.end_user_id,
            task_id=self.ids.new(),
            owner_id=owner_id,
            inputs={"sys.query": message.query, **message.inputs},
        )

    def execution(self, run: Run, index: int) -> NodeExecution:
        return NodeExecution(
            id=self.ids.new(),
            run_id=run.id,
            app_id=run.app_id,
            index=index,
            node_id=f"node{index}",
            node_type="llm",
            title=f"Node {index}",
            status="succeeded",
            created_at=run.created_at,
            inputs={"text": "in"},
            process_data={"usage": {"total_price": "0.001"}},
            outputs={"text": "out"},
            elapsed_time=0.25,
            execution_metadata={"total_tokens": 7},
            extras={},
            finished_at=run.created_at + timedelta(seconds=0.25),
        )


ANSWERED = {
    "answer": "Yes.",
    "metadata": {"usage": {"total_tokens": 12}},
    "message_tokens": 5,
    "answer_tokens": 7,
    "total_price": Decimal("0.0010"),
    "latency": 1.5,
}
"""What a run makes of a message."""
SUCCEEDED = {
    "status": "succeeded",
    "outputs": {"answer": "Yes."},
    "elapsed_time": 1.5,
    "total_tokens": 12,
    "total_price": Decimal("0.0010"),
    "total_steps": 3,
}
"""What becomes of a run."""
