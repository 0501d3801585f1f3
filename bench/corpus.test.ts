import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { encodePem } from "../src/core/x509/pem.ts";
import { makeCsr } from "./csr.ts";

// What writeCorpus writes is read back by a server in load.test.ts.
describe("makeCsr", () => {
  const id = "spiffe://example.org/ns/bench-1/sa/workload-1";
  const csr = encodePem(makeCsr(id), "CERTIFICATE REQUEST");

  it("makes a CSR that OpenSSL verifies, with the SPIFFE ID in its SAN", () => {
    const output = execFileSync("openssl", ["req", "-noout", "-verify", "-text"], {
      input: csr,
      encoding: "utf8",
      stdio: ["pipe", "pipe", "ignore"],
    });
    assert.match(output, /Public-Key: \(256 bit\)/);
    assert.match(output, /X509v3 Subject Alternative Name: critical\s+URI:(\S+)/);
    assert.ok(output.includes(`URI:${id}\n`));
    assert.match(output, /Subject: O = ?\s*$/m);
  });

  it("gives each CSR a key of its own", () => {
    assert.notEqual(encodePem(makeCsr(id), "CERTIFICATE REQUEST"), csr);
  });
});
