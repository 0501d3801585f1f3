import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";

import * as fc from "fast-check";
import { LogError, type LogErrorCode } from "./log-error.ts";
import { encodeVerifierKey, noteSigner, noteVerifier, parseVerifierKey } from "./note-key.ts";
import { openNote, signNote } from "./note.ts";

/** From the documentation of golang.org/x/mod/sumdb/note. */
const peterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const peterText =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const peterLine =
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const enochLine =
  "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
const peter = parseVerifierKey(peterKey);

const keys = generateKeyPairSync("ed25519");
const name = "cluster.local/portcullis/log";
const signer = noteSigner(name, keys.privateKey);
const verifier = noteVerifier(name, keys.publicKey);

function codeOf(action: () => unknown): LogErrorCode | "accepted" {
  try {
    action();
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof LogError, String(error));
    return error.code;
  }
}

describe("openNote", () => {
  it("opens the note of Go's documentation, alone and with a signature of somebody unknown", () => {
    for (const lines of [
      peterLine,
      peterLine + enochLine,
      enochLine + peterLine,
      peterLine + peterLine,
    ]) {
      const opened = openNote(`${peterText}\n${lines}`, [verifier, peter]);
      assert.deepEqual(opened, { text: peterText, signedBy: [peter] });
    }
  });

  const good = `${peterText}\n${peterLine}`;
  const renamed = good.replace("— PeterNeumann", "— CarmenSandiego");
  const refused: readonly (readonly [what: string, note: string, code: LogErrorCode])[] = [
    ["a text that was changed", good.replace("If", "if"), "log-note-unverified"],
    ["a signature under another name", renamed, "log-note-unverified"],
    ["a signature with another key's ID", good.replace("x08go", "y08go"), "log-note-unverified"],
    ["a signature that was changed", good.replace("AM=", "AQ="), "log-note-unverified"],
    [
      "a known key's bad signature beside its good one",
      `${peterText}\n${peterLine.replace("AM=", "AQ=")}${peterLine}`,
      "log-note-unverified",
    ],
    ["nobody's note", `${peterText}\n${enochLine}`, "log-note-unverified"],
    ["nothing", "", "log-note-malformed"],
    ["a text alone", peterText, "log-note-malformed"],
    ["a text without signatures", `${peterText}\n`, "log-note-malformed"],
    ["a signature in the middle of its line", good.slice(0, -1), "log-note-malformed"],
    ["a text that does not end its line", `text${peterLine}`, "log-note-malformed"],
    ["a hyphen for a dash", good.replace("—", "-"), "log-note-malformed"],
    ["two spaces", good.replace("Neumann x", "Neumann  x"), "log-note-malformed"],
    ["a name with a plus", good.replace("— PeterNeumann", "— Peter+Neumann"), "log-note-malformed"],
    [
      "a name with a no-break space",
      good.replace("— Peter", "— Peter\u00a0"),
      "log-note-malformed",
    ],
    ["no name", good.replace("PeterNeumann ", " "), "log-note-malformed"],
    ["base64 without its end", good.replace("AM=", "AM"), "log-note-malformed"],
    ["base64 with bits that are not used", good.replace("AM=", "AN="), "log-note-malformed"],
    [
      "a key's ID without a signature",
      `${peterText}\n— PeterNeumann x08gow==\n`,
      "log-note-malformed",
    ],
    ["a carriage return", good.replaceAll("\n", "\r\n"), "log-note-malformed"],
    ["a NUL", good.replace("If", "\0f"), "log-note-malformed"],
    ["half of a surrogate pair", good.replace("If", "\ud800f"), "log-note-malformed"],
    ["65 signatures", `${peterText}\n${enochLine.repeat(64)}${peterLine}`, "log-note-malformed"],
    ["more than 128 KiB", `${"x".repeat(131_072)}\n\n${peterLine}`, "log-note-malformed"],
  ];
  for (const [what, note, code] of refused) {
    it(`refuses ${what}`, () => {
      assert.equal(
        codeOf(() => openNote(note, [peter])),
        code,
      );
    });
  }

  it("refuses a signature of another type with a known key's name", () => {
    const other = good.replace("x08go", "AAAAA");
    assert.equal(
      codeOf(() => openNote(other, [peter])),
      "log-note-unverified",
    );
  });

  it("takes the 16 signatures that it must", () => {
    const opened = openNote(`${peterText}\n${enochLine.repeat(15)}${peterLine}`, [peter]);
    assert.deepEqual(opened.signedBy, [peter]);
  });

  it("says nothing of a text that nobody signed", () => {
    assert.throws(
      () => openNote(`secret\n\n${enochLine}`, [peter]),
      (error) => error instanceof LogError && !`${error.message}${error.hint}`.includes("secret"),
    );
  });
});

describe("signNote", () => {
  it("makes what openNote opens, also of a text with empty lines and signature lines", () => {
    const lines = fc.array(fc.oneof(fc.string(), fc.constant(""), fc.constant(enochLine.trim())));
    fc.assert(
      fc.property(lines, (each) => {
        const text = `${each.join("\n")}\n`;
        assert.deepEqual(openNote(signNote(text, signer), [peter, verifier]), {
          text,
          signedBy: [verifier],
        });
      }),
    );
  });

  for (const text of ["", "no end of line", "tab\t\n", "\ud800\n"]) {
    it(`refuses to sign ${JSON.stringify(text)}`, () => {
      assert.equal(
        codeOf(() => signNote(text, signer)),
        "log-note-malformed",
      );
    });
  }
});

describe("verifier keys", () => {
  it("are written as they were read", () => {
    assert.equal(encodeVerifierKey(peter), peterKey);
    assert.equal(peter.keyId, 0xc7_4f_20_a3);
    const text = encodeVerifierKey(verifier);
    assert.equal(encodeVerifierKey(parseVerifierKey(text)), text);
  });

  const refused: readonly (readonly [what: string, key: string])[] = [
    ["nothing", ""],
    ["another name", peterKey.replace("Peter", "Petra")],
    ["another ID", peterKey.replace("c74f20a3", "c74f20a4")],
    ["an ID in upper case", peterKey.replace("c74f20a3", "C74F20A3")],
    ["another key", peterKey.replace("ARpc2", "ARpc3")],
    [
      "a key too long, with its ID",
      "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
    ],
    [
      "an unknown type, with its ID",
      "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
    ["a name with a space", peterKey.replace("PeterNeumann", "Peter Neumann")],
    ["a line end", `${peterKey}\n`],
    [
      "a private key",
      "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    ],
  ];
  for (const [what, key] of refused) {
    it(`are refused with ${what}`, () => {
      assert.equal(
        codeOf(() => parseVerifierKey(key)),
        "log-key-malformed",
      );
    });
  }

  it("are Ed25519 only, and have names without spaces, plus signs and control characters", () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    assert.equal(
      codeOf(() => noteVerifier(name, publicKey)),
      "log-key-malformed",
    );
    for (const bad of ["", "a b", "a+b", "a\u2003b", "a\u0085b", "a\u0001b", "\ud800"]) {
      assert.equal(
        codeOf(() => noteSigner(bad, keys.privateKey)),
        "log-key-malformed",
        bad,
      );
    }
  });
});
