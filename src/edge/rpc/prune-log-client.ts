/** The operator's side of PruneLog in `portcullis.admin.v1`. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { status, type ServiceError } from "@grpc/grpc-js";
import type { IndexRange } from "../../core/log/index-ranges.ts";
import { AdminService, PruneLogRequestSchema } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { callAdmin } from "./admin-client.ts";
import type { AdminTarget } from "./admin-target.ts";
import { CommandRefusedError } from "./command-client.ts";

export interface PruneLogOptions {
  /** What was over by then may go. */
  readonly beforeMs: number;
  /** Who asks, as claimed. */
  readonly operator: string;
}

/** Tens of thousands of entries a second, in steps between which the server signs. */
const timeoutMs = 600_000;

/**
 * @param address where it is called
 * @returns what is gone; empty when nothing is
 * @throws AdminClientError, CommandRefusedError
 */
export async function pruneLog(
  address: AdminTarget,
  { beforeMs, operator }: PruneLogOptions,
): Promise<IndexRange> {
  const request = create(PruneLogRequestSchema, { before: timestampFromMs(beforeMs), operator });
  const { start, end } = await callAdmin(
    address,
    AdminService.method.pruneLog,
    request,
    errorOf,
    timeoutMs,
  );
  return { start: Number(start), end: Number(end) };
}

function errorOf({ code, details }: ServiceError): CommandRefusedError | undefined {
  const refused = refusals.get(code);
  return refused?.(details);
}

type Refuse = (details: string) => CommandRefusedError;

const refusals: ReadonlyMap<number, Refuse> = new Map<number, Refuse>([
  [status.INVALID_ARGUMENT, (details) => new CommandRefusedError("command-invalid", details)],
  [status.FAILED_PRECONDITION, (details) => new CommandRefusedError("command-failed", details)],
  [status.INTERNAL, (details) => new CommandRefusedError("command-failed", details)],
  [
    status.DEADLINE_EXCEEDED,
    () =>
      new CommandRefusedError("command-failed", "the server has not finished in 10 minutes", {
        hint: "it goes on by itself; portcullis audit tail shows what it has pruned",
      }),
  ],
]);
