/** Carriers: who brings messages to this server and takes them away. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "../../styles/carriers.css";
import { focusSoon } from "../places";
import { CarrierDetail } from "./carrier_detail";
import { CarrierDialog } from "./carrier_dialog";
import { accounts } from "./carriers_api";
import { accountName, kindOf, kindWords, secretWords, type CarrierAccount } from "./carrier_words";
import { Pages, usePages, whole } from "./paging";

function Row({ account, open, onOpen }: { account: CarrierAccount; open: boolean; onOpen: () => void }): JSX.Element {
  const { numbers } = account;
  return (
    <tr data-open={open ? "" : undefined}>
      <th scope="row">
        <button type="button" class="row-button" aria-expanded={open} onClick={onOpen}>
          {accountName(account)}
        </button>
        {account.built_in ? <span class="tag">settings</span> : null}
        <span class="cell-aside mono">{account.id}</span>
      </th>
      <td>{kindWords(account.kind)}</td>
      <td class="cell-figure">{numbers.length || <span class="soft">none</span>}</td>
      <td>{kindOf(account.kind) ? secretWords(account.secret) : ""}</td>
      <td>{account.problem ? <span class="state state-warning">Look at this</span> : <span class="state">Ready</span>}</td>
    </tr>
  );
}

export function Carriers(): JSX.Element {
  const found = usePages(() => whole(accounts()));
  const open = useSignal("");
  const editing = useSignal<CarrierAccount | "new" | null>(null);
  const adding = useRef<HTMLButtonElement>(null);
  useEffect(found.reload, []);
  const chosen = found.all?.find(({ id }) => id === open.value);
  const edited = editing.value;
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Carriers</h1>
        <button type="button" class="button" ref={adding} onClick={() => (editing.value = "new")}>
          Add account
        </button>
      </div>
      <p class="page-words">Messages come and go by these. Each number names the one that it belongs to; a carrier's secret is kept sealed and shown to nobody.</p>
      <Pages of={found} what="carriers" more="Show more" empty="No carriers yet. Add the account of one, then give it numbers.">
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Carriers</caption>
              <thead>
                <tr>
                  <th scope="col">Account</th>
                  <th scope="col">Carrier</th>
                  <th scope="col">Numbers</th>
                  <th scope="col">Secret</th>
                  <th scope="col">State</th>
                </tr>
              </thead>
              <tbody>
                {all.map((account) => (
                  <Row key={account.id} account={account} open={open.value === account.id} onOpen={() => (open.value = open.value === account.id ? "" : account.id)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {chosen ? (
        <CarrierDetail
          key={chosen.id}
          account={chosen}
          onEdit={() => (editing.value = chosen)}
          onGone={() => {
            open.value = "";
            found.reload();
            focusSoon(() => adding.current); // its row is gone
          }}
        />
      ) : null}
      {edited ? (
        <CarrierDialog
          account={edited === "new" ? null : edited}
          onDone={(id) => {
            open.value = id;
            return found.renew();
          }}
          onClose={() => (editing.value = null)}
        />
      ) : null}
    </div>
  );
}
