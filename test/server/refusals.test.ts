/** What the server does not sign, or does not even read, as the caller sees it (`istio.md` 1). */

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { eventually, mint, scrape, startControlPlane } from "../support/control-plane.ts";
import type { TestControlPlane } from "../support/control-plane.ts";
import { makeCsr, rsaTestKey, signCsr } from "../support/csr.ts";
import { bitString, integer, nullValue, oid, sequence } from "../support/der.ts";
import {
  CODE,
  CREATE_CERTIFICATE,
  csrPem,
  dialWire,
  encodeRequest,
  frame,
  sign,
  WIRE_CSR,
  WIRE_KEY,
  type SigningRequest,
  type WireConnection,
} from "./grpc-wire.ts";

const RSA = sequence(oid("1.2.840.113549.1.1.1"), nullValue());
const big = 2n ** 2047n + 1n;

function spkiOf({ publicKey }: { readonly publicKey: KeyObject }): Uint8Array {
  return Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
}

function withSpki(spki: Uint8Array): string {
  return csrPem(makeCsr(WIRE_KEY, { spki }));
}

/** A point of P-256 with its last octet changed. */
function offCurve(): Uint8Array {
  const spki = Uint8Array.from(WIRE_KEY.spki);
  spki[spki.length - 1] = (spki.at(-1) ?? 0) ^ 1;
  return spki;
}

function nested(depth: number): Uint8Array {
  let der: Uint8Array = nullValue();
  for (let level = 0; level < depth; level++) der = sequence(der);
  return der;
}

const refusedCsrs: readonly (readonly [title: string, csr: string, reason: string])[] = [
  ["nothing", "", "pem-"],
  ["text that is no PEM", "a CSR, honestly", "pem-"],
  ["a PEM block cut short", WIRE_CSR.slice(0, 200), "pem-"],
  ["two CSRs", WIRE_CSR + WIRE_CSR, "pem-"],
  ["a certificate's label", WIRE_CSR.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"), "pem-"],
  ["garbage in a PEM block", csrPem(Uint8Array.of(1, 2, 3)), "der-"],
  ["DER 4,000 levels deep", csrPem(nested(4_000)), "der-"],
  ["a CSR of 17 KiB", csrPem(new Uint8Array(17 * 1_024)), "csr-too-large"],
  [
    "another key's signature",
    csrPem(makeCsr(WIRE_KEY, { spki: spkiOf(generateKeyPairSync("ec", { namedCurve: "P-256" })) })),
    "csr-signature-invalid",
  ],
  [
    "an empty signature",
    csrPem(makeCsr(WIRE_KEY, { signature: bitString(Uint8Array.of()) })),
    "csr-signature-invalid",
  ],
  [
    "no attributes",
    csrPem(signCsr(WIRE_KEY, sequence(integer(0n), sequence(), WIRE_KEY.spki))),
    "",
  ],
  ["RSA of 1024 bits", csrPem(makeCsr(rsaTestKey(1024))), "key-rsa-too-small"],
  [
    "an RSA exponent of 1",
    withSpki(sequence(RSA, bitString(sequence(integer(big), integer(1n))))),
    "key-rsa-exponent-invalid",
  ],
  [
    "P-521",
    withSpki(spkiOf(generateKeyPairSync("ec", { namedCurve: "P-521" }))),
    "key-curve-unsupported",
  ],
  ["Ed25519", withSpki(spkiOf(generateKeyPairSync("ed25519"))), "key-type-unsupported"],
  ["a point off its curve", withSpki(offCurve()), "key-point-not-on-curve"],
];

describe("a request that is not signed", () => {
  let it: TestControlPlane;
  let connection: WireConnection;
  before(async () => {
    it = await startControlPlane({ flags: { "max-ttl": "2h", "default-ttl": "1h" } });
    connection = dialWire(it);
  });
  after(async () => {
    await connection[Symbol.asyncDispose]();
    await it[Symbol.asyncDispose]();
  });

  async function refuse(request: SigningRequest, metric: string) {
    const before = (await scrape(it)).get(metric) ?? 0;
    const reply = await sign(connection, request);
    assert.equal((await scrape(it)).get(metric), before + 1);
    assert.equal(reply.certChain.length, 0);
    const line = it.log.find(({ requestId }) => requestId === reply.metadata["x-request-id"]);
    assert.equal(line?.["spiffeId"], "spiffe://cluster.local/ns/shop/sa/cart");
    return { ...reply, reason: String(line["reason"]) };
  }

  for (const [title, csr, reason] of refusedCsrs) {
    test(`refuses ${title} by name`, async () => {
      const metric = 'citadel_server_csr_sign_err_count{error="CSR_ERROR"}';
      const reply = await refuse({ message: { csr } }, metric);
      assert.equal(reply.code, CODE.invalidArgument);
      assert.match(reply.message, /^CSR signing error \(.+\)$/);
      assert.ok(reply.reason.startsWith(reason), reply.reason);
    });
  }

  test("refuses a life that is too long, in Istio's words", async () => {
    const metric = 'citadel_server_csr_sign_err_count{error="TTL_ERROR"}';
    for (const [asked, said] of [
      [10_800n, "3h0m0s"],
      [7_201n, "2h0m1s"],
      [2n ** 63n - 1n, undefined],
    ] as const) {
      const reply = await refuse({ message: { validityDuration: asked } }, metric);
      assert.equal(reply.code, CODE.invalidArgument);
      const told =
        /^CSR signing error \(requested TTL (\S+) is greater than the max allowed TTL 2h0m0s\)$/;
      assert.equal(told.exec(reply.message)?.[1], said ?? told.exec(reply.message)?.[1]);
      assert.match(reply.message, told);
    }
  });

  test("signs nothing once its own certificate has expired", async () => {
    it.advance(11 * 365 * 86_400_000);
    const authorization = `Bearer ${mint({ exp: Math.floor(Date.now() / 1000) + 360_000_000 })}`;
    const metric = 'citadel_server_csr_sign_err_count{error="CERT_GEN_ERROR"}';
    const reply = await refuse({ authorization }, metric);
    it.advance(-11 * 365 * 86_400_000);
    assert.equal(reply.code, CODE.internal);
    assert.equal(reply.message, "CSR signing error (the signing certificate has expired)");
  });

  const broken = Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);
  const cutShort = Uint8Array.of(0x22, 0x04, 0x0a, 0x7f, 0x0a, 0x00);

  const unread: readonly (readonly [string, () => Promise<{ code: number }>, number])[] = [
    ["a broken message", () => sign(connection, { body: broken }), CODE.internal],
    ["metadata cut short", () => sign(connection, { body: cutShort }), CODE.internal],
    [
      "a message over 64 KiB",
      () => sign(connection, { message: { csr: "x".repeat(65_536) } }),
      CODE.resourceExhausted,
    ],
    [
      "a message that says it is of 4 GiB",
      () => connection.call(CREATE_CERTIFICATE, Uint8Array.of(0, 255, 255, 255, 255, 0)),
      CODE.resourceExhausted,
    ],
    ["no message", () => connection.call(CREATE_CERTIFICATE, Uint8Array.of()), CODE.unimplemented],
    [
      "two messages",
      () => {
        const one = frame(encodeRequest({ csr: WIRE_CSR }));
        return connection.call(CREATE_CERTIFICATE, Buffer.concat([one, one]));
      },
      CODE.unimplemented,
    ],
    [
      "an unknown method",
      () => connection.call("/istio.v1.auth.IstioCertificateService/Revoke", frame(broken)),
      CODE.unimplemented,
    ],
    [
      "a compression that it does not know",
      () =>
        connection.call(CREATE_CERTIFICATE, Uint8Array.of(1, 0, 0, 0, 1, 0), {
          "grpc-encoding": "snappy",
        }),
      CODE.unimplemented,
    ],
    [
      "a deadline that has passed",
      () => sign(connection, { headers: { "grpc-timeout": "0n" } }),
      CODE.deadlineExceeded,
    ],
  ];

  for (const [title, send, code] of unread) {
    test(`ends ${title} with a status, and lives`, async () => {
      assert.equal((await send()).code, code);
      assert.equal((await sign(connection)).code, CODE.ok);
    });
  }
});

test("signs although the metadata is 8,000 levels deep", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const body = Buffer.concat([encodeRequest({ csr: WIRE_CSR }), nestedMetadata()]);
  assert.equal((await sign(connection, { body })).code, CODE.ok);
});

/** `metadata` whose one field is a list of a list of a list ... */
function nestedMetadata(): Uint8Array {
  // From the inside: 8,000 times Value.list_value of ListValue.values, then Struct.fields and its entry.
  const tags = [...Array.from({ length: 8_000 }, () => [0x0a, 0x32]).flat(), 0x12, 0x0a, 0x22];
  const heads: number[][] = [];
  let length = 0;
  for (const tag of tags) {
    const varint: number[] = [];
    for (let left = length; varint.length === 0 || left > 0; left >>= 7) {
      varint.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    }
    heads.push([tag, ...varint]);
    length += 1 + varint.length;
  }
  return Uint8Array.from(heads.toReversed().flat());
}

test("does not work for whoever no longer waits", async () => {
  let nowMs = Date.now();
  let stepMs = 0;
  await using it = await startControlPlane({ nowMs: () => (nowMs += stepMs) });
  await using connection = dialWire(it);
  // Between the arrival of a request and its turn, its time is up.
  stepMs = 11_000;
  const reply = await sign(connection);
  assert.equal(reply.code, CODE.deadlineExceeded);
  assert.equal((await scrape(it)).get('portcullis_requests_rejected_total{reason="deadline"}'), 1);
});

test("turns away whoever finds the queue full, and says when to come again", async () => {
  await using it = await startControlPlane({
    flags: { "queue-length": "4", "calls-in-flight": "1" },
  });
  await using connection = dialWire(it);
  const replies = await Promise.all(Array.from({ length: 32 }, () => sign(connection)));
  const served = replies.filter(({ code }) => code === CODE.ok);
  const refused = replies.filter(({ code }) => code === CODE.resourceExhausted);
  assert.ok(served.length >= 4 && refused.length > 0, `${served.length}, ${refused.length}`);
  assert.equal(served.length + refused.length, replies.length);
  assert.ok(refused.every(({ metadata }) => Number(metadata["grpc-retry-pushback-ms"]) >= 500));
  const metrics = await scrape(it);
  const rejected = metrics.get('portcullis_requests_rejected_total{reason="overloaded"}');
  assert.equal(rejected, refused.length);
  await eventually(async () => (await sign(connection)).code === CODE.ok);
});
