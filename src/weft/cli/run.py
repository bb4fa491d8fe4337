"""`weft run`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from weft.cli.options import ConfigOption, DataOption, JsonOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft run app.yml "What do you know about lighthouses?"
  weft run summary.yml --input text='A long story' --input 'sentences:=2' --json
  weft run app.yml "And who lived there?" --conversation 0199a3c2-... --trace
  weft run app.yml "What does this say?" --file letter.pdf
  weft run leave.yml "Two days off?" --choose grant --fill remark='Enjoy'

Exit codes: 0 the run succeeded, 1 it failed, 2 the call, a file or a setting is wrong, 3 it waits for a form,
130 interrupted."""


def run(
    file: str,
    query: str | None = None,
    /,
    *,
    input: Annotated[list[str] | None, Parameter(negative="", show_default=False)] = None,
    attach: Annotated[list[str] | None, Parameter("--file", negative="", show_default=False)] = None,
    choose: Annotated[list[str] | None, Parameter(negative="", show_default=False)] = None,
    fill: Annotated[list[str] | None, Parameter(negative="", show_default=False)] = None,
    conversation: Annotated[str | None, Parameter(show_default=False)] = None,
    user: str = "cli",
    trace: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """Run an app once, without a server: one answer of a chatflow, or one run of a workflow.

    The text goes to standard output as it comes into being. The run is recorded in the data folder like any
    other.

    Args:
        file: Export of an app (YAML).
        query: What is asked; chatflows need it, workflows take none.
        input: A value for an input of the app, as often as there are inputs: name=text, or name:=JSON for
            numbers, lists and objects. The text for a file is a path or an address (http, https).
        attach: Path or address of a file that goes with the question, as often as there are files.
        choose: The action for a form that the run asks for, as often as it asks. Without it somebody at a
            terminal is asked, and elsewhere the run is left waiting.
        fill: A value for a field of such a form: name=text; a path or an address for a file. Fields that are
            not given keep what the form says.
        conversation: Id of the conversation to go on with.
        user: Who asks; conversations belong to one user.
        trace: Show what each node did, afterwards.
    """
    settings = settings_of(
        {"data": data, "models_url": models, "config": config},
        others,
        own=("--input", "--file", "--choose", "--fill", "--conversation", "--user", "--trace", "--json"),
    )
    from weft.cli.single_run import RunCall, run_once  # brings the engine and the store along

    call = RunCall(
        file=file,
        query=query,
        inputs=tuple(input or ()),
        attachments=tuple(attach or ()),
        choices=tuple(choose or ()),
        fields=tuple(fill or ()),
        conversation_id=conversation,
        user=user,
    )
    return run_once(settings, call, as_json=as_json, trace=trace)
