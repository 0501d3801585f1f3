/** `status.conditions` of a PeerAuthentication, by its subresource: the list is replaced as a whole, so only what was just read is written. */

import { mergedConditions, type WantedCondition } from "../../../core/kube/writes/conditions.ts";
import type { ResourceName } from "../../../core/resources/resource.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { findObject } from "../read/found-object.ts";
import { objectOf, textOf } from "../read/raw-object.ts";
import { patchObject } from "./objects.ts";
import { policyPath } from "./policy-path.ts";
import type { WritePace } from "./write-pace.ts";

export interface ConditionsWriting {
  readonly connection: KubeConnection;
  readonly pace: WritePace;
  readonly signal: AbortSignal;
}

const roundsMax = 3;

/**
 * @param of the object that they are about; another of its name (UID) is left alone
 * @param nowMs Unix
 * @throws KubeError `kube-conflict` where others come between each time; the reason of the signal
 */
export async function writeConditions(
  writing: ConditionsWriting,
  of: ResourceName & { readonly uid: string | undefined },
  wanted: readonly WantedCondition[],
  nowMs: number,
): Promise<void> {
  const { pace, signal } = writing;
  for (let round = 1; ; round++) {
    try {
      // Read in its turn, not before it: what is read waits for nobody.
      await pace.run(signal, async () => writeOnce(writing, of, wanted, nowMs));
      return;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      if (error.code === "kube-not-found") return;
      if (error.code !== "kube-conflict" || round === roundsMax) throw error;
    }
  }
}

async function writeOnce(
  { connection, signal }: ConditionsWriting,
  { namespace, name, uid }: ResourceName & { readonly uid: string | undefined },
  wanted: readonly WantedCondition[],
  nowMs: number,
): Promise<void> {
  const path = policyPath({ kind: "PeerAuthentication", namespace, name });
  const found = await findObject(connection, path, { signal });
  if (found === undefined) return;
  const metadata = objectOf(found["metadata"]);
  if (uid !== undefined && metadata["uid"] !== uid) return;
  const conditions = mergedConditions(objectOf(found["status"])["conditions"], wanted, nowMs);
  if (conditions === undefined) return;
  const resourceVersion = textOf(metadata["resourceVersion"]);
  const patch = { status: { conditions } };
  await patchObject(connection, `${path}/status`, { resourceVersion, patch }, { signal });
}
