/** The root of a mesh is made once, whatever happens while it is made and afterwards. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { bundleFileName, Store, StoreError, type StoreErrorCode } from "../src/edge/store/store.ts";
import { bundleOf } from "../src/core/trust/trust-state.ts";
import { encodePem } from "../src/core/x509/pem.ts";
import { SignerError } from "../src/core/x509/signer.ts";
import { firstStart } from "./support/first-start.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const trustDomain = "cluster.local";
const program = join(import.meta.dirname, "support", "first-start.ts");

describe("a first start that is killed", () => {
  // Each change of the directory is an event; a whole first start has about twenty.
  const lanes = [0, 1].map((lane) => range(1 + lane, 24, 2));
  for (const events of lanes) {
    it(`after ${events.join(", ")} changes leaves nothing or everything`, async () => {
      for (const count of events) {
        using directory = temporaryDirectory();
        await startAndKill(directory.path, count);
        await assertStartsWithWhatIsThere(directory.path);
      }
    });
  }
});

describe("a start", () => {
  it("publishes the same root each time, whole, and readable by everybody", async () => {
    using directory = temporaryDirectory();
    const first = await firstStart(directory.path, trustDomain);
    const published = readFileSync(join(directory.path, bundleFileName), "utf8");
    const [root] = first.bundle.roots;
    assert.equal(published, encodePem(root ?? Uint8Array.of(), "CERTIFICATE"));
    assert.equal(statSync(join(directory.path, bundleFileName)).mode & 0o777, 0o644);
    const second = await firstStart(directory.path, trustDomain);
    assert.equal(second.authority.signer.id, first.authority.signer.id);
    assert.equal(readFileSync(join(directory.path, bundleFileName), "utf8"), published);
    assert.deepEqual(readdirSync(directory.path).toSorted(), ["portcullis.db", bundleFileName]);
  });

  it("removes what a killed one has left of the roots' file, and nothing else", async () => {
    using directory = temporaryDirectory();
    const [ours, others] = [bundleFileName, "other"].map((name) => `.${name}.0123456789abcdef.tmp`);
    assert.ok(ours && others);
    await firstStart(directory.path, trustDomain);
    for (const name of [ours, others]) writeFileSync(join(directory.path, name), "");
    await firstStart(directory.path, trustDomain);
    const names = [others, "portcullis.db", bundleFileName];
    assert.deepEqual(readdirSync(directory.path).toSorted(), names.toSorted());
  });

  it("for another trust domain than the directory's is refused, and changes nothing", async () => {
    using directory = temporaryDirectory();
    await firstStart(directory.path, trustDomain);
    const before = snapshot(directory.path);
    await assert.rejects(firstStart(directory.path, "example.org"), isCode("store-trust-domain"));
    assert.deepEqual(snapshot(directory.path), before);
  });

  it("with the key of another authority is refused before it serves anybody", async () => {
    using directory = temporaryDirectory();
    using other = temporaryDirectory();
    await firstStart(directory.path, trustDomain);
    await firstStart(other.path, trustDomain);
    using foreign = new DatabaseSync(join(other.path, "portcullis.db"));
    const pkcs8 = foreign.prepare("SELECT pkcs8 FROM signing_keys").get()?.["pkcs8"];
    assert.ok(pkcs8 instanceof Uint8Array);
    {
      using database = new DatabaseSync(join(directory.path, "portcullis.db"));
      database.prepare("UPDATE signing_keys SET pkcs8 = ?").run(pkcs8);
    }
    await assert.rejects(firstStart(directory.path, trustDomain), SignerError);
  });

  it("after its trust state was deleted never makes a second root", async () => {
    using directory = temporaryDirectory();
    await firstStart(directory.path, trustDomain);
    {
      using database = new DatabaseSync(join(directory.path, "portcullis.db"));
      database.exec("DELETE FROM trust_state");
    }
    const before = snapshot(directory.path);
    await assert.rejects(firstStart(directory.path, trustDomain), isCode("store-lost"));
    assert.deepEqual(snapshot(directory.path), before);
  });
});

/** Starts in a process of its own, and kills it when the directory has changed so often. */
async function startAndKill(dataDir: string, changesMax: number): Promise<void> {
  mkdirSync(dataDir, { recursive: true });
  const child = spawn(process.execPath, [program, dataDir, trustDomain], { stdio: "ignore" });
  const ended = once(child, "exit");
  let changes = 0;
  const watcher = watch(dataDir, () => {
    if (++changes === changesMax) child.kill("SIGKILL");
  });
  try {
    await ended;
  } finally {
    watcher.close();
  }
}

async function assertStartsWithWhatIsThere(dataDir: string): Promise<void> {
  const file = join(dataDir, bundleFileName);
  const published = existsSync(file) ? readFileSync(file, "utf8") : undefined;
  const stored = await storedRoots(dataDir);
  if (published !== undefined) assert.equal(published, stored);
  const trust = await firstStart(dataDir, trustDomain);
  const after = readFileSync(file, "utf8");
  if (stored !== undefined) assert.equal(after, stored);
  assert.equal(after, trust.authority.chainTail.at(-1));
}

async function storedRoots(dataDir: string): Promise<string | undefined> {
  using store = await Store.open(dataDir, "server");
  const state = store.loadTrustState();
  if (state === undefined) return undefined;
  store.signingKey(state.authorities[0]?.id ?? "");
  return bundleOf(state)
    .roots.map((root) => encodePem(root, "CERTIFICATE"))
    .join("");
}

function snapshot(path: string): string[] {
  return readdirSync(path)
    .toSorted()
    .map((name) => `${name} ${readFileSync(join(path, name)).toString("base64")}`);
}

function isCode(code: StoreErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step);
}
