"""Filling in the forms of a run at the terminal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from weft.cli.failure import BadCallError
from weft.cli.run_files import RunFiles
from weft.cli.screen import Screen
from weft.errors import InvalidRequestError
from weft.events import FormRequested
from weft.runs import LiveRun, find_open_form, submit_form
from weft.variables import render_text

_FIELD: Final = re.compile(r"\{\{#\$output\.([^#{}]+)#\}\}")


@dataclass(slots=True)
class FormDesk:
    """Answers the forms that runs wait for.

    Args:
        files: Takes what file fields get.
        screen: Where forms are shown.
        choices: Actions, one for each form in the order in which they are asked.
        fields: Values by field, for all forms.
        ask: Asks the person at the terminal; ``None`` where there is nobody.
    """

    files: RunFiles
    screen: Screen
    choices: Sequence[str]
    fields: Mapping[str, str]
    ask: Callable[[str], str] | None = None
    _used: int = field(default=0, init=False)

    async def answer(self, live: LiveRun) -> LiveRun | None:
        """Fill in what a paused run waits for, and let it go on; nothing if it has to wait on.

        Raises:
            BadCallError: What was given does not fit the form.
        """
        runtime, run = self.files.runtime, live.run
        forms = [reason.form for reason in (live.paused.reasons if live.paused else ()) if reason.form]
        answered = False
        for form in forms:
            filled = await self._fill(form)
            if filled is None or form.token is None:
                continue
            action, inputs = filled
            stored, owner = await find_open_form(runtime.store, runtime.clock, run.app_id, form.token)
            make_file = await runtime.runner.preparer.file_maker(run.app_id, self.files.end_user.id, inputs)
            try:
                await submit_form(
                    runtime.store,
                    runtime.clock,
                    stored,
                    owner,
                    inputs=inputs,
                    action=action,
                    make_file=make_file,
                    end_user_id=self.files.end_user.id,
                )
            except InvalidRequestError as error:
                raise BadCallError(f"the form {form.node_title!r}: {error}") from error
            answered = True
        return await runtime.runner.resume(run.app_id, run.id) if answered else None

    async def _fill(self, form: FormRequested) -> tuple[str, dict[str, object]] | None:
        """The action and the values; nothing if nobody says."""
        actions = {str(action.get("id")): str(action.get("title") or "") for action in form.actions}
        given = self._used < len(self.choices)
        if form.token is None or not (given or self.ask):
            return None
        self._show(form, actions)
        values: dict[str, object] = {}
        for one in form.inputs:
            name, kind = str(one.get("output_variable_name")), str(one.get("type"))
            text = self.fields.get(name)
            if text is None:
                default = render_text(form.resolved_defaults.get(name))
                text = await self._asked(f"{name}: ", default, wanted=not given)
            values[name] = await self._value(name, kind, text)
        if given:
            action = self.choices[self._used]
            self._used += 1
        else:
            first = next(iter(actions), "")
            action = await self._asked(f"{' | '.join(actions)}: ", first, wanted=True)
        if action not in actions:
            raise BadCallError(f"--choose {action}: the form {form.node_title!r} has {', '.join(actions)}")
        return action, values

    async def _value(self, name: str, kind: str, text: str) -> object:
        if kind == "file":
            return await self.files.take(text, f"--fill {name}") if text else None
        if kind == "file-list":
            return await self.files.take_all(text.split(), f"--fill {name}")
        return text

    async def _asked(self, prompt: str, default: str, *, wanted: bool) -> str:
        """What the person says; the default where they say nothing, or are not to be asked."""
        if not wanted or self.ask is None:
            return default
        shown = f"{prompt}[{default}] " if default else prompt
        return (await asyncio.to_thread(self.ask, shown)).strip() or default

    def _show(self, form: FormRequested, actions: Mapping[str, str]) -> None:
        self.screen.line()
        self.screen.line(form.node_title, "bold")
        for line in _FIELD.sub(r"[\1]", form.content).splitlines():
            self.screen.line(f"  {line}")
        for id, title in actions.items():
            self.screen.line(f"  [{id}] {title}", "dim")


def waits_for(live: LiveRun) -> str:
    """What a paused run waits for, and how to give it."""
    told = []
    for reason in live.paused.reasons if live.paused else ():
        if reason.form is None:
            continue
        actions = "|".join(str(action.get("id")) for action in reason.form.actions)
        fields = "".join(f" --fill {one.get('output_variable_name')}=..." for one in reason.form.inputs)
        told.append(f"{reason.form.node_title!r}: --choose {actions}{fields}")
    return "; ".join(told)


def parse_fields(given: Sequence[str]) -> dict[str, str]:
    """Values by field.

    Raises:
        BadCallError: One is not ``name=text``.
    """
    fields: dict[str, str] = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise BadCallError(f"--fill {item}: write name=text")
        fields[name] = text
    return fields
