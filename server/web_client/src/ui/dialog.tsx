/** The frame of every dialog: native, with the focus kept inside and given back. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { closeDialog } from "./dialog_state";
import { places } from "./places";
import { CloseIcon } from "./more_icons";

interface Props {
  readonly label: string;
  readonly children: ComponentChildren;
  /** Without a heading of its own to show. */
  readonly bare?: boolean;
  readonly wide?: boolean;
  /** For a dialog that a page shows by itself; else the one of dialog_state.ts is closed. */
  readonly onClose?: () => void;
}

const FOCUSABLE = "a[href],button:not([disabled]),input:not([disabled]),select,textarea,[tabindex='0']";

export function Dialog({ label, children, bare, wide, onClose = closeDialog }: Props): JSX.Element {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = box.current;
    const opener = document.activeElement as HTMLElement | null;
    element?.showModal();
    element?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      element?.close();
      if (opener?.isConnected && opener !== document.body) opener.focus({ preventScroll: true });
      else (places.composer ?? places.log)?.focus({ preventScroll: true });
    };
  }, []);

  const keys = (event: KeyboardEvent): void => {
    if (event.key !== "Tab") return;
    const all = [...(box.current?.querySelectorAll<HTMLElement>(FOCUSABLE) ?? [])].filter((e) => e.tabIndex >= 0);
    const now = document.activeElement;
    const [from, to] = event.shiftKey ? [all[0], all.at(-1)] : [all.at(-1), all[0]];
    if (now !== from && box.current?.contains(now)) return;
    event.preventDefault();
    to?.focus();
  };

  return (
    <dialog
      class={`dialog floating${wide ? " dialog-wide" : ""}${bare ? " dialog-bare" : ""}`}
      ref={box}
      aria-label={label}
      onKeyDown={keys}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <div class="dialog-box">
        {bare ? null : (
          <header class="dialog-head">
            <h2>{label}</h2>
            <button type="button" class="icon-button" aria-label="Close" title="Close" onClick={onClose}>
              <CloseIcon />
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
