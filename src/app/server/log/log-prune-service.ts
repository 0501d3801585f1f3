/** `portcullis.admin.v1` PruneLog: forgets what is long over. The event in the log says who asked. */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { PortcullisError } from "../../../core/error.ts";
import type { IndexRange } from "../../../core/log/index-ranges.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import {
  PruneLogResponseSchema,
  type PruneLogRequest,
  type PruneLogResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim } from "../operator-command.ts";

export interface LogPruneDependencies {
  readonly writer: {
    prune(beforeMs: number, timeMs: number, operator: string): Promise<IndexRange | undefined>;
  };
  readonly log: Logger;
  /** The log's time. @throws LogClockError while the clock is in question: it says what has expired */
  readonly assertGoodMs: () => number;
  /** What was before it has passed, whatever the server's clock says. */
  readonly provenMs: () => number;
}

export class PruneError extends PortcullisError<"prune-time" | "prune-running"> {
  override name = "PruneError";
}

/** The handler of `PruneLog`. One at a time: the steps of two would be one another's. */
export function pruneLogHandler(
  dependencies: LogPruneDependencies,
): (
  call: ServerUnaryCall<PruneLogRequest, PruneLogResponse>,
  reply: sendUnaryData<PruneLogResponse>,
) => void {
  let isRunning = false;
  const prune = async (request: PruneLogRequest): Promise<PruneLogResponse> => {
    if (isRunning) throw new PruneError("prune-running", "the log is being pruned already");
    isRunning = true;
    try {
      return await pruneLog(request, dependencies);
    } finally {
      isRunning = false;
    }
  };
  return ({ request }, reply) => {
    void answerCommand(reply, dependencies.log, () => prune(request), codeOf);
  };
}

/** Of an error of the log, too: what the steps before it have forgotten is gone. */
function codeOf({ code }: PortcullisError): status {
  return code === "prune-time" ? status.INVALID_ARGUMENT : status.FAILED_PRECONDITION;
}

/** @throws CommandError, PruneError, LogClockError; LogError of the writer */
async function pruneLog(
  { before, operator }: PruneLogRequest,
  { writer, log, assertGoodMs, provenMs }: LogPruneDependencies,
): Promise<PruneLogResponse> {
  const timeMs = assertGoodMs();
  const beforeMs = before === undefined ? Number.NaN : Math.floor(timestampMs(before));
  // Else certificates that are good would be forgotten, and their serials free for others.
  if (!(beforeMs <= timeMs)) {
    throw new PruneError("prune-time", "expected a time that has passed");
  }
  if (beforeMs > provenMs()) {
    const message = "expected a time that has passed by more than the word of the server's clock";
    throw new PruneError("prune-time", message, {
      hint: "portcullis clock accept, if it is right",
    });
  }
  assertClaim({ operator, reason: `pruned before ${beforeMs}` });
  const { start, end } = (await writer.prune(beforeMs, timeMs, operator)) ?? { start: 0, end: 0 };
  log.info({ event: "log-pruned", operator, start, end, beforeMs }, "the log was pruned");
  return create(PruneLogResponseSchema, { start: BigInt(start), end: BigInt(end) });
}
