"""Go on with a conversation: it remembers, and what it remembers can be read."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings

APP = Path(__file__).parent / "apps" / "notes.yml"


async def main() -> None:
    with TemporaryDirectory() as folder:
        async with open_runtime(Settings(data=Path(folder), port=0)) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                first = await client.chat_messages("buy oil for the lamp", user="ada")
                conversation_id = first.conversation_id
                assert conversation_id is not None
                for query in ("wind the clockwork", "list"):
                    answer = await client.chat_messages(query, user="ada", conversation_id=conversation_id)
                print(answer.answer)
                assert answer.answer.split("\n")[:2] == ["1. buy oil for the lamp", "2. wind the clockwork"]

                variables = await client.conversation_variables(conversation_id, user="ada")
                assert [variable.name for variable in variables.data] == ["notes"]

                messages = await client.messages(conversation_id, user="ada")
                assert [message.query for message in messages.data][-1] == "list"


asyncio.run(main())
