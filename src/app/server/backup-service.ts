/**
 * `portcullis.admin.v1` Backup: copies of both databases, streamed to whoever can open the socket. The log says who asked
 * before anything is copied. What lies on the disk for it is gone when the stream ends, however it ends.
 */

import { create } from "@bufbuild/protobuf";
import { status, type ServerWritableStream } from "@grpc/grpc-js";
import { once } from "node:events";
import { encodeManifest } from "../../core/backup/backup-manifest.ts";
import { BackupError } from "../../core/backup/backup-error.ts";
import { PortcullisError } from "../../core/error.ts";
import { DatabaseCopies, type CopyOptions } from "../../edge/backup/database-copies.ts";
import { MANIFEST_NAME } from "../../edge/rpc/backup-client.ts";
import type { Logger } from "../../edge/telemetry/logger.ts";
import {
  BackupChunkSchema,
  type BackupChunk,
  type BackupRequest,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { LogEvent } from "./log/log-keeper.ts";
import { assertClaim, CommandError } from "./operator-command.ts";

export interface BackupDependencies extends CopyOptions {
  /** Durable in the transparency log when it resolves. */
  readonly record: (event: LogEvent) => Promise<void>;
  readonly log: Logger;
}

type BackupCall = ServerWritableStream<BackupRequest, BackupChunk>;

/** The handler of `Backup`. One at a time: two would need room for two. */
export function backupHandler(dependencies: BackupDependencies): (call: BackupCall) => void {
  const { log } = dependencies;
  let isBusy = false;
  return (call) => {
    if (isBusy) return fail(call, busy);
    isBusy = true;
    const { operator } = call.request;
    stream(call, dependencies)
      .then(
        (logSize) =>
          log.info({ event: "backup-made", operator, logSize }, "a backup was given out"),
        (error: unknown) => {
          log.error({ event: "backup-failed", operator, error }, "no backup was given out");
          fail(call, refusalOf(error));
        },
      )
      .finally(() => (isBusy = false));
  };
}

interface Refusal {
  readonly code: status;
  readonly details: string;
}

const busy: Refusal = {
  code: status.FAILED_PRECONDITION,
  details: "another backup is being made",
};

/** @returns the size of the log that was given out */
async function stream(call: BackupCall, dependencies: BackupDependencies): Promise<number> {
  const { operator } = call.request;
  assertClaim({ operator, reason: "backup" });
  const cancelling = new AbortController();
  call.once("cancelled", () => cancelling.abort());
  const { signal } = cancelling;
  await dependencies.record({ type: "command", operator, subject: "backup" });
  await using copies = await DatabaseCopies.make(dependencies);
  const send = async (file: string, data: Uint8Array): Promise<void> => {
    signal.throwIfAborted();
    if (!call.write(create(BackupChunkSchema, { file, data })))
      await once(call, "drain", { signal });
  };
  const { manifest } = copies;
  await send(MANIFEST_NAME, Buffer.from(encodeManifest(manifest)));
  let before = "";
  for await (const { file, data } of copies.data()) {
    await send(file === before ? "" : file, data);
    before = file;
  }
  call.end();
  return manifest.log.size;
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof CommandError) {
    return { code: status.INVALID_ARGUMENT, details: error.message };
  }
  const isFull = error instanceof BackupError && error.code === "backup-no-space";
  const details =
    error instanceof PortcullisError ? error.message : "the server cannot copy its files";
  return { code: isFull ? status.RESOURCE_EXHAUSTED : status.INTERNAL, details };
}

function fail(call: BackupCall, refusal: Refusal): void {
  call.emit("error", refusal);
}
