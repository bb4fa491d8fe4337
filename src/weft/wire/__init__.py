"""The HTTP contract of the Chatflow App API: bodies, stream events, pages, the error body, SSE frames.

Server and client share these models and nothing else. A name is imported when it is first used, so
that a program which needs three models does not pay for a hundred. The models of the console API are in
`weft.wire.console`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.wire import console as console
    from weft.wire._field import JsonObject as JsonObject
    from weft.wire._field import parse_uuid as parse_uuid
    from weft.wire._model import SparseModel as SparseModel
    from weft.wire._model import WireModel as WireModel
    from weft.wire.annotation import Annotation as Annotation
    from weft.wire.annotation import AnnotationPage as AnnotationPage
    from weft.wire.annotation import AnnotationReplyAction as AnnotationReplyAction
    from weft.wire.annotation import AnnotationReplyJob as AnnotationReplyJob
    from weft.wire.annotation import AnnotationReplyJobStatus as AnnotationReplyJobStatus
    from weft.wire.annotation import AnnotationReplyRequest as AnnotationReplyRequest
    from weft.wire.annotation import AnnotationRequest as AnnotationRequest
    from weft.wire.annotation import AnnotationsQuery as AnnotationsQuery
    from weft.wire.app import AppInfo as AppInfo
    from weft.wire.app import AppMeta as AppMeta
    from weft.wire.app import AppParameters as AppParameters
    from weft.wire.app import Feature as Feature
    from weft.wire.app import FileUploadFeature as FileUploadFeature
    from weft.wire.app import FormControl as FormControl
    from weft.wire.app import ImageUploadFeature as ImageUploadFeature
    from weft.wire.app import ModerationFeature as ModerationFeature
    from weft.wire.app import Site as Site
    from weft.wire.app import SystemParameters as SystemParameters
    from weft.wire.app import TextToSpeechFeature as TextToSpeechFeature
    from weft.wire.app import ToolIcon as ToolIcon
    from weft.wire.audio import AudioToTextAnswer as AudioToTextAnswer
    from weft.wire.audio import TextToAudioRequest as TextToAudioRequest
    from weft.wire.chat import ChatAnswer as ChatAnswer
    from weft.wire.chat import ChatRequest as ChatRequest
    from weft.wire.chat import CompletionRequest as CompletionRequest
    from weft.wire.chat import PausedAnswer as PausedAnswer
    from weft.wire.chat import ResponseMode as ResponseMode
    from weft.wire.chat import Result as Result
    from weft.wire.chat import StopRequest as StopRequest
    from weft.wire.conversation import Conversation as Conversation
    from weft.wire.conversation import ConversationDeleteRequest as ConversationDeleteRequest
    from weft.wire.conversation import ConversationPage as ConversationPage
    from weft.wire.conversation import ConversationRenameRequest as ConversationRenameRequest
    from weft.wire.conversation import ConversationSort as ConversationSort
    from weft.wire.conversation import ConversationsQuery as ConversationsQuery
    from weft.wire.end_user import DEFAULT_USER as DEFAULT_USER
    from weft.wire.end_user import EndUser as EndUser
    from weft.wire.end_user import EndUserSummary as EndUserSummary
    from weft.wire.end_user import read_user as read_user
    from weft.wire.error import ErrorBody as ErrorBody
    from weft.wire.error import invalid_request as invalid_request
    from weft.wire.feedback import Feedback as Feedback
    from weft.wire.feedback import FeedbackList as FeedbackList
    from weft.wire.feedback import FeedbackRequest as FeedbackRequest
    from weft.wire.feedback import FeedbacksQuery as FeedbacksQuery
    from weft.wire.feedback import Rating as Rating
    from weft.wire.file import FileInput as FileInput
    from weft.wire.file import FilePreviewQuery as FilePreviewQuery
    from weft.wire.file import FileType as FileType
    from weft.wire.file import FileUpload as FileUpload
    from weft.wire.file import TransferMethod as TransferMethod
    from weft.wire.file import parse_file_inputs as parse_file_inputs
    from weft.wire.form import FormAction as FormAction
    from weft.wire.form import FormDefinition as FormDefinition
    from weft.wire.form import FormInput as FormInput
    from weft.wire.form import FormInputDefault as FormInputDefault
    from weft.wire.form import FormSubmissionData as FormSubmissionData
    from weft.wire.form import FormSubmitRequest as FormSubmitRequest
    from weft.wire.form import HumanInputContent as HumanInputContent
    from weft.wire.form import HumanInputForm as HumanInputForm
    from weft.wire.instant import Instant as Instant
    from weft.wire.instant import parse_instant as parse_instant
    from weft.wire.instant import render_instant as render_instant
    from weft.wire.instant import unix_seconds as unix_seconds
    from weft.wire.message import NIL_UUID as NIL_UUID
    from weft.wire.message import AgentThought as AgentThought
    from weft.wire.message import Message as Message
    from weft.wire.message import MessageFeedback as MessageFeedback
    from weft.wire.message import MessageFile as MessageFile
    from weft.wire.message import MessagePage as MessagePage
    from weft.wire.message import MessagesQuery as MessagesQuery
    from weft.wire.message import SuggestedQuery as SuggestedQuery
    from weft.wire.message import SuggestedQuestions as SuggestedQuestions
    from weft.wire.metadata import AnswerMetadata as AnswerMetadata
    from weft.wire.metadata import RetrieverResource as RetrieverResource
    from weft.wire.page import CursorPage as CursorPage
    from weft.wire.page import Listing as Listing
    from weft.wire.page import Page as Page
    from weft.wire.request import encode_request as encode_request
    from weft.wire.request import parse_answer as parse_answer
    from weft.wire.request import parse_request as parse_request
    from weft.wire.run import AccountSummary as AccountSummary
    from weft.wire.run import LogStatus as LogStatus
    from weft.wire.run import RunDetail as RunDetail
    from weft.wire.run import RunEventsQuery as RunEventsQuery
    from weft.wire.run import RunSummary as RunSummary
    from weft.wire.run import WorkflowAnswer as WorkflowAnswer
    from weft.wire.run import WorkflowLog as WorkflowLog
    from weft.wire.run import WorkflowLogPage as WorkflowLogPage
    from weft.wire.run import WorkflowLogsQuery as WorkflowLogsQuery
    from weft.wire.run import WorkflowResult as WorkflowResult
    from weft.wire.run import WorkflowRunRequest as WorkflowRunRequest
    from weft.wire.session import SessionChangeRequest as SessionChangeRequest
    from weft.wire.session import SessionRunPage as SessionRunPage
    from weft.wire.session import SessionState as SessionState
    from weft.wire.session import SessionSummary as SessionSummary
    from weft.wire.session import SessionSummaryPage as SessionSummaryPage
    from weft.wire.sse import PING as PING
    from weft.wire.sse import SseDecoder as SseDecoder
    from weft.wire.sse import encode_frame as encode_frame
    from weft.wire.status import NodeStatus as NodeStatus
    from weft.wire.status import RunStatus as RunStatus
    from weft.wire.stream import AgentLogData as AgentLogData
    from weft.wire.stream import AgentLogEvent as AgentLogEvent
    from weft.wire.stream import AgentMessageEvent as AgentMessageEvent
    from weft.wire.stream import AgentThoughtEvent as AgentThoughtEvent
    from weft.wire.stream import ErrorEvent as ErrorEvent
    from weft.wire.stream import FormTimeoutData as FormTimeoutData
    from weft.wire.stream import HumanInputFormFilledEvent as HumanInputFormFilledEvent
    from weft.wire.stream import HumanInputFormTimeoutEvent as HumanInputFormTimeoutEvent
    from weft.wire.stream import HumanInputRequiredEvent as HumanInputRequiredEvent
    from weft.wire.stream import IterationCompletedEvent as IterationCompletedEvent
    from weft.wire.stream import IterationNextEvent as IterationNextEvent
    from weft.wire.stream import IterationStartedEvent as IterationStartedEvent
    from weft.wire.stream import LoopCompletedEvent as LoopCompletedEvent
    from weft.wire.stream import LoopNextData as LoopNextData
    from weft.wire.stream import LoopNextEvent as LoopNextEvent
    from weft.wire.stream import LoopStartedEvent as LoopStartedEvent
    from weft.wire.stream import MessageEndEvent as MessageEndEvent
    from weft.wire.stream import MessageEvent as MessageEvent
    from weft.wire.stream import MessageFileEvent as MessageFileEvent
    from weft.wire.stream import MessageReplaceEvent as MessageReplaceEvent
    from weft.wire.stream import NodeEvent as NodeEvent
    from weft.wire.stream import NodeFinishedData as NodeFinishedData
    from weft.wire.stream import NodeFinishedEvent as NodeFinishedEvent
    from weft.wire.stream import NodeRetryData as NodeRetryData
    from weft.wire.stream import NodeRetryEvent as NodeRetryEvent
    from weft.wire.stream import NodeStartedData as NodeStartedData
    from weft.wire.stream import NodeStartedEvent as NodeStartedEvent
    from weft.wire.stream import PingEvent as PingEvent
    from weft.wire.stream import ReasoningChunkData as ReasoningChunkData
    from weft.wire.stream import ReasoningChunkEvent as ReasoningChunkEvent
    from weft.wire.stream import RoundsCompletedData as RoundsCompletedData
    from weft.wire.stream import RoundsNextData as RoundsNextData
    from weft.wire.stream import RoundsStartedData as RoundsStartedData
    from weft.wire.stream import StreamEvent as StreamEvent
    from weft.wire.stream import StreamEventBase as StreamEventBase
    from weft.wire.stream import TextChunkData as TextChunkData
    from weft.wire.stream import TextChunkEvent as TextChunkEvent
    from weft.wire.stream import TextReplaceData as TextReplaceData
    from weft.wire.stream import TextReplaceEvent as TextReplaceEvent
    from weft.wire.stream import TtsMessageEndEvent as TtsMessageEndEvent
    from weft.wire.stream import TtsMessageEvent as TtsMessageEvent
    from weft.wire.stream import UnknownEvent as UnknownEvent
    from weft.wire.stream import WorkflowFinishedData as WorkflowFinishedData
    from weft.wire.stream import WorkflowFinishedEvent as WorkflowFinishedEvent
    from weft.wire.stream import WorkflowPausedData as WorkflowPausedData
    from weft.wire.stream import WorkflowPausedEvent as WorkflowPausedEvent
    from weft.wire.stream import WorkflowStartedData as WorkflowStartedData
    from weft.wire.stream import WorkflowStartedEvent as WorkflowStartedEvent
    from weft.wire.stream import encode_stream_event as encode_stream_event
    from weft.wire.stream import parse_stream_event as parse_stream_event
    from weft.wire.usage import Usage as Usage
    from weft.wire.variable import ConversationVariable as ConversationVariable
    from weft.wire.variable import VariablePage as VariablePage
    from weft.wire.variable import VariablesQuery as VariablesQuery
    from weft.wire.variable import VariableUpdateRequest as VariableUpdateRequest

_NAMES = {
    "_field": "JsonObject parse_uuid",
    "_model": "SparseModel WireModel",
    "annotation": """
        Annotation AnnotationPage AnnotationReplyAction AnnotationReplyJob AnnotationReplyJobStatus
        AnnotationReplyRequest AnnotationRequest AnnotationsQuery
    """,
    "app": """
        AppInfo AppMeta AppParameters Feature FileUploadFeature FormControl ImageUploadFeature
        ModerationFeature Site SystemParameters TextToSpeechFeature ToolIcon
    """,
    "audio": "AudioToTextAnswer TextToAudioRequest",
    "chat": "ChatAnswer ChatRequest CompletionRequest PausedAnswer ResponseMode Result StopRequest",
    "conversation": """
        Conversation ConversationDeleteRequest ConversationPage ConversationRenameRequest ConversationSort
        ConversationsQuery
    """,
    "end_user": "DEFAULT_USER EndUser EndUserSummary read_user",
    "error": "ErrorBody invalid_request",
    "feedback": "Feedback FeedbackList FeedbackRequest FeedbacksQuery Rating",
    "file": "FileInput FilePreviewQuery FileType FileUpload TransferMethod parse_file_inputs",
    "form": """
        FormAction FormDefinition FormInput FormInputDefault FormSubmissionData FormSubmitRequest
        HumanInputContent HumanInputForm
    """,
    "instant": "Instant parse_instant render_instant unix_seconds",
    "message": """
        NIL_UUID AgentThought Message MessageFeedback MessageFile MessagePage MessagesQuery SuggestedQuery
        SuggestedQuestions
    """,
    "metadata": "AnswerMetadata RetrieverResource",
    "page": "CursorPage Listing Page",
    "request": "encode_request parse_answer parse_request",
    "run": """
        AccountSummary LogStatus RunDetail RunEventsQuery RunSummary WorkflowAnswer WorkflowLog
        WorkflowLogPage WorkflowLogsQuery WorkflowResult WorkflowRunRequest
    """,
    "session": "SessionChangeRequest SessionRunPage SessionState SessionSummary SessionSummaryPage",
    "sse": "PING SseDecoder encode_frame",
    "status": "NodeStatus RunStatus",
    "stream": """
        AgentLogData AgentLogEvent AgentMessageEvent AgentThoughtEvent ErrorEvent FormTimeoutData
        HumanInputFormFilledEvent HumanInputFormTimeoutEvent HumanInputRequiredEvent IterationCompletedEvent
        IterationNextEvent IterationStartedEvent LoopCompletedEvent LoopNextData LoopNextEvent
        LoopStartedEvent MessageEndEvent MessageEvent MessageFileEvent MessageReplaceEvent NodeEvent
        NodeFinishedData NodeFinishedEvent NodeRetryData NodeRetryEvent NodeStartedData NodeStartedEvent
        PingEvent ReasoningChunkData ReasoningChunkEvent RoundsCompletedData RoundsNextData
        RoundsStartedData StreamEvent StreamEventBase
        TextChunkData TextChunkEvent TextReplaceData TextReplaceEvent TtsMessageEndEvent TtsMessageEvent
        UnknownEvent WorkflowFinishedData WorkflowFinishedEvent WorkflowPausedData WorkflowPausedEvent
        WorkflowStartedData WorkflowStartedEvent encode_stream_event parse_stream_event
    """,
    "usage": "Usage",
    "variable": "ConversationVariable VariablePage VariablesQuery VariableUpdateRequest",
}
"""Public names by the module they live in."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_HOMES)  # the same names as the imports above, a test compares them


if not TYPE_CHECKING:  # a type checker would take it for leave to use any name

    def __getattr__(name: str) -> object:
        if name == "console":
            return import_module(f"{__name__}.console")
        module = _HOMES.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
