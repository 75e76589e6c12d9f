/** Adding a carrier account, or changing one. Secrets go in and never come out again. */
import { useSignal, type Signal } from "@preact/signals";
import type { JSX } from "preact";
import { say } from "../toasts";
import { addAccount, changeAccount } from "./carriers_api";
import { accountProblem, configOf, KINDS, kindOf, rateOf, secretHint, type CarrierAccount } from "./carrier_words";
import { FormDialog } from "./form_dialog";
import { idFrom } from "./key_words";
import { Choice } from "./number_fields";

interface Props {
  /** The one to change; null for a new one. */
  readonly account: CarrierAccount | null;
  readonly onDone: (id: string) => Promise<void>;
  readonly onClose: () => void;
}

interface TextProps {
  readonly id: string;
  readonly label: string;
  readonly placeholder: string;
  readonly about: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
}

/** A line of text, with what it is for beside its label. */
function Text({ id, label, placeholder, about, value, onInput }: TextProps): JSX.Element {
  const hint = about ? `about-${id}` : undefined;
  return (
    <div>
      <label class="field">
        <span>{label}</span>
        <input type="text" autocomplete="off" autocapitalize="none" spellcheck={false} placeholder={placeholder} aria-describedby={hint} value={value} onInput={(event) => onInput(event.currentTarget.value)} />
      </label>
      {hint ? (
        <p class="field-hint" id={hint}>
          {about}
        </p>
      ) : null}
    </div>
  );
}

interface SecretProps {
  readonly label: string;
  readonly account: CarrierAccount | null;
  readonly secret: Signal<string>;
  readonly file: Signal<string>;
}

/** Typed here, or the path of a file that the server reads at each use. */
function Secret({ label, account, secret, file }: SecretProps): JSX.Element {
  const fromFile = useSignal(account?.secret === "file");
  const turn = (on: boolean): void => {
    fromFile.value = on;
    secret.value = "";
    file.value = on ? (account?.secret_file ?? "") : "";
  };
  const hint = secretHint(account);
  return (
    <div>
      {fromFile.value ? (
        <label class="field">
          <span>{`File with the ${label.toLowerCase()}`}</span>
          <input type="text" autocomplete="off" autocapitalize="none" spellcheck={false} placeholder="/run/secrets/carrier"  value={file.value} onInput={(event) => (file.value = event.currentTarget.value)} />
        </label>
      ) : (
        <label class="field">
          <span>{label}</span>
          <input type="password" autocomplete="new-password" spellcheck={false} placeholder={hint} value={secret.value} onInput={(event) => (secret.value = event.currentTarget.value)} />
        </label>
      )}
      <div class="check">
        <label>
          <input type="checkbox" checked={fromFile.value} onChange={(event) => turn(event.currentTarget.checked)} />
          The server reads it from a file
        </label>
      </div>
    </div>
  );
}

/** What is in the configuration, as the fields show it. */
function texts(config: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, String(value ?? "")]));
}

export function CarrierDialog({ account, onDone, onClose }: Props): JSX.Element {
  const picked = useSignal(account?.kind ?? KINDS[0]?.kind ?? "");
  const kind = kindOf(picked.value);
  const name = useSignal(account?.name ?? "");
  const own = useSignal<string | null>(account?.id ?? null);
  const config = useSignal(texts(account?.config ?? {}));
  const secret = useSignal("");
  const file = useSignal(account?.secret_file ?? "");
  const rate = useSignal(account?.rate_per_s ? String(account.rate_per_s) : "");
  const id = own.value ?? idFrom(name.value);
  const filled = () => ({ kind: picked.peek(), name: name.peek(), id, config: config.peek(), secret: secret.peek(), secretFile: file.peek(), rate: rate.peek() });
  const act = async (): Promise<void> => {
    const fields = {
      name: name.peek().trim(),
      config: configOf(filled(), account?.config),
      rate_per_s: rateOf(rate.peek()),
      ...(secret.peek() ? { secret: secret.peek() } : {}),
      ...(file.peek().trim() && file.peek().trim() !== account?.secret_file ? { secret_file: file.peek().trim() } : {}),
    };
    const made = account ? await changeAccount(account.id, fields) : await addAccount({ id, kind: picked.peek(), ...fields });
    secret.value = "";
    say(account ? `${made.name} is changed.` : `${made.name} is added. Check it, then give it numbers.`);
    await onDone(made.id);
  };
  return (
    <FormDialog label={account ? "Edit carrier account" : "Add carrier account"} button={account ? "Save" : "Add account"} check={() => accountProblem(filled(), account)} act={act} onClose={onClose} wide>
      {account ? null : <Choice label="Carrier" value={picked.value} onPick={(one) => (picked.value = one)} options={KINDS.map((one) => [one.kind, one.label] as const)} first />}
      {kind && !account ? <p class="dialog-words">{kind.about}</p> : null}
      <div class="field-row">
        <label class="field">
          <span>Name</span>
          <input type="text" maxLength={80} autocomplete="off" data-first={account ? "" : undefined} placeholder={kind?.label.split(" ")[0]} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
        </label>
        {account ? null : (
          <label class="field">
            <span>Id</span>
            <input type="text" autocomplete="off" autocapitalize="none" spellcheck={false} value={id} onInput={(event) => (own.value = event.currentTarget.value)} />
          </label>
        )}
      </div>
      {kind?.fields.map(({ name: field, ...words }) => (
        <Text key={`${kind.kind}.${field}`} id={field} {...words} value={config.value[field] ?? ""} onInput={(value) => (config.value = { ...config.peek(), [field]: value })} />
      ))}
      <Secret key={picked.value} label={kind?.secret ?? "Secret"} account={account} secret={secret} file={file} />
      <Text id="rate" label="Messages per second" placeholder="No limit" about="What the carrier allows you, over all servers of this organisation." value={rate.value} onInput={(value) => (rate.value = value)} />
    </FormDialog>
  );
}
