/** `portcullis.admin.v1` CheckMtls, PlanFlips, MakePermissive and AddCallerWaivers. */

import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { operatorPattern } from "../../../core/operator.ts";
import { nameMessage } from "../../../edge/rpc/resource-messages.ts";
import {
  AddCallerWaiversResponseSchema,
  CheckMtlsResponseSchema,
  MakePermissiveResponseSchema,
  PlanFlipsResponseSchema,
  type AddCallerWaiversRequest,
  type AddCallerWaiversResponse,
  type CheckMtlsRequest,
  type CheckMtlsResponse,
  type MakePermissiveRequest,
  type MakePermissiveResponse,
  type PlanFlipsRequest,
  type PlanFlipsResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { assertClaim, CommandError } from "../operator-command.ts";
import { waiverMessage } from "../rotation/root-messages.ts";
import type { CallerWaivers } from "./caller-waivers.ts";
import { answerOrder } from "./flip-answers.ts";
import { changeOf } from "./flip-orders.ts";
import type { FlipServiceDependencies } from "./flip-service.ts";
import { makePermissive } from "./make-permissive.ts";
import { planNamespace, planRowsMax } from "./plan-namespace.ts";
import { verdictMessage } from "./verdict-messages.ts";

export interface MtlsServiceDependencies extends FlipServiceDependencies {
  readonly waivers: CallerWaivers;
}

export interface MtlsHandlers {
  readonly checkMtls: handleUnaryCall<CheckMtlsRequest, CheckMtlsResponse>;
  readonly planFlips: handleUnaryCall<PlanFlipsRequest, PlanFlipsResponse>;
  readonly makePermissive: handleUnaryCall<MakePermissiveRequest, MakePermissiveResponse>;
  readonly addCallerWaivers: handleUnaryCall<AddCallerWaiversRequest, AddCallerWaiversResponse>;
}

export function mtlsHandlers(dependencies: MtlsServiceDependencies): MtlsHandlers {
  const { log } = dependencies;
  return {
    checkMtls: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => check(dependencies, request),
        (result) => create(CheckMtlsResponseSchema, { result }),
      ),
    planFlips: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.namespace,
        () => plan(dependencies, request),
        ({ value: refused }) => create(PlanFlipsResponseSchema, { refused }),
      ),
    makePermissive: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => permit(dependencies, request),
        (result) => create(MakePermissiveResponseSchema, { result }),
      ),
    addCallerWaivers: ({ request }, reply) =>
      void answerOrder(
        reply,
        log,
        request.target,
        () => waive(dependencies, request),
        (result) => create(AddCallerWaiversResponseSchema, { result }),
      ),
  };
}

async function check(
  { judge, lookBacks }: MtlsServiceDependencies,
  { target: text, lookBack, operator }: CheckMtlsRequest,
): Promise<CheckMtlsResponse> {
  assertClaim({ operator, reason: "check" });
  const lookBackMs = lookBacks.parse(lookBack);
  const target = judge.resolve(text);
  await lookBacks.say(lookBackMs, operator, `mtls check ${target.text}`);
  const { judgement } = await judge.judge(target, judge.planOf(target), lookBackMs);
  const value = verdictMessage(judgement);
  return create(CheckMtlsResponseSchema, { result: { case: "verdict", value } });
}

async function plan(
  dependencies: MtlsServiceDependencies,
  { namespace, lookBack, operator }: PlanFlipsRequest,
): Promise<PlanFlipsResponse> {
  assertClaim({ operator, reason: "plan" });
  const lookBackMs = dependencies.lookBacks.parse(lookBack);
  await dependencies.lookBacks.say(lookBackMs, operator, `mtls plan ${namespace.slice(0, 63)}`);
  const targets = await planNamespace(dependencies, namespace, lookBackMs);
  return create(PlanFlipsResponseSchema, {
    targets: targets.map(({ target, mode, judgement, order, waitsFor, next }) => ({
      target,
      mode,
      order,
      waitsFor: [...waitsFor],
      next,
      ...(judgement && { verdict: verdictMessage(judgement, planRowsMax) }),
    })),
  });
}

async function permit(
  dependencies: MtlsServiceDependencies,
  { target, until, owner, operator, dryRun: isDryRun }: MakePermissiveRequest,
): Promise<MakePermissiveResponse> {
  assertClaim({ operator, reason: "permissive" });
  if (owner.trim() === "" || !operatorPattern.test(owner)) {
    const message = "expected an owner of 1 to 60 printable characters";
    throw new CommandError("command-setting", message);
  }
  if (until === undefined) throw new CommandError("command-setting", "expected a date, got none");
  const order = { untilMs: timestampMs(until), owner, operator, isDryRun };
  const edit = await makePermissive(dependencies, target, order);
  const action = edit.before === undefined ? "created" : "configured";
  return create(MakePermissiveResponseSchema, {
    result: { case: "action", value: edit.isUnchanged ? "unchanged" : action },
    object: nameMessage(edit.ref),
    ...changeOf(edit),
  });
}

async function waive(
  { judge, waivers, log }: MtlsServiceDependencies,
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
  const value = { waivers: added.map(waiverMessage) };
  return create(AddCallerWaiversResponseSchema, { result: { case: "waivers", value } });
}
