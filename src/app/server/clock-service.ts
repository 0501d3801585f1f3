/** `portcullis.admin.v1` AcceptClock. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { handleUnaryCall } from "@grpc/grpc-js";
import type { Logger } from "../../edge/telemetry/logger.ts";
import {
  AcceptClockResponseSchema,
  type AcceptClockRequest,
  type AcceptClockResponse,
} from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim } from "./operator-command.ts";

export interface ClockServiceDependencies {
  /**
   * Durable in the log when it resolves, and signing goes on. Gives how far the clock had jumped, in ms: negative is
   * behind, 0 where it was not in question.
   */
  readonly accept: (operator: string, reason: string) => Promise<number>;
  readonly log: Logger;
  readonly nowMs: () => number;
}

/** The handler of `AcceptClock`. */
export function acceptClockHandler({
  accept,
  log,
  nowMs,
}: ClockServiceDependencies): handleUnaryCall<AcceptClockRequest, AcceptClockResponse> {
  return ({ request: { operator, reason } }, reply) =>
    void answerCommand(reply, log, async () => {
      assertClaim({ operator, reason });
      const jumpMs = await accept(operator, reason);
      const fields = { event: "clock-accepted", operator, reason, jumpMs };
      log.warn(fields, "the clock is right, says an operator");
      return create(AcceptClockResponseSchema, {
        now: timestampFromMs(nowMs()),
        jumpMs: BigInt(Math.round(jumpMs)),
      });
    });
}
