"""Ask a person: a run that waits for a form, and goes on when it is filled in."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from weft.client import AsyncClient, FormReply
from weft.errors import ConflictError
from weft.runs import open_runtime
from weft.server import serving
from weft.settings import Settings
from weft.wire import FormDefinition

APP = Path(__file__).parent / "apps" / "leave-request.yml"


def decide(form: FormDefinition) -> FormReply:
    """What somebody says to the form."""
    print(form.form_content)
    return FormReply("grant", {"remark": "Enjoy!"})


async def main() -> None:
    with TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), port=0)
        # The run pauses, and the server ends: nothing is lost.
        async with open_runtime(settings) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                async with client.stream_chat_messages("May I go on Friday?", user="ada") as stream:
                    paused = await stream.collect()
                print(paused.answer)
                (form,) = paused.forms
                assert form.form_token is not None

        async with open_runtime(settings) as runtime:
            app = await runtime.serve_file(APP)
            async with (
                serving(runtime, version="example") as server,
                AsyncClient(server.url, app.key) as client,
            ):
                await client.submit_form(form.form_token, "refuse", {"remark": "Sorry."}, user="boss")
                try:
                    await client.submit_form(form.form_token, "grant", {"remark": "Yes"}, user="ada")
                except ConflictError as error:
                    print(error)
                else:
                    raise AssertionError("the first answer counts")

                # Or all of it in one call.
                answer = await client.chat_with_forms("May I go on Monday?", decide, user="ada")
                print(answer.answer)
                assert answer.answer == "I have passed your request on.\nGranted. Enjoy!"


asyncio.run(main())
