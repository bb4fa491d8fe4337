"""Where well-known services live, so that a key alone is enough to use them.

All of them speak the OpenAI-compatible protocol at these addresses.
"""

from __future__ import annotations

from msgspec import Struct


class Service(Struct, frozen=True):
    """A public model service."""

    base_url: str
    needs_key: bool = True
    rerank_url: str = ""
    """Where it is not ``/rerank`` below `base_url`."""
    speech_model: str = ""
    """What speaks, unless the settings name another."""
    transcription_model: str = ""
    moderation_model: str = ""
    voices: tuple[str, ...] = ()


SERVICES: dict[str, Service] = {
    "anthropic": Service("https://api.anthropic.com/v1"),
    "cohere": Service(
        "https://api.cohere.ai/compatibility/v1", rerank_url="https://api.cohere.com/v2/rerank"
    ),
    "deepseek": Service("https://api.deepseek.com/v1"),
    "fireworks": Service("https://api.fireworks.ai/inference/v1"),
    "google": Service("https://generativelanguage.googleapis.com/v1beta/openai"),
    "groq": Service("https://api.groq.com/openai/v1", transcription_model="whisper-large-v3-turbo"),
    "jina": Service("https://api.jina.ai/v1"),
    "minimax": Service("https://api.minimax.chat/v1"),
    "mistralai": Service("https://api.mistral.ai/v1"),
    "moonshot": Service("https://api.moonshot.cn/v1"),
    "nvidia": Service("https://integrate.api.nvidia.com/v1"),
    "ollama": Service("http://localhost:11434/v1", needs_key=False),
    "openai": Service(
        "https://api.openai.com/v1",
        speech_model="gpt-4o-mini-tts",
        transcription_model="gpt-4o-mini-transcribe",
        moderation_model="omni-moderation-latest",
        voices=("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer"),
    ),
    "openrouter": Service("https://openrouter.ai/api/v1"),
    "perplexity": Service("https://api.perplexity.ai/chat/completions"),
    "siliconflow": Service("https://api.siliconflow.cn/v1"),
    "stepfun": Service("https://api.stepfun.com/v1"),
    "togetherai": Service("https://api.together.xyz/v1"),
    "tongyi": Service("https://dashscope.aliyuncs.com/compatible-mode/v1"),
    "voyage": Service("https://api.voyageai.com/v1"),
    "volcengine_maas": Service("https://ark.cn-beijing.volces.com/api/v3"),
    "x": Service("https://api.x.ai/v1"),
    "yi": Service("https://api.lingyiwanwu.com/v1"),
    "zhipuai": Service("https://open.bigmodel.cn/api/paas/v4"),
}
"""By provider key (see `provider_key`)."""
