/** The way back of a flip: what it replaced, or, where others have changed the object since, its modes alone. */

import type { JsonObject } from "../identity/json-object.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import type { PeerMode } from "../resources/peer-authentication.ts";
import { nameKey, type ResourceRef } from "../resources/resource.ts";
import {
  contentOf,
  manifestOf,
  modesIn,
  withModes,
  type EditedPolicy,
  type PolicyModes,
} from "./edited-policy.ts";
import { isFlipPort, type Flip } from "./flip.ts";
import { targetPorts } from "./target-modes.ts";
import { namespaceOf, viewWith } from "./view-with.ts";

export type RevertEdit =
  /** The object is gone, or says nothing strict. */
  | { readonly kind: "nothing" }
  /** The flip has made it. */
  | { readonly kind: "delete"; readonly ref: ResourceRef }
  | {
      readonly kind: "put";
      readonly ref: ResourceRef;
      readonly after: EditedPolicy;
      /** Others have changed the object since: what they wrote stays. */
      readonly isModesOnly: boolean;
    };

export interface RevertSources {
  readonly view: MeshView;
  /** Of the object as it is now; undefined where there is none. */
  readonly manifest: JsonObject | undefined;
}

type Reverted = Pick<Flip, "target" | "edit" | "ports" | "exceptPorts">;

export function planRevert(flip: Reverted, { manifest, ...sources }: RevertSources): RevertEdit {
  const view = namespaceOf(sources.view, flip.target.namespace);
  const { ref, beforeJson, afterJson } = flip.edit;
  const object = view.objects.peers.find((each) => nameKey(each.ref) === nameKey(ref));
  if (object === undefined || manifest === undefined) return { kind: "nothing" };
  const current = { object, manifest };
  const before = beforeJson === undefined ? undefined : manifestOf(beforeJson);
  const isUntouched = contentOf(manifest) === contentOf(manifestOf(afterJson));
  if (isUntouched && before === undefined && !isStrict(flip, viewWith(view, ref, undefined))) {
    return { kind: "delete", ref };
  }
  const was = before === undefined ? undefined : modesIn(before);
  const modes = isUntouched && was !== undefined ? was : modesBack(flip, object, was);
  const after = withModes(
    isUntouched && before !== undefined ? { object, manifest: before } : current,
    modes,
  );
  const isBack = !isStrict(flip, viewWith(view, ref, after.object));
  const edited = isBack ? after : withModes(after, permissiveModes(flip, after.object));
  if (contentOf(edited.manifest) === contentOf(manifest)) return { kind: "nothing" };
  return { kind: "put", ref, after: edited, isModesOnly: !isUntouched };
}

/** What is strict now and was not, as it was; what others have made of it otherwise stays. */
function modesBack(flip: Reverted, now: PolicyModes, was: PolicyModes | undefined): PolicyModes {
  const back = (before: PeerMode | undefined): PeerMode =>
    before === undefined || before === "STRICT" ? "PERMISSIVE" : before;
  const ports = Array.from(now.ports, ([port, mode]) => {
    const isBack = mode === "STRICT" && isFlipPort(flip, port);
    return [port, isBack ? back(was?.ports.get(port)) : mode] as const;
  });
  const isWhole = flip.ports.length === 0 && now.mode === "STRICT";
  if (!isWhole) return { mode: now.mode, ports: new Map(ports) };
  return { mode: back(was?.mode), ports: new Map([...ports, ...strictBefore(flip, now)]) };
}

/** A wider policy has become strict meanwhile: what said nothing has to say it now. */
function permissiveModes(flip: Reverted, now: PolicyModes): PolicyModes {
  const silent = [...now.ports.keys(), ...flip.ports].filter(
    (port) => isFlipPort(flip, port) && (now.ports.get(port) ?? "UNSET") === "UNSET",
  );
  const permissive = silent.map((port) => [port, "PERMISSIVE"] as const);
  const mode = flip.ports.length === 0 ? "PERMISSIVE" : now.mode;
  return { mode, ports: new Map([...now.ports, ...permissive, ...strictBefore(flip, now)]) };
}

/** Their lines may have gone since: the whole was strict. */
function strictBefore(
  { exceptPorts }: Reverted,
  { ports }: PolicyModes,
): readonly (readonly [number, PeerMode])[] {
  return exceptPorts
    .filter((port) => (ports.get(port) ?? "UNSET") === "UNSET")
    .map((port) => [port, "STRICT"] as const);
}

function isStrict(flip: Reverted, view: MeshView): boolean {
  return targetPorts(view, flip.target).some(
    ({ port, decision }) => isFlipPort(flip, port) && decision.mode === "strict",
  );
}
