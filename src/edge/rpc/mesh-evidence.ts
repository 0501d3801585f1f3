/** Evidence of a proxy in `portcullis.mesh.v1` <-> the values of core/roll. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  AckedEvidence,
  NackEvidence,
  ProxyEvidence,
  SubscriptionEvidence,
} from "../../core/roll/evidence.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import {
  ProxyEvidenceSchema,
  type ProxyEvidence as WireProxy,
  type SubscriptionEvidence as WireSubscription,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { cut, octetsOf, parseDigest, parseName, parseTimeMs } from "./mesh-fields.ts";

const detailLengthMax = 1_024;
const versionLengthMax = 128;

export function encodeProxy(proxy: ProxyEvidence): MessageInitShape<typeof ProxyEvidenceSchema> {
  const { proxyId, spiffeId = "", subscriptions } = proxy;
  const weak = proxy.weak ?? false;
  return { proxyId, spiffeId, weak, subscriptions: subscriptions.map(encodeSubscription) };
}

/** @throws MeshMessageError, SpiffeIdError */
export function parseProxy({ proxyId, spiffeId, subscriptions, weak }: WireProxy): ProxyEvidence {
  return {
    proxyId: parseName(proxyId),
    ...(spiffeId !== "" && { spiffeId: SpiffeId.parse(spiffeId).toString() }),
    ...(weak && { weak }),
    subscriptions: subscriptions.map(parseSubscription),
  };
}

function encodeSubscription({ streamId, resourceName, acked, nack }: SubscriptionEvidence) {
  return {
    streamId,
    resourceName,
    bundleSequence: acked?.bundleSequence ?? 0n,
    rootsDigest: octetsOf(acked?.rootsDigest ?? ""),
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
  const rootsDigest = parseDigest(wire.rootsDigest);
  return {
    atMs: parseTimeMs(ackedAt),
    bundleSequence,
    ...(rootsDigest !== undefined && { rootsDigest }),
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
