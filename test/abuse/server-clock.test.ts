/** A wall clock that jumps: nothing is dated by it until it is good again or an operator says so, and the log's time never goes back. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { dialWire, type WireReply } from "../server/grpc-wire.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { eventually, type TestControlPlane } from "../support/control-plane.ts";
import {
  assertSays,
  dataDirectory,
  runOnce,
  startOn,
  type DataDirectory,
} from "./server-probes.ts";
import {
  accountOf,
  expectAccounted,
  takeCertificate,
  takeJwtSvid,
  type Receipts,
} from "./server-rig.ts";

const [ok, unavailable] = [0, 14];
const hourMs = 3_600_000;
const jumps: readonly (readonly [title: string, ms: number])[] = [
  ["61 s forward", 61_000],
  ["61 s back", -61_000],
  ["an hour forward", hourMs],
  ["an hour back", -hourMs],
];

async function asks(it: TestControlPlane, receipts: Receipts): Promise<readonly WireReply[]> {
  // Its own certificate is dated by its clock, and this process goes by the right one.
  await using connection = dialWire(it, { rejectUnauthorized: false });
  const certificate = await takeCertificate(connection, "cart", receipts);
  return [certificate, await takeJwtSvid(connection, "cart", receipts)];
}

async function signs(it: TestControlPlane, receipts: Receipts): Promise<void> {
  for (const { code, message } of await asks(it, receipts)) assert.equal(code, ok, message);
  await assertSays(it, /^200 ok$/, "portcullis_clock_good", 1);
}

async function refuses(it: TestControlPlane, receipts: Receipts): Promise<void> {
  for (const { code, message } of await asks(it, receipts)) {
    assert.equal(code, unavailable);
    assert.equal(message, "the server's clock is being checked: try again");
  }
  await assertSays(it, /^503 .*clock/, "portcullis_clock_good", 0);
}

async function accept({ path }: DataDirectory): Promise<void> {
  const reason = ["--reason", "compared with two other hosts"];
  const { status, stderr } = await runVerb(["clock", "accept", ...reason, "--data-dir", path]);
  assert.equal(status, 0, stderr);
}

describe("a server whose wall clock jumps", () => {
  for (const [title, ms] of jumps) {
    it(`${title} signs nothing until it comes back`, async () => {
      using directory = dataDirectory();
      const receipts: Receipts = new Map();
      await runOnce(directory, async (it) => {
        await signs(it, receipts);
        it.jump(ms);
        await refuses(it, receipts);
        it.jump(-ms);
        await signs(it, receipts);
        const events = it.log.flatMap(({ event }) =>
          String(event).startsWith("clock-") ? [event] : [],
        );
        assert.deepEqual(events, ["clock-jumped", "clock-good"]);
      });
      await expectAccounted(directory.path, receipts);
    });

    it(`${title} signs again when an operator accepts it, and after a restart on that clock`, async () => {
      using directory = dataDirectory();
      const receipts: Receipts = new Map();
      await runOnce(directory, async (it) => {
        await signs(it, receipts);
        it.jump(ms);
        await refuses(it, receipts);
        await accept(directory);
        await signs(it, receipts);
      });
      {
        await using it = await startOn(directory, { nowMs: () => Date.now() + ms });
        await signs(it, receipts);
      }
      await expectAccounted(directory.path, receipts);
    });

    it(`${title} and back after it was accepted signs nothing until that is accepted, too`, async () => {
      using directory = dataDirectory();
      const receipts: Receipts = new Map();
      await runOnce(directory, async (it) => {
        it.jump(ms);
        await refuses(it, receipts);
        await accept(directory);
        it.jump(-ms);
        await refuses(it, receipts);
        await accept(directory);
        await signs(it, receipts);
      });
      await expectAccounted(directory.path, receipts);
    });
  }

  it("by less than a minute at a time goes on signing", async () => {
    using directory = dataDirectory();
    const receipts: Receipts = new Map();
    await runOnce(directory, async (it) => {
      for (const ms of [59_000, -59_000, -59_000, 59_000]) {
        it.jump(ms);
        await signs(it, receipts);
      }
    });
    await expectAccounted(directory.path, receipts);
  });

  it("together with the monotonic one, as after a suspension, goes on signing", async () => {
    using directory = dataDirectory();
    const receipts: Receipts = new Map();
    await runOnce(directory, async (it) => {
      await signs(it, receipts);
      it.advance(hourMs / 2);
      await signs(it, receipts);
    });
    await expectAccounted(directory.path, receipts);
  });

  it("while it is down is not noticed forward: it may have been down that long", async () => {
    using directory = dataDirectory();
    const receipts: Receipts = new Map();
    await runOnce(directory, (it) => signs(it, receipts));
    {
      await using it = await startOn(directory, { nowMs: () => Date.now() + hourMs });
      await signs(it, receipts);
    }
    await expectAccounted(directory.path, receipts);
  });

  it("back while it is down opens nothing but the operators' socket, until it is accepted", async () => {
    using directory = dataDirectory();
    const receipts: Receipts = new Map();
    await runOnce(directory, (it) => signs(it, receipts));
    {
      const before = accountOf(directory.path).intents.size;
      const starting = startOn(directory, { nowMs: () => Date.now() - hourMs });
      const reason = ["--reason", "compared with two other hosts"];
      const accepting = async (): Promise<boolean> =>
        (await runVerb(["clock", "accept", ...reason, "--data-dir", directory.path])).status === 0;
      await Promise.race([eventually(accepting), starting]);
      assert.equal(accountOf(directory.path).intents.size, before);
      await using it = await starting;
      await signs(it, receipts);
    }
    await expectAccounted(directory.path, receipts);
  });
});
