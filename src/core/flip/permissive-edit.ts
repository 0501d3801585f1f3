/** What is edited to make a target permissive until a date that alarms, with somebody who answers for it. */

import type { PeerMode } from "../resources/peer-authentication.ts";
import { withDebt } from "./debt.ts";
import { editPlace } from "./edit-place.ts";
import { contentOf, type PolicyModes } from "./edited-policy.ts";
import { isRefusal, type FlipRefusal } from "./flip-error.ts";
import { editAt, type EditSources, type PlannedEdit } from "./strict-edit.ts";
import type { FlipTarget } from "./target.ts";
import { namespaceOf } from "./view-with.ts";

export interface PermissiveEdit extends PlannedEdit {
  /** The object says it already. */
  readonly isUnchanged: boolean;
  /** With lines of their own that say STRICT or DISABLE: somebody's decision, which stays. */
  readonly keptPorts: readonly { readonly port: number; readonly mode: PeerMode }[];
}

export function planPermissive(
  target: FlipTarget,
  sources: EditSources,
  { untilMs, owner }: { readonly untilMs: number; readonly owner: string },
): PermissiveEdit | FlipRefusal {
  const view = namespaceOf(sources.view, target.namespace);
  const place = editPlace(view, target);
  if (isRefusal(place)) return place;
  const { after, before, ref } = editAt(place, target, sources, (modes) =>
    permissiveModes(modes, target),
  );
  const edited = { ...after, manifest: withDebt(after.manifest, untilMs, owner) };
  const isUnchanged =
    before !== undefined && contentOf(before.manifest) === contentOf(edited.manifest);
  return { ref, before, after: edited, isUnchanged, keptPorts: keptOf(target, after.object) };
}

function permissiveModes({ mode, ports }: PolicyModes, target: FlipTarget): PolicyModes {
  if (target.ports.length === 0) return { mode: "PERMISSIVE", ports };
  const permissive = target.ports.map((port) => [port, "PERMISSIVE"] as const);
  return { mode, ports: new Map([...ports, ...permissive]) };
}

function keptOf(target: FlipTarget, { ports }: PolicyModes): PermissiveEdit["keptPorts"] {
  if (target.ports.length > 0 || target.name === "") return [];
  return Array.from(ports, ([port, mode]) => ({ port, mode })).filter(
    ({ mode }) => mode === "STRICT" || mode === "DISABLE",
  );
}
