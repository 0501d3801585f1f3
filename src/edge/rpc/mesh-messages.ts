/** `portcullis.mesh.v1` on the wire <-> the values of core/roll and core/spiffe. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { EvidenceReport, HeldLeavesReport } from "../../core/roll/evidence.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { trustBundle, type TrustBundle } from "../../core/spiffe/trust-bundle.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  type ConnectRequest,
  type ConnectResponse,
  type EvidenceReport as WireReport,
  type HeldLeaves as WireLeaves,
  type RenewCertificates as WireRenew,
  type TrustBundle as WireBundle,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { encodeProxy, parseProxy } from "./mesh-evidence.ts";
import {
  assertLeavesLength,
  octetsOf,
  parseDigest,
  parseProxyKey,
  parseSerial,
  parseSerials,
  parseTimeMs,
} from "./mesh-fields.ts";

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

/**
 * @param logCheckpoint the note that a witness of the log holds, "" at first contact; undefined from whoever is none
 * @param agentTimeMs what the agent's clock says
 * @param wantsPolicy whether it knows what to do with a PolicySnapshot
 */
export function encodeHello(
  agentId: string,
  agentVersion: string,
  bundleSequence: bigint,
  logCheckpoint?: string,
  agentTimeMs?: number,
  wantsPolicy = false,
): ConnectRequest {
  const hello = { agentId, agentVersion, bundleSequence, wantsPolicy };
  const value = {
    ...hello,
    ...(logCheckpoint !== undefined && { logCheckpoint }),
    ...(agentTimeMs !== undefined && { agentTime: timestampFromMs(agentTimeMs) }),
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
    proxies: report.proxies.map(encodeProxy),
    heldRootsDigest: octetsOf(report.heldRootsDigest ?? ""),
    heldBundleSequence: report.heldBundleSequence ?? 0n,
    unobservedReaders: report.unobservedReaders ?? 0,
  };
  return create(ConnectRequestSchema, { message: { case: "report", value } });
}

/** @throws MeshMessageError, SpiffeIdError */
export function parseReport(wire: WireReport): EvidenceReport {
  const { sequence, full, proxies, gone, unobservedReaders, heldBundleSequence } = wire;
  const heldRootsDigest = parseDigest(wire.heldRootsDigest);
  return {
    sequence,
    full,
    proxies: proxies.map(parseProxy),
    gone: gone.map(parseProxyKey),
    ...(heldRootsDigest !== undefined && { heldRootsDigest, heldBundleSequence }),
    ...(unobservedReaders > 0 && { unobservedReaders }),
  };
}

export function encodeHeldLeaves({ full, held, dropped }: HeldLeavesReport): ConnectRequest {
  const value = {
    full,
    held: held.map(({ serialHex, notAfterMs }) => ({
      serial: octetsOf(serialHex),
      notAfter: timestampFromMs(notAfterMs),
    })),
    dropped: dropped.map(octetsOf),
  };
  return create(ConnectRequestSchema, { message: { case: "leaves", value } });
}

/** @throws MeshMessageError */
export function parseHeldLeaves({ full, held, dropped }: WireLeaves): HeldLeavesReport {
  assertLeavesLength(held);
  return {
    full,
    held: held.map(({ serial, notAfter }) => ({
      serialHex: parseSerial(serial),
      notAfterMs: notAfter === undefined ? 0 : parseTimeMs(notAfter),
    })),
    dropped: parseSerials(dropped),
  };
}

export function encodeGoodbye(): ConnectRequest {
  return create(ConnectRequestSchema, { message: { case: "goodbye", value: {} } });
}

/** @param serials magnitudes, without a leading zero octet */
export function encodeRenewCertificates(serials: readonly Uint8Array[]): ConnectResponse {
  const value = { serials: serials.map((serial) => Uint8Array.from(serial)) };
  return create(ConnectResponseSchema, { message: { case: "renew", value } });
}

/** @returns serials, lower-case hex @throws MeshMessageError */
export function parseRenewCertificates({ serials }: WireRenew): string[] {
  return parseSerials(serials);
}
