/** What somebody typed, as E.164 where that is plain: "+1 (416) 555-0142". */
export function toE164(typed: string): string {
  return typed.trim().replace(/[\s().\-/]/g, "").replace(/^00/, "+");
}
