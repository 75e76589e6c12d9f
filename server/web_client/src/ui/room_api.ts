/** What is asked of rooms over HTTP. */
import { ask, items } from "./admin/api";

export interface Channel {
  readonly id: string;
  readonly name: string;
  readonly kind: "public" | "private";
  readonly archived_at: string | null;
  /** I am in it. */
  readonly member: boolean;
  readonly members: number;
}

export const channels = (): Promise<readonly Channel[]> => items<Channel>("/v1/channels");

export async function membersOf(room: string): Promise<readonly string[]> {
  const { members } = await ask<{ members: readonly string[] }>("GET", `/v1/rooms/${encodeURIComponent(room)}`);
  return members;
}
