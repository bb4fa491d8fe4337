"""What an app says about itself. Source: Dify service API, `/info`, `/parameters`, `/meta`, `/site`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weft.errors import ForbiddenError
from weft.nodes import StartVariable
from weft.runs import AppVersion
from weft.server.call import Call
from weft.server.errors import ApiError
from weft.server.reply import json_reply

_MIB = 1024 * 1024
_OFF = {"enabled": False}
_NO_WORDS = {"enabled": False, "type": "", "configs": []}
_NO_UPLOAD = {
    "image": {
        "enabled": False,
        "number_limits": 3,
        "detail": "high",
        "transfer_methods": ["remote_url", "local_file"],
    }
}
_FILE_KEYS = ("allowed_file_types", "allowed_file_extensions", "allowed_file_upload_methods")


async def info(request: Request) -> Response:
    """Name and kind."""
    app = (await Call.begin(request)).app
    return json_reply(
        {
            "name": app.name,
            "description": app.description,
            "tags": list(app.tags),
            "mode": app.mode,
            "author_name": app.author_name,
        }
    )


async def parameters(request: Request) -> Response:
    """What a front end needs before the first message."""
    call = await Call.begin(request)
    version = await call.published()
    if version is None:
        raise ApiError(400, "app_unavailable", "App unavailable, please check your app configurations.")
    limits = call.runtime.settings.limits
    features = version.file.features
    return json_reply(
        {
            "opening_statement": features.get("opening_statement"),
            "suggested_questions": features.get("suggested_questions") or [],
            "suggested_questions_after_answer": _feature(version, "suggested_questions_after_answer"),
            "speech_to_text": _feature(version, "speech_to_text"),
            "text_to_speech": _feature(version, "text_to_speech"),
            "retriever_resource": _feature(version, "retriever_resource"),
            "annotation_reply": {"enabled": await call.runtime.annotation_replies.enabled(call.app.id)},
            "more_like_this": _feature(version, "more_like_this"),
            "user_input_form": [_control(variable) for variable in version.start.config.variables],
            "sensitive_word_avoidance": version.feature("sensitive_word_avoidance") or _NO_WORDS,
            "file_upload": _upload(version.feature("file_upload")),
            "system_parameters": {
                "image_file_size_limit": int(limits.max_image_bytes) // _MIB,
                "video_file_size_limit": int(limits.max_video_bytes) // _MIB,
                "audio_file_size_limit": int(limits.max_audio_bytes) // _MIB,
                "file_size_limit": int(limits.max_document_bytes) // _MIB,
                "workflow_file_upload_limit": limits.max_upload_files,
            },
        }
    )


async def meta(request: Request) -> Response:
    """Icons of the app's tools."""
    await Call.begin(request)
    return json_reply({"tool_icons": {}})


async def site(request: Request) -> Response:
    """How the app presents itself as a web page."""
    app = (await Call.begin(request)).app
    if app.site is None:
        raise ForbiddenError("The app has no site.")
    settings = app.site
    return json_reply(
        {
            "title": settings.get("title") or app.name,
            "chat_color_theme": settings.get("chat_color_theme"),
            "chat_color_theme_inverted": bool(settings.get("chat_color_theme_inverted")),
            "icon_type": app.icon_type,
            "icon": app.icon,
            "icon_background": app.icon_background,
            "icon_url": settings.get("icon_url") if app.icon_type == "image" else None,
            "description": settings.get("description", app.description),
            "copyright": settings.get("copyright"),
            "privacy_policy": settings.get("privacy_policy"),
            "custom_disclaimer": settings.get("custom_disclaimer"),
            "default_language": settings.get("default_language") or "en-US",
            "show_workflow_steps": bool(settings.get("show_workflow_steps", True)),
            "use_icon_as_answer_icon": app.use_icon_as_answer_icon,
        }
    )


def _feature(version: AppVersion, name: str) -> Mapping[str, object]:
    feature = version.feature(name)
    return {"enabled": False, **feature} if feature else _OFF


def _upload(feature: Mapping[str, object]) -> Mapping[str, object]:
    return {**_NO_UPLOAD, **feature} if feature else _NO_UPLOAD


def _control(variable: StartVariable) -> dict[str, object]:
    """A field of the form under the name of its kind."""
    extra = variable.model_extra or {}
    control: dict[str, object] = {
        "label": variable.label or variable.variable,
        "variable": variable.variable,
        "required": variable.required,
        "type": variable.type,
        "max_length": variable.max_length,
        "default": variable.default if variable.default is not None else "",
        "options": variable.options,
        "hide": bool(extra.get("hide")),
        "placeholder": extra.get("placeholder") or "",
    }
    if variable.type in ("file", "file-list"):
        control["default"] = variable.default
        control.update({key: getattr(variable, key) for key in _FILE_KEYS})
    if variable.type in ("number", "checkbox", "json_object"):
        control["default"] = variable.default
    return {variable.type: control}


ROUTES = [
    Route("/info", info, methods=["GET"]),
    Route("/parameters", parameters, methods=["GET"]),
    Route("/meta", meta, methods=["GET"]),
    Route("/site", site, methods=["GET"]),
]
