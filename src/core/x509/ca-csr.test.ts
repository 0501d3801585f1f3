import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { it } from "node:test";
import { openssl } from "../../../test/support/openssl-pki.ts";
import { createCaCsr } from "./ca-csr.ts";
import { parseCsr, verifyCsrSignature } from "./csr.ts";
import { encodePem } from "./pem.ts";
import { softwareSigner } from "./signer.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const signer = softwareSigner(privateKey, publicKey.export({ format: "der", type: "spki" }));

it("a request for an intermediate is one that OpenSSL and our reader verify, whatever the name's length", () => {
  for (const trustDomain of ["a", "prod.example", `${"long-".repeat(40)}.example`]) {
    const der = createCaCsr(trustDomain, signer);
    assert.ok(verifyCsrSignature(parseCsr(der)));
    const pem = encodePem(der, "CERTIFICATE REQUEST");
    const said = openssl(["req", "-verify", "-noout", "-subject", "-nameopt", "RFC2253"], pem);
    const organization = trustDomain.slice(0, 64);
    assert.ok(
      said.includes(`CN=Portcullis intermediate ${signer.id.slice(0, 16)},O=${organization}\n`),
    );
  }
});
