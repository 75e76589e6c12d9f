/** One carrier account: whether it works, what the carrier has to be told, what can be done with it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { phoneNumber } from "../format";
import { reasonWords } from "../reasons";
import { complain, say } from "../toasts";
import { wordsOf } from "./api";
import { checkAccount, deleteAccount, type Checked } from "./carriers_api";
import { accountName, instruction, kindOf, rateWords, secretWords, type CarrierAccount } from "./carrier_words";
import { Confirm } from "./confirm";
import { CopyField } from "./secret";

interface Props {
  readonly account: CarrierAccount;
  readonly onEdit: () => void;
  readonly onGone: () => void;
}

function CopyText({ label, text }: { label: string; text: string }): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  const copy = async (): Promise<void> => {
    field.current?.select();
    try {
      await navigator.clipboard.writeText(text);
      say("Copied.");
    } catch {
      complain("This browser does not let the page copy. The text is selected: press Ctrl+C.");
    }
  };
  return (
    <div class="copy-text">
      <label class="field">
        <span>{label}</span>
        <textarea ref={field} class="mono" readOnly spellcheck={false} rows={Math.min(14, text.split("\n").length)} value={text} />
      </label>
      <button type="button" class="button button-small" aria-label={`Copy what is ${label.toLowerCase()}`} onClick={() => void copy()}>
        Copy
      </button>
    </div>
  );
}

function Facts({ account }: { account: CarrierAccount }): JSX.Element {
  const kind = kindOf(account.kind);
  const config = (kind?.fields ?? []).map(({ name, label }) => [label, String(account.config[name] ?? "")] as const).filter(([, value]) => value);
  const facts = [...config, ...(kind ? [[kind.secret, secretWords(account.secret)] as const] : []), ["Messages per second", rateWords(account.rate_per_s)] as const];
  return (
    <dl class="facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What the carrier calls when somebody writes, and when something has become of a message. */
function Addresses({ account }: { account: CarrierAccount }): JSX.Element | null {
  const kind = kindOf(account.kind);
  if (!kind) return null;
  if (!account.inbound_url) {
    return (
      <p class="problem">
        The carrier cannot reach this server yet. Set <code>BATONBOX_PUBLIC_URL</code> and start the server again; the addresses to give to the carrier then stand here.
      </p>
    );
  }
  return (
    <div class="addresses">
      {account.setup && !kind.file ? <p class="soft">{instruction(account)}</p> : null}
      <CopyField label="Address for messages" value={account.inbound_url} />
      {account.status_url ? (
        <div>
          <CopyField label="Address for receipts" value={account.status_url} />
          <p class="field-hint">It goes with each message: nothing has to be set up for it.</p>
        </div>
      ) : null}
      {account.setup && kind.file ? <CopyText label={`For ${kind.file}`} text={account.setup} /> : null}
    </div>
  );
}

export function CarrierDetail({ account, onEdit, onGone }: Props): JSX.Element {
  const checking = useSignal(false);
  const checked = useSignal<Checked | null>(null);
  const asking = useSignal(false);
  const name = accountName(account);
  const check = async (): Promise<void> => {
    if (checking.peek()) return;
    checking.value = true;
    checked.value = null;
    try {
      checked.value = await checkAccount(account.id);
    } catch (error) {
      complain(wordsOf(error));
    }
    checking.value = false;
  };
  const used = account.numbers.map(phoneNumber).join(", ");
  return (
    <section class="detail" aria-label={name}>
      <div class="table-tools">
        <h2>{name}</h2>
        <div class="tools">
          {kindOf(account.kind) ? (
            <button type="button" class="button button-small" aria-disabled={checking.value} onClick={() => void check()}>
              {checking.value ? "Asking…" : "Check"}
            </button>
          ) : null}
          {account.built_in ? null : (
            <>
              <button type="button" class="button button-small" onClick={onEdit}>
                Edit
              </button>
              <button type="button" class="button button-small" onClick={() => (asking.value = true)}>
                Delete
              </button>
            </>
          )}
        </div>
      </div>
      <div role="status">{checked.value ? <p class={checked.value.ok ? "said" : "problem"}>{checked.value.ok ? "The carrier accepts these credentials." : `It does not work: ${reasonWords(checked.value.says)}`}</p> : null}</div>
      {account.problem && account.inbound_url ? <p class="problem">{account.problem}</p> : null}
      {account.built_in ? <p class="soft">It comes with the server's settings, and is changed there.</p> : null}
      <Facts account={account} />
      <p class="soft">{used ? `Used by ${used}.` : "No number uses it yet. Give it one under Numbers."}</p>
      <Addresses account={account} />
      {asking.value ? (
        <Confirm
          label="Delete carrier account"
          words={`${name} and its secret are forgotten: nothing is sent by it any more, and what the carrier brings is refused.`}
          button="Delete account"
          act={async () => {
            await deleteAccount(account.id);
            say(`${name} is deleted.`);
          }}
          onDone={onGone}
          onClose={() => (asking.value = false)}
        />
      ) : null}
    </section>
  );
}
