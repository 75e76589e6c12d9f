/** Changing one's own password. */

/** "" when it is changed, else why not, for people. */
export async function changePassword(old: string, fresh: string): Promise<string> {
  try {
    const response = await fetch("/v1/me/password", {
      method: "PUT",
      credentials: "same-origin",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ old, new: fresh }),
      signal: AbortSignal.timeout(15_000),
    });
    if (response.ok) return "";
    const { detail } = (await response.json()) as { detail?: string };
    return detail ?? `The server answered ${response.status}. Try again.`;
  } catch {
    return "The server cannot be reached. Try again.";
  }
}
