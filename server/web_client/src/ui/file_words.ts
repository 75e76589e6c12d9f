/** Files of messages in words. */

/** "412 kB", "1.2 MB"; "" while nobody knows. */
export function sizeWords(bytes: number): string {
  if (!bytes) return "";
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 999_500) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const TYPES: Readonly<Record<string, string>> = {
  "application/pdf": "PDF",
  "text/plain": "Text",
  "text/vcard": "Contact card",
};
const FAMILIES: Readonly<Record<string, string>> = { image: "Picture", video: "Video", audio: "Audio" };

/** "PDF", "PNG picture", "Video"; "File" for what has no name of its own here. */
export function typeWords(type: string): string {
  const [family = "", format = ""] = type.split("/");
  if (family === "image" && format) return `${format.toUpperCase()} picture`;
  return TYPES[type] ?? FAMILIES[family] ?? "File";
}

/** "PDF · 412 kB" */
export const aboutFile = (type: string, size: number): string => [typeWords(type), sizeWords(size)].filter(Boolean).join(" · ");

/** What browsers draw and nothing in it can run. */
export const isPicture = (type: string): boolean => /^image\/(png|jpeg|gif|webp)$/.test(type);

/** "MMS · 412 kB": what stands in the counter's place once there are files. */
export const mmsWords = (files: readonly { readonly size: number }[]): string => `MMS · ${sizeWords(files.reduce((sum, { size }) => sum + size, 0))}`;
