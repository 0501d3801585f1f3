/**
 * What flips to strict hold back: a workload whose stage has not opened goes on with PERMISSIVE, whatever the objects say. Nothing
 * else is changed by it: what an object leaves permissive, or disables, stays so.
 */

import type { Labels } from "../resources/resource.ts";
import { selects, type Labelled } from "./labels.ts";
import type { PeerPolicies } from "./peer-policies.ts";
import { serverMode, type ServerDecision } from "./server-mode.ts";

/** Of one flip. */
export interface Hold {
  readonly flip: number;
  readonly namespace: string;
  /** Empty: all of the namespace for which no policy of their own says it. */
  readonly selector: Labels;
  /** Empty: all. */
  readonly ports: readonly number[];
  /** Those that were strict before the flip. */
  readonly exceptPorts: readonly number[];
  /** `NAMESPACE/NAME` of those that are strict by now: all others that it selects are held back, also those that come later. */
  readonly strict: ReadonlySet<string>;
}

export interface NamedWorkload extends Labelled {
  /** Of its WorkloadEntry, else its node id; undefined for an endpoint that is written into a ServiceEntry. */
  readonly name?: string | undefined;
}

export class Holds {
  readonly #byNamespace: ReadonlyMap<string, readonly Hold[]>;

  constructor(holds: readonly Hold[] = []) {
    this.#byNamespace = Map.groupBy(holds, ({ namespace }) => namespace);
  }

  get isEmpty(): boolean {
    return this.#byNamespace.size === 0;
  }

  /** Those that select it, and hold it back where a policy makes it strict. */
  of({ namespace, labels, name }: NamedWorkload): readonly Hold[] {
    const holds = this.#byNamespace.get(namespace);
    if (holds === undefined) return none;
    const key = `${namespace}/${name ?? ""}`;
    return holds.filter(({ selector, strict }) => selects(selector, labels) && !strict.has(key));
  }
}

const none: readonly Hold[] = [];

/** @param port the workload's own @param holds of the workload */
export function heldDecision(
  decision: ServerDecision,
  holds: readonly Hold[],
  port: number,
): ServerDecision {
  if (decision.mode !== "strict") return decision;
  const hold = holds.find((each) => isHeld(each, decision, port));
  if (hold === undefined) return decision;
  const { because, overrode, ignored } = decision;
  return {
    mode: "permissive",
    because: { ref: because.ref, rule: "flip" },
    overrode: [...overrode, { ...because, mode: "strict" }],
    ignored,
    flip: hold.flip,
  };
}

function isHeld(
  { selector, ports, exceptPorts }: Hold,
  { because: { rule } }: ServerDecision,
  port: number,
): boolean {
  const isOwn = rule === "workload" || rule === "port";
  if (selector.size === 0 && isOwn) return false;
  return (ports.length === 0 || ports.includes(port)) && !exceptPorts.includes(port);
}

/** What holds now: by the objects, and by the flips that are under way. */
export function decidePort(
  { peers, holds }: { readonly peers: PeerPolicies; readonly holds?: Holds },
  workload: NamedWorkload,
  port: number,
): ServerDecision {
  const decision = serverMode(peers, workload, port);
  return holds === undefined ? decision : heldDecision(decision, holds.of(workload), port);
}
