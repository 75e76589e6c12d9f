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

/** Those that one may see: an admin every one of them. */
export const channels = (): Promise<readonly Channel[]> => items<Channel>("/v1/channels");

/** What stood in a post before `by` edited or deleted it. */
export interface Version {
  readonly at: string;
  readonly by: string;
  readonly body: { readonly text?: string; readonly media?: readonly { readonly name?: string }[] };
}

/** Of an edited or deleted post, the oldest first; for admins of a channel. */
export const versionsOf = (room: string, n: number): Promise<readonly Version[]> => items<Version>(`/v1/rooms/${encodeURIComponent(room)}/messages/${n}/versions`);

/** Who is in a channel that I am in. */
export async function membersOf(room: string): Promise<readonly string[]> {
  const { members } = await ask<{ members: readonly string[] }>("GET", `/v1/rooms/${encodeURIComponent(room)}`);
  return members;
}
