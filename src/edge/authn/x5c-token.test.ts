import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compactVerify, importX509 } from "jose";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { createX5cToken, X5cTokenError, type X5cIdentity } from "./x5c-token.ts";

const nowMs = Date.UTC(2026, 10, 24, 12) + 750;

function makeIdentity(directory: string, ...newKey: readonly string[]): X5cIdentity {
  const [key, certificate] = ["key.pem", "cert.pem"].map((name) => join(directory, name));
  const files = ["-keyout", key ?? "", "-out", certificate ?? ""];
  const args = ["req", "-x509", "-nodes", "-newkey", ...newKey, ...files, "-subj", "/CN=vm"];
  execFileSync("openssl", args, { stdio: "pipe" });
  return {
    certificateChain: readFileSync(certificate ?? ""),
    privateKey: readFileSync(key ?? ""),
  };
}

describe("a token with a certificate in its header", () => {
  const kinds: readonly (readonly [string, readonly string[]])[] = [
    ["ES256", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]],
    ["ES384", ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]],
    ["RS256", ["rsa:2048"]],
  ];
  for (const [alg, newKey] of kinds) {
    it(`is signed with ${alg} by the key of that certificate, as jose reads it`, async () => {
      using directory = temporaryDirectory();
      const identity = makeIdentity(directory.path, ...newKey);
      const token = createX5cToken(identity, "portcullis", "id-1", nowMs);
      const pem = Buffer.from(identity.certificateChain).toString();
      const { protectedHeader, payload } = await compactVerify(token, await importX509(pem, alg));
      assert.equal(protectedHeader.alg, alg);
      const der = new X509Certificate(pem).raw.toString("base64");
      assert.deepEqual(protectedHeader.x5c, [der]);
      const iat = Math.floor(nowMs / 1_000);
      assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), {
        aud: "portcullis",
        jti: "id-1",
        iat,
        exp: iat + 60,
      });
    });
  }

  it("is not made with the key of another certificate, nor with one that cannot be used", () => {
    using directory = temporaryDirectory();
    const identity = makeIdentity(directory.path, "rsa:2048");
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const ed25519 = generateKeyPairSync("ed25519");
    const encode = (key: typeof other.privateKey): Uint8Array =>
      Buffer.from(key.export({ format: "pem", type: "pkcs8" }));
    const table = [
      [encode(other.privateKey), "x5c-key-mismatch"],
      [encode(ed25519.privateKey), "x5c-key-mismatch"],
      [Buffer.from("no key"), "x5c-key-unusable"],
    ] as const;
    for (const [privateKey, code] of table) {
      assert.throws(
        () => createX5cToken({ ...identity, privateKey }, "portcullis", "id-1", nowMs),
        (error) => error instanceof X5cTokenError && error.code === code,
      );
    }
  });
});
