import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { openssl, OpensslPki } from "../../../test/support/openssl-pki.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import {
  bitString,
  boolean,
  commonName,
  concat,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  text,
} from "../../../test/support/der.ts";
import { mutate, seededRandom } from "../../../test/support/mutate.ts";
import { parseCertificate } from "./certificate.ts";
import { CertificateError } from "./certificate-error.ts";
import { CrlError, isCrlSignedBy, parseCrl, type CrlErrorCode } from "./crl.ts";
import { DerError } from "./der-error.ts";
import { parseSinglePem } from "./pem.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
const root = pki.root("root");

const crl = (...args: Parameters<OpensslPki["crl"]>): Uint8Array =>
  parseSinglePem(pki.crl(...args), "X509 CRL");

const algorithm = sequence(oid("1.2.840.10045.4.3.2"));
const time = (value: string): Uint8Array => text(0x17, value);
const extension = (id: string, value: Uint8Array, critical = false): Uint8Array =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));

interface Parts {
  readonly version?: Uint8Array;
  readonly updates?: Uint8Array;
  readonly revoked?: Uint8Array;
  readonly extensions?: Uint8Array;
  readonly outer?: Uint8Array;
}

const nothing = Uint8Array.of();

function makeCrl(parts: Parts): Uint8Array {
  const updates = concat(time("260101000000Z"), time("260102000000Z"));
  const tbs = sequence(
    parts.version ?? integer(1n),
    algorithm,
    commonName("issuer"),
    parts.updates ?? updates,
    parts.revoked ?? nothing,
    parts.extensions ?? nothing,
  );
  return sequence(tbs, parts.outer ?? algorithm, bitString(Uint8Array.of(1)));
}

describe("a revocation list", () => {
  it("is read as OpenSSL reads what it made", () => {
    for (const options of [
      {},
      { number: undefined },
      { number: "7fffffffffffffffffff", revoked: ["01", "ABCDEF"] },
      {
        revoked: Array.from({ length: 300 }, (_, index) =>
          (index + 16).toString(16).toUpperCase().padStart(4, "0"),
        ),
      },
      { lastUpdate: "20491231235959Z", nextUpdate: "20500101000000Z" },
    ]) {
      const pem = pki.crl(root, options);
      const { number, entryCount, thisUpdateMs, nextUpdateMs } = parseCrl(
        parseSinglePem(pem, "X509 CRL"),
      );
      const asked = ["-crlnumber", "-lastupdate", "-nextupdate", "-noout"];
      const said = openssl(["crl", ...asked], pem);
      const field = (name: string): string => new RegExp(`${name}=(.*)`).exec(said)?.[1] ?? "";
      const expected = field("crlNumber");
      assert.equal(number, expected === "<NONE>" ? undefined : BigInt(expected));
      assert.equal(thisUpdateMs, Date.parse(field("lastUpdate")));
      assert.equal(nextUpdateMs, Date.parse(field("nextUpdate")));
      assert.equal(entryCount, options.revoked?.length ?? 0);
    }
  });

  const refusals: readonly (readonly [string, Parts, CrlErrorCode])[] = [
    ["of version 3", { version: integer(2n) }, "crl-version-unsupported"],
    ["of version 1 that says so", { version: integer(0n) }, "crl-version-unsupported"],
    [
      "of version 1 with extensions",
      { version: nothing, extensions: explicit(0, sequence(extension("2.5.29.20", integer(1n)))) },
      "crl-version-unsupported",
    ],
    [
      "with another algorithm outside",
      { outer: sequence(oid("1.2.840.10045.4.3.3")) },
      "crl-signature-algorithm-mismatch",
    ],
    ["without a nextUpdate", { updates: time("260101000000Z") }, "crl-next-update-missing"],
    [
      "that ends before it begins",
      { updates: concat(time("260102000000Z"), time("260101000000Z")) },
      "crl-dates-inverted",
    ],
    ["with an empty list of entries", { revoked: sequence() }, "crl-revoked-empty"],
    [
      "that is a delta",
      { extensions: explicit(0, sequence(extension("2.5.29.27", integer(1n), true))) },
      "crl-extension-critical",
    ],
    [
      "that is indirect",
      {
        revoked: sequence(
          sequence(
            integer(1n),
            time("260101000000Z"),
            sequence(extension("2.5.29.29", sequence(), true)),
          ),
        ),
      },
      "crl-extension-critical",
    ],
    [
      "with two numbers",
      {
        extensions: explicit(
          0,
          sequence(extension("2.5.29.20", integer(1n)), extension("2.5.29.20", integer(2n))),
        ),
      },
      "crl-extension-duplicate",
    ],
  ];
  for (const [what, parts, code] of refusals) {
    it(`is refused ${what}`, () => {
      assert.throws(
        () => parseCrl(makeCrl(parts)),
        (error) => error instanceof CrlError && error.code === code,
      );
    });
  }

  it("is its issuer's by name, signature and right", () => {
    const list = parseCrl(crl(root));
    const signs = (node: typeof root): boolean => isCrlSignedBy(list, parseCertificate(node.der));
    assert.ok(signs(root));
    assert.ok(!signs(pki.root("root")), "another key");
    assert.ok(!signs(pki.root("other", { keyOf: root })), "another name");
    const muteUsage = { extensions: { keyUsage: "critical,keyCertSign" } };
    assert.ok(!signs(pki.root("root", { keyOf: root, ...muteUsage })), "no right");
    assert.ok(!signs(pki.root("root", { key: "rsa2048" })), "another type of key");
  });

  it("is its issuer's with RSA and on P-384, too", () => {
    for (const key of ["rsa2048", "P-384"] as const) {
      const node = pki.root("root", { key });
      assert.ok(isCrlSignedBy(parseCrl(crl(node)), parseCertificate(node.der)));
    }
  });

  it("that is damaged is a value or a typed error, and is nobody's unless what was signed is whole", () => {
    const original = crl(root, { revoked: ["01", "02"] });
    const { tbs } = parseCrl(original);
    const issuer = parseCertificate(root.der);
    const random = seededRandom(20_261_124);
    for (let run = 0; run < 5_000; run++) {
      const der = mutate(original, random);
      try {
        const list = parseCrl(der);
        if (isCrlSignedBy(list, issuer)) assert.deepEqual(list.tbs, tbs);
      } catch (error) {
        const isTyped =
          error instanceof CrlError ||
          error instanceof DerError ||
          error instanceof CertificateError;
        if (!isTyped) throw error;
      }
    }
  });
});
