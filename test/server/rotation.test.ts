/** A rotation of roots on a server in this process, over the admin socket and without agents: each gate is open at once. */

import assert from "node:assert/strict";

import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, it } from "node:test";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { dialWire, sign } from "./grpc-wire.ts";
import * as rig from "./rotation-rig.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const pki = new OpensslPki(temporary.path);

function roots(it: TestControlPlane): number {
  const pem = readFileSync(join(it.config.dataDir, "root-cert.pem"), "utf8");
  return pem.split("BEGIN CERTIFICATE").length - 1;
}

const subjects = (it: TestControlPlane): readonly string[] =>
  rig
    .eventsOf(it.config.dataDir, "command")
    .map(({ operator, subject, reason }) => [operator, subject, reason].filter(Boolean).join(" "));

describe("a rotation", () => {
  it("goes from one root to the next, each step in the log, until everybody holds the new bundle", async () => {
    await using it = await startControlPlane();
    const old = rig.signer(it);
    const { next, lines } = await rig.prepare(it);
    assert.deepEqual([rig.states(it), roots(it)], [["active", "prepared"], 2]);
    assert.equal(next, "portcullis root activate");
    assert.match(lines.join("\n"), /is prepared\nthe bundle gets sequence 2/);
    await rig.step(it, "activate");
    assert.deepEqual([rig.states(it).toSorted(), roots(it)], [["active", "retiring"], 2]);
    assert.notEqual(rig.signer(it), old);
    const retired = await rig.step(it, "retire");
    assert.deepEqual([rig.states(it), roots(it)], [["active"], 1]);
    assert.match(retired.lines.join("\n"), new RegExp(`${old} .*its key is destroyed`));
    await eventually(() => it.controlPlane.trust.state.retired.every((each) => each.confirmed));
    assert.deepEqual(subjects(it), [
      "alice root prepare",
      "alice root activate",
      "alice root retire",
      "root confirm",
    ]);
    const told = rig.eventsOf(it.config.dataDir, "trust-changed").map(({ detail }) => detail);
    assert.equal(told.length, 5);
  });

  it("leaves no octet of the old key in the data directory", async () => {
    await using it = await startControlPlane();
    const { source } = it.controlPlane.trust.authorityParts;
    assert.equal(source.kind, "software");
    const { d = "" } = source.key.export({ format: "jwk" });
    const secret = Buffer.from(d, "base64url");
    const { dataDir } = it.config;
    const holders = (): readonly string[] =>
      readdirSync(dataDir).filter((name) => {
        try {
          return readFileSync(join(dataDir, name)).includes(secret);
        } catch {
          return false;
        }
      });
    assert.notDeepEqual(holders(), []);
    await rig.prepare(it);
    await rig.step(it, "activate");
    assert.notDeepEqual(holders(), []);
    await rig.step(it, "retire");
    assert.deepEqual(holders(), []);
  });

  it("goes back while both are trusted, and can be given up then", async () => {
    await using it = await startControlPlane();
    const old = rig.signer(it);
    await rig.prepare(it);
    await rig.step(it, "activate");
    await rig.step(it, "rollback");
    assert.equal(rig.signer(it), old);
    await rig.step(it, "abort");
    assert.deepEqual([rig.states(it), roots(it), rig.signer(it)], [["active"], 1, old]);
  });

  it("of a leaked key changes the signer at once, and needs one to change to", async () => {
    await using it = await startControlPlane();
    const authorityId = rig.signer(it);
    const alone = rig.refusedOf(await rig.send(it, { kind: "compromise", authorityId }));
    assert.equal(alone.code, "replacement-needed");
    const replacement = { keyType: "p384" };
    rig.doneOf(await rig.send(it, { kind: "compromise", authorityId, replacement }));
    assert.deepEqual([rig.states(it), roots(it)], [["active"], 1]);
    const { authorities } = await rig.status(it);
    assert.deepEqual(
      authorities.map(({ state, keyType, compromised }) => [state, keyType, compromised]),
      [
        ["active", "ec-p384", false],
        ["retired", "", true],
      ],
    );
  });

  it("does not keep the key of a replacement that was not needed", async () => {
    using data = temporaryDirectory();
    {
      await using it = await startControlPlane({ flags: { "data-dir": data.path } });
      await rig.prepare(it);
      await rig.step(it, "activate");
      const replacement = { keyType: "p256" };
      const authorityId = rig.signer(it);
      rig.doneOf(await rig.send(it, { kind: "compromise", authorityId, replacement }));
    }
    using database = new DatabaseSync(join(data.path, "portcullis.db"));
    // Of the authority, of JWT-SVIDs, and of the log.
    assert.equal(database.prepare("SELECT count(*) AS n FROM signing_keys").get()?.["n"], 3);
  });

  it("fails no certificate that is being signed meanwhile, alone or by the group", async () => {
    await using it = await startControlPlane();
    await using connection = dialWire(it);
    // What is signed before that holds the gate of `activate`.
    await rig.prepare(it);
    const issued: string[][] = [];
    const over = new AbortController();
    const ask = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { certChain } = await sign(connection, { authorization: `Bearer ${mint()}` });
        issued.push([...certChain]);
      }
    };
    const callers = Array.from({ length: 40 }, ask);
    const rotated = (async () => {
      for (const kind of ["activate", "rollback", "activate"] as const) {
        await rig.stepWhenOpen(it, kind);
      }
    })();
    await rotated.finally(() => over.abort());
    await Promise.all(callers);
    assert.ok(issued.length >= 40);
    for (const [leaf = "", ...rest] of issued) {
      const roots = (rest.at(-1) ?? "").match(/-----BEGIN[^]*?-----END CERTIFICATE-----/g) ?? [];
      const certificate = new X509Certificate(leaf);
      const issuers = roots.map((pem) => new X509Certificate(pem));
      const root = issuers.find(({ subject }) => subject === certificate.issuer);
      assert.ok(
        root && certificate.verify(root.publicKey),
        "a leaf whose root is not in its reply",
      );
    }
    assert.ok(!it.log.some(({ event }) => event === "certificate-unfit"));
  });

  it("that is only tried changes nothing and says nothing in the log", async () => {
    await using it = await startControlPlane();
    const { epoch } = it.controlPlane.trust.state;
    const command = { kind: "prepare", source: {} } as const;
    assert.match(rig.doneOf(await rig.send(it, command, true)).lines.join(), /is prepared/);
    rig.refusedOf(await rig.send(it, { kind: "retire" }, true));
    const offline = { kind: "prepare", source: { csrForOfflineRoot: true } } as const;
    assert.equal(rig.doneOf(await rig.send(it, offline, true)).csr, "");
    assert.equal(it.controlPlane.trust.state.epoch, epoch);
    assert.deepEqual(subjects(it), []);
  });

  it("has its refusals in the log, and of a loop around one the first ten", async () => {
    await using it = await startControlPlane();
    for (let count = 0; count < 12; count++) {
      const { code, hint } = rig.refusedOf(await rig.send(it, { kind: "activate" }));
      assert.equal(code, "nothing-prepared");
      assert.match(hint, /portcullis root prepare/);
    }
    assert.deepEqual(subjects(it), Array(10).fill("alice root activate nothing-prepared"));
  });

  it("is one at a time: of two commands at once the second finds what the first has made", async () => {
    await using it = await startControlPlane();
    const both = [
      [{ kind: "prepare", source: {} }, "rotation-in-progress"],
      [{ kind: "activate" }, "nothing-prepared"],
      [{ kind: "retire" }, "nothing-to-retire"],
    ] as const;
    for (const [command, code] of both) {
      const [first, second] = await Promise.all([rig.send(it, command), rig.send(it, command)]);
      const [done, refused] = first.result.case === "done" ? [first, second] : [second, first];
      rig.doneOf(done);
      assert.equal(rig.refusedOf(refused).code, code);
    }
  });
});

describe("an authority for a rotation", () => {
  it("comes from a directory on the server's machine, key and all", async () => {
    const root = pki.root("new-root");
    const signing = pki.under(root, "new-signing");
    const path = pki.directory({
      "ca-cert.pem": signing.certPem,
      "ca-key.pem": signing.keyPem,
      "root-cert.pem": root.certPem,
    });
    using data = temporaryDirectory();
    const flags = { "data-dir": data.path };
    {
      await using it = await startControlPlane({ flags });
      await rig.prepare(it, { fromDir: path });
      await rig.step(it, "activate");
      await rig.step(it, "retire");
      assert.equal(it.controlPlane.trust.authority.chainTail[0], signing.certPem);
    }
    await using again = await startControlPlane({ flags });
    assert.equal(again.controlPlane.trust.authority.chainTail[0], signing.certPem);
    const { authorities } = await rig.status(again);
    assert.equal(authorities[0]?.keyLocation, "store");
  });

  it("may have its key here from the beginning, and its certificate from an offline root", async () => {
    await using it = await startControlPlane();
    const { csr, next } = await rig.prepare(it, { csrForOfflineRoot: true, keyType: "p384" });
    assert.match(next, /--from-dir/);
    assert.deepEqual(rig.states(it), ["active"]);
    const root = pki.root("offline-root");
    const certPem = pki.sign(root, csr, true);
    const path = pki.directory({ "ca-cert.pem": certPem, "root-cert.pem": root.certPem });
    await rig.prepare(it, { fromDir: path });
    await rig.step(it, "activate");
    assert.equal(it.controlPlane.trust.authority.chainTail[0], certPem);
  });

  it("is refused, with what to do, where its directory or its key will not do", async () => {
    await using it = await startControlPlane();
    const root = pki.root("keyless-root");
    const keyless = pki.directory({ "ca-cert.pem": root.certPem, "root-cert.pem": root.certPem });
    const table = [
      [{ fromDir: keyless }, "authority-key"],
      [{ fromDir: "relative" }, "authority-directory"],
      [{ fromDir: join(temporary.path, "nowhere") }, "ca-files-missing"],
      [{ fromDir: keyless, keyType: "p384" }, "root-source"],
      [{ keyType: "dsa" }, "root-key-type"],
    ] as const;
    for (const [source, code] of table) {
      const answer = await rig.send(it, { kind: "prepare", source });
      assert.equal(rig.refusedOf(answer).code, code);
    }
    assert.equal(it.controlPlane.trust.state.epoch, 1);
    assert.equal(subjects(it).length, table.length);
  });
});
