/** ProveHandshakes and HandshakeReport of `portcullis.mesh.v1` <-> the values of core/roll. */

import { create } from "@bufbuild/protobuf";
import type { HandshakeProof } from "../../core/roll/handshake-proof.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import {
  ConnectRequestSchema,
  ConnectResponseSchema,
  type ConnectRequest,
  type ConnectResponse,
  type HandshakeReport,
  type ProveHandshakes,
} from "../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { cut, MeshMessageError, octetsOf, parseDigest, parseName } from "./mesh-fields.ts";

/** Under which root handshakes are to be made. */
export interface AskedHandshakes {
  /** Lower-case hex. */
  readonly rootSha256: string;
  readonly rootsSequence: bigint;
}

/** What came of those with one proxy. */
export interface ToldHandshake {
  readonly proxyId: string;
  /** From a node agent. Otherwise the stream's own. */
  readonly spiffeId: string | undefined;
  readonly proof: HandshakeProof;
}

const detailLengthMax = 256;

/** @param asked undefined where nothing is to be proved any more */
export function encodeProveHandshakes(asked: AskedHandshakes | undefined): ConnectResponse {
  const value = {
    rootSha256: octetsOf(asked?.rootSha256 ?? ""),
    rootsSequence: asked?.rootsSequence ?? 0n,
  };
  return create(ConnectResponseSchema, { message: { case: "prove", value } });
}

/** @throws MeshMessageError */
export function parseProveHandshakes(wire: ProveHandshakes): AskedHandshakes | undefined {
  const rootSha256 = parseDigest(wire.rootSha256);
  if (rootSha256 === undefined) return undefined;
  return { rootSha256, rootsSequence: wire.rootsSequence };
}

export function encodeHandshakeReport(told: ToldHandshake): ConnectRequest {
  const { proxyId, spiffeId = "", proof } = told;
  const { rootSha256, rootsSequence, policyDigest, failure } = proof;
  const value = {
    rootSha256: octetsOf(rootSha256),
    rootsSequence,
    proxyId,
    spiffeId,
    policyDigest: octetsOf(policyDigest),
    ...(failure && {
      failure: { ...failure, detail: cut(failure.detail, detailLengthMax) },
    }),
  };
  return create(ConnectRequestSchema, { message: { case: "handshake", value } });
}

/** @throws MeshMessageError, SpiffeIdError */
export function parseHandshakeReport(wire: HandshakeReport): ToldHandshake {
  const rootSha256 = parseDigest(wire.rootSha256);
  const policyDigest = parseDigest(wire.policyDigest);
  if (rootSha256 === undefined || policyDigest === undefined) {
    const message = "expected the digests of a root and of a policy";
    throw new MeshMessageError("mesh-digest-malformed", message);
  }
  const { rootsSequence, failure } = wire;
  return {
    proxyId: parseName(wire.proxyId),
    spiffeId: wire.spiffeId === "" ? undefined : SpiffeId.parse(wire.spiffeId).toString(),
    proof: {
      rootSha256,
      rootsSequence,
      policyDigest,
      failure: failure && {
        listener: cut(parseName(failure.listener), detailLengthMax),
        detail: cut(failure.detail, detailLengthMax),
      },
    },
  };
}
