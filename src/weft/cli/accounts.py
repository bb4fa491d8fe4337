"""`weft accounts`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from weft.cli.options import ConfigOption, DataOption, JsonOption, ModelsOption, OtherSettings, settings_of

ENDING = """\
Examples:

  weft accounts
  weft accounts add ada@example.org --role editor
  printf %s "$PASSWORD" | weft accounts password admin@weft.local --stdin
  weft accounts close ada@example.org

Roles: owner, admin (keys, deleting), editor (apps, logs), normal (looking at apps).
Exit codes: 0 done, 2 the call, the account or a setting is wrong."""


def accounts(
    action: Literal["list", "add", "password", "close"] = "list",
    email: str | None = None,
    /,
    *,
    role: Literal["owner", "admin", "editor", "normal"] = "normal",
    name: Annotated[str | None, Parameter(show_default=False)] = None,
    stdin: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
    models: ModelsOption = None,
    config: ConfigOption = None,
    **others: OtherSettings,
) -> int:
    """List those who may log in to the console, add one, give one another password, or shut one out.

    A new password is made up and printed once, unless it comes from standard input. An account that is
    closed is shut out at once; one with a changed password has to log in again within the hour.

    Args:
        action: What to do.
        email: Whose account; not for `list`.
        role: What a new account may do.
        name: How a new account is called; the part of the address before the @ unless given.
        stdin: Read the password from standard input.
    """
    settings = settings_of(
        {"data": data, "models_url": models, "config": config},
        others,
        own=("--role", "--name", "--stdin", "--json"),
    )
    from weft.cli.account_desk import AccountCall, run_accounts  # brings the store along

    call = AccountCall(action=action, email=email, role=role, name=name, from_stdin=stdin, as_json=as_json)
    return run_accounts(settings, call)
