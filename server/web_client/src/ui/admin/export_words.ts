/** Sentences about exports. */

const KINDS: readonly (readonly [string, string, string])[] = [
  ["conversation", "conversation", "conversations"],
  ["room", "room", "rooms"],
  ["message", "message", "messages"],
  ["contact", "contact", "contacts"],
  ["user", "user", "users"],
];

/** "1,234 conversations, 12 rooms, …" of what there is any. */
export function exportWords(counts: Readonly<Record<string, number>>): string {
  const parts = KINDS.flatMap(([kind, one, many]) => {
    const count = counts[kind] ?? 0;
    return count ? [`${count.toLocaleString("en")} ${count === 1 ? one : many}`] : [];
  });
  return parts.join(", ") || "nothing";
}

/** "12 kB", "3.4 MB" */
export function sizeWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
