"""The features block: what an app offers around its flow.

Source: Dify app DSL, ``workflow.features``.
"""

from __future__ import annotations

from collections.abc import Mapping

from weft.graph.findings import Findings, kind_of_value

_PATH = "workflow.features"
_TEXTS = ("opening_statement",)
_LISTS = ("suggested_questions",)
_SWITCHES = (
    "suggested_questions_after_answer",
    "speech_to_text",
    "text_to_speech",
    "retriever_resource",
    "sensitive_word_avoidance",
    "file_upload",
)

MODERATION_TYPES = ("keywords", "openai_moderation")
"""Those that there is a judge for; the third kind asks a service that the file does not name."""


def read_features(value: object, findings: Findings) -> Mapping[str, object]:
    """The features of known shape; what is null counts as absent, unknown keys stay as they are.

    Afterwards texts are texts, lists are lists of texts, and each switch is a mapping whose ``enabled``, if
    it has one, is a boolean. ``file_upload`` keeps whichever of its two shapes the file has.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        findings.error(
            "graph.invalid_features",
            _PATH,
            f"features must be a mapping, but is {kind_of_value(value)}",
            "export the app again",
        )
        return {}
    features: dict[str, object] = {}
    for name, feature in value.items():
        if feature is not None and _fits(name, feature, findings):
            features[name] = feature
    return features


def _fits(name: str, feature: object, findings: Findings) -> bool:
    path = f"{_PATH}.{name}"
    if name in _TEXTS:
        return isinstance(feature, str) or _wrong(path, "a text", feature, findings)
    if name in _LISTS:
        if not isinstance(feature, list):
            return _wrong(path, "a list", feature, findings)
        wrong = [item for item in feature if not isinstance(item, str)]
        return not wrong or _wrong(f"{path}[{feature.index(wrong[0])}]", "a text", wrong[0], findings)
    if name not in _SWITCHES:
        return True
    if not isinstance(feature, dict):
        return _wrong(path, "a mapping", feature, findings)
    enabled = feature.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        return _wrong(f"{path}.enabled", "true or false", enabled, findings)
    if name == "sensitive_word_avoidance" and enabled and feature.get("type") not in MODERATION_TYPES:
        findings.warn(
            "graph.moderation_type",
            f"{path}.type",
            f"moderation of type {feature.get('type')!r} does not exist here; the app answers nothing",
            f"choose one of {', '.join(MODERATION_TYPES)} in the editor, or switch content moderation off",
        )
    image = feature.get("image")
    if name == "file_upload" and image is not None and not isinstance(image, dict):
        return _wrong(f"{path}.image", "a mapping", image, findings)
    return True


def _wrong(path: str, expected: str, found: object, findings: Findings) -> bool:
    findings.error(
        "graph.invalid_features",
        path,
        f"{path.removeprefix('workflow.')} must be {expected}, but is {kind_of_value(found)}",
        "correct it in the editor and export the app again",
    )
    return False
