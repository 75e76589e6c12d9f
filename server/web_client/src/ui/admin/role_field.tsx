/** Member or admin. */
import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { ROLES, type Role } from "./team_words";

export function RoleField({ role }: { role: Signal<Role> }): JSX.Element {
  return (
    <label class="field">
      <span>Role</span>
      <select value={role.value} onChange={(event) => (role.value = event.currentTarget.value as Role)}>
        {ROLES.map(([id, label]) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
