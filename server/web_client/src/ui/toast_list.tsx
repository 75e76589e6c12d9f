/** The toasts there are at the moment. */
import type { JSX } from "preact";
import { CloseIcon } from "./more_icons";
import { dismiss, toasts, type Toast } from "./toasts";

function ToastView({ toast }: { toast: Toast }): JSX.Element {
  const { action } = toast;
  return (
    <li class={`toast floating toast-${toast.tone}`}>
      <span class="toast-text">{toast.text}</span>
      {action ? (
        <button
          type="button"
          class="button button-small"
          onClick={() => {
            dismiss(toast.id);
            action.run();
          }}
        >
          {action.label}
        </button>
      ) : null}
      <button type="button" class="icon-button icon-button-small" aria-label="Dismiss" title="Dismiss" onClick={() => dismiss(toast.id)}>
        <CloseIcon />
      </button>
    </li>
  );
}

export function Toasts(): JSX.Element {
  return (
    <>
      {toasts.value.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </>
  );
}
