/**
 * What a DestinationRule says of one port of a host. Istio's merging: a subset's settings stand over the rule's, and a port's in the
 * place of both, also where they say nothing of TLS.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import type { TrafficPolicy } from "../resources/destination-rule.ts";
import type { ResourceRef } from "../resources/resource.ts";
import type { MergedRule } from "./merged-rule.ts";

export type ClientRuleLevel = "rule" | "rule-port" | "subset" | "subset-port";

export interface RuleTls {
  readonly level: ClientRuleLevel;
  readonly ref: ResourceRef;
  /** Undefined: a port's settings that say nothing of TLS hide what the wider ones say. */
  readonly tls: ClientTls | undefined;
}

/**
 * @param port the service's
 * @param subsetName "" for none; one that the rule lacks has no settings of its own
 * @returns what counts, then what it stands over
 */
export function ruleTls(
  { traffic, ref, subsets }: Pick<MergedRule, "traffic" | "ref" | "subsets">,
  port: number,
  subsetName: string,
): readonly RuleTls[] {
  const subset = subsets.find(({ name }) => name === subsetName);
  return [
    ...saidBy(subset?.ref ?? ref, subset?.traffic, port, ["subset-port", "subset"]),
    ...saidBy(ref, traffic, port, ["rule-port", "rule"]),
  ];
}

function saidBy(
  ref: ResourceRef,
  traffic: TrafficPolicy | undefined,
  port: number,
  [ofPort, ofAll]: readonly [ClientRuleLevel, ClientRuleLevel],
): readonly RuleTls[] {
  if (traffic === undefined) return [];
  const { tls, ports } = traffic;
  return [
    ...(ports.has(port) ? [{ ref, level: ofPort, tls: ports.get(port) }] : []),
    ...(tls === undefined ? [] : [{ ref, level: ofAll, tls }]),
  ];
}
