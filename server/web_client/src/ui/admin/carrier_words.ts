/** Carrier accounts in words, and what each kind of account asks for. */

export interface CarrierAccount {
  /** In its addresses, and as numbers name it. */
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly secret: "set" | "file" | "none";
  /** The file that the server reads it from, "" for none. */
  readonly secret_file: string;
  /** Of the server's settings: not to be changed here. */
  readonly built_in: boolean;
  /** Those that use it. */
  readonly numbers: readonly string[];
  /** What the carrier has to call; null while nobody can reach this server, or where it needs none. */
  readonly inbound_url: string | null;
  readonly status_url: string | null;
  /** 0: as many as there are. */
  readonly rate_per_s: number;
  /** What stands in the way of its working, and what to do; "" for nothing known. */
  readonly problem: string;
  /** What to enter at the carrier; "" for nothing. */
  readonly setup: string;
}

export interface ConfigField {
  readonly name: string;
  readonly label: string;
  readonly placeholder: string;
  readonly about: string;
  readonly needed: boolean;
}

export interface KindWords {
  readonly kind: string;
  readonly label: string;
  readonly about: string;
  readonly secret: string;
  /** The file of the carrier's own that `setup` belongs into; "" where it is an instruction. */
  readonly file: string;
  readonly fields: readonly ConfigField[];
}

/** What can be added; other kinds come with the server. */
export const KINDS: readonly KindWords[] = [
  {
    kind: "twilio",
    label: "Twilio",
    about: "SMS and MMS by Twilio's Programmable Messaging.",
    secret: "Auth token",
    file: "",
    fields: [
      { name: "account_sid", label: "Account SID", placeholder: "AC…", about: "On the first page of Twilio's console.", needed: true },
      { name: "messaging_service_sid", label: "Messaging service SID", placeholder: "MG…", about: "Optional: without it each message goes from its own number.", needed: false },
    ],
  },
  {
    kind: "kannel",
    label: "Kannel (SMPP)",
    about: "SMS by a Kannel gateway of yours, which speaks SMPP with a carrier.",
    secret: "Password",
    file: "kannel.conf",
    fields: [
      { name: "url", label: "Address of its smsbox", placeholder: "http://kannel.example.org:13013/cgi-bin/sendsms", about: "", needed: true },
      { name: "username", label: "User name", placeholder: "batonbox", about: "Of Kannel's group sendsms-user; the password is its password.", needed: true },
      { name: "smsc_id", label: "SMSC id", placeholder: "", about: "Optional: which connection its messages leave by, where there are several.", needed: false },
    ],
  },
];

const OTHERS: Readonly<Record<string, string>> = { loopback: "Simulated phones", webhook: "Signed webhook" };

export const kindOf = (kind: string): KindWords | undefined => KINDS.find((one) => one.kind === kind);
export const kindWords = (kind: string): string => kindOf(kind)?.label ?? OTHERS[kind] ?? kind;
export const accountName = ({ id, name }: { readonly id: string; readonly name?: string }): string => name || id;

const SECRETS: Readonly<Record<CarrierAccount["secret"], string>> = { set: "Set", file: "From a file", none: "None" };
export const secretWords = (secret: CarrierAccount["secret"]): string => SECRETS[secret];

/** What stands in the field of a secret that is there: it is never shown again. */
export const secretHint = (account: CarrierAccount | null): string => {
  if (account?.secret === "set") return "Set. Type to replace.";
  return account?.secret === "file" ? "From a file. Type to replace." : "";
};

/** What to do at the carrier, without the address that stands below it. */
export const instruction = ({ setup, inbound_url }: Pick<CarrierAccount, "setup" | "inbound_url">): string =>
  setup.replace(inbound_url ?? "", "").trim();

export const rateWords = (rate: number): string => (rate ? `${rate} per second` : "No limit of ours");

export interface Filled {
  readonly kind: string;
  readonly name: string;
  readonly id: string;
  readonly config: Readonly<Record<string, string>>;
  readonly secret: string;
  readonly secretFile: string;
  readonly rate: string;
}

/** A rate as typed; NaN for what is none. */
export function rateOf(typed: string): number {
  const plain = typed.trim().replace(",", ".");
  if (!plain) return 0;
  const rate = /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : NaN;
  return rate <= 1000 ? rate : NaN;
}

/** Why an account cannot be kept like this; "" when it can. */
export function accountProblem(filled: Filled, account: CarrierAccount | null): string {
  const kind = kindOf(filled.kind);
  if (!filled.name.trim()) return "Give the account a name: numbers are given to it by that.";
  if (!filled.id) return "Write an id of small letters, digits and dashes.";
  const missing = kind?.fields.find(({ name, needed }) => needed && !filled.config[name]?.trim());
  if (missing) return `Write the ${missing.label.replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase())}.`;
  const has = account && account.secret !== "none";
  if (!has && !filled.secret && !filled.secretFile.trim()) return `Write the ${(kind?.secret ?? "secret").toLowerCase()}, or the path of a file with it.`;
  return Number.isNaN(rateOf(filled.rate)) ? "The rate is a number of messages per second, like 5 or 0.5." : "";
}

/** The configuration as the server takes it: what is empty is left out. */
export function configOf(filled: Pick<Filled, "kind" | "config">, before: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const config: Record<string, unknown> = { ...before };
  for (const { name } of kindOf(filled.kind)?.fields ?? []) {
    const value = filled.config[name]?.trim();
    if (value) config[name] = value;
    else delete config[name];
  }
  return config;
}
