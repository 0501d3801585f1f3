/** What the objects say of a flip's target now, by what they do: who has written them, and how, does not matter. */

import type { MeshView } from "../policy/mesh-view.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { nameKey } from "../resources/resource.ts";
import { sameValue } from "../policy/same-value.ts";
import { manifestOf, modesIn } from "./edited-policy.ts";
import { isFlipPort, type Flip } from "./flip.ts";
import { targetDecisions } from "./target-modes.ts";

export type ObjectSays =
  /** As before the flip: nothing of it is strict. */
  | "before"
  /** All of it is strict. */
  | "after"
  /** Some of it is: others have changed something. */
  | "partly"
  /** Nothing of it is strict, and it is not as before. */
  | "other";

export function objectSays(
  flip: Pick<Flip, "target" | "edit" | "ports" | "exceptPorts">,
  view: MeshView,
): ObjectSays {
  const ports = targetDecisions(view, flip.target).filter(({ port }) => isFlipPort(flip, port));
  const strict = ports.filter(({ decision }) => decision.mode === "strict");
  if (strict.length > 0) return strict.length === ports.length ? "after" : "partly";
  return isAsBefore(flip, view) ? "before" : "other";
}

/** The one that the flip changes. @returns undefined where it is not there */
export function objectOf(
  { edit: { ref } }: Pick<Flip, "edit">,
  view: MeshView,
): PeerAuthentication | undefined {
  return view.objects.peers.find((each) => nameKey(each.ref) === nameKey(ref));
}

function isAsBefore(flip: Pick<Flip, "edit">, view: MeshView): boolean {
  const { beforeJson } = flip.edit;
  const policy = objectOf(flip, view);
  if (policy === undefined || beforeJson === undefined) return policy === beforeJson;
  const { mode, ports } = policy;
  return sameValue(modesIn(manifestOf(beforeJson)), { mode, ports });
}
