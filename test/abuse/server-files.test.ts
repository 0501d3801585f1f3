/** Files of a server that somebody has cut, lost, or put back: it does not start on them, says what to do, and leaves them as they are. */

import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LogError, type LogErrorCode } from "../../src/core/log/log-error.ts";
import { portcullis } from "../server/portcullis-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { dataDirectory, runOnce } from "./server-probes.ts";
import { expectAccounted, takeSome, type Receipts } from "./server-rig.ts";

interface Damage {
  readonly title: string;
  readonly code: LogErrorCode | readonly LogErrorCode[];
  readonly message: RegExp;
  readonly damage: (file: string, old: string) => void;
}

const damages: readonly Damage[] = [
  {
    title: "is deleted",
    code: "log-lost",
    message: /has had a log, and .*log\.db is missing/,
    damage: (file) => rmSync(file),
  },
  {
    title: "is empty",
    code: "log-lost",
    message: /has had a log/,
    damage: (file) => truncateSync(file, 0),
  },
  {
    title: "is cut in half",
    code: ["log-damaged", "log-unreadable"],
    message: /log\.db/,
    damage: (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  },
  {
    title: "lacks its last octet",
    code: "log-damaged",
    message: /expected \d+ bytes, got \d+/,
    damage: (file) => truncateSync(file, statSync(file).size - 1),
  },
  {
    title: "is no database",
    code: "log-unreadable",
    message: /cannot be read as a log/,
    damage: (file) => writeFileSync(file, Buffer.alloc(65_536, 0x55)),
  },
  {
    title: "is all zeros",
    code: ["log-lost", "log-unreadable"],
    message: /log/,
    damage: (file) => writeFileSync(file, Buffer.alloc(65_536)),
  },
  {
    title: "is an old one",
    code: "log-damaged",
    message: /expected a log of at least \d+ entries, got \d+: log\.db is an old one/,
    damage: (file, old) => cpSync(old, file),
  },
];

describe("a server whose log.db", () => {
  for (const { title, code, message, damage } of damages) {
    it(`${title} does not start, says what to do, and leaves it as it is`, async () => {
      using directory = dataDirectory();
      using aside = temporaryDirectory();
      const file = join(directory.path, "log.db");
      const [old, good] = [join(aside.path, "old"), join(aside.path, "good")];
      const receipts: Receipts = new Map();
      await runOnce(directory, (it) => takeSome(it, receipts, 2));
      cpSync(file, old);
      await runOnce(directory, (it) => takeSome(it, receipts, 20));
      cpSync(file, good);
      damage(file, old);
      const bytes = statSync(file, { throwIfNoEntry: false }) && readFileSync(file);
      await assert.rejects(runOnce(directory), (error) => {
        assert.ok(error instanceof LogError, String(error));
        assert.ok([code].flat().includes(error.code), error.code);
        assert.match(error.message, message);
        assert.ok(error.hint !== undefined && error.hint !== "");
        return true;
      });
      const after = statSync(file, { throwIfNoEntry: false }) && readFileSync(file);
      assert.deepEqual(after, bytes);
      cpSync(good, file);
      await runOnce(directory, (it) => takeSome(it, receipts, 1));
      await expectAccounted(directory.path, receipts);
    });
  }

  it("goes on from another past does not start", async () => {
    using directory = dataDirectory();
    using fork = dataDirectory();
    const receipts: Receipts = new Map();
    await runOnce(directory, (it) => takeSome(it, receipts, 2));
    cpSync(directory.path, fork.path, { recursive: true });
    await runOnce(directory, (it) => takeSome(it, receipts, 3));
    await runOnce(fork, (it) => takeSome(it, new Map(), 30));
    cpSync(join(fork.path, "log.db"), join(directory.path, "log.db"));
    await assert.rejects(
      runOnce(directory),
      /the log does not go on from its own first \d+ entries/,
    );
  });

  it("is another server's does not start", async () => {
    using directory = dataDirectory();
    using other = dataDirectory();
    await runOnce(directory);
    await runOnce(other);
    cpSync(join(other.path, "log.db"), join(directory.path, "log.db"));
    await assert.rejects(runOnce(directory), { code: "log-key-mismatch" });
  });

  it("is missing ends the process with 1, the cause and the next step", async () => {
    using directory = dataDirectory();
    await runOnce(directory);
    rmSync(join(directory.path, "log.db"));
    const jwks = join(directory.path, "..", "jwks.json");
    writeFileSync(jwks, '{"keys":[]}');
    const args = ["server", "--data-dir", directory.path, "--listen", "127.0.0.1:0"];
    const issuer = ["--token-issuer", "https://kubernetes.default.svc", "--jwks", jwks];
    const { status, stderr } = await portcullis([
      ...args,
      "--metrics-listen",
      "127.0.0.1:0",
      ...issuer,
    ]);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^error: this directory has had a log, and .*log\.db is missing\nhint: restore log\.db/m,
    );
  });
});

describe("a server whose portcullis.db is an old one", () => {
  const identity = "spiffe://cluster.local/ns/shop/sa/w-0";
  const deny = (path: string, target: string): Promise<unknown> =>
    portcullis(["deny", "add", target, "--reason", "broken into", "--data-dir", path]);

  it("of the same trust and denials starts, and all that was signed stays in the log", async () => {
    using directory = dataDirectory();
    using aside = temporaryDirectory();
    const [file, old] = [join(directory.path, "portcullis.db"), join(aside.path, "old")];
    const receipts: Receipts = new Map();
    await runOnce(directory, (it) => takeSome(it, receipts, 2));
    cpSync(file, old);
    await runOnce(directory, (it) => takeSome(it, receipts, 20));
    cpSync(old, file);
    await runOnce(directory, (it) => takeSome(it, receipts, 1));
    await expectAccounted(directory.path, receipts);
  });

  it("from before denials does not start, or it would let in who was shut out", async () => {
    using directory = dataDirectory();
    using aside = temporaryDirectory();
    const [file, old] = [join(directory.path, "portcullis.db"), join(aside.path, "old")];
    await runOnce(directory);
    cpSync(file, old);
    await runOnce(directory, async () => {
      await deny(directory.path, identity);
      await deny(directory.path, `${identity}-2`);
    });
    cpSync(old, file);
    await assert.rejects(runOnce(directory), /portcullis\.db/);
  });

  it("from before the last denial starts, and takes that from the log", async () => {
    using directory = dataDirectory();
    using aside = temporaryDirectory();
    const [file, old] = [join(directory.path, "portcullis.db"), join(aside.path, "old")];
    await runOnce(directory);
    cpSync(file, old);
    await runOnce(directory, async () => void (await deny(directory.path, identity)));
    cpSync(old, file);
    await runOnce(directory, async () => {
      const { stdout } = await portcullis(["deny", "list", "--data-dir", directory.path]);
      assert.match(stdout, /sa\/w-0 .*broken into/);
    });
    assert.equal((await portcullis(["audit", "verify", "--data-dir", directory.path])).status, 0);
  });

  it("from before the log had its key does not start", async () => {
    using directory = dataDirectory();
    using other = dataDirectory();
    await runOnce(directory);
    await runOnce(other);
    cpSync(join(other.path, "portcullis.db"), join(directory.path, "portcullis.db"));
    await assert.rejects(runOnce(directory), { code: "log-key-mismatch" });
  });
});
