/** The admin area: its pages beside each other, for admins. */
import type { JSX } from "preact";
import "../../styles/admin.css";
import { useStore } from "../context";
import { address, follow, route } from "../route";
import { SECTIONS } from "./sections";

function Links({ open }: { open: string }): JSX.Element {
  return (
    <nav class="admin-nav" aria-label="Admin">
      {SECTIONS.map(({ section, label }) => {
        const change = { page: "admin", section } as const;
        return (
          <a key={section} href={address(change)} onClick={follow(change)} aria-current={open === section ? "page" : undefined}>
            {label}
          </a>
        );
      })}
    </nav>
  );
}

/** Asks the server nothing for who is no admin; an admin who is made a member loses the page at once. */
export function Admin(): JSX.Element | null {
  const me = useStore().me.value;
  if (!me) return null;
  if (me.role !== "admin")
    return (
      <div class="page">
        <h1>Admin is for admins</h1>
        <p class="page-words">You are a member. Ask an admin of your organisation to change inboxes, numbers or the team.</p>
      </div>
    );
  const shown = SECTIONS.find(({ section }) => section === route.value.section) ?? SECTIONS[0];
  if (!shown) return null;
  return (
    <div class="admin">
      <Links open={shown.section} />
      <div class="admin-page">
        <shown.Page key={shown.section} />
      </div>
    </div>
  );
}
