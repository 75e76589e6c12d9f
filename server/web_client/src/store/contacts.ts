/** Whose numbers are whose, as far as the server has said. */
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { ContactName } from "../contract";
import type { ContactsFrame } from "../wire";

export class Contacts {
  private readonly names = new Map<string, Signal<ContactName | undefined>>();

  contact(number: string): ReadonlySignal<ContactName | undefined> {
    let name = this.names.get(number);
    if (name === undefined) this.names.set(number, (name = signal(undefined)));
    return name;
  }

  /** CONTACTS arrived. */
  told([, names]: ContactsFrame): void {
    for (const [number, name] of this.names) {
      if (names === null) name.value = undefined;
      else if (number in names) name.value = names[number] ?? undefined;
    }
  }
}
