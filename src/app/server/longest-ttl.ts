/** The longest lifetime that anything is signed for: whoever comes after this server, or looks for what another has signed, waits as long. */

import type { Parts } from "./parts.ts";

/**
 * Before anything is signed with the new one.
 * @param fromSeconds what was in force
 * @throws TrustSecretError, KubeError, what SQLite throws: then nothing may be
 */
export async function raiseTtl(
  { trustSecret, witnesses }: Pick<Parts, "trustSecret" | "witnesses">,
  fromSeconds: number,
  toSeconds: number,
): Promise<void> {
  if (toSeconds <= fromSeconds) return;
  await trustSecret?.raiseTtl(toSeconds);
  witnesses.contradictions.raiseTtl(toSeconds);
}
