/** What my tabs tell each other. */

export type TabMessage =
  | { readonly kind: "draft"; readonly conv: string; readonly text: string }
  | { readonly kind: "seen"; readonly conv: string; readonly att: string }
  | { readonly kind: "signed_out" }
  /** A tab has come: perhaps one has gone, and left something behind. */
  | { readonly kind: "hello" };

/** The part of BroadcastChannel that is used. */
export interface ChannelLike {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** Messages reach the other tabs of the same person only. */
export class TabChannel {
  private user = "";

  constructor(
    private readonly channel: ChannelLike | null,
    heard: (message: TabMessage) => void,
  ) {
    if (channel === null) return;
    channel.onmessage = ({ data }) => {
      const { user, message } = data as { user: string; message: TabMessage };
      if (user === this.user && this.user !== "") heard(message);
    };
  }

  open(user: string): void {
    this.user = user;
  }

  tell(message: TabMessage): void {
    if (this.user !== "") this.channel?.postMessage({ user: this.user, message });
  }

  close(): void {
    this.channel?.close();
  }
}
