"""Decide what a model says: by node, by question, only once, or with a failure; and see what it was asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient
from weft.errors import RateLimitedError
from weft.providers import ScriptedModel
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings

APP = Path(__file__).parent / "apps" / "tea-shop.yml"
RULES = [
    # The first rule that fits answers; one with `times` is spent after so many answers.
    {"node_id": "advice", "text": "sleep", "reply": "Take chamomile.", "times": 1},
    {"pattern": "(?i)wake|morning", "reply": "Take a strong Assam."},
    {"text": "busy", "error": "RateLimitedError", "message": "too many questions at once"},
]


async def main() -> None:
    with TemporaryDirectory() as folder:
        script: dict[str, object] = {"type": "scripted", "options": {"rules": RULES}}
        settings = Settings(data=Path(folder), port=0, providers={"openai": script})
        async with open_runtime(settings) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                answers = []
                for query in ("I cannot sleep", "I cannot sleep", "Good morning"):
                    answer = await client.chat_messages(query, user="ada")
                    print(f"{query}: {answer.answer}")
                    answers.append(answer.answer)
                assert answers == [
                    "Hello Guest. Take chamomile.",
                    "Hello Guest. You said: I cannot sleep",
                    "Hello Guest. Take a strong Assam.",
                ]

                try:
                    await client.chat_messages("You are busy", user="ada")
                except RateLimitedError as error:
                    print(error)
                else:
                    raise AssertionError("the script fails here")

            model, _ = runtime.models.resolve("openai", "gpt-4o-mini")
            assert isinstance(model, ScriptedModel)
            prompt = [(message.role, message.content) for message in model.requests[0].messages]
            assert prompt == [("system", "You sell tea. Answer in one sentence."), ("user", "I cannot sleep")]


asyncio.run(main())
