"""`weft replay`."""

from __future__ import annotations

from weft.cli.options import ConfigOption, DataOption, JsonOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft replay refund.recording.json
  weft replay refund.recording.json app.yml

Exit codes: 0 all happened as it had, 1 something is different, 2 the call, a file or a setting is wrong."""


def replay(
    recording: str,
    file: str | None = None,
    /,
    *,
    as_json: JsonOption = False,
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """Let a recorded conversation happen again, and show what is different.

    Models, tools and requests give what they gave then; everything else runs. Without a file the recorded
    app runs, which makes no difference; with a changed file the differences are what the change does.

    Args:
        recording: A file that `weft record` wrote.
        file: Export of an app (YAML) to run instead of the recorded one.
    """
    settings = settings_of({"data": data, "models_url": models, "config": config}, others, own=("--json",))
    from weft.cli.replaying import replay_file  # brings the engine and the store along

    return replay_file(settings, recording, file, as_json=as_json)
