/** Every form in which OpenSSL writes a private key, and everything that is not the one key of its certificate. */

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { inspect } from "node:util";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { CaKeyError, type CaKeyErrorCode } from "../../src/edge/ca/ca-key-error.ts";
import { loadKeylessCa, loadPluggedCa } from "../../src/edge/ca/plugged-ca.ts";
import { parsePrivateKey, publicSpki } from "../../src/edge/ca/private-key.ts";
import { openssl, OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;

const ec = pki.root("ec");
const rsa = pki.root("rsa", { key: "rsa2048" });
const secret = "correct horse";
const passphrase = Buffer.from(secret);
const encrypted = { pass: ["-passout", `pass:${secret}`] };
const pkcs8 = (node: typeof ec, ...cipher: readonly string[]): string =>
  openssl(["pkcs8", "-topk8", "-in", node.keyFile, ...encrypted.pass, ...cipher]);
const legacy = (node: typeof ec, cipher: string): string =>
  openssl(["pkey", "-traditional", "-in", node.keyFile, cipher, ...encrypted.pass]);
const sec1 = openssl(["pkey", "-traditional", "-in", ec.keyFile]);
const parameters = openssl(["ecparam", "-name", "prime256v1"]);
const parse = (pem: string, phrase?: Uint8Array): ReturnType<typeof parsePrivateKey> =>
  parsePrivateKey({ name: "ca-key.pem", pem: Buffer.from(pem) }, phrase);

describe("a private key", () => {
  const forms: readonly (readonly [string, typeof ec, string, Uint8Array?])[] = [
    ["PKCS #8", ec, ec.keyPem],
    ["PKCS #8 of RSA", rsa, rsa.keyPem],
    ["SEC 1", ec, sec1],
    ["SEC 1 behind its parameters", ec, parameters + sec1],
    ["PKCS #1", rsa, openssl(["pkey", "-traditional", "-in", rsa.keyFile])],
    ["PKCS #8 with CRLF", ec, ec.keyPem.replaceAll("\n", "\r\n")],
    ["PKCS #8 with text around", ec, `Bag Attributes\n${ec.keyPem}\nend\n`],
    ["a plain one, and a passphrase for another", ec, ec.keyPem, passphrase],
    ["PKCS #8 in AES-256", ec, pkcs8(ec, "-v2", "aes-256-cbc"), passphrase],
    ["PKCS #8 in AES-128, by scrypt", rsa, pkcs8(rsa, "-v2", "aes-128-cbc", "-scrypt"), passphrase],
    ["SEC 1 with DEK-Info", ec, legacy(ec, "-aes256"), passphrase],
    ["PKCS #1 with DEK-Info", rsa, legacy(rsa, "-aes128"), passphrase],
  ];
  for (const [what, node, pem, phrase] of forms) {
    it(`is read from ${what}`, () => {
      const expected = openssl(["pkey", "-in", node.keyFile, "-pubout", "-outform", "PEM"]);
      const key = parse(pem, phrase);
      const got = Buffer.from(publicSpki(key)).toString("base64");
      assert.equal(got, expected.replaceAll(/-----.*-----|\n/g, ""));
    });
  }

  const aes = pkcs8(ec, "-v2", "aes-256-cbc");
  const wrong = Buffer.from("correct horse battery");
  const refusals: readonly (readonly [string, string, CaKeyErrorCode, Uint8Array?])[] = [
    ["in a file without any", "", "ca-key-missing"],
    ["that is not PEM", "MHcCAQEEI", "ca-key-missing"],
    ["that is a certificate", ec.certPem, "ca-key-not-a-key"],
    ["beside its certificate", ec.keyPem + ec.certPem, "ca-key-not-a-key"],
    ["that is public", openssl(["pkey", "-in", ec.keyFile, "-pubout"]), "ca-key-not-a-key"],
    ["beside another", ec.keyPem + rsa.keyPem, "ca-key-several"],
    ["that is torn", ec.keyPem.slice(0, -30), "ca-key-malformed"],
    ["behind a torn one", `-----BEGIN PRIVATE KEY-----\nMHcC\n${ec.keyPem}`, "ca-key-malformed"],
    ["that is damaged", ec.keyPem.replace("\nM", "\nA"), "ca-key-malformed"],
    ["encrypted, without a passphrase", aes, "ca-key-encrypted"],
    ["encrypted, with a wrong passphrase", aes, "ca-key-undecryptable", wrong],
    ["encrypted, with an empty passphrase", aes, "ca-key-undecryptable", Buffer.alloc(0)],
    ["with DEK-Info, without a passphrase", legacy(ec, "-aes256"), "ca-key-encrypted"],
    [
      "with DEK-Info, with a wrong passphrase",
      legacy(ec, "-aes256"),
      "ca-key-undecryptable",
      wrong,
    ],
    ["on P-521", pki.root("p521", { key: "P-521" }).keyPem, "ca-key-type-unsupported"],
    ["of Ed25519", pki.root("ed25519", { key: "ed25519" }).keyPem, "ca-key-type-unsupported"],
    ["of RSA-1024", pki.root("small", { key: "rsa1024" }).keyPem, "ca-key-type-unsupported"],
  ];
  for (const [what, pem, code, phrase] of refusals) {
    it(`is refused ${what}, and is not in the error`, () => {
      assert.throws(
        () => parse(pem, phrase),
        (error) => {
          assert.ok(error instanceof CaKeyError);
          assert.deepEqual([error.code, error.file], [code, "ca-key.pem"], error.message);
          const everything = inspect(error, { depth: 9, showHidden: true });
          assert.ok(!everything.includes("horse"));
          for (const line of pem.split("\n").filter((line) => /^[\w+/=]{20,}$/.test(line))) {
            assert.ok(!everything.includes(line));
          }
          return true;
        },
      );
    });
  }

  it("is asked for by the name of its flag when it is encrypted", () => {
    assert.throws(
      () => parse(aes),
      (error) => error instanceof CaKeyError && /--key-passphrase-file/.test(error.hint ?? ""),
    );
  });
});

describe("a CA's key", () => {
  const files = {
    "ca-cert.pem": ec.certPem,
    "root-cert.pem": ec.certPem,
    "ca-key.pem": pkcs8(ec, "-v2", "aes-256-cbc"),
  };
  const passphraseFile = (contents: string): string => {
    const path = join(temporary.path, "passphrase");
    writeFileSync(path, contents);
    return path;
  };

  it("is read with the passphrase of a file, with one line break at its end or none", async () => {
    const directory = pki.directory(files);
    for (const contents of [secret, `${secret}\n`, `${secret}\r\n`]) {
      const options = { nowMs, passphraseFile: passphraseFile(contents) };
      assert.equal((await loadPluggedCa(directory, options)).key.asymmetricKeyType, "ec");
    }
    for (const contents of [`${secret}\n\n`, `${secret} `, "", "\n"]) {
      await assert.rejects(
        loadPluggedCa(directory, { nowMs, passphraseFile: passphraseFile(contents) }),
        (error) => error instanceof CaKeyError && error.code === "ca-key-undecryptable",
      );
    }
  });

  it("that others may read is warned of, and works", async () => {
    const directory = pki.directory({ ...files, "ca-key.pem": ec.keyPem });
    for (const [mode, codes] of [
      [0o600, []],
      [0o400, []],
      [0o640, ["ca-key-file-open"]],
      [0o444, ["ca-key-file-open"]],
    ] as const) {
      chmodSync(join(directory, "ca-key.pem"), mode);
      const { ca } = await loadPluggedCa(directory, { nowMs });
      assert.deepEqual(
        ca.warnings.map(({ code }) => code),
        codes,
      );
    }
  });

  it("in a token wants a directory without a key, and a key in a file wants one with it", async () => {
    const { "ca-key.pem": _, ...keyless } = files;
    assert.deepEqual((await loadKeylessCa(pki.directory(keyless), nowMs)).roots, [ec.der]);
    await assert.rejects(
      loadKeylessCa(pki.directory(files), nowMs),
      (error) => error instanceof CaKeyError && error.code === "ca-key-elsewhere",
    );
    await assert.rejects(
      loadPluggedCa(pki.directory(keyless), { nowMs }),
      (error) => error instanceof CaFilesError && error.file === "ca-key.pem",
    );
  });

  it("of a TLS Secret is tls.key", async () => {
    const tls = { "tls.crt": ec.certPem, "ca.crt": ec.certPem };
    const { key } = await loadPluggedCa(pki.directory({ ...tls, "tls.key": sec1 }), { nowMs });
    assert.equal(key.asymmetricKeyType, "ec");
    await assert.rejects(
      loadPluggedCa(pki.directory({ ...tls, "tls.key": rsa.keyPem }), { nowMs }),
      (error) =>
        error instanceof CaKeyError && error.code === "ca-key-mismatch" && error.file === "tls.key",
    );
  });
});
