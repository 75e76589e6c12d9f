/** What a person does with rooms, but for posts: never queued. */
import type { Outcome } from "../contract";
import type { Core } from "./core";
import type { Acts, ActsIo } from "./acts";

export class RoomActs {
  constructor(
    private readonly core: Core,
    private readonly acts: Acts,
    private readonly io: ActsIo,
  ) {}

  openDirect(user: string): Promise<Outcome> {
    return this.run("", "open_dm", { user });
  }

  create(name: string, isPrivate: boolean, members: readonly string[]): Promise<Outcome> {
    return this.run("", "create", { name, private: isPrivate, members });
  }

  join(conv: string): Promise<Outcome> {
    return this.run(conv, "join", { conv });
  }

  leave(conv: string): Promise<Outcome> {
    return this.run(conv, "leave", { conv });
  }

  invite(conv: string, user: string): Promise<Outcome> {
    return this.run(conv, "invite", { conv, user });
  }

  remove(conv: string, user: string): Promise<Outcome> {
    return this.run(conv, "remove", { conv, user });
  }

  rename(conv: string, name: string): Promise<Outcome> {
    return this.run(conv, "rename", { conv, name });
  }

  archive(conv: string, on: boolean): Promise<Outcome> {
    return this.run(conv, "archive", { conv, on });
  }

  edit(conv: string, n: number, text: string, mentions: readonly string[]): Promise<Outcome> {
    return this.run(conv, "edit", { conv, n, text, mentions });
  }

  delete(conv: string, n: number): Promise<Outcome> {
    return this.run(conv, "delete", { conv, n });
  }

  markUnread(conv: string): Promise<Outcome> {
    this.core.step(() => this.core.rooms.unglance(conv));
    return this.run(conv, "unread", { conv });
  }

  private run(conv: string, verb: string, args: Readonly<Record<string, unknown>>): Promise<Outcome> {
    if (!this.io.live()) return this.acts.offline();
    return this.acts.chain(conv || verb, () => this.acts.command(conv, verb, this.io.cid(), args));
  }
}
