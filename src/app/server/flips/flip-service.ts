/** `portcullis.admin.v1` StartFlip, RevertFlip and GetFlips. */

import { create } from "@bufbuild/protobuf";
import { status, type handleUnaryCall } from "@grpc/grpc-js";
import { FlipError } from "../../../core/flip/flip-error.ts";
import { hasEnded, revertWindowSeconds, type Flip } from "../../../core/flip/flip.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import {
  GetFlipsResponseSchema,
  RevertFlipResponseSchema,
  StartFlipResponseSchema,
  type GetFlipsRequest,
  type GetFlipsResponse,
  type RevertFlipRequest,
  type RevertFlipResponse,
  type StartFlipRequest,
  type StartFlipResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim, CommandError } from "../operator-command.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import { answerOrder } from "./flip-answers.ts";
import { flipMessage } from "./flip-messages.ts";
import { flipsAround, flipsOf, type FlipOrders } from "./flip-orders.ts";
import { isInvalid } from "./flip-refusals.ts";
import type { LookBacks } from "./look-backs.ts";
import { NotSafeError, startFlip, type StartOrder } from "./start-flip.ts";
import { takeBack } from "./take-back.ts";
import { callerWaiverMessage, verdictMessage } from "./verdict-messages.ts";

export interface FlipServiceDependencies extends FlipOrders {
  readonly lookBacks: LookBacks;
  readonly waivers: CallerWaivers;
  readonly log: Logger;
}

export interface FlipHandlers {
  readonly startFlip: handleUnaryCall<StartFlipRequest, StartFlipResponse>;
  readonly revertFlip: handleUnaryCall<RevertFlipRequest, RevertFlipResponse>;
  readonly getFlips: handleUnaryCall<GetFlipsRequest, GetFlipsResponse>;
}

const revertWindowMax = 30 * 86_400;

export function flipHandlers(dependencies: FlipServiceDependencies): FlipHandlers {
  const { log } = dependencies;
  return {
    startFlip: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => start(dependencies, request),
        (result, error) => {
          const change = error instanceof NotSafeError ? error.change : {};
          return create(StartFlipResponseSchema, { result, ...change });
        },
      ),
    revertFlip: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => revert(dependencies, request),
        (result) => create(RevertFlipResponseSchema, { result }),
      ),
    getFlips: ({ request: { target } }, reply) =>
      void answerCommand(
        reply,
        log,
        () => Promise.resolve(answerFlips(dependencies, target)),
        (error) => (isInvalid(error) ? status.INVALID_ARGUMENT : undefined),
      ),
  };
}

async function start(
  dependencies: FlipServiceDependencies,
  request: StartFlipRequest,
): Promise<StartFlipResponse> {
  const { operator } = request;
  assertClaim({ operator, reason: "flip" });
  const order: StartOrder = {
    text: request.target,
    stages: request.stages,
    revertWindowMs: secondsOf(request.revertWindow) * 1_000,
    revertOnRefused: request.revertOnRefused === 0 ? undefined : request.revertOnRefused,
    lookBackMs: dependencies.lookBacks.parse(request.lookBack),
    isDryRun: request.dryRun,
    awaitsObject: request.awaitsObject,
    operator,
  };
  const { flip, judgement, beforeJson, afterJson } = await startFlip(dependencies, order);
  return create(StartFlipResponseSchema, {
    result: { case: "flip", value: messageOf(dependencies, flip) },
    beforeJson,
    afterJson,
    verdict: verdictMessage(judgement),
  });
}

async function revert(
  dependencies: FlipServiceDependencies,
  { target, reason, operator, dryRun: isDryRun }: RevertFlipRequest,
): Promise<RevertFlipResponse> {
  assertClaim({ operator, reason: reason === "" ? "none" : reason });
  const order = { operator, reason, isDryRun };
  const { flip, ...change } = await takeBack(dependencies, target, order);
  const value = messageOf(dependencies, flip);
  const waivers = dependencies.waivers.of(flip.target).map(callerWaiverMessage);
  return create(RevertFlipResponseSchema, { result: { case: "flip", value }, ...change, waivers });
}

function answerFlips(dependencies: FlipServiceDependencies, target: string): GetFlipsResponse {
  const flips = target === "" ? dependencies.flips.all() : known(dependencies, target);
  const all = flips.map((flip) => messageOf(dependencies, flip, target === "" && hasEnded(flip)));
  return create(GetFlipsResponseSchema, { flips: all });
}

/** Also those that have made it strict with others. None of a target that is none any more. @throws FlipError of words that nobody can read */
function known(dependencies: FlipServiceDependencies, target: string): readonly Flip[] {
  try {
    return [...flipsOf(dependencies, target), ...flipsAround(dependencies, target)];
  } catch (error) {
    if (error instanceof FlipError && !isInvalid(error)) return [];
    throw error;
  }
}

/** @param isShort without its workloads: of many that have ended nobody asks for them */
function messageOf(
  { flips, judge, nowMs }: FlipServiceDependencies,
  flip: Flip,
  isShort = false,
): ReturnType<typeof flipMessage> {
  const report = isShort ? { flip, workloads: [], waits: [], callers: [] } : flips.report(flip);
  const others = isShort ? [] : judge.othersOf(flip.target);
  return flipMessage(report, Math.floor(nowMs()), others);
}

/** @throws CommandError */
function secondsOf(revertWindow: bigint): number {
  if (revertWindow === 0n) return revertWindowSeconds;
  if (revertWindow > 0n && revertWindow <= BigInt(revertWindowMax)) return Number(revertWindow);
  const message = `expected a revert window of 1 s to 30 days, got ${revertWindow} s`;
  throw new CommandError("command-setting", message);
}
