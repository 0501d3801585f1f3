/** PolicyReport of `portcullis.mesh.v1` <-> the values of core/policy. */

import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  policyKey,
  type AppliedPolicy,
  type OldConnections,
  type PolicyReport,
  type ReportedNack,
  type ReportedPolicy,
} from "../../core/policy/policy-report.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import {
  ConnectRequestSchema,
  OldConnections as WireOld,
  PolicyProxySchema,
  type ConnectRequest,
  type OpenConnections,
  type PolicyNack as WireNack,
  type PolicyProxy,
  type PolicyReport as WireReport,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  cut,
  MeshMessageError,
  octetsOf,
  parseDigest,
  parseName,
  parseProxyKey,
} from "./mesh-fields.ts";
import { batchesOf } from "./policy-batches.ts";
import { assertCount, parsePort } from "./policy-fields.ts";
import { parseLabels, reportableLabels } from "./policy-labels.ts";
import { policyDigest } from "./policy-messages.ts";

/** A policy that is larger could not be reported: what else there is to say of a proxy has up to 50 KiB. */
export const reportedPolicyBytesMax = 196_608;
const proxiesMax = 8_192;
const drainingMax = 512;
const nackDetailLengthMax = 1_024;
const nackResourcesMax = 64;
const resourceLengthMax = 300;

/** As many reports as there are messages; `complete` is the last one's. */
export function encodePolicyReports(report: PolicyReport): ConnectRequest[] {
  const { full, complete, gone } = report;
  const batches = batchesOf(report.proxies.map(encodeProxy), ({ octets }) => octets);
  const goneBatches = batchesOf(
    gone.map((key) => ({ key, octets: Buffer.byteLength(key) + 3 })),
    ({ octets }) => octets,
  );
  const messages = Math.max(1, batches.length + goneBatches.length);
  return Array.from({ length: messages }, (_, at) => {
    const value = {
      full: full && at === 0,
      complete: complete && at === messages - 1,
      proxies: (batches[at] ?? []).map(({ value }) => value),
      // After what they had: a server may read the end of a message first.
      gone: (goneBatches[at - batches.length] ?? []).map(({ key }) => key),
    };
    return create(ConnectRequestSchema, { message: { case: "policy", value } });
  });
}

interface SizedProxy {
  readonly value: PolicyProxy;
  readonly octets: number;
}

function encodeProxy(proxy: ReportedPolicy): SizedProxy {
  const { proxyId, spiffeId = "", labels, applied, nack, draining, hasListeners, isUnsure } = proxy;
  const { oldConnections, assignmentsAnswered } = proxy;
  const init: MessageInitShape<typeof PolicyProxySchema> = {
    proxyId,
    spiffeId,
    labels: Object.fromEntries(reportableLabels(labels)),
    ...(applied && encodeApplied(applied)),
    // One message has to hold both; of a refusal without its policy the server knows that it does not know it.
    ...(nack && {
      nack: encodeNack(nack, reportedPolicyBytesMax - (applied?.octets?.length ?? 0)),
    }),
    draining: [...draining].slice(0, drainingMax).map(([port, count]) => ({ port, count })),
    oldConnections: wireOld[oldConnections],
    hasListeners,
    unsure: isUnsure,
    assignmentsAnswered: BigInt(assignmentsAnswered),
  };
  const value = create(PolicyProxySchema, init);
  // A tag and a length.
  return { value, octets: toBinary(PolicyProxySchema, value).length + 6 };
}

function encodeApplied({ digest, octets }: AppliedPolicy) {
  return { appliedDigest: octetsOf(digest), applied: upTo(reportedPolicyBytesMax, octets) };
}

function upTo(max: number, octets: Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  const isWhole = octets !== undefined && octets.length <= max;
  return isWhole ? Uint8Array.from(octets) : new Uint8Array();
}

function encodeNack(nack: ReportedNack, octetsMax: number) {
  const { digest, detail, resources, isPartial, octets } = nack;
  const names = resources.filter(({ length }) => length <= resourceLengthMax);
  return {
    digest: octetsOf(digest),
    detail: cut(detail, nackDetailLengthMax),
    resources: names.slice(0, nackResourcesMax),
    partial: isPartial,
    policy: upTo(octetsMax, octets),
  };
}

/** @throws MeshMessageError, SpiffeIdError */
export function parsePolicyReport({ full, complete, proxies, gone }: WireReport): PolicyReport {
  assertCount(proxies, proxiesMax, "proxies");
  assertCount(gone, proxiesMax, "gone");
  return { full, complete, proxies: proxies.map(parseProxy), gone: gone.map(parseProxyKey) };
}

function parseProxy(wire: PolicyProxy): ReportedPolicy {
  const proxyId = parseName(wire.proxyId);
  const spiffeId = wire.spiffeId === "" ? undefined : SpiffeId.parse(wire.spiffeId).toString();
  const path = policyKey({ proxyId: cut(proxyId, 64), spiffeId });
  return {
    proxyId,
    spiffeId,
    labels: parseLabels(wire.labels, path),
    hasListeners: wire.hasListeners,
    applied: parseApplied(wire),
    isUnsure: wire.unsure,
    nack: wire.nack && parseNack(wire.nack),
    draining: parseDraining(wire.draining, path),
    oldConnections: parseOld(wire.oldConnections),
    // Of more than a number can count, nobody has sent as many.
    assignmentsAnswered: Number(wire.assignmentsAnswered),
  };
}

function parseApplied({ applied, appliedDigest }: PolicyProxy): AppliedPolicy | undefined {
  const digest = parseDigest(appliedDigest);
  const octets = parseOctets(applied, digest);
  return digest === undefined ? undefined : { digest, octets };
}

function parseOctets(octets: Uint8Array, digest: string | undefined): Uint8Array | undefined {
  if (octets.length === 0) return undefined;
  if (policyDigest(octets) === digest) return octets;
  const message = "expected the digest of the policy that came with it";
  throw new MeshMessageError("mesh-digest-malformed", message);
}

function parseNack({ digest, detail, resources, policy, partial }: WireNack): ReportedNack {
  const hex = parseDigest(digest);
  if (hex === undefined) {
    throw new MeshMessageError("mesh-digest-malformed", "expected the digest of what was refused");
  }
  const names = resources.slice(0, nackResourcesMax).map(parseName);
  return {
    digest: hex,
    detail: cut(detail, nackDetailLengthMax),
    resources: names,
    isPartial: partial,
    octets: parseOctets(policy, hex),
  };
}

const wireOld: Readonly<Record<OldConnections, WireOld>> = {
  unobserved: WireOld.UNSPECIFIED,
  unproven: WireOld.UNPROVEN,
  gone: WireOld.GONE,
};

/** What a later agent may say is no proof. */
function parseOld(wire: WireOld): OldConnections {
  if (wire === WireOld.GONE) return "gone";
  return wire === WireOld.UNPROVEN ? "unproven" : "unobserved";
}

function parseDraining(wire: readonly OpenConnections[], path: string): ReportedPolicy["draining"] {
  assertCount(wire, drainingMax, `${path}: draining`);
  return new Map(wire.map(({ port, count }) => [parsePort(port, `${path}: draining`), count]));
}
