/** Channels over HTTP, as admins see them: every one of them. */
import { ask, items } from "./api";

export interface Channel {
  readonly id: string;
  readonly name: string;
  readonly kind: "public" | "private";
  readonly archived_at: string | null;
  /** I am in it. */
  readonly member: boolean;
  readonly members: number;
}

const of = (room: string): string => `/v1/rooms/${encodeURIComponent(room)}`;

export const channels = (): Promise<readonly Channel[]> => items<Channel>("/v1/channels");

/** Who is in a channel that I am in. */
export async function membersOf(room: string): Promise<readonly string[]> {
  return (await ask<{ members: readonly string[] }>("GET", of(room))).members;
}

interface NewChannel {
  readonly name: string;
  readonly private: boolean;
  readonly members: readonly string[];
}

export const createChannel = (channel: NewChannel): Promise<unknown> => ask("POST", "/v1/rooms", channel);
export const renameChannel = (room: string, name: string): Promise<unknown> => ask("POST", `${of(room)}/rename`, { name });
export const archiveChannel = (room: string, on: boolean): Promise<unknown> => ask("POST", `${of(room)}/archive`, { on });
export const joinChannel = (room: string): Promise<unknown> => ask("POST", `${of(room)}/join`, {});
export const addTo = (room: string, user: string): Promise<unknown> => ask("POST", `${of(room)}/invite`, { user });
export const removeFrom = (room: string, user: string): Promise<unknown> => ask("POST", `${of(room)}/remove`, { user });
