/** Why a message failed, in words: the server's slugs, and what carriers are known to say. */

const REASONS: Readonly<Record<string, string>> = {
  recipient_opted_out: "this customer opted out",
  number_not_routed: "our number leads to no inbox",
  invalid_number: "this is not a phone number that can be reached",
  number_unreachable: "the phone cannot be reached",
  unreachable: "the phone cannot be reached",
  unauthorized: "the carrier does not accept our password",
  media_refused: "a file is no longer kept, or of a kind that carriers do not take",
  unavailable: "the server's store could not be reached",
};

/** What an HTTP status of a carrier's means to somebody who only wants the message out. */
function statusWords(status: number): string {
  if (status === 401 || status === 403) return "the carrier does not accept our password";
  if (status === 429) return "the carrier wants fewer messages at a time";
  return status >= 500 ? "the carrier is out of order" : "the carrier refused it";
}

/** "the phone could not be reached"; what is not known stays in the carrier's words. */
export function reasonWords(reason: string): string {
  const status = /^HTTP (\d{3})$/.exec(reason);
  if (status) return `${statusWords(Number(status[1]))} (${reason})`;
  const lost = /^unreachable: (.+)$/.exec(reason);
  if (lost) return `the carrier could not be reached (${lost[1]})`;
  return REASONS[reason.toLowerCase().replace(/[\s-]+/g, "_")] ?? reason;
}
