import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { before, describe, it } from "node:test";
import * as fc from "fast-check";
import { makeAuthority } from "../../../test/support/authority.ts";
import { ecTestKey, rsaTestKey } from "../../../test/support/csr.ts";
import { bitString } from "../../../test/support/der.ts";
import { reissue, withExtension } from "../../../test/support/reissue.ts";
import { parseCertificate, parseTbs } from "../x509/certificate.ts";
import type { LeafFields } from "../x509/leaf-template.ts";
import { OID } from "../x509/oid.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import { signLeaf, type Authority } from "./authority.ts";
import { intentChecks, type LeafIntent } from "./intent-checks.ts";
import { IssuanceError, type IssuanceErrorCode } from "./issuance-error.ts";
import { assertFit, prepareLeaves, type LeafOrder, type PreparedLeaf } from "./prepare.ts";

const nowMs = Date.UTC(2026, 10, 24, 12) + 250;
const policy = { defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 };
const uri = "spiffe://cluster.local/ns/shop/sa/cart";
const [key, otherKey] = [ecTestKey("P-256"), ecTestKey("P-256")];
const publicKey = parsePublicKey(key.spki);

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
/** A clone of a Buffer is a Uint8Array. */
const plain = (value: unknown): string =>
  String(value instanceof Uint8Array ? Uint8Array.from(value) : value);

let authority: Authority;
before(async () => {
  ({ authority } = await makeAuthority("p256", nowMs));
});

function orderWith(changes: Partial<LeafOrder> = {}): LeafOrder {
  const order = { profile: "workload" as const, names: { uris: [uri] }, publicKey };
  return { ...order, requestedTtlSeconds: 0n, serial: randomBytes(16), ...changes };
}

function prepare(changes: Partial<LeafOrder> = {}, by = authority, atMs = nowMs): PreparedLeaf {
  const [outcome] = prepareLeaves([orderWith(changes)], by, policy, atMs);
  if (outcome?.kind !== "prepared") throw outcome?.error;
  return outcome;
}

const fails =
  (code: IssuanceErrorCode, rule = "") =>
  (error: unknown): boolean => {
    assert.ok(error instanceof IssuanceError);
    assert.equal(error.code, code);
    const [, name = ""] = /fails ([a-z0-9-]+) \(.+\)$/.exec(error.message) ?? [];
    assert.equal(name, rule);
    return true;
  };

describe("a prepared certificate", () => {
  it("is plain data, and says what will be signed", () => {
    const serial = Uint8Array.of(0, 0, ...randomBytes(14).fill(7, 0, 1));
    const prepared = prepare({ serial });
    const { tbs, tbsDigest, keyDigest } = prepared;
    const cloned = structuredClone(prepared);
    assert.deepEqual(Object.values(cloned).map(String), Object.values(prepared).map(plain));
    assert.equal(hex(tbsDigest), hash("sha256", tbs));
    assert.equal(hex(keyDigest), hash("sha256", key.spki));
    assert.equal(hex(prepared.serial), hex(serial.subarray(2)));
    assert.equal(prepared.notBeforeMs, nowMs - 250 - 120_000);
    assert.equal(prepared.notAfterMs, nowMs - 250 + 3_600_000);
  });

  it("of any workload names it, its key, its time and its number", () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
    const keys = [publicKey, parsePublicKey(rsaTestKey(2048).spki)];
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...keys),
        fc.integer({ min: -10, max: 7_200 }),
        fc.integer({ min: 0, max: 86_400_000 }),
        fc.uint8Array({ minLength: 15, maxLength: 15 }),
        (path, publicKey, ttlSeconds, laterMs, octets) => {
          const names = { uris: [`spiffe://td.example/${path.join("/")}`] };
          const serial = Uint8Array.of(0x80, ...octets);
          const order = { names, publicKey, serial, requestedTtlSeconds: BigInt(ttlSeconds) };
          const prepared = prepare(order, authority, nowMs + laterMs);
          const tbs = parseTbs(prepared.tbs);
          assert.deepEqual(tbs.uris, names.uris);
          assert.equal(hex(tbs.spki), hex(publicKey.spki));
          assert.equal(tbs.serialHex, Buffer.from(serial).toString("hex"));
          assert.equal(tbs.notAfterMs, prepared.notAfterMs);
          assert.equal(tbs.notBeforeMs, prepared.notBeforeMs);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("of a control plane has names, addresses and no right to be a client", () => {
    const names = { dnsNames: ["a", "b"], ipAddresses: [Uint8Array.of(127, 0, 0, 1)] };
    const tbs = parseTbs(prepare({ profile: "serving", names }).tbs);
    assert.deepEqual([tbs.dnsNames, tbs.uris], [["a", "b"], []]);
    assert.deepEqual(tbs.extendedKeyUsages, ["1.3.6.1.5.5.7.3.1"]);
    const svid = parseTbs(prepare({ names: { ...names, uris: [uri] } }).tbs);
    assert.deepEqual([svid.dnsNames, svid.uris], [["a", "b"], [uri]]);
  });

  it("ends with a whole second when what it hangs on does not", () => {
    assert.equal(prepare({ notAfterMaxMs: nowMs + 60_000 }).notAfterMs, nowMs - 250 + 60_000);
    assert.throws(() => prepare({ notAfterMaxMs: nowMs + 100 }), fails("issuer-expired"));
  });

  it("is one of its batch, whatever the others are", () => {
    const orders = [
      orderWith({ requestedTtlSeconds: 7_201n }),
      orderWith(),
      orderWith({ names: { uris: ["spiffe://td"] } }),
      orderWith({ serial: new Uint8Array(16) }),
    ];
    const outcomes = prepareLeaves(orders, authority, policy, nowMs);
    const codes = outcomes.map((each) =>
      each.kind === "refused" && each.error instanceof IssuanceError ? each.error.code : each.kind,
    );
    const lint = "certificate-lint-failed";
    assert.deepEqual(codes, ["ttl-too-long", "prepared", lint, lint]);
  });
});

describe("what was not meant", () => {
  interface Fault {
    readonly check: string;
    readonly title: string;
    readonly write: (fields: LeafFields) => Partial<LeafFields>;
    readonly order?: Partial<LeafOrder>;
  }
  const faults: readonly Fault[] = [
    {
      check: "exact-names",
      title: "another URI",
      write: () => ({ subjectAltNames: { uris: [`${uri}x`] } }),
    },
    {
      check: "exact-names",
      title: "a DNS name beside it",
      write: () => ({ subjectAltNames: { uris: [uri], dnsNames: ["cart"] } }),
    },
    {
      check: "exact-names",
      title: "an address beside it",
      write: () => ({
        subjectAltNames: { uris: [uri], ipAddresses: [Uint8Array.of(127, 0, 0, 1)] },
      }),
    },
    {
      check: "exact-names",
      title: "another address",
      order: { names: { uris: [uri], ipAddresses: [Uint8Array.of(127, 0, 0, 1)] } },
      write: () => ({
        subjectAltNames: { uris: [uri], ipAddresses: [Uint8Array.of(127, 0, 0, 2)] },
      }),
    },
    {
      check: "exact-names",
      title: "names in another order",
      order: { names: { uris: [uri], dnsNames: ["a", "b"] } },
      write: () => ({ subjectAltNames: { uris: [uri], dnsNames: ["b", "a"] } }),
    },
    {
      check: "key-of-the-request",
      title: "another key",
      write: () => ({ publicKey: parsePublicKey(otherKey.spki) }),
    },
    {
      check: "exact-validity",
      title: "a later start",
      write: ({ notBeforeMs }) => ({ notBeforeMs: notBeforeMs + 1_000 }),
    },
    {
      check: "exact-validity",
      title: "a later end",
      write: ({ notAfterMs }) => ({ notAfterMs: notAfterMs + 1_000 }),
    },
    { check: "exact-serial", title: "another serial", write: () => ({ serial: randomBytes(16) }) },
  ];

  for (const { check, title, write, order } of faults) {
    it(`is refused by ${check}: ${title} by a faulty writer`, () => {
      const { encodeWorkload } = authority;
      const faulty = {
        encodeWorkload: (fields: LeafFields) => encodeWorkload({ ...fields, ...write(fields) }),
      };
      assert.throws(
        () => prepare(order, { ...authority, ...faulty }),
        fails("certificate-lint-failed", check),
      );
    });
  }

  it("is refused by each of the checks", () => {
    const covered = new Set(faults.map(({ check }) => check));
    assert.deepEqual(new Set(intentChecks.map(({ name }) => name)), covered);
  });

  it("is refused by the lint that it breaks, named with its source", () => {
    const { encodeWorkload } = authority;
    const faulty = (fields: LeafFields): Uint8Array => {
      const good = parseCertificate(signLeaf(authority, encodeWorkload(fields)));
      const usage = bitString(Uint8Array.of(0x84), 2);
      return reissue(good, withExtension(good, OID.keyUsage, usage, true), () => good.signature)
        .tbs;
    };
    assert.throws(
      () => prepare({}, { ...authority, encodeWorkload: faulty }),
      fails("certificate-lint-failed", "key-usage-no-cert-sign"),
    );
    const unreadable = (): Uint8Array => Uint8Array.of(0x30, 0x80, 0, 0);
    assert.throws(
      () => prepare({}, { ...authority, encodeWorkload: unreadable }),
      fails("certificate-lint-failed", "der-length-indefinite"),
    );
  });

  it("is refused of a serial with zeros in front that are not there", () => {
    const serial = Uint8Array.of(0, 0, ...randomBytes(14).fill(7, 0, 1));
    const { tbs, notBeforeMs, notAfterMs } = prepare({ serial });
    const intent: LeafIntent = {
      profile: "workload",
      names: { uris: [uri] },
      spki: key.spki,
      validity: { notBeforeMs, notAfterMs },
      serial,
    };
    const context = { issuer: authority.issuer, nowMs, lifetimeMaxSeconds: 3_600 };
    assertFit(tbs, intent, context);
    assert.throws(
      () => assertFit(tbs, { ...intent, serial: serial.subarray(3) }, context),
      fails("certificate-lint-failed", "exact-serial"),
    );
  });
});
