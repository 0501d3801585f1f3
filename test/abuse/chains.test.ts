/** Chains and signatures that are made to deceive or to keep a verifier busy. */

import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { CaFilesError } from "../../src/core/ca/ca-files-error.ts";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { LogError } from "../../src/core/log/log-error.ts";
import { noteSigner, noteVerifier } from "../../src/core/log/note-key.ts";
import { openNote, signNote } from "../../src/core/log/note.ts";
import { ChainError, verifyChain } from "../../src/core/x509/chain.ts";
import { caFiles, OpensslPki, type PkiNode } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);
/** Later than everything that OpenSSL makes here. */
const nowMs = Date.now() + 3_600_000;
const MS_MAX = 2_000;

const root = pki.root("root");
const stranger = pki.root("stranger");
/** Two that have signed each other, and hang on nothing. */
const first = pki.root("first");
const second = pki.root("second");
const firstBySecond = pki.under(second, "first", { keyOf: first });
const secondByFirst = pki.under(first, "second", { keyOf: second });
const leafOptions = {
  extensions: { basicConstraints: "critical,CA:FALSE", keyUsage: "digitalSignature" },
};
const leaf = pki.under(first, "leaf", leafOptions);

function within<T>(action: () => T): T {
  const startMs = performance.now();
  try {
    return action();
  } finally {
    assert.ok(performance.now() - startMs < MS_MAX, "in time");
  }
}

const ders = (...nodes: readonly PkiNode[]): Uint8Array[] => nodes.map(({ der }) => der);

describe("a chain", () => {
  it("CVE-2024-0567: that comes back on itself ends, and hangs on nothing", () => {
    const circle = Array.from({ length: 50 }, () => ders(firstBySecond, secondByFirst)).flat();
    within(() => {
      assert.throws(() => verifyChain([leaf.der, ...circle], [root.der], nowMs), ChainError);
    });
    const signing = pki.under(first, "signing");
    const chain = [signing, firstBySecond, secondByFirst].map(({ certPem }) => certPem).join("");
    const files = {
      "ca-cert.pem": signing.certPem,
      "cert-chain.pem": chain,
      "root-cert.pem": root.certPem,
    };
    within(() => {
      assert.throws(() => parseCaFiles(caFiles(files), nowMs), CaFilesError);
    });
  });

  it("CVE-2024-0567: of eight that have all signed each other is tried in bounded time", () => {
    const crowd = Array.from({ length: 8 }, (_, index) =>
      pki.under(first, "first", { keyOf: first, days: 100 + index }),
    );
    const signing = pki.under(first, "signing");
    const chain = [signing, ...crowd].map(({ certPem }) => certPem).join("");
    const files = {
      "ca-cert.pem": signing.certPem,
      "cert-chain.pem": chain,
      "root-cert.pem": root.certPem,
    };
    within(() => {
      assert.throws(() => parseCaFiles(caFiles(files), nowMs), CaFilesError);
    });
  });

  it("CVE-2025-61727: whose issuer has name constraints is refused, and they are never left unread", () => {
    const constrained = pki.under(root, "constrained", {
      extensions: { nameConstraints: "critical,excluded;URI:td" },
    });
    const leaf = pki.under(constrained, "leaf", leafOptions);
    assert.throws(() => verifyChain(ders(leaf, constrained), [root.der], nowMs), ChainError);
  });

  it("CVE-2026-27586: hangs on no bundle when the bundle is empty or of strangers", () => {
    const leaf = pki.under(root, "leaf", leafOptions);
    assert.ok(verifyChain([leaf.der], [root.der], nowMs));
    assert.throws(() => verifyChain([leaf.der], [], nowMs), ChainError);
    assert.throws(() => verifyChain([leaf.der], [stranger.der], nowMs), ChainError);
    assert.throws(() => verifyChain([], [root.der], nowMs), ChainError);
  });

  it("CVE-2025-6037: of the right key and another certificate is nobody's", () => {
    const leaf = pki.under(root, "leaf", leafOptions);
    const renamed = pki.root("admin", { keyOf: leaf, ...leafOptions });
    assert.throws(() => verifyChain([renamed.der], [root.der], nowMs), ChainError);
  });
});

describe("a signature", () => {
  it("CVE-2025-12816, CVE-2022-24771: is verified by no library of ours but OpenSSL", () => {
    const lock = readFileSync(join(import.meta.dirname, "../../package-lock.json"), "utf8");
    const { packages } = JSON.parse(lock) as {
      readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
    };
    const own = /\/(?:node-forge|jsrsasign|elliptic|jsonwebtoken|tweetnacl)$/;
    const shipped = Object.entries(packages).filter(
      ([name, { dev }]) => own.test(name) && dev !== true,
    );
    assert.deepEqual(
      shipped.map(([name]) => name),
      [],
    );
  });

  it("GHSA-q67f-28xg-22rw: of Ed25519 with another S of the same value is refused", () => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const verifier = noteVerifier("log", createPublicKey(privateKey));
    const note = signNote("a\n", noteSigner("log", privateKey));
    const [, base64 = ""] = /— log (\S+)\n$/.exec(note) ?? [];
    const octets = Buffer.from(base64, "base64");
    octets.set(plusOrder(octets.subarray(-32)), octets.length - 32);
    assert.ok(openNote(note, [verifier]));
    const forged = note.replace(base64, octets.toString("base64"));
    assert.throws(() => openNote(forged, [verifier]), LogError);
  });
});

/** RFC 8032 5.1.7: S, little-endian, counts modulo L, so S + L would be another signature of the same text. */
function plusOrder(s: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
  const value = BigInt(`0x${Buffer.from(s.toReversed()).toString("hex")}`) + order;
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex")).toReversed();
}
