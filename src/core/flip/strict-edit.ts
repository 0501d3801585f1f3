/** What is edited to make a target strict, and what it would do; or why not. */

import type { BrokenCall } from "../evidence/callers.ts";
import type { JsonObject } from "../identity/json-object.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { modeOf, portModes } from "../policy/port-modes.ts";
import { nameKey, type ResourceRef } from "../resources/resource.ts";
import { alreadyStrict } from "./already-strict.ts";
import { brokenCalls } from "./broken-calls.ts";
import { isPaid, withoutDebt } from "./debt.ts";
import { editPlace, type EditPlace } from "./edit-place.ts";
import { newPolicy, withModes, type EditedPolicy, type PolicyModes } from "./edited-policy.ts";
import type { FlipPorts } from "./flip.ts";
import { isRefusal, listed, type FlipRefusal } from "./flip-error.ts";
import { targetPorts, type TargetPort } from "./target-modes.ts";
import { likeTarget, otherPorts, selectorOf, type FlipTarget } from "./target.ts";
import { namespaceOf, viewWith } from "./view-with.ts";

export interface EditSources {
  readonly view: MeshView;
  /** In the canonical form, of an object that the view has. */
  readonly manifestOf: (ref: ResourceRef) => JsonObject;
  /** When what is made is made; undefined where somebody else is to write it. */
  readonly createdMs: number | undefined;
}

export interface PlannedEdit {
  readonly ref: ResourceRef;
  /** Undefined: there is none yet. */
  readonly before: EditedPolicy | undefined;
  readonly after: EditedPolicy;
}

export interface StrictEdit extends PlannedEdit, FlipPorts {
  readonly brokenCalls: readonly BrokenCall[];
}

export function planStrict(target: FlipTarget, sources: EditSources): StrictEdit | FlipRefusal {
  const view = namespaceOf(sources.view, target.namespace);
  const place = editPlace(view, target);
  if (isRefusal(place)) return place;
  const ports = targetPorts(view, target);
  const hindrance = disabled(target, ports) ?? alreadyStrict(view, target, ports);
  if (hindrance !== undefined) return hindrance;
  const edit = withoutPaidDebt(
    editAt(place, target, sources, (modes) => strictModes(modes, target)),
  );
  const after = viewWith(view, edit.ref, edit.after.object);
  return {
    ...edit,
    ...portsBetween(view, after, target),
    brokenCalls: brokenCalls(sources.view, edit.after.object, target),
  };
}

export function editAt(
  place: EditPlace,
  target: FlipTarget,
  { manifestOf, createdMs }: EditSources,
  change: (modes: PolicyModes) => PolicyModes,
): PlannedEdit {
  if (place.kind === "there") {
    const { policy } = place;
    const before = { object: policy, manifest: manifestOf(policy.ref) };
    return { ref: policy.ref, before, after: withModes(before, change(policy)) };
  }
  const made = newPolicy(place.name, selectorOf(target), createdMs);
  const after = withModes(made, change(made.object));
  return { ref: made.object.ref, before: undefined, after };
}

/** Where no plaintext is let in any more, a date for it would alarm of nothing. */
function withoutPaidDebt({ ref, before, after }: PlannedEdit): PlannedEdit {
  const { object, manifest } = after;
  if (!isPaid(object)) return { ref, before, after };
  return { ref, before, after: { object, manifest: withoutDebt(manifest) } };
}

/** A line of a port that says PERMISSIVE would stand over the whole. */
function strictModes({ mode, ports }: PolicyModes, target: FlipTarget): PolicyModes {
  if (target.ports.length > 0) {
    const strict = target.ports.map((port) => [port, "STRICT"] as const);
    return { mode, ports: new Map([...ports, ...strict]) };
  }
  const byPort = Array.from(ports, ([port, each]) => {
    // A namespace's policy has no ports that count.
    const isWide = each === "PERMISSIVE" && target.name !== "";
    return [port, isWide ? "STRICT" : each] as const;
  });
  return { mode: "STRICT", ports: new Map(byPort) };
}

/** As workloads of the target have them: no policy of their own tells them apart. */
function portsBetween(before: MeshView, after: MeshView, target: FlipTarget): FlipPorts {
  const like = likeTarget(target);
  const [was, is] = [before, after].map(({ mesh }) => portModes(mesh.peers, like));
  if (was === undefined || is === undefined) return { ports: target.ports, exceptPorts: [] };
  const named = [...new Set([...was.ports.keys(), ...is.ports.keys()])].toSorted((a, b) => a - b);
  const isStrict = (port: number): boolean => modeOf(was, port) === "strict";
  if (was.other === is.other) {
    return {
      ports: named.filter((port) => modeOf(was, port) !== modeOf(is, port)),
      exceptPorts: [],
    };
  }
  return { ports: [], exceptPorts: named.filter(isStrict) };
}

function disabled(target: FlipTarget, ports: readonly TargetPort[]): FlipRefusal | undefined {
  const off = ports.filter(({ decision }) => decision.mode === "disable");
  const [first] = off;
  if (first === undefined) return undefined;
  const { text } = target;
  const { ref } = first.decision.because;
  const got = `DISABLE for ${listed(off.map(placeOf))} by PeerAuthentication ${ref && nameKey(ref)}`;
  const isPort = target.ports.length === 0 && off.every(({ port }) => port !== otherPorts);
  if (!isPort) {
    const hint = `first: portcullis mtls permissive ${text} --until 30d --owner NAME`;
    return { code: "disabled", message: `expected ${text} to be permissive, got ${got}`, hint };
  }
  const closed = new Set(off.map(({ port }) => port));
  const named = new Set(ports.map(({ port }) => port));
  const others = [...named].filter((port) => port !== otherPorts && !closed.has(port));
  const rest = others.toSorted((a, b) => a - b)[0] ?? "PORT";
  return {
    code: "port-disabled",
    message: `expected no port of ${text} to be disabled, got ${got}: a line of its own is somebody's decision`,
    hint:
      `flip the other ports one by one: portcullis mtls flip ${text}:${rest} --to strict; ` +
      `or first: portcullis mtls permissive ${text}:${first.port} --until 30d --owner NAME`,
  };
}

function placeOf({ name, port }: TargetPort): string {
  return port === otherPorts ? name : `${name}:${port}`;
}
