"""`weft serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from weft.cli.options import ConfigOption, DataOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft serve app.yml
  weft serve support.yml sales.yml --port 0 --ready-file ready.json
  WEFT_MODELS_KEY=... weft serve app.yml --models https://models.example/v1

The first SIGINT or SIGTERM refuses new requests and lets running answers finish (--server-drain-seconds),
the second ends at once. The keys are printed once and are the same after every restart; they and the ready
file are the only places that show them.

The ready file is removed at the start and written, whole and with mode 0600, when requests are accepted:
{"url", "service_api", "console_api", "apps": [{"id", "name", "mode", "key", "file"}],
"admin": {"email", "password"}, "operator_token"}; the password is null once it was changed.

Exit codes: 0 stopped by a signal, 1 the server failed, 2 the call, a file or a setting is wrong."""


def serve(
    *files: str,
    host: Annotated[str | None, Parameter(show_default=False)] = None,
    port: Annotated[int | None, Parameter(show_default=False)] = None,
    data: DataOption = None,
    models: ModelsOption = None,
    ready_file: Annotated[Path | None, Parameter(show_default=False)] = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """Serve exported apps over HTTP, with the Chatflow App API.

    A file becomes an app the first time and keeps its key; when it has changed since, its content becomes a
    new published version.

    Args:
        files: Exports of apps (YAML). Without any, the apps that the data folder has already are served.
        host: Address to listen on; 0.0.0.0 for all of this machine's.
        port: Port to listen on; 0 takes a free one.
        ready_file: File to write when requests are accepted, with addresses and keys.
    """
    settings = settings_of(
        {"data": data, "host": host, "port": port, "models_url": models, "config": config},
        others,
        own=("--ready-file",),
    )
    from weft.cli.hosting import host_apps  # brings the whole server along

    return host_apps(settings, files, ready_file)
