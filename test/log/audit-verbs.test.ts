/** The verbs that read a log: of a server that is stopped, that writes meanwhile, and of a copy. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { chmodSync, cpSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, it } from "node:test";
import { createInterface } from "node:readline";
import { encodeVerifierKey, noteVerifier } from "../../src/core/log/note-key.ts";
import { encodePem } from "../../src/core/x509/pem.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { makeCertificate } from "../support/certificate.ts";
import { bitString } from "../support/der.ts";
import { sampleEvent, sampleIntent, sampleResult, serialOf } from "../support/log-entries.ts";
import { addCertificates, logOrigin, logVerifier, openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { failedSerial, hexOf, jsonOf, openSerial, runVerb, writeLog } from "./audit-rig.ts";

const directory = temporaryDirectory();
const at = ["--data-dir", directory.path];
const file = (name: string): string => join(directory.path, name);
const key = encodeVerifierKey(logVerifier);
const strangersKey = encodeVerifierKey(
  noteVerifier(logOrigin, generateKeyPairSync("ed25519").publicKey),
);

before(() => writeLog(directory.path));
after(() => directory[Symbol.dispose]());

function copyOfLog(): Disposable & { readonly path: string } {
  const copy = temporaryDirectory();
  cpSync(file("log.db"), join(copy.path, "log.db"));
  return copy;
}

describe("audit tail", () => {
  it("shows the last entries, one a line, with control characters escaped", async () => {
    const { status, stdout } = await runVerb(["audit", "tail", "-n", "3", ...at]);
    assert.equal(status, 0);
    const lines = stdout.split("\n");
    assert.equal(lines.length, 4);
    assert.match(
      lines[0] ?? "",
      /^603 \S+Z result   failed \(signer-failed\) serial (f1){16} of 601$/,
    );
    assert.match(lines[1] ?? "", /^604 \S+Z event    command by ann; .*\\u\{1b\}\[2J\\u\{9b\}/);
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it("shows one object a line as JSON, with every control character escaped", async () => {
    const { stdout } = await runVerb(["audit", "tail", "-n", "606", "-o", "json", ...at]);
    // oxlint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    const values = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      values.map(({ index }) => index),
      Array.from({ length: 606 }, (_, index) => index),
    );
    assert.equal(values[604]?.reason, "\u001b[2J\u009b\u202e");
    assert.equal(values[1]?.evidence.pod, "web-7d4b9c6f5-x2x7q");
  });

  it("shows nothing of 0 lines, and all of a log that has fewer", async () => {
    assert.equal((await runVerb(["audit", "tail", "-n", "0", ...at])).stdout, "");
    const all = await runVerb(["audit", "tail", "-n", "100000", ...at]);
    assert.equal(all.stdout.split("\n").length, 607);
  });

  it("follows what another process writes, and ends well when it is interrupted", async () => {
    using copy = copyOfLog();
    await using store = await openStore(copy.path);
    const launcher = join(import.meta.dirname, "../../bin/portcullis");
    const args = ["audit", "tail", "-n", "1", "-f", "-o", "json", "--data-dir", copy.path];
    const child = spawn(launcher, args, { stdio: ["ignore", "pipe", "inherit"] });
    const seen: number[] = [];
    for await (const line of createInterface(child.stdout)) {
      seen.push(JSON.parse(line).index);
      if (seen.length === 1) await addCertificates(store, 1_000, 1);
      if (seen.length === 3) await store.writer.append([sampleEvent()]);
      if (seen.length === 4) child.kill("SIGINT");
    }
    if (child.exitCode === null) await once(child, "exit");
    assert.deepEqual([seen, child.exitCode], [[605, 606, 607, 608], 0]);
  });
});

describe("audit show", () => {
  it("shows an entry by its index", async () => {
    const { status, stdout } = await runVerb(["audit", "show", "1", ...at]);
    assert.equal(status, 0);
    assert.match(stdout, /^FIELD +INTENT\nindex +1\n/);
    assert.match(stdout, /\nevidence pod uid +c0ffee00-/);
  });

  const serial = hexOf(serialOf(7));
  const spellings = [
    serial,
    serial.toUpperCase(),
    `0x${serial}`,
    `0x00${serial}`,
    serial.replaceAll(/(..)(?=.)/g, "$1:"),
    serial.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
  ];
  for (const spelling of spellings) {
    it(`finds the certificate ${spelling}`, async () => {
      const values = await jsonOf<{ index: number; kind: string }[]>([
        "audit",
        "show",
        spelling,
        ...at,
      ]);
      assert.deepEqual(
        values.map(({ index, kind }) => [index, kind]),
        [
          [8, "intent"],
          [308, "result"],
        ],
      );
    });
  }

  it("shows an open certificate without a result", async () => {
    const values = await jsonOf<unknown[]>(["audit", "show", hexOf(openSerial), ...at]);
    assert.equal(values.length, 1);
  });

  const wrong: readonly (readonly [string, number, RegExp])[] = [
    ["606", 1, /expected an entry below 606, got 606\nhint: .*0x606/],
    ["0x606", 1, /no certificate with the serial 0606/],
    ["abcdef", 1, /no certificate with the serial abcdef/],
    ["web", 2, /expected a serial in hex or an index, got "web"\nhint: /],
    ["", 2, /expected a serial in hex or an index/],
    ["0x", 2, /expected a serial in hex/],
    ["ab".repeat(21), 2, /expected a serial in hex/],
  ];
  for (const [name, code, message] of wrong) {
    it(`says what is wrong with ${JSON.stringify(name)}`, async () => {
      const { status, stdout, stderr } = await runVerb(["audit", "show", name, ...at]);
      assert.deepEqual([status, stdout], [code, ""]);
      assert.match(stderr, message);
    });
  }

  it("says of a pruned entry that its hash is left, and where the log begins", async () => {
    using copy = copyOfLog();
    const later = sampleIntent().notAfterMs + 86_400_000;
    {
      await using store = await openStore(copy.path);
      await addCertificates(store, 5_000, 1, later);
      assert.deepEqual(await store.writer.prune(later, later), { start: 0, end: 512 });
    }
    const where = ["--data-dir", copy.path];
    const entry = await runVerb(["audit", "show", "3", ...where]);
    assert.match(entry.stderr, /entry 3 was pruned: its hash is left\nhint: .*audit show 512\n/);
    const certificate = await runVerb(["audit", "show", serial, ...where]);
    assert.match(certificate.stderr, /hint: entries before 512 were pruned\n/);
    assert.equal((await runVerb(["audit", "verify", ...where])).status, 0);
  });
});

describe("audit key", () => {
  it("prints the verifier key of the log, and nothing else", async () => {
    assert.deepEqual(await runVerb(["audit", "key", ...at]), {
      status: 0,
      stdout: `${key}\n`,
      stderr: "",
    });
  });

  it("does not print one that the checkpoint is not signed with", async () => {
    using copy = copyOfLog();
    {
      using database = new DatabaseSync(join(copy.path, "log.db"));
      database.prepare("UPDATE head SET verifier_key = ?").run(strangersKey);
    }
    const { status, stdout } = await runVerb(["audit", "key", "--data-dir", copy.path]);
    assert.deepEqual([status, stdout], [1, ""]);
  });
});

describe("audit prove and check-proof", () => {
  const proof = file("web.tlog-proof");
  const serial = hexOf(serialOf(7));
  before(async () => {
    const made = await runVerb(["audit", "prove", serial, "--out", proof, ...at]);
    assert.deepEqual([made.status, made.stdout], [0, ""]);
    assert.match(
      made.stderr,
      /\nnext: portcullis audit check-proof .*web\.tlog-proof --log-key KEY\n$/,
    );
  });

  it("make a proof that holds without the log", async () => {
    const { status, stdout } = await runVerb(["audit", "check-proof", proof, "--log-key", key]);
    assert.equal(status, 0);
    assert.match(stdout, /\nintent serial +5a5a/);
    const printed = await runVerb(["audit", "prove", serial, ...at]);
    assert.equal(printed.stdout, readFileSync(proof, "utf8"));
  });

  it("refuse it by another key, and each file with a character changed", async () => {
    const other = await runVerb(["audit", "check-proof", proof, "--log-key", strangersKey]);
    assert.deepEqual([other.status, other.stdout], [4, ""]);
    const text = readFileSync(proof, "utf8");
    for (let place = 0; place < text.length; place += 29) {
      const changed = file("changed.tlog-proof");
      const character = text[place] === "A" ? "B" : "A";
      writeFileSync(changed, text.slice(0, place) + character + text.slice(place + 1));
      const { status, stdout } = await runVerb(["audit", "check-proof", changed, "--log-key", key]);
      assert.deepEqual([status, stdout], [4, ""], `at ${place}`);
    }
  });

  it("tell the certificate of the proof from another one", async () => {
    using copy = copyOfLog();
    const leaf = makeCertificate();
    const other = makeCertificate({ signature: bitString(Uint8Array.of(8)) });
    const { serialHex, tbs } = parseCertificate(leaf);
    const magnitude = new Uint8Array(Buffer.from(serialHex, "hex"));
    const sha256 = (bytes: Uint8Array) =>
      new Uint8Array(createHash("sha256").update(bytes).digest());
    {
      await using store = await openStore(copy.path);
      const intent = sampleIntent({ serial: magnitude, tbsDigest: sha256(tbs) });
      const { firstIndex: intentIndex } = await store.writer.append([intent]);
      const certificateDigest = sha256(leaf);
      await store.writer.append([
        sampleResult({ serial: magnitude, intentIndex, certificateDigest }),
      ]);
    }
    const ours = file("ours.tlog-proof");
    const where = ["--data-dir", copy.path];
    assert.equal(
      (await runVerb(["audit", "prove", hexOf(magnitude), "--out", ours, ...where])).status,
      0,
    );
    const check = async (certificate: Uint8Array, of: string) => {
      writeFileSync(file("leaf.pem"), encodePem(certificate, "CERTIFICATE"));
      const args = ["audit", "check-proof", of, "--log-key", key, "--cert", file("leaf.pem")];
      return (await runVerb(args)).status;
    };
    assert.equal(await check(leaf, ours), 0);
    assert.equal(await check(other, ours), 4);
    assert.equal(await check(leaf, proof), 4);
  });

  it("prove a failure as one, with a warning, and nothing of what is open", async () => {
    const failed = await runVerb(["audit", "prove", hexOf(failedSerial), ...at]);
    assert.equal(failed.status, 3);
    assert.match(failed.stderr, /the outcome is "failed"/);
    const open = await runVerb(["audit", "prove", hexOf(openSerial), ...at]);
    assert.deepEqual([open.status, open.stdout], [1, ""]);
    assert.match(open.stderr, /entry 602 has no result\nhint: /);
  });

  it("say which flag has a key that is none", async () => {
    const { status, stderr } = await runVerb(["audit", "check-proof", proof, "--log-key", "x"]);
    assert.equal(status, 2);
    assert.match(stderr, /--log-key: expected NAME\+ID\+KEY.*\nhint: portcullis audit key\n/);
  });
});

interface Verdict {
  readonly ok: boolean;
  readonly size: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly openIntents: { readonly count: number; readonly first: readonly number[] };
  readonly checkpoint: string;
  readonly fault: { readonly index: number; readonly code: string } | null;
}

describe("audit verify", () => {
  it("finds a good log to be good, counts, and names open intents", async () => {
    const { status, stdout, stderr } = await runVerb(["audit", "verify", ...at, "--log-key", key]);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /\nverdict +good\nsize +606\n/);
    const value = await jsonOf<Verdict>(["audit", "verify", ...at]);
    assert.deepEqual(value.counts, { intent: 302, result: 301, refusals: 0, event: 3 });
    assert.deepEqual(value.openIntents, { count: 1, first: [602] });
  });

  it("says on stderr that the log's own key proves less", async () => {
    assert.match((await runVerb(["audit", "verify", ...at])).stderr, /^note: .*--log-key/);
  });

  it("goes on from the checkpoint that it has printed, also with a line break more", async () => {
    const { checkpoint } = await jsonOf<Verdict>(["audit", "verify", ...at]);
    using copy = copyOfLog();
    {
      await using store = await openStore(copy.path);
      await addCertificates(store, 2_000, 400);
    }
    for (const note of [checkpoint, `${checkpoint}\n`]) {
      writeFileSync(file("checkpoint"), note);
      const args = ["audit", "verify", "--since", file("checkpoint"), "--data-dir", copy.path];
      assert.equal((await runVerb(args)).status, 0);
    }
  });

  it("refuses a log that was rolled back behind it, and one with a new key", async () => {
    using copy = copyOfLog();
    {
      await using store = await openStore(copy.path);
      await addCertificates(store, 2_000, 400);
    }
    const { checkpoint } = await jsonOf<Verdict>(["audit", "verify", "--data-dir", copy.path]);
    writeFileSync(file("newer"), checkpoint);
    const back = await runVerb(["audit", "verify", "--since", file("newer"), ...at]);
    assert.equal(back.status, 4);
    assert.match(
      back.stderr,
      /refused: the whole log: expected at least the 1406 .*\(rolled-back\)/,
    );
    using fresh = temporaryDirectory();
    {
      const { privateKey: signingKey } = generateKeyPairSync("ed25519");
      await using store = await openStore(fresh.path, { signingKey });
      await addCertificates(store, 0, 300);
    }
    const other = ["audit", "verify", "--since", file("newer"), "--data-dir", fresh.path];
    assert.equal((await runVerb(other)).status, 4);
    const byKey = await runVerb(["audit", "verify", "--log-key", key, "--data-dir", fresh.path]);
    assert.equal(byKey.status, 4);
  });

  it("refuses a --since that is no checkpoint as a mistake of the command line", async () => {
    writeFileSync(file("nonsense"), "nonsense\n");
    const { status, stderr } = await runVerb([
      "audit",
      "verify",
      "--since",
      file("nonsense"),
      ...at,
    ]);
    assert.equal(status, 2);
    assert.match(stderr, /--since: .*nonsense: expected .*\nhint: .*jq/);
  });

  it("warns of alarms that prove nothing, until there is a checkpoint after them", async () => {
    using copy = copyOfLog();
    {
      await using store = await openStore(copy.path);
      const alarm = {
        type: "alarm",
        reason: "log-fork",
        subject: "spiffe://td/\u001b[2J",
      } as const;
      await store.writer.append([sampleEvent(alarm)]);
    }
    const where = ["--data-dir", copy.path];
    const { status, stderr } = await runVerb(["audit", "verify", ...where, "--log-key", key]);
    assert.equal(status, 3);
    assert.match(
      stderr,
      /^warning: 1 alarms .* entry 606, log-fork by spiffe:\/\/td\/\\u\{1b\}\[2J\n$/,
    );
    const { checkpoint } = await jsonOf<Verdict>(["audit", "verify", ...where]);
    writeFileSync(file("after"), checkpoint);
    assert.equal(
      (await runVerb(["audit", "verify", "--since", file("after"), ...where])).status,
      0,
    );
  });

  it("names the first entry that is wrong", async () => {
    using copy = copyOfLog();
    {
      using database = new DatabaseSync(join(copy.path, "log.db"));
      database.exec(
        "UPDATE entries SET data = (SELECT data FROM entries WHERE idx = 7) WHERE idx = 400",
      );
    }
    const { status, stderr } = await runVerb(["audit", "verify", "--data-dir", copy.path]);
    assert.equal(status, 4);
    assert.match(stderr, /\nrefused: entry 400: .*\(serial-reused\)\n$/);
    const value = await jsonOf<Verdict>(["audit", "verify", "--data-dir", copy.path]);
    assert.deepEqual([value.ok, value.fault?.index], [false, 400]);
  });

  it("refuses a log with any page overwritten", async () => {
    const whole = readFileSync(file("log.db"));
    for (let place = 0; place < whole.length; place += 4_096) {
      using copy = temporaryDirectory();
      writeFileSync(join(copy.path, "log.db"), Buffer.from(whole).fill(0xa5, place, place + 4_096));
      const { status } = await runVerb([
        "audit",
        "verify",
        "--data-dir",
        copy.path,
        "--log-key",
        key,
      ]);
      assert.equal(status, 4, `page ${place / 4_096}`);
    }
  });

  it("ends when it is interrupted", async () => {
    const launcher = join(import.meta.dirname, "../../bin/portcullis");
    const child = spawn(launcher, ["audit", "verify", ...at], { stdio: "ignore" });
    await once(child, "spawn");
    child.kill("SIGINT");
    const [, signal] = await once(child, "exit");
    assert.ok(signal === "SIGINT" || child.exitCode === 130 || child.exitCode === 0);
  });
});

describe("a directory without a log", () => {
  const verbs = [
    ["audit", "tail"],
    ["audit", "show", "1"],
    ["audit", "verify"],
    ["audit", "prove", "aabb"],
    ["audit", "key"],
    ["svid", "list"],
    ["svid", "show", "aabb"],
  ];
  for (const verb of verbs) {
    it(`is said by ${verb.slice(0, 2).join(" ")}, and nothing is made in it`, async () => {
      using empty = temporaryDirectory();
      const { status, stderr } = await runVerb([...verb, "--data-dir", empty.path]);
      assert.equal(status, 1);
      assert.equal(
        stderr,
        `error: ${join(empty.path, "log.db")}: there is no log\nhint: is it the server's --data-dir? Of a server in a cluster it is in the pod: kubectl exec -n portcullis-system portcullis-0 -- portcullis ...\n`,
      );
      assert.deepEqual(readdirSync(empty.path), []);
    });
  }

  const skip = process.geteuid?.() === 0 && "root may enter everything";
  it("or that cannot be entered is said as such", { skip }, async () => {
    using closed = temporaryDirectory();
    chmodSync(closed.path, 0);
    const { status, stderr } = await runVerb(["audit", "tail", "--data-dir", closed.path]);
    chmodSync(closed.path, 0o700);
    assert.equal(status, 1);
    assert.match(stderr, /cannot be read as a log: EACCES/);
  });
});
