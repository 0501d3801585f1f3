/** The backup of a running server: a consistent copy over its admin socket, while its log is written. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import { backupHandler } from "../../src/app/server/backup-service.ts";
import type { LogEvent } from "../../src/app/server/log/log-keeper.ts";
import type { Chunk } from "../../src/core/backup/chunk-format.ts";
import { createBackup } from "../../src/edge/backup/create-backup.ts";
import { lockStoppedStore } from "../../src/edge/backup/stopped-store.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { openServerBackup } from "../../src/edge/rpc/backup-client.ts";
import { createLocalServer, shutdownGrpc } from "../../src/edge/rpc/grpc-server.ts";
import { addService } from "../../src/edge/rpc/service-definition.ts";
import { listenOnUnixSocket } from "../../src/edge/rpc/unix-listener.ts";
import { AdminService } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { eventually } from "../support/control-plane.ts";
import { sampleEvent } from "../support/log-entries.ts";
import { addCertificates } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  makeDataDirectory,
  openServerLog,
  passphrase as text,
  wholeSecondMs,
} from "./data-directory.ts";

const passphrase = Buffer.from(text);
const never = new AbortController().signal;

interface Rig extends AsyncDisposable {
  readonly dataDir: string;
  readonly address: string;
  readonly log: Awaited<ReturnType<typeof openServerLog>>;
  readonly recorded: readonly LogEvent[];
  /** What lies in the data directory for a backup. */
  readonly left: () => readonly string[];
}

async function startRig(copyStore?: (path: string) => void): Promise<Rig> {
  await using owned = new AsyncDisposableStack();
  const dataDir = owned.use(temporaryDirectory()).path;
  await makeDataDirectory(dataDir);
  const store = owned.use(await lockStoppedStore(dataDir));
  const log = owned.use(await openServerLog(dataDir));
  const recorded: LogEvent[] = [];
  const grpc = createLocalServer();
  const handlers = Object.fromEntries(
    AdminService.methods.map(({ localName }) => [localName, () => {}]),
  );
  addService(grpc, AdminService, {
    ...handlers,
    backup: backupHandler({
      dataDir,
      copyStore: copyStore ?? store.copyTo,
      version: "0.0.0-test",
      nowMs: Date.now,
      record: async (event) => {
        recorded.push(event);
        await log.writer.append([sampleEvent({ timeMs: wholeSecondMs(), ...event })]);
      },
      log: pino({ level: "silent" }),
    }),
  });
  const path = join(dataDir, "admin.sock");
  owned.use(await listenOnUnixSocket(grpc, path, 0o600));
  owned.defer(() => shutdownGrpc(grpc, 1_000));
  const rest = owned.move();
  return {
    dataDir,
    address: `unix://${path}`,
    log,
    recorded,
    left: () => readdirSync(dataDir).filter((name) => name.startsWith(".backup-")),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** More than a stream takes before anybody reads it. */
async function makeLarge({ log }: Rig): Promise<void> {
  for (let first = 10_000; first < 20_000; first += 1_000) {
    await addCertificates(log, first, 1_000, wholeSecondMs() + 60_000);
  }
}

describe("the backup of a running server", () => {
  it("is consistent while the log grows, and the log says who asked", async () => {
    await using rig = await startRig();
    const { dataDir, address, log } = rig;
    const done = new AbortController();
    const issue = async (): Promise<void> => {
      for (let first = 10_000; !done.signal.aborted; first += 50) {
        await addCertificates(log, first, 50, wholeSecondMs() + 60_000);
      }
    };
    const issuing = issue();
    const before = log.reader.head().size;
    using source = await openServerBackup(address, "alice", never);
    const file = join(dataDir, "x.backup");
    const options = { file, force: false, dataDir, passphrase, nowMs: Date.now(), signal: never };
    const contents = await createBackup(source, options);
    done.abort();
    await issuing;
    assert.ok(contents.checkpoint.size > before);
    assert.ok(contents.checkpoint.size < log.reader.head().size);
    using reader = LogReader.open(dataDir);
    assert.ok(reader.consistency(contents.checkpoint.size, reader.head().size).length > 0);
    assert.deepEqual(rig.recorded, [{ type: "command", operator: "alice", subject: "backup" }]);
    assert.deepEqual(await eventually(() => rig.left().length === 0), true);
  });

  it("leaves nothing behind when whoever asked goes away", async () => {
    await using rig = await startRig();
    await makeLarge(rig);
    const asking = new AbortController();
    using source = await openServerBackup(rig.address, "alice", asking.signal);
    assert.equal(rig.left().length, 1);
    asking.abort();
    await assert.rejects(drain(source.data), { name: "AbortError" });
    await eventually(() => rig.left().length === 0);
    // And the next one is served.
    using again = await openServerBackup(rig.address, "alice", never);
    await drain(again.data);
  });

  it("is made one at a time", async () => {
    await using rig = await startRig();
    await makeLarge(rig);
    using first = await openServerBackup(rig.address, "alice", never);
    await assert.rejects(openServerBackup(rig.address, "bob", never), { code: "backup-busy" });
    await drain(first.data);
    await eventually(() => rig.left().length === 0);
  });

  it("says what is wrong where it cannot be made, and leaves nothing behind", async () => {
    await using rig = await startRig(() => {
      throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
    });
    await assert.rejects(openServerBackup(rig.address, "alice", never), {
      code: "backup-no-space",
      message: /database or disk is full/,
    });
    await assert.rejects(openServerBackup(rig.address, "two\nlines", never), {
      code: "backup-failed",
      message: /the operator's name/,
    });
    await eventually(() => rig.left().length === 0);
  });

  it("is refused where nobody serves", async () => {
    using directory = temporaryDirectory();
    const address = `unix://${join(directory.path, "admin.sock")}`;
    await assert.rejects(openServerBackup(address, "alice", never), { code: "admin-unreachable" });
  });
});

async function drain(data: AsyncIterable<Chunk>): Promise<number> {
  let bytes = 0;
  for await (const chunk of data) bytes += chunk.data.length;
  return bytes;
}
