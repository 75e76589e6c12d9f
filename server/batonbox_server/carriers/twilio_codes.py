"""What Twilio's error codes mean, in the words that people read beside a failed message."""

from __future__ import annotations

from typing import Final

__all__ = ["reason_of"]

_REASONS: Final = {
    12300: "the file's type is not taken",
    14107: "too many messages to this number; try later",
    21211: "invalid number",
    21212: "our number is not valid",
    21214: "the number cannot be reached",
    21217: "invalid number",
    21265: "our number must not be the customer's",
    21408: "messages to this country are not switched on at the carrier",
    21602: "the message is empty",
    21603: "our number is missing",
    21604: "the number is missing",
    21605: "the message is too long",
    21606: "our number cannot send messages with this account",
    21608: "a trial account sends to verified numbers alone",
    21610: "recipient_opted_out",
    21611: "too many messages wait to be sent from our number",
    21612: "our number cannot reach this number",
    21614: "not a mobile number",
    21617: "the message is too long",
    21620: "the file cannot be fetched",
    21623: "too many files",
    21660: "our number is not of this account",
    21701: "the messaging service does not exist",
    21703: "the messaging service has no numbers",
    21712: "our number is not in the messaging service",
    30001: "too many messages wait at the carrier",
    30002: "the carrier account is suspended",
    30003: "the phone cannot be reached",
    30004: "the message is blocked",
    30005: "the number does not exist",
    30006: "a landline, or not reachable",
    30007: "filtered as spam",
    30008: "the network does not say why",
    30011: "files are not taken in this region",
    30019: "the file is too large for the network",
    30032: "our toll-free number is not verified",
    30034: "our number is not registered for business messages",
    30410: "the network did not answer in time",
    30450: "the message was not delivered in time",
}


def reason_of(code: object) -> str:
    """Why, for the error code of an answer or a receipt; names it where it has no words yet."""
    try:
        number = int(str(code))
    except ValueError:
        return ""
    if not number:
        return ""
    return _REASONS.get(number, f"refused by the carrier (Twilio {number})")
