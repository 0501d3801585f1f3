/** `portcullis.mesh.v1` on the wire <-> the values of core/roll and core/spiffe. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import { PortcullisError } from "../../core/error.ts";
import type {
  AckedEvidence,
  EvidenceReport,
  NackEvidence,
  ProxyEvidence,
  SubscriptionEvidence,
} from "../../core/roll/evidence.ts";
import { SpiffeId, TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  type ConnectRequest,
  type ConnectResponse,
  type EvidenceReport as WireReport,
  type ProxyEvidence as WireProxy,
  type SubscriptionEvidence as WireSubscription,
  type TrustBundle as WireBundle,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";

export type MeshMessageErrorCode =
  | "mesh-name-too-long"
  | "mesh-time-out-of-range"
  | "mesh-index-out-of-range";

export class MeshMessageError extends PortcullisError<MeshMessageErrorCode> {
  override name = "MeshMessageError";
}

/** Longer texts are cut: they are shown, never compared. */
const detailLengthMax = 1_024;
const versionLengthMax = 128;
/** Longer names are refused: cut, two of them could become one. */
const nameLengthMax = 2_048;

export function encodeBundle(bundle: TrustBundle): ConnectResponse {
  const value = {
    trustDomain: bundle.trustDomain.name,
    sequence: bundle.sequence,
    roots: bundle.roots.map((root) => Uint8Array.from(root)),
    jwtKeys: bundle.jwtKeys.map(({ keyId, spki }) => ({
      keyId,
      publicKey: Uint8Array.from(spki),
    })),
  };
  return create(ConnectResponseSchema, { message: { case: "bundle", value } });
}

/** @throws SpiffeIdError, TrustBundleError when it holds no root */
export function parseBundle(wire: WireBundle): TrustBundle {
  const jwtKeys = wire.jwtKeys.map(({ keyId, publicKey }) => ({ keyId, spki: publicKey }));
  return trustBundle(TrustDomain.parse(wire.trustDomain), wire.sequence, wire.roots, jwtKeys);
}

/** @param unproven SPIFFE IDs of whom nothing was kept */
export function encodeReportAck(
  sequence: bigint,
  unproven: readonly string[] = [],
): ConnectResponse {
  const value = { sequence, unproven: [...unproven] };
  return create(ConnectResponseSchema, { message: { case: "reportAck", value } });
}

/** @param logCheckpoint the note that a witness of the log holds, "" at first contact; undefined from whoever is none */
export function encodeHello(
  agentId: string,
  agentVersion: string,
  bundleSequence: bigint,
  logCheckpoint?: string,
): ConnectRequest {
  const value = {
    agentId,
    agentVersion,
    bundleSequence,
    ...(logCheckpoint !== undefined && { logCheckpoint }),
  };
  return create(ConnectRequestSchema, { message: { case: "hello", value } });
}

/** They speak for their workloads: whoever sees them may be those. Only over TLS, never to a log. */
export function encodeTokens(tokens: readonly string[]): ConnectRequest {
  const value = { tokens: [...tokens] };
  return create(ConnectRequestSchema, { message: { case: "tokens", value } });
}

export function encodeReport(report: EvidenceReport): ConnectRequest {
  const value = {
    sequence: report.sequence,
    full: report.full,
    gone: [...report.gone],
    proxies: report.proxies.map((proxy) => ({
      proxyId: proxy.proxyId,
      spiffeId: proxy.spiffeId ?? "",
      subscriptions: proxy.subscriptions.map(encodeSubscription),
    })),
  };
  return create(ConnectRequestSchema, { message: { case: "report", value } });
}

/** @throws MeshMessageError, SpiffeIdError */
export function parseReport(wire: WireReport): EvidenceReport {
  const { sequence, full, proxies, gone } = wire;
  return { sequence, full, proxies: proxies.map(parseProxy), gone: gone.map(parseProxyKey) };
}

function encodeSubscription({ streamId, resourceName, acked, nack }: SubscriptionEvidence) {
  return {
    streamId,
    resourceName,
    bundleSequence: acked?.bundleSequence ?? 0n,
    ...(acked && { ackedAt: timestampFromMs(acked.atMs) }),
    ...(acked?.certificate && {
      certificate: {
        serial: acked.certificate.serialHex,
        notAfter: timestampFromMs(acked.certificate.notAfterMs),
      },
    }),
    ...(nack && {
      nack: { version: nack.version, detail: nack.detail, at: timestampFromMs(nack.atMs) },
    }),
  };
}

function parseProxy({ proxyId, spiffeId, subscriptions }: WireProxy): ProxyEvidence {
  return {
    proxyId: parseName(proxyId),
    ...(spiffeId !== "" && { spiffeId: SpiffeId.parse(spiffeId).toString() }),
    subscriptions: subscriptions.map(parseSubscription),
  };
}

function parseSubscription(wire: WireSubscription): SubscriptionEvidence {
  const acked = wire.ackedAt && parseAcked(wire, wire.ackedAt);
  const nack = wire.nack && parseNack(wire.nack);
  return {
    streamId: wire.streamId,
    resourceName: parseName(wire.resourceName),
    ...(acked && { acked }),
    ...(nack && { nack }),
  };
}

function parseAcked(wire: WireSubscription, ackedAt: Timestamp): AckedEvidence {
  const { certificate, bundleSequence } = wire;
  return {
    atMs: parseTimeMs(ackedAt),
    bundleSequence,
    ...(certificate && {
      certificate: {
        serialHex: cut(certificate.serial, 64),
        notAfterMs: certificate.notAfter ? parseTimeMs(certificate.notAfter) : 0,
      },
    }),
  };
}

function parseNack(nack: NonNullable<WireSubscription["nack"]>): NackEvidence {
  return {
    version: cut(nack.version, versionLengthMax),
    detail: cut(nack.detail, detailLengthMax),
    atMs: nack.at ? parseTimeMs(nack.at) : 0,
  };
}

/** The range of google.protobuf.Timestamp: what lies outside could not be sent on to an operator. */
const timeMsMin = -62_135_596_800_000;
const timeMsMax = 253_402_300_799_999;

function parseTimeMs(wire: Timestamp): number {
  const timeMs = timestampMs(wire);
  if (timeMs >= timeMsMin && timeMs <= timeMsMax) return timeMs;
  throw new MeshMessageError("mesh-time-out-of-range", "expected a time in the years 1 to 9999");
}

function parseName(name: string): string {
  return assertLength(name, nameLengthMax);
}

/** A name, or a SPIFFE ID, a space and a name. */
function parseProxyKey(key: string): string {
  return assertLength(key, key.startsWith("spiffe://") ? 2 * nameLengthMax + 1 : nameLengthMax);
}

function assertLength(name: string, max: number): string {
  if (name.length <= max) return name;
  throw new MeshMessageError(
    "mesh-name-too-long",
    `expected a name of at most ${max} characters, got ${name.length}`,
  );
}

function cut(text: string, max: number): string {
  return text.length > max ? text.slice(0, max) : text;
}
