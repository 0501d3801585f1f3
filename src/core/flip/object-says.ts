/** What the objects say of a flip's target now, by what they do: who has written them, and how, does not matter. */

import { compareText } from "../compare-text.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import { nameKey } from "../resources/resource.ts";
import { sameValue } from "../policy/same-value.ts";
import { manifestOf, modesIn } from "./edited-policy.ts";
import { isFlipPort, type Flip } from "./flip.ts";
import { targetDecisions } from "./target-modes.ts";
import { viewOf } from "./view-with.ts";

export type ObjectSays =
  /** As before the flip: nothing of it is strict. */
  | "before"
  /** All of it is strict. */
  | "after"
  /** Some of it is: others have changed something. */
  | "partly"
  /** Nothing of it is strict, and it is not as before. */
  | "other"
  /** As `other`, and only as others stand over the flip's object, which says STRICT still: all would be strict without them. */
  | "overruled";

type Decided = Pick<Flip, "target" | "edit" | "ports" | "exceptPorts">;

export function objectSays(flip: Decided, view: MeshView): ObjectSays {
  const ports = decisionsOf(flip, view);
  const strict = ports.filter(({ decision }) => decision.mode === "strict");
  if (strict.length > 0) return strict.length === ports.length ? "after" : "partly";
  if (isAsBefore(flip, view)) return "before";
  return isStanding(flip, view) ? "overruled" : "other";
}

/** Whether what the flip wrote, by itself, makes any of the target strict: also where another object decides for it now. */
export function isStanding(flip: Decided, view: MeshView): boolean {
  const own = objectOf(flip, view);
  if (own === undefined) return false;
  const alone = viewOf(view, { peers: [own] });
  return decisionsOf(flip, alone).some(({ decision }) => decision.mode === "strict");
}

/** Who decides in the place of the flip's object. */
export function overrulersOf(flip: Decided, view: MeshView): readonly string[] {
  const refs = decisionsOf(flip, view).map(({ decision: { because } }) => because.ref);
  const names = refs.flatMap((ref) => (ref === undefined ? [] : [nameKey(ref)]));
  return [...new Set(names)]
    .filter((name) => name !== nameKey(flip.edit.ref))
    .toSorted(compareText);
}

/** The one that the flip changes. @returns undefined where it is not there */
export function objectOf(
  { edit: { ref } }: Pick<Flip, "edit">,
  view: MeshView,
): PeerAuthentication | undefined {
  return view.objects.peers.find((each) => nameKey(each.ref) === nameKey(ref));
}

function decisionsOf(flip: Decided, view: MeshView): ReturnType<typeof targetDecisions> {
  return targetDecisions(view, flip.target).filter(({ port }) => isFlipPort(flip, port));
}

function isAsBefore(flip: Pick<Flip, "edit">, view: MeshView): boolean {
  const { beforeJson } = flip.edit;
  const policy = objectOf(flip, view);
  if (policy === undefined || beforeJson === undefined) return policy === beforeJson;
  const { mode, ports } = policy;
  return sameValue(modesIn(manifestOf(beforeJson)), { mode, ports });
}
