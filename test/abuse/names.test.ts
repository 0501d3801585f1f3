/** Names and purposes in certificates, and what Envoy is told to look for in them. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { downstreamTls, upstreamTls } from "../../src/core/envoy/tls-context.ts";
import { PortcullisError } from "../../src/core/error.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { parseCsr, verifyCsrSignature } from "../../src/core/x509/csr.ts";
import { authenticatedPeer, PeerError } from "../../src/edge/rpc/peer.ts";
import { extension, extensions, makeCertificate } from "../support/certificate.ts";
import { ecTestKey, makeCsr } from "../support/csr.ts";
import { explicit, octetString, oid, sequence, set, text, tlv } from "../support/der.ts";

const SAN = "2.5.29.17";
const EKU = "2.5.29.37";
const uri = (value: string): Uint8Array => text(0x86, value);
const withNames = (...names: readonly Uint8Array[]): Uint8Array =>
  makeCertificate({ extensions: extensions(extension(SAN, sequence(...names))) });

const id = SpiffeId.parse("spiffe://a.b/ns/x.y/sa/z-1.2");
const contexts = [downstreamTls(id.trustDomain, {}), upstreamTls(id, "x", {})];

/** All objects under a key, however deep. */
function under(key: string, value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => [
    ...(name === key ? [inner] : []),
    ...under(key, inner),
  ]);
}

describe("purposes", () => {
  it("CVE-2026-40097: an empty list of them is an error in a certificate, and nothing in a CSR", () => {
    const empty = sequence();
    const certificate = makeCertificate({ extensions: extensions(extension(EKU, empty)) });
    assert.throws(() => parseCertificate(certificate), PortcullisError);
    const wish = sequence(sequence(oid(EKU), octetString(empty)));
    const attributes = explicit(0, sequence(oid("1.2.840.113549.1.9.14"), set(wish)));
    assert.ok(verifyCsrSignature(parseCsr(makeCsr(ecTestKey("P-256"), { attributes }))));
  });
});

describe("the names of a peer", () => {
  it("CVE-2022-40716: two URIs are nobody, also where one of them is no SPIFFE ID", () => {
    const first = uri("spiffe://td/ns/a/sa/b");
    const peer = (...names: readonly Uint8Array[]) =>
      authenticatedPeer({ sslPeerCertificate: { raw: withNames(...names) } });
    assert.equal(peer(first).id.toString(), "spiffe://td/ns/a/sa/b");
    for (const second of [uri("spiffe://td/ns/a/sa/c"), uri("https://x"), first]) {
      assert.throws(() => peer(first, second), PeerError);
      assert.throws(() => peer(second, first), PeerError);
    }
  });

  it("CVE-2022-21656: a name of another type is never a URI, whatever it says", () => {
    const value = "spiffe://td/ns/a/sa/b";
    const otherName = tlv(0xa0, oid("1.3.6.1.4.1.311.20.2.3"), explicit(0, text(0x0c, value)));
    for (const name of [otherName, text(0x81, value), text(0x82, value), text(0x88, "*\u0003")]) {
      let uris: readonly string[] = [];
      try {
        ({ uris } = parseCertificate(withNames(name)));
      } catch (error) {
        assert.ok(error instanceof PortcullisError, String(error));
      }
      assert.deepEqual(uris, []);
    }
  });

  it("CVE-2021-44532, CVE-2025-66220: a name within a name, or cut off by a zero octet, is no name", () => {
    for (const name of [
      "a, URI:spiffe://td/ns/a/sa/b",
      'a", URI:spiffe://td/x',
      "spiffe://td/a\u0000b",
    ]) {
      const dns = withNames(text(0x82, name), uri("spiffe://td/ns/own/sa/own"));
      const raw = (der: Uint8Array) => ({ sslPeerCertificate: { raw: der } });
      const peer = valueOrRefused(() => authenticatedPeer(raw(dns)).id.toString());
      assert.ok(peer === undefined || peer === "spiffe://td/ns/own/sa/own");
      assert.equal(
        valueOrRefused(() => authenticatedPeer(raw(withNames(uri(name))))),
        undefined,
      );
    }
  });

  it("CVE-2021-44532: are read nowhere from the text that Node makes of them", () => {
    const root = join(import.meta.dirname, "../..");
    // Of Envoy's access log it is a message, not a text.
    const exclude = ["**/*.test.ts", "src/gen/envoy/**"];
    const reading = globSync("src/**/*.ts", { cwd: root, exclude }).filter((file) =>
      /(?<!\bOID|\bfield)\.subjectaltname\b/i.test(readFileSync(join(root, file), "utf8")),
    );
    assert.deepEqual(reading, []);
  });
});

describe("what Envoy is told", () => {
  it("CVE-2021-32574: each TLS context demands the name of who is at the other end, as a URI", () => {
    for (const context of contexts) {
      const validations = under("default_validation_context", context);
      assert.equal(validations.length, 1);
      const [names] = under("match_typed_subject_alt_names", validations[0]);
      assert.ok(Array.isArray(names) && names.length === 1);
      assert.deepEqual(under("san_type", names), ["URI"]);
    }
    assert.deepEqual(under("require_client_certificate", contexts[0]), [true]);
  });

  it("CVE-2026-39350: a name is matched whole, or up to a slash, and never as an expression", () => {
    const matchers = contexts.flatMap((context) => under("matcher", context));
    assert.deepEqual(matchers, [{ prefix: "spiffe://a.b/" }, { exact: id.toString() }]);
    assert.doesNotMatch(JSON.stringify(contexts), /regex/i);
  });

  it("CVE-2022-21654: no TLS context resumes a session", () => {
    const [downstream, upstream] = contexts;
    assert.deepEqual(under("disable_stateless_session_resumption", downstream), [true]);
    assert.deepEqual(under("disable_stateful_session_resumption", downstream), [true]);
    assert.deepEqual(under("max_session_keys", upstream), [0]);
  });
});

function valueOrRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof PortcullisError) return undefined;
    throw error;
  }
}
