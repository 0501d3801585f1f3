/** What the log says of a change of the configuration: who made it, to which objects, and the digest of all that holds then. */

import { hash } from "node:crypto";
import { refKey } from "../../../../core/resources/policy-object.ts";
import type { ResourceLayer } from "../../../../edge/store/resources.ts";
import type { LogEvent } from "../../log/log-keeper.ts";
import type { ResourceAction } from "./plan-change.ts";
import type { StoredByKey } from "./resource-set.ts";

export interface ResourceEventParts {
  /** "" for the server itself, which reads its directory, and takes flips back. */
  readonly operator: string;
  readonly layer: ResourceLayer;
  /** Afterwards. */
  readonly sequence: number;
  readonly actions: readonly ResourceAction[];
  /** The whole, afterwards. */
  readonly objects: StoredByKey;
}

/** Octets of the names; an event's detail has 4,096. */
const namesMax = 3_800;

export function resourceEvent({
  operator,
  layer,
  sequence,
  ...parts
}: ResourceEventParts): LogEvent {
  const { actions, objects } = parts;
  const names: Record<"created" | "configured" | "deleted", string[]> = {
    created: [],
    configured: [],
    deleted: [],
  };
  let room = namesMax;
  let unnamed = 0;
  for (const { ref, action } of actions) {
    if (action === "unchanged") continue;
    const name = refKey(ref);
    // Of letters, digits, `-`, `.` and `/`: JSON writes each as it is, in quotes and with a comma.
    room -= name.length + 3;
    if (room >= 0) names[action].push(name);
    else unnamed++;
  }
  return {
    type: "resources-changed",
    operator,
    subject: layer,
    digest: configurationDigest(objects),
    detail: JSON.stringify({ sequence, ...names, unnamed }),
  };
}

/** SHA-256 over a line for each object, in the order of the lines: `KIND/NAMESPACE/NAME SHA256`. */
function configurationDigest(objects: StoredByKey): Uint8Array {
  const lines = [...objects].map(([key, { digest }]) => `${key} ${digest}\n`);
  return hash("sha256", lines.toSorted().join(""), "buffer");
}
