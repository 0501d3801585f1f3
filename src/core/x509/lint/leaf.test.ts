import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { makeAuthority } from "../../../../test/support/authority.ts";
import { ecTestKey } from "../../../../test/support/csr.ts";
import {
  brokenLints,
  leafContext,
  LINT_NOW_MS,
  lintedTbs,
  purpose,
  rsaKey,
  SERVER_AUTH,
  serving,
  usage,
} from "../../../../test/support/lint.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { parseCertificate } from "../certificate.ts";
import { parsePem } from "../pem.ts";
import { parsePublicKey } from "../public-key.ts";
import { caLints } from "./ca.ts";
import { extensionLints } from "./extensions.ts";
import { keyUsageLints, servingPurpose, workloadPurpose } from "./key-usage.ts";
import { leafLints, lintLeaf } from "./leaf.ts";
import { nameLints, servingNameLints } from "./names.ts";
import { readerRules } from "./reader.ts";
import { serialLints } from "./serial.ts";
import { signingLints } from "./signing.ts";
import { spiffeIdLints } from "./spiffe-id.ts";
import { validityLints } from "./validity.ts";

const allLints = [...new Set([...leafLints.workload, ...leafLints.serving])];

describe("the lints of a leaf", () => {
  it("are those of the themes, each of which has a case for each of its own", () => {
    const themes = [
      [...spiffeIdLints, ...nameLints, ...servingNameLints],
      [...extensionLints, ...keyUsageLints, workloadPurpose, servingPurpose],
      [...validityLints, ...serialLints, ...signingLints],
    ].flat();
    assert.deepEqual(new Set(allLints), new Set(themes));
  });

  it("have a name of their own and a source each", () => {
    const rules = [...new Set([...allLints, ...caLints, ...readerRules])];
    assert.equal(new Set(rules.map(({ name }) => name)).size, rules.length);
    for (const { name, source } of rules) {
      assert.match(name, /^[a-z][a-z0-9-]+$/);
      assert.match(source, /^(?:RFC|X\.690|SEC|SPIFFE-ID|X509-SVID|our profile)/, name);
    }
  });

  it("let pass what they ought to, of each type of key and profile", () => {
    const keys = [ecTestKey("P-256"), ecTestKey("P-384"), rsaKey];
    for (const { spki } of keys) {
      const ku = spki === rsaKey.spki ? { usage: usage(0xa0, 5) } : {};
      const workload = lintedTbs({ spki, replaced: ku });
      assert.deepEqual(brokenLints(leafLints.workload, workload, leafContext), []);
      const own = lintedTbs({ spki, replaced: { ...serving, ...ku } });
      assert.deepEqual(brokenLints(leafLints.serving, own, leafContext), []);
    }
  });

  it("let pass what our writer makes under each type of root", async () => {
    for (const type of ["p256", "p384", "rsa3072"] as const) {
      const { authority } = await makeAuthority(type, LINT_NOW_MS);
      const context = { ...leafContext, issuer: authority.issuer };
      const fields = {
        serial: Buffer.from("00ff".repeat(8), "hex"),
        notBeforeMs: LINT_NOW_MS - 120_000,
        notAfterMs: LINT_NOW_MS + 7_200_000,
        publicKey: parsePublicKey(rsaKey.spki),
      };
      const uris = ["spiffe://td/a.b/-_"];
      const workload = authority.encodeWorkload({ ...fields, subjectAltNames: { uris } });
      assert.equal(lintLeaf(workload, "workload", context).kind, "passed");
      const subjectAltNames = { dnsNames: ["localhost"], ipAddresses: [new Uint8Array(16)] };
      const own = authority.encodeServing({ ...fields, subjectAltNames });
      assert.equal(lintLeaf(own, "serving", context).kind, "passed");
    }
  });

  it("let pass a workload's certificate that OpenSSL made", () => {
    const { leaf, root } = opensslLeaf();
    const { subjectDer, subjectKeyId, notAfterMs } = root;
    assert.ok(subjectKeyId !== undefined);
    const issuer = { subjectDer, keyId: subjectKeyId, keyType: "ec-p256" as const, notAfterMs };
    const context = { issuer, nowMs: leaf.notBeforeMs, lifetimeMaxSeconds: 86_400 };
    // OpenSSL's subject key identifier is SHA-1 (RFC 5280 4.2.1.2, method 1), ours is not.
    assert.deepEqual(brokenLints(leafLints.workload, leaf.tbs, context), ["subject-key-id-of-key"]);
  });

  it("say no to any octet that is changed, or see what was meant in it", () => {
    const good = lintedTbs();
    const before = lintLeaf(good, "workload", leafContext);
    assert.ok(before.kind === "passed");
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const tbs = good.with(at, (good[at] ?? 0) ^ change);
        const after = lintLeaf(tbs, "workload", leafContext);
        if (after.kind === "failed") return;
        // Only what is different for each caller can be different: serial, time, names.
        const { serialHex, notBeforeMs, notAfterMs, uris } = after.subject.tbs;
        const mine = before.subject.tbs;
        assert.notDeepEqual(
          [serialHex, notBeforeMs, notAfterMs, uris],
          [mine.serialHex, mine.notBeforeMs, mine.notAfterMs, mine.uris],
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("are not those of the other profile", () => {
    const own = lintedTbs({ replaced: serving });
    assert.equal(lintLeaf(own, "workload", leafContext).kind, "failed");
    const replaced = { purpose: purpose([SERVER_AUTH]) };
    assert.equal(lintLeaf(lintedTbs({ replaced }), "serving", leafContext).kind, "failed");
  });
});

interface OpensslMade {
  readonly leaf: ReturnType<typeof parseCertificate>;
  readonly root: ReturnType<typeof parseCertificate>;
}

function opensslLeaf(): OpensslMade {
  using directory = temporaryDirectory();
  const path = (name: string): string => join(directory.path, name);
  const openssl = (...args: readonly string[]): unknown =>
    execFileSync("openssl", args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const rootKey = ["-keyout", path("root.key"), "-out", path("root.pem")];
  openssl("req", "-x509", ...key, ...rootKey, "-subj", "/CN=root", "-days", "2");
  openssl("req", ...key, "-keyout", path("key"), "-out", path("csr"), "-subj", "/");
  writeFileSync(
    path("ext"),
    `basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=critical,URI:spiffe://cluster.local/ns/shop/sa/cart
`,
  );
  const ca = [
    "-CA",
    path("root.pem"),
    "-CAkey",
    path("root.key"),
    "-set_serial",
    `0x${"5a".repeat(16)}`,
  ];
  const files = ["-in", path("csr"), "-out", path("leaf.pem"), "-extfile", path("ext")];
  openssl("x509", "-req", ...files, ...ca, "-days", "1");
  const [leaf, root] = ["leaf.pem", "root.pem"].map((name) => {
    const [der] = parsePem(readFileSync(path(name), "utf8"), "CERTIFICATE", { blocksMax: 1 });
    return parseCertificate(der ?? Uint8Array.of());
  });
  assert.ok(leaf !== undefined && root !== undefined);
  return { leaf, root };
}
