/** The page of somebody signed in. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Store } from "../contract";
import { startAttention } from "./attention";
import { SharedContext, type Shared } from "./context";
import { dialog } from "./dialog_state";
import { startKeyboard } from "./keyboard";
import { ListPane } from "./list_pane";
import { Nav } from "./nav";
import { ConnectionPill, Notifications } from "./notifications";
import { Admin, AwayStrip, awake, Contacts, Dialogs, Interaction, InteractionsList, loadAhead, loadNotices, Phone, Resizer, Settings } from "./parts";
import { listWidth } from "./prefs";
import { opens, route } from "./route";
import { panes } from "./screen";
import { ThreadPane } from "./thread_pane";

/** A list, and what is open of it. */
function Panes({ name, list, opened }: { name: string; list: JSX.Element; opened: JSX.Element }): JSX.Element {
  const one = panes.value === 1;
  const open = route.value.conv !== "";
  return (
    <main class="inboxes" style={{ "--list-width": `${listWidth.value}rem` }}>
      <h1 class="hidden-text">{name}</h1>
      {one && open ? null : list}
      {panes.value === 3 && awake.value ? <Resizer /> : null}
      {one && !open ? null : opened}
    </main>
  );
}

function Content(): JSX.Element {
  const { page } = route.value;
  if (page === "inboxes" || page === "sign-in") return <Panes name="Inboxes" list={<ListPane />} opened={<ThreadPane />} />;
  if (page === "interactions") return <Panes name="Interactions" list={<InteractionsList />} opened={<Interaction />} />;
  return (
    <main class="content" tabIndex={-1}>
      {page === "settings" ? <Settings /> : null}
      {page === "phone" ? <Phone /> : null}
      {page === "contacts" ? <Contacts /> : null}
      {page === "admin" ? <Admin /> : null}
    </main>
  );
}

/** Notices come in order, also while the words for them are still being loaded. */
function startNotices(store: Store): () => void {
  return store.onNotice((notice) => {
    // A dot says it; attention.ts calls who is not looking.
    if (notice.kind === "inbound") return;
    loadNotices().then(
      ({ tell }) => tell(store, notice),
      () => undefined,
    );
  });
}

export function App({ shared }: { shared: Shared }): JSX.Element {
  const { store } = shared;
  useEffect(() => {
    loadAhead(() => store.prepare());
    const stops = [startNotices(store), startAttention(store), startKeyboard()];
    return () => stops.forEach((stop) => stop());
  }, [store]);
  const { page, conv } = route.value;
  return (
    <SharedContext.Provider value={shared}>
      <div class="app" data-panes={panes.value} data-open={opens(page) && conv ? "" : undefined}>
        {store.availability.value.away ? <AwayStrip /> : null}
        <Nav />
        <Content />
        <ConnectionPill />
        <Notifications />
        {dialog.value ? <Dialogs /> : null}
      </div>
    </SharedContext.Provider>
  );
}
