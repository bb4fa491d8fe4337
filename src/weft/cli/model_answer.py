"""Which service answers for the models that apps name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weft.errors import ConfigError, CredentialsError
from weft.providers import ScriptedModel, provider_key
from weft.runs import Runtime


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A model, and who answers for it."""

    model: str
    """Provider and name as the app spells them, e.g. ``openai/gpt-4o``."""
    by: str
    """Who, in words; empty if nobody does."""
    is_scripted: bool = False
    problem: str = ""
    """Why nobody does."""


def who_answers(runtime: Runtime, models: Iterable[tuple[str, str]]) -> list[ModelAnswer]:
    """Who answers for each model; no service is contacted.

    Args:
        runtime: With the model services.
        models: Provider and name, in order.
    """
    return [_answer(runtime, provider, name) for provider, name in dict.fromkeys(models)]


def model_warnings(answers: Sequence[ModelAnswer]) -> list[str]:
    """A sentence where the answers will not be a real model's."""
    warnings = [f"{answer.model}: {answer.problem}" for answer in answers if answer.problem]
    scripted = [answer.model for answer in answers if answer.is_scripted]
    if scripted:
        warnings.append(
            f"a script answers for {', '.join(scripted)}, no model; set WEFT_MODELS_URL (--models) or a "
            "provider in weft.toml to have real answers"
        )
    return warnings


def _answer(runtime: Runtime, provider: str, name: str) -> ModelAnswer:
    model = f"{provider}/{name}"
    try:
        chat, served = runtime.models.resolve(provider, name)
    except (CredentialsError, ConfigError) as error:
        return ModelAnswer(model, "", problem=str(error))
    titles = {provider_key(title): title for title in runtime.settings.providers}
    table = titles.get(provider_key(provider))
    scripted = isinstance(chat, ScriptedModel)
    if table is not None:
        place = f'[providers."{table}"]'
        source = runtime.settings.source("providers").partition(":")[0]
        by = place if source == "default" else f"{place} in {source}"
    elif scripted:
        by = "the scripted model"
    else:
        by = next(row.value for row in runtime.settings.describe() if row.name == "models_url")
    if served != name:
        by += f", as {served}"
    return ModelAnswer(model, by, is_scripted=scripted)
