/** Denials in a server: what is durable when, and what holds after a failure and after a restart. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DeniedError, DenyListError } from "../../src/core/deny/deny-error.ts";
import { LogError } from "../../src/core/log/log-error.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openDenyRig, type DenyRig } from "./deny-rig.ts";

const nowMs = 1_795_521_600_000;
const identity = "spiffe://cluster.local/ns/shop/sa/web";
const serialHex = "ab".repeat(16);
const who = { operator: "alice", reason: "its node was taken over" };
const denial = { target: { kind: "identity", id: identity }, ...who } as const;
const certificate = { target: { kind: "serial", serialHex }, ...who } as const;

async function withRig(work: (rig: DenyRig) => Promise<void>): Promise<void> {
  using directory = temporaryDirectory();
  await using rig = await openDenyRig(directory.path, nowMs);
  await work(rig);
}

const events = (rig: DenyRig): readonly unknown[] =>
  rig
    .entries()
    .flatMap((entry) =>
      entry.kind === "event" && entry.type !== "log-started"
        ? [[entry.type, entry.operator, entry.subject, entry.reason, entry.detail]]
        : [],
    );

const denies = (rig: DenyRig, id: string, serial?: string): void => {
  assert.throws(() => rig.denials.assertNotDenied(id, serial), DeniedError);
};

describe("a denial", () => {
  it("holds at once, for the identity and for the certificate, and until it is removed", async () => {
    await withRig(async (rig) => {
      rig.denials.assertNotDenied(identity, serialHex);
      assert.equal((await rig.denials.add(denial)).sequence, 1);
      assert.equal((await rig.denials.add(certificate)).sequence, 2);
      denies(rig, identity);
      denies(rig, "spiffe://cluster.local/ns/shop/sa/cart", serialHex);
      rig.denials.assertNotDenied("spiffe://cluster.local/ns/shop/sa/cart", undefined);
      await rig.denials.remove(1, { operator: "bob", reason: "set up anew" });
      rig.denials.assertNotDenied(identity, undefined);
      assert.deepEqual(events(rig), [
        ["denied", "alice", identity, who.reason, '{"number":1}'],
        ["denied", "alice", serialHex, who.reason, '{"number":2}'],
        ["denial-removed", "bob", identity, "set up anew", '{"numbers":[1]}'],
      ]);
      assert.deepEqual(
        rig.stored.map(({ epoch }) => epoch),
        [2, 3, 4],
      );
    });
  });

  it("is in the log before it is in the store, and in the store before it holds", async () => {
    await withRig(async (rig) => {
      const seen: unknown[] = [];
      const { append } = rig;
      rig.append = async (entries) => {
        await append(entries);
        seen.push(["log", events(rig).length, rig.store.denials.load().sequence]);
      };
      rig.beforeStore = () => {
        seen.push(["store", events(rig).length, rig.denials.list.sequence]);
        rig.denials.assertNotDenied(identity, undefined);
      };
      await rig.denials.add(denial);
      assert.deepEqual(seen, [
        ["log", 1, 0],
        ["store", 1, 0],
      ]);
      denies(rig, identity);
    });
  });

  it("that cannot be logged is neither stored nor in force, and the next one is", async () => {
    await withRig(async (rig) => {
      const { append } = rig;
      rig.append = () => Promise.reject(new LogError("log-unwritable", "the disk is full"));
      await assert.rejects(rig.denials.add(denial), LogError);
      rig.denials.assertNotDenied(identity, undefined);
      assert.equal(rig.store.denials.load().sequence, 0);
      rig.append = append;
      await rig.denials.add(denial);
      denies(rig, identity);
    });
  });

  it("that cannot be stored is not in force, and the next one is", async () => {
    await withRig(async (rig) => {
      rig.beforeStore = () => {
        throw new Error("the disk is full");
      };
      await assert.rejects(rig.denials.add(denial), /the disk is full/);
      rig.denials.assertNotDenied(identity, undefined);
      rig.beforeStore = () => {};
      await rig.denials.add(certificate);
      denies(rig, identity, serialHex);
      rig.denials.assertNotDenied(identity, undefined);
      assert.equal(rig.store.denials.load().sequence, 1);
    });
  });

  it("of many at once gets a number of its own, and all hold", async () => {
    await withRig(async (rig) => {
      const added = await Promise.all(Array.from({ length: 20 }, () => rig.denials.add(denial)));
      assert.deepEqual(
        added.map(({ sequence }) => sequence),
        Array.from({ length: 20 }, (_, index) => index + 1),
      );
      assert.equal(rig.store.denials.load().denials.length, 20);
    });
  });

  it("that is not there cannot be removed, and nothing is logged of it", async () => {
    await withRig(async (rig) => {
      for (const number of [0, 1, -1, Number.NaN, 2 ** 60]) {
        await assert.rejects(
          rig.denials.remove(number, who),
          (error) => error instanceof DenyListError && error.code === "denial-unknown",
        );
      }
      assert.deepEqual(events(rig), []);
    });
  });

  it("holds after a restart", async () => {
    using directory = temporaryDirectory();
    {
      await using rig = await openDenyRig(directory.path, nowMs);
      await rig.denials.add(denial);
      await rig.denials.add({ ...certificate, untilMs: nowMs + 1_000 });
    }
    await using rig = await openDenyRig(directory.path, nowMs + 999);
    denies(rig, identity);
    denies(rig, "spiffe://cluster.local/x", serialHex);
  });

  it("ends at its end, and is then forgotten, which the log keeps", async () => {
    await withRig(async (rig) => {
      const untilMs = nowMs + 1_000;
      await rig.denials.add(denial);
      await Promise.all(
        Array.from({ length: 450 }, () => rig.denials.add({ ...certificate, untilMs })),
      );
      assert.equal(await rig.denials.prune(), 0);
      rig.nowMs = untilMs;
      rig.denials.assertNotDenied("spiffe://cluster.local/x", serialHex);
      assert.equal(await rig.denials.prune(), 450);
      assert.equal(await rig.denials.prune(), 0);
      assert.equal(rig.store.denials.load().denials.length, 1);
      const removals = rig.entries().flatMap((entry) => {
        if (entry.kind !== "event" || entry.type !== "denial-removed") return [];
        assert.deepEqual([entry.operator, entry.subject, entry.reason], ["", "", "ended"]);
        return [JSON.parse(entry.detail).numbers as number[]];
      });
      assert.deepEqual(
        removals.map((numbers) => numbers.length),
        [200, 200, 50],
      );
      assert.deepEqual(
        removals.flat(),
        Array.from({ length: 450 }, (_, index) => index + 2),
      );
      denies(rig, identity);
    });
  });
});
