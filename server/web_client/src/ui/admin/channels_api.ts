/** What an admin does to channels over HTTP. */
import { ask } from "./api";

const of = (room: string): string => `/v1/rooms/${encodeURIComponent(room)}`;

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
