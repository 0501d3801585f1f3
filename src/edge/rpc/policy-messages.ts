/** A ProxyPolicy as octets, whose digest names it, and back. */

import { createHash } from "node:crypto";
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import type { OutboundCluster, OutboundPort, ProxyPolicy } from "../../core/policy/proxy-policy.ts";
import {
  ProxyPolicySchema,
  type ProxyPolicy as WirePolicy,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { MeshMessageError } from "./mesh-fields.ts";
import { encodeCluster, encodeOutbound, parseCluster, parseOutbound } from "./policy-clusters.ts";
import { assertCount, assertPolicy, assertUnlike } from "./policy-fields.ts";
import { encodeInbound, encodeModes, parseInbound, parseModes } from "./policy-inbound.ts";

const policyBytesMax = 1_048_576;
const inboundMax = 512;
const outboundMax = 4_096;
const clustersMax = 4_096;
/** Of all clusters together. */
const endpointsMax = 10_000;

/** Most of a policy stays when it changes, and many have the same clusters: those are encoded once. */
const outboundOctets = new WeakMap<OutboundPort, Uint8Array>();
const clusterOctets = new WeakMap<OutboundCluster, Uint8Array>();

/** The same value gives the same octets: fields in their order, one message after the other. */
export function encodePolicy({
  inbound,
  outbound,
  clusters,
  modes: taken,
}: ProxyPolicy): Uint8Array {
  return joined([
    octetsOf({ inbound: inbound.map(encodeInbound) }),
    ...outbound.map((port) =>
      once(outboundOctets, port, () => ({ outbound: [encodeOutbound(port)] })),
    ),
    ...clusters.map((cluster) =>
      once(clusterOctets, cluster, () => ({ clusters: [encodeCluster(cluster)] })),
    ),
    octetsOf(encodeModes(taken)),
  ]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

type PolicyInit = MessageInitShape<typeof ProxyPolicySchema>;

function once<T extends object>(
  known: WeakMap<T, Uint8Array>,
  part: T,
  init: () => PolicyInit,
): Uint8Array {
  const octets = known.get(part) ?? octetsOf(init());
  known.set(part, octets);
  return octets;
}

function octetsOf(init: PolicyInit): Uint8Array {
  return toBinary(ProxyPolicySchema, create(ProxyPolicySchema, init));
}

/** @returns SHA-256, lower-case hex */
export function policyDigest(octets: Uint8Array): string {
  return createHash("sha256").update(octets).digest("hex");
}

/** @throws MeshMessageError for what is none, or more than a proxy may have */
export function parsePolicy(octets: Uint8Array): ProxyPolicy {
  const { inbound, outbound, clusters, ...wire } = decode(octets);
  assertCount(inbound, inboundMax, "inbound");
  assertCount(outbound, outboundMax, "outbound");
  assertCount(clusters, clustersMax, "clusters");
  const policy = {
    inbound: inbound.map((each, at) => parseInbound(each, `inbound[${at}]`)),
    outbound: outbound.map((each, at) => parseOutbound(each, `outbound[${at}]`)),
    clusters: parseClusters(clusters),
    modes: parseModes(wire),
  };
  assertWhole(policy);
  return policy;
}

function decode(octets: Uint8Array): WirePolicy {
  if (octets.length > policyBytesMax) {
    const message = `expected a policy of at most ${policyBytesMax} octets, got ${octets.length}`;
    throw new MeshMessageError("mesh-policy-too-large", message);
  }
  try {
    return fromBinary(ProxyPolicySchema, octets);
  } catch (cause) {
    const message = "expected a ProxyPolicy, got octets that are none";
    throw new MeshMessageError("mesh-policy-malformed", message, { cause });
  }
}

/** One name, one thing; what a route leads to is there. */
function assertWhole({ inbound, outbound, clusters }: ProxyPolicy): void {
  assertUnlike(
    inbound.map(({ port }) => port),
    "inbound",
  );
  assertUnlike(
    outbound.map(({ bind, port }) => `${bind} ${port}`),
    "outbound",
  );
  const names = clusters.map(({ name }) => name);
  assertUnlike(names, "clusters");
  const known = new Set(names);
  for (const [at, { routes }] of outbound.entries()) {
    const isKnown = routes.every(({ cluster }) => known.has(cluster));
    assertPolicy(isKnown, `outbound[${at}].routes`, "clusters that are there");
  }
}

function parseClusters(wire: WirePolicy["clusters"]): OutboundCluster[] {
  let endpoints = 0;
  for (const cluster of wire) endpoints += cluster.endpoints.length;
  assertCount({ length: endpoints }, endpointsMax, "clusters.endpoints");
  return wire.map((each, at) => parseCluster(each, `clusters[${at}]`));
}
