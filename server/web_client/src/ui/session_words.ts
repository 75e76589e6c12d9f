/** Sessions as people recognise them. */

/** One sign-in of a browser, as the server lists it. */
export interface Session {
  readonly id: string;
  readonly current: boolean;
  /** The browser's own words about itself; "" when it said nothing. */
  readonly agent: string;
  readonly address: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string;
}

// The more particular before what they also call themselves.
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:e|A|iOS)?\/(\d+)/, "Edge"],
  [/\bOPR\/(\d+)/, "Opera"],
  [/\bSamsungBrowser\/(\d+)/, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
  [/\b(?:HeadlessChrome|Chrome|CriOS|Chromium)\/(\d+)/, "Chrome"],
  [/\bVersion\/(\d+).*\bSafari\//, "Safari"],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "macOS"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];
const WORDS_MAX = 40;

/** "Chrome 131 on Linux"; what is no browser keeps its own name. */
export function agentWords(agent: string): string {
  const text = agent.trim();
  if (!text) return "Unknown browser";
  const system = SYSTEMS.find(([sign]) => sign.test(text))?.[1];
  for (const [sign, name] of BROWSERS) {
    const found = sign.exec(text);
    if (found) return system ? `${name} ${found[1]} on ${system}` : `${name} ${found[1]}`;
  }
  const own = text.split(/\s/)[0] ?? text;
  return own.length > WORDS_MAX ? `${own.slice(0, WORDS_MAX - 1)}…` : own;
}

const used = ({ last_used_at, created_at }: Session): number => Date.parse(last_used_at ?? created_at) || 0;

/** This one first, then the last used first. */
export function inOrder(sessions: readonly Session[]): readonly Session[] {
  return [...sessions].sort((a, b) => Number(b.current) - Number(a.current) || used(b) - used(a));
}
