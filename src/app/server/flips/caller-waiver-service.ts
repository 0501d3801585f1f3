/** `portcullis.admin.v1` AddCallerWaivers, ListCallerWaivers and EndCallerWaiver. */

import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { FlipError } from "../../../core/flip/flip-error.ts";
import { targetKey } from "../../../core/flip/target.ts";
import { nearestMatch } from "../../../edge/config/nearest-match.ts";
import type { CallerWaiver } from "../../../edge/store/caller-waivers.ts";
import {
  AddCallerWaiversResponseSchema,
  EndCallerWaiverResponseSchema,
  ListCallerWaiversResponseSchema,
  type AddCallerWaiversRequest,
  type AddCallerWaiversResponse,
  type EndCallerWaiverRequest,
  type EndCallerWaiverResponse,
  type ListCallerWaiversRequest,
  type ListCallerWaiversResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { answerCommand, assertClaim } from "../operator-command.ts";
import { answerOrder } from "./flip-answers.ts";
import { FlipRefusedError, isInvalid } from "./flip-refusals.ts";
import type { FlipServiceDependencies } from "./flip-service.ts";
import { callerWaiverMessage } from "./verdict-messages.ts";

type CallerWaiverDependencies = Pick<
  FlipServiceDependencies,
  "judge" | "waivers" | "log" | "nowMs"
>;

export interface CallerWaiverHandlers {
  readonly addCallerWaivers: handleUnaryCall<AddCallerWaiversRequest, AddCallerWaiversResponse>;
  readonly listCallerWaivers: handleUnaryCall<ListCallerWaiversRequest, ListCallerWaiversResponse>;
  readonly endCallerWaiver: handleUnaryCall<EndCallerWaiverRequest, EndCallerWaiverResponse>;
}

export function callerWaiverHandlers(dependencies: CallerWaiverDependencies): CallerWaiverHandlers {
  const { log, waivers, nowMs } = dependencies;
  const all = (): ListCallerWaiversResponse =>
    create(ListCallerWaiversResponseSchema, {
      waivers: waivers.current.map(callerWaiverMessage),
      now: timestampFromMs(Math.floor(nowMs())),
    });
  return {
    addCallerWaivers: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => waive(dependencies, request),
        (result) => create(AddCallerWaiversResponseSchema, { result }),
      ),
    listCallerWaivers: (_, reply) =>
      void answerCommand(
        reply,
        log,
        () => Promise.resolve(all()),
        () => undefined,
      ),
    endCallerWaiver: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => end(dependencies, request),
        (result) => create(EndCallerWaiverResponseSchema, { result }),
      ),
  };
}

async function waive(
  { judge, waivers, log }: CallerWaiverDependencies,
  { target: text, names, reason, operator, until }: AddCallerWaiversRequest,
): Promise<AddCallerWaiversResponse> {
  assertClaim({ operator, reason });
  const target = judge.resolve(text);
  const untilMs = until === undefined ? 0 : timestampMs(until);
  await waivers.add(target, names, { operator, reason }, untilMs);
  const count = names.length;
  const fields = { event: "callers-waived", operator, reason, target: target.text, count };
  log.warn(fields, "a target may go strict without some of its callers");
  const given = new Set(names);
  const added = waivers.of(target).filter(({ name }) => given.has(name));
  const value = { waivers: added.map(callerWaiverMessage) };
  return create(AddCallerWaiversResponseSchema, { result: { case: "waivers", value } });
}

async function end(
  dependencies: CallerWaiverDependencies,
  { target, name, reason, operator }: EndCallerWaiverRequest,
): Promise<EndCallerWaiverResponse> {
  assertClaim({ operator, reason });
  const waiver = standing(dependencies, target, name);
  const ended = await dependencies.waivers.end(waiver, { operator, reason });
  const fields = {
    event: "caller-waiver-ended",
    operator,
    reason,
    target: waiver.targetText,
    name,
  };
  dependencies.log.info(fields, "a waiver of a caller counts no more");
  const value = callerWaiverMessage(ended);
  return create(EndCallerWaiverResponseSchema, { result: { case: "waiver", value } });
}

/** One of a target that is none any more can be ended, too. @throws FlipError, FlipRefusedError */
function standing(
  { judge, waivers }: CallerWaiverDependencies,
  text: string,
  name: string,
): CallerWaiver {
  const { current } = waivers;
  const written = current.find((each) => each.targetText === text && each.name === name);
  if (written !== undefined) return written;
  const key = keyOf(judge, text);
  const same = current.find((each) => each.target === key && each.name === name);
  if (same !== undefined) return same;
  const here = current.filter((each) => each.target === key || each.targetText === text);
  const near = nearestMatch(
    name,
    here.map((each) => each.name),
  );
  const meant = near === undefined ? "" : `, did you mean ${near}`;
  const got = JSON.stringify(name.slice(0, 100));
  const message = `expected a waiver of ${text}, got ${got}, which none is about${meant}`;
  const hint = "those that count, and for which target: portcullis mtls waivers list";
  throw new FlipRefusedError("waiver-unknown", message, { hint });
}

function keyOf(judge: CallerWaiverDependencies["judge"], text: string): string | undefined {
  try {
    return targetKey(judge.resolve(text));
  } catch (error) {
    if (error instanceof FlipError && !isInvalid(error)) return undefined;
    throw error;
  }
}
