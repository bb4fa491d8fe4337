"""`weft test`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from weft.cli.options import ConfigOption, DataOption, JsonOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft test app.yml app.cases.yml
  weft test tests/*.cases.yml --junit report.xml
  weft test app.yml app.cases.yml --only greeting --models http://127.0.0.1:11434/v1

Exit codes: 0 all cases passed, 1 some failed, 2 the call, a file or a setting is wrong, 130 interrupted."""


def check_cases(
    *files: str,
    only: Annotated[str | None, Parameter(show_default=False)] = None,
    junit: Annotated[str | None, Parameter(show_default=False)] = None,
    as_json: JsonOption = False,
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """Test chatflows: ask what files of cases say, and compare what comes out with what they expect.

    Models are scripted unless a settings file or --models says otherwise; mocks in the cases stand in for
    models, tools and requests. Every case has an app and records of its own, which are gone afterwards.

    Args:
        files: Files of cases (YAML), after the app that they test if they do not name one themselves.
        only: Run only the cases whose names hold this text.
        junit: Write a report in JUnit's form to this file, for CI systems.
    """
    settings = settings_of(
        {"data": data, "models_url": models, "config": config},
        others,
        own=("--only", "--junit", "--json"),
    )
    from weft.cli.case_run import TestCall, run_cases  # brings the engine and the store along

    return run_cases(settings, TestCall(files=files, only=only, junit=junit, as_json=as_json))
