/** `deny` and `clock accept` with a server that has the real list, store and log: what an operator reads, and exit codes. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LogError } from "../../src/core/log/log-error.ts";
import { serialOf } from "../support/log-entries.ts";
import { addCertificates } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openDenyRig, type DenyRig } from "./deny-rig.ts";
import { runVerb } from "./portcullis-process.ts";

const identity = "spiffe://cluster.local/ns/default/sa/web-1";
const knownSerial = Buffer.from(serialOf(1)).toString("hex");
const unknownSerial = "ab".repeat(16);
const reason = ["--reason", "its node was taken over"];

describe("an operator", () => {
  const directory = temporaryDirectory();
  let rig: DenyRig;
  before(async () => {
    rig = await openDenyRig(directory.path, Date.now());
    await addCertificates(rig.log, 1, 1);
  });
  after(async () => {
    await rig[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  const run = (...words: readonly string[]) => runVerb([...words, "--admin", rig.admin]);

  it("denies an identity for a while, and a certificate for ever", async () => {
    const first = await run("deny", "add", identity, ...reason, "--until", "12h");
    assert.deepEqual(
      [first.status, first.stdout, first.stderr],
      [0, `denied ${identity} as number 1; ends in 12h\n`, ""],
    );
    const name = ["--operator", "Ada Lovelace"];
    const second = await run("deny", "add", knownSerial, ...reason, ...name, "-o", "json");
    assert.deepEqual([second.status, second.stderr], [0, ""]);
    const { createdAt, ...value } = JSON.parse(second.stdout) as Record<string, unknown>;
    assert.ok(Math.abs(Date.parse(String(createdAt)) - Date.now()) < 60_000);
    assert.deepEqual(value, {
      number: 2,
      target: knownSerial,
      reason: reason[1],
      operator: "Ada Lovelace",
      until: "",
      warnings: [],
    });
  });

  it("is warned of a serial or an identity that the log does not know, and it is denied", async () => {
    const spelled = unknownSerial.toUpperCase().replaceAll(/..(?=.)/g, "$&:");
    const { status, stdout, stderr } = await run("deny", "add", spelled, ...reason);
    assert.equal(status, 3);
    assert.equal(stdout, `denied ${unknownSerial} as number 3; ends never\n`);
    assert.equal(stderr, `warning: the log has no certificate with the serial ${unknownSerial}\n`);
    assert.throws(() => rig.denials.assertNotDenied("spiffe://cluster.local/x", unknownSerial));
    const typo = await run("deny", "add", `${identity}x`, ...reason);
    assert.equal(typo.status, 3);
    assert.equal(typo.stderr, `warning: the log has no certificate of ${identity}x\n`);
    await run("deny", "remove", "4", ...reason);
  });

  it("sees who is denied, by whose order and why", async () => {
    const table = await run("deny", "list");
    assert.equal(table.status, 0);
    const [header, first] = table.stdout.split("\n");
    assert.match(header ?? "", /^NUMBER +TARGET +ENDS +ADDED +BY +REASON$/);
    const by = `uid ${process.geteuid?.()}`;
    const row = new RegExp(
      `^ +1 +${identity} +in (12h|11h59m) +(now|\\d+s ago) +${by} +${reason[1]}$`,
    );
    assert.match(first ?? "", row);
    const json = JSON.parse((await run("deny", "list", "-o", "json")).stdout) as {
      sequence: number;
      denials: readonly { number: number; until: string }[];
    };
    assert.equal(json.sequence, 5);
    assert.deepEqual(
      json.denials.map(({ number, until }) => [number, until !== ""]),
      [
        [1, true],
        [2, false],
        [3, false],
      ],
    );
  });

  it("ends a denial by its number, once", async () => {
    const done = await run("deny", "remove", "1", "--reason", "set up anew");
    assert.deepEqual([done.status, done.stdout], [0, `number 1 is removed: ${identity}\n`]);
    rig.denials.assertNotDenied(identity, undefined);
    const again = await run("deny", "remove", "1", "--reason", "set up anew");
    assert.equal(again.status, 1);
    assert.equal(
      again.stderr,
      "error: expected a denial, got no number 1\nhint: portcullis deny list\n",
    );
  });

  it("is told which word is wrong, and nothing is changed", async () => {
    const before = rig.denials.list;
    const long = "x".repeat(201);
    const table: readonly (readonly [readonly string[], RegExp])[] = [
      [["deny", "add", identity], /--reason is required\nhint: portcullis help deny add\n/],
      [["deny", "add", ...reason], /expected SPIFFE_ID\|SERIAL/],
      [["deny", "add", "12", ...reason], /serial of 8 to 20 octets.*\nhint: portcullis help deny/],
      [["deny", "add", "spiffe://other/x", ...reason], /identity of cluster\.local/],
      [["deny", "add", identity, "--reason", long], /a reason of 1 to 200/],
      [["deny", "add", identity, "--reason", "a\nb"], /a reason of 1 to 200/],
      [["deny", "add", identity, ...reason, "--operator="], /the operator's name in 1 to 60/],
      [["deny", "add", identity, ...reason, "--until", "yesterday"], /--until: expected a time/],
      [["deny", "add", identity, ...reason, "--until", "2020-01-01T00:00:00Z"], /in the future/],
      [["deny", "add", identity, ...reason, "--until", "2027-02-30T00:00:00Z"], /--until/],
      [["deny", "add", identity, ...reason, "--until", "2027-01-01T00:00:00"], /--until/],
      [["deny", "add", identity, ...reason, "--until", "0s"], /--until/],
      [["deny", "remove", "one", ...reason], /expected the number.*\nhint: portcullis deny list\n/],
      [["deny", "remove", "1", "--reason", ""], /a reason of 1 to 200.*\nhint: .*deny remove\n/],
      [["clock", "accept", "--reason", ""], /a reason of 1 to 200.*\nhint: .*clock accept\n/],
    ];
    for (const [words, message] of table) {
      const { status, stderr } = await run(...words);
      assert.match(stderr, message);
      assert.equal(status, 2, words.join(" "));
    }
    assert.equal(rig.denials.list, before);
  });

  it("may name the end as a time of any zone", async () => {
    const year = new Date().getUTCFullYear() + 1;
    const until = ["--until", `${year}-03-01T00:30:00+02:00`];
    const { stdout } = await run("deny", "add", identity, ...reason, ...until, "-o", "json");
    assert.equal((JSON.parse(stdout) as { until: string }).until.slice(5), "02-28T22:30:00Z");
  });

  it("learns that the log cannot be written, and that nothing was changed", async () => {
    const { append } = rig;
    rig.append = () => Promise.reject(new LogError("log-unwritable", "the disk is full (ENOSPC)"));
    const { status, stderr } = await run("deny", "add", identity, ...reason);
    rig.append = append;
    assert.equal(status, 1);
    assert.equal(
      stderr,
      "error: nothing was changed: the disk is full (ENOSPC)\nhint: the server's own log says why\n",
    );
    assert.ok(rig.lines.some((line) => line.includes("command-failed")));
  });

  it("accepts the clock, and reads how far it had jumped", async () => {
    rig.nowMs = Date.UTC(2026, 10, 29, 12);
    const asked: unknown[] = [];
    for (const [jumpMs, text] of [
      [0, "2026-11-29T12:00:00Z: the clock was not in question\n"],
      [3_600_000, "2026-11-29T12:00:00Z: accepted, 1h forward; the server goes by it\n"],
      [-90_000, "2026-11-29T12:00:00Z: accepted, 1m30s back; the server goes by it\n"],
    ] as const) {
      rig.accept = (operator, why) => {
        asked.push([operator, why]);
        return Promise.resolve(jumpMs);
      };
      const { status, stdout } = await run("clock", "accept", ...reason, "--operator", "ada");
      assert.deepEqual([status, stdout], [0, text]);
    }
    assert.deepEqual(new Set(asked.map(String)), new Set([`ada,${reason[1]}`]));
    const json = await run("clock", "accept", ...reason, "-o", "json");
    assert.deepEqual(JSON.parse(json.stdout), { now: "2026-11-29T12:00:00Z", jumpMs: -90_000 });
  });

  it("without a server is told where it was looked for", async () => {
    const gone = ["--admin", `unix://${directory.path}/gone.sock`];
    const { status, stderr } = await runVerb(["deny", "list", ...gone]);
    assert.equal(status, 1);
    assert.match(stderr, /^error: no server answers at unix:.*\nhint: name the running one by /);
  });
});
