/** What comes after the first paint: what threads and acts take, and whose numbers are whose. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { ContactName, Outcome } from "../contract";
import { ACTS, type Acting } from "./acting";
import type { Contacts, ContactsIo } from "./contacts";
import type { Deeds, DeedsParts } from "./deeds";

const LOST: Outcome = { ok: false, slug: "offline", message: "This part of the page could not be loaded; nothing was changed.", owner: "" };

export class Later {
  /** Null until somebody has opened a conversation. */
  deeds: Deeds | null = null;
  readonly prepared = signal(false);
  private loadingDeeds: Promise<Deeds> | null = null;
  private readonly names = signal<Contacts | null>(null);
  private loadingNames: Promise<void> | null = null;
  private wantsNames = false;

  constructor(
    private readonly parts: DeedsParts,
    private readonly io: ContactsIo,
  ) {}

  /** Null before a number was shown. */
  get contacts(): Contacts | null {
    return this.names.peek();
  }

  /** Load what conversations and acts take. */
  prepare(): Promise<Deeds> {
    this.loadingDeeds ??= import("./deeds").then(
      ({ Deeds: Loaded }) => {
        const deeds = (this.deeds ??= new Loaded(this.parts));
        this.prepared.value = true;
        return deeds;
      },
      (error: unknown) => {
        this.loadingDeeds = null;
        throw error;
      },
    );
    return this.loadingDeeds;
  }

  acting(): Acting {
    type Act = (...words: unknown[]) => Promise<Outcome>;
    const act = (name: keyof Acting): [string, Act] => [
      name,
      (...words) => this.deed(({ acting }) => (acting[name] as Act)(...words)),
    ];
    return Object.fromEntries(ACTS.map(act)) as unknown as Acting;
  }

  /** In the order in which it was asked, once there is what it takes. */
  watch(then: (deeds: Deeds) => void): void {
    this.prepare().then(then, () => undefined);
  }

  /** At once where it can be, like an act. */
  tell(then: (deeds: Deeds) => void): void {
    if (this.deeds !== null) then(this.deeds);
    else this.watch(then);
  }

  contact(number: string): ReadonlySignal<ContactName | undefined> {
    const { names } = this;
    this.wantsNames = true;
    this.loadNames();
    return names.peek()?.contact(number) ?? computed(() => names.value?.contact(number).value);
  }

  /** There is a connection: what could not be loaded without is asked for again. */
  opened(): void {
    if (this.wantsNames) this.loadNames();
  }

  private loadNames(): void {
    this.loadingNames ??= import("./contacts").then(
      (part) => void (this.names.value = new part.Contacts(this.io)),
      () => void (this.loadingNames = null),
    );
  }

  /** At once where it can be: what a person does shows before anything is awaited. */
  private deed(act: (deeds: Deeds) => Promise<Outcome>): Promise<Outcome> {
    if (this.deeds !== null) return act(this.deeds);
    return this.prepare().then(act, () => {
      this.parts.core.notice({ kind: "offline" });
      return LOST;
    });
  }
}
