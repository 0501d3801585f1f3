/** A rotation as agents see it: what they report, and what the server waits for then. */

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { rootsDigest } from "../../src/core/spiffe/roots-digest.ts";
import { changeRoot, fetchRootStatus, type RootCommand } from "../../src/edge/rpc/root-client.ts";
import type { RootStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import {
  HeldCertificateSchema,
  NackSchema,
  type EvidenceReportSchema,
  type SubscriptionEvidence,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { eventually, type TestControlPlane } from "../support/control-plane.ts";
import { openMeshStream, type MeshIdentity, type MeshStream } from "./mesh-client.ts";

export type Report = MessageInitShape<typeof EvidenceReportSchema>;
type Subscription = Partial<
  Pick<
    SubscriptionEvidence,
    | "streamId"
    | "resourceName"
    | "ackedAt"
    | "rootsDigest"
    | "certificate"
    | "bundleSequence"
    | "nack"
  >
>;

/** A bundle's that no change of the test's roots comes after. */
const newest = 1_000n;

export const spiffeId = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;

export function digestOf(it: TestControlPlane): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(rootsDigest(it.controlPlane.trust.bundle.roots), "hex"));
}

/** @param digest of the bundle that was in it; none in an empty response */
export function rootca(digest?: Uint8Array<ArrayBuffer>, streamId = 1n): Subscription {
  const ackedAt = timestampFromMs(Date.now());
  const rootsDigest = digest ?? new Uint8Array();
  return { streamId, resourceName: "ROOTCA", ackedAt, rootsDigest, bundleSequence: newest };
}

export function certificate(notAfterMs: number = Date.now() + 600_000): Subscription {
  return {
    streamId: 1n,
    resourceName: "default",
    ackedAt: timestampFromMs(Date.now()),
    certificate: create(HeldCertificateSchema, {
      serial: "0a",
      notAfter: timestampFromMs(notAfterMs),
    }),
  };
}

export function refusal(): Subscription {
  const at = timestampFromMs(Date.now());
  return { nack: create(NackSchema, { version: "1", detail: "no", at }) };
}

/** What an agent reports whose only proxy holds what it holds itself. */
export function confirming(digest: Uint8Array<ArrayBuffer>): Report {
  const proxies = [{ proxyId: "p", subscriptions: [rootca(digest), certificate()] }];
  const held = { heldRootsDigest: digest, heldBundleSequence: newest };
  return { sequence: 1n, full: true, ...held, proxies };
}

/** Its Hello has been answered. */
export async function join(
  it: TestControlPlane,
  identity: MeshIdentity,
  agentId: string,
  aheadMs = 0,
): Promise<MeshStream> {
  const stream = openMeshStream(it, identity);
  stream.hello(agentId, aheadMs);
  await eventually(() => stream.received.length > 0);
  return stream;
}

/** It has been taken. */
export async function report(stream: MeshStream, value: Report): Promise<void> {
  const acks = () => stream.received.filter(({ message }) => message.case === "reportAck").length;
  const before = acks();
  stream.report({ heldBundleSequence: newest, ...value });
  await eventually(() => acks() > before);
}

export async function command(it: TestControlPlane, kind: RootCommand): Promise<string> {
  const request = { command: kind, operator: "test", dryRun: false };
  const { result } = await changeRoot(it.controlPlane.endpoints.admin, request);
  return result.case === "refused" ? result.value.code : (result.case ?? "nothing");
}

export async function prepare(it: TestControlPlane): Promise<void> {
  assert.equal(await command(it, { kind: "prepare", source: {} }), "done");
}

export async function status(it: TestControlPlane): Promise<RootStatus> {
  return await eventually(async () => {
    const found = await fetchRootStatus(it.controlPlane.endpoints.admin, 100);
    const { laggards = [] } = found.verifiers ?? {};
    return laggards.every(({ reason }) => reason !== "rebuilding") && found;
  });
}

/** Names and reasons, in the order of names: which of them ends last is not said here. */
export async function laggards(it: TestControlPlane): Promise<readonly string[]> {
  const { verifiers } = await status(it);
  return (verifiers?.laggards ?? []).map(({ name, reason }) => `${name} ${reason}`).toSorted();
}

export function serialOf({ certificateChain }: MeshIdentity): Uint8Array<ArrayBuffer> {
  const hex = new X509Certificate(certificateChain).serialNumber;
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
