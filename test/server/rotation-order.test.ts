/** What an order for a rotation keeps waiting, and what not, with a log that takes its time. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { pino } from "pino";
import { makeOwnAuthority } from "../../src/app/server/new-trust.ts";
import { RootsFile } from "../../src/app/server/roots-file.ts";
import { RotationEvents } from "../../src/app/server/rotation/rotation-events.ts";
import { Rotation } from "../../src/app/server/rotation/rotation.ts";
import { TrustChanges } from "../../src/app/server/rotation/trust-changes.ts";
import { SigningTurns } from "../../src/app/server/signing/signing-turns.ts";
import { TrustKeeper } from "../../src/app/server/trust-keeper.ts";
import { loadTrust } from "../../src/app/server/trust.ts";
import { Store } from "../../src/edge/store/store.ts";
import { testConfig } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openGate } from "../support/trust-states.ts";

it("an order lets certificates be signed while it is written into the log, and none while it is decided", async () => {
  using directory = temporaryDirectory();
  const config = testConfig(directory.path);
  const nowMs = Date.now;
  using store = await Store.open(directory.path, "server");
  const trust = new TrustKeeper(await loadTrust(store, config, nowMs()));
  const turns = new SigningTurns();
  const [begun, written] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
  const log = {
    event: () => Promise.resolve(),
    eventAt: async (): Promise<number> => {
      begun.resolve();
      return await written.promise;
    },
  };
  const view = {
    verifiers: () => openGate,
    holders: () => openGate,
    skewMs: () => 0,
    published: () => {},
  };
  const shared = { store, trust, view, config: () => config, nowMs };
  const changes = new TrustChanges({
    ...shared,
    turns,
    keeper: { trustIs: () => Promise.resolve() },
    signing: { renew: () => {} },
    rootsFile: new RootsFile(config.dataDir, pino({ level: "silent" })),
    logSize: () => 0,
  });
  const rotation = new Rotation({
    ...shared,
    changes,
    inTurn: (work) => work(),
    events: new RotationEvents(log, () => 0),
    prove: () => Promise.resolve(),
    renewOwn: () => Promise.resolve(),
    filed: () => undefined,
  });
  const made = await makeOwnAuthority(config, "p256", nowMs());
  const command = { kind: "prepare", authority: made.authority } as const;
  const ordered = rotation.order({
    command,
    keys: made.keys,
    operator: "alice",
    subject: "root prepare",
    detail: "",
  });
  await begun.promise;
  const signing = Promise.withResolvers<void>();
  const signed = turns.shared(() => signing.promise);
  const another = turns.shared(() => Promise.resolve());
  await another;
  written.resolve(7);
  await new Promise(setImmediate);
  assert.equal(trust.current.state.authorities.length, 1);
  signing.resolve();
  await signed;
  assert.equal((await ordered).kind, "done");
  assert.equal(trust.current.state.authorities.length, 2);
});
