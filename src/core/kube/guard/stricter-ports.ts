/**
 * Whose ports a change of one PeerAuthentication would make STRICT that are not now: by that object, or by another that counts once this
 * one does not. What flips hold back is not among them: they open it themselves, stage by stage.
 */

import type { FlipPorts } from "../../flip/flip.ts";
import type { FlipTarget } from "../../flip/target.ts";
import type { Holds } from "../../policy/holds.ts";
import { labelsKey, selects, type Labelled } from "../../policy/labels.ts";
import { PeerPolicies } from "../../policy/peer-policies.ts";
import { modeOf, portModes } from "../../policy/port-modes.ts";
import type { PortModes } from "../../policy/proxy-policy.ts";
import { sameValue } from "../../policy/same-value.ts";
import type { PeerAuthentication } from "../../resources/peer-authentication.ts";
import { nameKey, type Labels, type ResourceName } from "../../resources/resource.ts";

export interface PeerChange {
  readonly name: ResourceName;
  readonly before: PeerAuthentication | undefined;
  readonly after: PeerAuthentication | undefined;
}

/** With a proxy, or one that it had. */
export interface KnownWorkload extends Labelled {
  /** `NAMESPACE/NAME` */
  readonly name: string;
}

/** Ports of workloads that become strict alike. */
export interface StricterPart {
  /** Whom one object selects: it may have others, too. */
  readonly target: FlipTarget;
  readonly ports: FlipPorts;
  /** Of the target: whose ports they are. */
  readonly names: ReadonlySet<string>;
}

export interface PeersAround {
  readonly before: PeerPolicies;
  readonly after: PeerPolicies;
  readonly holds: Holds;
  /** Whether something says STRICT after it: else nobody becomes strict, whoever else there is. */
  readonly saysStrict: boolean;
}

/** @param peers as they are, with or without the one that changes */
export function peersAround(
  change: PeerChange,
  peers: readonly PeerAuthentication[],
  rootNamespace: string,
  holds: Holds,
): PeersAround {
  const key = nameKey(change.name);
  const others = peers.filter(({ ref }) => nameKey(ref) !== key);
  const having = (policy: PeerAuthentication | undefined): PeerPolicies =>
    new PeerPolicies(rootNamespace, policy === undefined ? others : [...others, policy]);
  const { before, after } = change;
  const saysStrict = (after === undefined ? others : [...others, after]).some(
    ({ mode, ports }) => mode === "STRICT" || Array.from(ports.values()).includes("STRICT"),
  );
  return { before: having(before), after: having(after), holds, saysStrict };
}

/**
 * Whether it can make nothing stricter, whatever else there is: what it says is not STRICT, and whom it was about it is about still. A
 * change of nothing is one, too.
 */
export function onlyRelaxes({ before, after }: PeerChange): boolean {
  if (after === undefined) return before === undefined;
  const isWhereItWas =
    before === undefined ||
    (sameValue(before.selector, after.selector) && before.createdMs === after.createdMs);
  if (!isWhereItWas) return false;
  const isOpen = after.mode === "PERMISSIVE" || after.mode === "DISABLE";
  if (isOpen && ![...after.ports.values()].includes("STRICT")) return true;
  return before?.mode === after.mode && sameValue(before.ports, after.ports);
}

/** @param workloads of one namespace */
export function stricterParts(
  change: PeerChange,
  { before, after, holds }: PeersAround,
  workloads: Iterable<KnownWorkload>,
): readonly StricterPart[] {
  const selectors = selectorsOf(change, after.rootNamespace);
  const ports = new Map<string, FlipPorts | undefined>();
  const parts = new Map<string, StricterPart & { readonly names: Set<string> }>();
  for (const workload of workloads) {
    const held = holds.of({ ...workload, name: workload.name.split("/")[1] });
    const key = `${labelsKey(workload.labels)} ${held.map(({ flip }) => flip).join()}`;
    if (!ports.has(key)) {
      ports.set(key, stricter(portModes(before, workload, held), portModes(after, workload, held)));
    }
    const its = ports.get(key);
    const selector = selectors.find((each) => selects(each, workload.labels));
    if (its === undefined || selector === undefined) continue;
    const partKey = JSON.stringify([labelsKey(selector), its]);
    const part = parts.get(partKey) ?? {
      target: targetOf(change, workload.namespace, selector),
      ports: its,
      names: new Set<string>(),
    };
    part.names.add(workload.name);
    parts.set(partKey, part);
  }
  return [...parts.values()];
}

/** Whom it is about once it is made, and whom it was about. In the root namespace no selector counts. */
export function selectorsOf(
  { name, before, after }: PeerChange,
  rootNamespace: string,
): readonly Labels[] {
  if (name.namespace === rootNamespace) return [new Map()];
  const all = [after, before].flatMap((each) => (each === undefined ? [] : [each.selector]));
  return [...new Map(all.map((each) => [labelsKey(each), each])).values()];
}

/** By the name of the object, where that is not the namespace's: whoever shows it may know a better one. */
function targetOf({ name }: PeerChange, namespace: string, selector: Labels): FlipTarget {
  const isWide = selector.size === 0;
  return {
    text: isWide ? namespace : nameKey(name),
    namespace,
    name: isWide ? "" : name.name,
    selector: Object.fromEntries([...selector].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ports: [],
  };
}

/** @returns undefined where none is */
function stricter(was: PortModes, is: PortModes): FlipPorts | undefined {
  const named = [...new Set([...was.ports.keys(), ...is.ports.keys()])].toSorted((a, b) => a - b);
  const isStricter = (port: number): boolean =>
    modeOf(is, port) === "strict" && modeOf(was, port) !== "strict";
  if (is.other === "strict" && was.other !== "strict") {
    return { ports: [], exceptPorts: named.filter((port) => !isStricter(port)) };
  }
  const ports = named.filter(isStricter);
  return ports.length === 0 ? undefined : { ports, exceptPorts: [] };
}
