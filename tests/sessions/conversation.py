"""A stored conversation in few words: rows of the store that fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from tests.store.rows import START, Rows
from weft.sessions import WorkflowSession, session_of
from weft.store import (
    Annotation,
    App,
    Connection,
    ConversationVariable,
    EndUser,
    Feedback,
    Form,
    Message,
    MessageFile,
    NodeExecution,
    Rating,
    Run,
    Workflow,
    app_annotations,
    apps,
    conversation_variables,
    conversations,
    end_users,
    feedbacks,
    forms,
    messages,
    node_executions,
    runs,
    workflows,
    workspaces,
)

ENDED = {"succeeded": "normal", "partial-succeeded": "normal", "stopped": "normal", "failed": "error"}


@dataclass
class Talk:
    """A conversation that grows turn by turn, one second each."""

    rows: Rows = field(default_factory=Rows)
    messages: list[Message] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    executions: list[NodeExecution] = field(default_factory=list)
    files: list[MessageFile] = field(default_factory=list)
    variables: list[ConversationVariable] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app: App = self.rows.app("Tea shop")
        self.user: EndUser = self.rows.end_user(self.app, "ada")
        self.conversation = self.rows.conversation(self.user)
        node = {"id": "llm", "data": {"title": "Ask", "type": "llm", "memory": {"window": {}}}}
        plain = {"id": "few", "data": {"title": "Few", "type": "llm"}}
        self.workflow: Workflow = replace(self.rows.workflow(self.app), graph={"nodes": [node, plain]})

    def turn(
        self,
        query: str = "Rain?",
        answer: str = "Yes.",
        status: str = "succeeded",
        *,
        parent: str | None = None,
        executed: bool = True,
        **details: object,
    ) -> Run:
        """Somebody asks and the app answers, or fails to."""
        seconds = len(self.messages)
        message = replace(
            self.rows.message(self.conversation, seconds, query),
            answer=answer,
            status=ENDED.get(status, "paused" if status == "paused" else "normal"),
            error="boom" if status == "failed" else None,
            parent_message_id=parent,
            message_tokens=5,
            answer_tokens=7,
            total_price=Decimal("0.001"),
            latency=1.5,
            metadata={"retriever_resources": []},
        )
        run = replace(
            self.rows.run(message),
            status=status,
            workflow_id=self.workflow.id,
            error=message.error,
            outputs={"answer": answer} if answer else {},
            total_tokens=12,
            total_price=Decimal("0.001"),
            elapsed_time=1.5,
            **details,
        )
        self.messages.append(message)
        self.runs.append(run)
        if executed:
            self.execute(run, query, answer)
        return run

    def execute(self, run: Run, query: str, answer: str, **details: object) -> NodeExecution:
        """A model is asked, with what it was asked before."""
        told = [{"role": "system", "text": "Be kind.", "files": []}]
        for message in self.messages[:-1]:
            told.append({"role": "user", "text": message.query, "files": []})
            told.append({"role": "assistant", "text": message.answer, "files": []})
        index = 1 + sum(item.run_id == run.id for item in self.executions)
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12, "total_price": "0.001"}
        execution = replace(
            self.rows.execution(run, index),
            node_id="llm",
            title="Ask",
            status="succeeded" if answer else "failed",
            process_data={
                "prompts": [*told, {"role": "user", "text": query, "files": []}],
                "model_provider": "openai",
                "model_name": "gpt",
                "usage": usage,
            },
            outputs={"text": answer, "usage": usage} if answer else None,
        )
        execution = replace(execution, **details)
        self.executions.append(execution)
        return execution

    def ask(self, run: Run, **details: object) -> Form:
        """A node of a run asks a person for a name, with two ways to go on."""
        form = Form(
            id=self.rows.ids.new(),
            run_id=run.id,
            app_id=run.app_id,
            node_id="person",
            node_title="Person",
            content="Who? {{#$output.name#}}",
            inputs=[
                {"type": "text_input", "output_variable_name": "name", "default": None},
                {"type": "select", "output_variable_name": "level", "option_source": {"value": ["a", "b"]}},
            ],
            actions=[{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
            created_at=START,
            expires_at=START + timedelta(hours=1),
            token=f"token of {run.id}",
            resolved_defaults={"name": "Ada"},
        )
        form = replace(form, **details)
        self.forms.append(form)
        waits = form.status == "waiting"
        self.execute(
            run,
            "",
            "",
            node_id="person",
            node_type="human-input",
            title="Person",
            status="paused" if waits else "succeeded",
            process_data=None,
            outputs=None if waits else dict(form.submitted or {}),
        )
        return form

    def judge(self, message: Message, rating: Rating, **details: object) -> Feedback:
        """The user says what they think of an answer."""
        feedback = Feedback(
            id=self.rows.ids.new(),
            app_id=message.app_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            rating=rating,
            from_source="user",
            created_at=START,
            updated_at=START + timedelta(seconds=5),
            end_user_id=self.user.id,
        )
        feedback = replace(feedback, **details)
        self.feedback.append(feedback)
        return feedback

    def correct(self, message: Message, answer: str) -> Annotation:
        """An editor says what the answer should have been."""
        annotation = Annotation(
            id=self.rows.ids.new(),
            app_id=message.app_id,
            question=message.query,
            answer=answer,
            created_at=START,
            updated_at=START,
            message_id=message.id,
            conversation_id=message.conversation_id,
        )
        self.annotations.append(annotation)
        return annotation

    def session(self, **changes: object) -> WorkflowSession:
        """The conversation as a session."""
        given: Mapping[str, object] = {
            "conversation": self.conversation,
            "messages": self.messages,
            "runs": self.runs,
            "node_executions": self.executions,
            "app": self.app,
            "end_user": self.user,
            "variables": self.variables,
            "files": self.files,
            "forms": self.forms,
            "feedback": self.feedback,
            "annotations": self.annotations,
            "workflow": self.workflow,
            **changes,
        }
        return session_of(**given)  # type: ignore[arg-type]  # as each test needs

    def store(self, connection: Connection) -> None:
        """Put everything into a store."""
        workspaces.find_or_create(connection, self.rows.workspace)
        apps.create(connection, self.app)
        workflows.publish(connection, self.workflow)
        end_users.find_or_create(connection, self.user)
        conversations.insert(connection, self.conversation)
        conversation_variables.insert_missing(connection, self.variables)
        for message, run in zip(self.messages, self.runs, strict=True):
            runs.start(connection, None, message, run)
            runs.finish(connection, run, message)
        # Each turn counts itself and touches the conversation; the rows here say what is right.
        conversations.touch(connection, self.conversation.id, self.conversation.updated_at)
        node_executions.append(connection, self.executions)
        messages.insert_files(connection, self.files)
        for form in self.forms:
            forms.create(connection, form)
        for feedback in self.feedback:
            feedbacks.put(connection, feedback)
        for annotation in self.annotations:
            app_annotations.insert(connection, annotation)

    def stored(self) -> Talk:
        """The same as the store counts it."""
        count = self.conversation.dialogue_count + len(self.messages)
        self.conversation = replace(self.conversation, dialogue_count=count)
        self.app = replace(self.app, workflow_id=self.workflow.id, updated_at=self.workflow.created_at)
        return self
