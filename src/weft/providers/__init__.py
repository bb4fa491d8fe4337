"""Model services behind one small face.

`open_models` gives the gateway, `Models.resolve` a `ChatModel`, `ChatModel.stream_chat` the chunks of a
reply. Other uses of models (embedding, reranking, speaking, listening, moderation) have a face of their own
beside `chat`; a provider that offers them shows it beside `ChatModel`, and `Models.resolve_...` finds it.
"""

from __future__ import annotations

from weft.providers.chat import ChatChunk, ChatModel, ChatRequest, Feature, TokenUsage
from weft.providers.config import ModelsConfig, ProviderConfig, Timeouts, parse_models_config
from weft.providers.embedding import EmbeddingModel, Embeddings
from weft.providers.http import Http
from weft.providers.message import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Part,
    TextPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    VideoPart,
    join_tool_calls,
    last_user_text,
)
from weft.providers.models import PROVIDER_TYPES, Models, ProviderType, open_models
from weft.providers.moderation import Moderation, ModerationModel
from weft.providers.name import provider_key
from weft.providers.price import PRICES_AS_OF, Price, PriceTable
from weft.providers.rerank import Reranking, RerankModel
from weft.providers.scripted import Rule, Script, ScriptedModel
from weft.providers.speech import (
    AudioChunk,
    Recording,
    SpeechModel,
    SpeechRequest,
    Transcript,
    TranscriptionModel,
)
from weft.providers.token import estimate_prompt_tokens, estimate_tokens
from weft.providers.usage import Usage

__all__ = [
    "PRICES_AS_OF",
    "PROVIDER_TYPES",
    "AudioChunk",
    "AudioPart",
    "ChatChunk",
    "ChatModel",
    "ChatRequest",
    "EmbeddingModel",
    "Embeddings",
    "Feature",
    "FilePart",
    "Http",
    "ImagePart",
    "Message",
    "Models",
    "ModelsConfig",
    "Moderation",
    "ModerationModel",
    "Part",
    "Price",
    "PriceTable",
    "ProviderConfig",
    "ProviderType",
    "Recording",
    "RerankModel",
    "Reranking",
    "Rule",
    "Script",
    "ScriptedModel",
    "SpeechModel",
    "SpeechRequest",
    "TextPart",
    "Timeouts",
    "TokenUsage",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "Transcript",
    "TranscriptionModel",
    "Usage",
    "VideoPart",
    "estimate_prompt_tokens",
    "estimate_tokens",
    "join_tool_calls",
    "last_user_text",
    "open_models",
    "parse_models_config",
    "provider_key",
]
