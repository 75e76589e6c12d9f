/** What the audit log is narrowed to: in the form, in the server's query, and in the export's address. */

export interface AuditFilters {
  readonly actor: string;
  readonly action: string;
  readonly inbox: string;
  /** A conversation's id. */
  readonly conv: string;
  /** Days as a date field writes them ("2026-03-10"), both included; "" for no bound. */
  readonly since: string;
  readonly until: string;
}

export const EVERYTHING: AuditFilters = { actor: "", action: "", inbox: "", conv: "", since: "", until: "" };

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;

/** Local midnight that begins the day, or `later` days after it; "" for what is no day. */
export function dayBoundary(day: string, later = 0): string {
  const found = DAY.exec(day);
  if (!found) return "";
  const [, year, month, date] = found.map(Number);
  return new Date(year ?? 0, (month ?? 1) - 1, (date ?? 1) + later).toISOString();
}

/** As the server reads them; empty ones are left out. */
export function auditQuery(filters: AuditFilters): URLSearchParams {
  const { since, until, ...rest } = filters;
  const query = new URLSearchParams();
  const wanted = { ...rest, since: dayBoundary(since), until: dayBoundary(until, 1) };
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  return query;
}

/** Where the same entries can be downloaded. */
export function exportAddress(filters: AuditFilters, format: "csv" | "ndjson"): string {
  return `/v1/admin/audit/export?${new URLSearchParams([["format", format], ...auditQuery(filters)])}`;
}

/** Why nothing can match; "" when something can. */
export function filterProblem({ since, until }: AuditFilters): string {
  return since && until && since > until ? "The first day lies after the last." : "";
}
