/** How orders about flips are answered: a refusal is an answer with a code; only words that nobody can read, and faults, are errors. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { status, type sendUnaryData } from "@grpc/grpc-js";
import type { PortcullisError } from "../../../core/error.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import type { FlipRefusalSchema } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand } from "../operator-command.ts";
import { isInvalid, refusalOf } from "./flip-refusals.ts";
import { refusalMessage } from "./verdict-messages.ts";

export interface RefusedAnswer {
  readonly case: "refused";
  readonly value: MessageInitShape<typeof FlipRefusalSchema>;
}

/**
 * @param asked the target, as it was asked for
 * @param refused the whole answer, with a refusal in it
 */
export async function answerOrder<Reply>(
  reply: sendUnaryData<Reply>,
  log: Logger,
  asked: string,
  work: () => Promise<Reply>,
  refused: (result: RefusedAnswer, error: unknown) => Reply,
): Promise<void> {
  const answer = async (): Promise<Reply> => {
    try {
      return await work();
    } catch (error) {
      const refusal = refusalOf(error, asked);
      if (refusal === undefined) throw error;
      return refused({ case: "refused", value: refusalMessage(refusal) }, error);
    }
  };
  await answerCommand(reply, log, answer, codeOf);
}

function codeOf(error: PortcullisError): status | undefined {
  return isInvalid(error) ? status.INVALID_ARGUMENT : undefined;
}
