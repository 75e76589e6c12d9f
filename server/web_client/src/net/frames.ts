/** One websocket message is 1..n frames, JSON values separated by newlines. */
import type { ServerFrame } from "../wire";

/** Messages to the server stay well under its 64 KiB (8 KiB before it has answered HELLO). */
const MESSAGE_CHARS = 16 << 10;

/** The frames of a message; throws on what is none. */
export function decode(data: string): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (const line of data.split("\n")) {
    if (line.trim() === "") continue;
    const frame: unknown = JSON.parse(line);
    if (!Array.isArray(frame) || typeof frame[0] !== "number") {
      throw new TypeError("a frame is an array that starts with its operation number");
    }
    frames.push(frame as unknown as ServerFrame);
  }
  return frames;
}

/** Frames as few messages as fit. */
export function encode(frames: readonly (readonly unknown[])[]): string[] {
  const messages: string[] = [];
  let message = "";
  for (const frame of frames) {
    const text = JSON.stringify(frame);
    if (message !== "" && message.length + text.length >= MESSAGE_CHARS) {
      messages.push(message);
      message = "";
    }
    message = message === "" ? text : `${message}\n${text}`;
  }
  if (message !== "") messages.push(message);
  return messages;
}
