/** Messages to the CA and to the mesh service, as octets. */

import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { decodeCertificateRequest } from "../../../src/edge/rpc/ca-messages.ts";
import {
  encodeConnectionReport,
  parseConnectionReport,
} from "../../../src/edge/rpc/connection-messages.ts";
import {
  encodeGoodbye,
  encodeHeldLeaves,
  encodeHello,
  encodeReport,
  encodeTokens,
  parseHeldLeaves,
  parseReport,
} from "../../../src/edge/rpc/mesh-messages.ts";
import {
  encodePolicyReports,
  parsePolicyReport,
} from "../../../src/edge/rpc/policy-report-messages.ts";
import {
  IstioCertificateRequestSchema,
  type IstioCertificateRequest,
} from "../../../src/gen/istio/v1/auth/ca_pb.ts";
import {
  ConnectRequestSchema,
  type ConnectionReport,
  type ConnectRequest,
  type HeldLeaves,
  type PolicyReport,
} from "../../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import { valueOrNoProtobuf, valueOrTyped, type FuzzTarget } from "../target.ts";

export const caRequest: FuzzTarget = {
  name: "ca-request",
  shape: "bytes",
  dictionary: ["ImpersonatedIdentity", "\n", "\u001a", '"', "\u0012\u0003\u001a\u0001a"],
  seeds: () => {
    const request = { csr: "-----BEGIN CERTIFICATE REQUEST-----", validityDuration: 3600n };
    const encode = (metadata: Record<string, string | number>) =>
      toBinary(
        IstioCertificateRequestSchema,
        create(IstioCertificateRequestSchema, { ...request, metadata }),
      );
    return {
      plain: encode({ ClusterID: "a" }),
      impersonating: encode({ ImpersonatedIdentity: "spiffe://a/b", CertSigner: 1 }),
    };
  },
  check: (input) => {
    const ours = valueOrNoProtobuf(() => decodeCertificateRequest(input));
    const theirs = valueOrNoProtobuf(() => fromBinary(IstioCertificateRequestSchema, input));
    if (theirs === undefined || !isSound(input, "request")) return ours !== undefined;
    if (ours?.isTooLarge === true) return true;
    const meant = meaningOf(theirs);
    // Of several `metadata` one that asks is enough for ours; merged, the last one would count.
    const impersonates = meant.impersonates === "" ? ours?.impersonates : meant.impersonates;
    assert.deepEqual(ours, { ...meant, impersonates });
    return true;
  },
};

/** The wire types of the request and of google.protobuf.Struct, or the message that is in a field. */
const { Varint, Bit64, LengthDelimited } = WireType;
const fields: Readonly<Record<string, Readonly<Record<number, WireType | string>>>> = {
  request: { 1: LengthDelimited, 3: Varint, 4: "struct" },
  struct: { 1: "entry" },
  entry: { 1: LengthDelimited, 2: "value" },
  value: { 1: Varint, 2: Bit64, 3: LengthDelimited, 4: Varint, 5: "struct", 6: "list" },
  list: { 1: "value" },
};

/** Whether each length ends within its message and each field has its wire type: the generated code looks at neither. */
function isSound(bytes: Uint8Array, type: string): boolean {
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      const meant = fields[type]?.[field] ?? wireType;
      if (wireType !== (typeof meant === "string" ? LengthDelimited : meant)) return false;
      if (typeof meant !== "string") reader.skip(wireType, field);
      else if (!isSound(reader.bytes(), meant)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

function meaningOf({ csr, validityDuration, metadata }: IstioCertificateRequest) {
  const asked = metadata?.["ImpersonatedIdentity"];
  const impersonates = typeof asked === "string" ? asked : "";
  return { csr, validityDurationSeconds: validityDuration, impersonates };
}

const encode = (message: ConnectRequest): Uint8Array => toBinary(ConnectRequestSchema, message);

export const meshRequest: FuzzTarget = {
  name: "mesh-request",
  shape: "bytes",
  dictionary: [
    "spiffe://td/ns/a/sa/b",
    "spiffe://td/ns/a/sa/b proxy-1",
    "\u0010\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff",
  ],
  seeds: () => {
    const digest = "ab".repeat(32);
    const acked = {
      bundleSequence: 3n,
      rootsDigest: digest,
      atMs: 1_790_000_000_500,
      certificate: { serialHex: "ab", notAfterMs: 1_790_000_000_000 },
    };
    const nack = { version: "7", detail: "no", atMs: 1_790_000_000_000 };
    const subscriptions = [{ streamId: 1n, resourceName: "default", acked, nack }];
    const proxies = [{ proxyId: "proxy-1", spiffeId: "spiffe://td/ns/a/sa/b", subscriptions }];
    const told = { full: true, proxies, gone: ["proxy-2"] };
    const held = [{ serialHex: "5a01", notAfterMs: 1_790_000_000_000 }];
    const [policies] = encodePolicyReports({
      full: true,
      complete: true,
      proxies: [
        {
          proxyId: "proxy-1",
          spiffeId: "spiffe://td/ns/a/sa/b",
          labels: new Map([["app", "web"]]),
          hasListeners: true,
          applied: { digest, octets: undefined },
          isUnsure: false,
          nack: {
            digest,
            detail: "no",
            resources: ["inbound_80"],
            isPartial: true,
            octets: undefined,
          },
          draining: new Map([[80, 2]]),
          oldConnections: "unproven",
          assignmentsAnswered: 3,
        },
      ],
      gone: [],
    });
    return {
      ...(policies && { policies: encode(policies) }),
      hello: encode(encodeHello("agent", "0.1.0", 3n)),
      timed: encode(encodeHello("agent", "0.1.0", 3n, "", 1_790_000_000_000)),
      leaves: encode(encodeHeldLeaves({ full: true, held, dropped: ["5a02"] })),
      connections: encode(
        encodeConnectionReport({
          runId: "ab".repeat(16),
          sequence: 3,
          proxies: [
            {
              proxyId: "proxy-1",
              spiffeId: "spiffe://td/ns/a/sa/b",
              epochMs: 1_790_000_000_000,
              seen: [
                {
                  port: 80,
                  kind: "plaintext",
                  isRefused: true,
                  source: { kind: "address", address: "10.0.0.1" },
                  firstMs: 1_790_000_000_000,
                  lastMs: 1_790_000_000_500,
                  count: 3,
                  claim: "kube-probe/1.31",
                },
              ],
              coverage: [
                {
                  port: 80,
                  sinceMs: 1_790_000_000_000,
                  untilMs: 1_790_000_001_000,
                  lostUnmeshed: 1,
                  lostMeshed: 2,
                  openUnnamed: 3,
                },
              ],
            },
          ],
        }),
      ),
      goodbye: encode(encodeGoodbye()),
      tokens: encode(encodeTokens(["a.b.c", "d.e.f"])),
      report: encode(encodeReport({ sequence: 1n, ...told })),
      holding: encode(
        encodeReport({
          sequence: 2n,
          ...told,
          heldRootsDigest: digest,
          heldBundleSequence: 3n,
          unobservedReaders: 2,
        }),
      ),
    };
  },
  check: (input) => {
    const request = valueOrNoProtobuf(() => fromBinary(ConnectRequestSchema, input));
    if (request === undefined) return false;
    const { message } = request;
    if (message.case === "leaves") return isSameAgain(message.value);
    if (message.case === "policy") return arePoliciesAgain(message.value);
    if (message.case === "connections") return areConnectionsAgain(message.value);
    if (message.case !== "report") return true;
    const report = valueOrTyped(() => parseReport(message.value));
    if (report === undefined) return false;
    const again = encodeReport(report).message;
    assert.ok(again.case === "report");
    assert.deepEqual(parseReport(again.value), report);
    return true;
  },
};

function isSameAgain(wire: HeldLeaves): boolean {
  const leaves = valueOrTyped(() => parseHeldLeaves(wire));
  if (leaves === undefined) return false;
  const again = encodeHeldLeaves(leaves).message;
  assert.ok(again.case === "leaves");
  assert.deepEqual(parseHeldLeaves(again.value), leaves);
  return true;
}

function areConnectionsAgain(wire: ConnectionReport): boolean {
  const report = valueOrTyped(() => parseConnectionReport(wire));
  if (report === undefined) return false;
  const again = encodeConnectionReport(report).message;
  assert.ok(again.case === "connections");
  assert.deepEqual(parseConnectionReport(again.value), report);
  return true;
}

function arePoliciesAgain(wire: PolicyReport): boolean {
  const report = valueOrTyped(() => parsePolicyReport(wire));
  if (report === undefined) return false;
  const again = encodePolicyReports(report).map(({ message }) => {
    assert.ok(message.case === "policy");
    return parsePolicyReport(message.value);
  });
  // Resources of a NACK are left out where no name of ours is so long; labels lose their order.
  const names = (all: readonly { readonly proxyId: string }[]) => all.map((each) => each.proxyId);
  assert.deepEqual(names(again.flatMap(({ proxies }) => proxies)), names(report.proxies));
  assert.deepEqual(
    again.flatMap(({ gone }) => gone),
    report.gone,
  );
  return true;
}
