/** The address book: everybody's, by name. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import "../styles/admin.css";
import { Pages, usePages } from "./admin/paging";
import { ContactDialog } from "./contact_dialog";
import { ImportDialog } from "./contact_import";
import { contacts, EXPORT, type Contact, type ContactPage } from "./contacts_api";
import { useStore } from "./context";
import { phoneNumber } from "./format";
import { SearchIcon } from "./icons";
import { useSettled } from "./settled";

function Row({ contact, onOpen }: { contact: Contact; onOpen: () => void }): JSX.Element {
  return (
    <tr>
      <th scope="row">
        <button type="button" class="row-button" aria-haspopup="dialog" onClick={onOpen}>
          <bdi>{contact.name}</bdi>
        </button>
      </th>
      <td>
        {contact.numbers.map((number) => (
          <span key={number} class="contact-number">
            {phoneNumber(number)}
          </span>
        ))}
      </td>
      <td class="contact-note">{contact.note}</td>
    </tr>
  );
}

function Tools({ onAdd, onImport }: { onAdd: () => void; onImport: () => void }): JSX.Element {
  const admin = useStore().me.value?.role === "admin";
  return (
    <div class="tools">
      {admin ? (
        <>
          <button type="button" class="button button-small" onClick={onImport}>
            Import…
          </button>
          <a class="button button-small" download="" href={EXPORT}>
            Export CSV
          </a>
        </>
      ) : null}
      <button type="button" class="button" onClick={onAdd}>
        Add contact
      </button>
    </div>
  );
}

export function Contacts(): JSX.Element {
  const words = useSignal("");
  const asked = useSettled(words.value.trim());
  const total = useSignal(0);
  const editing = useSignal<Contact | "new" | null>(null);
  const importing = useSignal(false);
  const found = usePages<Contact>((cursor) =>
    contacts(asked, cursor).then((page: ContactPage) => {
      total.value = page.total;
      return page;
    }),
  );
  useEffect(found.reload, [asked]);
  const store = useStore();
  /** A colleague has renamed one that is shown, or merged it. */
  const outdated = (found.all ?? []).some(({ name, numbers: [number] }) => {
    const now = number ? store.contact(number).value : undefined;
    return now !== undefined && now.name !== name;
  });
  useEffect(() => {
    if (outdated) found.reload();
  }, [outdated]);
  const edited = editing.value;
  return (
    <div class="page page-wide">
      <div class="table-tools">
        <h1>Contacts</h1>
        <Tools onAdd={() => (editing.value = "new")} onImport={() => (importing.value = true)} />
      </div>
      <p class="page-words">Who your customers are. Where a number is a contact's, their name stands in its place, for everybody.</p>
      <label class="search contact-filter">
        <SearchIcon />
        <input type="search" aria-label="Filter contacts" placeholder="Name or number" value={words.value} onInput={(event) => (words.value = event.currentTarget.value)} />
      </label>
      <Pages of={found} what="contacts" more="Show more" empty={asked ? "No contact's name or number begins so." : "No contacts yet. Add one here, or from a conversation."}>
        {(all) => (
          <div class="table-box">
            <table class="table">
              <caption class="hidden-text">Contacts</caption>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Numbers</th>
                  <th scope="col">Note</th>
                </tr>
              </thead>
              <tbody>
                {all.map((contact) => (
                  <Row key={contact.id} contact={contact} onOpen={() => (editing.value = contact)} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Pages>
      {total.value > 0 ? <p class="soft contact-total" role="status">{`${total.value.toLocaleString("en")} in all`}</p> : null}
      {edited ? <ContactDialog contact={edited === "new" ? null : edited} onDone={found.renew} onClose={() => (editing.value = null)} /> : null}
      {importing.value ? <ImportDialog onDone={found.reload} onClose={() => (importing.value = false)} /> : null}
    </div>
  );
}
