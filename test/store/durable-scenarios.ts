/**
 * For each durable write outside of the log: what leads to it, the write itself, and how its being there is seen. The
 * write is made by a process that is killed at it.
 */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { DenyList } from "../../src/core/deny/deny-list.ts";
import { SpiffeId, TrustDomain } from "../../src/core/spiffe/id.ts";
import { initialTrustState } from "../../src/core/trust/trust-state.ts";
import { writeFileAtomic } from "../../src/edge/config/private-files.ts";
import type { DurableWrite } from "../../src/edge/store/durable.ts";
import { migrations } from "../../src/edge/store/migrations.ts";
import { Store, type NewTrust } from "../../src/edge/store/store.ts";
import { evidenceScenarios } from "./evidence-scenarios.ts";

export interface Scenario {
  readonly prepare?: (dataDir: string) => void | Promise<void>;
  readonly write: (dataDir: string) => void | Promise<void>;
  readonly isThere: (dataDir: string) => boolean | Promise<boolean>;
}

/** The log's own are killed at in `test/log/kill.test.ts`. */
type StoreWrite = Exclude<DurableWrite, `log-${string}`>;

const nowMs = 1_795_521_600_000;
const passphrase = Buffer.from("correct horse");
const digest = new Uint8Array(32).fill(7);
const id = SpiffeId.parse("spiffe://cluster.local/vm/db-1");
// Fixed, so that the process that is killed and the one that looks mean the same. Nothing is signed with it.
const privateKeyPkcs8 = Buffer.from(
  "302e020100300506032b657004220420" + "9d61b19deffd5a60ba844af492ec2cc4".repeat(2),
  "hex",
);
const newTrust: NewTrust = {
  state: initialTrustState({
    trustDomain: TrustDomain.parse("cluster.local"),
    authority: {
      id: "ab",
      chain: [],
      root: Uint8Array.of(1, 2, 3),
      key: "store",
      auto: false,
    },
    nowMs,
  }),
  keys: [{ id: "ab", privateKeyPkcs8 }],
  nowMs,
};
const denied = DenyList.empty.add({
  target: { kind: "identity", id: id.toString() },
  reason: "its machine was stolen",
  operator: "alice",
  createdAtMs: nowMs,
});
const policyRef = { kind: "PeerAuthentication", namespace: "shop", name: "default" } as const;
const enrolment = {
  serialHex: "7f01",
  id,
  joinTokenId: "00000000000000aa",
  enrolledAtMs: nowMs,
  notAfterMs: nowMs + 86_400_000,
};
const waiver = {
  name: "class/files",
  reason: "handed out by hand",
  operator: "alice",
  createdAtMs: nowMs,
  untilMs: nowMs + 3_600_000,
  rootsSequence: 2n,
};
const callerWaiver = {
  target: "shop/api",
  targetText: "shop/api",
  name: "shop/cron",
  reason: "shut down on Friday",
  operator: "alice",
  createdAtMs: nowMs,
  untilMs: nowMs + 3_600_000,
};
const grant = { digest, id, expiresAtMs: nowMs + 600_000 };

async function withStore<T>(
  dataDir: string,
  work: (store: Store) => T,
  key?: Uint8Array,
): Promise<T> {
  using store = await Store.open(dataDir, "server", key);
  return work(store);
}

const initialized = (dataDir: string): Promise<void> =>
  withStore(dataDir, (store) => store.initialize(newTrust));

/** Without opening it as the store does, which would complete what was left. */
function query(dataDir: string, sql: string): unknown {
  using database = new DatabaseSync(join(dataDir, "portcullis.db"));
  return Object.values(database.prepare(sql).get() ?? {})[0];
}

function containsKey(dataDir: string): boolean {
  const secret = privateKeyPkcs8.subarray(16);
  return readdirSync(dataDir).some((name) => readFileSync(join(dataDir, name)).includes(secret));
}

const open = (dataDir: string): Promise<void> => withStore(dataDir, () => {});

export const scenarios: Readonly<Record<StoreWrite, Scenario>> = {
  ...evidenceScenarios,
  "store-create": { write: open, isThere: (dir) => existsSync(join(dir, "portcullis.db")) },
  "store-schema": {
    write: open,
    // All of its steps, or some: each is whole, and the next start goes on.
    isThere: (dir) => Number(query(dir, "PRAGMA user_version")) > 0,
  },
  "store-maker": {
    prepare: (dir) => {
      using database = new DatabaseSync(join(dir, "portcullis.db"));
      for (const step of migrations) database.exec(step);
      database.exec(`PRAGMA user_version = ${migrations.length}`);
    },
    write: open,
    isThere: (dir) => query(dir, "SELECT value FROM meta") === "server",
  },
  "trust-initialize": {
    write: initialized,
    isThere: (dir) =>
      withStore(dir, (store) => {
        const isThere = store.loadTrustState() !== undefined;
        assert.equal(store.findKey("ab") !== undefined, isThere, "half of it is there");
        return isThere;
      }),
  },
  "trust-replace": {
    prepare: initialized,
    write: (dir) =>
      withStore(dir, (store) => {
        const keys = [{ id: "cd", privateKeyPkcs8 }];
        const state = { ...newTrust.state, epoch: 2 };
        store.replaceTrustState({ state, keys, destroyed: ["ab"], nowMs });
      }),
    isThere: (dir) =>
      withStore(dir, (store) => {
        const isThere = store.loadTrustState()?.epoch === 2;
        assert.equal(store.findKey("cd") !== undefined, isThere, "half of it is there");
        assert.equal(store.findKey("ab") === undefined, isThere, "half of it is there");
        return isThere;
      }),
  },
  "trust-adopt": {
    prepare: initialized,
    write: (dir) =>
      withStore(dir, (store) => {
        const keys = [{ id: "cd", privateKeyPkcs8 }];
        const state = { ...newTrust.state, epoch: 9, denyDigest: denied.digest() };
        store.adoptTrust({ state, keys, denials: denied, destroyed: ["ab"], nowMs });
      }),
    isThere: (dir) =>
      withStore(dir, (store) => {
        const isThere = store.loadTrustState()?.epoch === 9;
        assert.equal(store.findKey("cd") !== undefined, isThere, "half of it is there");
        assert.equal(store.findKey("ab") === undefined, isThere, "half of it is there");
        assert.equal(store.denials.load().denials.length, isThere ? 1 : 0);
        return isThere;
      }),
  },
  "key-keep": {
    write: (dir) => withStore(dir, (store) => store.keepKey({ id: "log", privateKeyPkcs8 }, nowMs)),
    isThere: (dir) => withStore(dir, (store) => store.findKey("log") !== undefined),
  },
  "fact-remember": {
    write: (dir) => withStore(dir, ({ facts }) => facts.remember("log-checkpoint", "a note")),
    isThere: (dir) => withStore(dir, ({ facts }) => facts.recall("log-checkpoint") === "a note"),
  },
  "keys-encrypt": {
    prepare: initialized,
    write: (dir) => withStore(dir, () => {}, passphrase),
    isThere: (dir) => Number(query(dir, "SELECT length(pkcs8) FROM signing_keys")) > 48,
  },
  "keys-scrub": {
    prepare: initialized,
    // As long as it runs, and not only at its end, when SQLite would do it.
    write: (dir) => withStore(dir, () => assert.ok(!containsKey(dir)), passphrase),
    isThere: (dir) => !containsKey(dir),
  },
  "denials-change": {
    prepare: initialized,
    write: (dir) => withStore(dir, ({ denials }) => void denials.replace(DenyList.empty, denied)),
    isThere: (dir) =>
      withStore(dir, (store) => {
        const { sequence, denials } = store.denials.load();
        assert.deepEqual([sequence, store.loadTrustState()?.epoch], [denials.length, sequence + 1]);
        return sequence === 1;
      }),
  },
  "waivers-change": {
    write: (dir) => withStore(dir, ({ waivers }) => waivers.add([waiver])),
    isThere: (dir) => withStore(dir, ({ waivers }) => waivers.all().length === 1),
  },
  "resources-change": {
    write: (dir) =>
      withStore(dir, ({ resources }) => {
        const put = [{ ref: policyRef, json: "{}", origin: "" }];
        resources.change(0, { layer: "applied", put, remove: [] });
      }),
    isThere: (dir) =>
      withStore(dir, ({ resources }) => {
        const { sequence, layers } = resources.load();
        assert.equal(sequence, layers.applied.length);
        return sequence === 1;
      }),
  },
  "flip-change": {
    prepare: (dir) => withStore(dir, ({ flips }) => flips.put({ id: 1, document: '"first"' }, [])),
    write: (dir) => withStore(dir, ({ flips }) => flips.put({ id: 2, document: '"second"' }, [1])),
    isThere: (dir) =>
      withStore(dir, ({ flips }) => {
        const [only, ...more] = flips.all();
        assert.deepEqual(more, [], "half of it is there");
        return only?.id === 2;
      }),
  },
  "caller-waivers-change": {
    write: (dir) => withStore(dir, ({ callerWaivers }) => callerWaivers.add([callerWaiver])),
    isThere: (dir) => withStore(dir, ({ callerWaivers }) => callerWaivers.all().length === 1),
  },
  "join-token-add": {
    write: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.add(grant, nowMs)),
    isThere: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.take(digest) !== undefined),
  },
  "join-token-take": {
    prepare: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.add(grant, nowMs)),
    write: (dir) => withStore(dir, ({ joinTokens }) => void joinTokens.take(digest)),
    isThere: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.take(digest) === undefined),
  },
  "join-token-prune": {
    prepare: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.add(grant, nowMs)),
    write: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.prune(grant.expiresAtMs)),
    isThere: (dir) => withStore(dir, ({ joinTokens }) => joinTokens.take(digest) === undefined),
  },
  "enrolment-add": {
    write: (dir) => withStore(dir, ({ enrolments }) => enrolments.add(enrolment)),
    isThere: (dir) => withStore(dir, ({ enrolments }) => enrolments.find("7f01") !== undefined),
  },
  "enrolment-prune": {
    prepare: (dir) => withStore(dir, ({ enrolments }) => enrolments.add(enrolment)),
    write: (dir) => withStore(dir, ({ enrolments }) => enrolments.prune(enrolment.notAfterMs)),
    isThere: (dir) => withStore(dir, ({ enrolments }) => enrolments.find("7f01") === undefined),
  },
  "file-replace": {
    prepare: (dir) => writeFileAtomic(join(dir, "file"), Buffer.from("old"), 0o600),
    write: (dir) => writeFileAtomic(join(dir, "file"), Buffer.from("new"), 0o600),
    isThere: (dir) => {
      const text = readFileSync(join(dir, "file"), "utf8");
      assert.ok(text === "old" || text === "new", text);
      return text === "new";
    },
  },
};
