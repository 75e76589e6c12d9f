/** The page of somebody signed in. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { startAttention } from "./attention";
import { SharedContext, useShared, type Shared } from "./context";
import { dialog } from "./dialog_state";
import { startKeyboard } from "./keyboard";
import { lazy } from "./lazy";
import { ListPane } from "./list_pane";
import { Nav } from "./nav";
import { startNotices } from "./notices";
import { ConnectionPill, Notifications } from "./notifications";
import { listWidth } from "./prefs";
import { Resizer } from "./resizer";
import { route } from "./route";
import { panes } from "./screen";
import type { ChangePassword } from "./settings";
import { ThreadPane } from "./thread_pane";

const Dialogs = lazy(() => import("./dialogs").then((part) => part.Dialogs));
const Phone = lazy(() => import("./phone").then((part) => part.Phone));
const Settings = lazy(() => import("./settings").then((part) => part.Settings));
const Interactions = lazy(() => import("./later").then((part) => part.Interactions));
const Admin = lazy(() => import("./later").then((part) => part.Admin));

function Inboxes(): JSX.Element {
  const one = panes.value === 1;
  const open = route.value.conv !== "";
  return (
    <main class="inboxes" style={{ "--list-width": `${listWidth.value}rem` }}>
      <h1 class="hidden-text">Inboxes</h1>
      {one && open ? null : <ListPane />}
      {panes.value === 3 ? <Resizer /> : null}
      {one && !open ? null : <ThreadPane />}
    </main>
  );
}

function Content({ changePassword }: { changePassword: ChangePassword }): JSX.Element {
  const { about } = useShared();
  const { page } = route.value;
  if (page === "inboxes" || page === "sign-in") return <Inboxes />;
  return (
    <main class="content" tabIndex={-1}>
      {page === "settings" ? <Settings changePassword={changePassword} version={about.version} /> : null}
      {page === "phone" ? <Phone /> : null}
      {page === "interactions" ? <Interactions /> : null}
      {page === "admin" ? <Admin /> : null}
    </main>
  );
}

export function App({ shared, changePassword }: { shared: Shared; changePassword: ChangePassword }): JSX.Element {
  const { store } = shared;
  useEffect(() => {
    const stops = [startNotices(store), startAttention(store), startKeyboard(store)];
    return () => stops.forEach((stop) => stop());
  }, [store]);
  const { page, conv } = route.value;
  return (
    <SharedContext.Provider value={shared}>
      <div class="app" data-panes={panes.value} data-open={page === "inboxes" && conv ? "" : undefined}>
        <Nav />
        <Content changePassword={changePassword} />
        <ConnectionPill />
        <Notifications />
        {dialog.value ? <Dialogs /> : null}
      </div>
    </SharedContext.Provider>
  );
}
