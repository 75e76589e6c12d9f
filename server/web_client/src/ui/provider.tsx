/** Signing in at the organisation's identity provider: the way there, and why it did not go well. */
import type { JSX } from "preact";

const WORDS: Readonly<Record<string, (name: string) => string>> = {
  state: () => "That sign-in took too long, was used already, or began in another browser or at another address of this server. Try again.",
  denied: (name) => `You did not sign in with ${name}. Try again, or use your password.`,
  provider: (name) => `Signing in with ${name} does not work at the moment. Try again, or use your password.`,
  answer: (name) => `What ${name} answered cannot be trusted. Try again; if it stays so, ask an admin to look at the server's log.`,
  unknown: (name) => `${name} knows you, but nobody of that name is a member here. Ask an admin to invite you.`,
  linked: (name) => `Another account of ${name} is linked to that user. Ask an admin to unlink it.`,
  inactive: () => "You are deactivated here. Ask an admin to reactivate you.",
  bot: () => "That user is a bot, which signs in with an API key alone.",
  rate_limited: () => "Too many attempts. Wait a minute, then try again.",
  unavailable: () => "The server cannot reach its database. Try again.",
  off: () => "This server has no identity provider. Use your password.",
};

/** Why signing in there did not go well, for people; "" when nothing went wrong. */
export function providerWords(code: string, name: string): string {
  if (!code) return "";
  const words = Object.hasOwn(WORDS, code) ? WORDS[code] : undefined;
  return words?.(name) ?? `Signing in with ${name} did not work. Try again.`;
}

export function ProviderLink({ name }: { name: string }): JSX.Element {
  const next = new URLSearchParams(location.search).get("next");
  return (
    <a class="button button-wide" href={`/v1/session/oidc${next ? `?next=${encodeURIComponent(next)}` : ""}`}>
      Continue with {name}
    </a>
  );
}
