"""What an app says about itself."""

from __future__ import annotations

import msgspec
import pytest

from tests.contract import apps
from tests.contract.caller import Caller
from tests.contract.house import House
from weft.store import App, Connection
from weft.store import apps as app_rows

pytestmark = pytest.mark.anyio

OFF = {"enabled": False}


async def change(house: House, caller: Caller, **fields: object) -> None:
    """Set fields of an app for which there is no door yet."""

    def write(connection: Connection) -> None:
        app: App = app_rows.get_for_update(connection, caller.app_id)
        app_rows.update(connection, msgspec.structs.replace(app, **fields))

    await house.runtime.store.write(write)


@pytest.mark.requirement("api-183")
async def test_an_app_tells_its_name_kind_and_tags(house: House) -> None:
    caller = await house.serve(
        apps.chatflow(
            [apps.start(), apps.answer("x")], "start > answer", name="Tagged", description="about it"
        )
    )
    await change(house, caller, tags=["travel", "food"])
    assert (await caller.get("/info")).ok == {
        "name": "Tagged",
        "description": "about it",
        "tags": ["travel", "food"],
        "mode": "advanced-chat",
        "author_name": "",
    }


@pytest.mark.requirement("api-184")
async def test_an_app_tells_what_a_front_end_needs(flow: Caller) -> None:
    parameters = (await flow.get("/parameters")).ok
    form = parameters.pop("user_input_form")
    assert parameters == {
        "opening_statement": "Hello {{city}}",
        "suggested_questions": ["What now?"],
        "suggested_questions_after_answer": {"enabled": True},
        "speech_to_text": {"enabled": True},
        "text_to_speech": {"enabled": True, "language": "", "voice": ""},
        "retriever_resource": {"enabled": True},
        "annotation_reply": OFF,
        "more_like_this": OFF,
        "sensitive_word_avoidance": parameters["sensitive_word_avoidance"],
        "file_upload": apps.FEATURES["file_upload"],
        "system_parameters": {
            "image_file_size_limit": 10,
            "video_file_size_limit": 100,
            "audio_file_size_limit": 50,
            "file_size_limit": 15,
            "workflow_file_upload_limit": 10,
        },
    }
    assert parameters["sensitive_word_avoidance"]["enabled"] is False
    assert [list(control) for control in form] == [["text-input"], ["select"], ["number"]]
    city = form[0]["text-input"]
    facts = ("label", "variable", "required", "max_length")
    assert [city[name] for name in facts] == ["city", "city", False, 20]
    assert form[1]["select"]["options"] == ["low", "high"]


@pytest.mark.requirement("api-186")
async def test_features_that_are_off_are_told_as_such(plain: Caller) -> None:
    parameters = (await plain.get("/parameters")).ok
    switches = (
        "suggested_questions_after_answer",
        "speech_to_text",
        "text_to_speech",
        "retriever_resource",
        "annotation_reply",
        "more_like_this",
    )
    assert {name: parameters[name] for name in switches} == dict.fromkeys(switches, OFF)
    assert parameters["sensitive_word_avoidance"] == {"enabled": False, "type": "", "configs": []}
    assert parameters["file_upload"] == {
        "image": {
            "enabled": False,
            "number_limits": 3,
            "detail": "high",
            "transfer_methods": ["remote_url", "local_file"],
        }
    }
    assert parameters["suggested_questions"] == []


@pytest.mark.requirement("api-185")
async def test_an_app_without_a_published_version_has_no_parameters(house: House) -> None:
    caller = await house.serve(apps.echo_flow(name="withdrawn"))
    await change(house, caller, workflow_id=None)
    assert (await caller.get("/parameters")).error == (
        400,
        "app_unavailable",
        "App unavailable, please check your app configurations.",
    )


@pytest.mark.requirement("api-187")
async def test_an_app_without_tools_has_no_icons(flow: Caller) -> None:
    assert (await flow.get("/meta")).ok == {"tool_icons": {}}


SITE = {
    "title",
    "chat_color_theme",
    "chat_color_theme_inverted",
    "icon_type",
    "icon",
    "icon_background",
    "icon_url",
    "description",
    "copyright",
    "privacy_policy",
    "custom_disclaimer",
    "default_language",
    "show_workflow_steps",
    "use_icon_as_answer_icon",
}


@pytest.mark.requirement("api-188")
async def test_an_app_tells_how_it_presents_itself(flow: Caller) -> None:
    site = (await flow.get("/site")).ok
    assert set(site) == SITE
    facts = ("title", "default_language", "show_workflow_steps", "icon_url", "use_icon_as_answer_icon")
    assert [site[name] for name in facts] == ["F", "en-US", True, None, False]


@pytest.mark.requirement("api-189")
async def test_an_app_without_a_site_answers_403(house: House) -> None:
    caller = await house.serve(apps.echo_flow(name="siteless"))
    await change(house, caller, site=None)
    assert (await caller.get("/site")).error[:2] == (403, "forbidden")


@pytest.mark.parametrize("path", ["/info", "/parameters", "/meta", "/site"])
async def test_a_workflow_app_tells_all_this_too(work: Caller, path: str) -> None:
    assert (await work.get(path)).status == 200
