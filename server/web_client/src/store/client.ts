/** The client: its parts put together, and what goes between them. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { ContactName, Link, List, ListView, Outcome, Store, Thread } from "../contract";
import { Socket } from "../net/socket";
import { TabChannel, type TabMessage } from "../tabs/channel";
import { DraftBook } from "../tabs/drafts";
import { Leader } from "../tabs/leader";
import { KeptOutbox } from "../tabs/outbox";
import { VERSION, type ServerFrame, type WelcomeFrame } from "../wire";
import type { Contacts } from "./contacts";
import { ACTS, type Acting } from "./acting";
import { Core } from "./core";
import type { Deeds, DeedsParts } from "./deeds";
import type { Environment, Wakeup } from "./environment";
import { Inflow } from "./inflow";
import { Loading } from "./loading";
import { Looks } from "./looks";
import type { Sizes } from "./outward";
import { Requests } from "./requests";
import { isRoom } from "./rooms";
import { Subscriptions } from "./subscriptions";

/** A store that can be put away: tests do. */
export interface ClosableStore extends Store {
  close(): void;
}

/** Before there is anything to read one with. */
const UNREAD: Thread = {
  lines: signal([]),
  loading: signal(true),
  atStart: signal(false),
  unreadFrom: signal(0),
  older: () => undefined,
};

export class Client {
  readonly core: Core;
  readonly requests = new Requests();
  private readonly subscriptions = new Subscriptions();
  private readonly contacts = signal<Contacts | null>(null);
  private loadingContacts: Promise<void> | null = null;
  private wantsContacts = false;
  private readonly link = signal<Link>({ state: "connecting" });
  private readonly leader: Leader;
  private readonly channel: TabChannel;
  readonly drafts: DraftBook;
  private readonly loading: Loading;
  private readonly looks: Looks;
  private readonly deedsParts: DeedsParts;
  private deeds: Deeds | null = null;
  private readonly prepared = signal(false);
  private loadingDeeds: Promise<Deeds> | null = null;
  private readonly inflow: Inflow;
  private readonly socket: Socket;
  private readonly stopListening: () => void;
  private outbox: KeptOutbox;
  private outgoing: (readonly unknown[])[] = [];
  private cancelDue: (() => void) | null = null;
  private user = "";
  private build = "";

  constructor(
    private readonly env: Environment,
    sizes: Partial<Sizes> = {},
  ) {
    this.core = new Core(sizes);
    const { core, requests, subscriptions } = this;
    const tab = env.unique();
    this.leader = new Leader(env.locks, tab);
    this.channel = new TabChannel(env.channel(), (message) => this.told(message));
    this.outbox = new KeptOutbox(null, "", tab);
    this.drafts = new DraftBook({
      storage: env.storage,
      nowMs: () => env.nowMs(),
      later: (ms, run) => env.later(ms, run),
      changed: (conv, text) => this.channel.tell({ kind: "draft", conv, text }),
    });
    this.loading = new Loading(core);
    this.looks = new Looks(core, {
      attentive: () => env.attentive(),
      seen: (conv, att) => this.channel.tell({ kind: "seen", conv, att }),
    });
    const io = { live: () => this.link.peek().state === "live", cid: () => env.unique() };
    const { drafts } = this;
    this.deedsParts = { core, show: (inbox) => this.show(inbox), nextId: () => requests.nextId(), looks: this.looks, outbox: () => this.outbox, drafts, io };
    this.inflow = new Inflow({
      core,
      requests,
      threads: () => this.deeds?.threads ?? null,
      feed: () => this.deeds?.feed ?? null,
      loading: this.loading,
      subscriptions,
      losses: () => this.deeds?.losses ?? null,
      contacts: () => this.contacts.peek(),
      hasDraft: (conv) => this.drafts.holds(conv),
      attention: (conv) => this.looks.attention(conv),
      restarted: (inbox) => this.looks.restarted(inbox),
      welcomed: (frame) => this.welcomed(frame),
      opened: () => this.opened(),
    });
    core.pinned = (conv) => this.deeds?.threads.has(conv) ?? false;
    core.onLostHistory = (log) => (isRoom(log.id) ? this.deeds?.feed.lost(log) : this.inflow.lostHistory(log));
    core.onMore = (list) => core.step(() => this.loading.more(list));
    core.out = {
      ask: (op, rest, answered, more) => requests.add(op, rest, answered, more) !== null,
      tell: (frame) => this.tell(frame),
      nowMs: () => env.nowMs(),
      later: (ms, run) => env.later(ms, run),
      flush: () => this.flush(),
    };
    this.socket = new Socket(
      {
        open: () => env.open(),
        token: () => env.token(),
        signedIn: () => env.signedIn(),
        nowMs: () => env.nowMs(),
        random: () => env.random(),
        later: (ms, run) => env.later(ms, run),
        onLine: () => env.onLine(),
        client: `web/${VERSION}`,
      },
      {
        frames: (frames, current) => this.heard(frames, current),
        link: (link) => this.linked(link),
        tick: () => this.tick(),
      },
    );
    this.stopListening = env.wakeups((wakeup) => this.woke(wakeup));
    this.socket.start();
  }

  store(): ClosableStore {
    const { core, looks } = this;
    return {
      me: core.me,
      people: core.people,
      inboxes: core.inboxes,
      totals: core.totals,
      link: this.link,
      degraded: core.degraded,
      ready: core.ready,
      leader: this.leader.leads,
      limits: core.limits,
      presence: core.others.presence,
      availability: computed(() => {
        const mode = core.others.wish.value ?? core.me.value?.away ?? "";
        return { away: mode !== "", release: mode === "release" };
      }),
      watchers: (id) => core.others.watchers(id),
      typing: (id) => this.deeds?.watching.typing(id),
      totalsOf: (inbox) => core.totalsOf(inbox),
      list: (view, inbox) => this.list(view, inbox),
      conversation: (id) => core.views.of(id),
      prepared: this.prepared,
      prepare: () => void this.prepare().catch(() => undefined), // who wants it, asks again
      thread: (id) => {
        const { deeds } = this;
        return deeds === null ? UNREAD : this.within(() => deeds.threads.thread(id));
      },
      around: (id, n) => this.deeds?.around(id, n) ?? { ...UNREAD, atEnd: signal(false), newer: () => undefined },
      draft: (id) => this.drafts.draft(id),
      attached: (id) => this.drafts.attached(id),
      look: (id) => {
        this.within(() => this.deeds?.threads.look(id));
        looks.look(id);
        this.watch(({ watching }) => watching.look(id));
      },
      leave: (id) => {
        looks.leave(id);
        this.watch(({ watching }) => watching.leave(id));
        this.within(() => {
          this.deeds?.threads.leave(id);
          this.deeds?.feed.leave(id);
        });
      },
      ...this.acting(),
      rooms: core.rooms.list,
      roomTotals: core.rooms.totals,
      room: (id) => core.rooms.room(id),
      contact: (number) => this.contact(number),
      reconnectNow: () => this.socket.now(),
      signOut: (everywhere) => this.signOut(everywhere ?? false),
      onNotice: (listener) => core.onNotice(listener),
      close: () => this.close(),
    };
  }

  /** Load what conversations and acts take. */
  prepare(): Promise<Deeds> {
    this.loadingDeeds ??= import("./deeds").then(
      ({ Deeds: Loaded }) => {
        const deeds = (this.deeds ??= new Loaded(this.deedsParts));
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

  private acting(): Acting {
    type Act = (...words: unknown[]) => Promise<Outcome>;
    const act = (name: keyof Acting): [string, Act] => [
      name,
      (...words) => this.deed(({ acting }) => (acting[name] as Act)(...words)),
    ];
    return Object.fromEntries(ACTS.map(act)) as unknown as Acting;
  }

  /** The names come after the numbers: the first paint does without what asks for them. */
  private contact(number: string): ReadonlySignal<ContactName | undefined> {
    const { contacts } = this;
    this.wantsContacts = true;
    this.loadContacts();
    return contacts.peek()?.contact(number) ?? computed(() => contacts.value?.contact(number).value);
  }

  private loadContacts(): void {
    if (!this.wantsContacts) return;
    this.loadingContacts ??= import("./contacts").then(
      (part) => void (this.contacts.value = new part.Contacts(this.env)),
      () => void (this.loadingContacts = null), // asked for again with the next number or connection
    );
  }

  /** At once where it can be: what a person does shows before anything is awaited. */
  private deed(act: (deeds: Deeds) => Promise<Outcome>): Promise<Outcome> {
    if (this.deeds !== null) return act(this.deeds);
    return this.prepare().then(act, () => {
      this.core.notice({ kind: "offline" });
      const message = "This part of the page could not be loaded; nothing was changed.";
      return { ok: false, slug: "offline", message, owner: "" };
    });
  }

  /** In the order in which it was asked, once there is what it takes. */
  private watch(then: (deeds: Deeds) => void): void {
    this.prepare().then(then, () => undefined);
  }

  private within<T>(work: () => T): T {
    let result: T | undefined;
    this.core.step(() => {
      result = work();
    });
    return result as T;
  }

  private list(view: ListView, inbox: string | null): List {
    const { core, loading } = this;
    return this.within(() => {
      const known = core.lists.has(`${view}|${inbox ?? ""}`);
      const list = core.list(view, inbox);
      if (inbox !== null) this.show(inbox);
      else if (view === "all") this.showAll();
      if (!known) for (const state of core.members(list)) loading.fillAll(state);
      return list;
    });
  }

  /** An inbox is on the screen: it is followed, whether joined or not. */
  private show(inbox: string): void {
    if (!this.subscriptions.show(inbox) || this.user === "") return;
    this.core.step(() => this.inflow.follow());
  }

  private showAll(): void {
    const { subscriptions } = this;
    if (subscriptions.everything) return;
    subscriptions.everything = true;
    if (this.user !== "") this.inflow.follow();
  }

  // The connection

  private heard(frames: readonly ServerFrame[], current: boolean): void {
    this.core.step(() => {
      for (const frame of frames) this.inflow.receive(frame, current);
    });
  }

  private linked(link: Link): void {
    const was = this.link.peek().state;
    this.link.value = link;
    if (was === "live" && link.state !== "live") {
      this.requests.requeue();
      this.core.others.lost();
      this.deeds?.replies.closed();
    }
    if (link.state === "signed_out" && was !== "signed_out") this.leave();
  }

  private welcomed(frame: WelcomeFrame): void {
    const [, , user, , , build] = frame;
    if (this.user === "") this.identified(user);
    else if (this.user !== user) {
      this.socket.stop({ state: "signed_out", reason: "Somebody else signed in here." });
      return;
    }
    if (this.build === "") this.build = build;
    else if (this.build !== build) {
      this.build = build;
      this.core.notice({ kind: "new_build" });
    }
    this.requests.requeue();
    this.requests.expire(this.env.nowMs());
  }

  private identified(user: string): void {
    const { env, leader } = this;
    this.user = user;
    this.core.userId = user;
    this.outbox = new KeptOutbox(env.storage, user, leader.tab);
    this.drafts.open(user);
    this.channel.open(user);
  }

  private opened(): void {
    this.deeds?.feed.opened();
    this.deeds?.replies.opened();
    this.deeds?.watching.opened();
    this.looks.reopened();
    this.loadContacts();
    if (this.leader.leads.peek() || this.standing) return;
    this.standing = true;
    this.leader.stand(this.user, () => this.adoptSoon());
    this.channel.tell({ kind: "hello" });
  }

  private standing = false;

  private adoptSoon(): void {
    this.adopt().catch(() => undefined); // the next tab that comes, asks again
  }

  private async adopt(): Promise<void> {
    if (this.outbox.empty) return;
    const { replies } = await this.prepare();
    replies.adopt(this.outbox.orphans(await this.leader.living()));
  }

  private tell(frame: readonly unknown[]): boolean {
    if (!this.socket.live) return false;
    this.outgoing.push(frame);
    return true;
  }

  private flush(): void {
    if (!this.socket.live) {
      this.outgoing = [];
      return;
    }
    const nowMs = this.env.nowMs();
    const { outgoing } = this;
    this.outgoing = [];
    this.socket.send([...outgoing, ...this.requests.due(nowMs)]);
    this.cancelDue?.();
    this.cancelDue = null;
    const next = this.requests.nextDueMs();
    if (next === Infinity || next <= nowMs) return;
    this.cancelDue = this.env.later(next - nowMs, () => this.core.step(() => undefined));
  }

  private tick(): void {
    this.core.step(() => {
      this.requests.expire(this.env.nowMs());
      if (this.socket.live) this.inflow.watch();
    });
  }

  private woke(wakeup: Wakeup): void {
    switch (wakeup) {
      case "online":
      case "restored":
        this.socket.wake(wakeup === "online");
        break;
      case "shown":
        this.deeds?.watching.show(true);
        this.socket.wake(false);
        break;
      case "offline":
        this.socket.offline();
        break;
      case "leaving":
        this.deeds?.watching.show(false);
        this.drafts.flush();
    }
  }

  // My other tabs

  private told(message: TabMessage): void {
    switch (message.kind) {
      case "draft":
        this.drafts.hear(message.conv, message.text);
        break;
      case "seen":
        this.looks.seenElsewhere(message.conv, message.att);
        break;
      case "signed_out":
        this.socket.stop({ state: "signed_out", reason: "" });
        break;
      case "hello":
        if (this.leader.leads.peek()) this.adoptSoon();
    }
  }

  private async signOut(everywhere: boolean): Promise<void> {
    if (!(await this.env.signOut(everywhere))) {
      this.core.notice({ kind: "offline" });
      return;
    }
    this.drafts.clear();
    this.outbox.clear();
    this.socket.stop({ state: "signed_out", reason: "" });
  }

  /** Signed out: another store may follow in this tab, and lead. */
  private leave(): void {
    this.channel.tell({ kind: "signed_out" });
    this.close();
  }

  private close(): void {
    this.drafts.flush();
    this.stopListening();
    this.socket.stop();
    this.cancelDue?.();
    this.deeds?.watching.close();
    this.leader.resign();
    this.channel.close();
  }
}
