"""`weft record`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from weft.cli.failure import BadCallError
from weft.cli.options import ConfigOption, DataOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft record 0199a3c2-... --to refund.recording.json
  weft run app.yml "A question" --json | jq -r .run_id | xargs weft record --to question.recording.json

Exit codes: 0 recorded, 2 there is no such run, or the call, a file or a setting is wrong."""


def record(
    run: str,
    /,
    *,
    to: Annotated[str, Parameter(show_default=False)] = "",
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """Write what happened in a run that was kept into a file, to be replayed with `weft replay`.

    The file has the app as it was and, of the run and of those before it in its conversation, the questions,
    the answers, and what each node did. It has no secrets.

    Args:
        run: Id of the run, as the API, the logs and `weft run --json` tell it.
        to: The file to write; `<run>.recording.json` unless given.
    """
    settings = settings_of({"data": data, "models_url": models, "config": config}, others, own=("--to",))
    if not run:
        raise BadCallError("no run is named; give the id of a run")
    from weft.cli.replaying import record_to_file  # brings the engine and the store along

    return record_to_file(settings, run, to or f"{run}.recording.json")
