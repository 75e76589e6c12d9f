/** The client: its parts put together, and what goes between them. */
import { computed, signal } from "@preact/signals";
import type { Link, List, ListView, Store, Thread } from "../contract";
import { Socket } from "../net/socket";
import { TabChannel, type TabMessage } from "../tabs/channel";
import { DraftBook } from "../tabs/drafts";
import { Leader } from "../tabs/leader";
import { KeptOutbox } from "../tabs/outbox";
import { VERSION, type ServerFrame, type WelcomeFrame } from "../wire";
import { Core } from "./core";
import type { Environment, Wakeup } from "./environment";
import { Inflow } from "./inflow";
import { Later } from "./later";
import { Loading } from "./loading";
import { Looks } from "./looks";
import { Outgoing } from "./outgoing";
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
  private readonly link = signal<Link>({ state: "connecting" });
  private readonly leader: Leader;
  private readonly channel: TabChannel;
  readonly drafts: DraftBook;
  private readonly loading: Loading;
  private readonly looks: Looks;
  private readonly later: Later;
  private readonly inflow: Inflow;
  private readonly socket: Socket;
  private readonly stopListening: () => void;
  private outbox: KeptOutbox;
  private readonly outgoing: Outgoing;
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
    this.later = new Later({ core, show: (inbox) => this.show(inbox), nextId: () => requests.nextId(), looks: this.looks, outbox: () => this.outbox, drafts, io }, env);
    const later = this.later;
    this.inflow = new Inflow({
      core,
      requests,
      threads: () => later.deeds?.threads ?? null,
      feed: () => later.deeds?.feed ?? null,
      loading: this.loading,
      subscriptions,
      losses: () => later.deeds?.losses ?? null,
      contacts: () => later.contacts,
      hasDraft: (conv) => drafts.holds(conv),
      happened: (meta) => later.tell((deeds) => deeds.happened(meta)),
      attention: (conv) => this.looks.attention(conv),
      restarted: (inbox) => this.looks.restarted(inbox),
      welcomed: (frame) => this.welcomed(frame),
      opened: () => this.opened(),
    });
    core.pinned = (conv) => this.later.deeds?.threads.has(conv) ?? false;
    core.onLostHistory = (log) => (isRoom(log.id) ? this.later.deeds?.feed.lost(log) : this.inflow.lostHistory(log));
    core.onMore = (list) => core.step(() => this.loading.more(list));
    this.outgoing = new Outgoing(requests, env, () => this.socket, () => core.step(() => undefined));
    core.out = {
      ask: (op, rest, answered, more) => requests.add(op, rest, answered, more) !== null,
      tell: (frame) => this.outgoing.tell(frame),
      nowMs: () => env.nowMs(),
      later: (ms, run) => env.later(ms, run),
      flush: () => this.outgoing.flush(),
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
    const { core, looks, later } = this;
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
      typing: (id) => this.later.deeds?.watching.typing(id),
      totalsOf: (inbox) => core.totalsOf(inbox),
      list: (view, inbox) => this.list(view, inbox),
      conversation: (id) => core.views.of(id),
      prepared: later.prepared,
      prepare: () => void later.prepare().catch(() => undefined), // who wants it, asks again
      thread: (id) => {
        const { deeds } = later;
        return deeds === null ? UNREAD : this.within(() => deeds.threads.thread(id));
      },
      around: (id, n) => this.later.deeds?.around(id, n) ?? { ...UNREAD, atEnd: signal(false), newer: () => undefined },
      draft: (id) => this.drafts.draft(id),
      attached: (id) => this.drafts.attached(id),
      look: (id) => {
        this.within(() => this.later.deeds?.threads.look(id));
        looks.look(id);
        later.watch(({ watching }) => watching.look(id));
      },
      leave: (id) => {
        looks.leave(id);
        later.watch(({ watching }) => watching.leave(id));
        this.within(() => {
          this.later.deeds?.threads.leave(id);
          this.later.deeds?.feed.leave(id);
        });
      },
      ...later.acting(),
      rooms: core.rooms.list,
      roomTotals: core.rooms.totals,
      room: (id) => core.rooms.room(id),
      contact: (number) => later.contact(number),
      reconnectNow: () => this.socket.now(),
      signOut: (everywhere) => this.signOut(everywhere ?? false),
      onNotice: (listener) => core.onNotice(listener),
      close: () => this.close(),
    };
  }

  /** Load what conversations and acts take. */
  async prepare(): Promise<void> {
    await this.later.prepare();
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
      this.later.deeds?.replies.closed();
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
    this.later.deeds?.feed.opened();
    this.later.deeds?.replies.opened();
    this.later.deeds?.watching.opened();
    this.looks.reopened();
    this.later.opened();
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
    const { replies } = await this.later.prepare();
    replies.adopt(this.outbox.orphans(await this.leader.living()));
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
        this.later.deeds?.watching.show(true);
        this.socket.wake(false);
        break;
      case "offline":
        this.socket.offline();
        break;
      case "leaving":
        this.later.deeds?.watching.show(false);
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
    this.outgoing.close();
    this.later.deeds?.watching.close();
    this.leader.resign();
    this.channel.close();
  }
}
