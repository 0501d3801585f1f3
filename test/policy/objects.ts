/** Objects of a configuration, told apart by their kind, with what a test does not care about filled in. */

import type { DestinationRule } from "../../src/core/resources/destination-rule.ts";
import { defaultMeshConfig } from "../../src/core/resources/mesh-config.ts";
import type { PolicyObject } from "../../src/core/resources/policy-object.ts";
import type { ServiceEntry } from "../../src/core/resources/service-entry.ts";
import type { Sidecar } from "../../src/core/resources/sidecar.ts";
import type { Endpoint } from "../../src/core/resources/workload-entry.ts";
import {
  peerOf,
  refOf,
  ruleOf,
  serviceOf,
  workloadOf,
  type WrittenPeer,
} from "../support/policy-objects.ts";

export function peer(written: WrittenPeer): PolicyObject {
  return { kind: "PeerAuthentication", object: peerOf(written) };
}

export function rule(at: string, more: Partial<DestinationRule> = {}): PolicyObject {
  return { kind: "DestinationRule", object: ruleOf(at, more) };
}

export function service(at: string, more: Partial<ServiceEntry> = {}): PolicyObject {
  return { kind: "ServiceEntry", object: serviceOf({ ref: refOf("ServiceEntry", at), ...more }) };
}

/** Its address is its own as long as its name is. */
export function workload(at: string, more: Partial<Endpoint> = {}): PolicyObject {
  const address = `10.0.${at.charCodeAt(0)}.${at.length}`;
  return { kind: "WorkloadEntry", object: workloadOf(at, { address, ...more }) };
}

export function sidecar(at: string, more: Partial<Sidecar> = {}): PolicyObject {
  const ref = refOf("Sidecar", at);
  const empty = { createdMs: undefined, workloadSelector: new Map(), ingress: [] };
  return { kind: "Sidecar", object: { ref, ...empty, egress: undefined, ...more } };
}

export function config(at: string): PolicyObject {
  const ref = refOf("MeshConfig", at);
  return { kind: "MeshConfig", object: { ref, createdMs: undefined, config: defaultMeshConfig } };
}
