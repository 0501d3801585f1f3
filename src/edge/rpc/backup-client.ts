/** The operator's side of Backup in `portcullis.admin.v1`: a stream that a backup is written from. */

import { create } from "@bufbuild/protobuf";
import {
  Client,
  credentials,
  Metadata,
  status,
  type ClientReadableStream,
  type ServiceError,
} from "@grpc/grpc-js";
import { BackupError } from "../../core/backup/backup-error.ts";
import { isBackupFile, parseManifest } from "../../core/backup/backup-manifest.ts";
import type { Chunk } from "../../core/backup/chunk-format.ts";
import {
  AdminService,
  BackupRequestSchema,
  type BackupChunk,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import type { BackupSource } from "../backup/backup-writer.ts";
import { failureOf, type FailedCall } from "./admin-client.ts";
import { methodDefinition } from "./service-definition.ts";

/** The first chunk: what the others have in them, and not a file. */
export const MANIFEST_NAME = "manifest";

export interface ServerBackup extends BackupSource, Disposable {}

/**
 * Resolves when the server has copied its databases, which takes seconds where they are large.
 * @param address a gRPC target, `unix:///PATH`
 * @throws AdminClientError, ServerTooOldError; BackupError `backup-busy`, `backup-no-space`, `backup-failed`; the reason of the signal
 */
export async function openServerBackup(
  address: string,
  operator: string,
  signal: AbortSignal,
): Promise<ServerBackup> {
  const client = new Client(address, credentials.createInsecure());
  const method = methodDefinition(AdminService, AdminService.method.backup);
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    create(BackupRequestSchema, { operator }),
    new Metadata(),
    {},
  );
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  const end = (): void => {
    signal.removeEventListener("abort", cancel);
    call.cancel();
    client.close();
  };
  const chunks = chunksOf(call, address, signal);
  try {
    const first = await chunks.next();
    if (first.done === true || first.value.file !== MANIFEST_NAME) throw unexpected();
    const manifest = parseManifest(Buffer.from(first.value.data).toString("utf8"));
    return { manifest, data: dataOf(chunks), [Symbol.dispose]: end };
  } catch (error) {
    end();
    throw error;
  }
}

async function* chunksOf(
  call: ClientReadableStream<BackupChunk>,
  address: string,
  signal: AbortSignal,
): AsyncGenerator<BackupChunk> {
  try {
    yield* call;
  } catch (error) {
    throw signal.aborted ? signal.reason : failureOf(failedBackup(address), error, errorOf);
  }
}

function failedBackup(target: string): FailedCall {
  return { target, channel: { failure: () => undefined }, method: "Backup" };
}

async function* dataOf(chunks: AsyncIterable<BackupChunk>): AsyncGenerator<Chunk> {
  let current = "";
  for await (const { file, data } of chunks) {
    if (file !== "") current = file;
    if (!isBackupFile(current)) throw unexpected();
    yield { file: current, data };
  }
}

const refusals: ReadonlyMap<status, (details: string) => BackupError> = new Map([
  [
    status.FAILED_PRECONDITION,
    (details) => new BackupError("backup-busy", details, { hint: "wait for its end" }),
  ],
  [
    status.RESOURCE_EXHAUSTED,
    (details) =>
      new BackupError("backup-no-space", details, { hint: "make room there, and try again" }),
  ],
  [status.INTERNAL, (details) => new BackupError("backup-failed", details)],
  [status.INVALID_ARGUMENT, (details) => new BackupError("backup-failed", details)],
]);

function errorOf({ code, details }: ServiceError): BackupError | undefined {
  return refusals.get(code)?.(details);
}

function unexpected(): BackupError {
  return new BackupError("backup-failed", "the server's answer is no backup", {
    hint: "is it of another version than this portcullis?",
  });
}
