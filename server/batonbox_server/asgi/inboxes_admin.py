"""Administration over HTTP: the organisation's name, its routing destinations and their members."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.responses import Response

from batonbox_server.domain.model import Destination, ReopenTo
from batonbox_server.domain.policy import Action
from batonbox_server.service.texts import check_name, check_text, e164
from batonbox_server.service.views import frame_of_inbox
from batonbox_server.store.directory_port import Inbox
from batonbox_server.store.directory_records import options_map

from . import answers
from .endpoint import Call, Endpoint
from .naming import id_or_new, known, listed, unique

__all__ = ["ENDPOINTS"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Extension = Annotated[str, Meta(pattern="^([0-9]{1,10})?$")]
Names = Annotated[list[str], Meta(max_length=1000)]
Minutes = Annotated[int, Meta(ge=0, le=10080)]
_ANSWER_CHARS: Final = 320
AnswerText = Annotated[str, Meta(max_length=_ANSWER_CHARS)]


class NewInbox(Struct, forbid_unknown_fields=True):
    """Body of POST inboxes."""

    name: Name
    id: str | None = None
    kind: Destination = Destination.DEPARTMENT
    extension: Extension = ""
    members: Names = []
    numbers: Names = []


class OptionsChange(Struct, forbid_unknown_fields=True):
    """How an inbox treats what its owners do not do; what is left out stays, 0 switches a rule off.

    `reopen_to`: who gets a conversation that a customer's message reopens. `members_may_dispatch`:
    members too may assign what is unassigned to a colleague. `silent_min`: an owner who leaves a
    customer without an answer for so long loses the conversation to the inbox; `offline_min`: one
    who is without any connection for so long does. The texts answer opt-out keywords automatically;
    "" is the default text.
    """

    reopen_to: ReopenTo | UnsetType = UNSET
    members_may_dispatch: bool | UnsetType = UNSET
    silent_min: Minutes | UnsetType = UNSET
    offline_min: Minutes | UnsetType = UNSET
    stop_text: AnswerText | UnsetType = UNSET
    start_text: AnswerText | UnsetType = UNSET
    help_text: AnswerText | UnsetType = UNSET


class InboxChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH inboxes; what is left out stays."""

    name: Name | None = None
    kind: Destination | None = None
    extension: Extension | None = None
    members: Names | None = None
    numbers: Names | None = None
    options: OptionsChange | None = None


class OrganisationChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH organisation."""

    name: Name


class Options(Struct):
    """An inbox's rules; see PATCH."""

    reopen_to: ReopenTo
    members_may_dispatch: bool
    silent_min: int
    offline_min: int
    stop_text: str
    start_text: str
    help_text: str


class AdminInbox(answers.Inbox):
    """A routing destination; members see its inbox once it is `live`."""

    live: bool
    options: Options


async def _inboxes(call: Call) -> dict[str, Any]:
    """Every routing destination, with the numbers that deliver there.

    It becomes an inbox that its members see (`live`) when a number with messaging is assigned to it
    for the first time, and stays one when its numbers go.
    """
    state = await call.services.organisation.state()
    return listed([_shown(state.inboxes[name]) for name in sorted(state.inboxes)])


async def _create_inbox(call: Call) -> dict[str, Any]:
    """Create a routing destination; `id` is made up when left out."""
    body = await call.body(NewInbox)
    inbox = Inbox(
        id_or_new(body.id, "ibx"),
        body.name,
        unique(body.members),
        _numbers(body.numbers),
        kind=body.kind,
        extension=body.extension,
    )
    await call.services.administration.create_inbox(inbox)
    return _shown(known(call.services.directory.destinations, inbox.id))


async def _edit_inbox(call: Call) -> dict[str, Any]:
    """Change a routing destination; lists replace the ones before, options change one by one.

    A number comes from wherever it was, without a message being lost; one that is left out delivers
    nowhere from then on, and the history stays.
    """
    body, name = await call.body(InboxChange), call.path("inbox")
    await call.services.administration.edit_inbox(
        name,
        name=body.name,
        kind=body.kind,
        extension=body.extension,
        members=None if body.members is None else unique(body.members),
        numbers=None if body.numbers is None else _numbers(body.numbers),
        options=None if body.options is None else _options(body.options),
    )
    return _shown(known(call.services.directory.destinations, name))


async def _delete_inbox(call: Call) -> Response:
    """Delete an inbox with everything in it; its numbers stay, and deliver nowhere."""
    await call.services.administration.delete_inbox(call.path("inbox"))
    return Response(status_code=204)


async def _add_member(call: Call) -> Response:
    """Make somebody a member of the inbox."""
    return await _set_member(call, on=True)


async def _drop_member(call: Call) -> Response:
    """End a membership; the conversations return to the inbox."""
    return await _set_member(call, on=False)


async def _set_member(call: Call, *, on: bool) -> Response:
    inbox, user = call.path("inbox"), call.path("user")
    await call.services.administration.set_member(inbox=inbox, user=user, on=on)
    return Response(status_code=204)


async def _rename_organisation(call: Call) -> dict[str, Any]:
    """Call the organisation something else."""
    name = check_name((await call.body(OrganisationChange)).name, field="name")
    await call.services.administration.set_name(name)
    return {"name": name}


def _numbers(given: list[str]) -> tuple[str, ...]:
    return unique(e164(number, field="numbers") for number in given)


def _options(given: OptionsChange) -> dict[str, Any]:
    changes = {n: v for n, v in msgspec.structs.asdict(given).items() if v is not UNSET}
    return {n: _answer(v) if n.endswith("_text") else v for n, v in changes.items()}


def _answer(text: str) -> str:
    """Blank stands for the default text: nobody is answered with nothing."""
    text = text.strip()
    return check_text(text, max_chars=_ANSWER_CHARS) if text else ""


def _shown(inbox: Inbox) -> dict[str, Any]:
    return {
        **frame_of_inbox(inbox),
        "live": inbox.live,
        "options": options_map(inbox.options),
    }


_A: Final = Action.ADMINISTER
_ONE: Final = "/v1/admin/inboxes/{inbox}"
_MEMBER: Final = "/v1/admin/inboxes/{inbox}/members/{user}"
_CONFLICT: Final = ("conflict",)
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/admin/inboxes", _A, _inboxes, returns=answers.Items[AdminInbox]),
    Endpoint(
        "POST",
        "/v1/admin/inboxes",
        _A,
        _create_inbox,
        201,
        body=NewInbox,
        returns=AdminInbox,
        errors=("conflict", "not_found"),
    ),
    Endpoint(
        "PATCH", _ONE, _A, _edit_inbox, body=InboxChange, returns=AdminInbox, errors=_CONFLICT
    ),
    Endpoint("DELETE", _ONE, _A, _delete_inbox, status=204, errors=_CONFLICT),
    Endpoint("PUT", _MEMBER, _A, _add_member, status=204, errors=_CONFLICT),
    Endpoint("DELETE", _MEMBER, _A, _drop_member, status=204, errors=_CONFLICT),
    Endpoint(
        "PATCH",
        "/v1/admin/organisation",
        _A,
        _rename_organisation,
        body=OrganisationChange,
        returns=answers.Named,
    ),
)
